"""Rules files and worked cases: both layouts, defaults, and the path of whatever is refused."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given

from suanwang.domain.voucher import (
    Assessment,
    Flow,
    Limit,
    OnExhausted,
    Outcome,
    Programme,
    RefusalCode,
    rules_json,
    rules_sha256,
)
from suanwang.domain.voucher.programme import (
    Counts,
    Criterion,
    Face,
    OnExpiry,
    PointsRule,
    Rate,
    RebateRule,
    Rounding,
    Settlement,
    When,
    YearBasis,
)
from suanwang.errors import InvalidInput
from suanwang.rulesfile import decide, programme_of, read_case, read_programme, read_programmes
from tests.domain.voucherfacts import CASES, PUBLISHED, SIMPLE, STRICT, source

SMALLEST = "{id: p, rates: [{rate_max_bp: 2000}]}"

FULL = """
model_version: 1
id: full-2026
version: 3
name_zh: 全部
issuer_zh: 某市
jurisdiction: 某
published: 2026
valid_from: 2026-01-01
valid_to: 2026-12-31
currency: CNY
rounding: down_to_yuan
budget:
  annual_total_fen: 1000
  co_funding: [{level: province, share_bp: 3000}, {level: city, share_bp: 7000}]
  on_exhausted: pro_rata
  carry_over: true
eligibility:
  registered_in: [某]
  entity_types: [firm]
  requires_legal_person: false
  no_dishonesty_years: 3
  not_in_other_subsidy: [city]
  project_tags: [ai]
service:
  kinds: [intelligent, tuning]
  exclude_components: [storage]
  uses: [training]
  min_contract_fen: 5
  max_term_days: 365
  signed_on_or_after: 2026-02-28
  contract_once: false
providers:
  mode: any_of
  any_of: [{in_city_plan: true}, {type: super, min_pflops: 2.5, min_racks: 3, in_cluster: x, matching_partner: false}]
rates:
  - {when: {startup: true, chip_domestic: false, filed_multimodal_model_service: true, use: training}, rate_max_bp: 1}
  - {when: {use: [training, inference], size: micro}, rate_max_bp: 2}
  - {rate_max_bp: 3}
caps:
  per_claim_fen: 1
  min_claim_fen: 2
  per_entity_year_fen: 3
  per_entity_total_fen: 4
  year_basis: rolling12
  counts: redemptions
  relaxed_for: [base_model_firm]
voucher:
  issued: after_use
  face: percent
  divisible: false
  validity_months: 12
  on_expiry: void
  transferable: true
  share_of_bill_max_bp: 6000
redemption:
  flow: offset
  after_payment: false
  documents: [invoice]
  settlement: monthly
  review_stages: [district, city]
  third_party_audit: true
anti_abuse:
  related_party_ban: false
  both_sides_claim_ban: false
  split_ban: false
  clawback: false
  blacklist_years: 2
incentives:
  points: [{event: breakthrough, points: 10, validity_months: 24}]
  rebate_voucher: [{event: breakthrough, amount_fen: 100}]
  validity_extension_months: 6
  amount_uplift_bp: 1000
