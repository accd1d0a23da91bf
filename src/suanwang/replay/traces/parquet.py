"""Our own form as a Parquet file: written whole or not at all, checked when read."""

from pathlib import Path

import polars as pl

from suanwang.errors import InvalidInput
from suanwang.replay.traces.trace import (
    COLUMNS,
    DEADLINE,
    EPOCH_KEY,
    FURTHER,
    MOST,
    PREEMPTIBLE,
    RUN_ON,
    WHOLE_CHIP,
    Trace,
)

LEAST = {
    "submitted_s": 0, "run_s": 0, "walltime_s": 0, "num_nodes": 1, "chips_per_node": 0, "chip_milli": 1,
    "cpus_per_node": 0, "memory_mib": 0, "priority": -MOST,
}  # fmt: skip
MOST_OF = {"chip_milli": WHOLE_CHIP, PREEMPTIBLE: 1}
OUTCOME = frozenset(
    (
        *("start_s", "end_s", "pool", "centre", "attempts", "lost_s", "busy_s", "refused", "waits_for", "wait_s"),
        *("turnaround_s", "bounded_slowdown", "chips_used", "chip_s", "lost_chip_s", "cost_fen", "energy_kwh"),
        *("energy_cost_fen", "carbon_kg"),
    )
)
"""What a schedule has besides, which is not asked for when it is replayed as a log."""
MAY_BE_NULL = frozenset({"chips", "home", DEADLINE})
OPTIONAL = {"chip_milli": WHOLE_CHIP, "cpus_per_node": 0, "memory_mib": 0, "chips": None, "priority": 0, "home": None}
"""Columns that a file may leave out, and what they are then. `walltime_s` is then `run_s`."""


def write_parquet(frame: pl.DataFrame, path: Path, *, epoch_s: int = 0) -> None:
    """Write under another name and rename: whoever interrupts leaves the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.part")
    try:
        frame.write_parquet(part, metadata={EPOCH_KEY: str(epoch_s)})
        part.replace(path)
    except OSError as broken:
        raise InvalidInput("file", str(path), broken.strerror or "a place that can be written to") from None
    finally:
        part.unlink(missing_ok=True)


def read_parquet(path: Path, *, skip_bad: bool = False) -> Trace:
    """A file in the documented form. Raises InvalidInput naming file, row and column."""
    try:
        table = pl.read_parquet(path)
        written = pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError) as broken:
        raise InvalidInput(path.name, str(broken).splitlines()[0], "a Parquet file that can be read") from None
    frame = _in_types(path, table)
    bad = frame.select(pl.any_horizontal(_is_bad(name) for name in frame.columns).alias("bad"))["bad"]
    bad_rows = int(bad.sum())
    if bad_rows and not skip_bad:
        _complain(path, frame, int(bad.arg_max() or 0))
    twice = frame.filter(~bad)["job_id"].is_duplicated()
    if twice.any():
        job_id = frame.filter(~bad)["job_id"][int(twice.arg_max() or 0)]
        raise InvalidInput(f"{path.name}, column job_id", job_id, "an id that only one job has")
    good = frame.filter(~bad).sort("submitted_s", maintain_order=True)
    if not len(good):
        raise InvalidInput(path.name, f"{len(frame)} rows, {bad_rows} of them bad", "a log with at least one good row")
    epoch = written.get(EPOCH_KEY, "0")
    return Trace(
        name=path.name.split(".")[0],
        format="parquet",
        frame=good,
        node_chips=int(good.select(pl.col("chips_per_node").max()).item()),
        epoch_s=int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < 16 else 0,
        rows=len(frame),
        bad_rows=bad_rows,
        ignored=tuple(name for name in table.columns if name not in frame.columns and name not in OUTCOME),
    )


def _in_types(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    absent = {name: pl.lit(value) for name, value in OPTIONAL.items() if name not in table.columns}
    if "walltime_s" not in table.columns and "run_s" in table.columns:
        absent["walltime_s"] = pl.col("run_s")
    table = table.with_columns(**absent)
    missing = [name for name in COLUMNS if name not in table.columns]
    needed = [name for name in missing if name != "walltime_s"]
    if needed:
        raise InvalidInput(path.name, ", ".join(table.columns), f"the columns {', '.join(needed)}")
    known = [name for name in table.columns if name in COLUMNS or name in FURTHER or name.startswith(RUN_ON)]
    types = {name: COLUMNS.get(name, pl.Int64()) for name in known}
    for name, kind in types.items():
        if table.schema[name] != kind and not _becomes(table.schema[name], kind):
            raise InvalidInput(f"{path.name}, column {name}", str(table.schema[name]), f"the type {kind}")
    return table.select(pl.col(name).cast(kind) for name, kind in types.items()).select(
        *COLUMNS, *(name for name in known if name not in COLUMNS)
    )


def _becomes(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether values of one type are values of the other, all of them."""
    if isinstance(given, pl.Null):
        return True
    if isinstance(wanted, pl.Int64):
        return given.is_integer() and not isinstance(given, pl.UInt64)
    return isinstance(wanted, pl.String) and isinstance(given, pl.Categorical)


def _is_bad(name: str) -> pl.Expr:
    column = pl.col(name)
    if name == "chips":
        return (column.list.len() == 0).fill_null(value=False) | column.list.contains(None).fill_null(value=False)
    null_is_bad = pl.lit(value=False) if name in MAY_BE_NULL or name.startswith(RUN_ON) else column.is_null()
    if name in COLUMNS and COLUMNS[name] == pl.String():
        return null_is_bad
    return null_is_bad | ~column.is_between(LEAST.get(name, 0), MOST_OF.get(name, MOST)).fill_null(value=True)


def _complain(path: Path, frame: pl.DataFrame, row: int) -> None:
    marks = frame[row].select(_is_bad(name).alias(name) for name in frame.columns).row(0, named=True)
    name = next(name for name, bad in marks.items() if bad)
    allowed = f"{LEAST.get(name, 0)} to {MOST_OF.get(name, MOST)}"
    if name in ("chips", "home") or COLUMNS.get(name) == pl.String():
        allowed = "a text" if name != "chips" else "null, or a list of chips"
    raise InvalidInput(f"{path.name}, row {row + 1}, column {name}", frame[row, name], allowed)
