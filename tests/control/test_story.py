"""One job, one voucher, from the first call to the settled bill, on a real database in virtual time."""

from dataclasses import replace
from uuid import UUID

import pytest

from suanwang.control import network, schedule, settle, submit, sync, voucher
from suanwang.control.prove import prove
from suanwang.domain.job import Cause, JobState, Objective, Variant
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InsufficientValue, Refused
from suanwang.store import attempt as attempts
from suanwang.store import event, ledger
from suanwang.store import job as jobs
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.wire import ContractPart, NewClaim, NewProgramme

HOUR_S = 3_600  # house: the test's own arithmetic


async def state_of(net: SmallNetwork, job_id: str) -> JobState:
    async with net.db.transaction() as tx:
        return JobState((await jobs.job(tx, UUID(job_id)))["state"])


async def cash_fen(net: SmallNetwork, tenant_id: str) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash(tenant_id))


async def assert_proofs(net: SmallNetwork, *, over: bool = True) -> None:
    found = await prove(net.db, net.now_s)
    broken = {one.name: one.contradictions for one in found.proofs if not one.holds}
    assert not broken, broken
    assert found.hold


async def test_one_job_is_placed_run_metered_charged_and_released(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    centre = await net.add_centre("east")
    centre.run_s = lambda order: (1_801, Cause.SUCCEEDED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec(chips=2))
    assert submitted.estimate_fen == submitted.cash_hold_fen == 2_000
    assert await cash_fen(net, "acme") == 98_000
    await net.turn(1)
    assert await state_of(net, submitted.job_id) is JobState.RUNNING
    await net.turn(1_801)
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    # 1,801 s x 2 chips x 10.00 yuan an hour = 10.005..., rounded up once
    assert await cash_fen(net, "acme") == 100_000 - 1_001
    await assert_proofs(net)
    assert centre.starts == [(submitted.job_id, 1)]


async def test_a_repeated_submission_is_the_first_one(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    first = await net.submit(tenant, job_spec(), job_spec(), key="same")
    assert await net.submit(tenant, job_spec(), job_spec(), key="same") == first
    async with net.db.transaction() as tx:
        assert sum((await jobs.count_states(tx)).values()) == 2
    assert await cash_fen(net, "acme") == 98_000


async def test_the_same_key_with_another_request_is_refused(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    call = net.call(tenant, "same")
    await net.submit_call(tenant, [job_spec()], call)
    other = type(call)(call.organisation_id, call.key, b"x" * 32)
    with pytest.raises(Conflict) as refused:
        await net.submit_call(tenant, [job_spec()], other)
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert await cash_fen(net, "acme") == 99_000


async def test_without_money_nothing_happens(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("poor", 999)
    await net.add_centre("east")
    with pytest.raises(InsufficientValue) as refused:
        await net.submit(tenant, job_spec())
    assert refused.value.facts == {"needed_fen": 1_000, "available_fen": 999}
    async with net.db.transaction() as tx:
        assert await jobs.count_states(tx) == {}


async def test_a_job_no_centre_can_run_is_refused_with_every_reason(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    await net.add_centre("west", chip="ascend-910b3")
    with pytest.raises(Refused) as refused:
        await net.submit(tenant, job_spec(chips=9))
    assert refused.value.code == "NO_POOL"
    codes = {pool: why["code"] for pool, why in refused.value.facts["pools"].items()}
    assert codes == {"east-pool": "NODE_TOO_SMALL", "west-pool": "CHIP_MISMATCH"}


async def test_a_killed_job_resumes_elsewhere_and_lost_work_is_free(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    east = await net.add_centre("east", nodes=1, chips=1, fen_per_chip_hour=1_000)
    west = await net.add_centre("west", nodes=1, chips=1, fen_per_chip_hour=2_000)
    east.run_s = west.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    key = (submitted.job_id, 1)
    assert east.live == [key]
    net.now_s += 1_000
    east.save(key, step=10, at_s=net.now_s - 100)
    await net.turn()
    east.end(key, net.now_s, Cause.KILLED)
    await net.sync(east)
    # The east falls silent: the job is better off in the west, at twice the price.
    net.now_s += 31
    west.advance(net.now_s)
    await net.sync(west)
    assert await sync.mark_unseen(net.db, 30, net.now_s) == ["east"]
    await net.think()
    await net.sync(west)
    (second,) = (running.order for running in west.attempts.values())
    assert (second.job_id, second.attempt) == (submitted.job_id, 2)
    assert second.resume_from is not None
    assert (second.resume_from.step, second.resume_from.blob_sha256) == (10, f"{10:064x}")
    async with net.db.transaction() as tx:
        charges = await attempts.charges_of_job(tx, UUID(submitted.job_id))
    lines = [(line["until_s"] - line["from_s"], line["kept"], line["amount_fen"]) for line in charges]
    assert lines == [(900, True, 250), (100, False, 0)]
    await net.sync(west)
    net.now_s += HOUR_S
    west.advance(net.now_s)
    await net.sync(west)
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    assert await cash_fen(net, "acme") == 100_000 - 250 - 2_000
    await assert_proofs(net)


async def test_a_job_that_cannot_pay_for_another_attempt_ends(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 1_000)
    east = await net.add_centre("east", nodes=1, chips=1)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    net.now_s += 1_000
    east.save((submitted.job_id, 1), step=1, at_s=net.now_s - 100)
    east.end((submitted.job_id, 1), net.now_s, Cause.NODE_FAILED)
    await net.turn()
    assert await state_of(net, submitted.job_id) is JobState.FAILED
    assert await cash_fen(net, "acme") == 750
    await assert_proofs(net)


async def test_a_job_recovers_only_so_often(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    east.run_s = lambda order: (10, Cause.KILLED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    for _ in range(8):
        await net.turn(10)
    assert await state_of(net, submitted.job_id) is JobState.FAILED
    assert [attempt for _, attempt in east.starts] == [1, 2, 3, 4]
    assert await cash_fen(net, "acme") == 10**6
    await assert_proofs(net)


async def test_a_centre_silent_for_an_hour_changes_nothing_but_the_picture(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east", nodes=1, chips=1)
    await net.add_centre("west")
    east.run_s = lambda order: (1_800, Cause.SUCCEEDED)
    await net.turn()
    pinned = replace(job_spec(), variants=(Variant("A100", 1, centre="east"),))
    (submitted,) = await net.submit(tenant, pinned)
    await net.turn()
    silent = net.centres.pop("east")
    for _ in range(60):
        await net.turn(60)
        await sync.mark_unseen(net.db, 30, net.now_s)
    assert await state_of(net, submitted.job_id) is JobState.RUNNING
    net.centres["east"] = silent
    await net.turn()
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    assert silent.starts == [(submitted.job_id, 1)]
    assert await cash_fen(net, "acme") == 10**6 - 500
    await assert_proofs(net)


async def test_a_second_brain_takes_over_and_the_first_stops(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    await net.turn()
    first = net.brain
    assert first is not None
    second = await schedule.awaken(net.db, net.catalogue, net.now_s)
    await net.submit(tenant, job_spec())
    with pytest.raises(Conflict) as refused:
        await schedule.schedule(net.db, first, net.policy, net.now_s)
    assert refused.value.code == "BRAIN_REPLACED"
    assert await schedule.schedule(net.db, second, net.policy, net.now_s) == {"east"}
    await assert_proofs(net)


async def test_a_brain_awakened_in_the_middle_goes_on_as_the_old_one_would(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=1, chips=2)
    await net.turn()
    jobs_in = await net.submit(tenant, *(job_spec(f"j{i}", chips=1 + i % 2) for i in range(6)))
    await net.turn(1)
    for _ in range(20):
        net.brain = None
        await net.turn(900)
    for one in jobs_in:
        assert await state_of(net, one.job_id) is JobState.SUCCEEDED
    assert len(net.centres["east"].starts) == 6
    await assert_proofs(net)


async def test_cancel_before_and_after_placement(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    east = await net.add_centre("east", nodes=1, chips=1)
    await net.turn()
    running, waiting = await net.submit(tenant, job_spec("running"), job_spec("waiting"))
    await net.turn(1)
    waits = running if await state_of(net, running.job_id) is JobState.QUEUED else waiting
    runs = waiting if waits is running else running
    cancelled = await submit.cancel_job(net.db, tenant, UUID(waits.job_id), net.call(tenant), net.now_s)
    assert cancelled is JobState.CANCELLED
    asked = await submit.cancel_job(net.db, tenant, UUID(runs.job_id), net.call(tenant), net.now_s)
    assert asked is JobState.CANCELLING
    await net.turn(36)
    await net.turn(1)
    assert await state_of(net, runs.job_id) is JobState.CANCELLED
    assert east.live == []
    # The 36 seconds until the centre heard of it are paid: 10.00 yuan an hour.
    assert await cash_fen(net, "acme") == 100_000 - 10
    await assert_proofs(net)


async def test_reports_late_twice_and_out_of_order_are_applied_once(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    east = await net.add_centre("east")
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    key = (submitted.job_id, 1)
    spool = []
    for step in range(1, 6):
        net.now_s += 60
        east.save(key, step, net.now_s)
        spool.append(east.outbox[key])
    net.now_s += 60
    east.end(key, net.now_s, Cause.SUCCEEDED)
    spool.append(east.outbox[key])
    net.now_s += HOUR_S
    for report in (spool[2], spool[0], spool[5], spool[1], spool[5], spool[4]):
        east.outbox[key] = report
        await net.sync(east)
    async with net.db.transaction() as tx:
        usage = await attempts.usage_of_job(tx, UUID(submitted.job_id))
        charged = (await jobs.job(tx, UUID(submitted.job_id)))["charged_fen"]
    assert sum(u["until_s"] - u["from_s"] for u in usage) == 360
    assert charged == 100
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    assert east.refused == []
    await assert_proofs(net)


BEIJING = """
id: test-2023
name_zh: 测试
issuer_zh: 测试
jurisdiction: 北京
eligibility: {registered_in: [北京], entity_types: [software_firm]}
service: {kinds: [intelligent], uses: [training]}
providers: {mode: whitelist, list: [partners]}
rates: [{when: {}, rate_max_bp: 2000}]
caps: {per_entity_year_fen: 200000000}
redemption: {flow: FLOW, after_payment: AFTER}
"""
OFFICER = Actor("officer", "agency", Role.PROGRAMME_OFFICER)


async def programme(net: SmallNetwork, flow: str, budget_fen: int = 10**9, automatic_fen: int = 10**8) -> None:
    await net.add_agency("agency")
    new = NewProgramme(
        rules=BEIJING.replace("FLOW", flow).replace("AFTER", str(flow == "reimburse").lower()),
        automatic_limit_fen=automatic_fen,
    )
    await voucher.add_programme(net.db, OFFICER, new, net.call(OFFICER), net.now_s)
    await net.list_centre(OFFICER, "partners", "east")
    await voucher.fund(net.db, OFFICER, "test-2023", budget_fen, net.call(OFFICER), net.now_s)


FACTS = {"registered_in": "北京", "entity_type": "software_firm", "legal_person": True, "startup": True}
CLAIM = NewClaim(
    programme_id="test-2023",
    contract_id="C1",
    signed_on="2023-11-01",
    term_days=100,
    parts=(ContractPart(kind="intelligent", amount_fen=100_000), ContractPart(kind="storage", amount_fen=7)),
)


@pytest.mark.parametrize("flow", ["reimburse", "offset"])
async def test_one_voucher_from_budget_to_settlement(net: SmallNetwork, flow: str) -> None:
    tenant = await net.add_tenant("startup", 100_000, FACTS)
    east = await net.add_centre("east", nodes=1, chips=1)
    await net.add_centre("west", fen_per_chip_hour=5_000)
    east.run_s = lambda order: (HOUR_S // 2, Cause.SUCCEEDED)
    await programme(net, flow)
    given = await voucher.claim(net.db, tenant, CLAIM, net.call(tenant), net.now_s)
    assert (given.state, given.granted_fen, given.base_fen, given.rate_bp) == ("granted", 20_000, 100_000, 2_000)
    assert given.centres == ["east"]
    assert [reason.code for reason in given.refused_centres["west"]] == ["PROVIDER_NOT_ELIGIBLE"]
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec(walltime_s=HOUR_S))
    await net.turn()
    await net.turn(HOUR_S // 2)
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    await assert_proofs(net)
    owed = {(p.kind, p.payee): p for p in await settle.settle(net.db, ADMIN, net.call(ADMIN, "month"), net.now_s)}
    paid = owed["centre", "east"]
    assert paid.cash_fen + sum(paid.voucher_fen.values()) == 500
    if flow == "reimburse":
        assert (paid.cash_fen, owed["tenant", "startup"].voucher_fen) == (500, {"test-2023": 100})
        assert await cash_fen(net, "startup") == 100_000 - 500
    else:
        assert (paid.cash_fen, paid.voucher_fen) == (0, {"test-2023": 500})
        assert await cash_fen(net, "startup") == 100_000
    await settle.settle(net.db, ADMIN, net.call(ADMIN, "month"), net.now_s)
    async with net.db.transaction() as tx:
        assert await settle.owed(tx) == []
    await assert_proofs(net)


async def test_a_claim_above_the_automatic_limit_waits_for_an_officer(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("startup", 0, FACTS)
    await net.add_centre("east")
    await programme(net, "reimburse", automatic_fen=1_000)
    given = await voucher.claim(net.db, tenant, CLAIM, net.call(tenant), net.now_s)
    assert (given.state, given.assessed_fen, given.granted_fen, given.voucher_id) == ("verified", 20_000, 0, None)
    decided = await voucher.decide(net.db, OFFICER, UUID(given.claim_id), 15_000, net.call(OFFICER), net.now_s)
    assert (decided.state, decided.granted_fen) == ("granted", 15_000)
    with pytest.raises(Conflict):
        await voucher.decide(net.db, OFFICER, UUID(given.claim_id), 1, net.call(OFFICER), net.now_s)
    again = await voucher.claim(net.db, tenant, CLAIM, net.call(tenant), net.now_s)
    assert [refusal.code for refusal in again.refusals] == ["CONTRACT_ALREADY_CLAIMED"]
    await assert_proofs(net)


async def test_a_price_that_rises_while_a_job_waits_is_neither_passed_on_nor_cut(net: SmallNetwork) -> None:
    """The job has what was held for it, the centre what it offers: the job waits, or goes where it can pay."""
    tenant = await net.add_tenant("acme", 10**6)
    east, west = await net.add_centre("east", nodes=1, chips=1), await net.add_centre("west", nodes=1, chips=1)
    east.run_s = west.run_s = lambda order: (order.walltime_s, Cause.SUCCEEDED)
    await net.turn()
    pinned = replace(job_spec(), variants=(Variant("A100", 1, centre="east"),))
    (submitted,) = await net.submit(tenant, pinned)
    (free,) = await net.submit(tenant, replace(job_spec(), objective=Objective.SOONEST))
    await net.offer("east", nodes=1, chips=1, fen_per_chip_hour=2_000)
    await net.turn()
    assert [await state_of(net, one.job_id) for one in (submitted, free)] == [JobState.QUEUED, JobState.RUNNING]
    assert west.starts == [(free.job_id, 1)]
    async with net.db.transaction() as tx:
        told = (await event.of_job(tx, UUID(submitted.job_id)))[-1]
    outlook = {one["pool_id"]: one["reason"] for one in told["body"]["outlook"]}
    assert outlook["east-pool"] == {"code": "COST_OVER_BUDGET", "facts": {"price_fen": 2_000, "max_cost_fen": 1_000}}
    net.brain = None
    await net.turn(1)
    assert await state_of(net, submitted.job_id) is JobState.QUEUED
    await net.offer("east", nodes=1, chips=1, fen_per_chip_hour=900)
    await net.turn()
    await net.turn(HOUR_S)
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    assert await cash_fen(net, "acme") == 10**6 - 900 - 1_000
    await net.offer("east", nodes=1, chips=1, fen_per_chip_hour=2_000)
    (dearer,) = await net.submit(tenant, job_spec())
    assert dearer.estimate_fen == 2_000
    await assert_proofs(net)


async def test_a_job_that_recovers_where_its_voucher_does_not_pay_is_paid_in_cash(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("startup", 10**6, FACTS)
    east = await net.add_centre("east", nodes=1, chips=1)
    west = await net.add_centre("west", nodes=1, chips=1)
    east.run_s = west.run_s = lambda order: (order.walltime_s, Cause.SUCCEEDED)
    await programme(net, "offset")
    await voucher.claim(net.db, tenant, CLAIM, net.call(tenant), net.now_s)
    await net.turn()
    pinned = replace(job_spec(), variants=(Variant("A100", 1, centre="east"), Variant("A100", 1, centre="west")))
    (submitted,) = await net.submit(tenant, replace(pinned, ordered=True))
    await net.turn()
    key = (submitted.job_id, 1)
    assert east.live == [key]
    net.now_s += HOUR_S // 2
    east.save(key, step=1, at_s=net.now_s)
    east.end(key, net.now_s, Cause.NODE_FAILED)
    await net.sync(east)
    net.centres.pop("east")
    net.now_s += 31
    await net.sync(west)
    await sync.mark_unseen(net.db, 30, net.now_s)
    await net.turn()
    assert west.live == [(submitted.job_id, 2)]
    await net.turn(HOUR_S)
    assert await state_of(net, submitted.job_id) is JobState.SUCCEEDED
    # Half an hour in the east by the voucher, an hour in the west in cash.
    assert await cash_fen(net, "startup") == 10**6 - 1_000
    await assert_proofs(net)


async def test_a_centre_whose_agent_never_spoke_and_a_new_pool_of_a_drained_one_get_no_jobs(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    await net.submit(tenant, job_spec())
    await net.think()
    async with net.db.transaction() as tx:
        assert await attempts.live(tx) == []
    await net.turn()
    assert len(net.centres["east"].live) == 1
    await network.set_drained(net.db, ADMIN, "east", True, net.call(ADMIN), net.now_s)
    await net.offer("east", pool_id="east-new", nodes=4, chips=8)
    await net.submit(tenant, job_spec())
    await net.turn()
    assert len(net.centres["east"].live) == 1


async def test_a_second_agent_with_another_journal_is_refused_while_the_first_speaks(net: SmallNetwork) -> None:
    await net.add_centre("east")
    await net.turn()
    second = FakeCentre("east", agent_id="second")
    with pytest.raises(Conflict) as refused:
        await net.sync(second)
    assert refused.value.code == "ANOTHER_AGENT"
    net.now_s += 31
    await net.sync(second)


async def test_nothing_is_billed_before_the_placement_and_a_jumping_clock_ends_nothing_early(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    key = (submitted.job_id, 1)
    net.now_s += 60
    east.save(key, step=1, at_s=net.now_s)
    await net.sync(east)
    east.attempts[key].started_s -= HOUR_S
    east.end(key, net.now_s - 30, Cause.SUCCEEDED)
    await net.sync(east)
    assert await cash_fen(net, "acme") == 10**6 - 17
    await assert_proofs(net)


@pytest.mark.parametrize("late_s", [3, 11, 59])
async def test_a_message_that_was_long_under_way_bills_no_second_of_it(net: SmallNetwork, late_s: int) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east", fen_per_chip_hour=3_600)
    east.run_s = lambda order: (4, Cause.SUCCEEDED)
    await net.turn()
    await net.submit(tenant, job_spec())
    await net.turn(1)
    net.now_s += 4
    east.advance(net.now_s)
    request = east.request(net.now_s)
    net.now_s += late_s
    agent = Actor("agent-east", "east-org", Role.CENTRE_AGENT, "east")
    await sync.take_reports(net.db, net.catalogue, agent, "east", request, net.now_s)
    assert await cash_fen(net, "acme") == 10**6 - 4
    await assert_proofs(net)
