"""Budgets of projects: never overshot by submits, alerts once, months, refunds, and their proof."""

import asyncio
from collections import Counter
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import project, refund
from suanwang.control.prove import prove
from suanwang.domain.job import Cause, JobSpec
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict, InvalidInput, NotFound, Refused
from suanwang.store import project as projects
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import NewBudget, NewProject, NewRefund, ProjectLine

ZONE = "Asia/Shanghai"
PRICE_FEN = 1_000
"""Of one job of an hour."""


async def founded(net: SmallNetwork, budget_fen: int | None, *, hard: bool = True) -> Actor:
    tenant = await net.add_tenant("acme", 1_000_000)
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_800, Cause.SUCCEEDED)
    await net.turn()
    new = NewProject(name="vision", budget_fen=budget_fen, hard=hard)
    await project.add(net.db, tenant, new, ZONE, net.call(tenant), net.now_s)
    return tenant


def of_vision(name: str = "job") -> JobSpec:
    return replace(job_spec(name), project="vision")


async def line(net: SmallNetwork) -> ProjectLine:
    async with net.db.transaction() as tx:
        room = await project.seen(tx, "acme", "vision", net.now_s)
        return await project.line_of(tx, room.record, net.now_s)


async def alerts(net: SmallNetwork) -> list[tuple[str, int]]:
    async with net.db.transaction() as tx:
        return sorted((one.month, one.percent) for one in await projects.alerts(tx, "acme"))


async def budget(net: SmallNetwork, tenant: Actor, new: NewBudget) -> ProjectLine:
    return await project.set_budget(net.db, tenant, "vision", new, net.call(tenant), net.now_s)


async def broken(net: SmallNetwork) -> set[str]:
    return {one.name for one in (await prove(net.db, net.now_s)).proofs if not one.holds}


async def test_of_thirty_at_once_exactly_ten_fit_into_a_budget_for_ten(net: SmallNetwork) -> None:
    tenant = await founded(net, 10 * PRICE_FEN)
    outcomes = await asyncio.gather(*(net.submit(tenant, of_vision()) for _ in range(30)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, Refused)]
    assert Counter(type(one) for one in outcomes) == {list: 10, Refused: 20}
    assert {one.code for one in refused} == {"BUDGET_EXCEEDED"}
    assert refused[0].facts["held_fen"] + refused[0].facts["asked_fen"] > refused[0].facts["budget_fen"]
    assert ((await line(net)).held_fen, (await line(net)).left_fen) == (10 * PRICE_FEN, 0)
    await net.submit(tenant, job_spec())  # what is of no project goes on
    assert await broken(net) == set()


async def test_a_call_of_many_is_drawn_down_job_by_job_and_refused_as_a_whole(net: SmallNetwork) -> None:
    tenant = await founded(net, 3 * PRICE_FEN)
    with pytest.raises(Refused) as no:
        await net.submit(tenant, *[of_vision()] * 4)
    assert no.value.facts["held_fen"] == 3 * PRICE_FEN
    assert (await line(net)).held_fen == 0
    assert len(await net.submit(tenant, *[of_vision()] * 3)) == 3
    with pytest.raises(NotFound):
        await net.submit(tenant, replace(job_spec(), project="other"))


async def test_what_is_charged_is_spent_and_the_rest_is_free_again(net: SmallNetwork) -> None:
    tenant = await founded(net, 2 * PRICE_FEN)
    await net.submit(tenant, of_vision())
    await net.turn()
    await net.turn(1_800)
    assert ((await line(net)).spent_fen, (await line(net)).held_fen) == (500, 0)
    assert (await line(net)).left_fen == 1_500
    assert await broken(net) == set()


@pytest.mark.parametrize(("budget_fen", "code"), [(1_500, None), (1_499, "NO_BUDGET_LEFT")])
async def test_another_attempt_goes_on_only_where_the_budget_has_room(
    net: SmallNetwork, budget_fen: int, code: str | None
) -> None:
    """500 are spent by the first attempt and 500 still held: another 500 make the price of the second."""
    tenant = await founded(net, budget_fen)
    net.centres["east"].run_s = lambda order: (1_800, Cause.FAILED)
    await net.submit(tenant, replace(of_vision(), max_restarts_on_errors=1))
    await net.turn()
    await net.turn(1_800)
    assert (await line(net)).spent_fen == 500
    assert (await line(net)).held_fen == (0 if code else PRICE_FEN)
    assert await broken(net) == set()
    async with net.db.transaction() as tx:
        assert await tx.fetchval("select reason->>'code' = 'NO_BUDGET_LEFT' from job") == (code is not None)
    # A lower budget stops submits, never a charge of what runs.
    await budget(net, tenant, NewBudget(budget_fen=0, hard=True))
    await net.turn(1_800)
    assert (await line(net)).spent_fen == (500 if code else PRICE_FEN)
    assert (await line(net)).held_fen == 0
    assert await broken(net) == set()


