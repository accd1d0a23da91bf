#!/usr/bin/env python3
"""A workload of three small centres over ten days, drawn from a seed: the sample of the replay documentation.

    python examples/replay/make_trace.py jobs.parquet

Nothing in it is of a real user. Arrivals follow the working day, with one crowded centre and one that is nearly idle;
sizes are powers of two, most of them small; run times are log-normal; people ask for more time than they need.
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl

from suanwang.replay.traces.parquet import write_parquet
from suanwang.replay.traces.trace import INPUT, in_form
from suanwang.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

SEED = 20_261_122
JOBS = 1_500
DAYS = 10
EPOCH_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""
SHARES = {"beijing": 0.62, "guiyang": 0.12, "shanghai": 0.26}
SIZES = {1: 0.55, 2: 0.15, 4: 0.13, 8: 0.11, 16: 0.04, 32: 0.02}
CHIPS_PER_NODE = 8


def make_trace(seed: int = SEED, jobs: int = JOBS) -> pl.DataFrame:
    """The same seed makes the same jobs."""
    draw = np.random.default_rng(seed)
    day = draw.integers(0, DAYS, jobs) * SECONDS_PER_DAY
    hour = np.clip(draw.normal(14, 4, jobs), 0, 23.9) * SECONDS_PER_HOUR
    chips = draw.choice(list(SIZES), jobs, p=list(SIZES.values()))
    run_s = np.clip(draw.lognormal(8.3, 1.4, jobs), 30, 2 * SECONDS_PER_DAY).astype(np.int64)
    home = draw.choice(list(SHARES), jobs, p=list(SHARES.values()))
    only_ascend = draw.random(jobs) < 0.2
    drawn = pl.DataFrame(
        {
            "submitted_s": np.sort((day + hour).astype(np.int64)),
            "run_s": run_s,
            "walltime_s": -(-(run_s * draw.uniform(1.0, 4.0, jobs)).astype(np.int64) // SECONDS_PER_HOUR)
            * SECONDS_PER_HOUR,
            "total": chips,
            "home": home,
            "tenant": [f"{name}-lab{number}" for name, number in zip(home, draw.integers(1, 7, jobs), strict=True)],
            "only_ascend": only_ascend,
            INPUT: draw.choice([0, 512, 8_192, 65_536], jobs, p=[0.3, 0.4, 0.2, 0.1]),
        }
    )
    return in_form(
        drawn.with_row_index("number", offset=1),
        job_id=pl.concat_str(pl.lit("job"), pl.col("number")),
        num_nodes=(pl.col("total") + (CHIPS_PER_NODE - 1)) // CHIPS_PER_NODE,
        chips_per_node=pl.col("total").clip(1, CHIPS_PER_NODE),
        cpus_per_node=pl.col("total").clip(1, CHIPS_PER_NODE) * 4,
        chips=pl.when("only_ascend").then(pl.lit(["ascend-910b2"])),
    )


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "jobs.parquet")
    frame = make_trace()
    write_parquet(frame, target, epoch_s=EPOCH_S)
    sys.stdout.write(f"{len(frame)} jobs in {target}\n")
