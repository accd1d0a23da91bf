"""Vouchers after the grant: terms, bills, redemption, the calendar, budgets, states and amounts."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.domain.voucher import (
    CLAIM_TRANSITIONS,
    VOUCHER_MOVES,
    ClaimState,
    ClaimStep,
    Flow,
    History,
    Limit,
    Outcome,
    Redemption,
    RefusalCode,
    VoucherAmounts,
    VoucherLabel,
    VoucherMove,
    VoucherTerms,
    add_months,
    budget_of_year_fen,
    claim_after,
    co_funding_split,
    day_of,
    expire,
    extended_valid_to_s,
    label,
    moved,
    redeem,
    require_clawback,
    rewards,
    rules_sha256,
    share_of_bill_bp,
    share_pro_rata,
    start_of_day_s,
    terms_of,
    transfer,
    usable,
    valid_to_s,
    voucher_share_fen,
    year_key,
    year_window,
)
from suanwang.domain.voucher.programme import (
    AntiAbuse,
    Budget,
    CoFunder,
    Counts,
    Face,
    Incentives,
    PointsRule,
    RebateRule,
    RedemptionRules,
    VoucherRules,
    YearBasis,
)
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, ProofFailed, Refused
from tests.domain.voucherfacts import (
    FIRM,
    NOTHING,
    PLAIN,
    PUBLISHED,
    capped,
)

# Vouchers ------------------------------------------------------------------------------------------------------------

DAY_S = 86_400
OFFSET = VoucherTerms(programme_id="p", rules_sha256="0", flow=Flow.OFFSET, rate_bp=3_000)
REIMBURSE = replace(OFFSET, flow=Flow.REIMBURSE)


@pytest.mark.parametrize(
    ("terms", "share_bp"),
    [
        (OFFSET, 10_000),
        (replace(OFFSET, share_of_bill_max_bp=6_000), 6_000),
        (replace(OFFSET, face=Face.PERCENT), 3_000),
        (replace(OFFSET, face=Face.PERCENT, share_of_bill_max_bp=2_000), 2_000),
        (REIMBURSE, 3_000),
        (replace(REIMBURSE, share_of_bill_max_bp=5_000), 5_000),
        (replace(REIMBURSE, rate_bp=None), 10_000),
    ],
)
def test_share_of_one_bill(terms: VoucherTerms, share_bp: int) -> None:
    assert share_of_bill_bp(terms) == share_bp
    assert voucher_share_fen(terms, 1_001, 10**9) == 1_001 * share_bp // 10_000
    assert voucher_share_fen(terms, 1_001, 7) == 7
    assert voucher_share_fen(terms, 0, 7) == voucher_share_fen(terms, 1_001, 0) == voucher_share_fen(terms, 9, -1) == 0


def test_terms_are_those_of_the_programme() -> None:
    granted_s = start_of_day_s(date(2024, 4, 1)) + 23 * 3_600
    terms = terms_of(PUBLISHED["qingyang-2024"], 3_000, granted_s)
    assert terms.valid_to_s == start_of_day_s(date(2025, 4, 1))
    assert (terms.flow, terms.rate_bp, terms.kinds) == (Flow.OFFSET, 3_000, ("intelligent", "general", "super"))
    assert not terms.after_payment
    assert terms_of(PUBLISHED["chengdu-2025"], 6_000, granted_s).share_of_bill_max_bp == 6_000
    assert terms_of(PUBLISHED["beijing-2023"], 2_000, granted_s).exclude_components == (
        "storage",
        "network",
        "security",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"on_s": 99}, None),
        ({"on_s": 100}, RefusalCode.EXPIRED),
        ({"use": "inference"}, RefusalCode.USE_NOT_ELIGIBLE),
        ({"kind": "super"}, RefusalCode.NO_ELIGIBLE_COMPONENT),
        ({"kind": "storage"}, RefusalCode.NO_ELIGIBLE_COMPONENT),
        ({"used_fen": 1}, RefusalCode.EXPIRED),
    ],
)
def test_usable(changes: dict[str, Any], code: RefusalCode | None) -> None:
    terms = replace(
        OFFSET,
        valid_to_s=100,
        uses=("training",),
        kinds=("intelligent", "storage"),
        exclude_components=("storage",),
        divisible=False,
    )
    asked: dict[str, Any] = {"on_s": 0, "use": "training", "kind": "intelligent", **changes}
    refusal = usable(terms, **asked)
    assert (refusal.code if refusal else None) == code
    if code is RefusalCode.NO_ELIGIBLE_COMPONENT and refusal:
        assert refusal.facts["limit"] == ["intelligent"]
    assert usable(OFFSET, on_s=10**10, use="anything", kind="anything", used_fen=9) is None


def redemption(**facts: Any) -> Redemption:
    return Redemption(**{"on_s": 0, "voucher_left_fen": 1_000, "paid": True, **facts})


def test_redemption_tells_all_that_is_wrong() -> None:
    answer = redeem(
        PLAIN,
        replace(REIMBURSE, valid_to_s=10),
        FIRM,
        redemption(on_s=10, paid=False, other_side_claimed=True),
        NOTHING,
    )
    assert (answer.outcome, answer.amount_fen) == (Outcome.REFUSE, 0)
    assert [refusal.code.value for refusal in answer.refusals] == ["OTHER_SIDE_CLAIMED", "NOT_PAID", "EXPIRED"]
    assert answer.advice[2].facts == {
        "field": "redemption.on_s",
        "now": "1970-01-01T00:00:10Z",
        "needed": "1970-01-01T00:00:09Z",
    }
    free = replace(PLAIN, anti_abuse=AntiAbuse(both_sides_claim_ban=False))
    allowed = redemption(paid=False, other_side_claimed=True)
    assert redeem(free, replace(OFFSET, after_payment=False), FIRM, allowed, NOTHING).amount_fen == 1_000


@pytest.mark.parametrize(
    ("request_", "history", "amount_fen", "limits"),
    [
        (redemption(), NOTHING, 1_000, ()),
        (redemption(requested_fen=400), NOTHING, 400, ()),
        (redemption(requested_fen=1_400), NOTHING, 1_000, (Limit.VOUCHER_LEFT,)),
        (redemption(bill_fen=2_000), NOTHING, 600, (Limit.SHARE_OF_BILL,)),
        (redemption(bill_fen=2_000, requested_fen=600), NOTHING, 600, ()),
        (redemption(bill_fen=4_000), NOTHING, 1_000, (Limit.SHARE_OF_BILL, Limit.VOUCHER_LEFT)),
        (redemption(), History(redeemed_year_fen=4_500), 500, (Limit.PER_ENTITY_YEAR,)),
        (redemption(), History(redeemed_total_fen=8_900), 100, (Limit.PER_ENTITY_TOTAL,)),
        (redemption(), History(claimed_year_fen=5_000, claimed_total_fen=9_000), 1_000, ()),
    ],
)
def test_redemption_amount(request_: Redemption, history: History, amount_fen: int, limits: tuple[Limit, ...]) -> None:
    programme = capped(per_entity_year_fen=5_000, per_entity_total_fen=9_000, counts=Counts.REDEMPTIONS)
    answer = redeem(programme, REIMBURSE, FIRM, request_, history)
    assert (answer.outcome, answer.amount_fen, answer.limits_hit) == (Outcome.REDEEM, amount_fen, limits)
    assert answer.rate_bp == (0 if request_.bill_fen is None else 3_000)


@pytest.mark.parametrize(
    ("request_", "history"),
    [
        (redemption(voucher_left_fen=0), NOTHING),
        (redemption(bill_fen=3), NOTHING),
        (redemption(), History(redeemed_year_fen=5_000)),
    ],
)
def test_nothing_to_redeem(request_: Redemption, history: History) -> None:
    answer = redeem(capped(per_entity_year_fen=5_000, counts=Counts.REDEMPTIONS), REIMBURSE, FIRM, request_, history)
    assert (answer.outcome, answer.amount_fen) == (Outcome.REFUSE, 0)
    assert [refusal.code for refusal in answer.refusals] == [RefusalCode.CAP_REACHED]


def test_an_indivisible_voucher_ends_with_its_first_bill() -> None:
    answer = redeem(PLAIN, replace(OFFSET, divisible=False), FIRM, redemption(bill_fen=300), NOTHING)
    assert (answer.amount_fen, answer.forfeited_fen) == (300, 700)
    assert redeem(PLAIN, OFFSET, FIRM, redemption(bill_fen=300), NOTHING).forfeited_fen == 0


def test_end_and_transfer() -> None:
    ending = replace(OFFSET, valid_to_s=100)
    assert (expire(ending, 5, 99).outcome, expire(ending, 5, 99).amount_fen) == (Outcome.KEEP, 0)
    assert (expire(ending, 5, 100).outcome, expire(ending, 5, 100).amount_fen) == (Outcome.EXPIRE, 5)
    assert expire(OFFSET, 5, 10**10).outcome is Outcome.KEEP
    passing = replace(ending, transferable=True)
    assert (transfer(passing, 5, 99).outcome, transfer(passing, 5, 99).amount_fen) == (Outcome.TRANSFER, 5)
    assert [refusal.code.value for refusal in transfer(passing, 5, 100).refusals] == ["EXPIRED"]
    assert [refusal.code.value for refusal in transfer(ending, 5, 100).refusals] == ["EXPIRED", "NOT_TRANSFERABLE"]


def test_clawback_only_where_the_rules_know_it() -> None:
    require_clawback(OFFSET)
    with pytest.raises(Refused, match="claw-back"):
        require_clawback(replace(OFFSET, clawback=False))


def test_longer_validity_only_before_the_end() -> None:
    programme = replace(PLAIN, incentives=Incentives(validity_extension_months=6))
    end_s = start_of_day_s(date(2024, 8, 31))
    terms = replace(OFFSET, valid_to_s=end_s)
    assert extended_valid_to_s(programme, terms, end_s - 1) == start_of_day_s(date(2025, 2, 28))
    with pytest.raises(Refused, match="has ended"):
        extended_valid_to_s(programme, terms, end_s)
    with pytest.raises(InvalidInput, match="no end"):
        extended_valid_to_s(programme, OFFSET, 0)
    with pytest.raises(InvalidInput, match="no longer validity"):
        extended_valid_to_s(PLAIN, terms, 0)


def test_rewards_of_an_event() -> None:
    points, rebate = PointsRule("breakthrough", 100), RebateRule("breakthrough", 5_000, 6)
    programme = replace(PLAIN, incentives=Incentives((points, PointsRule("other", 1)), (rebate,)))
    assert rewards(programme, "breakthrough") == ((points,), (rebate,))
    assert rewards(programme, "nothing") == ((), ())


# Calendar ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2024-04-01", 12, "2025-04-01"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2023-02-28", 12, "2024-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2023-12-31", 2, "2024-02-29"),
        ("2024-12-15", 1, "2025-01-15"),
        ("2024-01-15", -1, "2023-12-15"),
        ("2024-02-29", -12, "2023-02-28"),
    ],
)
def test_months_later(day: str, months: int, later: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(later)


def test_days_begin_at_midnight_in_china() -> None:
    assert start_of_day_s(date(1970, 1, 1)) == -8 * 3_600
    assert start_of_day_s(date(2025, 4, 1)) == 1_743_436_800
    assert day_of(1_743_436_799) == date(2025, 3, 31)
    assert day_of(1_743_436_800) == date(2025, 4, 1)
    assert valid_to_s(date(2024, 4, 1), 12) == 1_743_436_800
    assert valid_to_s(date(2024, 4, 1), None) is None


def test_years_that_caps_count_in() -> None:
    assert year_window(YearBasis.NATURAL, date(2024, 12, 31)) == (date(2024, 1, 1), date(2025, 1, 1))
    assert year_key(YearBasis.NATURAL, date(2024, 12, 31)) == "2024"
    assert year_window(YearBasis.ROLLING12, date(2024, 5, 1)) == (date(2023, 5, 2), date(2024, 5, 2))
    assert year_key(YearBasis.ROLLING12, date(2024, 2, 29)) == "2023-03-01/2024-02-29"


@given(st.dates(date(1971, 1, 1), date(2900, 1, 1)), st.sampled_from(YearBasis))
def test_a_day_lies_in_its_year_of_365_or_366_days(day: date, basis: YearBasis) -> None:
    start, end = year_window(basis, day)
    assert start <= day < end
    assert (end - start).days in {365, 366}
    assert day_of(start_of_day_s(day)) == day == day_of(start_of_day_s(day + timedelta(1)) - 1)


# Budgets -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3_333), min_size=1, max_size=3), st.integers(0, 10**15))
def test_co_funders_pay_the_whole(shares: list[int], amount_fen: int) -> None:
    funders = (CoFunder("first", 10_000 - sum(shares)), *(CoFunder(f"level {i}", bp) for i, bp in enumerate(shares)))
    split = co_funding_split(replace(PLAIN, budget=Budget(co_funding=funders)), amount_fen)
    assert sum(fen for _, fen in split) == amount_fen
    lost = {}
    for funder, (level, fen) in zip(funders, split, strict=True):
        assert level == funder.level
        exact_fen = amount_fen * funder.share_bp
        assert exact_fen - 10_000 < fen * 10_000 < exact_fen + 10_000
        lost[level] = (fen - exact_fen // 10_000, exact_fen % 10_000)
    # Whoever bears a fen more lost at least as much by rounding as whoever does not.
    assert min([part for more, part in lost.values() if more], default=10_000) >= max(
        [part for more, part in lost.values() if not more], default=0
    )
    back = co_funding_split(replace(PLAIN, budget=Budget(co_funding=funders)), -amount_fen)
    assert back == tuple((level, -fen) for level, fen in split)


@pytest.mark.parametrize(
    ("shares", "amount_fen", "parts"),
    [
        ((6_000, 4_000), 1, (1, 0)),
        ((6_000, 4_000), 1_001, (601, 400)),
        ((6_000, 4_000), 1_002, (601, 401)),
        ((4_000, 6_000), 1_002, (401, 601)),
        ((3_334, 3_333, 3_333), 100, (34, 33, 33)),
        ((3_333, 3_334, 3_333), 100, (33, 34, 33)),
        ((3_333, 3_333, 3_334), 2, (1, 0, 1)),
        ((2_500, 2_500, 2_500, 2_500), 2, (1, 1, 0, 0)),
        ((10_000,), 7, (7,)),
    ],
)
def test_a_fen_that_is_left_goes_where_rounding_took_most(
    shares: tuple[int, ...], amount_fen: int, parts: tuple[int, ...]
) -> None:
    funders = tuple(CoFunder(f"level {i}", bp) for i, bp in enumerate(shares))
    split = co_funding_split(replace(PLAIN, budget=Budget(co_funding=funders)), amount_fen)
    assert tuple(fen for _, fen in split) == parts


@given(st.integers(-10, 10**9), st.lists(st.integers(1, 10**9), max_size=20).map(tuple))
def test_pro_rata_shares_what_is_left(left_fen: int, wanted_fen: tuple[int, ...]) -> None:
    shares = share_pro_rata(left_fen, wanted_fen)
    assert all(0 <= share <= wanted for share, wanted in zip(shares, wanted_fen, strict=True))
    assert sum(shares) <= max(left_fen, 0)
    assert sum(shares) > min(left_fen, sum(wanted_fen)) - max(1, len(wanted_fen))


def test_budget_of_a_new_year() -> None:
    assert budget_of_year_fen(PLAIN, 5) is None
    assert budget_of_year_fen(replace(PLAIN, budget=Budget(100)), 5) == 100
    assert budget_of_year_fen(replace(PLAIN, budget=Budget(100, carry_over=True)), 5) == 105
    assert budget_of_year_fen(replace(PLAIN, budget=Budget(100, carry_over=True)), -5) == 100


# States and amounts --------------------------------------------------------------------------------------------------


def test_claim_goes_its_way_and_no_other() -> None:
    for state, step in product(ClaimState, ClaimStep):
        if (state, step) in CLAIM_TRANSITIONS:
            assert claim_after(state, step) is CLAIM_TRANSITIONS[state, step]
        else:
            with pytest.raises(Conflict):
                claim_after(state, step)
    ended = {ClaimState.GRANTED, ClaimState.REFUSED, ClaimState.WITHDRAWN}
    assert {state for state, _ in CLAIM_TRANSITIONS} == set(ClaimState) - ended
    assert {s for (s, step) in CLAIM_TRANSITIONS if step is ClaimStep.WITHDRAW} == {"draft", "submitted", "verified"}
    assert {s for (s, step) in CLAIM_TRANSITIONS if step is ClaimStep.GRANT} == {"verified"}


@given(st.lists(st.tuples(st.sampled_from(VoucherMove), st.integers(-1, 60)), max_size=40))
def test_moves_keep_the_identity(moves: list[tuple[VoucherMove, int]]) -> None:
    amounts = VoucherAmounts(granted_fen=100, available_fen=100)
    for move, amount_fen in moves:
        try:
            after = moved(amounts, move, amount_fen)
        except InvalidInput:
            assert amount_fen <= 0
            continue
        except InsufficientValue:
            assert getattr(amounts, VOUCHER_MOVES[move][0]) < amount_fen
            continue
        after.check()
        assert after != amounts
        amounts = after


@pytest.mark.parametrize(
    "amounts",
    [
        VoucherAmounts(granted_fen=10, available_fen=9),
        VoucherAmounts(granted_fen=10, available_fen=11, held_fen=-1),
        VoucherAmounts(granted_fen=0, clawed_back_fen=1),
    ],
)
def test_amounts_that_do_not_add_up(amounts: VoucherAmounts) -> None:
    with pytest.raises(ProofFailed):
        amounts.check()


def test_a_move_may_take_all_there_is() -> None:
    held = moved(VoucherAmounts(granted_fen=5, available_fen=5), VoucherMove.HOLD, 5)
    assert held == VoucherAmounts(granted_fen=5, held_fen=5)
    assert moved(held, VoucherMove.CHARGE, 5) == VoucherAmounts(granted_fen=5, used_fen=5)
    with pytest.raises(InsufficientValue):
        moved(held, VoucherMove.CHARGE, 6)


@pytest.mark.parametrize(
    ("places", "word"),
    [
        ({"available_fen": 1, "used_fen": 9}, VoucherLabel.ACTIVE),
        ({"held_fen": 1, "expired_fen": 9}, VoucherLabel.ACTIVE),
        ({"used_fen": 1, "expired_fen": 8, "revoked_fen": 1}, VoucherLabel.EXHAUSTED),
        ({"expired_fen": 1, "revoked_fen": 9}, VoucherLabel.EXPIRED),
        ({"revoked_fen": 10}, VoucherLabel.REVOKED),
        ({"clawed_back_fen": 10}, VoucherLabel.REVOKED),
    ],
)
def test_label(places: dict[str, int], word: VoucherLabel) -> None:
    amounts = VoucherAmounts(granted_fen=10, **places)
    assert label(amounts) is word


def test_redemption_rules_reach_the_terms() -> None:
    programme = replace(
        PLAIN,
        redemption=RedemptionRules(flow=Flow.OFFSET, after_payment=False),
        voucher=VoucherRules(face=Face.PERCENT, divisible=False, transferable=True, validity_months=1),
        anti_abuse=AntiAbuse(clawback=False),
    )
    terms = terms_of(programme, 2_000, start_of_day_s(date(2024, 1, 31)))
    assert terms == VoucherTerms(
        programme_id="plain",
        rules_sha256=rules_sha256(programme),
        flow=Flow.OFFSET,
        rate_bp=2_000,
        face=Face.PERCENT,
        divisible=False,
        valid_to_s=start_of_day_s(date(2024, 2, 29)),
        transferable=True,
        after_payment=False,
        clawback=False,
        kinds=("intelligent",),
    )
