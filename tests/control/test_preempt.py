"""Jobs make room for others: nobody runs twice, lost work is free, and no restart of the hub forgets who leaves."""

from dataclasses import replace
from uuid import UUID

import pytest

from suanwang.control import schedule, submit
from suanwang.control.prove import prove
from suanwang.domain.job import Cause, JobSpec, JobState
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict
from suanwang.store import attempt as attempts
from suanwang.store import event, ledger
from suanwang.store import job as jobs
from suanwang.store.db import Row, from_json
from suanwang.testing.centre import FakeCentre, Key
from suanwang.testing.network import SmallNetwork, job_spec

HOUR_S = 3_600
CASH_FEN = 100_000
YIELDING = replace(job_spec("yielding", chips=8), preemptible=True, checkpoint_every_s=600)
URGENT = replace(job_spec("urgent", chips=8), priority=10)


def preempting(**limits: int) -> Policy:
    return Policy(preemption=Preemption(**limits))


async def states(net: SmallNetwork) -> dict[str, JobState]:
    """Of jobs that are not over, by name."""
    async with net.db.transaction() as tx:
        return {record.name: record.state for record in await jobs.live(tx)}


async def state_of(net: SmallNetwork, job_id: str) -> JobState:
    async with net.db.transaction() as tx:
        return JobState((await jobs.job(tx, UUID(job_id)))["state"])


async def reason_of(net: SmallNetwork, job_id: str) -> dict[str, object]:
    async with net.db.transaction() as tx:
        return from_json((await jobs.job(tx, UUID(job_id)))["reason"], dict[str, object])


async def kinds_of(net: SmallNetwork, job_id: str) -> list[str]:
    async with net.db.transaction() as tx:
        return [row["kind"] for row in await event.of_job(tx, UUID(job_id))]


async def attempts_of(net: SmallNetwork, job_id: str) -> list[Row]:
    async with net.db.transaction() as tx:
        return await attempts.of_job(tx, UUID(job_id))


async def lines_of(net: SmallNetwork, job_id: str) -> list[tuple[int, int, bool, int]]:
    """(attempt, seconds, kept, fen) of every charge line."""
    async with net.db.transaction() as tx:
        rows = await attempts.charges_of_job(tx, UUID(job_id))
    return [(row["attempt"], row["until_s"] - row["from_s"], row["kept"], row["amount_fen"]) for row in rows]


async def cash_fen(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash("acme"))


async def one_node(net: SmallNetwork, **limits: int) -> tuple[Actor, FakeCentre]:
    """One node of eight chips at 1,000 fen a chip-hour, where every attempt runs for its whole walltime."""
    net.policy = preempting(**limits)
    tenant = await net.add_tenant("acme", CASH_FEN)
    east = await net.add_centre("east", nodes=1, chips=8)
    east.run_s = lambda order: (order.walltime_s, Cause.SUCCEEDED)
    await net.turn()
    return tenant, east


async def run(net: SmallNetwork, tenant: Actor, spec: JobSpec) -> Key:
    """A job that runs at the end of it."""
    (submitted,) = await net.submit(tenant, spec)
    await net.turn()
    assert await state_of(net, submitted.job_id) is JobState.RUNNING
    return submitted.job_id, 1


async def told_to_leave(net: SmallNetwork, tenant: Actor, victim: Key, spec: JobSpec = URGENT) -> str:
    """A job that comes and finds the victim in its place; the victim's centre has not heard of it yet."""
    (submitted,) = await net.submit(tenant, spec)
    await net.think()
    assert "attempt_preempted" in await kinds_of(net, victim[0])
    return submitted.job_id


