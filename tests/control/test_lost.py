"""A centre that will not come back is given up by a person: jobs recover, value is free, and nothing late counts."""

from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import lost, schedule, submit, sync
from suanwang.control.prove import prove
from suanwang.domain.job import Cause, JobState, Phase
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.scheduling.events import PlacementRefused
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed
from suanwang.protocol import Report, StopOrder
from suanwang.store import attempt as attempts
from suanwang.store import centre as centres
from suanwang.store import event, ledger
from suanwang.store import job as jobs
from suanwang.store.db import Row
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.wire import GivenUp

HOUR_S = 3_600  # house: the test's own arithmetic
REASON = "the building burnt down"


async def proved(net: SmallNetwork) -> None:
    proofs = await prove(net.db, net.now_s)
    assert proofs.hold, [(one.name, one.contradictions) for one in proofs.proofs if not one.holds]


async def job(net: SmallNetwork, job_id: str) -> tuple[JobState, int, int]:
    async with net.db.transaction() as tx:
        row = await jobs.job(tx, UUID(job_id))
    return JobState(row["state"]), row["attempts"], row["charged_fen"]


async def attempt_rows(net: SmallNetwork, job_id: str) -> list[Row]:
    async with net.db.transaction() as tx:
        return await attempts.of_job(tx, UUID(job_id))


async def cash_fen(net: SmallNetwork, tenant_id: str = "acme") -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash(tenant_id))


async def kinds(net: SmallNetwork, job_id: str) -> list[str]:
    async with net.db.transaction() as tx:
        return [str(row["kind"]) for row in await event.of_job(tx, UUID(job_id))]


async def events_of_centre(net: SmallNetwork, kind: str) -> list[tuple[str, str]]:
    async with net.db.transaction() as tx:
        rows = await tx.fetch("select actor, body::text as body from event where kind = $1 order by seq", kind)
    return [(row["actor"], row["body"]) for row in rows]


async def fall_silent(net: SmallNetwork, centre_id: str = "east") -> FakeCentre:
    """Its agent is not heard any more, and the hub has noticed."""
    gone = net.centres.pop(centre_id)
    net.now_s += 60
    for other in net.centres.values():
        await net.sync(other)
    await sync.mark_unseen(net.db, 30, net.now_s)
    await net.think()
    return gone


async def declare_lost(net: SmallNetwork, key: str | None = None) -> GivenUp:
    call = net.call(ADMIN, key)
    return await lost.declare_lost(net.db, net.catalogue, ADMIN, "east", REASON, call, net.now_s)


async def rejoin(net: SmallNetwork, actor: Actor = ADMIN) -> None:
    await lost.rejoin(net.db, actor, "east", net.call(actor), net.now_s)


async def two_centres(net: SmallNetwork) -> Actor:
    """east, the cheaper, and west; everything lasts an hour."""
    tenant = await net.add_tenant("acme", 10**6)
    for centre_id, price_fen in (("east", 1_000), ("west", 2_000)):
        fake = await net.add_centre(centre_id, fen_per_chip_hour=price_fen)
        fake.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    return tenant


