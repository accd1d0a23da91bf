"""Every command of the page on published tables runs, and says what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.replay.reproduce.figure import published
from suanwang.replay.reproduce.openb import PLACEMENT_OF
from suanwang.replay.reproduce.rlscheduler import JOBS, ORDERS, STARTS
from tests.docs.test_commands import ROOT

DATA = next((up / "shared/traces" for up in ROOT.parents if (up / "shared/traces").is_dir()), Path("/none"))
PAGE = (ROOT / "docs/reference/reproduce.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```bash\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("commands", "shown"), EXAMPLES)
@pytest.mark.timeout(300)
def test_an_example_runs_and_says_what_is_shown(commands: str, shown: str, tmp_path: Path) -> None:
    if "DIR" in commands:
        if not (DATA / "openb").is_dir():
            pytest.skip("the recorded logs are not here")
        (tmp_path / "DIR").symlink_to(DATA)
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SUANWANG_LANG": "en",
            "COLUMNS": "100",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = {" ".join(line.split()) for line in done.stdout.splitlines()}
    assert {" ".join(line.split()) for line in shown.splitlines()} - said == set()
    assert len(said) > 3


def test_the_page_has_examples_of_all_tables() -> None:
    for table in ("openb", "rlscheduler", "whole-log"):
        assert sum(table in commands for commands, _ in EXAMPLES) >= 2
    assert sum(bool(shown) for _, shown in EXAMPLES) >= 4


def test_a_copy_of_the_page_is_a_folders_published_figures(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(PAGE)
    of_b = published(tmp_path, "expected_rlscheduler.csv", ("trace", "backfill", *ORDERS))
    of_c = published(tmp_path, "expected_whole_log.csv", ("log", "policy", "capacity"))
    assert [(row["trace"], row["backfill"]) for row in of_b][::3] == [
        ("Lublin-1 (`lublin_256`)", "no"),
        ("SDSC-SP2", "yes"),
    ]
    assert [(row["log"], row["policy"], row["makespan"]) for row in of_c][::3] == [
        ("SDSC-SP2", "FIFO", "68440542"),
        ("HPC2N", "EASY", "109256855"),
    ]
    if (DATA / "README.md").is_file():
        assert of_b == published(DATA, "expected_rlscheduler.csv", ("trace", "backfill", *ORDERS))
        assert of_c == published(DATA, "expected_whole_log.csv", ("log", "policy", "capacity"))


def test_what_there_is_to_choose_is_on_the_page() -> None:
    assert all(f"`{name}`" in PAGE for name in (*PLACEMENT_OF, *ORDERS))
    assert ", ".join(str(start) for start in STARTS) in PAGE
    assert f"| {JOBS} |" in PAGE
