"""What a tenant asks for, and the life of a job and of its attempts."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct

from suanwang.domain.project import check_name
from suanwang.errors import Conflict, InvalidInput
from suanwang.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

MAX_NODES = 10_000
MAX_CHIPS_PER_NODE = 1_024
MAX_CPUS_PER_NODE = 65_536
MAX_MEMORY_GIB_PER_NODE = 2**20
MAX_SCRIPT_LENGTH = 256 * 1024
MAX_WALLTIME_S = 366 * SECONDS_PER_DAY
MAX_COUNT = 10_000
MAX_BOOKING_LENGTH = 63
PRIORITY_RANGE = (-1000, 1000)
COMPUTE_KIND = "intelligent"
"""What a job consumes, in the words of voucher rules."""
GIT_PLACES = "a repository as https://…, ssh://… or git@host:path"
_GIT_PLACE = re.compile(r"(https?|ssh|git)://[^\s\x00-\x1f-][^\s\x00-\x1f]*|\w[\w.-]*@\w[\w.-]*:[^\s\x00-\x1f]+")
_GIT_REF = re.compile(r"(?!-)[^\s\x00-\x1f\x7f]{1,256}")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a job can run: a chip and how much of it on every node."""

    chip: str
    """Chip as the tenant wrote it (id or alias of the catalogue); `cpu` for a job without accelerators."""
    chips_per_node: int
    """In a CPU variant: cores per node."""
    cpus_per_node: int = 1
    memory_gib_per_node: float = 0.0
    image: str | None = None
    preemptible: bool = False
    centre: str | None = None
    """Pinned to this centre, if given."""
    max_fen_per_hour: int | None = None
    """Price limit for the whole job, as SkyPilot's `max_hourly_cost`."""


class BlobWorkdir(Struct, frozen=True, tag_field="kind", tag="blob"):
    """A working directory that was uploaded as a tar.gz archive."""

    sha256: str


class GitWorkdir(Struct, frozen=True, tag_field="kind", tag="git"):
    """A working directory that every attempt clones."""

    url: str
    ref: str | None = None


class Objective(StrEnum):
    CHEAPEST = "cheapest"
    SOONEST = "soonest"
    BALANCED = "balanced"


Within = Literal["pool", "cabinet"]
"""How far apart the nodes of one gang may be."""


def check_within(within: str) -> None:
    """Raises InvalidInput."""
    if within not in get_args(Within):
        raise InvalidInput("within", within, ", ".join(get_args(Within)))


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One batch job. Resources are per node, `run` starts on every node, after `setup`."""

    name: str
    variants: tuple[Variant, ...]
    run: str
    setup: str = ""
    num_nodes: int = 1
    walltime_s: int = SECONDS_PER_HOUR
    """Limit of one attempt; a lone attempt that reaches it is ended as timed out."""
    envs: dict[str, str] = field(default_factory=dict)
    workdir: BlobWorkdir | GitWorkdir | None = None
    ordered: bool = False
    """The order of the variants is the tenant's preference; otherwise they are equal."""
    objective: Objective = Objective.BALANCED
    priority: int = 0
    max_cost_fen: int | None = None
    use: str = "training"
    """What the compute is for, in the words of voucher rules: training, inference, application."""
    voucher: str | None = None
    """A voucher to pay with; empty: the tenant's vouchers in order of their end; `none`: no voucher."""
    project: str | None = None
    """A project of the tenant, whose budget it draws on."""
    max_recoveries: int = 3
    """Attempts that may follow a failure of the centre (node lost, process killed from outside, preempted)."""
    max_restarts_on_errors: int = 0
    recover_on_exit_codes: tuple[int, ...] = ()
    preemptible: bool = False
    """An attempt may be told to leave for another job; the job goes on from its checkpoint once there is room."""
    checkpoint_every_s: int = 0
    """How often it saves its work, as it says. 0: who ends it early is taken to lose all of the attempt."""
    labels: dict[str, str] = field(default_factory=dict)
    booking: str | None = None
    """A booking to run in, and nowhere else."""
    within: Within = "pool"
    """cabinet: all its nodes in one cabinet, or not at all."""


class JobState(StrEnum):
    QUEUED = "queued"
    PLACED = "placed"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStep(StrEnum):
    """What can happen to a job."""

    PLACE = "place"
    START = "start"
    RECOVER = "recover"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    CONFIRM_CANCEL = "confirm_cancel"


ENDED_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
LIVE_STATES = frozenset(JobState) - ENDED_STATES

