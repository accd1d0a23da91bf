"""Progress lines: a job may write anything, at any time, half at a time."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanwang.agent.progress import MAX_LINE_BYTES, CheckpointMark, entry_of, read_progress
from suanwang.protocol import Progress


def read(path: Path, offset: int = 0) -> tuple[int, Progress | None, CheckpointMark | None]:
    found = read_progress(path, offset, began_s=100, now_s=1_000)
    return found.offset, found.progress, found.checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "progress.jsonl"


def write(path: Path, text: str | bytes, at_s: int = 500) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    os.utime(path, (at_s, at_s))


def test_no_file_is_no_progress(path: Path) -> None:
    assert read(path) == (0, None, None)


def test_the_newest_line_and_the_newest_checkpoint(path: Path) -> None:
    write(
        path, '{"step": 1, "checkpoint": true, "at_s": 200}\n{"step": 2.0, "total_steps": 9, "loss": 0.5, "acc": 1}\n'
    )
    offset, progress, checkpoint = read(path)
    assert offset == path.stat().st_size
    assert progress == Progress(step=2, total_steps=9, at_s=500, metrics={"loss": 0.5, "acc": 1.0})
    assert checkpoint == CheckpointMark(1, 200)
    assert read(path, offset) == (offset, None, None)


def test_half_a_line_waits_for_its_other_half(path: Path) -> None:
    write(path, '{"step": 1}\n{"st')
    offset, progress, _ = read(path)
    assert offset == len('{"step": 1}\n')
    write(path, 'ep": 2}\n')
    _, progress, _ = read(path, offset)
    assert progress is not None
    assert progress.step == 2


@pytest.mark.parametrize(
    "line",
    [
        "no json", "[1]", "null", '{"step": true}', '{"step": "1"}', '{"step": -1}', '{"step": 1.5}', '{"step": 1e300}',
        '{"step": NaN}', '{"step": Infinity}', '{"loss": 1}', "[" * 50_000, "9" * 50_000,
        '{"step": 12345678901234567890}',
    ],
)  # fmt: skip
def test_garbage_is_passed_over(path: Path, line: str) -> None:
    write(path, f'{{"step": 7}}\n{line}\n')
    offset, progress, _ = read(path)
    assert offset == path.stat().st_size
    assert progress is not None
    assert progress.step == 7


def test_odd_metrics_and_checkpoints_are_left_out(path: Path) -> None:
    odd = '"a": NaN, "b": Infinity, "c": true, "d": "x", "e": [1], "f\\u0000": 1, "g": 1e308, "checkpoint": "\\ud800"'
    write(path, f'{{"step": 1, {odd}, "good": 2}}\n'.encode())
    _, progress, checkpoint = read(path)
    assert progress is not None
    assert progress.metrics == {"good": 2.0}
    assert checkpoint is None


def test_times_stay_within_the_attempt(path: Path) -> None:
    write(path, '{"step": 1, "checkpoint": true, "at_s": 99999999999}\n')
    assert read(path)[2] == CheckpointMark(1, 1_000)
    write(path, '{"step": 2, "checkpoint": true, "at_s": 1}\n')
    assert read(path)[2] == CheckpointMark(2, 100)


def test_a_file_begun_anew_is_read_anew(path: Path) -> None:
    write(path, '{"step": 100000}\n')
    offset, _, _ = read(path)
    path.write_text('{"step": 1}\n')
    _, progress, _ = read(path, offset)
    assert progress is not None
    assert progress.step == 1


def test_an_endless_line_does_not_stop_reading(path: Path) -> None:
    write(path, "x" * (5 * MAX_LINE_BYTES))
    offset = 0
    for _ in range(10):
        offset, _, _ = read(path, offset)
    write(path, '\n{"step": 3}\n')
    _, progress, _ = read(path, offset)
    assert progress is not None
    assert progress.step == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_are_survived(path: Path, text: bytes, offset: int) -> None:
    path.write_bytes(text)
    after, progress, _ = read(path, offset)
    assert 0 <= after <= max(len(text), offset)
    assert progress is None or 100 <= progress.at_s <= 1_000


def test_a_checkpoint_entry_lies_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    (folder / "step-2").mkdir(parents=True)
    (folder / "out").symlink_to("/etc")
    assert entry_of(folder, "step-2") == "step-2"
    assert entry_of(folder, f"{folder}/step-2") == "step-2"
    for outside in ("..", "step-2/../..", "/etc/passwd", "out/passwd", "out", "", "."):
        assert entry_of(folder, outside) is None
