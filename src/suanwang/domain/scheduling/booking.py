"""The step's answers to what the calendar was asked: bookings confirmed or refused, windows with what is in their
way."""

from collections.abc import Iterator

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.calendar import LATEST_S, Booking, Window
from suanwang.domain.scheduling.decisions import BookingAnswer, Decision, Reason, WindowAnswer
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    JOB,
    NODE,
    POOL,
    PROMISE,
    SIZE,
    Array,
)
from suanwang.domain.scheduling.state import State

SHOWN = 10
"""So many of what is in the way are named."""


def answer_calendar(state: State, now_s: int) -> list[Decision]:
    """First what nodes that came or went mean, then windows, then bookings in the order in which they were asked for.

    Jobs that wait are not in the way of a booking, but for those that others leave for.
    """
    calendar = state.calendar
    decisions = list[Decision](_about_nodes(state))
    for window in calendar.announced.values():
        decisions.append(_window_answer(state, window, now_s))
    calendar.announced = {}
    calendar.forget_past(now_s)
    asked, calendar.asked = calendar.asked, {}
    for booking in asked.values():
        before = calendar.bookings.get(booking.id)
        calendar.remove_booking(booking.id)
        answer = _booking_answer(state, booking, now_s)
        if answer.confirmed:
            calendar.confirm(booking, answer.node_names)
        elif before is not None:
            calendar.put_back(before)
        decisions.append(answer)
    state.flush()
    return decisions


def _about_nodes(state: State) -> Iterator[BookingAnswer]:
    """Confirmed bookings whose nodes are not those of the last time."""
    if not state.pools_told:
        return
    state.pools_told = False
    for _, known in sorted(state.calendar.bookings.items()):
        offered = {node.name for node in state.pool(known.booking.pool_id).nodes}
        present = tuple(name for name in known.node_names if name in offered)
        if present == known.present:
            continue
        lost = [name for name in known.present if name not in present]
        again = [name for name in present if name not in known.present]
        known.present = present
        facts: dict[str, object] = {"lost": lost, "again": again, "left": len(present)}
        reason = Reason("BOOKING_LOST_NODES" if lost else "BOOKING_NODES_ARE_BACK", facts)
        yield BookingAnswer(known.booking.id, known.booking.pool_id, True, present, reason)


def _window_answer(state: State, window: Window, now_s: int) -> WindowAnswer:
    names = set(window.node_names)
    running = [
        {"job_id": job_id, "expected_end_s": end_s}
        for job_id, end_s, nodes in _running(state, window.pool_id, now_s)
        if end_s > window.start_s and (not names or names & set(nodes))
    ]
    bookings = [
        booking.id
        for booking in state.calendar.bookings_of(window.pool_id, window.start_s, window.end_s)
        if not names or names & set(state.calendar.bookings[booking.id].node_names)
    ]
    facts: dict[str, object] = {"start_s": window.start_s, "end_s": window.end_s, "nodes": list(window.node_names)}
    facts |= {"running": running, "bookings": bookings}
    return WindowAnswer(window.id, window.pool_id, Reason("WINDOW_STANDS", facts))


def _running(state: State, pool_id: str, now_s: int) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """(job, expected end, nodes) of all that is allocated in a pool. What is overdue ends just after now."""
    pool, jobs = state.pool_index[pool_id], state.tables.jobs
    for job_id, job in sorted(state.jobs.items()):
        if job.placed and jobs[JOB.pool, job.slot] == pool:
            yield job_id, max(int(jobs[JOB.end_s, job.slot]), now_s + 1), state.node_names_of(job)


def _booking_answer(state: State, booking: Booking, now_s: int) -> BookingAnswer:
    pool = state.pool(booking.pool_id)

    def refused(code: str, facts: dict[str, object]) -> BookingAnswer:
        return BookingAnswer(booking.id, pool.id, False, (), Reason(code, facts))

    if booking.end_s <= now_s:
        return refused("BOOKING_IS_OVER", {"end_s": booking.end_s})
    never = _never_fits(pool, booking)
    if never is not None:
        return refused(*never)
    from_s = max(booking.start_s, now_s)
    taken = _taken(state, booking, now_s)
    nodes = _choose(state, booking, taken, from_s, booking.end_s)
    if nodes is None:
        return refused("BOOKING_HAS_NO_ROOM_THEN", _in_the_way(state, booking, taken, now_s))
    facts: dict[str, object] = {"start_s": booking.start_s, "end_s": booking.end_s, "nodes": len(nodes)}
    return BookingAnswer(booking.id, pool.id, True, nodes, Reason("BOOKING_CONFIRMED", facts))


