"""Microsoft's Philly cluster, 2017: one CSV row a job, each in a virtual cluster, which becomes its centre.

Jeon et al.: Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads (USENIX ATC 2019), in the
extract of HeliosArtifact. Which rows count is a rule with a name: `distinct` (default) takes a row once that is there
several times, `all` takes it as often as it is there.
"""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from suanwang.replay.traces.lines import LINE, Instant, Number, Text, cells, read_header, read_lines, typed
from suanwang.replay.traces.trace import Trace, check_choice, in_form, on_nodes

Usable = Literal["distinct", "all"]
NEEDED = ("timestamp", "duration", "num_gpus", "cluster")
CHIPS_PER_NODE = 8


def read_philly(
    path: Path, *, usable: str = "distinct", chips_per_node: int = CHIPS_PER_NODE, skip_bad: bool = False
) -> Trace:
    """The log; second 0 is that of the first submission. Raises InvalidInput."""
    check_choice("usable", usable, get_args(Usable))
    lines = read_lines(path)
    names = read_header(path, lines, NEEDED)
    columns = (Instant("timestamp"), Number("duration", 0), Number("num_gpus", 1), Text("cluster"))
    table, bad_rows = typed(path, cells(lines[1:], names, ",", first_line=2), columns, skip_bad=skip_bad)
    counted = table.unique(NEEDED, keep="first", maintain_order=True) if usable == "distinct" else table
    first_s = int(counted.select(pl.col("timestamp").min()).item())
    ordered = counted.sort("timestamp", LINE).with_columns(**on_nodes(pl.col("num_gpus"), chips_per_node))
    frame = in_form(
        ordered,
        job_id=pl.concat_str(pl.lit("row"), pl.col(LINE)),
        tenant=pl.col("cluster"),
        submitted_s=pl.col("timestamp") - first_s,
        run_s=pl.col("duration"),
        walltime_s=pl.col("duration"),
        home=pl.col("cluster"),
    )
    return Trace(
        name=path.name.split(".")[0],
        format="philly",
        frame=frame,
        node_chips=chips_per_node,
        epoch_s=first_s,
        rows=len(table) + bad_rows,
        left_out={usable: len(table) - len(counted)},
        bad_rows=bad_rows,
    )
