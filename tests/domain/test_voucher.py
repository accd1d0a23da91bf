"""Claims: the worked decisions, and every rule of the model alone."""

from dataclasses import replace

import msgspec
import pytest

from suanwang.domain.voucher import (
    Applicant,
    Assessment,
    Contract,
    History,
    Limit,
    OnExhausted,
    Outcome,
    Part,
    Provider,
    RefusalCode,
    claim_keys,
    co_funding_split,
    entity_caps_fen,
    provider_findings,
    rules_sha256,
)
from suanwang.domain.voucher.programme import (
    Budget,
    Caps,
    ContractRules,
    Eligibility,
    Incentives,
    Rate,
    Rounding,
    When,
)
from suanwang.rulesfile import decide, read_case
from tests.domain.voucherfacts import (
    CASES,
    FIRM,
    NEED,
    PLAIN,
    PUBLISHED,
    answer_to,
    capped,
    need,
)

# The worked decisions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", CASES, ids=[f"{row['programme']}-{row['case_id']}" for row in CASES])
def test_worked_decision(row: dict[str, str]) -> None:
    programme = PUBLISHED[row["programme"]]
    answer = decide(programme, read_case(programme, row))
    assert (
        answer.outcome,
        answer.amount_fen,
        " ".join(answer.limits_hit),
        " ".join(refusal.code for refusal in answer.refusals),
    ) == (row["expected"], int(row["amount_fen"] or 0), row["limits_hit"], row["refusal_code"])
    assert answer.rules_sha256 == rules_sha256(programme)
    assert {refusal.code for refusal in answer.refusals} | set(answer.limits_hit) == {a.code for a in answer.advice}
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Assessment) == answer


def test_all_worked_decisions_are_there() -> None:
    assert len(CASES) == 31
    assert {row["action"] for row in CASES} == {"claim", "redeem", "expire", "transfer"}


def test_henan_is_shared_by_province_and_city() -> None:
    henan = PUBLISHED["henan-2025"]
    assert co_funding_split(henan, 100_000_000) == (("province", 50_000_000), ("city", 50_000_000))
    assert co_funding_split(henan, 3) == (("province", 2), ("city", 1))
    assert co_funding_split(PUBLISHED["beijing-2023"], 3) == ()


# One rule at a time --------------------------------------------------------------------------------------------------


def test_all_refusals_of_the_first_stage_are_told_in_order() -> None:
    programme = replace(
        PLAIN,
        eligibility=Eligibility(registered_in=("上海",), no_dishonesty_years=3),
        service=ContractRules(max_term_days=1, uses=("training",)),
        caps=Caps(min_claim_fen=10**9, per_entity_year_fen=1),
    )
    answer = answer_to(
        programme,
        replace(FIRM, legal_person=False, years_since_dishonesty=1),
        need(providers=(Provider(related=True),)),
        History(claimed_contracts=("C1",), claimed_year_fen=1),
    )
    assert [refusal.code.value for refusal in answer.refusals] == [
        "ENTITY_NOT_ELIGIBLE",
        "ENTITY_NOT_ELIGIBLE",
        "DISHONESTY_RECORD",
        "TERM_TOO_LONG",
        "USE_NOT_ELIGIBLE",
        "CONTRACT_ALREADY_CLAIMED",
        "RELATED_PARTY",
    ]
    assert (answer.base_fen, answer.rate_bp) == (100_000, 2_000)


