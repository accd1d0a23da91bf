"""Prices that change with the time, and prices of jobs that may be told to leave, from the file to the charge."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from suanwang.control.daemon import Hub
from suanwang.control.quote import quote
from suanwang.domain.job import Cause, JobState
from suanwang.domain.ratecard import NETWORK_TIMEZONE, Prices, Rate
from suanwang.store import attempt as attempts
from suanwang.testing.network import SmallNetwork, job_spec
from tests.control.test_story import assert_proofs, cash_fen, state_of

HOUR_S = 3_600  # house: the test's own arithmetic
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
NIGHT = Rate(EVERY_DAY, 22 * 60, 8 * 60, Prices(400))


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-11-23T{text}").replace(tzinfo=ZoneInfo(NETWORK_TIMEZONE)).timestamp())


async def prices(net: SmallNetwork, job_id: str) -> list[int]:
    async with net.db.transaction() as tx:
        return [row["fen_per_chip_hour"] for row in await attempts.of_job(tx, UUID(job_id))]


async def offered(net: SmallNetwork) -> list[tuple[int, int]]:
    """(price, when) as history has it."""
    async with net.db.transaction() as tx:
        return [tuple(row) for row in await tx.fetch("select fen_per_chip_hour, at_s from pool_offer order by turn")]


async def test_an_attempt_has_the_price_of_its_start_to_its_end(net: SmallNetwork) -> None:
    net.now_s = at("21:00:00")
    tenant = await net.add_tenant("acme", 100_000)
    east = await net.add_centre("east")
    await net.offer("east", rates=(NIGHT,))
    east.run_s = lambda order: (2 * HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (by_day,) = await net.submit(tenant, job_spec(walltime_s=2 * HOUR_S))
    assert by_day.estimate_fen == 2_000
    await net.turn()
    await net.turn(HOUR_S - 1)
    (evening,) = await net.submit(tenant, job_spec(walltime_s=2 * HOUR_S))
    await net.turn()
    net.now_s += 1
    assert net.now_s == at("22:00:00")
    (by_night,) = await net.submit(tenant, job_spec(walltime_s=2 * HOUR_S))
    assert by_night.estimate_fen == 2_000  # it might have to wait until the morning
    await net.turn()
    assert [await prices(net, one.job_id) for one in (by_day, evening, by_night)] == [[1_000], [1_000], [400]]
    for _ in range(3):
        await net.turn(HOUR_S)
    assert {await state_of(net, one.job_id) for one in (by_day, evening, by_night)} == {JobState.SUCCEEDED}
    assert await cash_fen(net, "acme") == 100_000 - 2_000 - 2_000 - 800
    assert await offered(net) == [(1_000, at("21:00:00")), (400, at("22:00:00"))]
    await assert_proofs(net)


async def test_who_can_pay_the_night_alone_waits_for_it(net: SmallNetwork) -> None:
    net.now_s = at("20:00:00")
    tenant = await net.add_tenant("acme", 500)
    east = await net.add_centre("east")
    await net.offer("east", rates=(NIGHT,))
    east.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    assert (submitted.estimate_fen, submitted.cash_hold_fen) == (400, 400)
    await net.turn()
    await net.turn(HOUR_S)
    assert await state_of(net, submitted.job_id) is JobState.QUEUED
    await net.turn(HOUR_S)
    assert await prices(net, submitted.job_id) == [400]
    await net.turn(HOUR_S)
    assert await cash_fen(net, "acme") == 100
    await assert_proofs(net)


async def test_a_limit_on_the_cost_is_a_wish_for_the_cheaper_hours(net: SmallNetwork) -> None:
    net.now_s = at("20:00:00")
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east")
    await net.offer("east", rates=(NIGHT,))
    await net.turn()
    (submitted,) = await net.submit(tenant, replace(job_spec(), max_cost_fen=600))
    assert submitted.estimate_fen == 400
    await net.turn()
    assert await prices(net, submitted.job_id) == []
    await net.turn(2 * HOUR_S)
    assert await prices(net, submitted.job_id) == [400]


async def test_a_hub_that_was_away_catches_up_before_it_places(net: SmallNetwork) -> None:
    net.now_s = at("20:00:00")
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east")
    await net.offer("east", rates=(NIGHT,))
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    net.brain = None
    net.now_s = at("23:30:00")
    await net.turn()
    assert await prices(net, submitted.job_id) == [400]
    assert await offered(net) == [(1_000, at("20:00:00")), (400, at("23:30:00"))]
    await assert_proofs(net)


async def test_a_quote_says_which_price_it_assumes(net: SmallNetwork) -> None:
    net.now_s = at("21:00:00")
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east", nodes=1, chips=1)
    await net.offer("east", nodes=1, chips=1, rates=(NIGHT,))
    await net.turn()
    hub = Hub(net.db, net.catalogue, lambda: net.now_s, 30, brain=net.brain)
    (now,) = (await quote(hub, "acme", job_spec(), [], net.now_s)).lines
    assert (now.start_s, now.price_fen, now.fen_per_chip_hour) == (net.now_s, 1_000, 1_000)
    assert now.price_until_s == at("22:00:00")
    await net.submit(tenant, job_spec(walltime_s=2 * HOUR_S))
    await net.turn()
    (later,) = (await quote(hub, "acme", job_spec(), [], net.now_s)).lines
    assert later.start_s is not None
    assert later.start_s > at("22:00:00")
    assert (later.price_fen, later.own_fen, later.fen_per_chip_hour) == (400, 400, 400)
    assert later.price_until_s == at("08:00:00") + 24 * HOUR_S


async def test_who_may_be_told_to_leave_pays_less(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east")
    await net.offer("east", preemptible_fen=300)
    east.run_s = lambda order: (HOUR_S, Cause.SUCCEEDED)
    await net.turn()
    (stays,) = await net.submit(tenant, job_spec("stays"))
    (leaves,) = await net.submit(tenant, replace(job_spec("leaves"), preemptible=True))
    assert (stays.estimate_fen, leaves.estimate_fen) == (1_000, 300)
    await net.turn()
    assert [await prices(net, one.job_id) for one in (stays, leaves)] == [[1_000], [300]]
    await net.turn(HOUR_S)
    assert await cash_fen(net, "acme") == 10_000 - 1_300
    await net.offer("east", preemptible_fen=200)
    await assert_proofs(net)
