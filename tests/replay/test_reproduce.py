"""Published tables come out, to every digit that was published."""

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from suanwang.cli.main import make_app
from suanwang.errors import InvalidInput, NotFound
from suanwang.replay.reproduce.figure import Figure, largest_difference, published
from suanwang.replay.reproduce.rlscheduler import ORDERS, rlscheduler
from suanwang.replay.reproduce.whole_log import whole_log

DATA = Path(__file__).resolve().parents[3] / "shared" / "traces"
needs_data = pytest.mark.skipif(not (DATA / "swf").is_dir(), reason="the recorded logs are not here")


@needs_data
def test_whole_logs_come_out_to_every_digit() -> None:
    figures = whole_log(DATA)
    assert len(figures) == 24
    assert all(figure.expected is not None for figure in figures)
    assert largest_difference(figures) == 0


@needs_data
def test_rlschedulers_table_comes_out_to_two_decimals() -> None:
    figures = rlscheduler(DATA)
    assert len(figures) == 20
    assert all(figure.expected is not None for figure in figures)
    assert largest_difference(figures) == 0


@needs_data
def test_windows_of_ones_own_have_nothing_to_compare_with() -> None:
    (figure,) = rlscheduler(DATA, ["lublin_256"], ["SJF"], [0], 100, ["yes"])
    assert figure.of == ("lublin_256", "backfill", "SJF")
    assert figure.computed >= 1
    assert figure.expected is None


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda: rlscheduler(DATA, ["lublin_256"], ["LIFO"]), "--order"),
        (lambda: rlscheduler(DATA, ["lublin_256"], ["SJF"], [9_990], 100), "--start"),
        (lambda: rlscheduler(DATA, ["lublin_256"], ["SJF"], backfill=["maybe"]), "--backfill"),
        (lambda: whole_log(DATA, ["lublin_256"], ["LIFO"], 256), "--policy"),
        (lambda: whole_log(DATA, ["SDSC-SP2"], ["FIFO"], 100), "--capacity"),
    ],
)
@needs_data
def test_what_cannot_be_computed_is_named(ask: Callable[[], list[Figure]], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        ask()


@needs_data
def test_an_unknown_log_shows_those_that_are_there() -> None:
    with pytest.raises(NotFound, match="lublin_256"):
        whole_log(DATA, ["no-such-log"])


def a_log(folder: Path, rows: list[tuple[int, int, int, int]]) -> Path:
    """A folder with a log of one's own: (submitted, run, processors, asked time)."""
    (folder / "swf").mkdir()
    lines = ["; MaxProcs: 4"]
    for i, (submitted, run, processors, asked) in enumerate(rows, 1):
        lines.append(f"{i} {submitted} 0 {run} {processors} -1 -1 {processors} {asked} -1 1 1 1 1 1 1 -1 -1")
    (folder / "swf" / "mine.swf.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def test_a_log_of_ones_own_against_figures_of_ones_own(tmp_path: Path) -> None:
    data = a_log(tmp_path, [(0, 100, 4, 100), (1, 50, 4, 50), (2, 10, 1, 10)])
    with (data / "swf" / "expected_whole_log.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("log", "capacity", "policy", "jobs", "mean wait s", "p95 wait", "p95 BSLD", "utilisation", "makespan"),
                ("mine", 4, "FIFO", 3, "82.33", 148, "14.80", ".9531", 160),
            ]
        )
    figures = {figure.of[2]: figure for figure in whole_log(data, policies=["FIFO"])}
    assert figures["mean wait s"].computed == pytest.approx((99 + 148) / 3, abs=0.005)
    assert figures["jobs"].difference == figures["p95 wait"].difference == figures["makespan"].difference == 0
    assert figures["p95 BSLD"].computed == 14.8
    assert figures["mean wait s"].difference == 0
    assert figures["utilisation"].difference == round((100 * 4 + 50 * 4 + 10) / (4 * 160) - 0.9531, 4)


def test_a_table_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "swf").mkdir()
    (tmp_path / "swf" / "expected_whole_log.csv").write_text("log,policy\nmine,FIFO\n")
    with pytest.raises(InvalidInput, match="makespan"):
        whole_log(tmp_path)
    assert published(tmp_path, "expected_other.csv", ("log",)) == []


@needs_data
def test_the_command_tells_programs_and_people(tmp_path: Path) -> None:
    (tmp_path / "swf").mkdir()
    shutil.copy(DATA / "swf" / "lublin_256.swf.gz", tmp_path / "swf")
    shutil.copy(DATA / "README.md", tmp_path)
    run = CliRunner().invoke
    asked = ["reproduce", "rlscheduler", "--data", str(tmp_path), "--log", "lublin_256"]
    answer = json.loads(run(make_app(), [*asked, "--json"]).stdout)
    assert [line["of"][2] for line in answer["figures"]] == [*ORDERS] * 2
    assert answer["largest_difference"] == 0
    shown = run(make_app(), asked).stdout
    assert "7,273.77" in shown
    assert "largest difference: 0" in shown
    refused = run(make_app(), ["reproduce", "rlscheduler", "--data", str(tmp_path), "--log", "HPC2N"])
    assert refused.exit_code == 1
    assert "lublin_256" in refused.stderr
