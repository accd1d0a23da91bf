"""Why a job waits where it waits, and what it keeps from others there."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.closures import after_windows, is_booked, is_open
from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.kernel.columns import (
    BOOKING,
    HOLD,
    JOB,
    NODE,
    POOL,
    ROW,
    SIZE,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, fits_now
from suanwang.domain.scheduling.kernel.nodes import want_of
from suanwang.domain.scheduling.kernel.owners import goes_first
from suanwang.domain.scheduling.kernel.profile import has_free


@compiled
def waits_its_turn(code: int) -> bool:
    """Whether nothing is the matter but that others are before it, or run."""
    return CODE.waits_for_chips <= code <= CODE.waits_behind_owner


@compiled
def may_reserve(t: Tables, job: int, pool: int, row: int, depth: int) -> bool:
    """Whether a job that waits gets a reservation; it is counted. A booking is a place of its own, and who goes first
    always has one."""
    booking = t.rows[ROW.booking, row]
    if booking >= 0 and t.bookings[BOOKING.holders, booking] < depth:
        t.bookings[BOOKING.holders, booking] += 1
        return True
    if goes_first(t, job, pool):
        return True
    if booking < 0 and t.pools[POOL.holders, pool] < depth:
        t.pools[POOL.holders, pool] += 1
        return True
    return False


@compiled
def bar_others(t: Tables, pool: int, row: int, start_s: int) -> None:
    """Nobody behind starts there before the job does."""
    booking = t.rows[ROW.booking, row]
    if booking >= 0:
        t.bookings[BOOKING.not_before_s, booking] = max(t.bookings[BOOKING.not_before_s, booking], start_s)
    else:
        t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)


@compiled
def _is_owners(t: Tables, node: int, pool: int, from_s: int, until_s: int) -> bool:
    """Whether one of those who go first has a reservation on the node in that time."""
    hold = t.nodes[NODE.hold, node]
    while hold >= 0:
        start_s, end_s = t.holds[HOLD.start_s, hold], t.holds[HOLD.end_s, hold]
        if start_s < end_s and start_s < until_s and from_s < end_s and goes_first(t, t.holds[HOLD.job, hold], pool):
            return True
        hold = t.holds[HOLD.next, hold]
    return False


@compiled
def _why_held(t: Tables, job: int, pool: int, want: Want, now_s: int) -> int:
    """What keeps a job from nodes of which enough are free now: the calendar, else who goes first, else others."""
    until_s, left, booked, owned = now_s + t.jobs[JOB.walltime_s, job], 0, False, False
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if not fits_now(t, node, want):
            continue
        if is_open(t, node, want.booking, now_s, until_s):
            left += 1
            if not fits(t, node, want, now_s, until_s, now_s):
                owned = owned or _is_owners(t, node, pool, now_s, until_s)
        else:
            booked = booked or is_booked(t, node, want.booking, now_s, until_s)
    if left < t.jobs[JOB.nodes, job]:
        if want.booking >= 0:
            return CODE.waits_for_chips
        return CODE.waits_behind_booking if booked else CODE.waits_for_window
    return CODE.waits_behind_owner if owned and not goes_first(t, job, pool) else CODE.waits_behind_others


@compiled
def why_waits(t: Tables, job: int, pool: int, row: int, now_s: int) -> int:
    want = want_of(t, row)
    if want.booking >= 0 and t.bookings[BOOKING.start_s, want.booking] > now_s:
        return CODE.waits_for_booking
    if not has_free(t, pool, want, t.jobs[JOB.nodes, job]):
        return CODE.waits_for_chips
    if after_windows(t, pool, now_s, t.jobs[JOB.walltime_s, job]) != now_s:
        return CODE.waits_for_window
    if t.size[SIZE.closures] == 0 and t.size[SIZE.owner_holds] == t.size[SIZE.kept_holds]:
        return CODE.waits_behind_others
    return _why_held(t, job, pool, want, now_s)
