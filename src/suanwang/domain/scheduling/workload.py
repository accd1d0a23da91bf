"""A workload in columns, and what became of it: what the compiled loop reads and writes. One row per job."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from suanwang.errors import InvalidInput

Array = npt.NDArray[np.int64]

NOWHERE = -1
"""A job without a place: it never started, or it may run anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Jobs by time of submission; columns of equal length.

    Rows of one second are submitted in the order of the rows.
    """

    submitted_s: Array
    run_s: Array
    """What it takes from start to end where it is left alone."""
    walltime_s: Array
    """What it asks for. 0 only in logs that say so; the live network asks for 1 second at least."""
    num_nodes: Array
    chips_per_node: Array
    chip_milli: Array
    """How much of each of its chips, in thousandths; less than 1,000 only with one chip on one node."""
    cpus_per_node: Array
    """0: CPUs are not counted for this job."""
    priority: Array
    tenant: Array
    """An index of `tenants`."""
    kind: Array
    """An index of `kinds`."""
    home: Array
    """The centre where it was submitted, an index of `centres`, or NOWHERE."""
    tenants: tuple[str, ...]
    kinds: tuple[frozenset[str], ...]
    """Sets of chip ids: any chip of the set will do."""
    centres: tuple[str, ...]
    memory_mib: Array | None = None
    """Of each node; nodes that do not say what they have find enough."""
    preemptible: Array | None = None
    """1: an attempt may be told to leave for another job."""
    checkpoint_every_s: Array | None = None
    """How often an attempt saves its work, from its start on; 0: never."""
    deadline_s: Array | None = None
    """When it should have ended, for the order by deadlines."""
    run_s_at: Mapping[str, Array] = field(default_factory=dict)
    """Pool id -> `run_s` there, for pools where it differs: other chips, or an input that has to come first."""

    def __post_init__(self) -> None:
        columns = self.columns()
        everywhere = columns | {f"run_s_at[{pool}]": column for pool, column in self.run_s_at.items()}
        lengths = {name: len(column) for name, column in everywhere.items()}
        if len(set(lengths.values())) != 1:
            raise InvalidInput("workload", lengths, "columns of equal length")
        if len(self) and np.any(np.diff(self.submitted_s) < 0):
            raise InvalidInput("submitted_s", int(np.argmax(np.diff(self.submitted_s) < 0)), "jobs by submission")
        least = {"run_s": 0, "walltime_s": 0, "num_nodes": 1, "chips_per_node": 1, "chip_milli": 1, "cpus_per_node": 0}
        for name, value in least.items():
            if len(self) and int(columns[name].min()) < value:
                raise InvalidInput(name, int(columns[name].min()), f"{value} or more")

    def __len__(self) -> int:
        return len(self.submitted_s)

    def run_in(self, pool_id: str) -> Array:
        """What every job takes from start to end in this pool."""
        return self.run_s_at.get(pool_id, self.run_s)

    def columns(self) -> dict[str, Array]:
        """Name -> column."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What became of every job of a workload, in the order of its rows. -1: it never started."""

    start_s: Array
    """The first start."""
    end_s: Array
    pool: Array
    """Index of the pool of the last attempt, or NOWHERE."""
    attempts: Array
    """How often it was started."""
    lost_s: Array
    """Run time that preemptions threw away, since the last checkpoint of each."""
    busy_s: Array
    """For how long it had its chips, in all its attempts."""
    stretches: Array | None = None
    """[row, start, end, pool, lost seconds] of every attempt, where some jobs had several."""
    waits: Mapping[int, str] = field(default_factory=dict)
    """Row -> what the step said last of a job that waits and will never start: nothing ends any more."""
