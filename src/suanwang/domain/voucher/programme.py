"""The rules of a voucher programme as data, in the normalised model that all published rules were read into.

Field names are the keys of a rules file. Amounts in fen, rates and shares in basis points, `None`: the rule says
nothing. Defaults are those of the model; none of them is in a published text (assumption).
"""

import json
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from suanwang.units import BASIS_POINTS


class OnExhausted(StrEnum):
    """What happens to a claim that the programme's budget no longer covers."""

    FIRST_COME = "first_come"
    """It gets what is left; nothing left, it is refused."""
    PRO_RATA = "pro_rata"
    """It waits for a closing date, when `share_pro_rata` shares what is left."""
    QUEUE = "queue"
    """It waits until there is budget for the whole of it."""


class ProviderMode(StrEnum):
    ANY = "any"
    WHITELIST = "whitelist"
    ANY_OF = "any_of"


class YearBasis(StrEnum):
    NATURAL = "natural"
    ROLLING12 = "rolling12"


class Counts(StrEnum):
    """What the caps per entity count."""

    CLAIMS = "claims"
    REDEMPTIONS = "redemptions"
    CLAIMS_AND_REDEMPTIONS = "claims_and_redemptions"
    """Two separate counters against the same cap (assumption)."""


class Issued(StrEnum):
    ON_CONTRACT = "on_contract"
    AFTER_USE = "after_use"


class Face(StrEnum):
    AMOUNT = "amount"
    """The voucher pays bills up to its amount."""
    PERCENT = "percent"
    """The voucher pays its rate of every bill, up to its amount in all (assumption)."""


class OnExpiry(StrEnum):
    VOID = "void"
    RETURN_TO_PROGRAMME = "return_to_programme"


class Flow(StrEnum):
    REIMBURSE = "reimburse"
    """The tenant pays the whole bill; the programme pays the tenant back."""
    OFFSET = "offset"
    """The tenant pays the bill less the voucher; the programme pays the provider."""


class Settlement(StrEnum):
    BATCH = "batch"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class Rounding(StrEnum):
    DOWN_TO_FEN = "down_to_fen"
    DOWN_TO_YUAN = "down_to_yuan"


@dataclass(frozen=True, slots=True)
class CoFunder:
    level: str
    share_bp: int


@dataclass(frozen=True, slots=True)
class Budget:
    annual_total_fen: int | None = None
    co_funding: tuple[CoFunder, ...] = ()
    on_exhausted: OnExhausted = OnExhausted.FIRST_COME
    carry_over: bool = False


@dataclass(frozen=True, slots=True)
class Eligibility:
    """An empty tuple asks nothing."""

    registered_in: tuple[str, ...] = ()
    entity_types: tuple[str, ...] = ()
    """`firm` includes every kind of firm, such as `software_firm`."""
    requires_legal_person: bool = True
    no_dishonesty_years: int | None = None
    not_in_other_subsidy: tuple[str, ...] = ()
    """Scopes (city, province, ...) of other public money that exclude a claim."""
    project_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractRules:
    kinds: tuple[str, ...] = ("intelligent",)
    """Kinds of compute that count; empty: all."""
    exclude_components: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    """Every use of the contract must be among these; empty: any."""
    min_contract_fen: int | None = None
    max_term_days: int | None = None
    signed_on_or_after: date | None = None
    contract_once: bool = True

    def counts_kind(self, kind: str) -> bool:
        """Whether a part of this kind belongs to the base of a claim."""
        return (not self.kinds or kind in self.kinds) and kind not in self.exclude_components


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a provider must be; all that is not None must hold."""

    in_city_plan: bool | None = None
    matching_partner: bool | None = None
    in_cluster: str | None = None
    type: str | None = None
    min_pflops: int | float | None = None
    min_racks: int | None = None


@dataclass(frozen=True, slots=True)
class Providers:
    mode: ProviderMode = ProviderMode.ANY
    list: tuple[str, ...] | None = None
    """Names of lists that the agency keeps, or in worked cases the ids of the providers themselves."""
    any_of: tuple[Criterion, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """Conditions of a rate; None and empty ask nothing."""

    startup: bool | None = None
    chip_domestic: bool | None = None
    filed_multimodal_model_service: bool | None = None
    use: tuple[str, ...] = ()
    size: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    rate_max_bp: int
    when: When = When()


@dataclass(frozen=True, slots=True)
class Caps:
    per_claim_fen: int | None = None
    min_claim_fen: int | None = None
    """Compared with the computed amount before caps (assumption)."""
    per_entity_year_fen: int | None = None
    per_entity_total_fen: int | None = None
    year_basis: YearBasis = YearBasis.NATURAL
    counts: Counts = Counts.CLAIMS
    relaxed_for: tuple[str, ...] = ()
    """Marks, sizes or types of applicants for whom the two caps per entity do not hold."""

    @property
    def counts_claims(self) -> bool:
        return self.counts is not Counts.REDEMPTIONS

    @property
    def counts_redemptions(self) -> bool:
        return self.counts is not Counts.CLAIMS


@dataclass(frozen=True, slots=True)
class VoucherRules:
    issued: Issued = Issued.ON_CONTRACT
    face: Face = Face.AMOUNT
    divisible: bool = True
    """An indivisible voucher pays one bill; what that bill leaves of it is forfeited (assumption)."""
    validity_months: int | None = None
    on_expiry: OnExpiry = OnExpiry.RETURN_TO_PROGRAMME
    transferable: bool = False
    share_of_bill_max_bp: int | None = None


@dataclass(frozen=True, slots=True)
class RedemptionRules:
    """`documents` and `review_stages` are kept for people: no amount depends on them."""

    flow: Flow = Flow.REIMBURSE
    after_payment: bool = True
    documents: tuple[str, ...] = ()
    settlement: Settlement = Settlement.BATCH
    review_stages: tuple[str, ...] = ("programme",)
    third_party_audit: bool = False


@dataclass(frozen=True, slots=True)
class AntiAbuse:
    related_party_ban: bool = True
    both_sides_claim_ban: bool = True
    split_ban: bool = True
    clawback: bool = True
    blacklist_years: int | None = None


@dataclass(frozen=True, slots=True)
class PointsRule:
    """Points for an event that an officer has confirmed, such as `breakthrough`."""

    event: str
    points: int
    validity_months: int | None = None


@dataclass(frozen=True, slots=True)
class RebateRule:
    """A further voucher for an event that an officer has confirmed."""

    event: str
    amount_fen: int
    validity_months: int | None = None


@dataclass(frozen=True, slots=True)
class Incentives:
    """No published rule defines rewards: the shape is our design."""

    points: tuple[PointsRule, ...] = ()
    rebate_voucher: tuple[RebateRule, ...] = ()
    validity_extension_months: int | None = None
    amount_uplift_bp: int | None = None
    """Raises the two caps per entity of an applicant to whom an officer gave the uplift."""


@dataclass(frozen=True, slots=True)
class Programme:
    """One version of one programme's rules. Terms of a voucher are those of the version it was issued under."""

    id: str
    rates: tuple[Rate, ...]
    """First match wins. A rate is a ceiling: an officer may decide less, never more."""
    version: str = "1"
    name_zh: str = ""
    issuer_zh: str = ""
    jurisdiction: str = ""
    published: str | None = None
    """Year, month or day, as precise as is known."""
    valid_from: date | None = None
    """Contracts signed and claims made from this day to `valid_to`, both included, count (assumption)."""
    valid_to: date | None = None
    currency: str = "CNY"
    rounding: Rounding = Rounding.DOWN_TO_FEN
    budget: Budget = Budget()
    eligibility: Eligibility = Eligibility()
    service: ContractRules = ContractRules()
    providers: Providers = Providers()
    caps: Caps = Caps()
    voucher: VoucherRules = VoucherRules()
    redemption: RedemptionRules = RedemptionRules()
    anti_abuse: AntiAbuse = AntiAbuse()
    incentives: Incentives = Incentives()