"""


def test_every_key_of_the_model_is_read() -> None:
    full = read_programme(FULL)
    assert (full.id, full.version, full.name_zh, full.published) == ("full-2026", "3", "全部", "2026")
    assert (full.valid_from, full.valid_to) == (date(2026, 1, 1), date(2026, 12, 31))
    assert full.rounding is Rounding.DOWN_TO_YUAN
    assert full.budget.on_exhausted is OnExhausted.PRO_RATA
    assert [funder.level for funder in full.budget.co_funding] == ["province", "city"]
    assert full.eligibility.not_in_other_subsidy == ("city",)
    assert full.service.signed_on_or_after == date(2026, 2, 28)
    assert full.providers.any_of[1] == Criterion(
        matching_partner=False, in_cluster="x", type="super", min_pflops=2.5, min_racks=3
    )
    assert full.rates == (
        Rate(1, When(True, False, True, ("training",))),
        Rate(2, When(use=("training", "inference"), size=("micro",))),
        Rate(3),
    )
    assert (full.caps.year_basis, full.caps.counts) == (YearBasis.ROLLING12, Counts.REDEMPTIONS)
    assert (full.voucher.face, full.voucher.on_expiry) == (Face.PERCENT, OnExpiry.VOID)
    assert (full.redemption.flow, full.redemption.settlement) == (Flow.OFFSET, Settlement.MONTHLY)
    assert full.incentives.points == (PointsRule("breakthrough", 10, 24),)
    assert full.incentives.rebate_voucher == (RebateRule("breakthrough", 100),)
    # Every key is set to something else than its default, so that a key which is read and dropped would show.
    smallest = json.loads(rules_json(read_programme(SMALLEST)))
    assert not [
        f"{block}.{key}"
        for block, rules in json.loads(rules_json(full)).items()
        if isinstance(rules, dict)
        for key, value in rules.items()
        if value == smallest[block][key] and key != "list"
    ]


def test_built_in_defaults_are_those_of_the_fact_sheet() -> None:
    sheet = yaml.safe_load(source("voucher_rules.yaml").read_text("utf-8"))
    mine = json.loads(rules_json(read_programme(SMALLEST)))
    assert set(sheet["defaults"]) < set(mine)
    for key, value in sheet["defaults"].items():
        assert mine[key] == value, key


def test_the_six_published_programmes() -> None:
    text = source("voucher_rules.yaml").read_text("utf-8")
    assert list(PUBLISHED) == [
        "beijing-2023",
        "hangzhou-2024",
        "qingyang-2024",
        "shenzhen-2024",
        "chengdu-2025",
        "henan-2025",
    ]
    assert read_programme(text, "henan-2025") == PUBLISHED["henan-2025"]
    assert PUBLISHED["beijing-2023"].providers.list == ("通用人工智能产业创新伙伴计划 算力伙伴",)
    assert PUBLISHED["qingyang-2024"].published == "2024-03"
    for wanted in ("nanjing-2024", None):
        with pytest.raises(InvalidInput, match="one of beijing-2023, hangzhou-2024") as refusal:
            read_programme(text, wanted)
        assert refusal.value.facts["field"] == "programme_id"


MANY = """
defaults:
  issuer_zh: 局
  caps: {per_claim_fen: 5, min_claim_fen: 1}
  rates: [{rate_max_bp: 1000}]
  service: {max_term_days: 365}
programmes:
  - {id: a}
  - {id: b, caps: {per_claim_fen: null, per_entity_year_fen: 7}, rates: [{rate_max_bp: 2000}], service: null}
