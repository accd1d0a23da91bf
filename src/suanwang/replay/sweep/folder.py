"""The folder of a sweep: what it is (`sweep.json`), and a line for every run that has ended (`runs.jsonl`).

A line is on disk before the next run is told of. Whoever is killed leaves whole lines, and at most one torn one at the
end, which is cut off. A folder belongs to one sweep, and to one process at a time.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any, BinaryIO

from suanwang.errors import Conflict, InvalidInput
from suanwang.replay.sweep.digest import sum_of
from suanwang.replay.sweep.play import Line

SWEEP, RUNS = "sweep.json", "runs.jsonl"


@dataclass(slots=True)
class Folder:
    """A folder that is ours until it is closed."""

    path: Path
    file: BinaryIO
    done: dict[int, Line]
    """Number of a run -> its line."""

    def append(self, line: Line) -> None:
        """On disk when this returns. A run has one line."""
        if line["run"] in self.done:
            raise AssertionError(f"run {line['run']} came twice")
        self.file.write(dumps(line, ensure_ascii=False).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.done[line["run"]] = line

    def count(self) -> int:
        """How many lines are in the file: an interrupt can come between the line and `done`."""
        self.file.flush()
        return (self.path / RUNS).read_bytes().count(b"\n")


@contextmanager
def opened(path: Path, description: Mapping[str, Any]) -> Iterator[Folder]:
    """The folder of this sweep, made if it is not there.

    Raises Conflict: it has the results of another sweep, or another process writes to it; InvalidInput: it cannot be
    used, or its lines were changed by others.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / RUNS).open("a+b")
    except OSError as broken:
        raise InvalidInput("out", str(path), broken.strerror or "a folder that can be written to") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{path}: another sweep writes there now", code="SWEEP_RUNNING", folder=str(path)) from None
        _claim(path, dict(description))
        yield Folder(path, file, _read(path, file))


def _claim(path: Path, description: dict[str, Any]) -> None:
    written = path / SWEEP
    wanted = {"sum": sum_of(description), **description}
    if not written.exists():
        if (path / RUNS).stat().st_size:
            raise Conflict(f"{path}: has runs of a sweep that nothing describes", code="OTHER_SWEEP", folder=str(path))
        part = written.with_name(f".{SWEEP}.part")
        part.write_text(dumps(wanted, indent=1, ensure_ascii=False) + "\n", "utf-8")
        part.replace(written)
        return
    try:
        found = loads(written.read_text("utf-8"))
    except (OSError, ValueError):
        found = {}
    if not isinstance(found, dict) or found.get("sum") != wanted["sum"]:
        known = found if isinstance(found, dict) else {}
        differs = sorted(name for name in description if loads(dumps(description[name])) != known.get(name))
        raise Conflict(
            f"{path}: has the results of another sweep ({', '.join(differs)} differ); choose another folder",
            code="OTHER_SWEEP",
            folder=str(path),
            differs=differs,
        )


def _read(path: Path, file: BinaryIO) -> dict[int, Line]:
    file.seek(0)
    done: dict[int, Line] = {}
    whole = 0
    for number, text in enumerate(file, 1):
        if not text.endswith(b"\n"):
            break  # torn: whoever wrote it was killed
        try:
            line = loads(text)
            run = int(line["run"])
        except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
            raise InvalidInput(
                f"{path / RUNS}, line {number}", text.decode(errors="replace"), "a line of a run"
            ) from None
        if run in done:
            raise InvalidInput(f"{path / RUNS}, line {number}", run, "every run once")
        done[run] = line
        whole += len(text)
    file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return done
