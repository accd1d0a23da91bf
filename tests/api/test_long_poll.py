"""The agent's long exchange: an idle centre stays seen, and an order ends the wait at once."""

import asyncio
import time
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from suanwang.api.app import create_app
from suanwang.catalogue import read_catalogue
from suanwang.control import daemon, network, submit
from suanwang.control.daemon import Hub
from suanwang.domain.tenant import Actor, Role
from suanwang.store import db
from suanwang.store.migrate import migrate
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from tests.api.conftest import Served

LONG_S = 25


def message(now_s: int, version: int, wait_s: int) -> dict[str, Any]:
    return {"agent_id": "a", "version": version, "now_s": now_s, "reports": [], "wait_s": wait_s}


async def exchange(agent: httpx.AsyncClient, now_s: int, version: int = 0, wait_s: int = LONG_S) -> dict[str, Any]:
    answer = await agent.post("/v1/agent/east/sync", json=message(now_s, version, wait_s), timeout=LONG_S + 5)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def state_of_east(client: httpx.AsyncClient) -> str:
    centres = (await client.get("/v1/centres")).json()
    return str(next(centre["state"] for centre in centres if centre["id"] == "east"))


async def test_a_centre_whose_agent_is_idle_stays_seen(served: Served) -> None:
    """The agent asks to wait far longer than the hub's patience; the hub answers in time to hear it again."""
    hub = Hub(served.hub.db, read_catalogue(), lambda: int(time.time()), unseen_after_s=3)
    served.app = create_app(hub)
    loops = asyncio.create_task(daemon.run(hub))
    waits, states = [], set()
    try:
        async with served.client(served.secrets[Role.CENTRE_AGENT]) as agent, served.client(None) as anybody:
            version = (await exchange(agent, int(time.time()), wait_s=0))["version"]
            until = time.monotonic() + 7
            while time.monotonic() < until:
                began = time.monotonic()
                waiting = asyncio.create_task(exchange(agent, int(time.time()), version))
                while not waiting.done():
                    states.add(await state_of_east(anybody))
                    await asyncio.sleep(0.1)
                version = (await waiting)["version"]
                waits.append(time.monotonic() - began)
            assert states == {"seen"}
            assert min(waits) > 0.8  # it was really held, not asked again and again
            async with asyncio.timeout(10):  # and silence is still noticed
                while await state_of_east(anybody) != "unseen":  # noqa: ASYNC110 - the hub says so, nobody announces it
                    await asyncio.sleep(0.1)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)


async def test_an_order_ends_the_wait_though_an_older_transaction_hides_it_at_first(
    database_url: str, postgres_url: str
) -> None:
    """The order is committed and the bell rung while an older transaction is open, so it cannot be read yet. Others
    are committed in between. The wait ends when the older one does, not when its time is up."""
    await migrate(database_url)
    database = await db.connect(database_url)
    net = SmallNetwork(database)
    await net.found()
    acme = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    hub = Hub(database, read_catalogue(), lambda: net.now_s, unseen_after_s=90)
    served, stranger = Served(create_app(hub), hub, net), await asyncpg.connect(postgres_url)
    secret = await served.token(Actor("", "east-org", Role.CENTRE_AGENT, "east"))
    try:
        async with served.client(secret) as agent:
            version = (await exchange(agent, net.now_s, wait_s=0))["version"]
            job = (await net.submit(acme, job_spec()))[0]
            await net.think()
            reply = await exchange(agent, net.now_s, version, wait_s=0)
            assert [order["job_id"] for order in reply["orders"]] == [job.job_id]
            waiting = asyncio.create_task(exchange(agent, net.now_s, reply["orders"][0]["version"] + 1))
            await asyncio.sleep(0.2)
            await stranger.execute("begin; select pg_current_xact_id()")
            await submit.cancel_job(database, acme, UUID(job.job_id), net.call(acme), net.now_s)  # orders the stop
            hub.bell("east").set()
            for _ in range(3):
                await network.top_up(database, ADMIN, "acme", 1, net.call(ADMIN), net.now_s)
                await asyncio.sleep(0.2)
            assert not waiting.done()
            await stranger.execute("commit")
            began = time.monotonic()
            reply = await waiting
            assert time.monotonic() - began < 2
            assert [(order["job_id"], order["attempt"]) for order in reply["orders"]] == [(job.job_id, 1)]
    finally:
        await stranger.close()
        await database.close()
