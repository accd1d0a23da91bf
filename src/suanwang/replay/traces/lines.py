"""Text of logs -> typed columns, at the speed of columns; a bad cell is named by file, line, column and value."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from suanwang.errors import InvalidInput
from suanwang.replay.traces.trace import MOST

MAX_BYTES = 2**32
"""Of the text, unpacked."""
GZIP_MAGIC = b"\x1f\x8b"
FIRST_BYTES = 4_096
"""In which a binary file shows itself."""
LINE = "line"
REST = "rest"
"""What a line has beyond its columns."""


@dataclass(frozen=True, slots=True)
class Number:
    """A column of whole numbers; decimals are rounded down."""

    name: str
    least: int = -1
    most: int = MOST
    empty: bool = False
    """Whether the cell may be empty."""

    @property
    def allowed(self) -> str:
        return f"a number from {self.least} to {self.most}"

    def values(self) -> pl.Expr:
        """The number, or null if it is none that is allowed."""
        number = pl.col(self.name).cast(pl.Float64, strict=False)
        return pl.when(number.is_between(self.least, self.most)).then(number.floor().cast(pl.Int64, strict=False))


@dataclass(frozen=True, slots=True)
class Text:
    """A column of texts."""

    name: str
    empty: bool = False

    @property
    def allowed(self) -> str:
        return "a text"

    def values(self) -> pl.Expr:
        return pl.when(pl.col(self.name) != "").then(pl.col(self.name))


@dataclass(frozen=True, slots=True)
class Instant:
    """A column of dates and times of UTC, as Unix seconds."""

    name: str
    empty: bool = False

    @property
    def allowed(self) -> str:
        return "a date and time like 2017-10-09 07:01:55"

    def values(self) -> pl.Expr:
        moment = pl.col(self.name).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
        return moment.dt.epoch("s")


Column = Number | Text | Instant


def read_lines(path: Path, most_bytes: int | None = None) -> pl.Series:
    """The lines of a file, plain or packed by gzip, without blanks at their ends; or those of its first bytes.

    Raises InvalidInput.
    """
    content = read_bytes(path, most_bytes)
    if b"\0" in content[:FIRST_BYTES]:
        raise InvalidInput(path.name, "a binary file", "a log of lines of text")
    text = content.decode("utf-8", errors="replace")
    if not text.strip():
        raise InvalidInput(path.name, "an empty file", "a log with at least one job")
    return pl.Series("text", text.split("\n")).str.strip_chars()


def read_bytes(path: Path, most_bytes: int | None = None) -> bytes:
    """Raises InvalidInput: not there, packed badly, cut off, too large."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1 if most_bytes is None else most_bytes)
    except EOFError:
        raise InvalidInput(path.name, "a gzip file that is cut off", "the whole file") from None
    except (gzip.BadGzipFile, zlib.error) as broken:
        raise InvalidInput(path.name, str(broken), "a gzip file that unpacks") from None
    except OSError as broken:
        raise InvalidInput("file", str(path), broken.strerror or "a file that can be read") from None
    if len(content) > MAX_BYTES:
        raise InvalidInput(path.name, f"more than {MAX_BYTES} bytes", f"at most {MAX_BYTES} bytes unpacked")
    return content


def read_header(path: Path, lines: pl.Series, needed: Sequence[str]) -> list[str]:
    """The names of the columns of comma-separated values, from the first line. Raises InvalidInput."""
    names = [name.strip('"') for name in str(lines[0]).lstrip("\ufeff").split(",")]
    missing = [name for name in needed if name not in names]
    if missing:
        raise InvalidInput(f"{path.name}, line 1", ",".join(names), f"a header with {', '.join(missing)}")
    return names


def cells(lines: pl.Series, names: Sequence[str], separator: str, first_line: int = 1) -> pl.DataFrame:
    """Lines that are not blank, cut at the separator: texts, null where there is no cell or an empty one; `line`."""
    numbered = lines.rename("text").to_frame().with_row_index(LINE, offset=first_line)
    cut = pl.col("text").str.splitn(separator, len(names) + 1).struct.rename_fields([*names, REST])
    return numbered.filter(pl.col("text") != "").select(LINE, cut.alias("cell")).unnest("cell")


def typed(
    path: Path, table: pl.DataFrame, columns: Sequence[Column], *, skip_bad: bool = False
) -> tuple[pl.DataFrame, int]:
    """The columns with their types, and how many rows were passed over.

    Raises InvalidInput naming file, line and column of the first bad cell, unless bad rows are to be skipped.
    """
    values = table.select(LINE, *(column.values().alias(column.name) for column in columns))
    bad = _bad_rows(table, values, columns)
    count = int(bad.sum())
    if count and not skip_bad:
        raise _complaint(path, table, values, columns, int(bad.arg_max() or 0))
    if count == len(table):
        raise InvalidInput(path.name, f"{count} rows, all of them bad", "a log with at least one good row")
    return (values.filter(~bad) if count else values), count


def _bad_rows(table: pl.DataFrame, values: pl.DataFrame, columns: Sequence[Column]) -> pl.Series:
    """Which rows have a cell that is not allowed, or too many cells."""
    bad = table[REST].is_not_null()
    for column in columns:
        missing = values[column.name].is_null()
        if missing.any():
            bad |= missing & (table[column.name] != "").fill_null(value=False) if column.empty else missing
    return bad


def _complaint(
    path: Path, table: pl.DataFrame, values: pl.DataFrame, columns: Sequence[Column], row: int
) -> InvalidInput:
    written = table.row(row, named=True)
    where = f"{path.name}, line {written[LINE]}"
    for column in columns:
        if values[row, column.name] is None and not (column.empty and not written[column.name]):
            return InvalidInput(f"{where}, column {column.name}", written[column.name], column.allowed)
    width = len(table.columns) - 2
    return InvalidInput(f"{where}, column {width + 1}", written[REST], f"{width} columns")
