"""What happens in the demonstration, step by step, through the public client."""

import asyncio
import csv
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import yaml

from suanwang.agent.archive import pack
from suanwang.centrefile import read_centre_file
from suanwang.cli.profile import Profile, write_profile
from suanwang.client import Client
from suanwang.domain.job import ENDED_STATES, JobSpec, JobState, Variant
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.i18n import _
from suanwang.protocol import MAX_BLOB_BYTES
from suanwang.testing.processes import Processes, kill_worker, worker_of
from suanwang.units import SECONDS_PER_HOUR, fen_of_yuan
from suanwang.wire import (
    CentreLine,
    ClaimAnswer,
    ContractPart,
    JobList,
    JobRequest,
    NewClaim,
    NewListing,
    NewOrganisation,
    NewProgramme,
    NewToken,
    NewTopUp,
    Proofs,
    Quote,
    Receipt,
    Settlement,
    Submission,
)

HERE = Path(__file__).parent
CENTRES = ("zhangjiakou", "wuhu", "qingyang")
PARTNERS, PARTNER_LIST = ("zhangjiakou", "wuhu"), "通用人工智能产业创新伙伴计划 算力伙伴"
"""Whom the officer puts on the list that Beijing's rules name; being on it is fiction."""
ARRIVE_WITHIN_S = 40.0
"""The sample's arrivals are squeezed into so many seconds."""
SHRINK_RUNS_BY = 28_180
"""Hours and days of the sample become seconds; SOURCES.md says what that keeps and what it does not."""
KILL_WORKER_AT_STEP = 300
KILL_WORKER_AFTER_S = 1.0
AGENT_DARK_FOR_S = 10.0
GIVE_UP_AFTER_S = 170.0


@dataclass(slots=True)
class Picture:
    """What a watcher sees while it runs."""

    said: list[str] = field(default_factory=list)
    centres: list[CentreLine] = field(default_factory=list)
    jobs: JobList | None = None
    training: Receipt | None = None


@dataclass(slots=True)
class Outcome:
    """What is left when it is over."""

    claim: ClaimAnswer
    quote: Quote
    receipt: Receipt
    settlement: Settlement
    proofs: Proofs
    jobs: JobList
    starts: dict[str, int]
    """Attempt -> how often its processes were really started, counted by the jobs themselves."""
    unseen_was_shown: bool
    """The centre whose agent was killed was shown as unseen while it was silent, and as seen after that."""

    @property
    def good(self) -> bool:
        once = all(times == 1 for times in self.starts.values())
        succeeded = all(job.state is JobState.SUCCEEDED for job in self.jobs.jobs)
        resumed = len(self.receipt.attempts) > 1 and self.receipt.attempts[-1].resume_from is not None
        return self.proofs.hold and once and succeeded and resumed and self.unseen_was_shown


