"""Claims: what an applicant may get for a contract under a programme's rules."""

from collections.abc import Callable, Iterator
from datetime import date

from suanwang.domain.voucher.answer import (
    Assessment,
    Ceiling,
    Change,
    Finding,
    Limit,
    Outcome,
    RefusalCode,
    cut,
    finding,
    refused,
)
from suanwang.domain.voucher.days import year_window
from suanwang.domain.voucher.eligibility import (
    component_findings,
    contract_findings,
    entity_findings,
    matching_rate,
    provider_findings,
)
from suanwang.domain.voucher.facts import Applicant, Contract, History, Provider
from suanwang.domain.voucher.programme import OnExhausted, Programme, Rounding, YearBasis, rules_sha256
from suanwang.units import BASIS_POINTS, FEN_PER_YUAN, share_fen

Shrink = Callable[[int], Change]
"""The change that would bring an amount down to this many fen."""


def assess(
    programme: Programme, applicant: Applicant, contract: Contract, history: History, *, on: date | None = None
) -> Assessment:
    """What the rules give for a contract, claimed on a day.

    Order, fixed so that two runs agree: refusals of eligibility and service (all of them); base = eligible parts;
    rate; rounding down; minimum claim; cap per claim; caps left per entity; budget left. The first stage with a refusal
    ends it. The amount is a ceiling for the officer's decision.
    """
    sha256 = rules_sha256(programme)
    base_fen = sum(part.amount_fen for part in contract.parts if programme.service.counts_kind(part.kind))
    rate, rate_findings = matching_rate(programme, applicant, contract)
    rate_bp = rate.rate_max_bp if rate else 0
    providers = contract.providers or (Provider(),)  # no provider named: nothing about it is proved
    findings = [
        *entity_findings(programme, applicant, contract),
        *contract_findings(programme, contract, history, on),
        *component_findings(programme, contract, base_fen),
        *rate_findings,
        *(found for i, one in enumerate(providers) for found in provider_findings(programme, one, i)),
    ]
    wanted_fen = _rounded_fen(programme, base_fen, rate_bp)
    if not findings:
        findings += _minimum_findings(programme, base_fen, rate_bp, wanted_fen)
    if findings:
        return refused(findings, sha256, base_fen=base_fen, rate_bp=rate_bp)
    capped = cut(wanted_fen, _claim_ceilings(programme, applicant, history, base_fen, rate_bp, on))
    if capped.exhausted:
        return refused(capped.exhausted, sha256, base_fen=base_fen, rate_bp=rate_bp)
    budget = _budget_ceilings(programme, history, capped.amount_fen)
    within = cut(capped.amount_fen, budget)
    waits = programme.budget.on_exhausted is not OnExhausted.FIRST_COME and (within.hit or within.exhausted)
    if waits or within.exhausted:
        return refused(
            [ceiling.exhausted for ceiling in budget],
            sha256,
            base_fen=base_fen,
            rate_bp=rate_bp,
            waiting_fen=capped.amount_fen if waits else 0,
        )
    return Assessment(
        Outcome.GRANT,
        within.amount_fen,
        sha256,
        base_fen=base_fen,
        rate_bp=rate_bp,
        limits_hit=capped.hit + within.hit,
        advice=capped.advice + within.advice,
    )


def _rounded_fen(programme: Programme, base_fen: int, rate_bp: int) -> int:
    amount_fen = share_fen(base_fen, rate_bp)
    return amount_fen - amount_fen % FEN_PER_YUAN if programme.rounding is Rounding.DOWN_TO_YUAN else amount_fen


