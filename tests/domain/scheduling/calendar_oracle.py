"""Bookings and windows, written to be obvious: the oracle's part that answers for a centre's calendar."""

from dataclasses import dataclass, field

from suanwang.domain.scheduling.calendar import (
    Booking,
    BookingRemoved,
    BookingRestored,
    BookingSet,
    WindowRemoved,
    WindowRestored,
    WindowSet,
)
from suanwang.domain.scheduling.events import Event
from tests.domain.scheduling.rooms import HORIZON_S, Attempt, Rooms


@dataclass
class Answer:
    """What the oracle says of one job. `outlook`: pool -> (variant, code, start, price)."""

    job_id: str
    code: str
    pool_id: str | None
    variant: int = -1
    nodes: tuple[str, ...] = ()
    end_s: int = 0
    price_fen: int = 0
    outlook: dict[str, tuple[int, str, int | None, int]] = field(default_factory=dict)
    chips: tuple[tuple[int, ...], ...] = ()


@dataclass
class CalendarOracle(Rooms):
    queued: dict[str, Attempt] = field(default_factory=dict)
    promises: dict[str, tuple[str, int, tuple[str, ...]]] = field(default_factory=dict)
    """job -> (pool, variant, nodes) that others leave for it, in the order of the decisions."""
    asked: dict[str, Booking] = field(default_factory=dict)
    """Bookings to answer, in the order of the events."""
    announced: list[str] = field(default_factory=list)
    """Windows to answer."""
    present: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of confirmed bookings, the nodes that the pool had when we last spoke of them."""

    def apply_to_calendar(self, event: Event) -> None:
        match event:
            case BookingSet(booking):
                self.asked.pop(booking.id, None)
                if booking.id not in self.bookings or self.bookings[booking.id][0] != booking:
                    self.asked[booking.id] = booking
            case BookingRemoved(booking_id):
                self.asked.pop(booking_id, None)
                self.bookings.pop(booking_id, None)
            case BookingRestored(booking, nodes):
                self.bookings[booking.id] = (booking, nodes)
            case WindowSet(window):
                if self.windows.get(window.id) != window:
                    self.windows[window.id] = window
                    self.announced = [*(one for one in self.announced if one != window.id), window.id]
            case WindowRestored(window):
                self.windows[window.id] = window
            case WindowRemoved(window_id):
                self.windows.pop(window_id, None)
                self.announced = [one for one in self.announced if one != window_id]

    def answer_calendar(self) -> list[Answer]:
        answers: list[Answer] = []
        for booking_id, (booking, nodes) in sorted(self.bookings.items()):
            offered = {node.name for node in self.pools[booking.pool_id].nodes}
            present, before = tuple(name for name in nodes if name in offered), self.present.get(booking_id, nodes)
            if present != before:
                code = "BOOKING_LOST_NODES" if set(before) - set(present) else "BOOKING_NODES_ARE_BACK"
                answers.append(Answer(booking_id, code, booking.pool_id, nodes=present))
            self.present[booking_id] = present
        answers += [Answer(window_id, "WINDOW_STANDS", self.windows[window_id].pool_id) for window_id in self.announced]
        self.announced = []
        self.bookings = {key: known for key, known in self.bookings.items() if known[0].end_s > self.now_s}
        self.windows = {key: window for key, window in self.windows.items() if window.end_s > self.now_s}
        asked, self.asked = self.asked, {}
        for booking in asked.values():
            as_it_was = self.bookings.pop(booking.id, None)
            answer = self.answer_booking(booking)
            if answer.code == "BOOKING_CONFIRMED":
                self.bookings[booking.id] = (booking, answer.nodes)
                self.present[booking.id] = answer.nodes
            elif as_it_was is not None:
                self.bookings[booking.id] = as_it_was
            answers.append(answer)
        return answers

    def answer_booking(self, booking: Booking) -> Answer:
        pool = self.pools[booking.pool_id]
        wanted = booking.num_nodes or len(pool.nodes)
        cabinets = [self.cabinet(pool.id, node) for node in pool.nodes]
        if booking.end_s <= self.now_s:
            return Answer(booking.id, "BOOKING_IS_OVER", pool.id)
        if wanted > len(pool.nodes):
            return Answer(booking.id, "TOO_FEW_NODES", pool.id)
        in_cabinet = booking.within == "cabinet" and wanted > 1
        if in_cabinet and max(cabinets.count(one) for one in cabinets) < wanted:
            return Answer(booking.id, "NO_CABINET_FITS", pool.id)
        from_s = max(booking.start_s, self.now_s)
        nodes = self.room_for(booking, wanted, from_s, booking.end_s)
        if nodes:
            return Answer(booking.id, "BOOKING_CONFIRMED", pool.id, nodes=nodes)
        later = (
            start_s
            for start_s in range(from_s, from_s + HORIZON_S)
            if self.room_for(booking, wanted, start_s, start_s + booking.end_s - from_s)
        )
        return Answer(booking.id, "BOOKING_HAS_NO_ROOM_THEN", pool.id, end_s=next(later))

    def room_for(self, booking: Booking, wanted: int, start_s: int, end_s: int) -> tuple[str, ...]:
        """Nodes that nothing runs on or is planned for in that time, or nothing."""
        pool_id = booking.pool_id
        seconds = end_s - start_s
        names = [
            n.name for n in self.pools[pool_id].nodes if not self.closures(None, pool_id, n.name, start_s, seconds)
        ]
        for attempt in self.placed.values():
            if attempt.pool_id == pool_id and max(attempt.end_s, self.now_s + 1) > start_s:
                names = [name for name in names if name not in attempt.nodes]
        for job_id, (where, _, nodes) in self.promises.items():
            if where == pool_id and self.now_s + 1 + self.queued[job_id].ask.walltime_s > start_s:
                names = [name for name in names if name not in nodes]
        if booking.within == "cabinet" and wanted > 1:
            by_name = {node.name: self.cabinet(pool_id, node) for node in self.pools[pool_id].nodes}
            cabinets = list(dict.fromkeys(by_name.values()))
            parts = [[name for name in names if by_name[name] == cabinet] for cabinet in cabinets]
            names = min((part for part in parts if len(part) >= wanted), key=len, default=[])
        return tuple(names[:wanted]) if len(names) >= wanted else ()