_S, _T = JobState, JobStep
TRANSITIONS: MappingProxyType[tuple[JobState, JobStep], JobState] = MappingProxyType(
    {
        (_S.QUEUED, _T.PLACE): _S.PLACED,
        (_S.QUEUED, _T.CANCEL): _S.CANCELLED,
        (_S.QUEUED, _T.FAIL): _S.FAILED,
        (_S.PLACED, _T.START): _S.RUNNING,
        (_S.PLACED, _T.RECOVER): _S.QUEUED,
        (_S.PLACED, _T.SUCCEED): _S.SUCCEEDED,
        (_S.PLACED, _T.FAIL): _S.FAILED,
        (_S.PLACED, _T.CANCEL): _S.CANCELLING,
        (_S.RUNNING, _T.RECOVER): _S.QUEUED,
        (_S.RUNNING, _T.SUCCEED): _S.SUCCEEDED,
        (_S.RUNNING, _T.FAIL): _S.FAILED,
        (_S.RUNNING, _T.CANCEL): _S.CANCELLING,
        (_S.CANCELLING, _T.SUCCEED): _S.SUCCEEDED,
        (_S.CANCELLING, _T.FAIL): _S.FAILED,
        (_S.CANCELLING, _T.CONFIRM_CANCEL): _S.CANCELLED,
    }
)
"""The whole life of a job. PLACED -> SUCCEEDED happens when start and end arrive in one report."""


def after(state: JobState, step: JobStep) -> JobState:
    """The state after a step. Raises Conflict if the step is not possible in that state."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise Conflict(f"a job that is {state} cannot {step}", state=state, step=step) from None


class Phase(StrEnum):
    """What is known of an attempt. UNKNOWN is "cannot see", never "dead"."""

    PLACED = "placed"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


PHASE_RANK = MappingProxyType({Phase.PLACED: 0, Phase.STARTING: 1, Phase.UNKNOWN: 1, Phase.RUNNING: 2, Phase.ENDED: 3})
"""A report never moves an attempt to a lower rank: late and repeated reports change nothing."""


class Cause(StrEnum):
    """Why an attempt ended. Success is proved by the scheduler or the exit record, never assumed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    """Ended by a signal that neither the tenant's code nor the network sent."""
    PREEMPTED = "preempted"
    NODE_FAILED = "node_failed"
    NEVER_STARTED = "never_started"
    SETUP_FAILED = "setup_failed"
    ABANDONED = "abandoned"
    """The network gave it up, because nothing is heard of its centre; never reported by an agent."""


CENTRE_CAUSES = frozenset({Cause.KILLED, Cause.PREEMPTED, Cause.NODE_FAILED, Cause.NEVER_STARTED, Cause.ABANDONED})
"""Ends that are not the tenant's doing: the job recovers, and by default lost work is not billed."""


def step_after_end(
    spec: JobSpec,
    cause: Cause,
    exit_code: int | None,
    recoveries: int,
    restarts: int,
    cancelling: bool,
    made_room: bool = False,
) -> JobStep:
    """What happens to a job when its attempt ended.

    `recoveries` and `restarts` count earlier attempts that ended by the centre and by the tenant's own error.
    `made_room`: the network told it to leave for another job, which is nobody's failure and counts as none.
    """
    if cause is Cause.SUCCEEDED:
        return JobStep.SUCCEED
    if cancelling:
        return JobStep.CONFIRM_CANCEL
    if made_room:
        return JobStep.RECOVER
    if cause in CENTRE_CAUSES:
        return JobStep.RECOVER if recoveries < spec.max_recoveries else JobStep.FAIL
    if cause is Cause.FAILED and restarts < spec.max_restarts_on_errors:
        return JobStep.RECOVER
    if cause is Cause.FAILED and exit_code in spec.recover_on_exit_codes and restarts < MAX_RESTARTS_ON_EXIT_CODES:
        return JobStep.RECOVER
    return JobStep.FAIL


MAX_RESTARTS_ON_EXIT_CODES = 100


