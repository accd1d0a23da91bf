"""Alibaba's openb pods (cluster-trace-gpu-v2023): one CSV row a pod, with shared GPUs and GPU types.

Which pods count is a rule with a name: `timed` (default): those that were scheduled, from creation, for the time from
scheduling to deletion; `arrivals`: all pods by name, one a second, that never leave, as the fragmentation study of the
same data takes them (Weng et al., Beware of Fragmentation, USENIX ATC 2023).
"""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from suanwang.errors import InvalidInput
from suanwang.replay.traces.lines import Column, Number, Text, cells, read_header, read_lines, typed
from suanwang.replay.traces.trace import WHOLE_CHIP, Trace, check_choice, in_form
from suanwang.units import MILLI_PER_ONE

Usable = Literal["timed", "arrivals"]
SIZES: tuple[Column, ...] = (
    Text("name"),
    Number("cpu_milli", 0),
    Number("memory_mib", 0),
    Number("num_gpu", 0),
    Number("gpu_milli", 0, WHOLE_CHIP),
)
TIMES: tuple[Column, ...] = (
    Number("creation_time", 0),
    Number("deletion_time", 0),
    Number("scheduled_time", 0, empty=True),
)
WORDS: tuple[Column, ...] = (Text("gpu_spec", empty=True), Text("qos", empty=True))
NEEDED = tuple(column.name for column in SIZES)
FOREVER_S = 10**9
CHIPS_PER_NODE = 8
PRIORITY_OF_CLASS = {"LS": 2, "Guaranteed": 2, "Burstable": 1, "BE": 0}
"""Latency-sensitive pods go before best-effort ones."""


def read_openb(path: Path, *, usable: str = "timed", skip_bad: bool = False) -> Trace:
    """A list of pods. Raises InvalidInput."""
    check_choice("usable", usable, get_args(Usable))
    lines = read_lines(path)
    names = read_header(path, lines, NEEDED)
    has_times = all(column.name in names for column in TIMES)
    if usable == "timed" and not has_times:
        raise InvalidInput(
            f"{path.name}, line 1", ",".join(names), "creation, deletion and scheduled time, or arrivals"
        )
    timed: tuple[Column, ...] = TIMES if usable == "timed" else ()
    columns = (*SIZES, *(word for word in WORDS if word.name in names), *timed)
    table, bad_rows = typed(path, cells(lines[1:], names, ",", first_line=2), columns, skip_bad=skip_bad)
    whole = table.with_columns(pl.lit(None, pl.String).alias(word.name) for word in WORDS if word.name not in names)
    counted = _timed(whole) if usable == "timed" else _arrivals(whole)
    frame = in_form(
        counted,
        job_id=pl.col("name"),
        tenant=pl.col("qos").fill_null("openb"),
        walltime_s=pl.col("run_s"),
        chips_per_node=pl.col("num_gpu"),
        chip_milli=pl.when(pl.col("num_gpu") == 1).then(pl.col("gpu_milli").clip(1)).otherwise(WHOLE_CHIP),
        cpus_per_node=(pl.col("cpu_milli") + (MILLI_PER_ONE - 1)) // MILLI_PER_ONE,
        chips=pl.col("gpu_spec").str.split("|"),
        priority=pl.col("qos").replace_strict(PRIORITY_OF_CLASS, default=0, return_dtype=pl.Int64),
    )
    return Trace(
        name=path.name.split(".")[0],
        format="openb",
        frame=frame,
        node_chips=CHIPS_PER_NODE,
        rows=len(table) + bad_rows,
        left_out={usable: len(table) - len(counted)},
        bad_rows=bad_rows,
    )


def _timed(table: pl.DataFrame) -> pl.DataFrame:
    run_s = pl.col("deletion_time") - pl.col("scheduled_time")
    return (
        table.with_columns(submitted_s=pl.col("creation_time"), run_s=run_s)
        .filter(pl.col("run_s") >= 0)
        .sort("submitted_s", "name")
    )


def _arrivals(table: pl.DataFrame) -> pl.DataFrame:
    return table.sort("name").with_columns(submitted_s=pl.int_range(pl.len()), run_s=pl.lit(FOREVER_S))
