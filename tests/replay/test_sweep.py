"""`suanwang sweep`: every run once, whatever happens; the same numbers on one process, on many and on a cluster."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from suanwang.errors import InvalidInput
from suanwang.replay.compare import run_on
from suanwang.replay.measures import attempts, outcome, summary
from suanwang.replay.study import read_study
from suanwang.replay.sweep.digest import described
from suanwang.replay.sweep.estimate import estimate, quantile, within
from suanwang.replay.sweep.folder import opened
from suanwang.replay.sweep.plan import Grid, Run, read_grid
from suanwang.replay.sweep.play import Ground, play
from suanwang.replay.sweep.processes import on_processes
from suanwang.replay.sweep.resample import paced, resampled
from suanwang.replay.traces.parquet import write_parquet
from tests.cli.conftest import Run as Invoke
from tests.cli.conftest import answer, home, run
from tests.replay.conftest import Write, jobs
from tests.replay.test_command import NETWORK, SAMPLE

__all__ = ["home", "run"]
GRID = ("--policy", "easy", "--policy", "sjf", "--set", "load=0.8,1.0", "--seeds", "0..2", "--limit", "400")


def ground(limit: int = 300) -> Ground:
    return Ground(study=read_study([SAMPLE], limit=limit), block_s=86_400)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text("utf-8").splitlines()]


def by_run(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: int(line["run"]))


def test_a_sweep_is_the_replays_that_it_stands_for(run: Invoke, tmp_path: Path) -> None:
    found = answer(run("sweep", SAMPLE, *GRID, "--out", tmp_path / "out", "--jobs", "2", "--json"))
    assert found["failed"] == []
    assert [line["run"] for line in found["lines"]] == list(range(12))
    assert by_run(lines_of(tmp_path / "out")) == found["lines"]
    assert {(line["policy"], line["set"]["load"], line["seed"]) for line in found["lines"]} == {
        (policy, load, seed) for policy in ("easy", "sjf") for load in (0.8, 1.0) for seed in (0, 1, 2)
    }
    # One run, computed by the parts of `replay` themselves.
    study = read_study([SAMPLE], limit=400, load=1.0)
    drawn = resampled(study.frame, 2, 86_400)
    made = run_on(study.network, drawn, read_grid(None, policies=["sjf"]).policies[0][1], study.epoch_s)
    assert found["lines"][11]["summary"] == json.loads(
        json.dumps(summary(outcome(made, attempts(made, study.network)), made))
    )
    first = found["summaries"][0]
    waits = [line["summary"]["mean_wait_s"] for line in found["lines"][:3]]
    assert first["measures"]["mean_wait_s"]["mean"] == pytest.approx(sum(waits) / 3)
    assert first["runs"] == 3


def test_without_seeds_it_is_the_replay_itself(run: Invoke, tmp_path: Path) -> None:
    found = answer(run("sweep", SAMPLE, "--network", NETWORK, "--limit", "200", "--out", tmp_path / "out", "--json"))
    alone = answer(run("replay", SAMPLE, "--network", NETWORK, "--limit", "200", "--json"))
    assert found["lines"][0]["summary"] == alone["summary"]
    assert found["summaries"][0]["measures"]["mean_wait_s"]["half_width"] is None


def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "suanwang", "sweep", str(SAMPLE), *GRID, "--out", str(out), "--jobs", "2", *more]


def until(true: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def started(out: Path) -> "subprocess.Popen[str]":
    """A sweep of which some runs have ended, and not all."""
    process = subprocess.Popen(command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: (out / "runs.jsonl").exists() and (out / "runs.jsonl").read_bytes().count(b"\n") >= 2, process)
    return process


def gone(children: list[psutil.Process]) -> bool:
    _gone, alive = psutil.wait_procs(children, timeout=20)
    return all(one.status() == psutil.STATUS_ZOMBIE for one in alive)


@pytest.mark.timeout(180)
def test_killed_in_the_middle_it_goes_on_and_every_run_is_there_once(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    process = started(out)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()
    process.communicate()
    assert gone(children)
    before = lines_of(out)
    assert 2 <= len(before) < 12
    with (out / "runs.jsonl").open("ab") as file:  # as if it had been killed while it wrote
        file.write(b'{"run": 11, "policy": "sj')
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of 12 runs are there already" in done.stderr
    after = lines_of(out)
    assert after[: len(before)] == before
    assert [line["run"] for line in by_run(after)] == list(range(12))
    whole = tmp_path / "whole"
    subprocess.run(command(whole), capture_output=True, check=True)
    assert by_run(lines_of(whole)) == by_run(after)
    assert (whole / "sweep.json").read_text() == (out / "sweep.json").read_text()


@pytest.mark.timeout(180)
def test_interrupted_it_says_how_to_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(out)
    children = psutil.Process(process.pid).children(recursive=True)
    for one in (process.pid, *(child.pid for child in children)):  # as a terminal does it
        os.kill(one, signal.SIGINT)
    _stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    told = re.search(r"interrupted: (\d+) of 12 runs are in", stderr)
    assert told is not None
    assert int(told[1]) == len(lines_of(out))
    assert gone(children)


def test_a_folder_belongs_to_one_sweep(run: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    small = ("--limit", "60", "--out", out)
    answer(run("sweep", SAMPLE, *small, "--json"))
    before = (out / "runs.jsonl").read_bytes()
    other = run("sweep", SAMPLE, *small, "--policy", "sjf")
    assert other.exit_code == 1
    assert "the results of another sweep (policies differ); choose another folder" in other.stderr
    assert "(jobs differ)" in run("sweep", SAMPLE, "--limit", "61", "--out", out).stderr
    monkeypatch.setattr("suanwang.replay.sweep.digest.DECIDING", ("replay",))  # as if the scheduler were another
    assert "(source differ)" in run("sweep", SAMPLE, *small).stderr
    monkeypatch.undo()
    assert (out / "runs.jsonl").read_bytes() == before
    again = answer(run("sweep", SAMPLE, *small, "--json"))
    assert (out / "runs.jsonl").read_bytes() == before
    assert len(again["lines"]) == 1
    with (out / "runs.jsonl").open("ab") as file:
        file.write(before)
    assert "every run once" in run("sweep", SAMPLE, *small).stderr
    (out / "sweep.json").unlink()
    assert "nothing describes" in run("sweep", SAMPLE, *small).stderr


def test_the_same_content_elsewhere_is_the_same_sweep(run: Invoke, tmp_path: Path) -> None:
    copy = tmp_path / "jobs.parquet"
    copy.write_bytes(SAMPLE.read_bytes())
    small = ("--limit", "60", "--out", tmp_path / "out", "--json")
    first = answer(run("sweep", SAMPLE, *small))
    assert answer(run("sweep", copy, *small)) == first


def test_one_process_writes_at_a_time(run: Invoke, tmp_path: Path) -> None:
    common = Ground(study=read_study([SAMPLE], limit=60), block_s=86_400)
    with opened(tmp_path / "out", described(common, read_grid(None))):
        second = run("sweep", SAMPLE, "--limit", "60", "--out", tmp_path / "out")
    assert second.exit_code == 1
    assert "another sweep writes there now" in second.stderr
    assert run("sweep", SAMPLE, "--limit", "60", "--out", tmp_path / "out").exit_code == 0


def test_a_run_that_fails_is_told_and_the_others_go_on(run: Invoke, write: Write, tmp_path: Path) -> None:
    """At a tenth of the pace the last jobs run when the series of emissions has ended."""
    hours = [datetime(2026, 1, 1, hour) for hour in range(2)]  # noqa: DTZ001 - as the files have it
    pl.DataFrame({"zone": ["Z"] * 2, "utc": hours, "ci_lca": [500.0, 400.0]}).write_parquet(tmp_path / "carbon.parquet")
    network = write(
        "network.yaml",
        """