"""


def test_programmes_are_overlaid_on_defaults_key_by_key() -> None:
    a, b = read_programmes(MANY)
    assert (a.caps.per_claim_fen, a.caps.min_claim_fen, a.caps.per_entity_year_fen) == (5, 1, None)
    assert (b.caps.per_claim_fen, b.caps.min_claim_fen, b.caps.per_entity_year_fen) == (None, 1, 7)
    assert (a.rates, b.rates) == ((Rate(1_000),), (Rate(2_000),))
    assert a.service.max_term_days == b.service.max_term_days == 365
    assert a.issuer_zh == "局"
    assert read_programme(MANY, "b") == b


def test_null_is_not_said_where_the_model_knows_no_null() -> None:
    stated = "{id: p, rates: [{when: null, rate_max_bp: 2000}], caps: {counts: null}, rounding: null, budget: null}"
    assert read_programme(stated) == read_programme(SMALLEST)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full programme with one value changed; a number in the path is a place in a list."""
    rules: dict[str, Any] = json.loads(rules_json(read_programme(FULL)))
    *parents, last = path.split(".")
    target: Any = rules
    for parent in parents:
        target = target[int(parent)] if isinstance(target, list) else target[parent]
    if isinstance(target, list):
        target[int(last)] = value
    else:
        target[last] = value
    return rules


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("colour", 1, "colour"),
        ("caps.per_month_fen", 1, "caps.per_month_fen"),
        ("rates.0.when.moon", True, "rates[0].when.moon"),
        ("rates.1.min_bp", 1, "rates[1].min_bp"),
        ("providers.any_of.0.colour", 1, "providers.any_of[0].colour"),
        ("budget.co_funding.1.colour", 1, "budget.co_funding[1].colour"),
        ("id", "", "id"),
        ("id", "../x", "id"),
        ("id", 5, "id"),
        ("id", None, "id"),
        ("version", True, "version"),
        ("name_zh", "a\nb", "name_zh"),
        ("name_zh", ["a"], "name_zh"),
        ("published", "2024-13", "published"),
        ("published", 24, "published"),
        ("valid_from", "2026-02-30", "valid_from"),
        ("valid_from", "20260101", "valid_from"),
        ("valid_from", "2026-W01-1", "valid_from"),
        ("valid_from", 2026, "valid_from"),
        ("valid_from", "0001-01-01", "valid_from"),
        ("valid_to", "2025-12-31", "valid_to"),
        ("currency", "USD", "currency"),
        ("rounding", "half_up", "rounding"),
        ("model_version", 2, "model_version"),
        ("model_version", True, "model_version"),
        ("budget.annual_total_fen", -1, "budget.annual_total_fen"),
        ("budget.annual_total_fen", 1.0, "budget.annual_total_fen"),
        ("budget.annual_total_fen", True, "budget.annual_total_fen"),
        ("budget.annual_total_fen", "1", "budget.annual_total_fen"),
        ("budget.annual_total_fen", 2**53, "budget.annual_total_fen"),
        ("budget.co_funding.0.share_bp", 3_001, "budget.co_funding"),
        ("budget.co_funding.0.level", "city", "budget.co_funding"),
        ("budget.co_funding.0", {"level": "x"}, "budget.co_funding[0].share_bp"),
        ("budget.on_exhausted", "lottery", "budget.on_exhausted"),
        ("budget.carry_over", 1, "budget.carry_over"),
        ("budget", [], "budget"),
        ("eligibility.registered_in", "北京", "eligibility.registered_in"),
        ("eligibility.registered_in", [1], "eligibility.registered_in[0]"),
        ("eligibility.registered_in", [None], "eligibility.registered_in[0]"),
        ("eligibility.no_dishonesty_years", 101, "eligibility.no_dishonesty_years"),
        ("service.kinds", ["quantum"], "service.kinds[0]"),
        ("service.kinds", [["intelligent"]], "service.kinds[0]"),
        ("service.uses", ["mining"], "service.uses[0]"),
        ("service.exclude_components", ["intelligent", "tuning"], "service.exclude_components"),
        ("service.max_term_days", 0, "service.max_term_days"),
        ("providers.mode", "some", "providers.mode"),
        ("providers.mode", ["any_of"], "providers.mode"),
        ("providers.mode", "any", "providers.any_of"),
        ("providers.list", "名单", "providers.list"),
        ("providers.any_of", [], "providers.any_of"),
        ("providers.any_of.0", {}, "providers.any_of[0]"),
        ("providers.any_of.0", {"min_pflops": -1}, "providers.any_of[0].min_pflops"),
        ("rates", [], "rates"),
        ("rates", None, "rates"),
        ("rates", {"rate_max_bp": 1}, "rates"),
        ("rates.0", {"when": {}}, "rates[0].rate_max_bp"),
        ("rates.0.rate_max_bp", 10_001, "rates[0].rate_max_bp"),
        ("rates.0.rate_max_bp", -1, "rates[0].rate_max_bp"),
        ("rates.0.rate_max_bp", 0.2, "rates[0].rate_max_bp"),
        ("rates.0.when", {}, "rates"),
        ("rates.0.when.use", "mining", "rates[0].when.use"),
        ("rates.1.when.use", ["inference", "application"], "rates[1].when.use"),
        ("rates.0.when.startup", "yes", "rates[0].when.startup"),
        ("caps.per_claim_fen", -5, "caps.per_claim_fen"),
        ("caps.counts", "all", "caps.counts"),
        ("voucher.validity_months", 0, "voucher.validity_months"),
        ("voucher.share_of_bill_max_bp", 10_001, "voucher.share_of_bill_max_bp"),
        ("redemption.flow", "refund", "redemption.flow"),
        ("redemption.documents", "invoice", "redemption.documents"),
        ("anti_abuse.clawback", "no", "anti_abuse.clawback"),
        ("incentives.points.0", {"event": "x"}, "incentives.points[0].points"),
        ("incentives.rebate_voucher.0.amount_fen", 0, "incentives.rebate_voucher[0].amount_fen"),
        ("incentives.amount_uplift_bp", 10_001, "incentives.amount_uplift_bp"),
    ],
)
def test_refused_by_its_path_in_both_layouts(path: str, value: Any, field: str) -> None:
    rules = changed(path, value)
    with pytest.raises(InvalidInput) as alone:
        programme_of(rules)
    assert alone.value.facts["field"] == field
    if path == "model_version":
        return
    with pytest.raises(InvalidInput) as among:
        read_programmes(json.dumps({"programmes": [{"id": "other", "rates": [{"rate_max_bp": 1}]}, rules]}))
    expected = "programmes[1].id" if path == "id" else f"programmes[full-2026].{field}"
    assert among.value.facts["field"] == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "rules"),
        ("[]", "rules"),
        ("{}", "id"),
        ("{id: p}", "rates"),
        ("{programmes: []}", "programmes"),
        ("{programmes: {}}", "programmes"),
        ("{programmes: [5]}", "programmes[0]"),
        ("{programmes: [{id: a, rates: [{rate_max_bp: 1}]}], colour: 1}", "colour"),
        ("{defaults: [], programmes: []}", "defaults"),
        ("{defaults: {id: a}, programmes: []}", "defaults.id"),
        ("{defaults: {caps: {per_claim_fen: -1}}, programmes: []}", "defaults.caps.per_claim_fen"),
        ("{programmes: [{id: a, rates: [{rate_max_bp: 1}]}, {id: a, rates: [{rate_max_bp: 1}]}]}", "programmes[1].id"),
        ("{id: p, id: q, rates: [{rate_max_bp: 1}]}", "line 1"),
        ("id: p\nrates: [", "line 3"),
        ("x: " + "y" * 2**20, "text"),
    ],
)
def test_file_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_programme(text)
    assert refusal.value.facts["field"] == field


