"""What the reference of replay shows is what runs."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from suanwang.replay.networkfile import read_network
from suanwang.replay.sweep.plan import read_grid
from suanwang.replay.traces.parquet import read_parquet
from tests.docs.test_commands import ROOT, blocks

TRACE = ROOT / "docs/reference/trace.md"
NETWORK = ROOT / "docs/reference/network-file.md"


def code(page: Path, language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_form_can_be_written_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code(TRACE, "python"), str(TRACE), "exec"), {})  # noqa: S102 - our own page
    assert (tmp_path / "two.parquet").exists()


def test_the_commands_run(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        ["bash", "-euc", *blocks("docs/reference/trace.md")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SUANWANG_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "who gains, who loses" in done.stdout
    assert pl.read_parquet(tmp_path / "schedule.parquet")["start_s"].null_count() == 0
    # The trace that lies in the repository is the one that its program makes.
    drawn, kept = (read_parquet(path / "jobs.parquet") for path in (tmp_path, ROOT / "examples/replay"))
    assert drawn.frame.equals(kept.frame)


def test_the_network_file_is_read_as_shown(tmp_path: Path) -> None:
    hours = [datetime(2023, 1, 1) + timedelta(hours=hour) for hour in range(4)]  # noqa: DTZ001 - as the files have it
    pl.DataFrame({"zone": ["CN-N"] * 4, "utc": hours, "ci_lca": [600.0, 500.0, 400.0, 300.0]}).write_parquet(
        tmp_path / "carbon.parquet"
    )
    network = read_network(code(NETWORK, "yaml"), tmp_path, "file")
    assert network.name == "two-cities"
    assert [pool.chips for pool in network.pools] == [32, 48]
    assert network.transfer == {("north", "south"): (25, 10_000), ("south", "north"): (25, 10_000)}
    assert network.tariffs["north"].fen_per_kwh == 65
    assert network.tariffs["south"].g_per_kwh == 430


def test_the_policy_of_the_page_decides_a_replay(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/policy.md").read_text("utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "ours.yaml").write_text(shown)
    (tmp_path / "jobs.parquet").symlink_to(ROOT / "examples/replay/jobs.parquet")
    assert "ours: order multi_factor" in run_page("docs/reference/policy.md", tmp_path)


def run_page(page: str, folder: Path) -> str:
    """Every command of a page, in a folder that has the examples."""
    (folder / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        ["bash", "-euc", *blocks(page)],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SUANWANG_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_report_run(tmp_path: Path) -> None:
    run_page("docs/how-to/replay-report.md", tmp_path)
    assert '<h2 id="title-centres">Which centres gain, which lose</h2>' in (tmp_path / "page.html").read_text()
    assert '<html lang="zh-CN">' in (tmp_path / "zh.html").read_text("utf-8")


def test_the_commands_of_the_sweep_run(tmp_path: Path) -> None:
    told = run_page("docs/how-to/sweep.md", tmp_path)
    assert "±" in told
    found = json.loads((tmp_path / "sweep.json").read_text("utf-8"))
    assert len(found["lines"]) == found["runs"] == 12
    assert (tmp_path / "results" / "runs.jsonl").read_text("utf-8").count("\n") == 12


def test_the_plan_of_a_sweep_is_read_as_shown(tmp_path: Path) -> None:
    (tmp_path / "deep.yaml").write_text("{order: sjf, reservation_depth: 4}\n")
    plan = tmp_path / "plan.yaml"
    plan.write_text(code(ROOT / "docs/how-to/sweep.md", "yaml"))
    grid = read_grid(plan)
    assert [name for name, _policy in grid.policies] == ["easy", "sjf", "deep"]
    assert len(grid.runs()) == 3 * 3 * 2 * 10
