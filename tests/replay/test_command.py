"""`suanwang replay` as people and programs use it."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from suanwang.cli.replay import OrderName, PlacementName
from suanwang.domain.scheduling.policy import Order, Placement
from suanwang.replay.traces.parquet import write_parquet
from tests.cli.conftest import Run, answer, home, run
from tests.replay.conftest import Write, jobs, write

__all__ = ["home", "run", "write"]
EXAMPLES = Path(__file__).parents[2] / "examples/replay"
SAMPLE, NETWORK = EXAMPLES / "jobs.parquet", EXAMPLES / "network.yaml"


def test_a_program_gets_one_document(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "schedule.parquet"
    found = answer(
        run("replay", SAMPLE, "--network", NETWORK, "--limit", "200", "--compare", "isolated", "--out", out, "--json")
    )
    assert found["policy"]["name"] == "easy"
    assert found["summary"]["jobs"] == found["summary"]["started"] == 200
    assert found["summary"]["energy_kwh"] == pytest.approx(sum(pool["energy_kwh"] or 0 for pool in found["pools"]))
    assert sum(pool["jobs"] for pool in found["pools"]) == 200
    assert {line["home"] for line in found["compared"]} == {"beijing", "guiyang", "shanghai"}
    schedule = pl.read_parquet(out)
    assert schedule["wait_s"].mean() == found["summary"]["mean_wait_s"]
    assert pl.read_parquet_metadata(out)["suanwang.epoch_s"] == "1767225600"
    again = answer(run("replay", out, "--network", NETWORK, "--json"))
    assert again["summary"] == found["summary"]


def test_people_get_tables_in_their_language(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("replay", SAMPLE, "--limit", "50")
    assert result.exit_code == 0, result.stderr
    assert "where they came from" in result.stdout
    monkeypatch.setenv("SUANWANG_LANG", "zh_CN")
    chinese = subprocess.run(
        [sys.executable, "-m", "suanwang", "replay", str(SAMPLE), "--limit", "50"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "平均等待" in chinese.stdout


def test_who_made_room_is_counted_in_the_table(run: Run, tmp_path: Path) -> None:
    """On four chips the first leaves after an hour, saved every 25 minutes: ten minutes of four chips are lost."""
    columns = {"priority": [0, 5], "preemptible": [1, 0], "checkpoint_every_s": [1_500, 0]}
    write_parquet(jobs((0, 7_200, 4), (3_600, 60, 4), **columns), tmp_path / "two.parquet")
    (tmp_path / "room.yaml").write_text("preemption: {min_run_s: 600}")
    plain = ("replay", tmp_path / "two.parquet", "--chips", "4")
    assert "preemptions" not in run(*plain).stdout
    made_room = run(*plain, "--policy", tmp_path / "room.yaml")
    assert "preemptions" in made_room.stdout
    (line,) = (line for line in made_room.stdout.splitlines() if "all jobs" in line)
    assert line.split()[-2:] == ["1", "0.7"]
    found = answer(run(*plain, "--policy", tmp_path / "room.yaml", "--json"))["summary"]
    assert (found["preemptions"], found["lost_chip_s"]) == (1, 4 * 600)


def test_what_never_runs_and_what_was_skipped_is_told(run: Run, write: Write) -> None:
    row = "{} {} 0 60 {} -1 -1 -1 3600 -1 1 7 1 -1 1 -1 -1 -1\n"
    text = "; MaxProcs: 8\n" + row.format(1, 0, 4) + row.format(2, 0, 99) + row.format(3, "x", 1) + row.format(4, -1, 1)
    path = write("log.swf.gz", text)
    refused = run("replay", path)
    assert refused.exit_code == 1
    assert "log.swf.gz, line 4, column submit" in refused.stderr
    assert "Traceback" not in refused.stderr
    told = run("replay", path, "--skip-bad")
    assert "1 jobs never run here: they ask for more chips" in told.stdout
    assert "log: 1 bad rows were passed over" in told.stdout
    assert "log: 1 of 4 rows do not count by its rule ran" in told.stdout
    found = answer(run("replay", path, "--skip-bad", "--json"))
    assert found["refused"] == {"NODE_TOO_SMALL": 1}
    assert found["summary"]["jobs"] == 2


@pytest.mark.parametrize(
    "options", [("--policy", "wise"), ("--usable", "all"), ("--format", "philly"), ("--since", "2020-01-01T99")]
)
def test_wrong_use_is_a_line(run: Run, options: tuple[str, str]) -> None:
    result = run("replay", SAMPLE, *options)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while it runs: the exit code says so, and there is no file, not even a part of one."""
    write_parquet(jobs(*((second, 20_000, 1) for second in range(40_000))), tmp_path / "long.parquet")
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-m", "suanwang", "replay", "long.parquet", "--chips", "9", "--out", "out/s.parquet"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(6)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        process.send_signal(signal.SIGINT)
        _stdout, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert list(out.iterdir()) == []


