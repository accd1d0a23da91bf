"""`kill -9` of hub, agent and database at random moments: no job lost, none started twice, no fen wrong."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from suanwang.centrefile import read_centre_file
from suanwang.client import Client
from suanwang.domain.job import ENDED_STATES, JobSpec, JobState, Variant
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.errors import Unreachable
from suanwang.testing.processes import Processes
from suanwang.wire import JobLine, JobRequest, NewOrganisation, NewToken, NewTopUp, Proofs, Submission

KILLS = 30
CENTRES = ("east", "west")


def centre_file(centre_id: str) -> str:
    return yaml.safe_dump(
        {
            "centre": {
                "id": centre_id,
                "name": centre_id,
                "name_zh": centre_id,
                "city": "北京",
                "latitude": 39.9,
                "longitude": 116.4,
            },
            "driver": "local",
            "agent": {"poll_s": 0.2, "wait_s": 5},
            "pools": [
                {
                    "id": f"{centre_id}-pool",
                    "chip": "a100-sxm-80g",
                    "nodes": {"count": 1, "prefix": "n", "chips": 4, "cpus": 8},
                    "offer": {"fen_per_chip_hour": 360_000, "max_walltime": "1h"},
                }
            ],
        }
    )


class Crashing:
    """A network of processes, and what is known to be true of it from outside."""

    def __init__(self, home: Path, seed: int) -> None:
        self.processes = Processes(home)
        self.home = home
        self.dice = random.Random(seed)
        self.starts = home / "starts"
        self.submitted: list[str] = []
        self.kills: Counter[str] = Counter()

    async def found(self) -> None:
        await self.processes.start_hub()
        self.admin = Client(self.processes.url, self.processes.admin_token())
        await self.admin.add_organisation(NewOrganisation(id="acme", name="Acme", kind=OrganisationKind.TENANT))
        await self.admin.top_up(NewTopUp(tenant_id="acme", amount_fen=10**9))
        token = await self.admin.issue_token(NewToken(organisation_id="acme", role=Role.TENANT_MEMBER))
        self.tenant = Client(self.processes.url, token.secret)
        for centre_id in CENTRES:
            owner, path = f"{centre_id}-org", self.home / f"{centre_id}.yaml"
            path.write_text(centre_file(centre_id))
            await self.admin.add_organisation(NewOrganisation(id=owner, name=owner, kind=OrganisationKind.CENTRE))
            await self.admin.join_centre(read_centre_file(path.read_text(), organisation_id=owner))
            new = NewToken(organisation_id=owner, role=Role.CENTRE_AGENT, centre_id=centre_id)
            (self.home / f"{centre_id}.token").write_text((await self.admin.issue_token(new)).secret)
            self.start_agent(centre_id)

    def start_agent(self, centre_id: str) -> None:
        self.processes.start_agent(centre_id, self.home / f"{centre_id}.yaml", self.home / f"{centre_id}.token")

    async def keep_submitting(self) -> None:
        """A client that does what clients should: the same key until there is an answer."""
        number = 0
        while True:
            number += 1
            run = f'echo "$SUANWANG_JOB_ID.$SUANWANG_ATTEMPT" >> "$STARTS"\nsleep {self.dice.uniform(0.1, 3):.1f}\n'
            spec = JobSpec(
                f"job-{number}",
                (Variant("A100", self.dice.choice((1, 1, 2, 4))),),
                run,
                walltime_s=60,
                envs={"STARTS": str(self.starts)},
            )
            await self.patiently(self.submit, spec, f"key-{number}")
            await asyncio.sleep(self.dice.uniform(0.2, 0.8))

    async def submit(self, spec: JobSpec, key: str) -> None:
        request = JobRequest(spec=msgspec.to_builtins(spec))
        answer = await self.tenant.submit(Submission(jobs=(request,)), key=key)
        self.submitted.append(answer.jobs[0].job_id)

    async def patiently(self, call: Any, *arguments: Any) -> Any:
        while True:
            try:
                return await call(*arguments)
            except Unreachable:
                await asyncio.sleep(0.3)

    async def kill_something(self) -> None:
        victim = self.dice.choice(("hub", "database", "agent-east", "agent-west", "all"))
        self.kills[victim] += 1
        if victim in ("database", "all"):
            pid = self.processes.database_pid()
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        if victim in ("hub", "all"):
            self.processes.kill("hub")
        for centre_id in CENTRES:
            if victim in (f"agent-{centre_id}", "all"):
                self.processes.kill(f"agent-{centre_id}")
        await asyncio.sleep(self.dice.uniform(0, 1))
        if "hub" not in self.processes.running:
            await self.processes.start_hub()
        for centre_id in CENTRES:
            if f"agent-{centre_id}" not in self.processes.running:
                self.start_agent(centre_id)

    async def assert_proofs(self) -> Proofs:
        proofs: Proofs = await self.patiently(self.admin.prove)
        assert proofs.hold, [(one.name, one.contradictions) for one in proofs.proofs if not one.holds]
        return proofs

    async def all_over(self) -> None:
        async with asyncio.timeout(90):
            while True:
                states = (await self.patiently(self.tenant.jobs)).states
                if set(map(JobState, states)) <= ENDED_STATES:
                    return
                await asyncio.sleep(0.5)

    async def all_jobs(self) -> list[JobLine]:
        found: list[JobLine] = []
        before = None
        while True:
            page = await self.tenant.jobs(limit=1_000, before=before)
            found += page.jobs
            before = page.next_before
            if before is None:
                return found

    async def close(self) -> None:
        await self.admin.close()
        await self.tenant.close()
        self.processes.stop()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_thirty_kills(short_folder: Path) -> None:
    seed = int(os.environ.get("SUANWANG_CRASH_SEED") or random.SystemRandom().randrange(10**6))
    print(f"SUANWANG_CRASH_SEED={seed} throws the same dice again")  # noqa: T201 seen with -s and on failure
    crashing = Crashing(short_folder, seed)
    try:
        await crashing.found()
        submitting = asyncio.create_task(crashing.keep_submitting())
        for _ in range(KILLS):
            await asyncio.sleep(crashing.dice.uniform(0.1, 1.5))
            await crashing.kill_something()
            await crashing.assert_proofs()
        submitting.cancel()
        await crashing.all_over()
        await crashing.assert_proofs()
        listed = await crashing.patiently(crashing.all_jobs)
    finally:
        await crashing.close()
    print(dict(crashing.kills), len(crashing.submitted), "jobs")  # noqa: T201 seen with -s and on failure
    assert len(set(crashing.submitted)) == len(crashing.submitted) > 0
    assert set(crashing.submitted) <= {job.id for job in listed}
    assert all(job.state is JobState.SUCCEEDED for job in listed), [
        j for j in listed if j.state is not JobState.SUCCEEDED
    ]
    starts = Counter(crashing.starts.read_text().split())
    assert set(starts.values()) == {1}, [start for start, times in starts.items() if times > 1]
    assert {start.split(".")[0] for start in starts} == {job.id for job in listed}
    assert all(job.attempts == 1 for job in listed)
