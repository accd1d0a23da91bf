"""The catalogues are complete and compiled, and the script that says so can say no."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT


def check(root: Path) -> tuple[int, str]:
    command = [sys.executable, str(root / "script/catalogues"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_catalogues_are_complete() -> None:
    code, said = check(ROOT)
    assert code == 0, said


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src/suanwang", tmp_path / "src/suanwang", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/catalogues", tmp_path / "script/catalogues")
    return tmp_path


def test_a_new_sentence_is_seen(copy: Path) -> None:
    with (copy / "src/suanwang/words.py").open("a") as file:
        file.write('\nNEW = _("nobody has translated {this}")\n')
    code, said = check(copy)
    assert code == 1
    assert "not translated: 'nobody has translated {this}'" in said


def test_other_placeholders_and_stale_files_are_seen(copy: Path) -> None:
    po = copy / "src/suanwang/locale/zh_CN/LC_MESSAGES/suanwang.po"
    po.write_text(po.read_text("utf-8").replace("算网已启动:{url}", "算网已启动:{uri}"), "utf-8")
    code, said = check(copy)
    assert code == 1
    assert "other placeholders" in said
    assert "suanwang.mo is not up to date" in said
