"""A whole hub in one process: database (its own, unless one is given), brain, HTTP."""

import asyncio
import fcntl
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from suanwang.api.app import create_app
from suanwang.api.network import new_secret
from suanwang.catalogue import read_catalogue
from suanwang.control import daemon, network
from suanwang.control.daemon import LIVE_POLICY, Hub
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.tenant import Quotas
from suanwang.errors import Conflict, Failed, Unreachable
from suanwang.policyfile import read_hub_policy
from suanwang.settings import Settings
from suanwang.store import db, embedded
from suanwang.store.migrate import migrate
from suanwang.units import BYTES_PER_MIB, SECONDS_PER_DAY

log = logging.getLogger("suanwang.hub")
DATABASE_FOLDER, LOCK_FILE = "database", "hub.lock"
BACKLOG = 1024
ALLOCATIONS_PER_COLLECTION = 20_000
"""A burst of jobs makes thousands of objects that live on for a moment, and few cycles."""


async def run_hub(
    settings: Settings,
    *,
    keep: Callable[[str, str], None],
    ready: Callable[[str], None],
    new_administrator: bool = False,
) -> None:
    """Until cancelled. `ready(url)` is called once it listens.

    At the very first start `keep(url, secret)` is given the first administrator's token to store, before the network is
    founded with it: a crash in between loses nothing, the next start begins anew. With `new_administrator` a network
    that is there already gets another administrator's token, which `keep` is given too.

    Raises Unreachable if the database does not answer or the address is taken, InvalidInput for a wrong database URL
    or policy file, Refused if the database's user lacks rights, Conflict if a hub runs with this home already.
    """
    policy = read_hub_policy(settings.policy_file, LIVE_POLICY)
    _require_free(settings.host, settings.port)
    public_url = f"http://{settings.host}:{settings.port}"
    with _only_hub_of(settings.home):
        async with _database(settings) as url:
            await _run(settings, policy, url, public_url, keep, ready, new_administrator)


async def _run(
    settings: Settings,
    policy: Policy,
    url: str,
    public_url: str,
    keep: Callable[[str, str], None],
    ready: Callable[[str], None],
    new_administrator: bool,
) -> None:
    await migrate(url)
    database = await db.connect(url)
    try:
        hub = Hub(
            database,
            read_catalogue(),
            lambda: int(time.time()),
            settings.unseen_after_s,
            policy,
            quotas=Quotas(settings.live_jobs_quota, settings.blob_quota_mib * BYTES_PER_MIB),
            keep_s=settings.keep_days * SECONDS_PER_DAY,
            billing_zone=settings.billing_zone,
        )
        if not await network.is_founded(database):
            secret = new_secret()
            keep(public_url, secret)
            await network.found_network(database, secret, hub.clock())
        elif new_administrator:
            secret = new_secret()
            before = await network.new_administrator(database, secret, hub.clock())
            keep(public_url, secret)
            log.warning("a new administrator's token is issued; in force before it: %s", ", ".join(before) or "-")
        await asyncio.to_thread(daemon.warm_up)
        _settle_memory()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(daemon.run(hub))
            tasks.create_task(_serve(create_app(hub), settings.host, settings.port))
            await _listening(settings.host, settings.port)
            ready(public_url)
    finally:
        await database.close()


def _settle_memory() -> None:
    """What is loaded by now stays: a million objects, mostly the compiler's, that no collection need look at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[str]:
    """The given database, or our own: started if it does not run, kept running, stopped at the end."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    folder = settings.home / DATABASE_FOLDER
    starting = asyncio.create_task(asyncio.to_thread(embedded.start, folder))
    stop = asyncio.Event()
    try:
        url = await asyncio.shield(starting)
        keeper = asyncio.create_task(embedded.keep_running(folder, stop))
        try:
            yield url
        finally:
            stop.set()
            await keeper
    finally:
        await asyncio.wait({starting})  # who is interrupted while it starts leaves no server behind either
        if starting.exception() is None:
            await asyncio.to_thread(embedded.stop, folder)


@contextmanager
def _only_hub_of(home: Path) -> Iterator[None]:
    """Two hubs on one home would stop the database under each other. The lock ends with the process, in any way."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"a hub runs already with {home}; stop it, or give this one another SUANWANG_HOME",
                code="HUB_RUNS_ALREADY",
                home=str(home),
            ) from None
        yield


async def _serve(app: Litestar, host: str, port: int) -> None:
    server = Server(app, address=host, port=port, interface=Interfaces.ASGI, backlog=BACKLOG, log_enabled=False)
    try:
        await server.serve()
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    raise Failed("the HTTP server ended by itself", code="HTTP_SERVER_ENDED")


def _require_free(host: str, port: int) -> None:
    """A clear word now is better than a server that cannot bind later."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unreachable(
                f"{host}:{port} cannot be used ({error.strerror}); is a hub running already? Choose another --port",
                code="ADDRESS_TAKEN",
                address=f"{host}:{port}",
            ) from None


async def _listening(host: str, port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise Unreachable(f"the HTTP server did not start listening on {host}:{port}", code="HTTP_SERVER_SILENT")
