"""Whatever is in the form is the same after writing and reading."""

from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanwang.replay.traces import read_trace
from suanwang.replay.traces.parquet import write_parquet
from suanwang.replay.traces.trace import COLUMNS

name = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
whole = st.integers(0, 2**50)
job = st.fixed_dictionaries(
    {
        "job_id": name,
        "tenant": name,
        "submitted_s": whole,
        "run_s": whole,
        "walltime_s": whole,
        "num_nodes": st.integers(1, 10_000),
        "chips_per_node": st.integers(0, 1_024),
        "chip_milli": st.integers(1, 1_000),
        "cpus_per_node": st.integers(0, 1_024),
        "memory_mib": whole,
        "chips": st.none() | st.lists(name, min_size=1, max_size=3),
        "priority": st.integers(-1_000, 1_000),
        "home": st.none() | name,
        "input_mib": whole,
        "run_s_on_v100": st.none() | whole,
    }
)
SCHEMA = COLUMNS | {"input_mib": pl.Int64(), "run_s_on_v100": pl.Int64()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(job, min_size=1, max_size=20, unique_by=lambda one: one["job_id"]), epoch_s=st.integers(0, 2**40))
def test_round_trip(tmp_path: Path, rows: list[dict[str, object]], epoch_s: int) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA).sort("submitted_s", maintain_order=True)
    path = tmp_path / "jobs.parquet"
    write_parquet(frame, path, epoch_s=epoch_s)
    trace = read_trace(path)
    assert trace.frame.equals(frame)
    assert trace.frame.schema == frame.schema
    assert (trace.epoch_s, trace.rows, trace.bad_rows) == (epoch_s, len(rows), 0)


def test_what_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "short.parquet"
    needed = {"job_id": "a", "tenant": "t", "submitted_s": 0, "run_s": 5, "num_nodes": 1, "chips_per_node": 2}
    pl.DataFrame([needed]).with_columns(pl.col("run_s").cast(pl.Int32), other=pl.lit(1)).write_parquet(path)
    row = read_trace(path).frame.row(0, named=True)
    assert row == needed | {
        "walltime_s": 5, "chip_milli": 1_000, "cpus_per_node": 0, "memory_mib": 0, "chips": None, "priority": 0,
        "home": None,
    }  # fmt: skip
