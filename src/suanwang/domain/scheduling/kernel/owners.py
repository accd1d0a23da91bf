"""Who goes first at a pool: before anybody asks, jobs of its own tenants get reservations there, in the queue's order.

When the turn of such a job comes, it gives them up and takes the best there is: whoever comes before it in the queue
had to leave its place there alone, and whoever comes after it finds what it left.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import (
    HOLD,
    JOB,
    POOL,
    SIZE,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.fit import balance, look_at
from suanwang.domain.scheduling.kernel.holds import find_first_hold
from suanwang.domain.scheduling.kernel.placing import hold_nodes


@compiled
def goes_first(t: Tables, job: int, pool: int) -> bool:
    return t.jobs[JOB.owner, job] >= 0 and t.owns[t.jobs[JOB.owner, job], pool] == 1


@compiled
def _hold_for_owner(t: Tables, job: int, now_s: int, first_fit: bool) -> None:
    """At every pool where it goes first, but where others leave for it: what is promised is kept already."""
    if t.jobs[JOB.owner, job] < 0 or t.jobs[JOB.promised_pool, job] >= 0:
        return
    fen_per_s = balance(t, job)
    for i in range(t.size[SIZE.pools]):
        pool = t.pools[POOL.in_order, i]
        if goes_first(t, job, pool):
            here, _, _ = look_at(t, job, pool, fen_per_s, now_s)
            if here[0] >= 0:
                hold_nodes(t, job, pool, t.jobs[JOB.row, job] + here[0], here[1], now_s, first_fit)


@compiled
def hold_for_owners(t: Tables, now_s: int, first_fit: bool, quoted: int, at: int, twin: int) -> None:
    """`quoted`: a job that takes part at place `at` without being in the queue; `twin`: who stays out for it."""
    if t.size[SIZE.owned_pools] > 0:
        for turn in range(t.size[SIZE.queued] + (quoted >= 0)):
            job = quoted
            if quoted < 0 or turn != at:
                job = t.queue[turn - (quoted >= 0 and turn > at)]
            if job != twin:
                _hold_for_owner(t, job, now_s, first_fit)
    t.size[SIZE.owner_holds] = t.size[SIZE.holds]


@compiled
def give_up_holds(t: Tables, job: int) -> None:
    """Its turn has come."""
    if t.jobs[JOB.owner, job] < 0 or t.size[SIZE.owned_pools] == 0:
        return
    t.size[SIZE.eased] += 1
    for hold in range(t.size[SIZE.kept_holds], t.size[SIZE.owner_holds]):
        if t.holds[HOLD.job, hold] == job:
            t.holds[HOLD.end_s, hold] = t.holds[HOLD.start_s, hold]
    for pool in range(t.size[SIZE.pools]):
        if goes_first(t, job, pool):
            find_first_hold(t, pool)
