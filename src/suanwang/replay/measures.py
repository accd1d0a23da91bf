"""What a schedule was worth: waits, slowdowns, use, fairness, cost and energy, as columns and as summaries.

- Bounded slowdown max(1, turnaround / max(run, 10 s)), with turnaround from submission to end, and run what the log
  says: Feitelson, Metrics for Parallel Job Scheduling and Their Convergence (2001), with the usual threshold of ten
  seconds. Work that was lost, input that had to come and a slower chip make the turnaround longer, not the run.
- Makespan: from the first submission to the last end. Utilisation: chip-seconds by chips x makespan; work that was
  lost is in it, and told beside it.
- Fairness: Jain's index (sum x)^2 / (n sum x^2) of the tenants' shares x of time served, run / turnaround weighted by
  chips, at most 1; 1 is the same for all. Jain, Chiu, Hawe, A Quantitative Measure of Fairness, DEC-TR-301 (1984).
- The p-th percentile of n jobs is the one at place round((n - 1) p) of the sorted, as published tables take it.
- Cost: chip-seconds x price of the pool, rounded up to the fen for each attempt; lost work is free unless the pool
  bills it. Energy: chip-seconds x watts per chip of the pool. Both are of every attempt where it ran.
"""

from typing import Any

import numpy as np
import polars as pl

from suanwang.domain.scheduling.workload import NOWHERE, Array
from suanwang.replay.energy import Floats, mean_rate
from suanwang.replay.network import Network
from suanwang.replay.refusal import REASONS, refusals
from suanwang.replay.run import Run
from suanwang.units import GRAMS_PER_KG, JOULES_PER_KWH, MILLI_PER_CHIP, SECONDS_PER_HOUR

THRESHOLD_S = 10
"""Shorter runs count as so long in a slowdown."""

TURNAROUND = (pl.col("end_s") - pl.col("submitted_s")).alias("turnaround_s")
WAIT = (pl.col("end_s") - pl.col("submitted_s") - pl.col("busy_s")).alias("wait_s")
"""Before its first attempt, and between them."""
WHOLE_CHIPS = pl.col("num_nodes") * (
    pl.when(pl.col("chips_per_node") > 0).then("chips_per_node").otherwise(pl.col("cpus_per_node").clip(1))
)
SHARES = WHOLE_CHIPS * pl.col("chip_milli")
"""In thousandths of chips."""
BOUNDED_SLOWDOWN = (pl.col("turnaround_s") / pl.col("run_s").clip(THRESHOLD_S)).clip(1.0).alias("bounded_slowdown")
SUMMED = ("chip_s", "lost_chip_s", "cost_fen", "energy_kwh", "energy_cost_fen", "carbon_kg")
"""Columns of `attempts` that a job has the sums of."""


