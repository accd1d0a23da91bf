"""Gavel's jobs of 15 virtual clusters, whose run times depend on the chip (Narayanan et al., OSDI 2020).

A job has a type, a number of steps and a number of chips. A second file, `isolated_throughputs` beside the first
unless named, has the steps per second of type and number on V100, P100 and K80. Run time = steps / steps per second.
Which rows count is a rule with a name: `measured` (default): those whose throughput was measured at their number of
chips; `scaled`: others too, with that of the largest number measured, scaled linearly (an optimistic bound).
"""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from suanwang.errors import InvalidInput
from suanwang.replay.traces.lines import LINE, Number, Text, cells, read_header, read_lines, typed
from suanwang.replay.traces.trace import MOST, RUN_ON, Trace, check_choice, in_form, on_nodes

Usable = Literal["measured", "scaled"]
NEEDED = ("vc", "job_type", "total_steps", "arrival_s", "scale_factor")
THROUGHPUTS = ("gpu", "job_type", "scale_factor", "steps_per_s")
CHIPS = ("v100", "p100", "k80")
"""The first is that of `run_s`."""
CHIPS_PER_NODE = 8


def read_gavel(
    path: Path,
    *,
    usable: str = "measured",
    throughputs: Path | None = None,
    chips_per_node: int = CHIPS_PER_NODE,
    skip_bad: bool = False,
) -> Trace:
    """The log with run times on every chip. Raises InvalidInput."""
    check_choice("usable", usable, get_args(Usable))
    lines = read_lines(path)
    names = read_header(path, lines, NEEDED)
    columns = (
        Text("vc"), Text("job_type"), Number("total_steps", 0), Number("arrival_s", 0), Number("scale_factor", 1)
    )  # fmt: skip
    table, bad_rows = typed(path, cells(lines[1:], names, ",", first_line=2), columns, skip_bad=skip_bad)
    speeds = _read_speeds(throughputs or _beside(path))
    counted = _with_runs(table, speeds, linear=usable == "scaled")
    runs = {chip: pl.col(chip) for chip in CHIPS}
    frame = in_form(
        counted.sort("arrival_s", LINE)
        .with_columns(**on_nodes(pl.col("scale_factor"), chips_per_node))
        .with_columns(**{f"{RUN_ON}{chip}": run for chip, run in runs.items()}),
        job_id=pl.concat_str(pl.lit("row"), pl.col(LINE)),
        tenant=pl.col("vc"),
        submitted_s=pl.col("arrival_s"),
        run_s=pl.col(CHIPS[0]),
        walltime_s=pl.max_horizontal(*CHIPS),
        chips=pl.concat_list(
            pl.when(run.is_not_null()).then(pl.lit(chip)) for chip, run in runs.items()
        ).list.drop_nulls(),
        home=pl.col("vc"),
    )
    return Trace(
        name=path.name.split(".")[0],
        format="gavel",
        frame=frame,
        node_chips=chips_per_node,
        rows=len(table) + bad_rows,
        left_out={usable: len(table) - len(counted)},
        bad_rows=bad_rows,
    )


def _beside(path: Path) -> Path:
    found = sorted(path.parent.glob("isolated_throughputs.csv*"))
    if not found:
        raise InvalidInput("throughputs", str(path.parent), "isolated_throughputs.csv beside the log, or another file")
    return found[0]


def _read_speeds(path: Path) -> pl.DataFrame:
    """Steps per second: gpu, job_type, scale_factor, steps_per_s."""
    lines = read_lines(path)
    names = read_header(path, lines, THROUGHPUTS)
    table = cells(lines[1:], names, ",", first_line=2)
    columns = (Text("gpu"), Text("job_type"), Number("scale_factor", 1), _Rate("steps_per_s"))
    return typed(path, table, columns)[0].drop(LINE)


class _Rate(Number):
    """Steps per second: not a whole number."""

    def values(self) -> pl.Expr:
        rate = pl.col(self.name).cast(pl.Float64, strict=False)
        return pl.when(rate.is_between(0, MOST)).then(rate)


def _with_runs(table: pl.DataFrame, speeds: pl.DataFrame, *, linear: bool) -> pl.DataFrame:
    """Rows that run on the first chip, with their run time in seconds on every chip, null where it is not known."""
    for chip in CHIPS:
        known = (
            speeds.filter((pl.col("gpu") == chip) & (pl.col("steps_per_s") > 0))
            .drop("gpu")
            .rename({"scale_factor": "measured"})
        )
        found = table.select(LINE, "job_type", "scale_factor", "total_steps").join(known, on="job_type")
        fits = pl.col("measured") <= pl.col("scale_factor") if linear else pl.col("measured") == pl.col("scale_factor")
        rate = pl.col("steps_per_s") * pl.col("scale_factor") / pl.col("measured")
        runs = (
            found.filter(fits)
            .sort("measured")
            .group_by(LINE)
            .agg((pl.col("total_steps") / rate).last().ceil().cast(pl.Int64).alias(chip))
        )
        table = table.join(runs, on=LINE, how="left")
    return table.filter(pl.col(CHIPS[0]).is_not_null())
