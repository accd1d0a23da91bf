"""Which waiting jobs a pass can go by.

A job that was told it waits is looked at again only if a pool to which it would go has enough free nodes now,
beside the reservations, or a reservation to give. To look at more jobs than needed changes nothing but the time it
takes.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.codes import CODE, OBJECTIVE
from suanwang.domain.scheduling.kernel.columns import (
    ASKED,
    BRIEF,
    JOB,
    MAX_POOLS_IN_BITS,
    NEVER,
    NO_BOOKING,
    POOL,
    ROW,
    SIZE,
    Array,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.fit import starts_now
from suanwang.domain.scheduling.kernel.profile import has_free


@compiled
def _open(t: Tables, row: int, pool: int) -> bool:
    return t.codes[row, pool] == CODE.fits and t.pools[POOL.seen, pool] == 1 and t.pools[POOL.drained, pool] == 0


@compiled
def pools_in_bits(t: Tables, job: int) -> int:
    """The pools to which a job would go: to all that can have it, or to those of the least price if it wants that.

    0 if it has several variants, if there are too many pools, or if none is open: then it is always looked at, as is
    whoever has a place of its own: in a booking, in one cabinet, or before others.
    """
    row, pools, least, bits = t.jobs[JOB.row, job], t.size[SIZE.pools], NEVER, 0
    if t.brief[job, BRIEF.size] < 0 or pools > MAX_POOLS_IN_BITS or t.jobs[JOB.owner, job] >= 0:
        return 0
    if t.rows[ROW.booking, row] >= 0 or t.jobs[JOB.in_cabinet, job]:
        return 0
    for pool in range(pools):
        if _open(t, row, pool):
            least = min(least, t.prices[row, pool])
    for pool in range(pools):
        if _open(t, row, pool) and (t.jobs[JOB.objective, job] != OBJECTIVE.cheapest or t.prices[row, pool] == least):
            bits |= 1 << pool
    return bits


@compiled
def open_gate(t: Tables) -> None:
    """Before a pass."""
    t.size[SIZE.moves] += 1
    if t.size[SIZE.stale]:
        t.size[SIZE.stale] = 0
        for place in range(t.size[SIZE.queued]):
            t.brief[t.queue[place], BRIEF.where] = pools_in_bits(t, t.queue[place])


@compiled
def without(bits: int, pool: int) -> int:
    """`bits` without the pool's; pools beyond the bits are never among them."""
    return bits & ~(1 << pool) if pool < MAX_POOLS_IN_BITS else bits


@compiled
def _want(asked: Array) -> Want:
    return Want(asked[ASKED.chips], asked[ASKED.cpus], asked[ASKED.milli], asked[ASKED.memory_mib], NO_BOOKING)


@compiled
def _free_in_bits(t: Tables, size: int) -> int:
    """Pools that have so much free, as of the last placement."""
    asked = t.sizes[size]
    if asked[ASKED.seen] != t.size[SIZE.moves]:
        bits = 0
        for pool in range(min(t.size[SIZE.pools], MAX_POOLS_IN_BITS)):
            if has_free(t, pool, _want(asked), asked[ASKED.nodes]):
                bits |= 1 << pool
        asked[ASKED.seen], asked[ASKED.free] = t.size[SIZE.moves], bits
    return asked[ASKED.free]


@compiled
def _could_start(t: Tables, size: int, pool: int, walltime_s: int, now_s: int) -> bool:
    """Beside the reservations. In a pass there is ever less room: what could not start before need not be asked again,
    nor what takes longer."""
    asked = t.sizes[size]
    if asked[ASKED.eased] != t.size[SIZE.eased]:
        asked[ASKED.eased] = t.size[SIZE.eased]
        asked[ASKED.barred :] = NEVER
    if walltime_s >= asked[ASKED.barred + pool]:
        return False
    if starts_now(t, pool, _want(asked), asked[ASKED.nodes], walltime_s, now_s):
        return True
    asked[ASKED.barred + pool] = walltime_s
    return False


@compiled
def may_change(t: Tables, job: int, unheld: int, now_s: int) -> bool:
    """`unheld`: the pools that have a reservation to give."""
    brief = t.brief[job]
    if brief[BRIEF.where] == 0 or brief[BRIEF.where] & unheld:
        return True
    free, pool = brief[BRIEF.where] & _free_in_bits(t, brief[BRIEF.size]), 0
    while free:
        if free & 1 and _could_start(t, brief[BRIEF.size], pool, brief[BRIEF.walltime_s], now_s):
            return True
        free >>= 1
        pool += 1
    return False