async def test_jobs_of_a_lost_centre_go_on_elsewhere_from_their_checkpoint(net: SmallNetwork) -> None:
    tenant = await two_centres(net)
    before_fen = await cash_fen(net)
    kept, fresh, cancelling = await net.submit(tenant, *(job_spec(f"j{i}", walltime_s=2 * HOUR_S) for i in range(3)))
    await net.turn()
    east = net.centres["east"]
    assert len(east.live) == 3
    net.now_s += HOUR_S // 2
    east.save((kept.job_id, 1), step=7, at_s=net.now_s)
    await net.sync(east)
    east = await fall_silent(net)
    cancel = net.call(tenant)
    await submit.cancel_job(net.db, tenant, UUID(cancelling.job_id), cancel, net.now_s)
    assert (await job(net, cancelling.job_id))[0] is JobState.CANCELLING

    given_up = await declare_lost(net, "once")
    assert given_up == GivenUp("east", 3, {"queued": 2, "cancelled": 1})
    assert await declare_lost(net, "once") == given_up  # the same call again changes nothing
    with pytest.raises(Conflict) as no:
        await declare_lost(net)
    assert no.value.code == "CENTRE_IS_LOST"
    await proved(net)
    # What was saved is paid, what nobody saw is not, and the cancelled job has its value back.
    assert await job(net, kept.job_id) == (JobState.QUEUED, 1, 500)
    assert await job(net, fresh.job_id) == (JobState.QUEUED, 1, 0)
    assert await job(net, cancelling.job_id) == (JobState.CANCELLED, 1, 0)
    for one in (kept, fresh, cancelling):
        (row,) = await attempt_rows(net, one.job_id)
        assert (row["phase"], row["cause"], row["detail"]) == (Phase.ENDED, Cause.ABANDONED, REASON)
        assert row["ended_s"] <= net.now_s - 60  # when it was last seen
        assert "attempt_abandoned" in await kinds(net, one.job_id)
    ((actor, body),) = await events_of_centre(net, "centre_lost")
    assert (actor, REASON in body) == (ADMIN.token_id, True)

    await net.turn()
    west = net.centres["west"]
    assert {running.order.resume_from and running.order.resume_from.step for running in west.attempts.values()} == {
        7,
        None,
    }
    assert sorted(west.live) == sorted(west.starts) == sorted([(kept.job_id, 2), (fresh.job_id, 2)])
    await net.turn(HOUR_S)
    assert await job(net, kept.job_id) == (JobState.SUCCEEDED, 2, 500 + 2_000)
    assert await job(net, fresh.job_id) == (JobState.SUCCEEDED, 2, 2_000)
    assert await cash_fen(net) == before_fen - 500 - 2_000 - 2_000
    await proved(net)

    # The agent of the lost centre wakes: what it has to tell is refused, what it runs it is told to stop.
    east.end((fresh.job_id, 1), net.now_s, Cause.SUCCEEDED)
    net.centres["east"] = east
    reply = await net.sync(east)
    assert [(one.job_id, one.code) for one in reply.refused] == [(fresh.job_id, "STALE_ATTEMPT")]
    assert {order.job_id for order in reply.orders if isinstance(order, StopOrder)} == {
        kept.job_id,
        cancelling.job_id,
    }
    with pytest.raises(Conflict) as no:
        await rejoin(net)
    assert (no.value.code, no.value.facts["count"]) == ("ABANDONED_NOT_OVER", 2)
    await net.turn()
    assert east.live == []
    assert set(east.refused) == {"STALE_ATTEMPT"}
    assert (await net.sync(east)).orders == ()
    assert await job(net, fresh.job_id) == (JobState.SUCCEEDED, 2, 2_000)
    assert (await kinds(net, kept.job_id)).count("abandoned_attempt_over") == 1
    assert len(await events_of_centre(net, "lost_centre_heard")) == 1
    assert await cash_fen(net) == before_fen - 500 - 2_000 - 2_000
    await proved(net)


async def test_a_lost_centre_gets_no_jobs_before_it_is_taken_up_again(net: SmallNetwork) -> None:
    tenant = await two_centres(net)
    east = await fall_silent(net)
    await declare_lost(net)
    net.centres["east"] = east
    await net.turn(10)
    async with net.db.transaction() as tx:
        record = await centres.centre(tx, "east")
    assert (record.unseen, record.lost_s, record.seen_s) == (True, net.now_s - 10, net.now_s)
    (first,) = await net.submit(tenant, job_spec())
    await net.turn()
    assert [row["centre_id"] for row in await attempt_rows(net, first.job_id)] == ["west"]
    net.brain = None  # a hub that starts anew knows it too
    (second,) = await net.submit(tenant, job_spec())
    await net.turn()
    assert [row["centre_id"] for row in await attempt_rows(net, second.job_id)] == ["west"]

    stranger = Actor("t", "west-org", Role.CENTRE_OPERATOR)
    with pytest.raises(NotAllowed):
        await rejoin(net, stranger)
    await rejoin(net, Actor("t", "east-org", Role.CENTRE_OPERATOR))
    with pytest.raises(Conflict) as no:
        await rejoin(net)
    assert no.value.code == "CENTRE_NOT_LOST"
    (third,) = await net.submit(tenant, job_spec())
    await net.turn()
    assert [row["centre_id"] for row in await attempt_rows(net, third.job_id)] == ["east"]
    await proved(net)


