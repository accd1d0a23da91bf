"""`suanwang replay` as people and programs use it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from suanwang.replay.traces.parquet import write_parquet
from tests.cli.conftest import Run, answer, home, run
from tests.replay.conftest import Write, jobs

__all__ = ["home", "run"]
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