async def test_a_victim_leaves_comes_back_from_its_checkpoint_and_pays_for_kept_work_only(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    east.save(victim, step=7, at_s=net.now_s - 100)
    await net.sync(east)
    urgent = await told_to_leave(net, tenant, victim)
    assert (await reason_of(net, victim[0]))["code"] == "HIGHER_PRIORITY"
    assert (await reason_of(net, urgent))["code"] == "WAITS_FOR_VICTIMS"
    # Told, but not gone: however often the brain thinks, its nodes are not given to anybody.
    for _ in range(3):
        net.now_s += 5
        await net.think()
    assert await states(net) == {"yielding": JobState.RUNNING, "urgent": JobState.QUEUED}
    await net.sync(east)  # the order to stop
    assert east.live == []
    await net.think()
    assert await state_of(net, urgent) is JobState.QUEUED  # the end is not reported yet
    await net.turn()
    assert await states(net) == {"yielding": JobState.QUEUED, "urgent": JobState.RUNNING}
    assert await lines_of(net, victim[0]) == [(1, 900, True, 2_000), (1, 115, False, 0)]
    for _ in range(2):
        net.now_s += HOUR_S
        await net.turn()
    assert await states(net) == {}
    first, second = await attempts_of(net, victim[0])
    assert (first["cause"], first["wanted"], second["cause"]) == ("preempted", "stop", "succeeded")
    assert east.attempts[victim[0], 2].order.resume_from == east.attempts[victim].checkpoint
    assert east.starts == [victim, (urgent, 1), (victim[0], 2)]
    assert await kinds_of(net, victim[0]) == [
        "job_submitted", "job_placed", "attempt_started", "attempt_preempted", "attempt_ended", "job_recovered",
        "job_waiting", "job_placed", "attempt_started", "attempt_ended", "job_ended",
    ]  # fmt: skip
    assert await cash_fen(net) == CASH_FEN - 2_000 - 8_000 - 8_000
    assert (await prove(net.db, net.now_s)).hold


async def test_who_does_not_say_so_and_a_hub_without_limits_let_everybody_stay(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    staying = await run(net, tenant, replace(YIELDING, preemptible=False))
    net.now_s += 1_000
    (urgent,) = await net.submit(tenant, URGENT)
    await net.turn()
    assert east.live == [staying]
    await submit.cancel_job(net.db, tenant, UUID(staying[0]), net.call(tenant), net.now_s)
    await submit.cancel_job(net.db, tenant, UUID(urgent.job_id), net.call(tenant), net.now_s)
    await net.turn()
    net.policy = Policy()
    willing = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    await net.submit(tenant, URGENT)
    await net.turn()
    assert east.live == [willing]
    assert (await prove(net.db, net.now_s)).hold


async def test_a_hub_that_starts_anew_knows_who_leaves_for_whom(net: SmallNetwork) -> None:
    """Killed after every step: each step is thought by a hub that reads all from the database."""
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    urgent = await told_to_leave(net, tenant, victim)
    # It goes before in the order of the policy, but the node is promised.
    (rival,) = await net.submit(tenant, replace(URGENT, name="rival", priority=20))
    for _ in range(3):
        net.brain = None
        net.now_s += 5
        await net.think()
    assert (await kinds_of(net, victim[0])).count("attempt_preempted") == 1
    assert "nodes_promised" in await kinds_of(net, urgent)
    await net.sync(east)
    await net.sync(east)
    net.brain = None
    await net.think()
    net.brain = None
    await net.turn()
    assert east.live == [(urgent, 1)]
    assert await state_of(net, rival.job_id) is JobState.QUEUED
    assert await state_of(net, victim[0]) is JobState.QUEUED
    assert net.brain is not None
    known = net.brain.state.jobs[victim[0]]
    assert (known.attempt, known.ask.preemptions, known.ask.preemptible) == (2, 1, True)
    net.brain.state.validate()
    assert (await prove(net.db, net.now_s)).hold


async def test_an_attempt_that_ends_by_itself_is_not_preempted(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    urgent = await told_to_leave(net, tenant, victim)
    east.end(victim, net.now_s, Cause.SUCCEEDED)
    await net.turn()
    assert await state_of(net, victim[0]) is JobState.SUCCEEDED
    assert await lines_of(net, victim[0]) == [(1, 1_000, True, 2_223)]
    assert east.live == [(urgent, 1)]
    assert (await prove(net.db, net.now_s)).hold


async def test_a_victim_that_its_tenant_cancels_meanwhile_is_over_and_lost_work_stays_free(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    urgent = await told_to_leave(net, tenant, victim)
    await submit.cancel_job(net.db, tenant, UUID(victim[0]), net.call(tenant), net.now_s)
    await net.turn()
    await net.turn()
    assert await state_of(net, victim[0]) is JobState.CANCELLED
    assert await lines_of(net, victim[0]) == [(1, 1_000, False, 0)]
    assert east.live == [(urgent, 1)]
    assert (await prove(net.db, net.now_s)).hold


async def test_a_decision_comes_too_late_for_who_is_cancelled_already(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    (urgent,) = await net.submit(tenant, URGENT)
    await submit.cancel_job(net.db, tenant, UUID(victim[0]), net.call(tenant), net.now_s)
    await net.think()
    assert "attempt_preempted" not in await kinds_of(net, victim[0])
    await net.turn()
    await net.turn()
    assert await state_of(net, victim[0]) is JobState.CANCELLED
    assert await lines_of(net, victim[0]) == [(1, 1_000, True, 2_223)]
    assert east.live == [(urgent.job_id, 1)]


async def test_who_was_told_so_often_is_safe_and_never_fails_for_it(net: SmallNetwork) -> None:
    """No recovery is used up by making room, and the limit counts over restarts of the hub."""
    tenant, east = await one_node(net, max_preemptions=2)
    victim = await run(net, tenant, replace(YIELDING, max_recoveries=0))
    for number in range(1, 4):
        net.now_s += 100
        net.brain = None
        await net.submit(tenant, replace(URGENT, name=f"urgent-{number}", walltime_s=60))
        await net.turn()
        await net.turn()
        left = number <= 2
        assert ((victim[0], number) in east.live) is not left
        if left:
            net.now_s += 60
            await net.turn()
            assert east.live == [(victim[0], number + 1)]
    assert [row["cause"] for row in await attempts_of(net, victim[0])] == ["preempted", "preempted", None]
    net.now_s += HOUR_S
    for _ in range(3):
        await net.turn()
    assert await state_of(net, victim[0]) is JobState.SUCCEEDED
    assert (await prove(net.db, net.now_s)).hold


async def test_an_attempt_that_never_began_is_closed_and_comes_again(net: SmallNetwork) -> None:
    tenant, east = await one_node(net)
    (submitted,) = await net.submit(tenant, YIELDING)
    await net.think()  # placed; its centre has not fetched the order
    net.now_s += 100
    urgent = await told_to_leave(net, tenant, (submitted.job_id, 1))
    await net.turn()
    await net.turn()
    assert east.starts == [(urgent, 1)]
    assert await state_of(net, submitted.job_id) is JobState.QUEUED
    assert await lines_of(net, submitted.job_id) == []
    assert (await prove(net.db, net.now_s)).hold


@pytest.mark.parametrize("restart", [False, True])
async def test_a_start_that_is_told_late_costs_nobody_else_the_place(net: SmallNetwork, restart: bool) -> None:
    """Who leaves does not get its walltime again, so that the promise stands and no second victim is looked for."""
    net.policy = preempting()
    tenant = await net.add_tenant("acme", CASH_FEN)
    east = await net.add_centre("east", nodes=2, chips=8)
    east.run_s = lambda order: (order.walltime_s, Cause.SUCCEEDED)
    await net.turn()
    other = await run(net, tenant, replace(YIELDING, name="other"))
    net.now_s += 1_000
    (late,) = await net.submit(tenant, YIELDING)
    await net.think()
    await net.sync(east)  # it starts; the report waits in the outbox
    net.now_s += 100
    urgent = await told_to_leave(net, tenant, (late.job_id, 1))
    if restart:
        net.brain = None
    assert [report.started_s for report in east.request(net.now_s).reports] == [net.now_s - 100]
    await net.sync(east)
    await net.think()
    assert "attempt_preempted" not in await kinds_of(net, other[0])
    await net.turn()
    assert east.live == [other, (urgent, 1)]
    assert await lines_of(net, late.job_id) == [(1, 100, False, 0)]
    assert (await prove(net.db, net.now_s)).hold


async def test_a_gang_gets_its_nodes_when_the_last_victim_is_gone(net: SmallNetwork) -> None:
    net.policy = preempting()
    tenant = await net.add_tenant("acme", CASH_FEN)
    east = await net.add_centre("east", nodes=2, chips=8)
    await net.turn()
    victims = [await run(net, tenant, replace(YIELDING, name=f"victim-{number}")) for number in range(2)]
    net.now_s += 100
    (gang,) = await net.submit(tenant, replace(job_spec("gang", chips=8, nodes=2), priority=5))
    await net.think()
    for victim in victims:
        east.end(victim, net.now_s, Cause.CANCELLED)
        assert await state_of(net, gang.job_id) is JobState.QUEUED
        await net.sync(east)
        net.brain = None
        await net.think()
    await net.sync(east)
    assert east.live == [(gang.job_id, 1)]
    assert [await state_of(net, job_id) for job_id, _ in victims] == [JobState.QUEUED] * 2
    assert (await prove(net.db, net.now_s)).hold


@pytest.mark.parametrize("after", ["told", "ended"])
async def test_a_hub_that_was_replaced_tells_nobody_to_leave(net: SmallNetwork, after: str) -> None:
    """Of two hubs only the one with the newest epoch decides; what the older one thinks is not committed."""
    tenant, east = await one_node(net)
    victim = await run(net, tenant, YIELDING)
    net.now_s += 1_000
    (urgent,) = await net.submit(tenant, URGENT)
    older = net.brain
    assert older is not None
    net.brain = await schedule.awaken(net.db, net.catalogue, net.now_s)
    if after == "ended":
        east.end(victim, net.now_s, Cause.FAILED)
        await net.sync(east)
    with pytest.raises(Conflict):
        await schedule.schedule(net.db, older, net.policy, net.now_s)
    assert "attempt_preempted" not in await kinds_of(net, victim[0])
    await net.turn()
    await net.turn()
    assert east.live == [(urgent.job_id, 1)]
