"""From files to requests: what is packed, what is refused, what goes with a job."""

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from suanwang.cli.request import overrides_of, pack_folder, read_many, request_of
from suanwang.domain.job import Objective
from suanwang.errors import InvalidInput, Refused
from suanwang.taskfile import TaskRefused

TASK = """
name: train
workdir: {workdir}
resources: {{accelerators: A100:8, labels: {{suanwang/walltime: 2h}}}}
run: python train.py
"""


def fill(folder: Path) -> Path:
    for name in ("train.py", "sub/data.txt", ".git/config", "sub/__pycache__/x.pyc", ".venv/bin/python"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "train.py").chmod(0o755)
    (folder / "link").symlink_to("train.py")
    return folder


def names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        return tar.getnames()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "a"), fill(tmp_path / "b")
    for folder in (first, second):
        for path in sorted(folder.rglob("*")):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    assert pack_folder(first) == pack_folder(second)
    (second / "train.py").write_text("other")
    assert pack_folder(first) != pack_folder(second)


def test_what_is_made_again_is_not_packed(tmp_path: Path) -> None:
    assert names(pack_folder(fill(tmp_path))) == ["link", "sub", "sub/data.txt", "train.py"]


def test_too_large_and_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(3 * 2**20))
    with pytest.raises(Refused) as refused:
        pack_folder(tmp_path, limit_bytes=2 * 2**20)
    assert (refused.value.code, refused.value.facts["limit_mib"]) == ("WORKDIR_TOO_LARGE", 2)
    with pytest.raises(Refused) as refused:
        pack_folder(tmp_path / "noise")
    assert refused.value.code == "NO_WORKDIR"


def test_the_request_carries_the_text_and_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(TASK.format(workdir="here"))
    said = overrides_of(walltime_s=60, env=[("A", "1=2")], objective="cheapest", voucher="none", max_cost_fen=7)
    wanted = request_of(path, said, count=3)
    assert wanted.workdir == Path("here")
    request = wanted.request
    assert (request.task, request.count, request.walltime_s, request.envs) == (path.read_text(), 3, 60, {"A": "1=2"})
    assert (request.objective, request.voucher, request.max_cost_fen) == (Objective.CHEAPEST, "none", 7)


def test_a_repository_is_not_packed(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("workdir: {url: 'https://example.org/x.git'}\nrun: make\n")
    assert request_of(path, overrides_of()).workdir is None


def test_a_bad_task_file_is_refused_here(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("rnu: make\nnum_nodes: 0\n")
    with pytest.raises(TaskRefused) as refused:
        request_of(path, overrides_of())
    assert {problem["field"] for problem in refused.value.facts["problems"]} >= {"rnu", "num_nodes"}
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput):
        request_of(path, overrides_of())


def test_lines_of_many_jobs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"task": "run: a", "count": 2}\n\n{"task": "run: b", "name": "b"}\n')
    assert [(one.request.task, one.request.count) for one in read_many(path)] == [("run: a", 2), ("run: b", 1)]
    path.write_text('{"task": "run: a"}\n{"tsak": "run: b"}\n')
    with pytest.raises(InvalidInput) as refused:
        read_many(path)
    assert refused.value.facts["field"] == "jobs.jsonl:2"
    path.write_text("\n")
    with pytest.raises(InvalidInput):
        read_many(path)
