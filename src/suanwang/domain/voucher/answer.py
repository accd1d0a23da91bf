"""What every question to the rules is answered with: an amount, the limits that cut it, refusals, and advice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class RefusalCode(StrEnum):
    """In the order in which they are reported."""

    ENTITY_NOT_ELIGIBLE = "ENTITY_NOT_ELIGIBLE"
    DISHONESTY_RECORD = "DISHONESTY_RECORD"
    STACKED_SUBSIDY = "STACKED_SUBSIDY"
    SIGNED_TOO_EARLY = "SIGNED_TOO_EARLY"
    SIGNED_IN_FUTURE = "SIGNED_IN_FUTURE"
    TERM_TOO_LONG = "TERM_TOO_LONG"
    USE_NOT_ELIGIBLE = "USE_NOT_ELIGIBLE"
    NO_ELIGIBLE_COMPONENT = "NO_ELIGIBLE_COMPONENT"
    CONTRACT_ALREADY_CLAIMED = "CONTRACT_ALREADY_CLAIMED"
    RELATED_PARTY = "RELATED_PARTY"
    PROVIDER_NOT_ELIGIBLE = "PROVIDER_NOT_ELIGIBLE"
    BELOW_MIN_CLAIM = "BELOW_MIN_CLAIM"
    CAP_REACHED = "CAP_REACHED"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    OTHER_SIDE_CLAIMED = "OTHER_SIDE_CLAIMED"
    NOT_PAID = "NOT_PAID"
    EXPIRED = "EXPIRED"
    NOT_TRANSFERABLE = "NOT_TRANSFERABLE"


_RANK = {code: rank for rank, code in enumerate(RefusalCode)}


class Limit(StrEnum):
    """What can cut an amount without refusing it."""

    PER_CLAIM = "per_claim"
    PER_ENTITY_YEAR = "per_entity_year"
    PER_ENTITY_TOTAL = "per_entity_total"
    PROGRAMME_BUDGET = "programme_budget"
    SHARE_OF_BILL = "share_of_bill"
    VOUCHER_LEFT = "voucher_left"


class Outcome(StrEnum):
    GRANT = "grant"
    REDEEM = "redeem"
    EXPIRE = "expire"
    TRANSFER = "transfer"
    REFUSE = "refuse"
    WAIT = "wait"
    """Only the budget is missing, and the rules keep such claims waiting."""
    KEEP = "keep"
    """Nothing happens to the voucher: it has not ended."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A "no". Facts, JSON-ready: `field` and what it is `now`, the `rule` that refuses and its `limit`."""

    code: RefusalCode
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class Advice:
    """The smallest change that turns the refusal, or lifts the limit, that `code` names.

    Facts, JSON-ready: `field`, what it is `now`, what is `needed`; at a cap of a year `again_from`, the first day of
    the next year where that is known. Where the field holds one word, a `needed` list means any of its entries.
    Several pieces of advice with one code belong together: all of them are needed. Fields are those of `Applicant`
    (`applicant.…`), `Contract`, `History`, `Redemption`, or `base_fen`, the eligible part of the contract.
    """

    code: str
    facts: dict[str, object]


class Change(NamedTuple):
    field: str
    now: object
    needed: object


class Finding(NamedTuple):
    """A refusal with the advice that belongs to it."""

    refusal: Refusal
    advice: tuple[Advice, ...]


def finding(code: RefusalCode, rule: str, limit: object, *changes: Change, again_from: str | None = None) -> Finding:
    """`changes[0]` is the fact that was found wanting."""
    first = changes[0]
    refusal = Refusal(code, {"field": first.field, "now": first.now, "rule": rule, "limit": limit})
    return Finding(refusal, tuple(advice(code, change, again_from) for change in changes))


def advice(code: RefusalCode | Limit, change: Change, again_from: str | None = None) -> Advice:
    return Advice(code.value, change._asdict() | ({} if again_from is None else {"again_from": again_from}))


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer to a claim, a redemption, an expiry or a transfer. A refusal means an amount of zero."""

    outcome: Outcome
    amount_fen: int
    rules_sha256: str
    base_fen: int = 0
    """What the rate applies to: the eligible parts of a contract, or a bill."""
    rate_bp: int = 0
    limits_hit: tuple[Limit, ...] = ()
    """In the order in which they cut."""
    refusals: tuple[Refusal, ...] = ()
    advice: tuple[Advice, ...] = ()
    waiting_fen: int = 0
    """What a waiting claim would get if the budget covered it."""
    forfeited_fen: int = 0
    """What a redemption leaves of an indivisible voucher: it ends with it."""


def refused(
    findings: Iterable[Finding], rules_sha256: str, *, base_fen: int = 0, rate_bp: int = 0, waiting_fen: int = 0
) -> Assessment:
    """An answer of zero for these reasons, in the order of the codes; waiting if `waiting_fen` is kept in line."""
    ordered = sorted(findings, key=lambda found: _RANK[found.refusal.code])
    return Assessment(
        Outcome.WAIT if waiting_fen else Outcome.REFUSE,
        0,
        rules_sha256,
        base_fen=base_fen,
        rate_bp=rate_bp,
        refusals=tuple(found.refusal for found in ordered),
        advice=tuple(piece for found in ordered for piece in found.advice),
        waiting_fen=waiting_fen,
    )


class Ceiling(NamedTuple):
    """One limit of an amount, ready to be applied."""

    limit: Limit
    left_fen: int
    exhausted: Finding
    """The refusal if nothing is left."""
    lift: Callable[[int], Change]
    """What would lift it, for the amount that it cuts."""
    again_from: str | None = None


class Cut(NamedTuple):
    amount_fen: int
    hit: tuple[Limit, ...]
    advice: tuple[Advice, ...]
    exhausted: tuple[Finding, ...]
    """Refusals by those limits that have nothing left."""


def cut(amount_fen: int, ceilings: Iterable[Ceiling]) -> Cut:
    """Apply limits in order."""
    hit: list[Limit] = []
    lifts: list[Advice] = []
    exhausted: list[Finding] = []
    for ceiling in ceilings:
        if ceiling.left_fen <= 0:
            exhausted.append(ceiling.exhausted)
        elif amount_fen > ceiling.left_fen:
            hit.append(ceiling.limit)
            lifts.append(advice(ceiling.limit, ceiling.lift(amount_fen), ceiling.again_from))
            amount_fen = ceiling.left_fen
    return Cut(amount_fen, tuple(hit), tuple(lifts), tuple(exhausted))
