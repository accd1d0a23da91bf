"""Two hubs on one database: one decides, the other answers and stands by until the first is silent."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import msgspec
import pytest

from suanwang.client import Client
from suanwang.control import daemon
from suanwang.control.daemon import Hub
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.errors import Unreachable
from suanwang.store import db, seat
from suanwang.testing.network import SmallNetwork, job_spec
from suanwang.testing.processes import free_port
from suanwang.wire import JobRequest, NewOrganisation, NewToken, NewTopUp

PATIENCE_S = 60


@asynccontextmanager
async def running(net: SmallNetwork) -> AsyncIterator[Hub]:
    database = await db.connect(net.db.url, connections=4)
    hub = Hub(database, net.catalogue, lambda: net.now_s, unseen_after_s=30)
    loops = asyncio.create_task(daemon.run(hub))
    try:
        yield hub
    finally:
        loops.cancel()
        with suppress(asyncio.CancelledError):
            await loops
        await database.close()


async def until(what: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = what()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


async def epoch(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        return int(await tx.fetchval("select epoch from brain"))


async def test_the_second_hub_stands_by_and_takes_over(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east")
    await net.sync(east)
    async with running(net) as deciding:
        await until(lambda: deciding.brain is not None)
        async with running(net) as waiting:
            await until(lambda: waiting.standing_by)
            before = await epoch(net)
            await net.submit(tenant, *(job_spec(f"j{i}") for i in range(3)))

            async def placed() -> bool:
                await net.sync(east)
                return len(east.attempts) == 3

            await until(placed)
            await asyncio.sleep(1.2)  # longer than a brain that had been replaced took to come back
            assert await epoch(net) == before
            assert (waiting.brain, waiting.standing_by) == (None, True)
            # The server ends the session of the one that decides: as if its line were cut.
            owner = await asyncpg.connect(net.db.url)
            statement = (
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and objid = $1"
            )
            await owner.execute(statement, seat._LOCK)
            await owner.close()

            async def taken_again() -> bool:
                return await epoch(net) > before

            await until(taken_again)
            await until(lambda: sorted([waiting.standing_by, deciding.standing_by]) == [False, True])
            await asyncio.sleep(1.2)
            assert await epoch(net) == before + 1
            assert sorted([waiting.brain is None, deciding.brain is None]) == [False, True]


async def test_a_hub_that_is_silent_loses_its_seat(net: SmallNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen hub keeps its connection open and says nothing."""
    monkeypatch.setattr(seat, "SILENT_AT_MOST_S", 1)
    monkeypatch.setattr(seat, "SPEAK_EVERY_S", 60)
    waited: list[bool] = []
    async with seat.seat(net.db.url, lambda: waited.append(True)) as ours:
        assert ours()
        await asyncio.sleep(0.1)  # it has begun to say nothing
        monkeypatch.setattr(seat, "SPEAK_EVERY_S", 0.2)
        async with asyncio.timeout(10), seat.seat(net.db.url, lambda: waited.append(True)) as theirs:
            assert waited
            await until(lambda: not ours())
            await asyncio.sleep(1.5)
            assert theirs()  # who speaks keeps it


def start_hub(home: Path, port: int, database_url: str) -> "subprocess.Popen[bytes]":
    with (home / f"{port}.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "suanwang", "up", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": ":".join(sys.path),
                "SUANWANG_HOME": str(home / str(port)),
                "SUANWANG_DATABASE_URL": database_url,
            },
        )


async def brain_of(port: int) -> str:
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient() as client:
            return str((await client.get(f"http://127.0.0.1:{port}/health")).json()["brain"])
    return "silent"


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_two_hub_processes_and_the_first_is_killed(short_folder: Path, database_url: str) -> None:
    ports = [free_port(), free_port()]
    hubs = [start_hub(short_folder, ports[0], database_url)]
    try:
        await until(lambda: is_brain(ports[0], "awake"))
        hubs.append(start_hub(short_folder, ports[1], database_url))
        await until(lambda: is_brain(ports[1], "standby"))
        profile = short_folder / str(ports[0]) / "profiles" / "default.json"
        secret = msgspec.json.decode(profile.read_bytes(), type=dict[str, str])["token"]
        async with Client(f"http://127.0.0.1:{ports[1]}", secret) as admin:
            await admin.add_organisation(NewOrganisation(id="acme", name="Acme", kind=OrganisationKind.TENANT))
            await admin.top_up(NewTopUp(tenant_id="acme", amount_fen=10**6))
            token = await admin.issue_token(NewToken(organisation_id="acme", role=Role.TENANT_MEMBER))
        async with Client(f"http://127.0.0.1:{ports[1]}", token.secret, retry=False) as tenant:
            # The one that stands by answers; only what needs a brain it cannot say.
            with pytest.raises(Unreachable) as no:
                await tenant.quote(JobRequest(spec=msgspec.to_builtins(job_spec())))
            assert no.value.code == "BRAIN_STANDS_BY"
            hubs[0].send_signal(signal.SIGKILL)
            hubs[0].wait()
            await until(lambda: is_brain(ports[1], "awake"))
            quote = await tenant.quote(JobRequest(spec=msgspec.to_builtins(job_spec())))
            assert quote.lines == []
        log = (short_folder / f"{ports[1]}.log").read_text()
        assert "another hub decides for this network" in log
        assert "the hub that decided is silent: this one decides now" in log
    finally:
        for one in hubs:
            one.terminate()
            one.wait()


async def is_brain(port: int, state: str) -> bool:
    return await brain_of(port) == state
