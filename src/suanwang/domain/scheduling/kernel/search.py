"""When enough nodes fit, by looking at nodes one by one: for jobs in a booking and gangs within one cabinet. Slower
than the sorted times of `profile`, and able to answer more."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.closures import after_windows
from suanwang.domain.scheduling.kernel.codes import BACKFILL
from suanwang.domain.scheduling.kernel.columns import (
    BOOKING,
    CABINET,
    NEVER,
    NODE,
    POOL,
    SIZE,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, next_release
from suanwang.domain.scheduling.kernel.profile import profile
from suanwang.domain.scheduling.kernel.sorting import sort


@compiled
def overtakes(t: Tables, pool: int, walltime_s: int, now_s: int) -> bool:
    """Whether a start now is against the policy, even where it delays nobody."""
    backfill, spare_s = t.size[SIZE.backfill], t.pools[POOL.first_hold_s, pool] - (now_s + walltime_s)
    return (backfill == BACKFILL.until and spare_s < 0) or (backfill == BACKFILL.before and spare_s <= 0)


@compiled
def _look(
    t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, in_cabinet: bool, start_s: int, now_s: int
) -> int:
    """`start_s` if enough nodes fit from then on, else the next time at which more may."""
    first_cabinet, most, next_s = t.pools[POOL.cabinet, pool], 0, NEVER
    t.cabinets[CABINET.fitting, first_cabinet : first_cabinet + t.pools[POOL.cabinets, pool]] = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if not fits(t, node, want, start_s, start_s + walltime_s, now_s):
            next_s = min(next_s, next_release(t, node, start_s))
        elif in_cabinet and num_nodes > 1:
            cabinet = t.nodes[NODE.cabinet, node]
            if cabinet >= 0:
                t.cabinets[CABINET.fitting, cabinet] += 1
                most = max(most, t.cabinets[CABINET.fitting, cabinet])
        else:
            most += 1
    return start_s if most >= num_nodes else next_s


@compiled
def _search(
    t: Tables,
    pool: int,
    want: Want,
    num_nodes: int,
    walltime_s: int,
    in_cabinet: bool,
    from_s: int,
    last_s: int,
    now_s: int,
) -> int:
    """The first start from `from_s` on that is over by `last_s`; NEVER if there is none."""
    if from_s <= now_s and overtakes(t, pool, walltime_s, now_s):
        from_s = now_s + 1
    at_s = after_windows(t, pool, from_s, walltime_s)
    while at_s <= last_s - walltime_s:
        next_s = _look(t, pool, want, num_nodes, walltime_s, in_cabinet, at_s, now_s)
        if next_s == at_s:
            return at_s
        # What is overdue ends just after now, which is no end of anything.
        at_s = after_windows(t, pool, now_s + 1 if at_s <= now_s else next_s, walltime_s)
    return NEVER


@compiled
def start_in_booking(
    t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, in_cabinet: bool, now_s: int
) -> int:
    """NEVER if what is left of the booking has no room for the job any more."""
    start_s, not_before_s = t.bookings[BOOKING.start_s, want.booking], t.bookings[BOOKING.not_before_s, want.booking]
    from_s, last_s = max(now_s, start_s, not_before_s), t.bookings[BOOKING.end_s, want.booking]
    return _search(t, pool, want, num_nodes, walltime_s, in_cabinet, from_s, last_s, now_s)


@compiled
def _cabinet_has_by(t: Tables, pool: int, want: Want, num_nodes: int) -> int:
    """When a cabinet has enough nodes free, holds aside: no gang can start earlier. -NEVER: now."""
    free_from, least_s, first_node = profile(t, pool, want), NEVER, t.pools[POOL.node, pool]
    for cabinet in range(t.pools[POOL.cabinet, pool], t.pools[POOL.cabinet, pool] + t.pools[POOL.cabinets, pool]):
        first, count = t.cabinets[CABINET.node, cabinet], t.cabinets[CABINET.nodes, cabinet]
        if count < num_nodes:
            continue
        for i in range(count):
            t.scratch[i] = t.free_from[free_from + t.by_cabinet[first + i] - first_node]
        sort(t.scratch, 0, count)
        least_s = min(least_s, t.scratch[num_nodes - 1])
    return least_s


@compiled
def start_in_cabinet(t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, now_s: int) -> int:
    """Of a gang that must be in one cabinet, and has one that is large enough."""
    from_s, free_s = max(now_s, t.pools[POOL.not_before_s, pool]), _cabinet_has_by(t, pool, want, num_nodes)
    if free_s > -NEVER:
        from_s = max(from_s, free_s, now_s + 1)
    return _search(t, pool, want, num_nodes, walltime_s, True, from_s, NEVER, now_s)