def attempts(run: Run, network: Network) -> pl.DataFrame:
    """A row for every attempt, by its end where there are several of a job: where and when it had its chips, what that
    cost and drew. `row` is that of its job; null: what is not known."""
    row, start_s, end_s, pool, lost_s = _stretches(run)
    shared = bool((run.workload.chip_milli < MILLI_PER_CHIP).any())
    chips, per_chip = (SHARES, MILLI_PER_CHIP) if shared else (WHOLE_CHIPS, 1)  # whole numbers as long as they are
    size = run.frame.select(chips.alias("size"), "job_id", "tenant", "home", "submitted_s")
    times = {"row": row, "start_s": start_s, "end_s": end_s, "lost_s": lost_s}
    where = _pools(run, network).select(pl.all().gather(pool.tolist()))
    ran = size.select(pl.all().gather(row.tolist())).hstack(where).with_columns(**_series(times))
    length_s = pl.col("end_s") - pl.col("start_s")
    billed_s = length_s - pl.when("bills_lost").then(0).otherwise("lost_s")
    used = pl.col("size") * length_s
    made = ran.with_columns(
        (pl.col("size") / per_chip if shared else pl.col("size")).alias("chips_used"),
        (used / per_chip if shared else used).alias("chip_s"),
        (pl.col("size") * pl.col("lost_s") / per_chip).alias("lost_chip_s"),
        (-(-(pl.col("size") * billed_s * pl.col("fen")) // (SECONDS_PER_HOUR * per_chip))).alias("cost_fen"),
        (used * pl.col("watts") / (JOULES_PER_KWH * per_chip)).alias("energy_kwh"),
    )
    return _with_tariffs(made, network).drop("size", "fen", "watts", "bills_lost")


def outcome(run: Run, tried: pl.DataFrame) -> pl.DataFrame:
    """The jobs with what became of them, row by row; `tried`: their `attempts`. Null for what never started, with
    `refused` saying why no pool can run it, or `waits_for` what it waits for in vain."""
    codes = refusals(run.pools, run.workload)
    columns = {name: getattr(run.schedule, name) for name in ("start_s", "end_s", "attempts", "lost_s", "busy_s")}
    names = pl.DataFrame({"pool": [one.id for one in run.pools], "centre": [one.centre_id for one in run.pools]})
    last = pl.Series(run.schedule.pool).replace(NOWHERE, None)
    waits_for = np.full(len(codes), None, object)
    waits_for[list(run.schedule.waits)] = list(run.schedule.waits.values())
    known = run.frame.with_columns(
        **_series(columns),
        refused=pl.Series(codes.tolist()).replace_strict(dict(enumerate((None, *REASONS[1:]))), return_dtype=pl.String),
        waits_for=pl.Series(waits_for.tolist(), dtype=pl.String),
        **{name: names[name].gather(last) for name in names.columns},
    ).with_columns(pl.when(pl.col(name) != NOWHERE).then(pl.col(name)).alias(name) for name in ("start_s", "end_s"))
    timed = known.with_columns(WAIT, TURNAROUND).with_columns(BOUNDED_SLOWDOWN)
    sums = tried.select("row", "chips_used", *SUMMED)
    if run.schedule.stretches is not None:
        known_sums = (pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in SUMMED)
        sums = tried.group_by("row", maintain_order=True).agg(pl.col("chips_used").first(), *known_sums)
    rows = pl.DataFrame({"row": np.arange(len(timed), dtype=np.int64)})
    found = rows.join(sums, on="row", how="left", maintain_order="left")
    return timed.hstack(found.drop("row"))


def _stretches(run: Run) -> tuple[Array, Array, Array, Array, Array]:
    """[row, start, end, pool, lost seconds] of every attempt that ended."""
    schedule = run.schedule
    if schedule.stretches is not None:
        row, start_s, end_s, pool, lost_s = schedule.stretches
        return row, start_s, end_s, pool, lost_s
    row = np.flatnonzero(schedule.start_s != NOWHERE)
    return row, schedule.start_s[row], schedule.end_s[row], schedule.pool[row], schedule.lost_s[row]


def _pools(run: Run, network: Network) -> pl.DataFrame:
    rows = [
        (
            one.id,
            one.centre_id,
            one.offer.fen_per_chip_hour,
            network.watts_per_chip.get(one.id),
            one.offer.bills_lost_work,
        )
        for one in run.pools
    ]
    types = {"pool": pl.String, "centre": pl.String, "fen": pl.Int64, "watts": pl.Int64, "bills_lost": pl.Boolean}
    return pl.DataFrame(rows, schema=types, orient="row")


def _series(columns: dict[str, Array]) -> dict[str, pl.Series]:
    return {name: pl.Series(column) for name, column in columns.items()}


def _with_tariffs(tried: pl.DataFrame, network: Network) -> pl.DataFrame:
    """What the energy of each attempt cost and emitted, null where it is not known."""
    cost, emitted = (np.full(len(tried), np.nan) for _ in range(2))
    centre, known = tried["centre"].to_numpy(), tried["energy_kwh"].is_not_null().to_numpy()
    start_s, end_s, kwh = (tried[name].cast(pl.Float64).to_numpy() for name in ("start_s", "end_s", "energy_kwh"))
    for name, tariff in network.tariffs.items():
        here = known & (centre == name)
        stretch: tuple[Floats, Floats] = (start_s[here], end_s[here])
        if tariff.fen_per_kwh is not None:
            cost[here] = kwh[here] * mean_rate(tariff.fen_per_kwh, tariff.begins_s, *stretch)
        if tariff.g_per_kwh is not None:
            emitted[here] = kwh[here] * mean_rate(tariff.g_per_kwh, tariff.begins_s, *stretch) / GRAMS_PER_KG
    found = {"energy_cost_fen": cost, "carbon_kg": emitted}
    return tried.with_columns(pl.Series(name, column).fill_nan(None) for name, column in found.items())


AGGREGATES = (
    pl.len().alias("jobs"),
    pl.col("start_s").count().alias("started"),
    pl.col("refused").count().alias("refused"),
    pl.col("waits_for").count().alias("unfinished"),
    pl.col("wait_s").mean().alias("mean_wait_s"),
    pl.col("wait_s").median().alias("median_wait_s"),
    pl.col("wait_s").quantile(0.95, "nearest").alias("p95_wait_s"),
    pl.col("turnaround_s").mean().alias("mean_turnaround_s"),
    pl.col("bounded_slowdown").mean().alias("mean_bounded_slowdown"),
    pl.col("bounded_slowdown").quantile(0.95, "nearest").alias("p95_bounded_slowdown"),
    pl.col("chip_s").sum().alias("chip_s"),
    pl.col("cost_fen").sum().alias("cost_fen"),
    (pl.col("end_s").max() - pl.col("submitted_s").min()).alias("makespan_s"),
    (pl.col("attempts") - 1).clip(0).sum().alias("preemptions"),
    pl.col("lost_chip_s").sum(),
)
AWAY = ((pl.col("centre") != pl.col("home")) & pl.col("centre").is_not_null()).sum().alias("ran_elsewhere")
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
    return jobs.group_by("home").agg(*AGGREGATES, AWAY).sort("home")


def by_pool(tried: pl.DataFrame, run: Run) -> pl.DataFrame:
    """A row per pool: what ran there (`attempts`), and how much of it was in use over the makespan of all."""
    begin_s, end_s = run.frame["submitted_s"].min(), tried["end_s"].max()
    makespan_s = int(end_s) - int(begin_s) if len(tried) else 0  # type: ignore[arg-type]
    sizes = pl.DataFrame(
        [(pool.id, pool.centre_id, pool.chip_id, pool.chips) for pool in run.pools],
        schema={"pool": pl.String, "centre": pl.String, "chip": pl.String, "chips": pl.Int64},
        orient="row",
    )
    counts = ("jobs", "chip_s", "lost_chip_s", "cost_fen")
    used = tried.group_by("pool").agg(pl.col("row").n_unique().alias("jobs"), pl.col(*counts[1:]).sum(), *ENERGY)
    share = pl.when(makespan_s > 0).then(pl.col("chip_s") / (pl.col("chips") * makespan_s))
    return (
        sizes.join(used, on="pool", how="left", maintain_order="left")
        .with_columns(pl.col(counts).fill_null(0))
        .with_columns(share.alias("utilisation"))
    )


def refused_by_reason(jobs: pl.DataFrame) -> dict[str, int]:
    """Code -> how many jobs no pool can ever run, and why."""
    return _counted(jobs, "refused")


def unfinished_by_reason(jobs: pl.DataFrame) -> dict[str, int]:
    """Code -> how many jobs some pool could run, and which wait for ever; and for what."""
    return _counted(jobs, "waits_for")


def _counted(jobs: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(jobs.drop_nulls(column).group_by(column).len().sort(column).iter_rows())


def by_tenant(jobs: pl.DataFrame) -> pl.DataFrame:
    """A row per tenant: what became of its jobs, and the share x of its time that it was served rather than waited.

    Tenants whose jobs hold chips longest come first; x is null where none ended or all took no time.
    """
    turnaround_s = pl.col("turnaround_s")
    run_s = pl.min_horizontal("run_s", "turnaround_s")  # a fast chip serves no more than all of the time
    ended = pl.col("chips_used").filter(turnaround_s.is_not_null())
    served = (ended * run_s.filter(turnaround_s.is_not_null())).sum() / (ended * turnaround_s.drop_nulls()).sum()
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
