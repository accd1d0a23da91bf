"""What the calendar of a centre closes: windows to all, booked nodes to all but the jobs of the booking."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.kernel.columns import (
    BOOKING,
    CLOSURE,
    JOB,
    NEVER,
    NODE,
    POOL,
    SIZE,
    WINDOW,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def list_closures(t: Tables) -> None:
    """At the start of a pass: nodes with bookings and windows are among those that are looked at one by one."""
    before = -1
    for closure in range(t.closures.shape[1]):
        node = t.closures[CLOSURE.node, closure]
        pool = t.nodes[NODE.pool, node]
        if node != before:
            t.nodes[NODE.held_next, node] = t.pools[POOL.held, pool]
            t.pools[POOL.held, pool], before = node, node
        if t.closures[CLOSURE.end_s, closure] > t.size[SIZE.now_s]:
            first_s = min(t.pools[POOL.first_closure_s, pool], t.closures[CLOSURE.start_s, closure])
            t.pools[POOL.first_closure_s, pool] = first_s
    for booking in range(t.bookings.shape[1]):
        t.bookings[BOOKING.holders, booking], t.bookings[BOOKING.not_before_s, booking] = 0, -NEVER


@compiled
def after_windows(t: Tables, pool: int, start_s: int, seconds: int) -> int:
    """The first time from `start_s` on from which no window of the whole pool comes in the way."""
    first = t.pools[POOL.window, pool]
    for window in range(first, first + t.pools[POOL.windows, pool]):
        if t.windows[WINDOW.start_s, window] >= start_s + seconds:
            break
        start_s = max(start_s, t.windows[WINDOW.end_s, window])
    return start_s


@compiled
def is_open(t: Tables, node: int, booking: int, from_s: int, until_s: int) -> bool:
    """Whether the calendar leaves a node to a job for that time: to one in a booking only what is booked for it."""
    pool, inside, closure = t.nodes[NODE.pool, node], booking < 0, t.nodes[NODE.closure, node]
    if t.pools[POOL.windows, pool] > 0 and after_windows(t, pool, from_s, until_s - from_s) != from_s:
        return False
    while closure >= 0:
        start_s, end_s = t.closures[CLOSURE.start_s, closure], t.closures[CLOSURE.end_s, closure]
        if booking >= 0 and t.closures[CLOSURE.booking, closure] == booking:
            inside = start_s <= from_s and until_s <= end_s
        elif start_s < until_s and from_s < end_s:
            return False
        closure = t.closures[CLOSURE.next, closure]
    return inside


@compiled
def is_booked(t: Tables, node: int, booking: int, from_s: int, until_s: int) -> bool:
    """Whether a booking of others closes the node in that time."""
    closure = t.nodes[NODE.closure, node]
    while closure >= 0:
        other = t.closures[CLOSURE.booking, closure]
        overlaps = t.closures[CLOSURE.start_s, closure] < until_s and from_s < t.closures[CLOSURE.end_s, closure]
        if overlaps and other >= 0 and other != booking:
            return True
        closure = t.closures[CLOSURE.next, closure]
    return False


@compiled
def next_opening(t: Tables, node: int, after_s: int) -> int:
    """The first time after `after_s` at which a booking or window of the node ends."""
    next_s, closure = NEVER, t.nodes[NODE.closure, node]
    while closure >= 0:
        if after_s < t.closures[CLOSURE.end_s, closure] < next_s:
            next_s = t.closures[CLOSURE.end_s, closure]
        closure = t.closures[CLOSURE.next, closure]
    return next_s


@compiled
def booking_refusal(t: Tables, job: int, pool: int, booking: int) -> int:
    """Why a job in a booking cannot be in this pool at present, as far as the booking alone tells."""
    where = t.bookings[BOOKING.pool, booking]
    if where >= 0 and where != pool:
        return CODE.booking_elsewhere
    if not t.pools[POOL.seen, pool]:
        return CODE.pool_unseen
    if t.pools[POOL.drained, pool]:
        return CODE.pool_drained
    if where < 0:
        return CODE.booking_unknown
    return CODE.fits if t.jobs[JOB.admitted, job] else CODE.booking_not_open_to_tenant
