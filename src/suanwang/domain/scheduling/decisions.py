"""What a step decides, with its reasons as codes and facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code (see `reasons`) and the JSON-ready facts behind it."""

    code: str
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class PoolOutlook:
    """What one pool could do for a job when it was looked at, with the variant that suits the job best there.

    `feasible` is False if the pool cannot run the job, ever or at present; `reason` says why. A quote names no start
    behind a queue that is too long to foresee.
    """

    pool_id: str
    variant: int
    feasible: bool
    reason: Reason
    start_s: int | None
    finish_s: int | None
    price_fen: int | None


@dataclass(frozen=True, slots=True)
class Placed:
    """An attempt gets these nodes now. `price_fen` is for the whole walltime."""

    job_id: str
    attempt: int
    pool_id: str
    variant: int
    node_names: tuple[str, ...]
    expected_end_s: int
    price_fen: int
    reason: Reason
    outlook: Sequence[PoolOutlook]
    chips: tuple[tuple[int, ...], ...] = ()
    """Of every node, which chips, counted from 0; nothing on nodes whose chips are not told apart."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job waits: told when it comes, when all pools shut or one opens again, and when it gets a reservation at a pool
    (again only if at another). What it waits for at any moment, `scheduler.quote` tells."""

    job_id: str
    reason: Reason
    outlook: Sequence[PoolOutlook]


@dataclass(frozen=True, slots=True)
class Preempted:
    """An attempt is told to leave for another job. It keeps its nodes until it ended; then they are the other's."""

    job_id: str
    attempt: int
    for_job_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class BookingAnswer:
    """What became of a booking: confirmed on these nodes, refused, or no longer with the nodes it had."""

    booking_id: str
    pool_id: str
    confirmed: bool
    node_names: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """A window stands; its facts name the jobs and bookings that are in its way."""

    window_id: str
    pool_id: str
    reason: Reason


Decision: TypeAlias = Placed | Waiting | Preempted | BookingAnswer | WindowAnswer
