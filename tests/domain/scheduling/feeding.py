"""A feeder in virtual time, slow and plain: an event object each, one step a second in which something happens."""

from heapq import heappop, heappush

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import Ask, AskVariant, AttemptEnded, Event, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from suanwang.domain.scheduling.workload import NOWHERE, Workload
from suanwang.replay.refusal import refusals


def asks(workload: Workload, objective: Objective) -> list[Ask]:
    w = workload
    return [
        Ask(
            job_id=f"{row:09}",
            tenant_id=w.tenants[w.tenant[row]],
            attempt=1,
            submitted_s=int(w.submitted_s[row]),
            num_nodes=int(w.num_nodes[row]),
            walltime_s=int(w.walltime_s[row]),
            priority=int(w.priority[row]),
            objective=objective,
            ordered=False,
            max_cost_fen=None,
            variants=(AskVariant(w.kinds[w.kind[row]], int(w.chips_per_node[row]), int(w.cpus_per_node[row])),),
        )
        for row in range(len(w))
    ]


def feed(pools: list[Pool], workload: Workload, policy: Policy, objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """(start, pool) of every job by `step` alone; -1 if it never started. Ends go before arrivals of their second.

    As in a replay, and in a hub that refuses them, jobs that no pool can ever run do not queue.
    """
    state, jobs = State(), asks(workload, objective)
    start_s, placed_in = np.full(len(jobs), -1, np.int64), np.full(len(jobs), NOWHERE, np.int64)
    can_run = refusals(pools, workload) == 0
    number = {pool.id: i for i, pool in enumerate(pools)}
    ends: list[tuple[int, int]] = []
    news: list[Event] = [PoolSet(pool) for pool in pools]
    arrived = 0
    while arrived < len(jobs) or ends:
        now_s = min([job.submitted_s for job in jobs[arrived : arrived + 1]] + [end_s for end_s, _ in ends[:1]])
        while ends and ends[0][0] == now_s:
            news.append(AttemptEnded(jobs[heappop(ends)[1]].job_id, 1))
        while arrived < len(jobs) and workload.submitted_s[arrived] == now_s:
            if can_run[arrived]:
                news.append(JobQueued(jobs[arrived], now_s))
            arrived += 1
        for decision in step(state, policy, now_s, news):
            if isinstance(decision, Placed):
                row = int(decision.job_id)
                start_s[row], placed_in[row] = now_s, number[decision.pool_id]
                heappush(ends, (now_s + int(workload.run_s[row]), row))
        news = []
        state.validate()
    return start_s, placed_in
