"""What preempted attempts will leave is kept for the job they leave for, from pass to pass, until it starts."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.codes import CODE, STANDING
from suanwang.domain.scheduling.kernel.columns import (
    HOLD,
    JOB,
    POOL,
    PROMISE,
    SIZE,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import find_first_hold, fits, hold_on
from suanwang.domain.scheduling.kernel.nodes import move_end, want_of
from suanwang.domain.scheduling.kernel.tenants import forgive, milli_in_use, owe, standing, use


@compiled
def leave(t: Tables, job: int, end_s: int) -> None:
    """A placed job is told to leave: its quota is given back at once, its nodes when it is gone."""
    if t.jobs[JOB.leaving, job] < 0:
        pool = t.jobs[JOB.pool, job]
        t.pools[POOL.preemptible, pool] -= t.jobs[JOB.preemptible, job]
        if t.pools[POOL.resource, pool] >= 0:
            use(t, t.jobs[JOB.branch, job], t.pools[POOL.resource, pool], -milli_in_use(t, job))
        t.jobs[JOB.leaving, job] = 1
        move_end(t, job, end_s)


@compiled
def promise(t: Tables, job: int, pool: int, row: int, nodes: Array) -> None:
    t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job] = pool, row
    for node in nodes:
        at = t.size[SIZE.promises]
        t.size[SIZE.promises] += 1
        t.promises[PROMISE.job, at], t.promises[PROMISE.node, at] = job, node


@compiled
def break_promise(t: Tables, job: int) -> None:
    """The job starts, or is withdrawn, or its place is no longer what it was."""
    if t.jobs[JOB.promised_pool, job] < 0:
        return
    t.jobs[JOB.promised_pool, job] = -1
    kept = 0
    for at in range(t.size[SIZE.promises]):
        if t.promises[PROMISE.job, at] != job:
            t.promises[PROMISE.job, kept] = t.promises[PROMISE.job, at]
            t.promises[PROMISE.node, kept] = t.promises[PROMISE.node, at]
            kept += 1
    t.size[SIZE.promises] = kept
    t.size[SIZE.charges] += 1


@compiled
def _fit(t: Tables, job: int, start_s: int, now_s: int) -> bool:
    """Whether the promised nodes have room from then on, next to everything that is reserved."""
    want, until_s = want_of(t, t.jobs[JOB.promised_row, job]), start_s + t.jobs[JOB.walltime_s, job]
    for at in range(t.size[SIZE.promises]):
        node = t.promises[PROMISE.node, at]
        if t.promises[PROMISE.job, at] == job and (node < 0 or not fits(t, node, want, start_s, until_s, now_s)):
            return False
    return True


@compiled
def _holds(t: Tables, job: int, now_s: int) -> bool:
    """Whether a promise can still be kept."""
    pool, row = t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job]
    is_open = t.pools[POOL.seen, pool] and not t.pools[POOL.drained, pool] and t.codes[row, pool] == CODE.fits
    return is_open and standing(t, job, pool, row) != STANDING.over and _fit(t, job, now_s + 1, now_s)


@compiled
def keep_promises(t: Tables, now_s: int, besides: int, may_break: bool) -> None:
    """At the start of a pass: reserve what is promised, in the order of the promises, before anybody else asks.

    `besides`: a job whose promise does not count this time; `may_break`: forget what can no longer be kept.
    """
    at = 0
    while at < t.size[SIZE.promises]:
        job = t.promises[PROMISE.job, at]
        nodes = t.jobs[JOB.nodes, job]
        if job == besides or not _holds(t, job, now_s):
            if may_break:
                break_promise(t, job)
                nodes = 0
        else:
            pool, row = t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job]
            start_s = now_s if _fit(t, job, now_s, now_s) else now_s + 1
            for i in range(at, at + nodes):
                end_s = start_s + t.jobs[JOB.walltime_s, job]
                hold_on(t, t.promises[PROMISE.node, i], start_s, end_s, now_s, want_of(t, row), job)
            owe(t, job, pool, row)
        at += nodes
    t.size[SIZE.kept_holds] = t.size[SIZE.holds]


@compiled
def lift(t: Tables, job: int) -> None:
    """What is kept for a job does not stand in its own way."""
    if t.jobs[JOB.promised_pool, job] >= 0:
        forgive(t, job)
        for hold in range(t.size[SIZE.kept_holds]):
            if t.holds[HOLD.job, hold] == job:
                t.holds[HOLD.end_s, hold] = t.holds[HOLD.start_s, hold]
        find_first_hold(t, t.jobs[JOB.promised_pool, job])


@compiled
def renew(t: Tables, job: int, now_s: int) -> None:
    """What was lifted is kept on, from just after now."""
    owe(t, job, t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job])
    for hold in range(t.size[SIZE.kept_holds]):
        if t.holds[HOLD.job, hold] == job:
            t.holds[HOLD.start_s, hold] = now_s + 1
            t.holds[HOLD.end_s, hold] = now_s + 1 + t.jobs[JOB.walltime_s, job]
    find_first_hold(t, t.jobs[JOB.promised_pool, job])


@compiled
def promised_start(t: Tables, job: int, now_s: int, best: Any) -> Any:
    """What `survey` found best, but who is promised a place that is free by now takes that rather than wait for a
    better one."""
    promised, row = t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job]
    if (
        promised >= 0
        and not (best[0] >= 0 and best[2] == now_s)
        and standing(t, job, promised, row) == STANDING.open
        and _fit(t, job, now_s, now_s)
    ):
        return promised, row - t.jobs[JOB.row, job], now_s, t.prices[row, promised]
    return best
