"""CSV cells that a spreadsheet shows and never runs."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

_RUN = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def text_cell(text: str) -> str:
    """A text that others wrote: one that a spreadsheet would run begins with an apostrophe."""
    return f"'{text}" if text.lstrip().startswith(_RUN) else text


def cell(value: object) -> str:
    """A number stays one, also a negative one."""
    return text_cell(value) if isinstance(value, str) else str(value)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """A header and one line per row; a column that a row does not have is empty."""
    written = StringIO()
    writer = csv.DictWriter(written, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()
