"""The scheduler's policy, as data."""

from dataclasses import dataclass
from typing import Literal, get_args

from suanwang.errors import InvalidInput
from suanwang.units import MILLI_PER_CHIP

Order = Literal["fcfs", "sjf", "priority", "f1", "given", "wfp3", "unicef"]
Backfill = Literal["beside", "until", "before"]
Placement = Literal["best_fit", "first_fit", "packing", "clustering", "dot_product", "best_fit_weighted", "fgd"]

STRICT_FIFO = 0
EASY = 1
CONSERVATIVE = 2**31
"""Reservation depths with a name of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalJob:
    """One of the jobs by which "fgd" measures what is a fragment, per node."""

    chip_ids: frozenset[str]
    """Any chip of the set will do."""
    chips: int
    """0: it needs CPUs only, so that idle chips are of no use to it."""
    cpus: int
    frequency: float
    """Its part of all jobs, 0 to 1."""
    chip_milli: int = MILLI_PER_CHIP
    """How much of each chip, in thousandths; less than all of it only of one chip."""

    def __post_init__(self) -> None:
        if self.chips < 0 or self.cpus < 0:
            raise InvalidInput("typical", (self.chips, self.cpus), "chips and cpus of 0 or more")
        if not 1 <= self.chip_milli <= MILLI_PER_CHIP or (self.chip_milli < MILLI_PER_CHIP and self.chips != 1):
            raise InvalidInput("chip_milli", self.chip_milli, f"1 to {MILLI_PER_CHIP}, all of it unless chips is 1")
        if not 0 < self.frequency <= 1:
            raise InvalidInput("frequency", self.frequency, "more than 0, at most 1")


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
    """best_fit: nodes with the fewest free chips that fit; first_fit: nodes in their order. The others give every node
    that fits a score of 0 to 100 (`kernel/scores.py`) and take the highest, also across pools between which the job's
    objective sees no difference: packing: shared chips before whole ones, nodes in use before empty ones;
    clustering: jobs of one size together (Gandiva, OSDI 2018); dot_product: what is asked for along what is free
    (Tetris, SIGCOMM 2014); best_fit_weighted: least left of CPUs and chips together; fgd: fragmentation gradient
    descent, the fewest new fragments for the `typical` jobs (Beware of Fragmentation, USENIX ATC 2023, which compares
    them all). Reservations for later are made as by best_fit."""
    typical: tuple[TypicalJob, ...] = ()
    """What "fgd" measures fragments by."""
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
        if self.placement == "fgd" and not self.typical:
            raise InvalidInput("typical", 0, "at least one typical job where placement is fgd")
        if not 0 <= self.reservation_depth <= CONSERVATIVE:
            raise InvalidInput("reservation_depth", self.reservation_depth, f"0 to {CONSERVATIVE}")
        if self.reserve_ahead < 1:
            raise InvalidInput("reserve_ahead", self.reserve_ahead, "1 or more")
        if self.quote_ahead < 0:
            raise InvalidInput("quote_ahead", self.quote_ahead, "0 or more")
