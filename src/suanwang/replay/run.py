"""A workload through `step` in virtual time: what became of every job.

    schedule = replay(pools, workload, Policy(order="fcfs"), progress)

The seconds in which anything ends or arrives are visited in order, each with one step: the ends, by row, then the
arrivals, by row. A job of no length ends within the second in which it starts, which gives that second a further step.
A job runs from the second in which it is placed for `workload.run_in(pool)`, be that shorter or longer than the
walltime that it asked for: a log tells how long it did run. Jobs that no pool can ever run (`refusal.refusals`) are
left out and have no start.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.counted import CountedRun, counts
from suanwang.domain.scheduling.decisions import Decision, Placed
from suanwang.domain.scheduling.events import Ask, AskVariant, AttemptEnded, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from suanwang.domain.scheduling.workload import NOWHERE, Schedule, Workload
from suanwang.replay.refusal import refusals

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[int], None]
"""Is told from time to time how many jobs have ended. What it raises ends the replay."""

TELL_EVERY = 256
"""Seconds visited between two words to `progress`."""
ATTEMPT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A replay with all that it was made of."""

    name: str
    pools: tuple[Pool, ...]
    frame: "pl.DataFrame"
    """The jobs in the documented form (`traces.trace`), in the rows of `workload`."""
    workload: Workload
    schedule: Schedule
    policy: Policy
    epoch_s: int
    """Unix time of second 0; 0 where a log does not tell it."""


def replay(
    pools: Sequence[Pool], workload: Workload, policy: Policy, progress: Progress = lambda _ended: None
) -> Schedule:
    """What becomes of a workload on these pools. The same arguments give the same schedule.

    A job goes where it starts soonest; at the same second to the cheaper pool, then to the first by id.
    """
    quiet = replace(policy, outlook=False)
    if counts(pools, workload, quiet):
        return _counted(pools, workload, quiet, progress)
    state = State()
    step(state, quiet, 0, [PoolSet(pool) for pool in pools])
    asks = _Asks(workload)
    rows = np.flatnonzero(refusals(pools, workload) == 0)
    arrivals = list(zip(workload.submitted_s[rows].tolist(), rows.tolist(), strict=True))
    pool_number = {pool.id: number for number, pool in enumerate(pools)}
    run_s = [workload.run_in(pool.id) for pool in pools]
    start_s, end_s, where = (np.full(len(workload), NOWHERE, np.int64) for _ in range(3))
    ends: list[tuple[int, int]] = []
    arrived = ended = visited = 0
    while ends or arrived < len(arrivals):
        now_s = min(first[0] for first in (*ends[:1], *arrivals[arrived : arrived + 1]))
        events: list[AttemptEnded | JobQueued] = []
        while ends and ends[0][0] == now_s:
            events.append(AttemptEnded(asks.name(heapq.heappop(ends)[1]), ATTEMPT))
            ended += 1
        while arrived < len(arrivals) and arrivals[arrived][0] == now_s:
            events.append(JobQueued(asks.ask(arrivals[arrived][1]), now_s))
            arrived += 1
        for row, pool_id in _placed(step(state, quiet, now_s, events)):
            number = pool_number[pool_id]
            start_s[row], where[row] = now_s, number
            end_s[row] = now_s + run_s[number][row]
            heapq.heappush(ends, (int(end_s[row]), row))
        visited += 1
        if visited % TELL_EVERY == 0:
            progress(ended)
    progress(ended)
    attempts = (start_s != NOWHERE).astype(np.int64)
    return Schedule(start_s=start_s, end_s=end_s, pool=where, attempts=attempts, lost_s=np.zeros_like(attempts))


def _counted(pools: Sequence[Pool], workload: Workload, policy: Policy, progress: Progress) -> Schedule:
    """The same where chips are only counted: the compiled loop, a stretch at a time."""
    run = CountedRun(pools, replace(workload, walltime_s=np.maximum(workload.walltime_s, 1)), policy)
    done = False
    while not done:
        done = run.play()
        progress(run.ended)
    return run.schedule()


def _placed(decisions: list[Decision]) -> Iterator[tuple[int, str]]:
    """(row, pool id) of what starts."""
    return ((int(one.job_id), one.pool_id) for one in decisions if isinstance(one, Placed))


class _Asks:
    """Rows of a workload as asks, made when they arrive."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.columns = {name: column.tolist() for name, column in workload.columns().items()}
        self.variants: dict[tuple[int, ...], tuple[AskVariant, ...]] = {}
        self.memory_mib = self.columns.get("memory_mib", [0] * len(workload))

    def name(self, row: int) -> str:
        """The step breaks ties by name: of one length, so that they fall in the order of the rows."""
        return f"{row:012d}"

    def ask(self, row: int) -> Ask:
        column = self.columns
        wanted = (column[name][row] for name in ("kind", "chips_per_node", "cpus_per_node", "chip_milli"))
        size = (*wanted, self.memory_mib[row])
        if size not in self.variants:
            kind, chips, cpus, milli, memory_mib = size
            self.variants[size] = (
                AskVariant(self.workload.kinds[kind], chips, cpus, chip_milli=milli, memory_mib_per_node=memory_mib),
            )
        return Ask(
            job_id=self.name(row),
            tenant_id=self.workload.tenants[column["tenant"][row]],
            attempt=ATTEMPT,
            submitted_s=column["submitted_s"][row],
            num_nodes=column["num_nodes"][row],
            walltime_s=max(1, column["walltime_s"][row]),
            priority=column["priority"][row],
            objective=Objective.SOONEST,
            ordered=False,
            max_cost_fen=None,
            variants=self.variants[size],
        )
