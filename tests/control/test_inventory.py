"""What an agent finds is compared with what its centre offers: told once, shown, and never placed on."""

from dataclasses import replace
from typing import Any

from suanwang.control import sync
from suanwang.control.inventory import differences
from suanwang.domain.tenant import Actor, Role
from suanwang.protocol import NodeReport, PoolReport
from suanwang.store import centre
from suanwang.store.db import from_json
from suanwang.testing.network import SmallNetwork
from suanwang.wire import Reason


async def say(net: SmallNetwork, *nodes: NodeReport, chip_id: str = "a100-sxm-80g") -> list[Reason]:
    """The east's agent says what it finds behind its pool; returns what `centre show` then warns of."""
    found = (PoolReport(pool_id="east-pool", chip_id=chip_id, nodes=nodes),)
    request = replace(net.centres["east"].request(net.now_s), inventory=found)
    actor = Actor("agent", "east-org", Role.CENTRE_AGENT, "east")
    await sync.take_reports(net.db, net.catalogue, actor, "east", request, net.now_s)
    async with net.db.transaction() as tx:
        return differences(await centre.pools(tx, "east"), (await centre.centre(tx, "east")).inventory)


def node(name: str, chips: int = 8, up: bool = True) -> NodeReport:
    return NodeReport(name=name, chips=chips, cpus=64, up=up)


async def told(net: SmallNetwork) -> list[tuple[str, list[str]]]:
    async with net.db.transaction() as tx:
        rows = await tx.fetch("select kind, body::text as body from event where kind like 'inventory%' order by seq")
    bodies: list[tuple[str, dict[str, Any]]] = [(row["kind"], from_json(row["body"], dict[str, Any])) for row in rows]
    return [(kind, [one["code"] for one in body["differences"]]) for kind, body in bodies]


async def test_what_an_agent_finds_is_compared_with_the_offer(net: SmallNetwork) -> None:
    await net.add_centre("east", nodes=3)
    assert await say(net, node("n0"), node("n1"), node("n2")) == []
    assert await told(net) == []
    warnings = await say(net, node("n0", chips=7), node("n1", up=False), node("n9"), chip_id="a800")
    codes = ["POOL_CHIP_DIFFERS", "NODE_DIFFERS", "NODE_DOWN", "NODE_NOT_FOUND", "NODE_NOT_OFFERED"]
    assert [one.code for one in warnings] == codes
    assert (warnings[1].facts["chips"], warnings[1].facts["found_chips"]) == (8, 7)
    await say(net, node("n0", chips=7), node("n1", up=False), node("n9"), chip_id="a800")
    assert await say(net, node("n0"), node("n1"), node("n2")) == []
    assert await told(net) == [("inventory_differs", codes), ("inventory_agrees", [])]
    # An offer that changes is compared with what was found before.
    await net.offer("east", nodes=2)
    async with net.db.transaction() as tx:
        (pool,) = await centre.pools(tx, "east")
        record = await centre.centre(tx, "east")
    assert differences([pool], record.inventory) == [Reason("NODE_NOT_OFFERED", {"pool": "east-pool", "node": "n2"})]


async def test_an_agent_that_never_said_what_it_finds_is_warned_of_nothing(net: SmallNetwork) -> None:
    await net.add_centre("east")
    await net.turn()
    async with net.db.transaction() as tx:
        assert differences(await centre.pools(tx), (await centre.centre(tx, "east")).inventory) == []
