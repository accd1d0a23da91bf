"""A workload through `step` in virtual time: what became of every job.

    schedule = replay(pools, workload, Policy(order="fcfs"), progress)

The seconds in which anything ends or arrives are visited in order, each with one step: the ends, by row, then the
arrivals, by row. A job of no length ends within the second in which it starts, which gives that second a further step.
A job runs from the second in which it is placed for `workload.run_in(pool)`, be that shorter or longer than the
walltime that it asked for: a log tells how long it did run. Jobs that no pool can ever run (`refusal.refusals`) are
left out and have no start. Who still waits when nothing is left to end or to come waits for ever, for what the step
said of it last.

Who is told to leave for another leaves within that second and comes again, with what its last checkpoint saved. The
second from which on an attempt may be told to leave is visited too: a job may be waiting for just that.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.counted import CountedRun, counts
from suanwang.domain.scheduling.decisions import Decision, Placed, Preempted, Waiting
from suanwang.domain.scheduling.events import Ask, AskVariant, AttemptEnded, Event, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from suanwang.domain.scheduling.workload import NOWHERE, Schedule, Workload
from suanwang.replay.refusal import refusals

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[int], None]
"""Is told from time to time how many jobs have ended. What it raises ends the replay."""

NO_END = 0
"""In place of the number of an attempt: a second to be visited, in which nothing ends."""
TELL_EVERY = 256
"""Seconds visited between two words to `progress`."""


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
    asks, course = _Asks(workload), _Course(pools, workload, policy)
    rows = np.flatnonzero(refusals(pools, workload) == 0)
    arrivals = list(zip(workload.submitted_s[rows].tolist(), rows.tolist(), strict=True))
    arrived = visited = now_s = 0
    while course.ends or course.left or arrived < len(arrivals):
        if not course.left:
            now_s = min(first[0] for first in (*course.ends[:1], *arrivals[arrived : arrived + 1]))
        events: list[Event] = []
        for row, attempt in course.over(now_s):
            events.append(AttemptEnded(asks.name(row), attempt))
        for row, attempt in course.left:  # within the second in which it was told to
            again = asks.ask(row, attempt + 1)
            events += [AttemptEnded(asks.name(row), attempt), JobQueued(again, now_s)]
        course.left = []
        while arrived < len(arrivals) and arrivals[arrived][0] == now_s:
            events.append(JobQueued(asks.ask(arrivals[arrived][1], 1), now_s))
            arrived += 1
        for decision in step(state, quiet, now_s, events):
            course.note(decision, now_s)
        visited += 1
        if visited % TELL_EVERY == 0:
            progress(course.ended)
    progress(course.ended)
    return course.schedule()


class _Course:
    """What runs, and what ran so far."""

    def __init__(self, pools: Sequence[Pool], workload: Workload, policy: Policy) -> None:
        self.number = {pool.id: number for number, pool in enumerate(pools)}
        self.run_s = [workload.run_in(pool.id) for pool in pools]
        self.every_s = workload.checkpoint_every_s
        self.may_leave = None if policy.preemption is None else workload.preemptible
        self.safe_s = 0 if policy.preemption is None else max(1, policy.preemption.min_run_s)
        self.start_s, self.end_s, self.pool = (np.full(len(workload), NOWHERE, np.int64) for _ in range(3))
        self.attempts, self.lost_s, self.busy_s, self.kept_s = (np.zeros(len(workload), np.int64) for _ in range(4))
        self.kept_of_s = np.ones(len(workload), np.int64)
        """What the whole job takes where `kept_s` of it were done: pools are not equally fast."""
        self.began_s: dict[int, int] = {}
        self.ends: list[tuple[int, int, int]] = []
        """(end, row, attempt), and (no longer safe, row, NO_END)."""
        self.left: list[tuple[int, int]] = []
        """(row, attempt) of those who were told to leave in this second."""
        self.ended = 0
        self.stretches: list[tuple[int, int, int, int, int]] = []
        self.said: dict[int, str] = {}
        """Row -> why it waits, of those that do."""

    def over(self, now_s: int) -> Iterator[tuple[int, int]]:
        """(row, attempt) of what ends now by itself."""
        while self.ends and self.ends[0][0] == now_s:
            _, row, attempt = heapq.heappop(self.ends)
            if self.attempts[row] == attempt and row in self.began_s:
                self._stop(row, now_s)
                self.end_s[row] = now_s
                self.ended += 1
                yield row, attempt

    def note(self, decision: Decision, now_s: int) -> None:
        if isinstance(decision, Waiting):
            self.said[int(decision.job_id)] = decision.reason.code
        elif isinstance(decision, Placed):
            self._begin(int(decision.job_id), self.number[decision.pool_id], now_s)
        elif isinstance(decision, Preempted):
            row = int(decision.job_id)
            ran_s, pool = now_s - self.began_s[row], int(self.pool[row])
            every_s = 0 if self.every_s is None else int(self.every_s[row])
            kept_s = ran_s // every_s * every_s if every_s else 0
            self._stop(row, now_s, ran_s - kept_s)
            of_s = int(self.run_s[pool][row])
            self.kept_s[row] = min(of_s, of_s - self._rest_s(row, pool) + kept_s)
            self.kept_of_s[row] = max(1, of_s)
            self.left.append((row, decision.attempt))

    def _begin(self, row: int, pool: int, now_s: int) -> None:
        if self.start_s[row] == NOWHERE:
            self.start_s[row] = now_s
        self.said.pop(row, None)
        self.pool[row], self.began_s[row] = pool, now_s
        self.attempts[row] += 1
        heapq.heappush(self.ends, (now_s + self._rest_s(row, pool), row, int(self.attempts[row])))
        if self.may_leave is not None and self.may_leave[row]:
            heapq.heappush(self.ends, (now_s + self.safe_s, row, NO_END))

    def _rest_s(self, row: int, pool: int) -> int:
        """What is left of a job in this pool: the same part of it as where its work was saved."""
        whole_s = int(self.run_s[pool][row])
        return whole_s - whole_s * int(self.kept_s[row]) // int(self.kept_of_s[row])

    def _stop(self, row: int, now_s: int, lost_s: int = 0) -> None:
        began_s = self.began_s.pop(row)
        self.busy_s[row] += now_s - began_s
        self.lost_s[row] += lost_s
        self.stretches.append((row, began_s, now_s, int(self.pool[row]), lost_s))

    def schedule(self) -> Schedule:
        several = bool((self.attempts > 1).any())
        return Schedule(
            start_s=self.start_s,
            end_s=self.end_s,
            pool=self.pool,
            attempts=self.attempts,
            lost_s=self.lost_s,
            busy_s=self.busy_s,
            stretches=np.array(self.stretches, np.int64).reshape(-1, 5).T.copy() if several else None,
            waits=dict(sorted(self.said.items())),
        )


def _counted(pools: Sequence[Pool], workload: Workload, policy: Policy, progress: Progress) -> Schedule:
    """The same where chips are only counted: the compiled loop, a stretch at a time."""
    run = CountedRun(pools, replace(workload, walltime_s=np.maximum(workload.walltime_s, 1)), policy)
    done = False
    while not done:
        done = run.play()
        progress(run.ended)
    return run.schedule()


class _Asks:
    """Rows of a workload as asks, made when they arrive."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.columns = {name: column.tolist() for name, column in workload.columns().items()}
        self.variants: dict[tuple[int, ...], tuple[AskVariant, ...]] = {}
        none = [0] * len(workload)
        self.memory_mib = self.columns.get("memory_mib", none)
        self.preemptible = self.columns.get("preemptible", none)
        self.checkpoint_every_s = self.columns.get("checkpoint_every_s", none)

    def name(self, row: int) -> str:
        """The step breaks ties by name: of one length, so that they fall in the order of the rows."""
        return f"{row:012d}"

    def ask(self, row: int, attempt: int) -> Ask:
        column, deadlines_s = self.columns, self.columns.get("deadline_s")
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
            attempt=attempt,
            submitted_s=column["submitted_s"][row],
            num_nodes=column["num_nodes"][row],
            walltime_s=max(1, column["walltime_s"][row]),
            priority=column["priority"][row],
            objective=Objective.SOONEST,
            ordered=False,
            max_cost_fen=None,
            variants=self.variants[size],
            preemptible=bool(self.preemptible[row]),
            preemptions=attempt - 1,
            checkpoint_every_s=self.checkpoint_every_s[row],
            deadline_s=None if deadlines_s is None else deadlines_s[row],
        )