def _wanted(pool: Pool, booking: Booking) -> int:
    return len(pool.nodes) if booking.num_nodes is None else booking.num_nodes


def _cabinets(pool: Pool) -> list[list[int]]:
    """Places of the nodes of every cabinet, by first node; a node without one is alone."""
    found = dict[str | int, list[int]]()
    for place, node in enumerate(pool.nodes):
        found.setdefault(node.cabinet or place, []).append(place)
    return list(found.values())


def _never_fits(pool: Pool, booking: Booking) -> tuple[str, dict[str, object]] | None:
    """Code and facts of a booking for which the pool is not made."""
    wanted = _wanted(pool, booking)
    if not pool.nodes or wanted > len(pool.nodes):
        return "TOO_FEW_NODES", {"fitting_nodes": len(pool.nodes), "wanted_nodes": wanted}
    most = max(len(places) for places in _cabinets(pool))
    if booking.within == "cabinet" and most < wanted:
        return "NO_CABINET_FITS", {"largest_cabinet": most, "wanted_nodes": wanted}
    return None


def _taken(state: State, booking: Booking, now_s: int) -> Array:
    """[place, start, end] of all that keeps a booking off nodes of its pool: jobs, promises, bookings and windows."""
    state.flush()
    t, number = state.tables, state.pool_index[booking.pool_id]
    first, names = int(t.pools[POOL.node, number]), {name: at for at, name in enumerate(state.node_names[number])}
    found = list[tuple[int, int, int]]()
    for at in range(len(names)):
        claim = int(t.nodes[NODE.claim, first + at])
        while claim >= 0:
            found.append((at, now_s, max(int(t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]]), now_s + 1)))
            claim = int(t.claims[CLAIM.next, claim])
    for slot, node in t.promises[:, : t.size[SIZE.promises]].T.tolist():
        if 0 <= node - first < len(names) and t.promises[PROMISE.job, 0] >= 0:
            found.append((node - first, now_s, now_s + 1 + int(t.jobs[JOB.walltime_s, slot])))
    calendar = state.calendar
    for other in calendar.bookings_of(booking.pool_id, now_s, LATEST_S):
        nodes = calendar.bookings[other.id].node_names
        found += [(names[name], other.start_s, other.end_s) for name in nodes if name in names]
    for window in calendar.windows_of(booking.pool_id, now_s, LATEST_S):
        nodes = window.node_names or tuple(names)
        found += [(names[name], window.start_s, window.end_s) for name in nodes if name in names]
    return np.array(found, np.int64).reshape(-1, 3)


def _choose(state: State, booking: Booking, taken: Array, start_s: int, end_s: int) -> tuple[str, ...] | None:
    """The first nodes of the pool that are free all that time, or of the cabinet that has the fewest, if enough."""
    pool = state.pool(booking.pool_id)
    free = np.ones(len(state.node_names[state.pool_index[pool.id]]), bool)
    free[taken[(taken[:, 1] < end_s) & (taken[:, 2] > start_s), 0]] = False
    wanted, places = _wanted(pool, booking), np.flatnonzero(free[: len(pool.nodes)]).tolist()
    if booking.within == "cabinet" and wanted > 1:
        parts = [[place for place in cabinet if free[place]] for cabinet in _cabinets(pool)]
        enough = [part for part in parts if len(part) >= wanted]
        places = min(enough, key=len, default=[])
    return tuple(pool.nodes[place].name for place in places[:wanted]) if len(places) >= wanted else None


def _in_the_way(state: State, booking: Booking, taken: Array, now_s: int) -> dict[str, object]:
    """What reaches into the time of a booking, and when it could begin instead and last as long."""
    from_s, calendar = max(booking.start_s, now_s), state.calendar
    seconds = booking.end_s - from_s
    running = [job_id for job_id, end_s, _ in _running(state, booking.pool_id, now_s) if end_s > from_s]
    bookings = [other.id for other in calendar.bookings_of(booking.pool_id, from_s, booking.end_s)]
    windows = [window.id for window in calendar.windows_of(booking.pool_id, from_s, booking.end_s)]
    ends = np.unique(taken[taken[:, 2] > from_s, 2]).tolist()
    earliest = (end_s for end_s in ends if _choose(state, booking, taken, end_s, end_s + seconds) is not None)
    return {
        "jobs": running[:SHOWN],
        "bookings": bookings[:SHOWN],
        "windows": windows[:SHOWN],
        "earliest_start_s": next(earliest, None),
    }
