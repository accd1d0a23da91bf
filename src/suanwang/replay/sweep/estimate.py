"""What a sweep says: for every policy and choice of parameters the mean over seeds, and how sure it is.

The interval is Student's, for the mean of independent samples of unknown variance, with 95 % confidence. Its quantile
is found by bisection in the distribution for whole degrees of freedom (Abramowitz and Stegun, Handbook of Mathematical
Functions, 1964, 26.7.3 and 26.7.4).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from json import dumps
from math import atan, cos, pi, sin, sqrt
from statistics import fmean, stdev
from typing import Any

from suanwang.replay.sweep.play import Line

CONFIDENCE = 0.95
MEASURES = (
    "jobs", "refused", "unfinished", "mean_wait_s", "median_wait_s", "p95_wait_s", "mean_bounded_slowdown",
    "utilisation", "makespan_s", "fairness", "cost_fen", "energy_kwh", "carbon_kg",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """`half_width` None: one seed says nothing of how sure it is."""

    mean: float
    half_width: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy with one choice of parameters, over the seeds that ran."""

    policy: str
    set: dict[str, Any]
    runs: int
    measures: dict[str, Estimate | None]


def summaries(lines: Iterable[Line]) -> list[Summary]:
    """In the order of the runs."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in sorted(lines, key=lambda one: int(one["run"])):
        groups.setdefault((line["policy"], dumps(line["set"], sort_keys=True)), []).append(line)
    return [
        Summary(
            policy=own[0]["policy"],
            set=own[0]["set"],
            runs=len(own),
            measures={name: estimate([line["summary"].get(name) for line in own]) for name in MEASURES},
        )
        for own in groups.values()
    ]


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Of the values that are known; None if there are none."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    if len(known) == 1:
        return Estimate(known[0], None, 1)
    return Estimate(fmean(known), quantile(len(known) - 1) * stdev(known) / sqrt(len(known)), len(known))


@cache
def quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t that |T| stays below with this confidence."""
    low, high = 0.0, 1.0
    while within(high, freedom) < confidence:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if within(middle, freedom) < confidence else (low, middle)
    return high


def within(t: float, freedom: int) -> float:
    """P(|T| <= t) of Student's distribution."""
    theta = atan(t / sqrt(freedom))
    term = cos(theta) if freedom % 2 else 1.0
    total = 0.0
    for power in range(1 if freedom % 2 else 0, freedom - 1, 2):
        total += term
        term *= cos(theta) ** 2 * (power + 1) / (power + 2)
    return 2 / pi * (theta + sin(theta) * total) if freedom % 2 else sin(theta) * total
