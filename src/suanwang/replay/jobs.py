"""Jobs of one or more logs -> one frame, and the workload that the step understands."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.workload import NOWHERE, Array, Workload
from suanwang.replay.traces.trace import CHECKPOINT, COLUMNS, CPU, DEADLINE, INPUT, MOST, PREEMPTIBLE, RUN_ON, Trace
from suanwang.units import BITS_PER_MEGABIT, BITS_PER_MIB, MS_PER_SECOND

AS_TOLD = (PREEMPTIBLE, CHECKPOINT, DEADLINE)
NEVER_S = MOST
"""The deadline of a job that has none."""
Align = Literal["start", "clock"]
Transfer = Mapping[tuple[str, str], tuple[int, int]]
"""(from centre, to centre) -> latency in ms, bandwidth in Mbit/s."""


def merged(traces: Sequence[Trace], align: Align = "start") -> tuple[pl.DataFrame, int]:
    """The jobs of all logs by submission, and the Unix time of second 0.

    A job without a home gets that of its log. `start`: all logs begin in the same second, so that logs of different
    years meet; `clock`: each lies where its epoch puts it. Ids of several logs get the log's name in front, and tenants
    too where the log gives them numbers of its own: only our own form says who somebody is everywhere.
    """
    named = [trace.frame.with_columns(pl.col("home").fill_null(trace.name)) for trace in traces]
    if len(traces) == 1:
        return _by_submission(named[0]), traces[0].epoch_s
    first_s = min(trace.epoch_s for trace in traces)
    shifted = [
        frame.with_columns(
            pl.col("submitted_s") + (trace.epoch_s - first_s if align == "clock" else -pl.col("submitted_s").min()),
            *(pl.concat_str(pl.lit(f"{trace.name}/"), pl.col(name)).alias(name) for name in _local_names(trace)),
        )
        for trace, frame in zip(traces, named, strict=True)
    ]
    return _by_submission(pl.concat(shifted, how="diagonal")), first_s if align == "clock" else 0


def _local_names(trace: Trace) -> tuple[str, ...]:
    return ("job_id",) if trace.format == "parquet" else ("job_id", "tenant")


def _by_submission(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("submitted_s", maintain_order=True)


def within(frame: pl.DataFrame, since_s: int | None, until_s: int | None, limit: int | None) -> pl.DataFrame:
    """Jobs submitted from `since_s` until before `until_s`, at most so many."""
    wanted = pl.lit(value=True)
    if since_s is not None:
        wanted &= pl.col("submitted_s") >= since_s
    if until_s is not None:
        wanted &= pl.col("submitted_s") < until_s
    found = frame.filter(wanted)
    return found if limit is None else found.head(limit)


def to_workload(frame: pl.DataFrame, pools: Sequence[Pool], transfer: Transfer | None = None) -> Workload:
    """The jobs of a frame, in its rows, which are by submission.

    A job without chips asks for CPU cores: chips of a pool of `cpu`. `chips` null means any chip of the pools but that.
    `run_s_at` has the pools where a job takes another time: on a chip with run times of its own (`run_s_on_<chip>`),
    or after its input (`input_mib`) was fetched from its home: latency + size / bandwidth, rounded up.
    """
    cores = pl.col("chips_per_node") == 0
    table = frame.with_columns(
        chips_per_node=pl.when(cores).then(pl.col("cpus_per_node").clip(1)).otherwise("chips_per_node"),
        cpus_per_node=pl.when(cores).then(0).otherwise("cpus_per_node"),
        kind=pl.when(cores).then(pl.lit(CPU)).otherwise(pl.col("chips").list.sort().list.join("|")),
    )
    any_chip = frozenset(pool.chip_id for pool in pools if pool.chip_id != CPU)
    kind, kinds = _numbered(table["kind"])
    tenant, tenants = _numbered(table["tenant"])
    home, centres = _numbered(table["home"])
    whole = (name for name, type_ in COLUMNS.items() if type_ == pl.Int64())
    return Workload(
        **({name: _array(table[name]) for name in whole} | {"walltime_s": _array(table["walltime_s"].clip(0))}),
        tenant=tenant,
        kind=kind,
        home=home,
        tenants=tuple(name or "" for name in tenants),
        kinds=tuple(any_chip if name is None else frozenset(name.split("|")) for name in kinds),
        centres=tuple(name or "" for name in centres if name is not None),
        run_s_at=_run_times(table, pools, transfer or {}),
        **{name: _array(table[name].fill_null(NEVER_S)) for name in AS_TOLD if name in table.columns},
    )


def _array(column: pl.Series) -> Array:
    return np.ascontiguousarray(column.to_numpy(), np.int64)


def _numbered(column: pl.Series) -> tuple[Array, list[str | None]]:
    """Indices of the distinct values, in the order in which they first occur; null comes last."""
    names = column.unique(maintain_order=True).drop_nulls().to_list()
    number = {name: at for at, name in enumerate(names)}
    has_null = column.null_count() > 0
    missing = NOWHERE if column.name == "home" else len(names)
    numbers = column.replace_strict(number, default=missing, return_dtype=pl.Int64)
    return _array(numbers.fill_null(missing)), [*names, None] if has_null else names


def _run_times(table: pl.DataFrame, pools: Sequence[Pool], transfer: Transfer) -> dict[str, Array]:
    """Pool id -> run times where they are not `run_s`."""
    found = {}
    for pool in pools:
        run_s = pl.col("run_s")
        if f"{RUN_ON}{pool.chip_id}" in table.columns:
            run_s = pl.coalesce(f"{RUN_ON}{pool.chip_id}", run_s)
        if INPUT in table.columns and transfer:
            run_s = run_s + fetch_s(pool.centre_id, transfer)
        here = table.select(run_s.alias("run_s"))["run_s"]
        if not here.equals(table["run_s"]):
            found[pool.id] = _array(here)
    return found


def fetch_s(centre: str, transfer: Transfer) -> pl.Expr:
    """Seconds until a job's input has come from its home to a centre: latency + bits / bandwidth, rounded up."""
    links = {source: link for (source, target), link in transfer.items() if target == centre}
    latency_ms = pl.col("home").replace_strict({name: link[0] for name, link in links.items()}, default=0)
    mbit_s = pl.col("home").replace_strict({name: link[1] for name, link in links.items()}, default=None)
    seconds = latency_ms / MS_PER_SECOND + pl.col(INPUT) * BITS_PER_MIB / (mbit_s * BITS_PER_MEGABIT)
    return pl.when(pl.col(INPUT) > 0).then(seconds.ceil().cast(pl.Int64)).otherwise(0).fill_null(0)
