"""What stands in the way of a job that fits: the facts behind the codes of bookings, windows and own tenants."""

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.events import Ask
from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.kernel.columns import SIZE
from suanwang.domain.scheduling.state import State


def cause_facts(state: State, ask: Ask, pool: Pool, code: int) -> dict[str, object]:
    """The first booking or window in the job's way if it started now; whose centre's tenants go before it."""
    calendar, now_s = state.calendar, int(state.tables.size[SIZE.now_s])
    end_s = now_s + ask.walltime_s
    if code == CODE.waits_for_booking and ask.booking_id is not None:
        return {"booking_id": ask.booking_id, "booking_start_s": calendar.bookings[ask.booking_id].booking.start_s}
    if code == CODE.waits_behind_booking:
        booking = next(each for each in calendar.bookings_of(pool.id, now_s, end_s) if each.id != ask.booking_id)
        return {"booking_id": booking.id, "booking_start_s": booking.start_s, "booking_end_s": booking.end_s}
    if code == CODE.waits_for_window:
        window = calendar.windows_of(pool.id, now_s, end_s)[0]
        return {"window_id": window.id, "window_start_s": window.start_s, "window_end_s": window.end_s}
    return {"centre": pool.centre_id} if code == CODE.waits_behind_owner else {}
