"""Named queries: `sql/<noun>.sql` holds blocks that start with `-- name: <query>`."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(noun: str) -> dict[str, str]:
    """All queries of one noun by name. A name that is not there is a KeyError, seen by the first test."""
    text = (files("suanwang.store") / "sql" / f"{noun}.sql").read_text("utf-8")
    pieces = _NAME.split(text)[1:]
    return {name: body.strip() for name, body in zip(pieces[::2], pieces[1::2], strict=True)}
