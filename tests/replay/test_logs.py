"""Real logs, in place: what their archives and published tables say of them is what is read."""

import time
from math import ceil

import polars as pl
import pytest

from suanwang.replay.traces import read_trace
from suanwang.replay.traces.trace import COLUMNS, Trace
from tests.replay.conftest import log


@pytest.mark.parametrize(
    ("name", "rule", "rows", "jobs", "processors"),
    [
        ("SDSC-SP2-1998-4.2-cln", "table_c", 59_715, 54_044, 128),
        ("HPC2N-2002-2.2-cln", "table_c", 202_871, 202_870, 240),
        ("lublin_256", "table_b", 10_000, 10_000, None),
        ("lublin_256", "ran", 10_000, 10_000, None),
        ("RICC-2010-2", "ran", 447_794, 447_794, 8_192),
    ],
)
def test_swf(name: str, rule: str, rows: int, jobs: int, processors: int | None) -> None:
    trace = read_trace(log(f"swf/{name}.swf.gz"), usable=rule)
    assert (trace.format, trace.rows, len(trace.frame), trace.processors) == ("swf", rows, jobs, processors)
    assert trace.left_out == {rule: rows - jobs}
    assert dict(trace.frame.schema) == COLUMNS


def test_swf_row_by_row() -> None:
    """The first job of the log, by eye; the donor's notice is kept."""
    trace = read_trace(log("swf/SDSC-SP2-1998-4.2-cln.swf.gz"))
    first = trace.frame.row(0, named=True)
    told = {name: first[name] for name in ("job_id", "tenant", "submitted_s", "run_s", "walltime_s", "chips_per_node")}
    assert told == {
        "job_id": "11", "tenant": "user153", "submitted_s": 566_129, "run_s": 28_826, "walltime_s": 28_800,
        "chips_per_node": 1,
    }  # fmt: skip
    assert trace.epoch_s == 893_466_664
    assert "Acknowledge: Victor Hazlewood" in trace.header


def test_a_large_log_is_read_in_columns() -> None:
    """312,826 jobs; the bound leaves room for a busy machine (it takes 1.0 to 1.5 s alone on one)."""
    path = log("swf/CEA-Curie-2011-2.1-cln.swf.gz")
    begun = time.perf_counter()
    trace = read_trace(path)
    assert time.perf_counter() - begun < 10
    assert trace.rows == 312_826
    assert (trace.processors, trace.nodes) == (93_312, 5_544)


def test_philly() -> None:
    every, once = (read_trace(log("philly/philly.csv.gz"), usable=rule) for rule in ("all", "distinct"))
    assert (every.rows, len(every.frame), len(once.frame)) == (82_247, 82_247, 82_247 - 65)
    assert every.frame["home"].n_unique() == 15
    assert every.frame["submitted_s"].is_sorted()
    assert every.frame["submitted_s"][0] == 0
    largest = every.frame.select(pl.col("num_nodes") * pl.col("chips_per_node")).to_series().max()
    assert largest == 128
    assert chips_of(read_trace(log("philly/philly.csv.gz"), usable="all", chips_per_node=0)) == chips_of(every)


def chips_of(trace: Trace) -> int:
    return int(trace.frame.select((pl.col("num_nodes") * pl.col("chips_per_node")).sum()).item())


def test_gavel() -> None:
    measured, scaled = (
        read_trace(log("gavel/msr_seed0_vc_traces.csv.gz"), usable=rule) for rule in ("measured", "scaled")
    )
    assert (measured.rows, len(scaled.frame)) == (15_264, 15_264)
    assert len(measured.frame) + measured.left_out["measured"] == 15_264
    assert measured.frame["home"].n_unique() == 15
    first = measured.frame.row(0, named=True)  # Transformer (batch size 128), 95,121 steps on one chip
    speeds = {"v100": 5.44610521981264, "k80": 0.9815827061299781}
    assert {chip: first[f"run_s_on_{chip}"] for chip in speeds} == {
        chip: ceil(95_121 / speed) for chip, speed in speeds.items()
    }
    assert measured.frame["run_s"].equals(measured.frame["run_s_on_v100"])


def test_openb() -> None:
    timed = read_trace(log("openb/openb_pod_list_default.csv.gz"))
    assert (timed.rows, len(timed.frame), timed.left_out) == (8_152, 7_255, {"timed": 897})
    arrivals = read_trace(log("openb/openb_pod_list_gpuspec33.csv.gz"), usable="arrivals").frame
    assert arrivals["submitted_s"].to_list() == list(range(8_152))
    assert arrivals["chips"].null_count() < 8_152
    assert arrivals.filter(pl.col("chip_milli") < 1_000)["chips_per_node"].unique().to_list() == [1]
    assert len(read_trace(log("openb/openb_pod_list_multigpu50.csv.gz"), usable="arrivals").frame) == 9_061
