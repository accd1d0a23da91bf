"""The scheduler's policy, as data."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from suanwang.domain.scheduling.quotas import QuotaTree
from suanwang.errors import InvalidInput
from suanwang.units import MILLI_PER_CHIP, SECONDS_PER_DAY

Order = Literal["fcfs", "sjf", "priority", "f1", "given", "deadline", "wfp3", "unicef", "fair_share", "multi_factor"]
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
class MultiFactor:
    """Weights of what a job's priority is made of; every factor lies between 0 and 1. The sum is that of Slurm's
    multi-factor plugin (https://slurm.schedmd.com/priority_multifactor.html), without sites, partitions and TRES."""

    age: float = 1.0
    """Of the time that it waits, full after `age_full_s`."""
    fair_share: float = 1.0
    """Of its tenant's fair-share factor."""
    size: float = 0.0
    """Of its chips, as a part of those of the largest pool: large jobs first. Less than 0: small ones first."""
    priority: float = 0.0
    """Of its own priority, full at `priority_full`."""
    age_full_s: int = 7 * SECONDS_PER_DAY
    priority_full: int = 10

    def __post_init__(self) -> None:
        for name in ("age", "fair_share", "size", "priority"):
            if not isfinite(getattr(self, name)):
                raise InvalidInput(f"multi_factor.{name}", getattr(self, name), "a number")
        for name in ("age_full_s", "priority_full"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"multi_factor.{name}", getattr(self, name), "1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the queue is served. Ties are broken by time of submission, then by arrival, then by job id."""

    order: Order = "priority"
    """fcfs: by submission; sjf: shortest walltime first; priority: highest first, then by submission.

    f1: log10(walltime) x chips + 870 log10(submitted), of Carastan-Santos and de Camargo (SC 2017), with times from the
    start of the trace. wfp3: -(wait / walltime)^3 x chips and unicef: -wait / (log2(chips) walltime), of Tang et al.
    (CLUSTER 2009); they change with time. given: by a score that comes with each job, least first.

    deadline: earliest first; who has none comes last. fair_share: by the tenant's fair-share factor, highest first (see
    `kernel.tenants.fair_share`), as of each pass. multi_factor: by the sum of `factors`, highest first.
    """
    factors: MultiFactor = MultiFactor()
    """What the order "multi_factor" weighs."""
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
    preemption: Preemption | None = None
    """None: who runs stays."""
    usage_half_life_s: int = 0
    """After so long, chip-seconds of a tenant weigh half. 0: usage is not counted."""
    tenants: QuotaTree | None = None
    """Shares and quotas of tenants. None: as an event said last, or as nobody said."""

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
        if self.usage_half_life_s < 0:
            raise InvalidInput("usage_half_life_s", self.usage_half_life_s, "0 or more seconds")
        weighs_usage = self.order == "fair_share" or (self.order == "multi_factor" and self.factors.fair_share != 0)
        if weighs_usage and self.usage_half_life_s == 0:
            allowed = "more than 0 seconds where the order weighs fair shares: usage must be counted"
            raise InvalidInput("usage_half_life_s", self.usage_half_life_s, allowed)
        if self.quote_ahead < 0:
            raise InvalidInput("quote_ahead", self.quote_ahead, "0 or more")
