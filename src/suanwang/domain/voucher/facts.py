"""What rules ask: the facts of an applicant, of a contract with its parts and providers, and of what went before.

A fact that is left out is not proved, so it does not satisfy a rule that asks for it.
"""

from dataclasses import dataclass
from datetime import date
from unicodedata import normalize


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """What rules ask of an organisation."""

    registered_in: str | None = None
    entity_type: str | None = None
    legal_person: bool = False
    size: str | None = None
    startup: bool = False
    marks: tuple[str, ...] = ()
    """Further words that rules know an applicant by, such as `base_model_firm`."""
    years_since_dishonesty: int | None = None
    """None: no record."""
    years_since_blacklisted: int | None = None
    """None: never."""
    cap_uplift: bool = False
    """An officer gave the uplift of the rules' `amount_uplift_bp`."""

    @property
    def words(self) -> frozenset[str]:
        """All words that `relaxed_for` may name."""
        own = (self.size or "", self.entity_type or "", "startup" if self.startup else "")
        return frozenset(self.marks).union(own) - {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    id: str = ""
    listed: bool = False
    """On the list that the rules name."""
    in_city_plan: bool = False
    matching_partner: bool = False
    in_cluster: str | None = None
    type: str | None = None
    pflops: int | float = 0
    racks: int = 0
    related: bool = False
    """Tied to the applicant by shares or control."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A provider's time on a list of an agency; `to_s` None: it is there now. Who did it is named by token."""

    agency_id: str
    list: str
    centre_id: str
    from_s: int
    added_by: str
    to_s: int | None = None
    removed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a contract: compute of a kind, or storage, network, security and so on."""

    kind: str
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The need that a claim is made for."""

    id: str
    parts: tuple[Part, ...]
    providers: tuple[Provider, ...] = (Provider(),)
    signed_on: date | None = None
    term_days: int | None = None
    uses: tuple[str, ...] = ()
    chip_domestic: bool = False
    filed_multimodal_model_service: bool = False
    project_tags: tuple[str, ...] = ()
    other_subsidies: tuple[str, ...] = ()
    """Scopes (city, province, ...) of other public money for the same compute."""
    split_of: str | None = None
    """The larger contract or plant that this one is a piece of."""
    used: bool = False
    """The compute has been used and its fee is due."""

    @property
    def amount_fen(self) -> int:
        return sum(part.amount_fen for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was claimed and redeemed before, by this applicant in this programme.

    Years are those of `year_window`. `claimed_contracts` holds `claim_keys` of every contract claimed.
    """

    claimed_year_fen: int = 0
    claimed_total_fen: int = 0
    redeemed_year_fen: int = 0
    redeemed_total_fen: int = 0
    claimed_contracts: tuple[str, ...] = ()
    programme_left_fen: int | None = None
    """What is left of the programme's budget; None: all of its yearly total."""
    other_side_claimed: bool = False
    """The provider claimed for the same compute."""


def contract_key(number: str) -> str:
    """A contract's number as it is compared: the same however it is spaced, typed in full width, or cased.

    NFKC, white space collapsed, case folded, and NFKC again, which folding may undo (Unicode 15, section 3.13).
    """
    folded = " ".join(normalize("NFKC", number).split()).casefold()
    return normalize("NFKC", folded)


def claim_keys(contract: Contract) -> tuple[str, ...]:
    """Names to remember once the contract was claimed: itself, and the whole that it is a piece of."""
    return (contract.id,) if contract.split_of is None else (contract.id, contract.split_of)