centres:
  - {id: here, carbon_zone: Z, pools: [{id: p, chip: any, nodes: [{name: a, chips: 4}], watts_per_chip: 300}]}
energy: {begins: 2026-01-01T00:00:00Z, carbon: carbon.parquet}
""",
    )
    log = tmp_path / "log.parquet"
    write_parquet(jobs(*((at * 300, 60, 1) for at in range(10))), log)
    out = tmp_path / "out"
    arguments = ("sweep", log, "--network", network, "--set", "pace=1,0.1,0.9", "--out", out)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "run 1 failed: easy, pace=0.1: energy.begins: " in result.stdout
    assert sorted(line["run"] for line in lines_of(out)) == [0, 2]
    again = json.loads(run(*arguments, "--json").stdout)
    assert [(line["run"], line["set"]) for line in again["failed"]] == [(1, {"pace": 0.1})]
    assert [line["run"] for line in again["lines"]] == [0, 2]
    assert len(lines_of(out)) == 2


@pytest.mark.timeout(180)
def test_a_process_that_dies_takes_its_run_with_it_and_no_other() -> None:
    common = ground()
    runs = Grid(policies=read_grid(None).policies, seeds=tuple(range(6))).runs()
    mine = psutil.Process()
    known = {child.pid for child in mine.children()}
    with closing(on_processes(common, runs, 2)) as lines:  # type: ignore[type-var]
        found = [next(lines)]
        victim = next(
            one for one in mine.children() if one.pid not in known and "spawn_main" in " ".join(one.cmdline())
        )
        victim.kill()
        found += lines
    assert sorted(line["run"] for line in found) == list(range(6))
    failures = [line for line in found if "error" in line]
    assert [line["error"]["message"] for line in failures] == ["its process ended with code -9"]
    for line in found:
        if "summary" in line:
            assert line == play(common, runs[line["run"]])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--set", "load"), "NAME=VALUE"),
        (("--set", "speed=1"), "one of load, chips"),
        (("--set", "load=fast"), "a number from"),
        (("--set", "reservation_depth=-1"), "a whole number"),
        (("--set", "order=wise"), "fcfs"),
        (("--seeds", "9..0"), "from the lower"),
        (("--seeds", "x"), "0..9"),
        (("--seeds", "1,1"), "every one once"),
        (("--policy", "easy", "--policy", "easy"), "every one once"),
        (("--seeds", "0..1", "--block", "30d"), "at most half"),
        (("--seeds", "0..99999", "--set", "load=0.8,0.9"), "at most 100000"),
        (("--network", str(NETWORK), "--set", "load=0.8"), "pace"),
        (("--engine", "ray", "--address", "127.0.0.1:1"), "no Ray cluster at 127.0.0.1:1"),
    ],
)
def test_wrong_use_is_a_line(run: Invoke, tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    if "ray" in options:
        pytest.importorskip("ray")
    result = run("sweep", SAMPLE, "--limit", "100", *options, "--out", tmp_path / "out")
    assert result.exit_code in (1, 3)
    assert told in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_plan_is_read_as_its_options_are(write: Write) -> None:
    write("deep.yaml", "{order: sjf, reservation_depth: 4}\n")
    path = write("plan.yaml", "policies: [easy, deep.yaml]\nseeds: [0..2, 7]\nset: {load: [0.8, 1], exact: true}\n")
    read = read_grid(path)
    options = read_grid(
        None,
        policies=["easy", str(path.parent / "deep.yaml")],
        seeds=["0..2,7"],
        values=["load=0.8,1.0", "exact=true"],
    )
    assert read == options
    assert [run.seed for run in read.runs()[:5]] == [0, 1, 2, 7, 0]
    assert len(read.runs()) == 16
    assert read.runs()[15] == Run(
        number=15, policy_name="deep", policy=read.policies[1][1], values=(("load", 1.0), ("exact", True)), seed=7
    )
    with pytest.raises(InvalidInput, match="known here"):
        read_grid(write("plan.yaml", "policy: easy\n"))


def test_seeds_draw_whole_blocks() -> None:
    frame = jobs(*((second, 5, 1) for second in range(0, 105, 5)))
    drawn = resampled(frame, 3, 20)
    assert drawn.equals(resampled(frame, 3, 20))
    assert not drawn.equals(resampled(frame, 4, 20))
    assert len(drawn) == len(frame)
    assert drawn["submitted_s"].to_list() == frame["submitted_s"].to_list()
    assert drawn["job_id"].n_unique() == len(drawn)
    for row in drawn.iter_rows(named=True):
        old, _sign, block = row["job_id"].partition("#")
        assert (int(old[1:]) * 5) % 20 == row["submitted_s"] % 20
        assert row["submitted_s"] // 20 == int(block)
    assert drawn["job_id"].to_list()[-1] == "j20#5"  # what is left after the last whole block stays
    seen = {
        int(name.partition("#")[0][1:]) * 5 // 20 for seed in range(40) for name in resampled(frame, seed, 20)["job_id"]
    }
    assert seen == set(range(6))


def test_pace() -> None:
    frame = jobs((10, 5, 1), (20, 5, 1), (31, 5, 1))
    assert paced(frame, 2.0)["submitted_s"].to_list() == [10, 15, 20]
    assert paced(frame, 1.0).equals(frame.select(pl.all()))


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (2, 4.3027), (5, 2.5706), (10, 2.2281), (29, 2.0452), (120, 1.9799)]
)
def test_quantiles_are_those_of_the_tables(freedom: int, t: float) -> None:
    assert quantile(freedom) == pytest.approx(t, abs=5e-5)
    assert within(quantile(freedom), freedom) == pytest.approx(0.95)


def test_estimates() -> None:
    found = estimate([1.0, 2.0, None, 3.0])
    assert found is not None
    assert found.mean == 2
    assert found.half_width == pytest.approx(4.30265 / 3**0.5, rel=1e-5)
    assert found.count == 3
    assert estimate([None]) is None