@given(SIMPLE | STRICT)
def test_canonical_rules_read_back(programme: Programme) -> None:
    assert read_programme(rules_json(programme)) == programme
    assert rules_sha256(programme_of(json.loads(rules_json(programme)))) == rules_sha256(programme)


def test_fingerprint_tells_rules_apart_and_not_their_writing() -> None:
    one = read_programme("{id: p, rates: [{rate_max_bp: 2000}], caps: {min_claim_fen: 5, per_claim_fen: 9}}")
    same = read_programme(
        "caps:\n  per_claim_fen: 9\n  min_claim_fen: 5\nrates:\n- when: {}\n  rate_max_bp: 2000\nid: p\n"
    )
    assert rules_sha256(one) == rules_sha256(same)
    assert len(rules_sha256(one)) == 64
    assert rules_sha256(one) != rules_sha256(replace(one, version="2"))


# Cases ---------------------------------------------------------------------------------------------------------------


def decided(programme: str, inputs: dict[str, Any]) -> Assessment:
    return decide(PUBLISHED[programme], read_case(PUBLISHED[programme], inputs))


def claim(**contract: Any) -> dict[str, Any]:
    return {"contract": {"parts": [{"kind": "intelligent", "amount_fen": 100_000_000}], **contract}}


@pytest.mark.parametrize("programme", PUBLISHED)
def test_what_a_case_leaves_out_satisfies_the_rules(programme: str) -> None:
    answer = decided(programme, claim())
    assert answer.outcome is Outcome.GRANT
    assert decided(programme, {"action": "redeem", "voucher_left_fen": 100}).amount_fen == 100
    # Conditions of rates are no rules: no start-up, no domestic chip.
    assert answer.rate_bp == PUBLISHED[programme].rates[-1].rate_max_bp


