"""Scores by which a queue is served: less is first. What they are is said, with their sources, at `policy.Policy`."""

from math import log2, log10

from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def f1(submitted_s: float, walltime_s: float, chips: float) -> float:
    return log10(walltime_s) * chips + 870.0 * log10(max(submitted_s, 1e-300))  # what came at the start comes first


@compiled
def wfp3(wait_s: float, walltime_s: float, chips: float) -> float:
    relative = wait_s / walltime_s
    return -relative * relative * relative * chips


@compiled
def unicef(wait_s: float, walltime_s: float, chips: float) -> float:
    return -wait_s / (log2(max(chips, 2.0)) * walltime_s)
