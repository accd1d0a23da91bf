"""Numbers of the plots: sorts, sums and bins over whole columns; the number of points does not grow with the log."""

from typing import Any

import numpy as np
import numpy.typing as npt

from suanwang.replay.energy import Floats

WAIT_POINTS = 120
BINS = 480
Numbers = npt.NDArray[Any]


def wait_edges(longest_s: float) -> Floats:
    """From a second to the longest wait, evenly on a logarithmic axis."""
    return np.geomspace(1.0, max(10.0, float(longest_s)), WAIT_POINTS)


def shares_within(wait_s: Numbers, edges_s: Floats) -> Floats:
    """For every edge the share of waits that are not longer; NaN if there is none."""
    if not len(wait_s):
        return np.full(len(edges_s), np.nan)
    # The last edge is the longest wait but for its last bits.
    found: Floats = np.searchsorted(np.sort(wait_s), np.round(edges_s, 6), side="right") / len(wait_s)
    return found


def time_edges(begin_s: float, end_s: float, bins: int = BINS) -> Floats:
    """Bins of equal length over the whole time."""
    return np.linspace(float(begin_s), max(float(end_s), float(begin_s) + 1), bins + 1)


def mean_in_use(start_s: Numbers, end_s: Numbers, chips: Numbers, edges_s: Floats) -> Floats:
    """How many chips were in use on average in every bin: exact, from the integral of what is in use."""
    if not len(start_s):
        return np.zeros(len(edges_s) - 1)
    times_s = np.concatenate([start_s, end_s]).astype(np.float64)
    order = np.argsort(times_s, kind="stable")
    in_use = np.cumsum(np.concatenate([chips, -chips])[order])
    times_s = times_s[order]
    integral = np.concatenate([[0.0], np.cumsum(in_use[:-1] * np.diff(times_s))])
    mean: Floats = np.diff(np.interp(edges_s, times_s, integral)) / np.diff(edges_s)
    return mean


def busiest(submitted_s: Numbers, start_s: Numbers) -> float:
    """The moment at which most jobs wait."""
    times_s = np.concatenate([submitted_s, start_s])
    change = np.concatenate([np.ones(len(submitted_s)), -np.ones(len(start_s))])
    order = np.lexsort((change, times_s))  # at one moment starts come first: who does not wait is not counted
    return float(times_s[order][np.argmax(np.cumsum(change[order]))])


def stretch_around(at_s: float, start_s: Numbers, end_s: Numbers, most: int) -> tuple[float, float]:
    """The longest stretch around a moment in which not more than so many jobs run, at least two seconds."""
    first_s, last_s = float(start_s.min()), float(end_s.max())
    short, long = 1.0, max(at_s - first_s, last_s - at_s, 1.0)
    if int(np.sum((start_s < at_s + long) & (end_s > at_s - long))) <= most:
        return first_s, last_s
    starts, ends = np.sort(start_s), np.sort(end_s)
    while long - short > 1:
        half = (short + long) / 2
        running = np.searchsorted(starts, at_s + half) - np.searchsorted(ends, at_s - half, side="right")
        short, long = (half, long) if running <= most else (short, half)
    return max(first_s, at_s - short), min(last_s, at_s + short)
