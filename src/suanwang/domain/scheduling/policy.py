"""The scheduler's policy, as data."""

from dataclasses import dataclass
from typing import Literal, get_args

from suanwang.errors import InvalidInput

Order = Literal["fcfs", "sjf", "priority", "f1", "given", "wfp3", "unicef"]
Backfill = Literal["beside", "until", "before"]
Placement = Literal["best_fit", "first_fit"]

STRICT_FIFO = 0
EASY = 1
CONSERVATIVE = 2**31
"""Reservation depths with a name of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the queue is served. Ties are broken by time of submission, then by arrival, then by job id."""

    order: Order = "priority"
    """fcfs: by submission; sjf: shortest walltime first; priority: highest first, then by submission.

    f1: log10(walltime) x chips + 870 log10(submitted), of Carastan-Santos and de Camargo (SC 2017), with times from the
    start of the trace. wfp3: -(wait / walltime)^3 x chips and unicef: -wait / (log2(chips) walltime), of Tang et al.
    (CLUSTER 2009); they change with time. given: by a score that comes with each job, least first.
    """
    backfill: Backfill = "beside"
    """Who may overtake a reservation. beside: who does not delay it; until: who ends by its start, even where it would
    fit beside it (as some simulators have it); before: who ends before its start."""
    reservation_depth: int = EASY
    """How many waiting jobs of each pool hold a reservation. 0: nobody overtakes at a pool where a job waits."""
    reserve_ahead: int = 1_000
    """Only so many jobs at the front of the queue may get reservations; it bounds the time of a pass, not the depth."""
    placement: Placement = "best_fit"
    """best_fit: nodes with the fewest free chips that fit; first_fit: nodes in their order."""
    outlook: bool = True
    """Whether decisions carry what every pool could have done; a replay of a whole log does without."""
    quote_ahead: int = 1_000
    """A quote takes so many jobs ahead into account; behind more it names no start."""

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise InvalidInput("order", self.order, ", ".join(get_args(Order)))
        if self.backfill not in get_args(Backfill):
            raise InvalidInput("backfill", self.backfill, ", ".join(get_args(Backfill)))
        if self.placement not in get_args(Placement):
            raise InvalidInput("placement", self.placement, ", ".join(get_args(Placement)))
        if not 0 <= self.reservation_depth <= CONSERVATIVE:
            raise InvalidInput("reservation_depth", self.reservation_depth, f"0 to {CONSERVATIVE}")
        if self.reserve_ahead < 1:
            raise InvalidInput("reserve_ahead", self.reserve_ahead, "1 or more")
        if self.quote_ahead < 0:
            raise InvalidInput("quote_ahead", self.quote_ahead, "0 or more")