async def test_each_alert_is_raised_once_however_many_charges_pass_it(net: SmallNetwork) -> None:
    tenant = await founded(net, PRICE_FEN, hard=False)
    await net.submit(tenant, *[of_vision()] * 5)
    await net.turn()
    await net.turn(1_800)
    spent_fen = (await line(net)).spent_fen
    assert spent_fen == 2_500
    month = (await line(net)).month
    assert await alerts(net) == [(month, 50), (month, 80), (month, 100)]
    await asyncio.gather(*(budget(net, tenant, NewBudget(budget_fen=2_400, alert_percent=(50, 104))) for _ in range(8)))
    assert await alerts(net) == [(month, 50), (month, 80), (month, 100), (month, 104)]
    async with net.db.transaction() as tx:
        assert await tx.fetchval("select count(*) from event where kind = 'budget_alert'") == 4


async def test_at_the_end_of_a_month_what_is_held_moves_on_and_what_was_spent_stays(net: SmallNetwork) -> None:
    tenant = await founded(net, 2 * PRICE_FEN)
    await net.submit(tenant, of_vision())
    await net.turn()
    await net.turn(1_800)
    old = await line(net)
    await net.submit(tenant, of_vision())
    net.now_s += 30 * SECONDS_PER_DAY
    new = await line(net)
    assert new.month > old.month
    assert (new.spent_fen, new.held_fen, new.left_fen) == (0, PRICE_FEN, PRICE_FEN)
    with pytest.raises(Refused):
        await net.submit(tenant, of_vision(), of_vision())
    await net.turn()
    await net.turn(1_800)
    assert (await line(net)).months == {new.month: 500, old.month: 500}
    assert await broken(net) == set()


async def test_a_refund_gives_the_budget_back(net: SmallNetwork) -> None:
    tenant = await founded(net, PRICE_FEN)
    (job,) = await net.submit(tenant, of_vision())
    await net.turn()
    await net.turn(1_800)
    with pytest.raises(Refused):
        await net.submit(tenant, of_vision())
    given = NewRefund(amount_fen=500, reason="the node was slow")
    await refund.refund(net.db, ADMIN, UUID(job.job_id), given, net.call(ADMIN), net.now_s)
    assert (await line(net)).left_fen == PRICE_FEN
    assert len(await net.submit(tenant, of_vision())) == 1
    assert await broken(net) == set()


@pytest.mark.parametrize(
    ("altered", "statement"),
    [
        ("update project_month set spent_fen = spent_fen - 1", "projects_spent"),
        ("update project set held_fen = held_fen + 1", "projects_held"),
        ("update job set project_held_fen = 7 where settled", "projects_held"),
    ],
)
async def test_the_proof_sees_an_altered_total(
    net: SmallNetwork, database_url: str, altered: str, statement: str
) -> None:
    tenant = await founded(net, 5 * PRICE_FEN)
    await net.submit(tenant, of_vision())
    await net.turn()
    await net.turn(1_800)
    assert await broken(net) == set()
    owner = await asyncpg.connect(database_url)
    await owner.execute(altered)
    await owner.close()
    assert await broken(net) == {statement}


async def test_what_is_no_project_or_budget_is_refused(net: SmallNetwork) -> None:
    tenant = await founded(net, None, hard=False)
    assert (await line(net)).left_fen is None
    for new in (NewBudget(hard=True), NewBudget(budget_fen=-1), NewBudget(budget_fen=1, alert_percent=(0,))):
        with pytest.raises(InvalidInput):
            await budget(net, tenant, new)
    again = NewProject(name="vision")
    with pytest.raises(Conflict):
        await project.add(net.db, tenant, again, ZONE, net.call(tenant), net.now_s)
    with pytest.raises(InvalidInput):
        await project.add(net.db, tenant, NewProject(name="Two Words"), ZONE, net.call(tenant), net.now_s)
