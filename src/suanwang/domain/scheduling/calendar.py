"""What stands in a centre's calendar: bookings for courses and demonstrations, and maintenance windows; and the events
that change it."""

from dataclasses import dataclass
from typing import TypeAlias

from suanwang.domain.job import Within, check_within
from suanwang.errors import InvalidInput

LATEST_S = 2**40
"""No time lies later: sums of times stay far within 64 bits."""


def _check_times(start_s: int, end_s: int) -> None:
    if not 0 <= start_s < end_s <= LATEST_S:
        raise InvalidInput("start_s, end_s", f"{start_s}, {end_s}", f"an end after the start, both 0 to {LATEST_S}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Whole nodes of a pool for the jobs of some tenants in [start_s, end_s).

    Jobs that name it run in it and nowhere else: on its nodes, and over before its end. All others stay out, also of
    what its jobs leave unused.
    """

    id: str
    pool_id: str
    start_s: int
    end_s: int
    tenants: frozenset[str]
    num_nodes: int | None = None
    """None: all nodes of the pool."""
    within: Within = "pool"

    def __post_init__(self) -> None:
        _check_times(self.start_s, self.end_s)
        if not self.tenants:
            raise InvalidInput("tenants", 0, "at least one tenant who may use it")
        if self.num_nodes is not None and self.num_nodes < 1:
            raise InvalidInput("num_nodes", self.num_nodes, "1 or more, or none given for all nodes")
        check_within(self.within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Nobody may run on these nodes in [start_s, end_s). What runs there already runs on.

    Windows that come again are several windows.
    """

    id: str
    pool_id: str
    start_s: int
    end_s: int
    node_names: tuple[str, ...] = ()
    """Empty: the whole pool."""

    def __post_init__(self) -> None:
        _check_times(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class BookingSet:
    """A booking is asked for, or a confirmed one is to become another: the step answers it.

    If the change is refused, the booking stays as it was. Nothing happens if it is confirmed already as it is.
    """

    booking: Booking


@dataclass(frozen=True, slots=True)
class BookingRemoved:
    """Its room is free at once; jobs that run in it run on."""

    booking_id: str


@dataclass(frozen=True, slots=True)
class BookingRestored:
    """A booking that is confirmed already, on these nodes: the state is built anew after a restart."""

    booking: Booking
    node_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WindowSet:
    """A maintenance window is planned, or changes. The step says who runs in its way."""

    window: Window


@dataclass(frozen=True, slots=True)
class WindowRemoved:
    window_id: str


@dataclass(frozen=True, slots=True)
class WindowRestored:
    """A window that was told of before: the state is built anew after a restart."""

    window: Window


CalendarEvent: TypeAlias = BookingSet | BookingRemoved | BookingRestored | WindowSet | WindowRemoved | WindowRestored