@dataclass(slots=True)
class Story:
    processes: Processes
    say: Callable[[str], None]
    picture: Picture = field(default_factory=Picture)
    clients: dict[str, Client] = field(default_factory=dict)
    unseen_was_shown: bool = False

    @property
    def starts(self) -> Path:
        """Every job of the trace writes a line here when it really starts."""
        return self.processes.home / "starts"

    async def run(self) -> Outcome:
        await self.found_the_network()
        claim = await self.claim_a_voucher()
        quote = await self.ask_for_a_quote()
        training_id = await self.submit_training()
        async with asyncio.timeout(GIVE_UP_AFTER_S), asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self.watch(training_id))
            arrivals = tasks.create_task(self.submit_arrivals())
            tasks.create_task(self.kill_one_worker(training_id))
            tasks.create_task(self.kill_one_agent())
            await arrivals
            await watcher
        return await self.close_the_books(claim, quote, training_id)

    def client(self, name: str, token: str) -> Client:
        self.clients[name] = Client(self.processes.url, token)
        return self.clients[name]

    async def close(self) -> None:
        for client in self.clients.values():
            await client.close()

    async def found_the_network(self) -> None:
        self.say(_("starting the hub with its own PostgreSQL"))
        await self.processes.start_hub()
        admin = self.client("admin", self.processes.admin_token())
        for name, role in (("agency", Role.PROGRAMME_OFFICER), ("startup", Role.TENANT_ADMIN)):
            tenant = name == "startup"
            facts = yaml.safe_load((HERE / "startup.yaml").read_text("utf-8")) if tenant else {}
            kind = OrganisationKind.TENANT if tenant else OrganisationKind.AGENCY
            await admin.add_organisation(NewOrganisation(id=name, name=name.title(), kind=kind, facts=facts))
            token = await admin.issue_token(NewToken(organisation_id=name, role=role))
            self.client(name, token.secret)
            write_profile(self.processes.home, name, Profile(self.processes.url, token.secret))
        await admin.top_up(NewTopUp(tenant_id="startup", amount_fen=fen_of_yuan(1_000_000)))
        self.say(_("three centres join; each has an agent process of its own"))
        for centre_id in CENTRES:
            await self.join(centre_id)
        async with asyncio.timeout(30):
            while any(centre.state == "unseen" for centre in await admin.centres()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def join(self, centre_id: str) -> None:
        admin = self.clients["admin"]
        path = HERE / "centres" / f"{centre_id}.yaml"
        owner = f"{centre_id}-centre"
        kind = OrganisationKind.CENTRE
        await admin.add_organisation(NewOrganisation(id=owner, name=owner, kind=kind))
        offered = read_centre_file(path.read_text("utf-8"), organisation_id=owner)
        # A second of the demonstration stands for an hour, so it costs as much.
        pools = tuple(
            msgspec.structs.replace(pool, fen_per_chip_hour=pool.fen_per_chip_hour * SECONDS_PER_HOUR)
            for pool in offered.pools
        )
        await admin.join_centre(msgspec.structs.replace(offered, pools=pools))
        new = NewToken(organisation_id=owner, role=Role.CENTRE_AGENT, centre_id=centre_id)
        token_file = self.processes.home / f"{centre_id}.token"
        token_file.touch(mode=0o600)
        token_file.write_text((await admin.issue_token(new)).secret, "utf-8")
        self.processes.start_agent(centre_id, path, token_file)

    async def claim_a_voucher(self) -> ClaimAnswer:
        officer, startup = self.clients["agency"], self.clients["startup"]
        rules = (HERE / "programme" / "beijing-2023-extended.yaml").read_text("utf-8")
        programme = await officer.add_programme(NewProgramme(rules=rules, automatic_limit_fen=fen_of_yuan(50_000)))
        for centre_id in PARTNERS:
            await officer.change_list(NewListing(list=PARTNER_LIST, centre_id=centre_id))
        await officer.fund(programme.id, fen_of_yuan(1_000_000))
        self.say(_("the agency funds {programme}; the start-up claims").format(programme=programme.id))
        contract = NewClaim(
            programme_id=programme.id,
            contract_id="demo-contract-1",
            signed_on=time.strftime("%Y-%m-%d", time.gmtime()),
            term_days=90,
            parts=(
                ContractPart(kind="intelligent", amount_fen=fen_of_yuan(200_000)),
                ContractPart(kind="storage", amount_fen=fen_of_yuan(5_000)),
            ),
            facts={"project_tags": ["十四五高精尖人工智能方向"]},
        )
        return await startup.claim(contract)

    def training(self, workdir: str) -> JobRequest:
        task = (HERE / "digits" / "task.yaml").read_text("utf-8")
        return JobRequest(task=task, workdir_sha256=workdir, envs={"PYTHON": sys.executable})

    async def ask_for_a_quote(self) -> Quote:
        self.say(_("it asks every centre for a quote for a real training job"))
        return await self.clients["startup"].quote(self.training(workdir="0" * 64))

    async def submit_training(self) -> str:
        startup = self.clients["startup"]
        workdir = await startup.put_blob(pack_folder(HERE / "digits"))
        submitted = await startup.submit(Submission(jobs=(self.training(workdir=workdir),)))
        self.say(_("the training job is submitted; its value is held"))
        return submitted.jobs[0].job_id

    async def submit_arrivals(self) -> None:
        """The sample's jobs at their own times, squeezed: real processes that take the scaled time."""
        with (HERE / "arrivals.csv").open(newline="") as rows:
            jobs = list(csv.DictReader(row for row in rows if not row.startswith("#")))
        last_s = max(float(job["submit_s"]) for job in jobs) or 1.0
        began = time.monotonic()
        for job in jobs:
            at_s = float(job["submit_s"]) / last_s * ARRIVE_WITHIN_S
            await asyncio.sleep(max(0.0, began + at_s - time.monotonic()))
            spec = arrival(job["job"], int(job["gpus"]), scaled_run_s(float(job["run_s"])), self.starts)
            await self.clients["startup"].submit(Submission(jobs=(JobRequest(spec=msgspec.to_builtins(spec)),)))
        self.say(_("{count} jobs of a real trace have arrived").format(count=len(jobs)))

    async def watch(self, training_id: str) -> None:
        """Until every job is over, and all arrivals are in."""
        startup, until = self.clients["startup"], time.monotonic() + GIVE_UP_AFTER_S
        with (HERE / "arrivals.csv").open(newline="") as rows:
            expected = 1 + sum(1 for row in csv.DictReader(row for row in rows if not row.startswith("#")))
        while time.monotonic() < until:
            self.picture.jobs = await startup.jobs(limit=500)
            self.picture.centres = await startup.centres()
            self.picture.training = await startup.job(training_id)
            states = self.picture.jobs.states
            if sum(n for state, n in states.items() if JobState(state) in ENDED_STATES) >= expected:
                return
            await asyncio.sleep(0.5)

    async def kill_one_worker(self, training_id: str) -> None:
        """Once the training has a checkpoint and has gone on a little, its process is killed from outside."""
        while True:
            await asyncio.sleep(0.2)
            training = self.picture.training
            if training is not None and training.state in ENDED_STATES:
                return
            attempt = training.attempts[-1] if training and training.attempts else None
            if attempt is None or attempt.checkpoint is None or attempt.progress is None:
                continue
            if attempt.checkpoint["step"] < KILL_WORKER_AT_STEP:
                continue
            await asyncio.sleep(KILL_WORKER_AFTER_S)  # so that there is work to lose
            pid = worker_of(training_id, attempt.number, "train.py")
            if pid is not None:
                kill_worker(pid)
                self.say(
                    _("the training process at {centre} is killed at step {step}").format(
                        centre=attempt.centre_id, step=attempt.progress["step"]
                    )
                )
                return

    async def kill_one_agent(self) -> None:
        """The agent of a centre that has work, but not the training, dies and comes back later."""
        while True:
            await asyncio.sleep(0.5)
            jobs, training = self.picture.jobs, self.picture.training
            if jobs is None or training is None or not training.attempts:
                continue
            if all(JobState(state) in ENDED_STATES for state in jobs.states):
                return
            busy = {job.centre_id for job in jobs.jobs if job.state is JobState.RUNNING}
            busy -= {training.attempts[-1].centre_id, None}
            if busy and sum(jobs.states.values()) > 8:
                victim = min(str(centre_id) for centre_id in busy)
                break
        self.processes.kill(f"agent-{victim}")
        self.say(_("the agent of {centre} is killed; its jobs run on").format(centre=victim))
        await asyncio.sleep(AGENT_DARK_FOR_S)
        dark = await self.state_of(victim)
        self.processes.start_agent(victim, HERE / "centres" / f"{victim}.yaml", self.processes.home / f"{victim}.token")
        self.say(_("the agent of {centre} is back").format(centre=victim))
        async with asyncio.timeout(20):
            while await self.state_of(victim) != "seen":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        self.unseen_was_shown = dark == "unseen"

    async def state_of(self, centre_id: str) -> str:
        centres = await self.clients["startup"].centres()
        return next(centre.state for centre in centres if centre.id == centre_id)

    async def close_the_books(self, claim: ClaimAnswer, quote: Quote, training_id: str) -> Outcome:
        admin, startup = self.clients["admin"], self.clients["startup"]
        self.say(_("all jobs are over: settlement and proofs"))
        settlement = await admin.settle()
        return Outcome(
            claim,
            quote,
            await startup.job(training_id),
            settlement,
            await admin.prove(),
            await startup.jobs(limit=500),
            counted_starts(self.starts),
            self.unseen_was_shown,
        )


def scaled_run_s(run_s: float) -> float:
    """At least a second: a process has to start and end."""
    return max(1.0, run_s / SHRINK_RUNS_BY)


def arrival(name: str, chips: int, run_s: float, starts: Path) -> JobSpec:
    """One job of the trace: it counts its own start, then takes its time."""
    per_node = min(chips, 4)
    run = f'echo "$SUANWANG_JOB_ID.$SUANWANG_ATTEMPT.$SKYPILOT_NODE_RANK" >> "$STARTS"\nsleep {run_s:.1f}\n'
    variants = tuple(Variant(chip, per_node) for chip in ("A100", "Ascend910B"))
    return JobSpec(
        name,
        variants,
        run,
        num_nodes=chips // per_node,
        walltime_s=max(20, int(run_s * 3)),
        envs={"STARTS": str(starts)},
    )


def pack_folder(folder: Path) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "workdir.tar.gz"
        pack(folder, archive, MAX_BLOB_BYTES)
        return archive.read_bytes()


def counted_starts(starts: Path) -> dict[str, int]:
    """What the jobs themselves wrote when they started: job, attempt and node -> times."""
    return dict(Counter(starts.read_text("utf-8").split()))
