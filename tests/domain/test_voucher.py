"""Claims: the worked decisions, and every rule of the model alone."""

import json
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest

from suanwang.domain.voucher import (
    Advice,
    Applicant,
    Contract,
    History,
    Limit,
    OnExhausted,
    Outcome,
    Part,
    Programme,
    Provider,
    RefusalCode,
    claim_keys,
    co_funding_split,
    entity_caps_fen,
    provider_findings,
    rules_sha256,
)
from suanwang.domain.voucher.programme import (
    AntiAbuse,
    Budget,
    Caps,
    ContractRules,
    Counts,
    Criterion,
    Eligibility,
    Incentives,
    Issued,
    ProviderMode,
    Providers,
    Rate,
    Rounding,
    VoucherRules,
    When,
    YearBasis,
)
from suanwang.rulesfile import decide, read_case
from tests.domain.voucherfacts import (
    CASES,
    FIRM,
    NEED,
    NOTHING,
    PLAIN,
    PUBLISHED,
    answer_to,
    applied,
    capped,
    eligible,
    need,
    serving,
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
    json.dumps(asdict(answer))


def test_all_worked_decisions_are_there() -> None:
    assert len(CASES) == 31
    assert {row["action"] for row in CASES} == {"claim", "redeem", "expire", "transfer"}


def test_henan_is_shared_by_province_and_city() -> None:
    henan = PUBLISHED["henan-2025"]
    assert co_funding_split(henan, 100_000_000) == (("province", 50_000_000), ("city", 50_000_000))
    assert co_funding_split(henan, 3) == (("province", 2), ("city", 1))
    assert co_funding_split(PUBLISHED["beijing-2023"], 3) == ()


# One rule at a time --------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, Programme, dict[str, Any], RefusalCode, dict[str, object]]] = [
    (
        "place",
        eligible(registered_in=("上海",)),
        {},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.registered_in", "now": "北京", "needed": ["上海"]},
    ),
    (
        "type",
        eligible(entity_types=("university",)),
        {},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.entity_type", "now": "firm", "needed": ["university"]},
    ),
    (
        "a firm is not yet a software firm",
        eligible(entity_types=("software_firm",)),
        {},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.entity_type", "now": "firm", "needed": ["software_firm"]},
    ),
    (
        "person",
        PLAIN,
        {"applicant": replace(FIRM, legal_person=False)},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.legal_person", "now": False, "needed": True},
    ),
    (
        "tags",
        eligible(project_tags=("ai",)),
        {"contract": need(project_tags=("bio",))},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "contract.project_tags", "now": ["bio"], "needed": ["ai"]},
    ),
    (
        "dishonesty",
        eligible(no_dishonesty_years=3),
        {"applicant": replace(FIRM, years_since_dishonesty=2)},
        RefusalCode.DISHONESTY_RECORD,
        {"field": "applicant.years_since_dishonesty", "now": 2, "needed": 3},
    ),
    (
        "blacklist",
        replace(PLAIN, anti_abuse=AntiAbuse(blacklist_years=5)),
        {"applicant": replace(FIRM, years_since_blacklisted=0)},
        RefusalCode.DISHONESTY_RECORD,
        {"field": "applicant.years_since_blacklisted", "now": 0, "needed": 5},
    ),
    (
        "stacked",
        eligible(not_in_other_subsidy=("city",)),
        {"contract": need(other_subsidies=("district", "city"))},
        RefusalCode.STACKED_SUBSIDY,
        {"field": "contract.other_subsidies", "now": ["district", "city"], "needed": ["district"]},
    ),
    (
        "signed before the first day",
        serving(signed_on_or_after=date(2024, 5, 2)),
        {},
        RefusalCode.SIGNED_TOO_EARLY,
        {"field": "contract.signed_on", "now": "2024-05-01", "needed": "2024-05-02"},
    ),
    (
        "signed before the programme",
        replace(PLAIN, valid_from=date(2024, 6, 1)),
        {},
        RefusalCode.SIGNED_TOO_EARLY,
        {"field": "contract.signed_on", "now": "2024-05-01", "needed": "2024-06-01"},
    ),
    (
        "no date",
        serving(signed_on_or_after=date(2024, 5, 1)),
        {"contract": need(signed_on=None)},
        RefusalCode.SIGNED_TOO_EARLY,
        {"field": "contract.signed_on", "now": None, "needed": "2024-05-01"},
    ),
    (
        "claimed before the programme",
        replace(PLAIN, valid_from=date(2024, 5, 1)),
        {"on": date(2024, 4, 30)},
        RefusalCode.SIGNED_TOO_EARLY,
        {"field": "on", "now": "2024-04-30", "needed": "2024-05-01"},
    ),
    (
        "signed after the programme",
        replace(PLAIN, valid_to=date(2024, 4, 30)),
        {},
        RefusalCode.EXPIRED,
        {"field": "contract.signed_on", "now": "2024-05-01", "needed": "2024-04-30"},
    ),
    (
        "claimed after the programme",
        replace(PLAIN, valid_to=date(2024, 5, 1)),
        {"on": date(2024, 5, 2)},
        RefusalCode.EXPIRED,
        {"field": "on", "now": "2024-05-02", "needed": "2024-05-01"},
    ),
    (
        "term",
        serving(max_term_days=299),
        {},
        RefusalCode.TERM_TOO_LONG,
        {"field": "contract.term_days", "now": 300, "needed": 299},
    ),
    (
        "no term",
        serving(max_term_days=299),
        {"contract": need(term_days=None)},
        RefusalCode.TERM_TOO_LONG,
        {"field": "contract.term_days", "now": None, "needed": 299},
    ),
    (
        "one use of two",
        serving(uses=("training",)),
        {"contract": need(uses=("training", "inference"))},
        RefusalCode.USE_NOT_ELIGIBLE,
        {"field": "contract.uses", "now": ["training", "inference"], "needed": ["training"]},
    ),
    (
        "no use told",
        serving(uses=("training",)),
        {},
        RefusalCode.USE_NOT_ELIGIBLE,
        {"field": "contract.uses", "now": [], "needed": ["training"]},
    ),
    (
        "kind",
        serving(kinds=("super", "general"), exclude_components=("general",)),
        {"contract": need(parts=(Part("general", 5), Part("intelligent", 5)))},
        RefusalCode.NO_ELIGIBLE_COMPONENT,
        {"field": "contract.parts", "now": ["general", "intelligent"], "needed": ["super"]},
    ),
    (
        "claimed before",
        PLAIN,
        {"history": History(claimed_contracts=("C0", "C1"))},
        RefusalCode.CONTRACT_ALREADY_CLAIMED,
        {"field": "history.claimed_contracts", "now": ["C0", "C1"], "needed": ["C0"]},
    ),
    (
        "another piece of the whole",
        PLAIN,
        {"contract": need(split_of="W"), "history": History(claimed_contracts=("C0", "W"))},
        RefusalCode.CONTRACT_ALREADY_CLAIMED,
        {"field": "contract.split_of", "now": "W", "needed": None},
    ),
    (
        "related, second provider",
        PLAIN,
        {"contract": need(providers=(Provider(), Provider(related=True)))},
        RefusalCode.RELATED_PARTY,
        {"field": "contract.providers[1].related", "now": True, "needed": False},
    ),
    (
        "not on the list",
        replace(PLAIN, providers=Providers(ProviderMode.WHITELIST, ("P1",))),
        {"contract": need(providers=(Provider(id="P2"),))},
        RefusalCode.PROVIDER_NOT_ELIGIBLE,
        {"field": "contract.providers[0].listed", "now": False, "needed": True},
    ),
    (
        "too few racks",
        replace(
            PLAIN,
            providers=Providers(
                ProviderMode.ANY_OF, any_of=(Criterion(type="super"), Criterion(type="datacentre", min_racks=1_000))
            ),
        ),
        {"contract": need(providers=(Provider(type="datacentre", racks=999),))},
        RefusalCode.PROVIDER_NOT_ELIGIBLE,
        {"field": "contract.providers[0].racks", "now": 999, "needed": 1_000},
    ),
    (
        "minimum of the contract",
        serving(min_contract_fen=100_001),
        {},
        RefusalCode.BELOW_MIN_CLAIM,
        {"field": "contract.amount_fen", "now": 100_000, "needed": 100_001},
    ),
    (
        "minimum of the claim",
        capped(min_claim_fen=20_001),
        {},
        RefusalCode.BELOW_MIN_CLAIM,
        {"field": "base_fen", "now": 100_000, "needed": 100_005},
    ),
    (
        "rounds to nothing",
        PLAIN,
        {"contract": need(parts=(Part("intelligent", 4),))},
        RefusalCode.BELOW_MIN_CLAIM,
        {"field": "base_fen", "now": 4, "needed": 5},
    ),
    (
        "year",
        capped(per_entity_year_fen=1_000),
        {"history": History(claimed_year_fen=1_000), "on": date(2024, 5, 1)},
        RefusalCode.CAP_REACHED,
        {"field": "history.claimed_year_fen", "now": 1_000, "needed": 999, "again_from": "2025-01-01"},
    ),
    (
        "rolling year",
        capped(per_entity_year_fen=1_000, year_basis=YearBasis.ROLLING12),
        {"history": History(claimed_year_fen=1_001), "on": date(2024, 5, 1)},
        RefusalCode.CAP_REACHED,
        {"field": "history.claimed_year_fen", "now": 1_001, "needed": 999},
    ),
    (
        "total",
        capped(per_entity_total_fen=1_000),
        {"history": History(claimed_total_fen=1_000), "on": date(2024, 5, 1)},
        RefusalCode.CAP_REACHED,
        {"field": "history.claimed_total_fen", "now": 1_000, "needed": 999},
    ),
    (
        "budget",
        replace(PLAIN, budget=Budget(10**9)),
        {"history": History(programme_left_fen=0)},
        RefusalCode.BUDGET_EXHAUSTED,
        {"field": "history.programme_left_fen", "now": 0, "needed": 1},
    ),
    (
        "both sides",
        PLAIN,
        {"history": History(other_side_claimed=True)},
        RefusalCode.OTHER_SIDE_CLAIMED,
        {"field": "history.other_side_claimed", "now": True, "needed": False},
    ),
    (
        "not used yet",
        replace(PLAIN, voucher=VoucherRules(issued=Issued.AFTER_USE)),
        {},
        RefusalCode.NOT_PAID,
        {"field": "contract.used", "now": False, "needed": True},
    ),
    (
        "no rate for this size",
        replace(PLAIN, rates=(Rate(5_000, When(size=("micro", "small"))),)),
        {"applicant": replace(FIRM, size="large")},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.size", "now": "large", "needed": ["micro", "small"]},
    ),
    (
        "no rate for this chip",
        replace(
            PLAIN, rates=(Rate(5_000, When(startup=True, chip_domestic=True)), Rate(3_000, When(chip_domestic=True)))
        ),
        {},
        RefusalCode.NO_ELIGIBLE_COMPONENT,
        {"field": "contract.chip_domestic", "now": False, "needed": True},
    ),
    (
        "no rate for this use",
        replace(PLAIN, rates=(Rate(5_000, When(use=("training",))),)),
        {"contract": need(uses=("inference",))},
        RefusalCode.USE_NOT_ELIGIBLE,
        {"field": "contract.uses", "now": ["inference"], "needed": ["training"]},
    ),
]


