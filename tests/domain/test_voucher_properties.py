"""What holds for any rules and any claim."""

import json
from dataclasses import asdict, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from suanwang.domain.voucher import (
    Advice,
    Applicant,
    Assessment,
    Contract,
    Flow,
    History,
    Limit,
    Outcome,
    Part,
    Programme,
    Redemption,
    RefusalCode,
    VoucherTerms,
    assess,
    entity_caps_fen,
    redeem,
    voucher_share_fen,
)
from suanwang.domain.voucher.programme import (
    Caps,
    Counts,
    Face,
    Rate,
    Rounding,
)
from tests.domain.voucherfacts import (
    AMOUNT,
    APPLICANTS,
    CERTAIN,
    CONTRACTS,
    FIRM,
    HISTORIES,
    LIKELY,
    LIKELY_HISTORIES,
    MAYBE_AMOUNT,
    NEED,
    PLAIN,
    RATE,
    SIMPLE,
    STRICT,
    answer_to,
    applied,
)


def ceilings_fen(programme: Programme, applicant: Applicant, history: History) -> list[int]:
    year_fen, total_fen = entity_caps_fen(programme, applicant)
    claims = programme.caps.counts is not Counts.REDEMPTIONS
    left_fen = history.programme_left_fen
    return [
        ceiling
        for ceiling in (
            programme.caps.per_claim_fen,
            year_fen - history.claimed_year_fen if claims and year_fen is not None else None,
            total_fen - history.claimed_total_fen if claims and total_fen is not None else None,
            left_fen if left_fen is not None else programme.budget.annual_total_fen,
        )
        if ceiling is not None
    ]


def check_answer(programme: Programme, applicant: Applicant, contract: Contract, history: History) -> Assessment:
    answer = assess(programme, applicant, contract, history)
    assert answer == assess(programme, applicant, contract, history)
    assert answer.amount_fen >= 0
    assert answer.amount_fen * 10_000 <= answer.base_fen * answer.rate_bp
    assert answer.base_fen <= contract.amount_fen
    assert (answer.amount_fen == 0) == bool(answer.refusals)
    assert {refusal.code for refusal in answer.refusals} | set(answer.limits_hit) == {a.code for a in answer.advice}
    if answer.amount_fen:
        assert answer.outcome is Outcome.GRANT
        assert all(answer.amount_fen <= ceiling for ceiling in ceilings_fen(programme, applicant, history))
        assert answer.amount_fen in ceilings_fen(programme, applicant, history) or not answer.limits_hit
    json.dumps(asdict(answer))
    return answer


@given(SIMPLE, CERTAIN, LIKELY, LIKELY_HISTORIES)
def test_amount_is_within_every_limit(
    programme: Programme, applicant: Applicant, contract: Contract, history: History
) -> None:
    check_answer(programme, applicant, contract, history)


@given(STRICT, APPLICANTS, CONTRACTS, HISTORIES)
def test_any_claim_has_one_answer(
    programme: Programme, applicant: Applicant, contract: Contract, history: History
) -> None:
    check_answer(programme, applicant, contract, history)


@given(
    SIMPLE, CERTAIN, LIKELY, LIKELY_HISTORIES, st.integers(0, 10**10), st.integers(0, 10**10), st.integers(0, 10**10)
)
def test_more_history_never_gives_more(
    programme: Programme, applicant: Applicant, contract: Contract, history: History, year: int, total: int, spent: int
) -> None:
    left_fen = history.programme_left_fen
    later = replace(
        history,
        claimed_year_fen=history.claimed_year_fen + year,
        claimed_total_fen=history.claimed_total_fen + total,
        programme_left_fen=None if left_fen is None else left_fen - spent,
    )
    now = assess(programme, applicant, contract, history)
    assert assess(programme, applicant, contract, later).amount_fen <= now.amount_fen


@given(STRICT, APPLICANTS, CONTRACTS, HISTORIES)
def test_advice_turns_every_refusal_of_its_stage(
    programme: Programme, applicant: Applicant, contract: Contract, history: History
) -> None:
    facts: dict[str, Any] = {"applicant": applicant, "contract": contract, "history": history, "on": None}
    answer = answer_to(programme, **facts)
    advice = [piece for piece in answer.advice if is_possible(piece)]
    asked = [piece.facts["field"] for piece in advice]
    after = answer_to(programme, **applied(advice, facts, programme))
    still = {refusal.facts["field"] for refusal in after.refusals}
    # Two rules may want the same fact to be two things; what only one asks for is turned.
    assert not {field for field in asked if asked.count(field) == 1} & still