def rules_json(programme: Programme) -> str:
    """The rules as canonical JSON: every key of the model, sorted, without spaces. A rules file in its own right."""
    return json.dumps(
        asdict(programme), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=date.isoformat
    )


@lru_cache(maxsize=256)
def rules_sha256(programme: Programme) -> str:
    """Fingerprint of the rules, the same for the same rules however the file was written."""
    return sha256(rules_json(programme).encode()).hexdigest()


def co_funding_split(programme: Programme, amount_fen: int) -> tuple[tuple[str, int], ...]:
    """Who pays how much of an amount, by level; empty if one body pays all.

    Method of the largest remainder: every level pays its share rounded down, and each fen that is left goes to the
    level that rounding took most from; of equal ones to the one that the rules name first. The parts are always the
    whole. What is given back is split like what is paid.
    """
    funders = programme.budget.co_funding
    if amount_fen < 0:
        return tuple((level, -fen) for level, fen in co_funding_split(programme, -amount_fen))
    if not funders:
        return ()
    shares = [divmod(amount_fen * funder.share_bp, BASIS_POINTS) for funder in funders]
    left_fen = amount_fen - sum(fen for fen, _ in shares)
    most_lost = sorted(range(len(funders)), key=lambda place: -shares[place][1])[:left_fen]
    return tuple(
        (funder.level, fen + (place in most_lost))
        for place, (funder, (fen, _)) in enumerate(zip(funders, shares, strict=True))
    )


def share_pro_rata(left_fen: int, wanted_fen: tuple[int, ...]) -> tuple[int, ...]:
    """What each waiting claim gets when `left_fen` is shared at the closing date of a `pro_rata` programme.

    In proportion, rounded down, never more than wanted; fen lost to rounding stay in the budget (assumption).
    """
    total_fen = sum(wanted_fen)
    if total_fen <= left_fen:
        return wanted_fen
    return tuple(fen * max(left_fen, 0) // total_fen for fen in wanted_fen)


def budget_of_year_fen(programme: Programme, left_last_year_fen: int) -> int | None:
    """Budget of a new year; what is left of the last one comes on top if the rules say so. None: no budget known."""
    annual_fen = programme.budget.annual_total_fen
    if annual_fen is None:
        return None
    return annual_fen + (max(left_last_year_fen, 0) if programme.budget.carry_over else 0)


def rewards(programme: Programme, event: str) -> tuple[tuple[PointsRule, ...], tuple[RebateRule, ...]]:
    """What the rules promise for a confirmed event: points and further vouchers."""
    incentives = programme.incentives
    return (
        tuple(rule for rule in incentives.points if rule.event == event),
        tuple(rule for rule in incentives.rebate_voucher if rule.event == event),
    )