def test_what_is_read_is_never_written_over(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_parquet(jobs((0, 10, 1)), log)
    before = log.read_bytes()
    (tmp_path / "again").symlink_to(log)
    for output in (("--out", log), ("--report", log), ("--out", tmp_path / "again")):
        result = run("replay", log, *output)
        assert result.exit_code == 1
        assert "is read" in result.stderr
    same = run("replay", log, "--out", tmp_path / "x", "--report", tmp_path / "x")
    assert "another file than --out" in same.stderr
    assert log.read_bytes() == before


def test_what_a_log_is_not_enough_for_is_not_offered(run: Run, tmp_path: Path) -> None:
    assert {*get_args(OrderName), "given"} == set(get_args(Order))
    assert {*get_args(PlacementName), "fgd"} == set(get_args(Placement))
    for field in ("order: given", "placement: fgd"):
        (tmp_path / "p.yaml").write_text(field)
        for command in (("replay", SAMPLE), ("sweep", SAMPLE, "--out", tmp_path / "out")):
            refused = run(*command, "--policy", tmp_path / "p.yaml")
            assert refused.exit_code == 1
            assert field.split()[1] in refused.stderr
    refused = run("sweep", SAMPLE, "--set", "order=fcfs,given", "--out", tmp_path / "out")
    assert (refused.exit_code, "no log has scores" in refused.stderr) == (1, True)


def test_a_size_that_is_said_counts_or_is_refused(run: Run, write: Write) -> None:
    rows = "".join(f"{n} {10 * n} 0 90 4 -1 -1 4 90 -1 1 {n} 1 -1 1 1 -1 -1\n" for n in range(1, 11))
    log = write("small.swf", f"; MaxProcs: 64\n{rows}")
    chips = [answer(run("replay", log, *more, "--json"))["summary"]["chips"] for more in ((), ("--load", "1"))]
    assert chips == [64, 40]  # 10 jobs of 4 chips and 90 s in the 90 s of their submissions
    for more in (("--chips", "8", "--load", "1"), ("--network", NETWORK, "--load", "1")):
        result = run("replay", log, *more)
        assert (result.exit_code, "--load" in result.stderr) == (1, True)


def test_quotas_of_what_is_not_there(run: Run, write: Write, tmp_path: Path) -> None:
    write_parquet(jobs((0, 10, 1), tenant=["ann"]), tmp_path / "log.parquet")
    tree = (
        "tenants: {{branches: [{{id: {tenant}, quotas: [{{centre_id: {centre}, chip_id: any, nominal_chips: 1}}]}}]}}"
    )
    command = ("replay", tmp_path / "log.parquet", "--chips", "2", "--policy")
    refused = run(*command, write("a.yaml", tree.format(tenant="ann", centre="hrre")))
    assert refused.exit_code == 1
    assert "'any of hrre' is not allowed; chips that a pool has: any of here" in refused.stderr
    told = run(*command, write("b.yaml", tree.format(tenant="bob", centre="here")))
    assert told.exit_code == 0
    assert "no job here is of bob" in told.stderr
    assert "50.0 %" in told.stdout  # ann borrows the chip of bob; the other one no quota covers


def test_columns_that_mean_nothing_are_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "typo.parquet"
    jobs((0, 10, 1)).with_columns(walltime=pl.lit(99)).write_parquet(path)
    assert "columns that mean nothing here: walltime" in run("replay", path).stdout
    assert answer(run("replay", path, "--json"))["traces"][0]["ignored_columns"] == ["walltime"]
