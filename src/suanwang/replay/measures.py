"""What a schedule was worth: waits, slowdowns, use, fairness, cost and energy, as columns and as summaries.

- Bounded slowdown max(1, (wait + run) / max(run, 10 s)): Feitelson, Metrics for Parallel Job Scheduling and Their
  Convergence (2001), with the usual threshold of ten seconds.
- Makespan: from the first submission to the last end. Utilisation: chip-seconds by chips x makespan.
- Fairness: Jain's index (sum x)^2 / (n sum x^2) of the tenants' shares x of time served, run / (wait + run) weighted by
  chips; 1 is the same for all. Jain, Chiu, Hawe, A Quantitative Measure of Fairness, DEC-TR-301 (1984).
- The p-th percentile of n jobs is the one at place round((n - 1) p) of the sorted, as published tables take it.
- Cost: chip-seconds x price of the last pool, rounded up to the fen for each job; lost work is free unless that pool
  bills it. Energy: chip-seconds x watts per chip in use.
"""

from typing import Any

import numpy as np
import polars as pl

from suanwang.domain.scheduling.workload import NOWHERE
from suanwang.replay.energy import Floats, mean_rate
from suanwang.replay.network import Network
from suanwang.replay.refusal import REASONS, refusals
from suanwang.replay.run import Run
from suanwang.units import GRAMS_PER_KG, JOULES_PER_KWH, MILLI_PER_CHIP, SECONDS_PER_HOUR

THRESHOLD_S = 10
"""Shorter runs count as so long in a slowdown."""

WAIT = (pl.col("end_s") - pl.col("submitted_s") - pl.col("busy_s")).alias("wait_s")
"""Before its first attempt, and between them."""
RAN = pl.when(pl.col("start_s").is_not_null()).then(pl.col("busy_s")).alias("ran_s")
WHOLE_CHIPS = pl.col("num_nodes") * (
    pl.when(pl.col("chips_per_node") > 0).then("chips_per_node").otherwise(pl.col("cpus_per_node").clip(1))
)
SHARES = WHOLE_CHIPS * pl.col("chip_milli")
"""In thousandths of chips."""
BOUNDED_SLOWDOWN = (
    pl.when(pl.col("wait_s").is_not_null())
    .then(pl.max_horizontal(1.0, (pl.col("wait_s") + pl.col("ran_s")) / pl.col("ran_s").clip(THRESHOLD_S)))
    .alias("bounded_slowdown")
)


