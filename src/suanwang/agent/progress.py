"""The lines that a job writes to `$SUANWANG_PROGRESS_FILE`: one JSON object each.

    {"step": 200, "total_steps": 1000, "loss": 0.31, "checkpoint": true, "at_s": 1795000000}

`step` is required. `checkpoint` says that the checkpoint folder now holds a whole checkpoint of this step; as a text it
names the one entry of the folder that is the checkpoint. Other numbers are metrics. Everything else is ignored: a job's
output is never trusted and never fails the job.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from suanwang.agent.files import open_regular
from suanwang.protocol import MAX_METRIC_NAME_LENGTH, MAX_METRICS, MAX_STEP, Progress

MAX_READ_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024
"""Beyond it not every reader of JSON keeps a whole number exact."""
OWN_KEYS = frozenset({"step", "total_steps", "at_s", "checkpoint"})


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """A line that speaks of a checkpoint: whole at `at_s`. `entry`: the one entry of the folder, None for all of it."""

    step: int
    at_s: int
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class ProgressSlice:
    """What new lines say: the newest progress, the newest checkpoint, and where to read on."""

    offset: int
    progress: Progress | None = None
    checkpoint: CheckpointMark | None = None


def read_progress(path: Path, offset: int, *, began_s: int, now_s: int) -> ProgressSlice:
    """Read whole lines from `offset` on, at most 256 KiB; a half line waits for the next time.

    A line without `at_s` is dated by the file's last change; times are kept within `began_s` and `now_s`. Raises
    OSError other than that there is no file yet.
    """
    try:
        with open_regular(path) as file:
            changed_s = int(os.fstat(file.fileno()).st_mtime)
            size = file.seek(0, 2)
            if size < offset:  # The job began the file anew.
                offset = 0
            file.seek(offset)
            text = file.read(MAX_READ_BYTES)
    except FileNotFoundError:
        return ProgressSlice(offset)
    end = text.rfind(b"\n") + 1
    if end == 0 and len(text) > MAX_LINE_BYTES:
        return ProgressSlice(offset + len(text))
    progress = checkpoint = None
    for line in text[:end].split(b"\n"):
        said = _said(line)
        step = _whole(said.get("step"))
        if step is None:
            continue
        at_s = min(max(_whole(said.get("at_s")) or changed_s, began_s), max(now_s, began_s))
        progress = Progress(step=step, total_steps=_whole(said.get("total_steps")), at_s=at_s, metrics=_metrics(said))
        checkpoint = _checkpoint(said.get("checkpoint"), step, at_s) or checkpoint
    return ProgressSlice(offset + end, progress, checkpoint)


def _said(line: bytes) -> Mapping[str, Any]:
    if not line.strip() or len(line) > MAX_LINE_BYTES:
        return {}
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value <= MAX_STEP or value != int(value):
        return None
    return int(value)


def _metrics(said: Mapping[str, Any]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for key, value in said.items():
        if len(metrics) == MAX_METRICS:
            break
        if key in OWN_KEYS or len(key) > MAX_METRIC_NAME_LENGTH or not key.isprintable():
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_STEP * MAX_STEP:
            metrics[key] = float(value)
    return {key: value for key, value in metrics.items() if math.isfinite(value)}


def _checkpoint(said: object, step: int, at_s: int) -> CheckpointMark | None:
    if said is True:
        return CheckpointMark(step, at_s)
    if not isinstance(said, str) or not said or not said.isprintable():
        return None
    return CheckpointMark(step, at_s, said)


def entry_of(folder: Path, named: str) -> str | None:
    """The path within the checkpoint folder that a line named, absolute or relative to it; None if it lies outside."""
    path = PurePosixPath(named)
    if path.is_absolute():
        try:
            path = path.relative_to(folder)
        except ValueError:
            return None
    if ".." in path.parts or path == PurePosixPath():
        return None
    resolved = (folder / path).resolve()
    return str(path) if resolved.is_relative_to(folder.resolve()) else None
