"""Where a voucher pays: lists are the agency's word, and count when value is set aside."""

from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import network, providers, voucher
from suanwang.control.prove import prove
from suanwang.domain.job import Cause, Variant
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.tenant import Actor, Role
from suanwang.domain.voucher import Listing
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound
from suanwang.store import centre as centres
from suanwang.store import event, ledger, provider
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_HOUR
from suanwang.wire import ClaimAnswer, ContractPart, NewClaim, NewListing, NewProgramme

OFFICER = Actor("officer", "agency", Role.PROGRAMME_OFFICER)
WHITELIST = "{mode: whitelist, list: [partners]}"
RULES = """
id: p
rates: [{when: {}, rate_max_bp: 10000}]
redemption: {flow: offset, after_payment: false}
providers: PROVIDERS
"""


async def programme(net: SmallNetwork, asked: str = WHITELIST) -> None:
    await net.add_agency("agency")
    new = NewProgramme(rules=RULES.replace("PROVIDERS", asked), automatic_limit_fen=10**8)
    await voucher.add_programme(net.db, OFFICER, new, net.call(OFFICER), net.now_s)
    await voucher.fund(net.db, OFFICER, "p", 10**9, net.call(OFFICER), net.now_s)


async def claim(net: SmallNetwork, tenant: Actor, *centres: str, contract: str = "C1") -> ClaimAnswer:
    part = ContractPart(kind="intelligent", amount_fen=100_000)
    new = NewClaim(
        programme_id="p", contract_id=contract, signed_on="2023-11-01", term_days=9, parts=(part,), centres=centres
    )
    return await voucher.claim(net.db, tenant, new, net.call(tenant), net.now_s)


async def voucher_part_fen(net: SmallNetwork, tenant: Actor, centre: str) -> int:
    (submitted,) = await net.submit(tenant, replace(job_spec(), variants=(Variant("A100", 1, centre=centre),)))
    return submitted.voucher_hold_fen


async def cash_fen(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash("acme"))


@pytest.mark.parametrize("name", ["on_list", "listed", "in_city_plan", "matching_partner"])
async def test_a_centre_cannot_put_itself_on_a_list(net: SmallNetwork, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await net.add_centre("evil", provider={name: ["partners"]})
    assert refused.value.code == "NOT_YOURS_TO_SAY"
    assert refused.value.facts["field"] == f"centre.provider.{name}"


@pytest.mark.parametrize("facts", [{"pflops": "many"}, {"size": 3}])
async def test_facts_that_no_rule_can_read_are_refused_when_a_centre_joins(
    net: SmallNetwork, facts: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput, match=r"centre\.provider"):
        await net.add_centre("east", provider=facts)


async def test_what_old_files_said_of_lists_counts_no_more(net: SmallNetwork, database_url: str) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    await net.add_centre("evil")
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        """update centre set provider_facts = '{"on_list": ["partners"], "listed": true, "pflops": "x"}'"""
    )
    await owner.close()
    await programme(net)
    given = await claim(net, tenant)
    assert [refusal.code for refusal in given.refusals] == ["PROVIDER_NOT_ELIGIBLE"]


