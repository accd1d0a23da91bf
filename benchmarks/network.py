"""The network that is measured: a hub as users start it, one centre, tenants with money, and a fake agent."""

import asyncio
import json
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.fakeagent import Told
from benchmarks.peer import Peer
from benchmarks.submitters import Load, Sent
from suanwang.client import Client
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.testing.processes import Processes
from suanwang.wire import NewCentre, NewNodes, NewOrganisation, NewPool, NewToken, NewTopUp

CENTRE = "bench"
NODES, CHIPS_PER_NODE = 2_000, 8
TENANTS = 16
CASH_FEN = 10**14
FEN_PER_CHIP_HOUR = 1_000
PATIENCE_S = 300.0

SPEC = {"name": "bench", "variants": [{"chip": "A100", "chips_per_node": 1}], "run": "python train.py"}
TASK = "name: bench\nresources:\n  accelerators: A100:1\nrun: |\n  python train.py\n"


def one_job() -> str:
    return json.dumps({"jobs": [{"spec": SPEC}]})


def task_file() -> str:
    return json.dumps({"jobs": [{"task": TASK, "walltime_s": 3600}]})


def many_jobs(count: int) -> str:
    return json.dumps({"jobs": [{"spec": SPEC, "count": count}]})


@dataclass(slots=True)
class Network:
    processes: Processes
    admin: Client
    peer: Peer
    tenants: list[str]
    """Tokens; each tenant has its own cash account."""
    agent_token: str

    @property
    def port(self) -> int:
        return self.processes.port

    async def submit(
        self,
        body: str,
        *,
        connections: int,
        jobs_per_call: int = 1,
        seconds: float | None = None,
        jobs: int | None = None,
        tenants: int = TENANTS,
    ) -> Sent:
        """A load generator's whole life. Raises RuntimeError if the hub refused anything."""
        load = Load(
            port=self.port,
            tokens=self.tenants[:tenants],
            connections=connections,
            body=body,
            jobs_per_call=jobs_per_call,
            seconds=seconds,
            jobs=jobs,
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.submitters", stdin=PIPE, stdout=PIPE
        )
        try:
            said, _ = await process.communicate(msgspec.json.encode(load))
        finally:
            await end(process)
        sent = msgspec.json.decode(said, type=Sent)
        if sent.refused:
            raise RuntimeError(f"the hub refused: {sent.refused}")
        return sent

    async def jobs_in(self, state: str) -> int:
        return (await self.admin.jobs(limit=1)).states.get(state, 0)


@dataclass(slots=True)
class Agent:
    process: Process

    async def told(self) -> Told:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the fake agent ended")
        return msgspec.json.decode(line, type=Told)

    async def until_running(self, jobs: int) -> Told:
        while (told := await self.told()).running < jobs:
            pass
        return told

    async def end_all(self) -> Told:
        """Every job ends and is charged; returns when the hub has taken the last end."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"end\n")
        while (told := await self.told()).running:
            pass
        return told


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """A hub with an empty database in a temporary folder. Everything is ended and removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="swbench-", dir="/tmp"))
    home.chmod(0o755)  # the database runs as another user when we are root
    processes = Processes(home)
    try:
        await processes.start_hub()
        async with Client(processes.url, processes.admin_token()) as admin:
            tenants = [await _tenant(admin, f"tenant-{number}") for number in range(TENANTS)]
            agent_token = await _centre(admin)
            peer = Peer(home / "database", home)
            await peer.prepare()
            yield Network(processes, admin, peer, tenants, agent_token)
    finally:
        processes.stop()
        shutil.rmtree(home, ignore_errors=True)


async def _tenant(admin: Client, tenant_id: str) -> str:
    await admin.add_organisation(NewOrganisation(id=tenant_id, name=tenant_id, kind=OrganisationKind.TENANT))
    await admin.top_up(NewTopUp(tenant_id=tenant_id, amount_fen=CASH_FEN))
    return (await admin.issue_token(NewToken(organisation_id=tenant_id, role=Role.TENANT_ADMIN))).secret


async def _centre(admin: Client) -> str:
    await admin.add_organisation(NewOrganisation(id="owner", name="owner", kind=OrganisationKind.CENTRE))
    nodes = tuple(NewNodes(name=f"n{number:04}", chips=CHIPS_PER_NODE, cpus=64) for number in range(NODES))
    pool = NewPool(
        id="bench-a100",
        chip="a100-sxm-80g",
        nodes=nodes,
        fen_per_chip_hour=FEN_PER_CHIP_HOUR,
        max_walltime_s=86_400 * 10,
    )
    await admin.join_centre(
        NewCentre(
            id=CENTRE,
            organisation_id="owner",
            name="Bench",
            name_zh="测试",
            city="北京",
            latitude=39.9,
            longitude=116.4,
            pools=(pool,),
        )
    )
    new = NewToken(organisation_id="owner", role=Role.CENTRE_AGENT, centre_id=CENTRE)
    return (await admin.issue_token(new)).secret


@asynccontextmanager
async def fake_agent(net: Network) -> AsyncIterator[Agent]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.fakeagent",
        str(net.port),
        CENTRE,
        net.agent_token,
        stdin=PIPE,
        stdout=PIPE,
        limit=64 * 2**20,
    )
    try:
        yield Agent(process)
    finally:
        await end(process)


async def end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        await process.wait()
