"""Which waiting jobs a pass can go by.

A job that was told it waits is looked at again only if a pool to which it would go has enough free nodes now,
reservations aside, or a reservation to give. To look at more jobs than needed changes nothing but the time it takes.
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
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
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
def _free_in_bits(t: Tables, size: int) -> int:
    """Pools that have so much free, as of the last placement."""
    asked = t.sizes[size]
    if asked[ASKED.seen] != t.size[SIZE.moves]:
        bits = 0
        want = Want(asked[ASKED.chips], asked[ASKED.cpus], asked[ASKED.milli], asked[ASKED.memory_mib], NO_BOOKING)
        for pool in range(min(t.size[SIZE.pools], MAX_POOLS_IN_BITS)):
            if has_free(t, pool, want, asked[ASKED.nodes]):
                bits |= 1 << pool
        asked[ASKED.seen], asked[ASKED.free] = t.size[SIZE.moves], bits
    return asked[ASKED.free]


@compiled
def may_change(t: Tables, job: int, unheld: int) -> bool:
    """`unheld`: the pools that have a reservation to give."""
    where = t.brief[job, BRIEF.where]
    if where == 0 or where & unheld:
        return True
    return where & _free_in_bits(t, t.brief[job, BRIEF.size]) != 0