async def test_what_the_brain_decided_before_it_heard_is_not_placed_there(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    await net.turn()
    await net.submit(tenant, job_spec())
    other = await asyncpg.connect(net.db.url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("select pg_current_xact_id()")  # nothing that is told from now on can be read before its end
    try:
        net.now_s += 60
        await sync.mark_unseen(net.db, 30, net.now_s)
        await declare_lost(net)
        assert net.brain is not None
        assert await schedule.schedule(net.db, net.brain, net.policy, net.now_s) == set()
        assert [one.code for one in net.brain.refused if isinstance(one, PlacementRefused)] == ["POOL_CHANGED"]
    finally:
        await transaction.rollback()
        await other.close()
    await net.think()
    async with net.db.transaction() as tx:
        assert await attempts.live(tx) == []
    await proved(net)


async def test_a_checkpoint_that_never_left_the_lost_centre_is_not_waited_for(net: SmallNetwork) -> None:
    tenant = await two_centres(net)
    running, waiting = await net.submit(tenant, *(job_spec(f"j{i}", walltime_s=2 * HOUR_S) for i in range(2)))
    await net.turn()
    east = net.centres["east"]
    net.now_s += HOUR_S // 2
    for one in (running, waiting):
        key = (one.job_id, 1)
        east.save(key, step=7, at_s=net.now_s)
        east.outbox[key] = stuck(east, key)
    await net.sync(east)
    # One is still seen running, the other has ended and can only go on where its checkpoint lies.
    east.end((waiting.job_id, 1), net.now_s, Cause.NODE_FAILED)
    east.outbox[waiting.job_id, 1] = stuck(east, (waiting.job_id, 1))
    await net.sync(east)
    await fall_silent(net)
    assert await job(net, waiting.job_id) == (JobState.QUEUED, 1, 500)
    await declare_lost(net)
    await net.turn()
    for one in (running, waiting):
        rows = await attempt_rows(net, one.job_id)
        assert [(row["centre_id"], row["resume_from"]) for row in rows] == [("east", None), ("west", None)]
    await proved(net)


def stuck(fake: FakeCentre, key: tuple[str, int]) -> Report:
    """The report that waits, with a checkpoint that was not uploaded."""
    report = fake.outbox[key]
    assert report.checkpoint is not None
    return replace(report, checkpoint=replace(report.checkpoint, blob_sha256=None))


async def test_one_attempt_at_a_silent_centre_is_abandoned(net: SmallNetwork) -> None:
    tenant = await two_centres(net)
    first, second = await net.submit(tenant, job_spec("a"), job_spec("b"))
    await net.turn()

    async def abandon(job_id: str, reason: str = REASON) -> GivenUp:
        call = net.call(ADMIN)
        return await lost.abandon_job(net.db, net.catalogue, ADMIN, UUID(job_id), reason, call, net.now_s)

    with pytest.raises(Conflict) as no:
        await abandon(first.job_id)
    assert no.value.code == "CENTRE_IS_SEEN"
    east = await fall_silent(net)
    with pytest.raises(InvalidInput):
        await abandon(first.job_id, " ")
    assert await abandon(first.job_id) == GivenUp("east", 1, {"queued": 1})
    with pytest.raises(Conflict) as no:
        await abandon(first.job_id)
    assert no.value.code == "JOB_NOT_PLACED"
    await net.turn()
    assert [row["centre_id"] for row in await attempt_rows(net, first.job_id)] == ["east", "west"]
    net.centres["east"] = east
    await net.turn(10)
    await net.turn()
    # The centre is as it was for everybody else.
    assert east.live == [(second.job_id, 1)]
    await net.turn(HOUR_S)
    assert [(await job(net, one.job_id))[:2] for one in (first, second)] == [
        (JobState.SUCCEEDED, 2),
        (JobState.SUCCEEDED, 1),
    ]
    with pytest.raises(Conflict) as no:
        await abandon(first.job_id)
    assert no.value.code == "JOB_ENDED"
    await proved(net)


async def test_a_centre_that_is_seen_is_not_given_up(net: SmallNetwork) -> None:
    await two_centres(net)
    with pytest.raises(Conflict) as no:
        await declare_lost(net)
    assert no.value.code == "CENTRE_IS_SEEN"
