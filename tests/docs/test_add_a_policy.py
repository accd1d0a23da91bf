"""The page on new policies: its files, its scores and its changes to the core work as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_commands import ROOT, blocks

PAGE = (ROOT / "docs/how-to/add-a-policy.md").read_text("utf-8")
CHANGES = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GIVEN, CHECK = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(words: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


@pytest.mark.timeout(300)
def test_a_policy_as_data_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    told = run(["bash", "-euc", *blocks("docs/how-to/add-a-policy.md")], tmp_path, SUANWANG_LANG="en")
    assert "small_first" in told


@pytest.mark.timeout(300)
def test_a_score_for_every_job_runs(tmp_path: Path) -> None:
    run([sys.executable, "-c", GIVEN], tmp_path)


def changed(folder: Path) -> Path:
    """A copy of the source with the changes of the page."""
    source = folder / "src" / "suanwang"
    shutil.copytree(ROOT / "src" / "suanwang", source, ignore=shutil.ignore_patterns("__pycache__"))
    for number, change in enumerate(CHANGES):
        (folder / f"{number}.diff").write_text(change)
        run(["git", "apply", f"{number}.diff"], folder)
    return folder / "src"


def test_the_changes_fit_the_source_and_are_short(tmp_path: Path) -> None:
    source = changed(tmp_path)
    assert "response_ratio" in (source / "suanwang/domain/scheduling/kernel/queue.py").read_text("utf-8")
    for change in CHANGES:
        assert len(re.findall(r"^\+(?!\+\+)", change, re.MULTILINE)) <= 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_changed_source_does_what_the_page_says(tmp_path: Path) -> None:
    """It compiles the whole pass anew."""
    run([sys.executable, "-c", CHECK], tmp_path, PYTHONPATH=str(changed(tmp_path)))