def _least_eligible_fen(programme: Programme, amount_fen: int, rate_bp: int) -> int:
    """The smallest base that gives at least this amount: the inverse of `_rounded_fen`."""
    if programme.rounding is Rounding.DOWN_TO_YUAN:
        amount_fen = -(-amount_fen // FEN_PER_YUAN) * FEN_PER_YUAN
    return -(-amount_fen * BASIS_POINTS // rate_bp)


def _minimum_findings(programme: Programme, base_fen: int, rate_bp: int, wanted_fen: int) -> Iterator[Finding]:
    """The rules' minimum; where they have none, an amount that rounds to nothing is refused too."""
    minimum_fen = max(programme.caps.min_claim_fen or 0, 1)
    if wanted_fen < minimum_fen:
        needed = _least_eligible_fen(programme, minimum_fen, rate_bp) if rate_bp else None
        change = Change("base_fen", base_fen, needed)
        yield finding(RefusalCode.BELOW_MIN_CLAIM, "caps.min_claim_fen", minimum_fen, change)


def entity_caps_fen(programme: Programme, applicant: Applicant) -> tuple[int | None, int | None]:
    """Caps of this applicant per year and in total, relaxed or uplifted where the rules say so. None: no cap."""
    caps = programme.caps
    if applicant.words.intersection(caps.relaxed_for):
        return None, None
    uplift_bp = (programme.incentives.amount_uplift_bp or 0) if applicant.cap_uplift else 0
    year_fen, total_fen = (
        None if cap_fen is None else cap_fen + share_fen(cap_fen, uplift_bp)
        for cap_fen in (caps.per_entity_year_fen, caps.per_entity_total_fen)
    )
    return year_fen, total_fen


def entity_ceilings(
    programme: Programme, applicant: Applicant, history: History, counter: str, on: date | None, shrink: Shrink
) -> Iterator[Ceiling]:
    """Caps per entity, less what the history has `claimed` or `redeemed` (the `counter`) of them.

    Where the amount alone is above a cap, only `shrink` lifts the limit.
    """
    natural = programme.caps.year_basis is YearBasis.NATURAL
    next_year = year_window(YearBasis.NATURAL, on)[1].isoformat() if on is not None and natural else None
    year_cap_fen, total_cap_fen = entity_caps_fen(programme, applicant)
    for limit, span, cap_fen, again_from in (
        (Limit.PER_ENTITY_YEAR, "year", year_cap_fen, next_year),
        (Limit.PER_ENTITY_TOTAL, "total", total_cap_fen, None),
    ):
        if cap_fen is not None:
            name = f"{counter}_{span}_fen"
            yield _ceiling(limit, cap_fen, f"history.{name}", getattr(history, name), again_from, shrink)


def _ceiling(
    limit: Limit, cap_fen: int, field: str, counted_fen: int, again_from: str | None, shrink: Shrink
) -> Ceiling:
    left_fen = cap_fen - counted_fen

    def lift(amount_fen: int) -> Change:
        return Change(field, counted_fen, cap_fen - amount_fen) if amount_fen <= cap_fen else shrink(max(left_fen, 0))

    found = finding(RefusalCode.CAP_REACHED, f"caps.{limit}_fen", cap_fen, lift(1), again_from=again_from)
    return Ceiling(limit, left_fen, found, lift, again_from)


def _claim_ceilings(
    programme: Programme, applicant: Applicant, history: History, base_fen: int, rate_bp: int, on: date | None
) -> Iterator[Ceiling]:
    caps = programme.caps

    def shrink(amount_fen: int) -> Change:
        return Change("base_fen", base_fen, _least_eligible_fen(programme, amount_fen + 1, rate_bp) - 1)

    if caps.per_claim_fen is not None:
        cap_fen = caps.per_claim_fen
        found = finding(RefusalCode.CAP_REACHED, "caps.per_claim_fen", cap_fen, shrink(cap_fen))
        yield Ceiling(Limit.PER_CLAIM, cap_fen, found, lambda _: shrink(cap_fen))
    if caps.counts_claims:
        yield from entity_ceilings(programme, applicant, history, "claimed", on, shrink)


def _budget_ceilings(programme: Programme, history: History, amount_fen: int) -> list[Ceiling]:
    """The budget left, if one is known. A claim that may wait needs the whole of its amount."""
    total_fen, left_fen = programme.budget.annual_total_fen, history.programme_left_fen
    if left_fen is None:
        left_fen = total_fen
    if left_fen is None:
        return []
    field, now_fen = "history.programme_left_fen", left_fen
    needed_fen = 1 if programme.budget.on_exhausted is OnExhausted.FIRST_COME else amount_fen
    found = finding(
        RefusalCode.BUDGET_EXHAUSTED, "budget.annual_total_fen", total_fen, Change(field, now_fen, needed_fen)
    )
    return [Ceiling(Limit.PROGRAMME_BUDGET, left_fen, found, lambda wanted: Change(field, now_fen, wanted))]