def outcome(run: Run, network: Network) -> pl.DataFrame:
    """The jobs with what became of them, row by row; null for what never started, with `refused` saying why."""
    codes = refusals(run.pools, run.workload)
    pools = pl.DataFrame(
        {
            "at": range(len(run.pools)),
            "pool": [pool.id for pool in run.pools],
            "centre": [pool.centre_id for pool in run.pools],
            "fen": [pool.offer.fen_per_chip_hour for pool in run.pools],
            "watts": [network.watts_per_chip.get(pool.id) for pool in run.pools],
            "bills_lost": [pool.offer.bills_lost_work for pool in run.pools],
        },
        schema={
            "at": pl.Int64,
            "pool": pl.String,
            "centre": pl.String,
            "fen": pl.Int64,
            "watts": pl.Int64,
            "bills_lost": pl.Boolean,
        },
    )
    columns = {name: getattr(run.schedule, name) for name in ("start_s", "end_s", "attempts", "lost_s", "busy_s")}
    placed = run.frame.with_columns(
        at=pl.Series(run.schedule.pool),
        refused=pl.Series(codes.tolist()).replace_strict(dict(enumerate((None, *REASONS[1:]))), return_dtype=pl.String),
        **{name: pl.Series(column) for name, column in columns.items()},
    )
    known = placed.with_columns(
        pl.when(pl.col(name) != NOWHERE).then(pl.col(name)).alias(name) for name in ("start_s", "end_s")
    )
    timed = known.join(pools, on="at", how="left", maintain_order="left").with_columns(WAIT, RAN)
    shared = bool((run.workload.chip_milli < MILLI_PER_CHIP).any())
    chips, per_chip = (SHARES, MILLI_PER_CHIP) if shared else (WHOLE_CHIPS, 1)  # whole numbers as long as they are
    used = chips * pl.col("ran_s")
    billed = chips * (pl.col("ran_s") - pl.when("bills_lost").then(0).otherwise("lost_s"))
    made = timed.with_columns(
        BOUNDED_SLOWDOWN,
        (chips / per_chip if shared else chips).alias("chips_used"),
        (used / per_chip if shared else used).alias("chip_s"),
        (-(-billed * pl.col("fen") // (SECONDS_PER_HOUR * per_chip))).alias("cost_fen"),
        (used * pl.col("watts") / (JOULES_PER_KWH * per_chip)).alias("energy_kwh"),
    )
    return _with_tariffs(made, network).drop("at", "fen", "watts", "bills_lost", "ran_s")


def by_attempt(jobs: pl.DataFrame, run: Run) -> pl.DataFrame:
    """The jobs of an `outcome`, a row for every attempt: where and when it had its chips."""
    if run.schedule.stretches is None:
        return jobs.drop_nulls("start_s")
    rows, start_s, end_s, pool = run.schedule.stretches
    pools = pl.DataFrame({"pool": [one.id for one in run.pools], "centre": [one.centre_id for one in run.pools]})
    where = pools.select(pl.all().gather(pool.tolist()))
    attempts = where.with_columns(start_s=pl.Series(start_s), end_s=pl.Series(end_s))
    rest = jobs.drop("pool", "centre", "start_s", "end_s").select(pl.all().gather(rows.tolist()))
    return rest.hstack(attempts)


def _with_tariffs(jobs: pl.DataFrame, network: Network) -> pl.DataFrame:
    """What the energy of each job cost and emitted, null where it is not known."""
    cost, emitted = (np.full(len(jobs), np.nan) for _ in range(2))
    centre = jobs["centre"].to_numpy()
    ran = jobs.select(pl.col("start_s").is_not_null() & pl.col("energy_kwh").is_not_null()).to_series().to_numpy()
    start_s, end_s, kwh = (jobs[name].cast(pl.Float64).to_numpy() for name in ("start_s", "end_s", "energy_kwh"))
    for name, tariff in network.tariffs.items():
        here = ran & (centre == name)
        stretch: tuple[Floats, Floats] = (start_s[here], end_s[here])
        if tariff.fen_per_kwh is not None:
            cost[here] = kwh[here] * mean_rate(tariff.fen_per_kwh, tariff.begins_s, *stretch)
        if tariff.g_per_kwh is not None:
            emitted[here] = kwh[here] * mean_rate(tariff.g_per_kwh, tariff.begins_s, *stretch) / GRAMS_PER_KG
    found = {"energy_cost_fen": cost, "carbon_kg": emitted}
    return jobs.with_columns(pl.Series(name, column).fill_nan(None) for name, column in found.items())


AGGREGATES = (
    pl.len().alias("jobs"),
    pl.col("start_s").count().alias("started"),
    pl.col("refused").count().alias("refused"),
    pl.col("wait_s").mean().alias("mean_wait_s"),
    pl.col("wait_s").quantile(0.5, "nearest").alias("median_wait_s"),
    pl.col("wait_s").quantile(0.95, "nearest").alias("p95_wait_s"),
    pl.col("bounded_slowdown").mean().alias("mean_bounded_slowdown"),
    pl.col("bounded_slowdown").quantile(0.95, "nearest").alias("p95_bounded_slowdown"),
    pl.col("chip_s").sum().alias("chip_s"),
    pl.col("cost_fen").sum().alias("cost_fen"),
    (pl.col("end_s").max() - pl.col("submitted_s").min()).alias("makespan_s"),
    (pl.col("attempts") - 1).clip(0).sum().alias("preemptions"),
    (pl.col("lost_s") * pl.col("chips_used")).sum().alias("lost_chip_s"),
)
ENERGY = tuple(
    pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)
    for name in ("energy_kwh", "energy_cost_fen", "carbon_kg")
)


def summary(jobs: pl.DataFrame, run: Run) -> dict[str, Any]:
    """All jobs of an `outcome` together."""
    found = jobs.select(*AGGREGATES, *ENERGY).row(0, named=True)
    chips = sum(pool.chips for pool in run.pools)
    shown_s = found["makespan_s"] or 0
    return found | {
        "chips": chips,
        "utilisation": found["chip_s"] / (chips * shown_s) if chips and shown_s > 0 else None,
        "fairness": jain(jobs),
    }


def by_home(jobs: pl.DataFrame) -> pl.DataFrame:
    """A row per centre where jobs were submitted: what became of them, wherever they ran."""
    away = ((pl.col("centre") != pl.col("home")) & pl.col("centre").is_not_null()).sum().alias("ran_elsewhere")
    return jobs.group_by("home").agg(*AGGREGATES, away).sort("home")


def by_pool(jobs: pl.DataFrame, run: Run) -> pl.DataFrame:
    """A row per pool: what ran there, and how much of it was in use over the makespan of all."""
    makespan_s = jobs.select(pl.col("end_s").max() - pl.col("submitted_s").min()).item() or 0
    sizes = pl.DataFrame(
        [(pool.id, pool.centre_id, pool.chip_id, pool.chips) for pool in run.pools],
        schema={"pool": pl.String, "centre": pl.String, "chip": pl.String, "chips": pl.Int64},
        orient="row",
    )
    used = (
        jobs.drop_nulls("pool")
        .group_by("pool")
        .agg(pl.len().alias("jobs"), pl.col("chip_s", "cost_fen").sum(), *ENERGY)
    )
    share = pl.when(makespan_s > 0).then(pl.col("chip_s") / (pl.col("chips") * makespan_s))
    counts = [name for name in used.columns if name in ("jobs", "chip_s", "cost_fen")]
    return (
        sizes.join(used, on="pool", how="left", maintain_order="left")
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(share.alias("utilisation"))
    )


def refused_by_reason(jobs: pl.DataFrame) -> dict[str, int]:
    """Code -> how many jobs no pool can ever run, and why."""
    return dict(jobs.drop_nulls("refused").group_by("refused").len().sort("refused").iter_rows())


def by_tenant(jobs: pl.DataFrame) -> pl.DataFrame:
    """A row per tenant: what became of its jobs, and the share x of its time that it was served rather than waited.

    Tenants whose jobs hold chips longest come first; x is null where none started or all took no time.
    """
    ran_s = pl.col("busy_s")
    served = (pl.col("chips_used") * ran_s).sum() / (pl.col("chips_used") * (ran_s + pl.col("wait_s"))).sum()
    return (
        jobs.group_by("tenant", maintain_order=True)
        .agg(*AGGREGATES, served.fill_nan(None).alias("served"))
        .sort(["chip_s", "tenant"], descending=[True, False])
    )


def jain(jobs: pl.DataFrame) -> float | None:
    """Jain's index over the tenants whose jobs started."""
    x = pl.col("served")
    shares = by_tenant(jobs).drop_nulls("served")
    return float(shares.select(x.sum() ** 2 / (x.count() * (x**2).sum())).item()) if len(shares) else None
