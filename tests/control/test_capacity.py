"""What nodes had and when: history is judged by what was true then, and no chip is handed out under two names."""

import random
from dataclasses import replace

import asyncpg
import pytest

from suanwang.control import network, schedule
from suanwang.control.network import Joining
from suanwang.control.prove import prove
from suanwang.domain.centre import Centre, Node, Pool
from suanwang.domain.job import Cause
from suanwang.errors import Conflict
from suanwang.store import attempt as attempts
from suanwang.store import centre, event
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec


async def broken(net: SmallNetwork) -> list[str]:
    return [one.name for one in (await prove(net.db, net.now_s)).proofs if not one.holds]


async def set_nodes(net: SmallNetwork, *nodes: tuple[str, int]) -> None:
    """The east's pool has these nodes from now on: (name, chips) each."""
    async with net.db.transaction() as tx:
        (pool,) = await centre.pools(tx, "east")
        record = await centre.centre(tx, "east")
    changed: Pool = replace(pool, nodes=tuple(Node(name, chips, 64) for name, chips in nodes))
    where = Centre(**{name: getattr(record.centre, name) for name in Centre.__slots__})
    joining = Joining(where, (changed,))
    await network.join_centre(net.db, net.catalogue, ADMIN, joining, "east-org", net.call(ADMIN), net.now_s)


async def live_nodes(net: SmallNetwork) -> list[str]:
    async with net.db.transaction() as tx:
        return sorted(name for row in await attempts.live(tx) for name in row["node_names"])


async def test_a_node_that_is_gone_today_was_there_when_its_jobs_ran(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=2, chips=8)
    await net.turn()
    await net.submit(tenant, *[job_spec(chips=8)] * 2)
    await net.turn()
    await net.turn(1_800)
    assert await live_nodes(net) == []
    await set_nodes(net, ("renamed", 4))
    assert await broken(net) == []
    await net.submit(tenant, job_spec(chips=4))
    await net.turn()
    assert await live_nodes(net) == ["renamed"]
    assert await broken(net) == []


@pytest.mark.parametrize("nodes", [[("m0", 8)], [("n1", 8)], [("n0", 3), ("n1", 8)]], ids=["renamed", "gone", "shrunk"])
async def test_a_node_under_a_live_job_keeps_its_name_and_chips(
    net: SmallNetwork, nodes: list[tuple[str, int]]
) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=1, chips=8)
    await net.turn()
    await net.submit(tenant, *[job_spec(chips=4)] * 3)
    await net.turn()
    assert await live_nodes(net) == ["n0", "n0"]
    with pytest.raises(Conflict) as refused:
        await set_nodes(net, *nodes)
    assert refused.value.code == "NODE_IN_USE"
    assert (refused.value.facts["node"], refused.value.facts["taken"]) == ("n0", 8)
    await net.turn()
    assert await live_nodes(net) == ["n0", "n0"]
    await set_nodes(net, ("n0", 8), ("n1", 8))
    await net.turn()
    assert await live_nodes(net) == ["n0", "n0", "n1"]
    assert await broken(net) == []


async def test_a_node_may_shrink_to_what_is_taken_and_go_once_nothing_is(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=1, chips=8)
    await net.turn()
    await net.submit(tenant, *[job_spec(chips=4)] * 2)
    await net.turn()
    for key in net.centres["east"].live[:1]:
        net.centres["east"].end(key, net.now_s, Cause.FAILED)
    await net.turn()
    await set_nodes(net, ("n0", 4))
    await net.submit(tenant, job_spec(chips=4))
    await net.turn()
    assert await live_nodes(net) == ["n0"]
    await net.turn(1_800)
    await net.turn(1_800)
    await set_nodes(net, ("m0", 1))
    assert await broken(net) == []


async def test_a_placement_on_a_pool_that_changed_meanwhile_is_thought_over(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=1, chips=8)
    await net.turn()
    await net.submit(tenant, job_spec())
    brain = net.brain
    assert brain is not None
    async with net.db.transaction() as older:
        # As long as an older transaction is open, the trace ends before the change; the change itself is true.
        await older.fetchval("select pg_current_xact_id()::text")
        await set_nodes(net, ("m0", 8))
        async with net.db.transaction() as tx:
            events = [row.kind for row in await event.after(tx, brain.cursor, 10, [])]
        assert events == ["job_submitted"]
        await schedule.schedule(net.db, brain, net.policy, net.now_s)
        assert await live_nodes(net) == []
        assert [getattr(news, "code", "") for news in brain.refused] == ["POOL_CHANGED"]
    await net.turn()
    assert await live_nodes(net) == ["m0"]
    assert await broken(net) == []


async def test_prove_finds_chips_that_were_never_there(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", nodes=1, chips=8)
    await net.turn()
    await net.submit(tenant, job_spec(chips=8))
    await net.turn()
    assert await broken(net) == []
    owner = await asyncpg.connect(net.db.url)
    try:
        await owner.execute("insert into node_capacity values ('east-pool', 'n0', nextval('turn'), 7, 0)")
    finally:
        await owner.close()
    assert await broken(net) == ["pools_never_overcommitted", "nodes_never_overcommitted"]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_centre_does_to_its_nodes_no_chip_is_placed_twice(net: SmallNetwork, seed: int) -> None:
    dice = random.Random(seed)
    tenant = await net.add_tenant("acme", 10**9)
    east = await net.add_centre("east", nodes=3, chips=4)
    east.run_s = lambda order: (dice.randint(1, 30), Cause.SUCCEEDED)
    await set_nodes(net, ("large", 8))
    refused = 0
    for _ in range(25):
        await net.submit(tenant, *(job_spec(chips=dice.randint(1, 4)) for _ in range(dice.randint(1, 3))))
        await net.turn(dice.randint(0, 9))
        if dice.random() < 0.3:
            net.brain = None
        try:
            names = dice.sample(["n0", "n1", "n2", "m0", "m1"], 3)
            await set_nodes(net, ("large", 8), *((name, dice.randint(1, 8)) for name in names))
        except Conflict:
            refused += 1
    assert 0 < refused < 25
    assert await broken(net) == []
