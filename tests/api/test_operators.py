"""An operator sees the jobs at all centres of its organisation, and at no others."""

import asyncio

from suanwang.control import network
from suanwang.control.network import Joining
from suanwang.domain.centre import Centre, Node, Offer, Pool
from suanwang.domain.job import JobSpec, Variant
from suanwang.domain.tenant import Actor, Role
from suanwang.store import attempt as attempts
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import ADMIN, SmallNetwork
from tests.api.conftest import Served


async def live_attempts(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        return len(await attempts.live(tx))


def pinned(centre_id: str) -> JobSpec:
    return JobSpec(f"at-{centre_id}", (Variant("A100", 1, centre=centre_id),), "true")


async def test_an_operator_of_two_centres_sees_the_jobs_of_both(served: Served) -> None:
    net = served.net
    where = Centre("north", "North", "north", "北京", 39.9, 116.4, {})
    pool = Pool("north-pool", "north", "a100-sxm-80g", (Node("n0", 8, 64),), Offer(1_000, 86_400))
    await network.join_centre(
        net.db, net.catalogue, ADMIN, Joining(where, (pool,)), "east-org", net.call(ADMIN), net.now_s
    )
    net.centres["north"] = FakeCentre("north")
    tenant = Actor("token-acme", "acme", Role.TENANT_ADMIN)
    for fake in net.centres.values():
        await net.sync(fake)
    await net.submit(tenant, pinned("east"), pinned("north"), pinned("west"))
    served.hub.news.set()
    async with asyncio.timeout(10):
        while await live_attempts(net) < 3:  # noqa: ASYNC110 the hub's own brain places them
            await asyncio.sleep(0.05)

    async with served.client(served.secrets[Role.CENTRE_OPERATOR]) as operator:
        both = (await operator.get("/v1/jobs")).json()
        one = (await operator.get("/v1/jobs", params={"centre": "north"})).json()
        none = await operator.get("/v1/jobs", params={"centre": "west"})
    assert sorted(job["name"] for job in both["jobs"]) == ["at-east", "at-north"]
    assert sum(both["states"].values()) == 2
    assert [job["name"] for job in one["jobs"]] == ["at-north"]
    assert none.status_code == 404
