"""A report that cannot be applied concerns its own attempt alone, and is not forgotten."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from suanwang.control.prove import prove
from suanwang.domain.job import Cause, JobState, Phase
from suanwang.store import attempt as attempts
from suanwang.store import event
from suanwang.store import job as jobs
from suanwang.testing.network import SmallNetwork, job_spec

HOUR_S = 3_600  # house: the test's own arithmetic


@asynccontextmanager
async def owner(net: SmallNetwork) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Who owns the database can damage it: with the triggers off, nothing is refused."""
    connection = await asyncpg.connect(net.db.url)
    try:
        await connection.execute("set session_replication_role = replica")
        yield connection
    finally:
        await connection.close()


async def empty_hold(net: SmallNetwork, job_id: str, sign: int) -> None:
    async with owner(net) as connection:
        await connection.execute(
            "update balance set amount_fen = amount_fen + $2 where account_id in "
            "(select id from account where job_id = $1 and kind = 'hold')",
            UUID(job_id),
            sign * 990,
        )


async def break_spec(net: SmallNetwork, job_id: str, sign: int) -> None:
    async with owner(net) as connection:
        statement = "update job set spec = spec || jsonb_build_object('max_recoveries', $2::text::jsonb) where id = $1"
        await connection.execute(statement, UUID(job_id), '"three"' if sign < 0 else "3")


async def state_of(net: SmallNetwork, job_id: str) -> tuple[JobState, int]:
    async with net.db.transaction() as tx:
        row = await jobs.job(tx, UUID(job_id))
    return JobState(row["state"]), row["charged_fen"]


async def kinds(net: SmallNetwork, job_id: str) -> list[str]:
    async with net.db.transaction() as tx:
        return [str(row["kind"]) for row in await event.of_job(tx, UUID(job_id))]


async def unproved(net: SmallNetwork) -> dict[str, list[dict[str, object]]]:
    return {one.name: one.contradictions for one in (await prove(net.db, net.now_s)).proofs if not one.holds}


@pytest.mark.parametrize("damage", [empty_hold, break_spec])
async def test_a_report_that_fails_blocks_no_other_and_is_applied_once_it_can_be(
    net: SmallNetwork,
    damage: Callable[[SmallNetwork, str, int], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    east.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED if order.job_name != "j1" else Cause.FAILED)
    await net.turn()
    submitted = await net.submit(tenant, *(job_spec(f"j{i}") for i in range(3)))
    await net.turn()
    bad = submitted[1].job_id
    await damage(net, bad, -1)
    with caplog.at_level(logging.WARNING):
        await net.turn(HOUR_S)
    assert any("is not applied" in message and bad in message for message in caplog.messages)
    states = [await state_of(net, one.job_id) for one in submitted]
    assert states == [(JobState.SUCCEEDED, 1_000), (JobState.RUNNING, 0), (JobState.SUCCEEDED, 1_000)]
    # The agent was told that its report is taken; the hub tries again by itself, and says so once.
    assert east.outbox == {}
    (shown,) = (await unproved(net))["reports_applied"]
    assert (shown["job"], shown["attempt"], shown["centre"]) == (bad, 1, "east")
    for _ in range(3):
        await net.turn(10)
    assert (await kinds(net, bad)).count("report_failed") == 1
    await damage(net, bad, +1)
    await net.turn(10)
    assert await state_of(net, bad) == (JobState.FAILED, 1_000)
    assert (await kinds(net, bad)).count("report_applied_late") == 1
    assert await unproved(net) == {}
    await net.turn()
    assert (await kinds(net, bad)).count("attempt_ended") == 1


async def test_a_newer_report_takes_the_place_of_the_one_that_failed(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    east.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    await empty_hold(net, submitted.job_id, -1)
    net.now_s += HOUR_S // 2
    east.save((submitted.job_id, 1), step=1, at_s=net.now_s)
    await net.sync(east)
    assert list(await unproved(net)) == ["balances_replay", "reports_applied"]
    await empty_hold(net, submitted.job_id, +1)
    await net.turn(HOUR_S // 2)
    assert await state_of(net, submitted.job_id) == (JobState.SUCCEEDED, 1_000)
    assert await unproved(net) == {}


async def test_while_a_centre_cannot_see_an_attempt_nothing_is_metered(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    east.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    key = (submitted.job_id, 1)
    net.now_s += HOUR_S // 2
    east.save(key, step=1, at_s=net.now_s)
    report = east.outbox[key]
    for seen in (Phase.UNKNOWN, Phase.RUNNING):
        sequence = east.attempts[key].sequence = east.attempts[key].sequence + 1
        east.outbox[key] = replace(report, phase=seen, sequence=sequence)
        await net.sync(east)
        async with net.db.transaction() as tx:
            usage = await attempts.usage_of_job(tx, UUID(submitted.job_id))
        assert [row["until_s"] - row["from_s"] for row in usage] == ([] if seen is Phase.UNKNOWN else [HOUR_S // 2])
    net.now_s += HOUR_S // 2
    east.end(key, net.now_s, Cause.SUCCEEDED)
    await net.sync(east)
    assert await state_of(net, submitted.job_id) == (JobState.SUCCEEDED, 1_000)
    assert await unproved(net) == {}
