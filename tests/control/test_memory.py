"""A job that asks for memory is placed where a node has it, or refused with the sizes; nothing is dropped."""

from dataclasses import replace

import pytest

from suanwang.centrefile import read_nodes
from suanwang.control import network
from suanwang.control.network import Joining
from suanwang.domain.centre import Centre, Node
from suanwang.domain.job import JobSpec, Variant
from suanwang.errors import InvalidInput, Refused
from suanwang.store import attempt as attempts
from suanwang.store import centre
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec


async def set_memory(net: SmallNetwork, centre_id: str, *memory_gib: int | None) -> None:
    async with net.db.transaction() as tx:
        (pool,) = await centre.pools(tx, centre_id)
        record = await centre.centre(tx, centre_id)
    nodes = tuple(Node(f"n{i}", 8, 64, None if gib is None else gib * 1024) for i, gib in enumerate(memory_gib))
    where = Centre(**{name: getattr(record.centre, name) for name in Centre.__slots__})
    joining, owner = Joining(where, (replace(pool, nodes=nodes),)), f"{centre_id}-org"
    await network.join_centre(net.db, net.catalogue, ADMIN, joining, owner, net.call(ADMIN), net.now_s)


def needing(gib: float) -> JobSpec:
    return replace(job_spec(), variants=(Variant("A100", 1, memory_gib_per_node=gib),))


async def test_a_job_goes_where_its_memory_is_and_is_refused_where_it_is_not(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east", fen_per_chip_hour=1)
    await net.add_centre("west", fen_per_chip_hour=1_000)
    await set_memory(net, "east", 128, 256)
    await set_memory(net, "west", 512)
    await net.turn()
    await net.submit(tenant, needing(256), needing(256.5))
    await net.turn()
    async with net.db.transaction() as tx:
        assert sorted(row["centre_id"] for row in await attempts.live(tx)) == ["east", "west"]
    with pytest.raises(Refused) as refused:
        await net.submit(tenant, needing(513))
    facts = {"memory_gib": 512, "wanted_memory_gib": 513}
    assert refused.value.facts["pools"]["west-pool"] == {"code": "NODE_MEMORY_TOO_SMALL", "facts": facts}
    # What a centre does not say is not held against it, and is matched as soon as it says it.
    await set_memory(net, "west", None)
    await net.submit(tenant, needing(513))
    await set_memory(net, "west", 2_048)
    await net.submit(tenant, needing(513))
    net.brain = None
    await net.turn()
    async with net.db.transaction() as tx:
        assert sorted(row["centre_id"] for row in await attempts.live(tx)) == ["east", "west", "west", "west"]


async def test_memory_of_nodes_is_read_from_a_centre_file_and_must_be_sensible(net: SmallNetwork) -> None:
    line = {"count": 2, "prefix": "n", "chips": 8, "cpus": 64}
    assert [node.memory_mib for node in read_nodes("nodes", {**line, "memory_gib": 512})] == [524_288] * 2
    assert [node.memory_mib for node in read_nodes("nodes", line)] == [None, None]
    with pytest.raises(InvalidInput):
        read_nodes("nodes", {**line, "memory_gib": 0})
    await net.add_centre("east")
    with pytest.raises(InvalidInput):
        await set_memory(net, "east", -1)