def check(spec: JobSpec) -> None:
    """Refuse a job that no centre could run. Raises InvalidInput naming the field."""
    if not spec.name or len(spec.name) > 128 or not spec.name.isprintable():
        raise InvalidInput("name", spec.name, "1 to 128 printable characters")
    if not spec.run.strip():
        raise InvalidInput("run", spec.run, "the command to run; a job without one does nothing")
    for key, text in (("run", spec.run), ("setup", spec.setup)):
        if len(text) > MAX_SCRIPT_LENGTH:
            raise InvalidInput(key, f"{len(text)} characters", f"at most {MAX_SCRIPT_LENGTH}; put more in the workdir")
        if "\0" in text:
            raise InvalidInput(key, text, "text without NUL characters")
    if not 1 <= spec.num_nodes <= MAX_NODES:
        raise InvalidInput("num_nodes", spec.num_nodes, f"1 to {MAX_NODES}")
    if not 1 <= spec.walltime_s <= MAX_WALLTIME_S:
        raise InvalidInput("walltime_s", spec.walltime_s, f"1 to {MAX_WALLTIME_S} seconds")
    if not PRIORITY_RANGE[0] <= spec.priority <= PRIORITY_RANGE[1]:
        raise InvalidInput("priority", spec.priority, f"{PRIORITY_RANGE[0]} to {PRIORITY_RANGE[1]}")
    if spec.max_cost_fen is not None and spec.max_cost_fen < 0:
        raise InvalidInput("max_cost_fen", spec.max_cost_fen, "0 or more fen")
    _check_recovery(spec)
    _check_place(spec)
    _check_variants(spec.variants)
    if not 1 <= len(spec.use) <= 64 or not spec.use.isprintable():
        raise InvalidInput("use", spec.use, "1 to 64 printable characters, like training")
    for key, value in spec.envs.items():
        if not key.isascii() or not key.replace("_", "a").isalnum() or key[0].isdigit():
            raise InvalidInput(f"envs.{key}", key, "names of letters, digits and underscores")
        if "\0" in value:
            raise InvalidInput(f"envs.{key}", value, "text without NUL characters")
    if len(spec.envs) > 256 or sum(len(k) + len(v) for k, v in spec.envs.items()) > MAX_SCRIPT_LENGTH:
        raise InvalidInput("envs", len(spec.envs), f"at most 256 variables and {MAX_SCRIPT_LENGTH} characters")
    if len(spec.labels) > 64 or any(len(k) + len(v) > 512 for k, v in spec.labels.items()):
        raise InvalidInput("labels", len(spec.labels), "at most 64 labels of 512 characters")
    for key, value in spec.labels.items():
        if not key or not key.isprintable() or not value.isprintable():
            raise InvalidInput(
                "labels", f"{key}: {value}", "a name and a text without line breaks or control characters"
            )


def _check_recovery(spec: JobSpec) -> None:
    if not 0 <= spec.max_recoveries <= 100:
        raise InvalidInput("max_recoveries", spec.max_recoveries, "0 to 100")
    if not 0 <= spec.max_restarts_on_errors <= 100:
        raise InvalidInput("max_restarts_on_errors", spec.max_restarts_on_errors, "0 to 100")
    if len(spec.recover_on_exit_codes) > 256 or not all(0 <= code <= 255 for code in spec.recover_on_exit_codes):
        raise InvalidInput("recover_on_exit_codes", len(spec.recover_on_exit_codes), "at most 256 codes from 0 to 255")
    if not 0 <= spec.checkpoint_every_s <= MAX_WALLTIME_S:
        raise InvalidInput("checkpoint_every_s", spec.checkpoint_every_s, f"0 to {MAX_WALLTIME_S} seconds")


def check_git(workdir: GitWorkdir, where: str = "workdir") -> None:
    """Refuse what no agent should hand to git: other ways than to clone, options in the place of names, secrets.

    Raises InvalidInput; a password in the URL is not repeated in its message.
    """
    url, ref = workdir.url, workdir.ref
    try:
        parts = urlsplit(url)
        has_secret = parts.password is not None or (parts.scheme in ("http", "https") and parts.username is not None)
    except ValueError:
        raise InvalidInput(f"{where}.url", url, GIT_PLACES) from None
    if has_secret:
        shown = f"{parts.scheme}://…@{parts.hostname}"
        allowed = "a URL without user and password: the hub keeps no secrets"
        raise InvalidInput(f"{where}.url", shown, allowed, code="SECRETS_REFUSED")
    if not _GIT_PLACE.fullmatch(url):
        raise InvalidInput(f"{where}.url", url, GIT_PLACES)
    if ref is not None and not _GIT_REF.fullmatch(ref):
        raise InvalidInput(f"{where}.ref", ref, "a branch, tag or commit as text; put digits in quotes")


def _check_place(spec: JobSpec) -> None:
    if isinstance(spec.workdir, GitWorkdir):
        check_git(spec.workdir)
    check_within(spec.within)
    if spec.project is not None:
        check_name(spec.project)
    if spec.booking is not None and not 1 <= len(spec.booking) <= MAX_BOOKING_LENGTH:
        raise InvalidInput("booking", spec.booking, "the id of a booking")


def _check_variants(variants: tuple[Variant, ...]) -> None:
    if not 1 <= len(variants) <= 32:
        raise InvalidInput("variants", len(variants), "1 to 32 variants")
    for i, variant in enumerate(variants):
        if not 1 <= variant.chips_per_node <= MAX_CHIPS_PER_NODE:
            raise InvalidInput(f"variants[{i}].chips_per_node", variant.chips_per_node, f"1 to {MAX_CHIPS_PER_NODE}")
        if not 0 <= variant.cpus_per_node <= MAX_CPUS_PER_NODE:
            raise InvalidInput(f"variants[{i}].cpus_per_node", variant.cpus_per_node, f"0 to {MAX_CPUS_PER_NODE}")
        if not 0 <= variant.memory_gib_per_node <= MAX_MEMORY_GIB_PER_NODE:
            allowed = f"0 to {MAX_MEMORY_GIB_PER_NODE}"
            raise InvalidInput(f"variants[{i}].memory_gib_per_node", variant.memory_gib_per_node, allowed)
