"""What can happen to the network, as the scheduler hears it. Times in seconds since the epoch, money in fen."""

from dataclasses import dataclass
from typing import TypeAlias

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective, Within, check_within
from suanwang.domain.scheduling.calendar import CalendarEvent
from suanwang.domain.scheduling.quotas import QuotaTree
from suanwang.errors import InvalidInput
from suanwang.units import MILLI_PER_CHIP


@dataclass(frozen=True, slots=True)
class AskVariant:
    """One way to run a job: so many chips of one of these models on every node, or a share of one chip."""

    chip_ids: frozenset[str]
    chips_per_node: int
    cpus_per_node: int = 0
    """0: CPUs are not counted for this job."""
    centre: str | None = None
    """Pinned to this centre, if given."""
    max_fen_per_hour: int | None = None
    """For the whole job, all nodes together."""
    chip_milli: int = MILLI_PER_CHIP
    """How much of each chip, in thousandths: less than all of it only of one chip per node."""
    memory_mib_per_node: int = 0
    """0: memory is not counted for this job."""

    def __post_init__(self) -> None:
        if self.chips_per_node < 1 and not (self.chips_per_node == 0 and self.cpus_per_node > 0):
            raise InvalidInput("chips_per_node", self.chips_per_node, "1 or more, or 0 with cpus_per_node of 1 or more")
        if self.cpus_per_node < 0:
            raise InvalidInput("cpus_per_node", self.cpus_per_node, "0 or more")
        if not 1 <= self.chip_milli <= MILLI_PER_CHIP:
            raise InvalidInput("chip_milli", self.chip_milli, f"1 to {MILLI_PER_CHIP}")
        if self.chip_milli < MILLI_PER_CHIP and self.chips_per_node != 1:
            raise InvalidInput("chip_milli", self.chip_milli, f"{MILLI_PER_CHIP} unless chips_per_node is 1")
        if self.memory_mib_per_node < 0:
            raise InvalidInput("memory_mib_per_node", self.memory_mib_per_node, "0 or more")

    @property
    def whole_chips(self) -> int:
        """Per node; none if it asks for a share of one."""
        return self.chips_per_node if self.chip_milli == MILLI_PER_CHIP else 0

    @property
    def share_milli(self) -> int:
        """The share of one chip of every node; 0 if it asks for whole ones."""
        return 0 if self.chip_milli == MILLI_PER_CHIP else self.chip_milli


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A job as the scheduler sees it: one attempt that wants a place."""

    job_id: str
    tenant_id: str
    attempt: int
    submitted_s: int
    """When the job was first submitted: a later attempt keeps its place in the queue."""
    num_nodes: int
    walltime_s: int
    priority: int
    objective: Objective
    ordered: bool
    """Earlier variants win over later ones, whatever the price."""
    max_cost_fen: int | None
    variants: tuple[AskVariant, ...]
    only_centre: str | None = None
    """Where the checkpoint lies that cannot travel."""
    arrival: int = 0
    """Of two jobs of one second the one with the smaller number came first; equal numbers: in the order of the ids."""
    preemptible: bool = False
    """An attempt may be told to leave for another job; the job comes again with its next attempt."""
    preemptions: int = 0
    """How often it was told to leave so far: the policy has a limit."""
    deadline_s: int | None = None
    """When it should have ended, for the order by deadlines; nothing else knows of it."""
    checkpoint_every_s: int = 0
    """How often it saves its work, from its start on. 0: whoever ends it early loses all of the attempt."""
    booking_id: str | None = None
    """It runs in this booking and nowhere else."""
    within: Within = "pool"
    """cabinet: all nodes of the gang in one cabinet, or not at all."""

    def __post_init__(self) -> None:
        check_within(self.within)
        for name in ("preemptions", "checkpoint_every_s"):
            if getattr(self, name) < 0:
                raise InvalidInput(name, getattr(self, name), "0 or more")
        if self.num_nodes < 1:
            raise InvalidInput("num_nodes", self.num_nodes, "1 or more")
        if self.walltime_s < 1:
            raise InvalidInput("walltime_s", self.walltime_s, "1 second or more")
        if not self.variants:
            raise InvalidInput("variants", 0, "at least one way to run")


@dataclass(frozen=True, slots=True)
class PoolSet:
    """A pool joins, or its nodes, price or walltime limit change. Allocations stay, also on nodes that vanished."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """Unseen: nothing new is placed there, what runs is taken to run on. Cannot see is not dead."""

    pool_id: str
    seen: bool


@dataclass(frozen=True, slots=True)
class PoolDrained:
    """Drained: nothing new is placed there, what runs may end."""

    pool_id: str
    drained: bool


@dataclass(frozen=True, slots=True)
class JobQueued:
    """A new job, or one that recovers and comes again with its next attempt number (the attempt before is over)."""

    ask: Ask
    at_s: int


@dataclass(frozen=True, slots=True)
class JobWithdrawn:
    """Cancelled while queued. If it was placed meanwhile, its allocation stays until the attempt ends or is refused."""

    job_id: str


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """Its expected end becomes `at_s` plus its walltime."""

    job_id: str
    attempt: int
    at_s: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """Its nodes are free again, and the job is forgotten until it is queued with a later attempt."""

    job_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptRestored:
    """An attempt that is already placed: the state is built anew after a restart."""

    ask: Ask
    attempt: int
    pool_id: str
    variant: int
    node_names: tuple[str, ...]
    expected_end_s: int
    chips: tuple[tuple[int, ...], ...] | None = None
    """Of every node, which chips; none: chosen as for a new placement. What the node does not have is left out."""


@dataclass(frozen=True, slots=True)
class PlacementRefused:
    """A placement that could not be committed: it is undone, and the job waits again unless it was withdrawn."""

    job_id: str
    attempt: int
    code: str


@dataclass(frozen=True, slots=True)
class AttemptLeaving:
    """A placed attempt that was told to leave before the state is built anew. It goes on until it ended."""

    job_id: str
    attempt: int
    at_s: int


@dataclass(frozen=True, slots=True)
class NodesPromised:
    """A job that waits for others to leave these nodes, when the state is built anew."""

    job_id: str
    attempt: int
    pool_id: str
    variant: int
    node_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuotasSet:
    """The tree of groups and tenants from now on, in place of the one before."""

    tree: QuotaTree


@dataclass(frozen=True, slots=True)
class UsageKnown:
    """What a tenant used before: chip-seconds, decayed until `at_s`. Told after its attempts that run are restored,
    which count from `at_s` on."""

    tenant_id: str
    chip_s: float
    at_s: int


Event: TypeAlias = (
    PoolSet
    | PoolSeen
    | PoolDrained
    | JobQueued
    | JobWithdrawn
    | AttemptStarted
    | AttemptEnded
    | AttemptRestored
    | PlacementRefused
    | AttemptLeaving
    | NodesPromised
    | QuotasSet
    | UsageKnown
    | CalendarEvent
)
