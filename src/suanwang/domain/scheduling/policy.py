"""The scheduler's policy, as data."""

from dataclasses import dataclass
from typing import Literal, get_args

from suanwang.errors import InvalidInput

Order = Literal["fcfs", "sjf", "priority"]
Placement = Literal["best_fit", "first_fit"]

STRICT_FIFO = 0
EASY = 1
CONSERVATIVE = 2**31
"""Reservation depths with a name of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preemption:
    """Who may have the place of a preemptible job, and how often that may happen to it."""

    min_gap: int = 1
    """By how much the priority must be higher. Where a tenant takes back what is its own, priorities do not count."""
    max_preemptions: int = 3
    """Of one job; after that it is as safe as one that is not preemptible."""
    max_victims: int = 16
    """For one job."""
    min_run_s: int = 60
    """An attempt is safe for so long after its start, and always in the second of its start."""

    def __post_init__(self) -> None:
        for name, least in (("min_gap", 1), ("max_preemptions", 0), ("max_victims", 0), ("min_run_s", 0)):
            if getattr(self, name) < least:
                raise InvalidInput(f"preemption.{name}", getattr(self, name), f"{least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the queue is served. Ties are broken by time of submission, then by job id."""

    order: Order = "priority"
    """fcfs: by submission; sjf: shortest walltime first; priority: highest first, then by submission."""
    reservation_depth: int = EASY
    """How many waiting jobs of each pool hold a reservation. 0: nobody overtakes at a pool where a job waits."""
    placement: Placement = "best_fit"
    """best_fit: nodes with the fewest free chips that fit; first_fit: nodes in their order."""
    outlook: bool = True
    """Whether decisions carry what every pool could have done; a replay of a whole log does without."""
    quote_ahead: int = 1_000
    """A quote takes into account at most so many jobs ahead in the queue."""
    preemption: Preemption | None = None
    """None: who runs stays."""
    usage_half_life_s: int = 0
    """After so long, chip-seconds of a tenant weigh half. 0: usage is not counted."""

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise InvalidInput("order", self.order, ", ".join(get_args(Order)))
        if self.placement not in get_args(Placement):
            raise InvalidInput("placement", self.placement, ", ".join(get_args(Placement)))
        if not 0 <= self.reservation_depth <= CONSERVATIVE:
            raise InvalidInput("reservation_depth", self.reservation_depth, f"0 to {CONSERVATIVE}")
        if self.usage_half_life_s < 0:
            raise InvalidInput("usage_half_life_s", self.usage_half_life_s, "0 or more seconds")
        if self.quote_ahead < 0:
            raise InvalidInput("quote_ahead", self.quote_ahead, "0 or more")
