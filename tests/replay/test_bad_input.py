"""What cannot be read is named by file, line, column and value; with `skip_bad` it is counted instead."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from suanwang.errors import InvalidInput
from suanwang.replay.traces import read_trace
from suanwang.replay.traces.parquet import write_parquet
from tests.replay.conftest import Write, jobs

JOB = "{job} {submit} 0 {run} {chips} -1 -1 {chips} 3600 -1 1 7 1 -1 1 -1 -1 -1"
PHILLY = "timestamp,duration,num_gpus,gpu_time,cluster\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"


def swf(*lines: str) -> str:
    return "; MaxProcs: 8\n; UnixStartTime: 1000\n" + "\n".join(lines) + "\n"


def line(job: int, submit: object = 0, run: object = 60, chips: object = 1) -> str:
    return JOB.format(job=job, submit=submit, run=run, chips=chips)


GOOD = line(1)


@pytest.mark.parametrize(
    ("bad", "place", "value"),
    [
        (line(2, submit="soon"), "line 4, column submit", "soon"),
        (line(2, run="1e30"), "line 4, column run", "1e30"),
        (line(2, run="nan"), "line 4, column run", "nan"),
        (line(2, chips=-5), "line 4, column processors", "-5"),
        ("2 10 0 60", "line 4, column processors", None),
        (line(2) + " 99", "line 4, column 19", "99"),
    ],
)
def test_bad_rows_of_swf(write: Write, bad: str, place: str, value: str | None) -> None:
    path = write("log.swf", swf(GOOD, bad, line(3, submit=5)))
    with pytest.raises(InvalidInput) as caught:
        read_trace(path)
    assert caught.value.facts["field"] == f"log.swf, {place}"
    assert caught.value.facts["value"] == value
    assert caught.value.facts["allowed"]
    skipped = read_trace(path, skip_bad=True)
    assert (skipped.bad_rows, skipped.rows, skipped.frame["job_id"].to_list()) == (1, 3, ["1", "3"])


def test_comments_blank_lines_tabs_and_fractions(write: Write) -> None:
    text = swf(GOOD.replace(" ", "\t  "), "", "; a comment between", "  " + line(2, submit=7, run=59.9))
    trace = read_trace(write("log.swf.gz", text))
    assert trace.frame["run_s"].to_list() == [60, 59]
    assert (trace.processors, trace.epoch_s, trace.name) == (8, 1_000, "log")


@pytest.mark.parametrize(
    ("name", "text", "place", "value"),
    [
        (
            "p.csv",
            PHILLY + "2017-10-09 07:01:55,66.0,1,66.0,a\nyesterday,1,1,1,a\n",
            "line 3, column timestamp",
            "yesterday",
        ),
        ("p.csv", PHILLY + "2017-10-09 07:01:55,66.0,0,66.0,a\n", "line 2, column num_gpus", "0"),
        ("p.csv", PHILLY + "2017-10-09 07:01:55,66.0,1,66.0,\n", "line 2, column cluster", ""),
        ("o.csv", PODS + "p,1000,1,1,1001,,LS,Running,0,10,0\n", "line 2, column gpu_milli", "1001"),
        ("o.csv", PODS + "p,1000,1,1,1000,,LS,Running,0,10,x\n", "line 2, column scheduled_time", "x"),
        ("o.csv", PODS + "p,1000,1,1,1000,,LS,Running,0,10,0,more\n", "line 2, column 12", "more"),
    ],
)
def test_bad_rows_of_csv(write: Write, name: str, text: str, place: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_trace(write(name, text))
    assert caught.value.facts["field"] == f"{name}, {place}"
    assert caught.value.facts["value"] == value


@pytest.mark.parametrize("format", ["swf", "openb", "philly", "gavel", "parquet", None])
def test_empty_files(write: Write, format: str | None) -> None:
    with pytest.raises(InvalidInput):
        read_trace(write("empty.swf", ""), format)


def test_no_good_row(write: Write) -> None:
    with pytest.raises(InvalidInput, match="at least one good row"):
        read_trace(write("log.swf", swf(line(1, run="x"))), skip_bad=True)
    with pytest.raises(InvalidInput):
        read_trace(write("log.swf", "; only: comments\n"))


def test_packed_files_that_are_cut_off_or_broken(tmp_path: Path) -> None:
    whole = gzip.compress(swf(*(line(number, submit=number * 7919 % 1_000) for number in range(1, 5_000))).encode())
    path = tmp_path / "log.swf.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="cut off"):
        read_trace(path, "swf")
    path.write_bytes(whole[:40] + bytes(200) + whole[240:])
    with pytest.raises(InvalidInput):
        read_trace(path, "swf")
    with pytest.raises(InvalidInput):
        read_trace(path)


def test_a_binary_file_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(InvalidInput) as caught:
        read_trace(path, "swf")
    assert caught.value.message == "log.swf: 'a binary file' is not allowed; a log of lines of text"


def test_an_id_that_two_jobs_have(tmp_path: Path) -> None:
    path = tmp_path / "jobs.parquet"
    write_parquet(jobs((0, 5, 1), (1, 5, 1), (2, 5, 1), job_id=["a", "b", "a"]), path)
    with pytest.raises(InvalidInput, match="column job_id: 'a' is not allowed; an id that only one job has"):
        read_trace(path, skip_bad=True)


def test_unknown_formats_files_and_options(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="known format"):
        read_trace(write("x.txt", "hello\n"))
    with pytest.raises(InvalidInput, match="one of swf"):
        read_trace(write("log.swf", swf(GOOD)), "pbs")
    with pytest.raises(InvalidInput, match="means nothing for philly"):
        read_trace(write("log.swf", swf(GOOD)), "philly", throughputs=tmp_path)
    with pytest.raises(InvalidInput, match="table_c"):
        read_trace(write("log.swf", swf(GOOD)), usable="all")
    with pytest.raises(InvalidInput, match="No such file"):
        read_trace(tmp_path / "absent.swf")
    with pytest.raises(InvalidInput, match="a header with"):
        read_trace(write("log.swf", swf(GOOD)), "philly")
    with pytest.raises(InvalidInput, match="isolated_throughputs"):
        read_trace(write("g.csv", "vc,job_type,total_steps,arrival_s,scale_factor\na,b,1,0,1\n"))


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"run_s": pl.lit(-1, pl.Int64)}, "run_s"),
        ({"num_nodes": pl.lit(0, pl.Int64)}, "num_nodes"),
        ({"chip_milli": pl.lit(1_001, pl.Int64)}, "chip_milli"),
        ({"tenant": pl.lit(None, pl.String)}, "tenant"),
        ({"chips": pl.lit([], pl.List(pl.String))}, "chips"),
        ({"submitted_s": pl.lit(None, pl.Int64)}, "submitted_s"),
    ],
)
def test_bad_rows_of_parquet(tmp_path: Path, change: dict[str, pl.Expr], column: str) -> None:
    path, good = tmp_path / "jobs.parquet", jobs((0, 1, 1))
    pl.concat([good, good.with_columns(**change)]).write_parquet(path)
    with pytest.raises(InvalidInput) as caught:
        read_trace(path)
    assert caught.value.facts["field"] == f"jobs.parquet, row 2, column {column}"
    assert read_trace(path, skip_bad=True).bad_rows == 1


def test_parquet_of_other_columns_and_types(tmp_path: Path) -> None:
    path = tmp_path / "jobs.parquet"
    jobs((0, 1, 1)).drop("run_s").write_parquet(path)
    with pytest.raises(InvalidInput, match="the columns run_s"):
        read_trace(path)
    jobs((0, 1, 1)).with_columns(run_s=pl.lit(1.5)).write_parquet(path)
    with pytest.raises(InvalidInput, match="column run_s"):
        read_trace(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="can be read"):
        read_trace(path)


def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of writing: the old file is whole, and there is no other."""
    path = tmp_path / "jobs.parquet"
    write_parquet(jobs((0, 1, 1)), path)
    before = path.read_bytes()

    def interrupted(_frame: pl.DataFrame, target: Path, **_options: object) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.DataFrame, "write_parquet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(jobs((0, 1, 1), (1, 1, 1)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
