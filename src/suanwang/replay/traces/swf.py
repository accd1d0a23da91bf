"""The Standard Workload Format: one line of 18 numbers a job, comments on the machine and its donor above.

Feitelson, Tsafrir, Krakov: Experience with using the Parallel Workloads Archive (2014); the format's definition is
version 2.2 of the archive. Which rows count is a rule with a name, because published figures depend on it:

- `ran` (default): submitted, run time and processors are known (0 or more, 0 or more, 1 or more); processors are those
  that were given (column 5), or asked for (8) where that is unknown;
- `table_c`: columns 1 to 5 are known; processors are those asked for, or given where that is unknown; order (submitted,
  job). Published whole-log tables of first come, first served and of EASY use it;
- `table_b`: the larger of given and asked for; a negative run time is 10 s, one of 0 does not count; order by job. The
  windows of RLScheduler (SC 2020) use it.

The walltime is the time asked for (column 9), or the run time where that is unknown; with `table_b` the run time as the
log has it, which may be -1: the published environment orders such jobs by that.
"""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from suanwang.replay.traces.lines import Number, cells, read_lines, typed
from suanwang.replay.traces.trace import Trace, check_choice, in_form, on_nodes
from suanwang.units import KIB_PER_MIB

Usable = Literal["ran", "table_c", "table_b"]
UNKNOWN = -1
COMMENT = ";"
FIELDS = (
    "job", "submit", "wait", "run", "processors", "cpu_time", "memory", "asked_processors", "asked_time",
    "asked_memory", "status", "user", "group", "program", "queue", "partition", "after", "think_time",
)  # fmt: skip
READ = ("job", "submit", "wait", "run", "processors", "memory", "asked_processors", "asked_time", "user")
NEGATIVE_RUN_S = 10
"""What RLScheduler takes a negative run time for."""


def read_swf(path: Path, *, usable: str = "ran", chips_per_node: int = 0, skip_bad: bool = False) -> Trace:
    """A log in the Standard Workload Format. Raises InvalidInput."""
    check_choice("usable", usable, get_args(Usable))
    lines = read_lines(path)
    is_comment = lines.str.starts_with(COMMENT)
    header = tuple(lines.filter(is_comment).str.strip_chars_start(COMMENT).str.strip_chars().to_list())
    jobs = lines.str.replace_all(r"\s+", " ").set(is_comment, "")
    table, bad_rows = typed(path, cells(jobs, FIELDS, " "), [Number(name) for name in READ], skip_bad=skip_bad)
    counted = _counted(table, usable)
    frame = in_form(
        counted.with_columns(**on_nodes(pl.col("chips"), chips_per_node)),
        job_id=pl.col("job").cast(pl.String),
        tenant=pl.concat_str(pl.lit("user"), pl.col("user")),
        submitted_s=pl.col("submit"),
        run_s=pl.col("run"),
        walltime_s=pl.col("walltime"),
        memory_mib=(pl.col("memory").clip(0) * pl.col("chips")) // KIB_PER_MIB,
        chips=None,
    )
    return Trace(
        name=path.name.split(".")[0],
        format="swf",
        frame=frame,
        node_chips=chips_per_node,
        epoch_s=_stated(header, "UnixStartTime") or 0,
        processors=_stated(header, "MaxProcs"),
        nodes=_stated(header, "MaxNodes"),
        rows=len(table) + bad_rows,
        left_out={usable: len(table) - len(counted)},
        bad_rows=bad_rows,
        header=header,
    )


def _counted(table: pl.DataFrame, usable: str) -> pl.DataFrame:
    """The rows that count, with `run`, `chips` and `walltime` as the rule takes them."""
    given, asked, run = pl.col("processors"), pl.col("asked_processors"), pl.col("run")
    asked_time = pl.col("asked_time")
    walltime = pl.when(asked_time > 0).then(asked_time).otherwise(run)
    if usable == "table_c":
        known = pl.all_horizontal(pl.col("job", "submit", "wait", "run", "processors") != UNKNOWN)
        made = table.filter(known).with_columns(
            chips=pl.when(asked != UNKNOWN).then(asked).otherwise(given), run=run.clip(0), walltime=walltime
        )
        return made.filter(pl.col("chips") > 0).sort("submit", "job")
    if usable == "table_b":
        made = table.filter(run != 0).with_columns(
            chips=pl.max_horizontal(given, asked),
            run=pl.when(run < 0).then(NEGATIVE_RUN_S).otherwise(run),
            walltime=pl.when(asked_time == UNKNOWN).then(run).otherwise(asked_time),
        )
        return made.filter((pl.col("chips") > 0) & (pl.col("submit") >= 0)).sort("job")
    made = table.with_columns(chips=pl.when(given > 0).then(given).otherwise(asked), walltime=walltime)
    return made.filter((pl.col("submit") >= 0) & (run >= 0) & (pl.col("chips") > 0)).sort("submit", maintain_order=True)


def _stated(header: tuple[str, ...], name: str) -> int | None:
    """The number that a comment `Name: 123` states."""
    for line in header:
        key, _, value = line.partition(":")
        word = value.split()[0] if value.split() else ""
        if key.strip() == name and word.isascii() and word.isdigit() and len(word) < 16 and int(word) > 0:
            return int(word)
    return None
