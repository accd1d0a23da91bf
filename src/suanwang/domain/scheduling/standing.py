"""The calendar as a state keeps it: what stands, what is asked for, and the columns that it becomes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.calendar import (
    Booking,
    BookingRestored,
    BookingSet,
    CalendarEvent,
    Window,
    WindowRestored,
    WindowSet,
)
from suanwang.domain.scheduling.events import Ask
from suanwang.domain.scheduling.kernel.columns import BOOKING, CLOSURE, NODE, POOL, SIZE, WINDOW, Array, Tables


@dataclass(slots=True)
class Confirmed:
    """A booking with its nodes. `present`: those that the pool had when we last spoke of them."""

    booking: Booking
    node_names: tuple[str, ...]
    present: tuple[str, ...]


class Calendar:
    """Bookings and windows of all pools. `moved`: the columns are to be laid anew."""

    def __init__(self) -> None:
        self.bookings: dict[str, Confirmed] = {}
        self.windows: dict[str, Window] = {}
        self.asked: dict[str, Booking] = {}
        """Bookings that the next step answers, in the order of the events."""
        self.announced: dict[str, Window] = {}
        """Windows of which the next step says what is in their way."""
        self.numbers: dict[str, int] = {}
        """Booking -> its column, while it stands or a job names it."""
        self.moved = False
        self._named = Counter[str]()
        self._free: list[int] = []

    def name(self, booking_id: str | None) -> int:
        """A job names a booking, which need not be there. Returns its column, -1 for none."""
        if booking_id is None:
            return -1
        self._named[booking_id] += 1
        return self._number(booking_id)

    def unname(self, booking_id: str | None) -> None:
        if booking_id is not None:
            self._named[booking_id] -= 1
            if self._named[booking_id] == 0 and booking_id not in self.bookings:
                del self._named[booking_id]
                self._free.append(self.numbers.pop(booking_id))

    def _number(self, booking_id: str) -> int:
        if booking_id not in self.numbers:
            self.moved = True
            self.numbers[booking_id] = self._free.pop() if self._free else len(self.numbers)
        return self.numbers[booking_id]

    def settle_numbers(self) -> int:
        """Every booking that stands gets a column, and those that nobody names any more give theirs back. Returns how
        many columns there are."""
        for booking_id in self.bookings:
            self._number(booking_id)
        for booking_id in [one for one in self.numbers if one not in self.bookings and not self._named[one]]:
            del self._named[booking_id]
            self._free.append(self.numbers.pop(booking_id))
        return len(self.numbers) + len(self._free)

    def admits(self, ask: Ask) -> bool:
        """Whether the booking that a job names is open to its tenant."""
        known = self.bookings.get(ask.booking_id or "")
        return known is not None and ask.tenant_id in known.booking.tenants

    def ask(self, booking: Booking) -> None:
        known = self.bookings.get(booking.id)
        self.asked.pop(booking.id, None)
        if known is None or known.booking != booking:
            self.asked[booking.id] = booking

    def confirm(self, booking: Booking, node_names: tuple[str, ...]) -> None:
        self.bookings[booking.id] = Confirmed(booking, node_names, node_names)
        self.moved = True

    def put_back(self, known: Confirmed) -> None:
        self.bookings[known.booking.id] = known
        self.moved = True

    def remove_booking(self, booking_id: str) -> None:
        self.asked.pop(booking_id, None)
        self.moved |= self.bookings.pop(booking_id, None) is not None

    def announce(self, window: Window) -> None:
        if self.windows.get(window.id) != window:
            self.announced[window.id] = window
            self.set_window(window)

    def set_window(self, window: Window) -> None:
        self.windows[window.id] = window
        self.moved = True

    def remove_window(self, window_id: str) -> None:
        self.announced.pop(window_id, None)
        self.moved |= self.windows.pop(window_id, None) is not None

    def forget_past(self, now_s: int) -> None:
        """What is over simply passes."""
        for booking_id in [key for key, known in self.bookings.items() if known.booking.end_s <= now_s]:
            del self.bookings[booking_id]
            self.moved = True
        for window_id in [key for key, window in self.windows.items() if window.end_s <= now_s]:
            if window_id not in self.announced:
                self.remove_window(window_id)

    def events(self) -> Iterator[CalendarEvent]:
        """Events that build this calendar anew."""
        for _, window in sorted(self.windows.items()):
            yield WindowSet(window) if window.id in self.announced else WindowRestored(window)
        for _, known in sorted(self.bookings.items()):
            yield BookingRestored(known.booking, known.node_names)
        for booking in self.asked.values():
            yield BookingSet(booking)

    def windows_of(self, pool_id: str, start_s: int, end_s: int) -> list[Window]:
        """Windows of a pool that reach into [start_s, end_s), by start."""
        found = [w for w in self.windows.values() if w.pool_id == pool_id and w.start_s < end_s and w.end_s > start_s]
        return sorted(found, key=lambda window: (window.start_s, window.id))

    def bookings_of(self, pool_id: str, start_s: int, end_s: int) -> list[Booking]:
        """Confirmed bookings of a pool that reach into [start_s, end_s), by start."""
        all_of_them = [known.booking for known in self.bookings.values()]
        found = [b for b in all_of_them if b.pool_id == pool_id and b.start_s < end_s and b.end_s > start_s]
        return sorted(found, key=lambda booking: (booking.start_s, booking.id))


def owners_of(pools: Sequence[Pool], width: int) -> tuple[dict[str, int], Array]:
    """Tenants that go first somewhere, by name, and [owner, pool]: 1 where."""
    named = {tenant for pool in pools for tenant in pool.offer.own_tenants_first}
    owners = {tenant: number for number, tenant in enumerate(sorted(named))}
    owns = np.zeros((len(owners), width), np.int64)
    for number, pool in enumerate(pools):
        owns[[owners[tenant] for tenant in pool.offer.own_tenants_first], number] = 1
    return owners, owns


def lay_calendar(
    t: Tables, calendar: Calendar, pool_index: Mapping[str, int], node_names: Sequence[Sequence[str]]
) -> Tables:
    """The columns of what stands, anew. Nodes that a pool does not have are passed over."""
    columns = calendar.settle_numbers()
    calendar.moved = False
    closures, by_pool = list[tuple[int, int, int, int]](), dict[int, list[tuple[int, int]]]()
    bookings = np.full((len(BOOKING), columns), -1, np.int64)
    places: dict[int, dict[str, int]] = {}

    def close(pool: int, names: Sequence[str], start_s: int, end_s: int, booking: int) -> None:
        if pool not in places:
            places[pool] = {name: int(t.pools[POOL.node, pool]) + at for at, name in enumerate(node_names[pool])}
        closures.extend((places[pool][name], start_s, end_s, booking) for name in names if name in places[pool])

    for _, known in sorted(calendar.bookings.items()):
        booking, pool = known.booking, pool_index[known.booking.pool_id]
        number = calendar.numbers[booking.id]
        bookings[: BOOKING.holders, number] = pool, booking.start_s, booking.end_s
        close(pool, known.node_names, booking.start_s, booking.end_s, number)
    for _, window in sorted(calendar.windows.items()):
        pool = pool_index[window.pool_id]
        if window.node_names:
            close(pool, window.node_names, window.start_s, window.end_s, -1)
        else:
            by_pool.setdefault(pool, []).append((window.start_s, window.end_s))
    windows: list[tuple[int, int]] = []
    known_pools = slice(0, len(pool_index))
    t.pools[POOL.window, known_pools], t.pools[POOL.windows, known_pools] = 0, 0
    for pool, found in sorted(by_pool.items()):
        t.pools[POOL.window, pool], t.pools[POOL.windows, pool] = len(windows), len(found)
        windows += sorted(found)
    closures.sort()
    table = np.full((len(CLOSURE), len(closures)), -1, np.int64)
    table[: CLOSURE.next] = np.array(closures, np.int64).reshape(-1, CLOSURE.next).T
    t.nodes[NODE.closure] = -1
    for number in reversed(range(len(closures))):
        node = closures[number][0]
        table[CLOSURE.next, number], t.nodes[NODE.closure, node] = t.nodes[NODE.closure, node], number
    t.size[SIZE.closures] = len(closures) + len(windows)
    return t._replace(
        bookings=bookings, closures=table, windows=np.array(windows, np.int64).reshape(-1, len(WINDOW)).T.copy()
    )
