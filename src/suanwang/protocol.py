"""Messages between a centre's agent and the hub, versioned.

The agent always calls, the hub never does. One exchange, `sync`, carries everything: reports up, orders down. Reports
are facts with a number of their own (`sequence`, rising within one attempt): the hub applies each once, in any order,
however often it arrives. Orders are the desired state, with a rising `version`; an agent that lost its memory asks from
version 0 and gets everything that is live at its centre.
"""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta, Struct

from suanwang.domain.job import BlobWorkdir, Cause, GitWorkdir, Phase

PROTOCOL_VERSION = 1
MAX_REPORTS_PER_SYNC = 5_000
MAX_BLOB_BYTES = 32 * 2**20
MAX_LOG_CHUNK_BYTES = 256 * 1024
MAX_STEP = 2**53
"""The largest count that JSON readers of every language keep exactly."""
MAX_METRICS = 32
MAX_METRIC_NAME_LENGTH = 64
Step = Annotated[int, Meta(ge=0, le=MAX_STEP)]
MetricName = Annotated[str, Meta(min_length=1, max_length=MAX_METRIC_NAME_LENGTH)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A saved state of a job's work. `kept_until_s`: work done before this instant survives a failure.

    `blob_sha256` is set once the agent has uploaded the file (a tar.gz of the checkpoint folder) to the hub, so that
    an attempt at another centre can start from it; a checkpoint too large to upload resumes at its own centre only.
    """

    step: Step
    kept_until_s: int
    size_bytes: int
    blob_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The newest line of a job's own `$SUANWANG_PROGRESS_FILE`."""

    step: Step
    total_steps: Step | None = None
    at_s: int
    metrics: Annotated[dict[MetricName, float], Meta(max_length=MAX_METRICS)] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the agent saw of one attempt. Later numbers replace earlier ones; times are the centre's own seconds."""

    job_id: str
    attempt: int
    sequence: int
    phase: Phase
    observed_s: int
    """When this was seen: a running attempt has used its chips up to here."""
    started_s: int | None = None
    ended_s: int | None = None
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None


class RunOrder(Struct, frozen=True, kw_only=True, tag_field="kind", tag="run"):
    """An attempt that should exist. `attempt` fences older ones: an agent stops a lower number of the same job."""

    job_id: str
    attempt: int
    version: int
    job_name: str
    task_id: str
    """The same for all attempts of the job ($SKYPILOT_TASK_ID)."""
    pool_id: str
    chip_id: str
    stack: str
    node_names: tuple[str, ...]
    chips_per_node: int
    cpus_per_node: int
    memory_gib_per_node: float
    walltime_s: int
    setup: str
    run: str
    envs: dict[str, str]
    workdir: BlobWorkdir | GitWorkdir | None = None
    image: str | None = None
    resume_from: Checkpoint | None = None
    reported: int = 0
    """Sequence of the newest report that the hub has of it. An agent whose journal does not know an attempt that was
    reported before may find it, and never starts it: another journal did."""
    reported_s: int | None = None
    """When that report was observed."""


class StopOrder(Struct, frozen=True, kw_only=True, tag_field="kind", tag="stop"):
    """An attempt that should not exist any more; the agent confirms with a report of phase ended."""

    job_id: str
    attempt: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """Somebody reads the log of an attempt: send what stands from `offset` on, at most `limit` bytes."""

    request_id: str
    job_id: str
    attempt: int
    offset: int
    limit: int = MAX_LOG_CHUNK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """An answer to a LogRequest. `size` is the whole length so far; `text` starts at `offset`."""

    request_id: str
    offset: int
    size: int
    text: str
    ended: bool
    """True once the attempt is over and `text` reaches the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """A node as the centre's scheduler sees it."""

    name: str
    chips: int
    cpus: int
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport:
    """What the agent found behind one pool that the centre offers."""

    pool_id: str
    chip_id: str
    nodes: tuple[NodeReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """One exchange, from the agent. `version`: the highest order version the agent has stored in its journal."""

    agent_id: str
    """One life of an agent's journal, made by the agent at its first start."""
    version: int
    now_s: int
    protocol: int = PROTOCOL_VERSION
    agent_release: str = ""
    driver: str = ""
    unchanged_s: int | None = None
    """When the scheduler last answered: attempts without a newer report are as they were, and what ran, ran on."""
    wait_s: int = 0
    """The hub may hold the answer so long while there is nothing new."""
    reports: tuple[Report, ...] = ()
    log_chunks: tuple[LogChunk, ...] = ()
    inventory: tuple[PoolReport, ...] | None = None
    """Sent at start and when it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedReport:
    """A report that the hub will never apply, and why: STALE_ATTEMPT, UNKNOWN_ATTEMPT, OTHER_CENTRE, BAD_REPORT."""

    job_id: str
    attempt: int
    sequence: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReply:
    """One exchange, from the hub. Reports are taken unless named in `refused`; either way the agent may forget them."""

    now_s: int
    version: int
    """The agent's new cursor, once it has stored `orders`."""
    orders: tuple[RunOrder | StopOrder, ...] = ()
    refused: tuple[RefusedReport, ...] = ()
    log_requests: tuple[LogRequest, ...] = ()
    poll_s: int = 2
    """Sync at least so often."""