async def test_an_id_that_is_the_name_of_a_list_is_not_on_it(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    await net.add_centre("partners")
    await programme(net)
    assert [refusal.code for refusal in (await claim(net, tenant)).refusals] == ["PROVIDER_NOT_ELIGIBLE"]


async def test_officers_keep_their_own_lists_and_every_change_stays_on_record(net: SmallNetwork) -> None:
    await net.add_centre("east")
    await programme(net)
    began_s = net.now_s
    assert await net.list_centre(OFFICER, "partners", "east")
    assert not await net.list_centre(OFFICER, "partners", "east")
    net.now_s += 60
    assert await net.list_centre(OFFICER, "partners", "east", listed=False)
    assert not await net.list_centre(OFFICER, "partners", "east", listed=False)
    net.now_s += 60
    of_admin = NewListing(list="partners", centre_id="east", agency_id="agency")
    call = net.call(ADMIN, "twice")
    for _ in range(2):
        assert await providers.change_list(net.db, ADMIN, of_admin, call, net.now_s)
    async with net.db.transaction() as tx:
        now, ever = await provider.listings(tx), await provider.listings(tx, past=True)
        kinds = [
            row["kind"] for row in await tx.fetch("select kind from event where kind like 'provider%' order by seq")
        ]
    assert now == [Listing("agency", "partners", "east", began_s + 120, "admin")]
    assert ever == [Listing("agency", "partners", "east", began_s, "officer", began_s + 60, "officer"), *now]
    assert kinds == ["provider_listed", "provider_unlisted", "provider_listed"]


async def test_a_list_is_kept_by_its_agency_and_is_one_that_rules_name(net: SmallNetwork) -> None:
    await net.add_centre("east")
    await programme(net)
    other = await net.add_agency("other")
    for actor, new, error in (
        (other, NewListing(list="partners", centre_id="east", agency_id="agency"), NotAllowed),
        (other, NewListing(list="partners", centre_id="east"), InvalidInput),
        (OFFICER, NewListing(list="partner", centre_id="east"), InvalidInput),
        (OFFICER, NewListing(list="in_city_plan", centre_id="east"), InvalidInput),
        (OFFICER, NewListing(list="partners", centre_id="west"), NotFound),
        (ADMIN, NewListing(list="partners", centre_id="east"), InvalidInput),
    ):
        with pytest.raises(error):
            await providers.change_list(net.db, actor, new, net.call(actor), net.now_s)
    async with net.db.transaction() as tx:
        assert await provider.listings(tx, past=True) == []


async def test_the_record_of_a_list_cannot_be_changed(net: SmallNetwork, database_url: str) -> None:
    await net.add_centre("east")
    await programme(net)
    await net.list_centre(OFFICER, "partners", "east")
    owner = await asyncpg.connect(database_url)
    for statement in ("update provider_listing set listed = false", "delete from provider_listing"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await owner.execute(statement)
    await owner.close()


async def test_the_plan_of_a_city_is_a_list_too(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    await net.add_centre("east")
    await programme(net, "{mode: any_of, any_of: [{in_city_plan: true}, {type: super}]}")
    assert (await claim(net, tenant)).state == "refused"
    await net.list_centre(OFFICER, "in_city_plan", "east")
    assert (await claim(net, tenant)).centres == ["east"]


async def test_a_voucher_follows_the_list_after_its_claim(net: SmallNetwork) -> None:
    """Who comes onto the list is usable at once, who leaves it gets no new hold; one price memory sees both."""
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    await net.add_centre("east")
    await programme(net)
    await net.list_centre(OFFICER, "partners", "east")
    given = await claim(net, tenant)
    assert given.centres == ["east"]
    await net.add_centre("west")
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [1_000, 0]
    await net.list_centre(OFFICER, "partners", "west")
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [1_000, 1_000]
    await net.list_centre(OFFICER, "partners", "east", listed=False)
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [0, 1_000]


async def test_a_centre_that_changes_what_it_states_is_seen_so(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    await net.add_centre("east", provider={"type": "super"})
    await net.add_centre("west")
    await programme(net, "{mode: any_of, any_of: [{type: super}]}")
    await claim(net, tenant)
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [1_000, 0]
    await net.offer("west", provider={"type": "super"})
    await net.offer("east", provider={"type": "intelligent"})
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [0, 1_000]


async def test_a_contract_with_one_centre_pays_there_alone(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    for name in ("east", "west"):
        await net.add_centre(name)
    await programme(net)
    for name in ("east", "west"):
        await net.list_centre(OFFICER, "partners", name)
    assert (await claim(net, tenant, "west")).centres == ["west"]
    assert [await voucher_part_fen(net, tenant, centre) for centre in ("east", "west")] == [0, 1_000]


async def test_what_a_job_has_set_aside_pays_although_its_centre_leaves_the_list(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    east = await net.add_centre("east", nodes=1, chips=1)
    east.run_s = lambda order: (SECONDS_PER_HOUR // 2, Cause.SUCCEEDED)
    await programme(net)
    await net.list_centre(OFFICER, "partners", "east")
    given = await claim(net, tenant)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.list_centre(OFFICER, "partners", "east", listed=False)
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    assert await cash_fen(net) == 10**6
    async with net.db.transaction() as tx:
        assert (await event.of_job(tx, UUID(submitted.job_id)))[-1]["kind"] == "job_ended"
        (places,) = (await ledger.voucher_places(tx, [UUID(str(given.voucher_id))])).values()
    assert (places["used_fen"], places["held_fen"]) == (500, 0)
    (later,) = await net.submit(tenant, job_spec())
    assert (later.voucher_hold_fen, later.cash_hold_fen) == (0, 1_000)
    assert (await prove(net.db, net.now_s)).hold


async def test_a_charge_where_the_voucher_does_not_pay_would_be_found(net: SmallNetwork, database_url: str) -> None:
    tenant = await net.add_tenant("acme", 10**6, {"legal_person": True})
    east = await net.add_centre("east", nodes=1, chips=1)
    east.run_s = lambda order: (SECONDS_PER_HOUR // 2, Cause.SUCCEEDED)
    await programme(net)
    await net.list_centre(OFFICER, "partners", "east")
    await claim(net, tenant)
    await net.turn()
    await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    owner = await asyncpg.connect(database_url)
    await owner.execute("update job set voucher_centres = '{west}'")
    await owner.close()
    broken = {one.name: one.contradictions for one in (await prove(net.db, net.now_s)).proofs if not one.holds}
    assert list(broken) == ["vouchers_where_accepted"]
    assert [row["centre"] for row in broken["vouchers_where_accepted"]] == ["east"]


async def test_a_centre_keeps_its_owner(net: SmallNetwork) -> None:
    await net.add_centre("east")
    await net.add_centre("west")
    call = net.call(ADMIN)
    async with net.db.transaction() as tx:
        record = await centres.centre(tx, "east")
        pools = tuple(await centres.pools(tx, "east"))
    with pytest.raises(Conflict) as refused:
        joining = network.Joining(record.centre, pools)
        await network.join_centre(net.db, net.catalogue, ADMIN, joining, "west-org", call, net.now_s)
    assert refused.value.code == "ID_TAKEN"
