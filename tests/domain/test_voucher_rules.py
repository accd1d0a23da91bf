"""Every rule alone: what it refuses, the advice that turns the refusal, and what it allows."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from suanwang.domain.voucher import (
    Advice,
    Applicant,
    History,
    Outcome,
    Part,
    Programme,
    Provider,
    RefusalCode,
)
from suanwang.domain.voucher.programme import (
    AntiAbuse,
    Budget,
    Counts,
    Criterion,
    Issued,
    ProviderMode,
    Providers,
    Rate,
    VoucherRules,
    When,
    YearBasis,
)
from tests.domain.voucherfacts import (
    FIRM,
    NEED,
    NOTHING,
    PLAIN,
    answer_to,
    applied,
    capped,
    eligible,
    need,
    serving,
)

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
        "signed before the later of two first days",
        replace(serving(signed_on_or_after=date(2024, 1, 1)), valid_from=date(2024, 6, 1)),
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
        "signed after the claim",
        PLAIN,
        {"on": date(2024, 4, 30)},
        RefusalCode.SIGNED_IN_FUTURE,
        {"field": "contract.signed_on", "now": "2024-05-01", "needed": "2024-04-30"},
    ),
    (
        "signed after the claim and the programme",
        replace(PLAIN, valid_to=date(2024, 4, 29)),
        {"on": date(2024, 4, 29)},
        RefusalCode.SIGNED_IN_FUTURE,
        {"field": "contract.signed_on", "now": "2024-05-01", "needed": "2024-04-29"},
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
        "the first of two rates that are equally near",
        replace(PLAIN, rates=(Rate(5_000, When(startup=True)), Rate(3_000, When(chip_domestic=True)))),
        {},
        RefusalCode.ENTITY_NOT_ELIGIBLE,
        {"field": "applicant.startup", "now": False, "needed": True},
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


def firm(**facts: Any) -> Applicant:
    return replace(FIRM, **facts)


def banning(**rules: Any) -> Programme:
    return replace(PLAIN, anti_abuse=AntiAbuse(**rules))


def paying(*rules: Any, **more: Any) -> Programme:
    return replace(PLAIN, providers=Providers(*rules, **more))


ALLOWED: list[tuple[str, Programme, dict[str, Any]]] = [
    (
        "a software firm is a firm",
        eligible(entity_types=("firm",)),
        {"applicant": firm(entity_type="software_firm")},
    ),
    ("no person asked", eligible(requires_legal_person=False), {"applicant": firm(legal_person=False)}),
    ("three years", eligible(no_dishonesty_years=3), {"applicant": firm(years_since_dishonesty=3)}),
    ("other scope", eligible(not_in_other_subsidy=("city",)), {"contract": need(other_subsidies=("state",))}),
    ("first day", serving(signed_on_or_after=date(2024, 5, 1)), {}),
    ("last day", replace(PLAIN, valid_to=date(2024, 5, 1)), {"on": date(2024, 5, 1)}),
    ("longest term", serving(max_term_days=300), {}),
    ("twice allowed", serving(contract_once=False), {"history": History(claimed_contracts=("C1",))}),
    (
        "split allowed",
        banning(split_ban=False),
        {"contract": need(split_of="W"), "history": History(claimed_contracts=("W",))},
    ),
    (
        "related allowed",
        banning(related_party_ban=False),
        {"contract": need(providers=(Provider(related=True),))},
    ),
    (
        "both allowed",
        banning(both_sides_claim_ban=False),
        {"history": History(other_side_claimed=True)},
    ),
    (
        "on the list",
        paying(ProviderMode.WHITELIST, ("P1",)),
        {"contract": need(providers=(Provider(id="P2", listed=True),))},
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
        {"applicant": firm(marks=("lab",))},
    ),
    (
        "relaxed for start-ups",
        capped(per_entity_total_fen=1, relaxed_for=("startup",)),
        {"applicant": firm(startup=True)},
    ),
    (
        "relaxed for a size",
        capped(per_entity_total_fen=1, relaxed_for=("micro",)),
        {"applicant": firm(size="micro")},
    ),
]


@pytest.mark.parametrize(("programme", "facts"), [case[1:] for case in ALLOWED], ids=[case[0] for case in ALLOWED])
def test_what_the_rule_allows_is_granted_in_full(programme: Programme, facts: dict[str, Any]) -> None:
    answer = answer_to(programme, **facts)
    assert (answer.outcome, answer.amount_fen, answer.limits_hit) == (Outcome.GRANT, 20_000, ())
