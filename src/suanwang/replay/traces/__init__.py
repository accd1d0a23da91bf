"""Readers of recorded workloads: one file a format, each from a path to the one form (`trace`)."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from suanwang.errors import InvalidInput
from suanwang.replay.traces.gavel import NEEDED as GAVEL
from suanwang.replay.traces.gavel import read_gavel
from suanwang.replay.traces.lines import read_lines
from suanwang.replay.traces.openb import NEEDED as OPENB
from suanwang.replay.traces.openb import read_openb
from suanwang.replay.traces.parquet import read_parquet
from suanwang.replay.traces.philly import NEEDED as PHILLY
from suanwang.replay.traces.philly import read_philly
from suanwang.replay.traces.swf import FIELDS, read_swf
from suanwang.replay.traces.trace import Trace

READERS: Mapping[str, Any] = MappingProxyType(
    {"swf": read_swf, "openb": read_openb, "philly": read_philly, "gavel": read_gavel, "parquet": read_parquet}
)
"""Format -> reader. Each takes `skip_bad`; what else it takes is in its signature."""
HEADERS = {"openb": OPENB, "philly": PHILLY, "gavel": GAVEL}
PARQUET_MAGIC = b"PAR1"
LOOK_BYTES = 2**16
"""Looked at to find the format."""


def read_trace(path: Path, format: str | None = None, **options: Any) -> Trace:
    """A log of whatever format. Options that its reader does not know are an error; None means not given.

    Raises InvalidInput naming file, line, column, value and what is allowed.
    """
    import inspect

    name = format or format_of(path)
    if name not in READERS:
        raise InvalidInput("format", name, f"one of {', '.join(READERS)}")
    reader = READERS[name]
    given = {option: value for option, value in options.items() if value is not None}
    known = inspect.signature(reader).parameters
    for option, value in given.items():
        if option not in known:
            raise InvalidInput(option, value, f"it means nothing for {name}")
    trace: Trace = reader(path, **given)
    return trace


def format_of(path: Path) -> str:
    """By content: Parquet by its first bytes, CSV by its header, SWF by lines of 18 numbers. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            start = file.read(len(PARQUET_MAGIC))
    except OSError as broken:
        raise InvalidInput("file", str(path), broken.strerror or "a file that can be read") from None
    if start == PARQUET_MAGIC:
        return "parquet"
    lines = read_lines(path, LOOK_BYTES).to_list()
    names = {name.strip('"') for name in lines[0].lstrip("\ufeff").split(",")}
    for name, needed in HEADERS.items():
        if names.issuperset(needed):
            return name
    if lines[0].startswith(";") or any(len(line.split()) == len(FIELDS) for line in lines[:1]):
        return "swf"
    raise InvalidInput(path.name, lines[0], f"a log of a known format; or name one: {', '.join(READERS)}")