@pytest.mark.parametrize(
    ("applicant", "contract", "rate_bp"),
    [
        (FIRM, NEED, 1_000),
        (replace(FIRM, startup=True), NEED, 6_000),
        (replace(FIRM, startup=True), need(chip_domestic=True), 6_000),
        (FIRM, need(chip_domestic=True), 3_000),
        (FIRM, need(filed_multimodal_model_service=True), 2_500),
        (FIRM, need(uses=("training",)), 2_000),
        (FIRM, need(uses=("training", "inference")), 1_000),
        (replace(FIRM, size="small"), need(uses=("inference",)), 1_500),
    ],
)
def test_the_first_rate_that_fits_wins(applicant: Applicant, contract: Contract, rate_bp: int) -> None:
    programme = replace(
        PLAIN,
        rates=(
            Rate(6_000, When(startup=True)),
            Rate(3_000, When(chip_domestic=True)),
            Rate(2_500, When(filed_multimodal_model_service=True)),
            Rate(2_000, When(use=("training",))),
            Rate(1_500, When(size=("micro", "small"))),
            Rate(1_000),
        ),
    )
    answer = answer_to(programme, applicant, contract)
    assert (answer.rate_bp, answer.amount_fen) == (rate_bp, 100_000 * rate_bp // 10_000)


def test_limits_cut_in_their_order_and_say_how_to_lift_them() -> None:
    programme = replace(
        PLAIN,
        caps=Caps(per_claim_fen=15_000, per_entity_year_fen=16_000, per_entity_total_fen=50_000),
        budget=Budget(annual_total_fen=9_000),
    )
    answer = answer_to(programme, history=History(claimed_year_fen=4_000, claimed_total_fen=39_000))
    assert answer.amount_fen == 9_000
    assert answer.limits_hit == (
        Limit.PER_CLAIM,
        Limit.PER_ENTITY_YEAR,
        Limit.PER_ENTITY_TOTAL,
        Limit.PROGRAMME_BUDGET,
    )
    assert [(piece.facts["field"], piece.facts["now"], piece.facts["needed"]) for piece in answer.advice] == [
        ("base_fen", 100_000, 75_004),
        ("history.claimed_year_fen", 4_000, 1_000),
        ("history.claimed_total_fen", 39_000, 38_000),
        ("history.programme_left_fen", 9_000, 11_000),
    ]


def test_budget_left_is_what_history_says_else_the_yearly_total() -> None:
    programme = replace(PLAIN, budget=Budget(annual_total_fen=100))
    assert answer_to(programme).amount_fen == 100
    assert answer_to(programme, history=History(programme_left_fen=150)).amount_fen == 150
    assert answer_to(programme, history=History(programme_left_fen=-1)).amount_fen == 0
    assert answer_to(PLAIN, history=History(programme_left_fen=7)).limits_hit == (Limit.PROGRAMME_BUDGET,)


@pytest.mark.parametrize("on_exhausted", [OnExhausted.QUEUE, OnExhausted.PRO_RATA])
@pytest.mark.parametrize("left_fen", [-1, 0, 19_999])
def test_a_claim_waits_for_budget_where_the_rules_say_so(on_exhausted: OnExhausted, left_fen: int) -> None:
    programme = replace(PLAIN, budget=Budget(on_exhausted=on_exhausted))
    answer = answer_to(programme, history=History(programme_left_fen=left_fen))
    assert (answer.outcome, answer.amount_fen, answer.waiting_fen) == (Outcome.WAIT, 0, 20_000)
    assert [refusal.code for refusal in answer.refusals] == [RefusalCode.BUDGET_EXHAUSTED]
    assert answer.advice[0].facts["needed"] == 20_000
    assert answer_to(programme, history=History(programme_left_fen=20_000)).outcome is Outcome.GRANT


def test_rounding_to_yuan() -> None:
    programme = replace(PLAIN, rounding=Rounding.DOWN_TO_YUAN, caps=Caps(min_claim_fen=150))
    assert answer_to(programme, contract=need(parts=(Part("intelligent", 1_499),))).amount_fen == 200
    small = answer_to(programme, contract=need(parts=(Part("intelligent", 999),)))
    assert small.advice[0].facts["needed"] == 1_000
    assert answer_to(programme, contract=need(parts=(Part("intelligent", 1_000),))).amount_fen == 200


def test_uplift_raises_the_caps_of_those_who_have_it() -> None:
    programme = replace(capped(per_entity_year_fen=1_001), incentives=Incentives(amount_uplift_bp=5_000))
    assert entity_caps_fen(programme, FIRM) == (1_001, None)
    assert entity_caps_fen(programme, replace(FIRM, cap_uplift=True)) == (1_501, None)
    assert answer_to(programme, replace(FIRM, cap_uplift=True)).amount_fen == 1_501


def test_a_rate_of_zero_gives_nothing_and_no_advice_that_would_help() -> None:
    answer = answer_to(replace(PLAIN, rates=(Rate(0),)))
    assert [refusal.code for refusal in answer.refusals] == [RefusalCode.BELOW_MIN_CLAIM]
    assert answer.advice[0].facts["needed"] is None


def test_a_contract_that_names_no_provider_proves_nothing_about_it() -> None:
    answer = answer_to(PUBLISHED["qingyang-2024"], contract=need(providers=()))
    assert [refusal.code for refusal in answer.refusals] == [RefusalCode.PROVIDER_NOT_ELIGIBLE]
    assert answer_to(contract=need(providers=())).outcome is Outcome.GRANT


def test_a_piece_is_remembered_with_its_whole() -> None:
    assert claim_keys(NEED) == ("C1",)
    assert claim_keys(need(split_of="W")) == ("C1", "W")


def test_provider_is_checked_alone_too() -> None:
    qingyang = PUBLISHED["qingyang-2024"]
    assert not list(provider_findings(qingyang, Provider(in_cluster="qingyang")))
    refusals = [
        found.refusal.code for found in provider_findings(qingyang, Provider(in_cluster="zhongwei", related=True))
    ]
    assert refusals == [RefusalCode.RELATED_PARTY, RefusalCode.PROVIDER_NOT_ELIGIBLE]
