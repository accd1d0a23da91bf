"""Rules of vouchers that hold on the live network: their end, one bill, both sides, caps of redemptions; others are
refused by name."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from suanwang.control import voucher
from suanwang.control.prove import prove
from suanwang.domain.job import Cause
from suanwang.domain.ledger import budget, expired, reimbursable
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import InvalidInput, Refused
from suanwang.rulesfile import read_programmes
from suanwang.store import ledger
from suanwang.store.db import from_json
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from suanwang.wire import ClaimAnswer, ContractPart, NewClaim, NewProgramme

ROOT = Path(__file__).parents[2]
OFFICER = Actor("officer", "agency", Role.PROGRAMME_OFFICER)
RULES = """
id: p
rates: [{when: {}, rate_max_bp: 10000}]
redemption: REDEMPTION
voucher: VOUCHER
MORE
"""
OFFSET, REIMBURSE = "{flow: offset, after_payment: false}", "{flow: reimburse, after_payment: true}"
BUDGET_FEN = 10**8


def rules(redemption: str = OFFSET, voucher_rules: str = "{}", more: str = "") -> str:
    return RULES.replace("REDEMPTION", redemption).replace("VOUCHER", voucher_rules).replace("MORE", more)


async def programme(net: SmallNetwork, text: str) -> None:
    await net.add_agency("agency")
    new = NewProgramme(rules=text, automatic_limit_fen=10**7)
    await voucher.add_programme(net.db, OFFICER, new, net.call(OFFICER), net.now_s)
    await voucher.fund(net.db, OFFICER, "p", BUDGET_FEN, net.call(OFFICER), net.now_s)


async def claim(
    net: SmallNetwork, tenant: Actor, fen: int = 10_000, contract: str = "C1", signed_on: str = "2023-11-01"
) -> ClaimAnswer:
    part = ContractPart(kind="intelligent", amount_fen=fen)
    new = NewClaim(programme_id="p", contract_id=contract, signed_on=signed_on, term_days=9, parts=(part,))
    return await voucher.claim(net.db, tenant, new, net.call(tenant), net.now_s)


async def with_voucher(net: SmallNetwork, text: str, fen: int = 10_000) -> tuple[Actor, FakeCentre, UUID]:
    """A tenant with a voucher, and a centre of one chip where half of every hour that is asked for is used."""
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    east = await net.add_centre("east", nodes=1, chips=1)
    east.run_s = lambda order: (SECONDS_PER_HOUR // 2, Cause.SUCCEEDED)
    await programme(net, text)
    given = await claim(net, tenant, fen)
    assert given.voucher_id is not None, given.refusals
    await net.turn()
    return tenant, east, UUID(given.voucher_id)


async def places(net: SmallNetwork, voucher_id: UUID) -> dict[str, int]:
    async with net.db.transaction() as tx:
        row = (await ledger.voucher_places(tx, [voucher_id]))[voucher_id]
    return {name: row[name] for name in ("held_fen", "used_fen", "expired_fen")}


async def balances(net: SmallNetwork) -> tuple[int, int]:
    """(budget, what is gone for good) of the programme."""
    async with net.db.transaction() as tx:
        gone = [row for row in await ledger.open_balances(tx, expired("p").kind) if row.owner == "p"]
        return await ledger.balance_fen(tx, budget("p")), sum(row.amount_fen for row in gone)


async def events(net: SmallNetwork, kind: str) -> list[dict[str, Any]]:
    async with net.db.transaction() as tx:
        rows = await tx.fetch("select body::text as body from event where kind = $1 order by seq", kind)
    return [dict(from_json(row["body"], dict[str, Any])) for row in rows]


@pytest.mark.parametrize(("on_expiry", "back_fen", "gone_fen"), [("return_to_programme", 9_000, 0), ("void", 0, 9_000)])
async def test_what_is_left_at_the_end_goes_where_the_rules_say_once(
    net: SmallNetwork, on_expiry: str, back_fen: int, gone_fen: int
) -> None:
    text = rules(voucher_rules=f"{{validity_months: 1, on_expiry: {on_expiry}}}")
    tenant, _, voucher_id = await with_voucher(net, text)
    await net.submit(tenant, job_spec())
    assert await voucher.expire_vouchers(net.db, net.now_s) == 0
    net.now_s += 31 * SECONDS_PER_DAY
    assert [await voucher.expire_vouchers(net.db, net.now_s) for _ in range(3)] == [1, 0, 0]
    left_fen = BUDGET_FEN - 10_000
    assert await balances(net) == (left_fen + back_fen, gone_fen)
    assert await places(net, voucher_id) == {"held_fen": 1_000, "used_fen": 0, "expired_fen": 9_000}
    # The job that holds the rest runs to its end; what it gives back goes the same way.
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    assert [await voucher.expire_vouchers(net.db, net.now_s) for _ in range(2)] == [1, 0]
    assert await places(net, voucher_id) == {"held_fen": 0, "used_fen": 500, "expired_fen": 9_500}
    assert sum(await balances(net)) == left_fen + 9_500
    told = [(one["fen"], one["on_expiry"]) for one in await events(net, "voucher_expired")]
    assert told == [(9_000, on_expiry), (500, on_expiry)]
    (later,) = await net.submit(tenant, job_spec())
    assert later.voucher_hold_fen == 0
    assert (await prove(net.db, net.now_s)).hold


async def test_hubs_that_look_at_once_tell_of_an_end_once(net: SmallNetwork) -> None:
    await with_voucher(net, rules(voucher_rules="{validity_months: 1}"))
    net.now_s += 31 * SECONDS_PER_DAY
    looks = await asyncio.gather(*(voucher.expire_vouchers(net.db, net.now_s) for _ in range(8)))
    assert sorted(looks) == [0] * 7 + [1]
    assert len(await events(net, "voucher_expired")) == 1
    assert await balances(net) == (BUDGET_FEN, 0)


async def test_a_voucher_without_an_end_keeps_its_value(net: SmallNetwork) -> None:
    await with_voucher(net, rules())
    assert await voucher.expire_vouchers(net.db, net.now_s + 10_000 * SECONDS_PER_DAY) == 0


async def test_an_indivisible_voucher_pays_the_one_bill_that_names_it(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, rules(voucher_rules="{divisible: false}"))
    named = replace(job_spec(), voucher=str(voucher_id))
    (unasked,) = await net.submit(tenant, job_spec())
    assert unasked.voucher_hold_fen == 0
    (first,) = await net.submit(tenant, named)
    assert first.voucher_hold_fen == 1_000
    with pytest.raises(Refused) as refused:
        await net.submit(tenant, named)
    assert refused.value.code == "EXPIRED"
    assert await voucher.expire_vouchers(net.db, net.now_s) == 0
    for _ in range(2):
        await net.turn()
        await net.turn(SECONDS_PER_HOUR // 2)
    assert [await voucher.expire_vouchers(net.db, net.now_s) for _ in range(2)] == [1, 0]
    assert await places(net, voucher_id) == {"held_fen": 0, "used_fen": 500, "expired_fen": 9_500}
    assert await balances(net) == (BUDGET_FEN - 500, 0)
    assert (await prove(net.db, net.now_s)).hold


async def test_two_bills_of_one_call_do_not_share_an_indivisible_voucher(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, rules(voucher_rules="{divisible: false}"))
    named = replace(job_spec(), voucher=str(voucher_id))
    with pytest.raises(Refused) as refused:
        await net.submit(tenant, named, named)
    assert refused.value.code == "EXPIRED"


async def test_the_other_side_of_a_contract_cannot_claim_for_it_too(net: SmallNetwork) -> None:
    acme = await net.add_tenant("acme", 0, {"legal_person": True})
    other = await net.add_tenant("other", 0, {"legal_person": True})
    await net.add_centre("east")
    await programme(net, rules())
    assert (await claim(net, acme)).state == "granted"
    given = await claim(net, other, contract="c1 ")
    assert [refusal.code for refusal in given.refusals] == ["OTHER_SIDE_CLAIMED"]
    assert (await claim(net, other, signed_on="2023-11-02")).state == "granted"


async def test_rules_without_the_ban_let_both_sides_claim(net: SmallNetwork) -> None:
    acme = await net.add_tenant("acme", 0, {"legal_person": True})
    other = await net.add_tenant("other", 0, {"legal_person": True})
    await net.add_centre("east")
    await programme(net, rules(more="anti_abuse: {both_sides_claim_ban: false}"))
    assert [(await claim(net, one)).state for one in (acme, other)] == ["granted", "granted"]


async def test_redemptions_are_capped_where_the_rules_count_them(net: SmallNetwork) -> None:
    """Two vouchers of 600 fen, granted in two years, against a cap of 700 redeemed in one."""
    caps = "caps: {per_entity_year_fen: 700, counts: claims_and_redemptions}"
    tenant, _, first = await with_voucher(net, rules(REIMBURSE, more=caps), fen=600)
    net.now_s += 48 * SECONDS_PER_DAY
    given = await claim(net, tenant, 600, "C2")
    second = UUID(str(given.voucher_id))
    await net.turn()
    await net.submit(tenant, *(replace(job_spec(), voucher=str(one)) for one in (first, second)))
    for _ in range(2):
        await net.turn()
        await net.turn(SECONDS_PER_HOUR // 2)
    used = [(await places(net, one))["used_fen"] for one in (first, second)]
    assert sorted(used) == [200, 500]
    (limited,) = await events(net, "redemption_limited")
    assert (limited["fen"], limited["limits"]) == (200, ["per_entity_year"])
    async with net.db.transaction() as tx:
        assert await ledger.redeemed_fen(tx, reimbursable("acme", "p"), 0) == (700, 700)
    assert (await prove(net.db, net.now_s)).hold


async def test_the_budget_of_a_year_is_not_granted_twice(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 0, {"legal_person": True})
    await net.add_centre("east")
    await programme(net, rules(more="budget: {annual_total_fen: 15000}"))
    granted = [(await claim(net, tenant, contract=f"C{i}")).granted_fen for i in range(3)]
    assert granted == [10_000, 5_000, 0]
    net.now_s += 48 * SECONDS_PER_DAY
    assert (await claim(net, tenant, contract="C9")).granted_fen == 10_000


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (rules(voucher_rules="{transferable: true}"), "voucher.transferable"),
        (rules("{flow: offset}"), "redemption.after_payment"),
        (rules(more="caps: {counts: redemptions}"), "caps.counts"),
        (rules(more="budget: {on_exhausted: queue}"), "budget.on_exhausted"),
        (rules(more="budget: {on_exhausted: pro_rata}"), "budget.on_exhausted"),
        (rules(more="budget: {carry_over: true}"), "budget.carry_over"),
        (rules(more="incentives: {validity_extension_months: 3}"), "incentives.validity_extension_months"),
        (rules(more="incentives: {points: [{event: breakthrough, points: 3}]}"), "incentives.points"),
        (rules(more="incentives: {rebate_voucher: [{event: x, amount_fen: 3}]}"), "incentives.rebate_voucher"),
    ],
)
async def test_a_rule_that_nothing_enforces_is_refused_by_its_name(net: SmallNetwork, text: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await programme(net, text)
    assert (refused.value.code, refused.value.facts["field"]) == ("RULE_NOT_ENFORCED", rule)


async def test_all_published_rules_can_be_kept(net: SmallNetwork) -> None:
    await net.add_agency("agency")
    text = (ROOT / "tests/data/voucher_rules.yaml").read_text("utf-8")
    refused = {}
    for one in read_programmes(text):
        new = NewProgramme(rules=text, rules_id=one.id)
        try:
            await voucher.add_programme(net.db, OFFICER, new, net.call(OFFICER), net.now_s)
        except InvalidInput as no:
            refused[one.id] = no.facts["field"]
    assert refused == {}
