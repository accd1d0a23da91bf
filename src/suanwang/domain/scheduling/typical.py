"""The typical jobs that fragments are measured by, as tables of partial sums."""

from collections.abc import Sequence
from math import inf, log

import numpy as np

from suanwang.domain.scheduling.kernel.columns import Array, Typical
from suanwang.domain.scheduling.policy import TypicalJob
from suanwang.units import MILLI_PER_CHIP

_SATURATED = 53 * log(2) * MILLI_PER_CHIP
"""From this change on, the sigmoid is 1 in double precision."""


def score_bounds() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The least change that has each score of 0 to 100, and one that nothing reaches: the sigmoid turned round."""
    inner = [MILLI_PER_CHIP * log(score / (100 - score)) for score in range(1, 100)]
    return np.array([-inf, *inner, _SATURATED, inf])


def no_typical() -> Typical:
    return typical((), (), np.zeros((1, 1), np.int64))


def typical(jobs: Sequence[TypicalJob], kinds: Sequence[int], matches: Array) -> Typical:
    """Tables of partial sums over typical jobs; `matches`: [kind, pool]."""
    asked = np.array(
        [(each.cpus, each.chip_milli, each.chips, kind) for each, kind in zip(jobs, kinds, strict=True)],
        np.int64,
    ).reshape(-1, 4)
    frequencies = np.array([each.frequency for each in jobs], np.float64)
    cpus = np.unique(asked[:, 0])
    shares = np.unique(asked[asked[:, 2] == 1, 1])
    largest = int(asked[:, 2].max(initial=1))
    pools = matches.shape[1]
    single = np.zeros((pools, len(cpus) + 1, len(shares) + 1))
    gang = np.zeros((pools, len(cpus) + 1, largest + 1))
    for (want_cpus, milli, chips, kind), frequency in zip(asked.tolist(), frequencies.tolist(), strict=True):
        here = np.flatnonzero(matches[kind])
        enough_cpus = int(np.searchsorted(cpus, want_cpus)) + 1
        if chips == 1:
            single[here, enough_cpus:, int(np.searchsorted(shares, milli)) + 1 :] += frequency
        elif chips > 1:
            gang[here, enough_cpus:, chips:] += frequency
    return Typical(
        jobs=asked,
        frequencies=frequencies,
        cpus=cpus,
        milli_rank=np.searchsorted(shares, np.arange(MILLI_PER_CHIP + 1), side="right").astype(np.int16),
        single=single,
        gang=gang,
        bounds=score_bounds(),
        total=float(frequencies.sum()),
    )