@pytest.mark.parametrize(
    ("programme", "facts", "code", "advice"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_one_rule_refuses_and_its_advice_turns_it(
    programme: Programme, facts: dict[str, Any], code: RefusalCode, advice: dict[str, object]
) -> None:
    answer = answer_to(programme, **facts)
    assert (answer.outcome, answer.amount_fen) == (Outcome.REFUSE, 0)
    assert [refusal.code for refusal in answer.refusals] == [code]
    assert answer.advice == (Advice(code, advice),)
    assert answer.refusals[0].facts["field"] == advice["field"]
    changed = {"applicant": FIRM, "contract": NEED, "history": NOTHING, "on": None, **facts}
    assert answer_to(programme, **applied(answer.advice, changed, programme)).outcome is Outcome.GRANT


ALLOWED: list[tuple[str, Programme, dict[str, Any]]] = [
    (
        "a software firm is a firm",
        eligible(entity_types=("firm",)),
        {"applicant": replace(FIRM, entity_type="software_firm")},
    ),
    ("no person asked", eligible(requires_legal_person=False), {"applicant": replace(FIRM, legal_person=False)}),
    ("three years", eligible(no_dishonesty_years=3), {"applicant": replace(FIRM, years_since_dishonesty=3)}),
    ("other scope", eligible(not_in_other_subsidy=("city",)), {"contract": need(other_subsidies=("state",))}),
    ("first day", serving(signed_on_or_after=date(2024, 5, 1)), {}),
    ("last day", replace(PLAIN, valid_to=date(2024, 5, 1)), {"on": date(2024, 5, 1)}),
    ("longest term", serving(max_term_days=300), {}),
    ("twice allowed", serving(contract_once=False), {"history": History(claimed_contracts=("C1",))}),
    (
        "split allowed",
        replace(PLAIN, anti_abuse=AntiAbuse(split_ban=False)),
        {"contract": need(split_of="W"), "history": History(claimed_contracts=("W",))},
    ),
    (
        "related allowed",
        replace(PLAIN, anti_abuse=AntiAbuse(related_party_ban=False)),
        {"contract": need(providers=(Provider(related=True),))},
    ),
    (
        "both allowed",
        replace(PLAIN, anti_abuse=AntiAbuse(both_sides_claim_ban=False)),
        {"history": History(other_side_claimed=True)},
    ),
    (
        "on the list by id",
        replace(PLAIN, providers=Providers(ProviderMode.WHITELIST, ("P1",))),
        {"contract": need(providers=(Provider(id="P1"),))},
    ),
    (
        "second criterion",
        replace(
            PLAIN,
            providers=Providers(ProviderMode.ANY_OF, any_of=(Criterion(in_city_plan=True), Criterion(min_pflops=2.5))),
        ),
        {"contract": need(providers=(Provider(pflops=2.5),))},
    ),
    ("used", replace(PLAIN, voucher=VoucherRules(issued=Issued.AFTER_USE)), {"contract": need(used=True)}),
    ("any kind", serving(kinds=()), {"contract": need(parts=(Part("quantum", 100_000),))}),
    ("redemptions count, claims do not", capped(per_entity_year_fen=1, counts=Counts.REDEMPTIONS), {}),
    (
        "relaxed for a mark",
        capped(per_entity_year_fen=1, relaxed_for=("lab",)),
        {"applicant": replace(FIRM, marks=("lab",))},
    ),
    (
        "relaxed for start-ups",
        capped(per_entity_total_fen=1, relaxed_for=("startup",)),
        {"applicant": replace(FIRM, startup=True)},
    ),
    (
        "relaxed for a size",
        capped(per_entity_total_fen=1, relaxed_for=("micro",)),
        {"applicant": replace(FIRM, size="micro")},
    ),
]


@pytest.mark.parametrize(("programme", "facts"), [case[1:] for case in ALLOWED], ids=[case[0] for case in ALLOWED])
def test_what_the_rule_allows_is_granted_in_full(programme: Programme, facts: dict[str, Any]) -> None:
    answer = answer_to(programme, **facts)
    assert (answer.outcome, answer.amount_fen, answer.limits_hit) == (Outcome.GRANT, 20_000, ())


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