@pytest.mark.parametrize(
    ("programme", "inputs", "code"),
    [
        ("beijing-2023", {**claim(), "entity": {"registered_in": "上海"}}, RefusalCode.ENTITY_NOT_ELIGIBLE),
        ("beijing-2023", {**claim(), "entity": {"type": "university"}}, RefusalCode.ENTITY_NOT_ELIGIBLE),
        ("beijing-2023", {**claim(), "entity": {"legal_person": False}}, RefusalCode.ENTITY_NOT_ELIGIBLE),
        ("beijing-2023", {**claim(), "entity": {"project_tags": []}}, RefusalCode.ENTITY_NOT_ELIGIBLE),
        ("beijing-2023", {**claim(), "entity": {"other_subsidies": ["city"]}}, RefusalCode.STACKED_SUBSIDY),
        ("beijing-2023", claim(other_subsidy=True), RefusalCode.STACKED_SUBSIDY),
        ("beijing-2023", claim(other_subsidy="city"), RefusalCode.STACKED_SUBSIDY),
        ("beijing-2023", claim(provider={"listed": False}), RefusalCode.PROVIDER_NOT_ELIGIBLE),
        ("beijing-2023", claim(provider={"whitelisted": False}), RefusalCode.PROVIDER_NOT_ELIGIBLE),
        ("beijing-2023", claim(use="application"), RefusalCode.USE_NOT_ELIGIBLE),
        ("beijing-2023", {**claim(), "on": "2026-01-01"}, RefusalCode.EXPIRED),
        ("beijing-2023", claim(signed_on="2026-01-01"), RefusalCode.EXPIRED),
        (
            "hangzhou-2024",
            claim(provider={"in_city_plan": False, "matching_partner": False}),
            RefusalCode.PROVIDER_NOT_ELIGIBLE,
        ),
        ("qingyang-2024", claim(provider={"in_cluster": "zhongwei"}), RefusalCode.PROVIDER_NOT_ELIGIBLE),
        (
            "qingyang-2024",
            claim(split_of="W") | {"history": {"claimed_contracts": "W"}},
            RefusalCode.CONTRACT_ALREADY_CLAIMED,
        ),
        ("qingyang-2024", {**claim(), "history": {"other_side_claimed": True}}, RefusalCode.OTHER_SIDE_CLAIMED),
        ("henan-2025", claim(used=False), RefusalCode.NOT_PAID),
        ("henan-2025", claim(provider={"type": "datacentre", "racks": 999}), RefusalCode.PROVIDER_NOT_ELIGIBLE),
        ("beijing-2023", {"action": "redeem", "requested_fen": 5, "paid": False}, RefusalCode.NOT_PAID),
        (
            "beijing-2023",
            {"action": "redeem", "bill_fen": 5, "other_side_claimed": True},
            RefusalCode.OTHER_SIDE_CLAIMED,
        ),
        (
            "qingyang-2024",
            {"action": "redeem", "bill_fen": 5, "granted_on": "2024-02-29", "on": "2025-02-28"},
            RefusalCode.EXPIRED,
        ),
    ],
)
def test_a_fact_of_a_case_is_checked(programme: str, inputs: dict[str, Any], code: RefusalCode) -> None:
    answer = decided(programme, inputs)
    assert [refusal.code for refusal in answer.refusals] == [code]


def test_cases_of_all_actions() -> None:
    assert decided("hangzhou-2024", claim(chip_domestic=True)).rate_bp == 3_000
    assert decided("hangzhou-2024", {**claim(), "entity": {"base_model_firm": False}}).outcome is Outcome.GRANT
    assert decided("henan-2025", claim(provider={"type": "intelligent"})).outcome is Outcome.GRANT
    lasting = {"granted_on": "2024-04-01", "on": "2025-03-31", "voucher_left_fen": 7}
    assert decided("qingyang-2024", {"action": "expire", **lasting}).outcome is Outcome.KEEP
    assert decided("qingyang-2024", {"action": "redeem", **lasting}).amount_fen == 7
    by_rate = decided("beijing-2023", {"action": "redeem", "bill_fen": 100, "voucher_left_fen": 90, "rate_bp": 2_000})
    assert (by_rate.amount_fen, by_rate.limits_hit) == (20, (Limit.SHARE_OF_BILL,))


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"action": "steal"}, "action"),
        ({"inputs": "{"}, "inputs"),
        ({"inputs": "[]"}, "inputs"),
        ({"inputs": "{}", "programme": "henan-2025"}, "programme"),
        ({"inputs": "[" * 100_000}, "inputs"),
        ({}, "contract.parts"),
        ({**claim(), "colour": 1}, "colour"),
        (claim(colour=1), "contract.colour"),
        (claim(parts=[{"kind": "intelligent", "amount_fen": -1}]), "contract.parts[0].amount_fen"),
        (claim(parts=[{"kind": "intelligent"}]), "contract.parts[0]"),
        (claim(provider={"colour": 1}), "contract.providers[0].colour"),
        (claim(provider={"listed": True, "on_list": True}), "contract.providers[0].on_list"),
        (claim(signed_on="yesterday"), "contract.signed_on"),
        ({**claim(), "entity": {"colour": "red"}}, "entity.colour"),
        ({**claim(), "entity": []}, "entity"),
        ({**claim(), "history": {"claimed_year_fen": "5"}}, "history.claimed_year_fen"),
        ({**claim(), "on": 5}, "on"),
        ({"action": "redeem"}, "voucher_left_fen"),
        ({"action": "redeem", "bill_fen": -1}, "bill_fen"),
        ({"action": "expire", "to": "x"}, "to"),
    ],
)
def test_case_is_refused(inputs: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decided("beijing-2023", inputs)
    assert refusal.value.facts["field"] == field


def test_a_row_and_its_inputs_are_the_same_case() -> None:
    for row in CASES:
        programme = PUBLISHED[row["programme"]]
        assert read_case(programme, row) == read_case(programme, json.loads(row["inputs"]))
