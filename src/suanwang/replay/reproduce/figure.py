"""A figure that was published, beside what comes out here; and where a folder keeps the published ones."""

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suanwang.errors import InvalidInput, NotFound

NOTES_FILE = "README.md"
LOG_ENDINGS = ("", ".gz", ".swf", ".swf.gz")


@dataclass(frozen=True, slots=True)
class Figure:
    """`of`: what it is of, from the widest to the narrowest word. `expected` None: the folder does not have it."""

    of: tuple[str, ...]
    computed: float
    expected: float | None
    decimals: int

    @property
    def difference(self) -> float | None:
        """Computed less expected, at the digits that were published."""
        return None if self.expected is None else round(self.computed - self.expected, self.decimals) + 0.0


def largest_difference(figures: Sequence[Figure]) -> float | None:
    """Without its sign; None if nothing could be compared."""
    return max((abs(figure.difference) for figure in figures if figure.difference is not None), default=None)


def swf_log(data: Path, name: str) -> Path:
    """A log of a folder by its name, by the beginning of its name, or by its path. Raises NotFound."""
    folder = data / "swf"
    for place in (Path(name), folder / name):
        for ending in LOG_ENDINGS:
            path = place.with_name(place.name + ending)
            if path.is_file():
                return path
    found = sorted(path for path in folder.glob(f"{name}*") if path.is_file())
    if len(found) == 1:
        return found[0]
    has = ", ".join(path.name for path in (found or sorted(folder.glob("*")))) or "nothing"
    raise NotFound(f"{folder}: no one log named {name}; it has {has}", code="FILE_NOT_FOUND", file=str(folder / name))


def published(data: Path, file: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table of published figures: of `file` (CSV, may be gzipped), else of a table in the folder's notes.

    Empty if the folder has neither. `columns`: what the table's header has. Raises InvalidInput if the file lacks some.
    """
    for path in (data / "swf" / file, data / "swf" / f"{file}.gz"):
        if path.is_file():
            text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
            rows = list(csv.DictReader(text.splitlines()))
            missing = [name for name in columns if not rows or name not in rows[0]]
            if missing:
                raise InvalidInput(str(path), ", ".join(missing), f"a table with the columns {', '.join(columns)}")
            return rows
    notes = data / NOTES_FILE
    if not notes.is_file():
        return []
    for header, rows in _tables(notes.read_text("utf-8").splitlines()):
        if set(columns) <= set(header):
            return rows
    return []


def _tables(lines: Sequence[str]) -> Iterator[tuple[list[str], list[dict[str, str]]]]:
    """(header, rows) of every Markdown table."""
    at = 0
    while at + 1 < len(lines):
        if lines[at].startswith("|") and re.fullmatch(r"\|[\s:|-]+\|?\s*", lines[at + 1]):
            header, rows = _cells(lines[at]), []
            at += 2
            while at < len(lines) and lines[at].startswith("|"):
                rows.append(dict(zip(header, _cells(lines[at]), strict=False)))
                at += 1
            yield header, rows
        at += 1


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def number(text: str, where: str) -> float:
    """A published number; thousands may be grouped. Raises InvalidInput."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        raise InvalidInput(where, text, "a number") from None
