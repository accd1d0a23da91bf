"""Scores by which a queue is served: less is first. What they are is said, with their sources, at `policy.Policy`."""

from math import log2, log10
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.kernel.columns import FACTOR
from suanwang.domain.scheduling.kernel.compiling import compiled

Factors: TypeAlias = npt.NDArray[np.float64]


@compiled
def f1(submitted_s: float, walltime_s: float, chips: float) -> float:
    return log10(walltime_s) * chips + 870.0 * log10(max(submitted_s, 1e-300))  # what came at the start comes first


@compiled
def wfp3(wait_s: float, walltime_s: float, chips: float) -> float:
    relative = wait_s / walltime_s
    return -relative * relative * relative * chips


@compiled
def multi_factor(factors: Factors, wait_s: float, fair_share: float, size: float, priority: float) -> float:
    age = min(1.0, wait_s / factors[FACTOR.age_full_s])
    rank = max(0.0, min(1.0, priority / factors[FACTOR.priority_full]))
    total = factors[FACTOR.age] * age + factors[FACTOR.fair_share] * fair_share + factors[FACTOR.size] * size
    return -float(total + factors[FACTOR.priority] * rank)


@compiled
def unicef(wait_s: float, walltime_s: float, chips: float) -> float:
    return -wait_s / (log2(max(chips, 2.0)) * walltime_s)
