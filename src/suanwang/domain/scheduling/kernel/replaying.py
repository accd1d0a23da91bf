"""Whole logs in virtual time: the loops that feed the counted pass without an object per event."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.codes import ORDER
from suanwang.domain.scheduling.kernel.columns import NEVER
from suanwang.domain.scheduling.kernel.compiling import compiled, entry
from suanwang.domain.scheduling.kernel.counted import (
    CJOB,
    CLOCK,
    CPOOL,
    Counted,
    arrive,
    end_first,
    plan,
    sort_by_score,
    start,
)
from suanwang.domain.scheduling.kernel.orders import unicef, wfp3


@compiled
def _next_arrival_s(c: Counted) -> int:
    job = c.clock[CLOCK.arrived]
    return c.jobs[CJOB.submitted_s, job] if job < c.jobs.shape[1] else NEVER


@compiled
def _next_end_s(c: Counted) -> int:
    return c.done_s[0] if c.clock[CLOCK.running] else NEVER


@compiled
def _rescore(c: Counted, now_s: int, order: int) -> None:
    """Scores of all that wait, where the order depends on the time; and the queue in their order."""
    first = c.clock[CLOCK.first]
    for place in range(first, first + c.clock[CLOCK.queued]):
        job = c.queue[0, place]
        wait_s, walltime_s = float(now_s - c.jobs[CJOB.submitted_s, job]), float(max(c.queue[2, place], 1))
        chips = float(c.queue[1, place])
        c.scores[job] = wfp3(wait_s, walltime_s, chips) if order == ORDER.wfp3 else unicef(wait_s, walltime_s, chips)
    sort_by_score(c)
    c.clock[CLOCK.told] = 0


@entry
def run(c: Counted, order: int, depth: int, ahead: int, backfill: int, objective: int, events: int) -> bool:
    """Play on for about so many events: ends before arrivals in one second, then a pass. True when nothing is left.

    Call it again to go on; between calls there is time for a progress bar, and for Ctrl-C.
    """
    while events > 0:
        now_s = min(_next_arrival_s(c), _next_end_s(c))
        if now_s == NEVER:
            return True
        c.clock[CLOCK.now_s] = now_s
        while _next_end_s(c) == now_s:
            end_first(c)
            events -= 1
        while _next_arrival_s(c) == now_s:
            arrive(c)
            events -= 1
        if order >= ORDER.wfp3:
            _rescore(c, now_s, order)
        plan(c, now_s, depth, ahead, backfill, objective)
    return False


@compiled
def _take_least(c: Counted) -> int:
    """Off the queue, which is in the order of submission: the job of least score."""
    first, queued, least = c.clock[CLOCK.first], c.clock[CLOCK.queued], c.clock[CLOCK.first]
    for place in range(first + 1, first + queued):
        if c.scores[c.queue[0, place]] < c.scores[c.queue[0, least]]:
            least = place
    job = c.queue[0, least]
    for row in range(3):
        for place in range(least, first + queued - 1):
            c.queue[row, place] = c.queue[row, place + 1]
    c.clock[CLOCK.queued] -= 1
    return job


@compiled
def _append(c: Counted) -> None:
    job, at = c.clock[CLOCK.arrived], c.clock[CLOCK.first] + c.clock[CLOCK.queued]
    c.clock[CLOCK.arrived] += 1
    c.clock[CLOCK.queued] += 1
    c.queue[0, at], c.queue[1, at], c.queue[2, at] = job, c.jobs[CJOB.chips, job], c.jobs[CJOB.walltime_s, job]


@compiled
def _advance(c: Counted) -> None:
    """To the next event: one arrival or one end, the arrival first."""
    arrival_s, end_s = _next_arrival_s(c), _next_end_s(c)
    c.clock[CLOCK.now_s] = max(c.clock[CLOCK.now_s], min(arrival_s, end_s))
    if arrival_s <= end_s:
        _append(c)
    else:
        end_first(c)


@compiled
def _shadow_s(c: Counted, chips: int) -> int:
    """When enough is free, by the walltimes of what runs."""
    free, place = c.pools[CPOOL.free, 0], c.pools[CPOOL.first, 0]
    while free < chips:
        free += c.end_chips[0, place]
        place += 1
    return c.end_s[0, place - 1]


@compiled
def _fill(c: Counted, shadow_s: int) -> None:
    """In the order of submission, what fits and ends before the shadow."""
    first, queued, kept = c.clock[CLOCK.first], c.clock[CLOCK.queued], 0
    now_s = c.clock[CLOCK.now_s]
    for place in range(first, first + queued):
        job, chips, walltime_s = c.queue[0, place], c.queue[1, place], c.queue[2, place]
        if now_s + walltime_s < shadow_s and chips <= c.pools[CPOOL.free, 0]:
            start(c, job, 0, now_s)
        else:
            at = first + kept
            c.queue[0, at], c.queue[1, at], c.queue[2, at] = job, chips, walltime_s
            kept += 1
    c.clock[CLOCK.queued] = kept


@entry
def run_committed(c: Counted, backfills: bool) -> None:
    """The environment of RLScheduler (SC 2020): the job of least score is picked, and committed to until it starts.

    Jobs are pulled from the trace only when the queue is empty or the picked job is blocked. The shadow is computed
    once, when it is found blocked; others may start if they end before it. One pool, in which every job fits.
    """
    jobs = c.jobs.shape[1]
    while c.clock[CLOCK.arrived] < jobs or c.clock[CLOCK.queued]:
        while c.clock[CLOCK.queued] == 0:
            _advance(c)
        job = _take_least(c)
        chips = c.jobs[CJOB.chips, job]
        if chips > c.pools[CPOOL.free, 0]:
            shadow_s = _shadow_s(c, chips)
            while chips > c.pools[CPOOL.free, 0]:
                if backfills:
                    _fill(c, shadow_s)
                _advance(c)
        start(c, job, 0, c.clock[CLOCK.now_s])