def is_possible(piece: Advice) -> bool:
    """A cap or a rate of zero leaves nothing that an applicant could change."""
    field, needed = piece.facts["field"], piece.facts["needed"]
    if needed is None:
        return field == "contract.split_of"
    return not (isinstance(needed, int) and needed < 0) and (field, needed) != ("base_fen", 0)


@given(
    st.sampled_from([Limit.PER_CLAIM, Limit.PER_ENTITY_YEAR, Limit.PER_ENTITY_TOTAL, Limit.PROGRAMME_BUDGET]),
    st.sampled_from(Rounding),
    st.integers(1, 10_000),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 10**6),
)
def test_advice_lifts_a_limit_and_not_one_fen_less_would(
    limit: Limit, rounding: Rounding, rate_bp: int, amount_fen: int, cap_fen: int, counted_fen: int
) -> None:
    caps = {
        Limit.PER_CLAIM: Caps(per_claim_fen=cap_fen),
        Limit.PER_ENTITY_YEAR: Caps(per_entity_year_fen=cap_fen),
        Limit.PER_ENTITY_TOTAL: Caps(per_entity_total_fen=cap_fen),
    }.get(limit, Caps())
    programme = replace(PLAIN, rates=(Rate(rate_bp),), rounding=rounding, caps=caps)
    left_fen = cap_fen if limit is Limit.PROGRAMME_BUDGET else None
    history = History(claimed_year_fen=counted_fen, claimed_total_fen=counted_fen, programme_left_fen=left_fen)
    contract = replace(NEED, parts=(Part("intelligent", amount_fen),))
    facts: dict[str, Any] = {"applicant": FIRM, "contract": contract, "history": history, "on": None}
    answer = answer_to(programme, **facts)
    if not answer.limits_hit and [refusal.code for refusal in answer.refusals] != [RefusalCode.CAP_REACHED]:
        return
    (piece,) = answer.advice
    assert piece.code in {limit, RefusalCode.CAP_REACHED}
    after = answer_to(programme, **applied([piece], facts, programme))
    assert limit not in after.limits_hit or piece.code == RefusalCode.CAP_REACHED
    assert RefusalCode.CAP_REACHED not in {refusal.code for refusal in after.refusals}
    less = Advice(piece.code, piece.facts | {"needed": one_less(piece)})
    if less.facts["needed"] != piece.facts["now"]:
        almost = answer_to(programme, **applied([less], facts, programme))
        assert almost.limits_hit == answer.limits_hit
        assert {refusal.code for refusal in almost.refusals} == {refusal.code for refusal in answer.refusals}


def one_less(piece: Advice) -> int:
    """A change one fen smaller than the advice."""
    now, needed = piece.facts["now"], piece.facts["needed"]
    assert isinstance(now, int)
    assert isinstance(needed, int)
    return needed + (1 if now > needed else -1)


@given(
    SIMPLE,
    st.builds(VoucherTerms, programme_id=st.just("p"), rules_sha256=st.just("0"), flow=st.sampled_from(Flow),
              rate_bp=st.none() | RATE, share_of_bill_max_bp=st.none() | RATE, face=st.sampled_from(Face)),
    st.builds(Redemption, on_s=st.just(0), voucher_left_fen=AMOUNT, requested_fen=MAYBE_AMOUNT, bill_fen=MAYBE_AMOUNT,
              paid=st.just(True)),
    HISTORIES,
)  # fmt: skip
def test_redemption_is_within_every_limit(
    programme: Programme, terms: VoucherTerms, request_: Redemption, history: History
) -> None:
    answer = redeem(programme, terms, FIRM, request_, history)
    assert 0 <= answer.amount_fen <= request_.voucher_left_fen
    assert bool(answer.refusals) <= (answer.amount_fen == 0)
    if request_.requested_fen is not None:
        assert answer.amount_fen <= request_.requested_fen
    if request_.bill_fen is not None:
        assert answer.amount_fen <= voucher_share_fen(terms, request_.bill_fen, request_.voucher_left_fen)
    year_fen, total_fen = entity_caps_fen(programme, FIRM)
    if answer.amount_fen and programme.caps.counts is not Counts.CLAIMS:
        assert year_fen is None or history.redeemed_year_fen + answer.amount_fen <= year_fen
        assert total_fen is None or history.redeemed_total_fen + answer.amount_fen <= total_fen
