"""Whole logs on pools whose chips are counted: columns in, columns out, the loop compiled."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.kernel import replaying
from suanwang.domain.scheduling.kernel.columns import NEVER, Array
from suanwang.domain.scheduling.kernel.counted import CJOB, CLOCK, CPOOL, Counted
from suanwang.domain.scheduling.policy import EASY, Order, Policy
from suanwang.domain.scheduling.scheduler import BACKFILLS, ORDERS
from suanwang.domain.scheduling.state import OBJECTIVES
from suanwang.domain.scheduling.workload import NOWHERE, Schedule, Workload
from suanwang.errors import InvalidInput
from suanwang.units import MILLI_PER_CHIP

EVENTS_PER_CALL = 100_000
COUNTED: tuple[Order, ...] = ("fcfs", "sjf", "priority", "f1", "given", "wfp3", "unicef")
"""Orders that the loop knows."""


def counts(pools: Sequence[Pool], workload: Workload, policy: Policy) -> bool:
    """Whether these pools and jobs can be counted: one node a pool, one node a job, nothing but whole chips."""
    return (
        all(len(pool.nodes) == 1 and pool.offer.one_price for pool in pools)
        and policy.reservation_depth <= EASY
        and not policy.outlook
        and policy.order in COUNTED
        and policy.preemption is None
        and policy.usage_half_life_s == 0
        and policy.tenants is None
        and bool(np.all(workload.num_nodes == 1))
        and bool(np.all(workload.cpus_per_node == 0))
        and bool(np.all(workload.chip_milli == MILLI_PER_CHIP))
        and (workload.memory_mib is None or all(pool.nodes[0].memory_mib is None for pool in pools))
    )


def scores(workload: Workload, order: Order) -> npt.NDArray[np.float64]:
    """Of orders that do not change with time; zeros for the others."""
    walltime_s, chips = np.maximum(workload.walltime_s, 1), workload.num_nodes * workload.chips_per_node
    if order == "sjf":
        return workload.walltime_s.astype(np.float64)
    if order == "priority":
        return -workload.priority.astype(np.float64)
    if order == "f1":
        # A job at the very start comes first, whatever its size.
        early_s = np.maximum(workload.submitted_s, 1e-300)
        f1: npt.NDArray[np.float64] = np.log10(walltime_s) * chips + 870 * np.log10(early_s)
        return f1
    return np.zeros(len(workload))


class CountedRun:
    """A log being played. `play` until it is True, then `schedule`."""

    def __init__(
        self,
        pools: Sequence[Pool],
        workload: Workload,
        policy: Policy,
        objective: Objective = Objective.SOONEST,
        given: npt.NDArray[np.float64] | None = None,
    ) -> None:
        if (policy.order == "given") != (given is not None):
            raise InvalidInput("order", policy.order, "given with scores, and no scores with another order")
        self._order, self._policy = ORDERS[policy.order], policy
        self._objective = OBJECTIVES[objective]
        # Ties between pools go by id, whatever the order in which they are given.
        self._numbers = np.array(sorted(range(len(pools)), key=lambda number: pools[number].id), np.int64)
        pools = [pools[number] for number in self._numbers]
        self._memory = _memory(pools, workload, scores(workload, policy.order) if given is None else given)

    @property
    def ended(self) -> int:
        """Jobs that ended or were refused, so far."""
        return int(self._memory.clock[CLOCK.ended] + self._memory.clock[CLOCK.refused])

    def play(self, events: int = EVENTS_PER_CALL) -> bool:
        """Play on for so many events; True when nothing is left to happen."""
        policy = self._policy
        depth, ahead, backfill = policy.reservation_depth, policy.reserve_ahead, BACKFILLS[policy.backfill]
        return replaying.run(self._memory, self._order, depth, ahead, backfill, self._objective, events)

    def play_committed(self) -> None:
        """All of it, by the rules of `replaying.run_committed`."""
        replaying.run_committed(self._memory, self._policy.reservation_depth > 0)

    def schedule(self) -> Schedule:
        c = self._memory
        placed = c.pool != NOWHERE
        rows = np.minimum(c.pool, len(c.run_s) - 1)
        busy_s = np.where(placed, c.run_s[rows, np.arange(len(rows))], 0)
        return Schedule(
            start_s=c.start_s,
            end_s=np.where(placed, c.start_s + busy_s, -1),
            pool=np.where(placed, self._numbers[c.pool], NOWHERE),
            attempts=placed.astype(np.int64),
            lost_s=np.zeros(len(c.pool), np.int64),
            busy_s=busy_s,
        )


def _run_times(pools: Sequence[Pool], workload: Workload) -> Array:
    """[pool, job], or one row if they are the same everywhere."""
    if not workload.run_s_at:
        return workload.run_s[np.newaxis].astype(np.int64)
    return np.stack([workload.run_in(pool.id) for pool in pools]).astype(np.int64)


def _memory(pools: Sequence[Pool], workload: Workload, of_jobs: npt.NDArray[np.float64]) -> Counted:
    jobs, count = len(workload), len(pools)
    chips = np.array([pool.chips for pool in pools], np.int64)
    most = int(min(jobs, chips.max(initial=0))) + 1  # every job takes a chip
    table = np.zeros((len(CPOOL), count), np.int64)
    table[CPOOL.chips] = table[CPOOL.free] = chips
    table[CPOOL.max_walltime_s] = [pool.offer.max_walltime_s for pool in pools]
    table[CPOOL.fen_per_chip_hour] = [pool.offer.fen_per_chip_hour for pool in pools]
    table[CPOOL.first] = most // 2
    columns_of_jobs = np.empty((len(CJOB), jobs), np.int64)
    columns_of_jobs[:] = (
        workload.submitted_s,
        workload.walltime_s,
        workload.num_nodes * workload.chips_per_node,
        workload.kind,
    )
    running = int(min(jobs, chips.sum())) + 1
    nowhere: Array = np.full(jobs, NOWHERE, np.int64)
    fits = np.array([[not kind or pool.chip_id in kind for pool in pools] for kind in workload.kinds], np.bool_)
    return Counted(
        clock=np.zeros(len(CLOCK), np.int64),
        jobs=columns_of_jobs,
        run_s=_run_times(pools, workload),
        scores=np.ascontiguousarray(of_jobs, np.float64).copy(),
        pools=table,
        fits=fits.reshape(len(workload.kinds), count),
        end_s=np.full((count, 2 * most), NEVER, np.int64),
        end_chips=np.zeros((count, 2 * most), np.int64),
        done_s=np.zeros(running, np.int64),
        done_job=np.zeros(running, np.int64),
        queue=np.zeros((3, 2 * jobs + 1), np.int64),
        start_s=nowhere.copy(),
        pool=nowhere,
    )


def warm_up() -> None:
    """Have the loops compiled (once for this installation) before anybody waits for them."""
    none, one = np.zeros(1, np.int64), np.ones(1, np.int64)
    job = Workload(
        submitted_s=none,
        run_s=one,
        walltime_s=one,
        num_nodes=one,
        chips_per_node=one,
        chip_milli=one * MILLI_PER_CHIP,
        cpus_per_node=none,
        priority=none,
        tenant=none,
        kind=none,
        home=none,
        tenants=("warm",),
        kinds=(frozenset({"warm"}),),
        centres=("warm",),
    )
    pools = [Pool("warm", "warm", "warm", (Node("warm", 1, 1),), Offer(1, 1))]
    CountedRun(pools, job, Policy(outlook=False)).play()
    CountedRun(pools, job, Policy(outlook=False)).play_committed()
