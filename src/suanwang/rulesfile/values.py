"""Single values of rules and cases: what they must be, and the refusal that names the path where they are not."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from suanwang.errors import InvalidInput
from suanwang.units import BASIS_POINTS

MAX_FEN = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""
MAX_TEXT_LENGTH = 500
FIRST_YEAR, LAST_YEAR = 1970, 2999
MAX_MONTHS = 1_200
MAX_YEARS = 100
MAX_DAYS = 36_600
MAX_LIST_LENGTH = 1_000

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PUBLISHED = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")

Read = Callable[[Any, str], Any]
"""Checks one value found at a path and gives it its type. Raises InvalidInput naming the path."""
Key = tuple[Read, bool]
"""How a key is read, and whether null means something of its own (no limit); else null is "not said"."""
Block = Mapping[str, Key]
E = TypeVar("E", bound=StrEnum)


def at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def refuse_unknown(raw: Mapping[Any, Any], keys: Mapping[str, Any] | Sequence[str], path: str) -> None:
    for key in raw:
        if key not in keys:
            raise InvalidInput(at(path, str(key)), key, f"keys of the model: {', '.join(keys)}")


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(path, value, "a mapping")
    return value


def sequence(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_LIST_LENGTH:
        raise InvalidInput(path, value, f"a list of at most {MAX_LIST_LENGTH} entries")
    return value


def short_text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_LENGTH or not value.isprintable():
        raise InvalidInput(path, value, f"1 to {MAX_TEXT_LENGTH} printable characters")
    return value


def note(value: Any, path: str) -> str:
    """Text that may be empty."""
    return "" if value == "" else short_text(value, path)


def slug(value: Any, path: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidInput(path, value, "letters, digits, dot, dash and underscore, at most 100")
    return value


def version(value: Any, path: str) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else short_text(value, path)


def currency(value: Any, path: str) -> str:
    if value != "CNY":
        raise InvalidInput(path, value, "CNY: amounts are in fen")
    return "CNY"


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(path, value, "true or false")
    return value


def whole(least: int, most: int, what: str) -> Read:
    def read(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidInput(path, value, f"a whole number of {what} from {least} to {most}")
        return value

    return read


def quantity(value: Any, path: str) -> int | float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise InvalidInput(path, value, "a number of 0 or more")
    return value


def day(value: Any, path: str) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise InvalidInput(path, value, "a day of the calendar") from None
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            return day
    raise InvalidInput(path, value, f"a day YYYY-MM-DD from {FIRST_YEAR} to {LAST_YEAR}")


def published(value: Any, path: str) -> str:
    shown = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(shown, str) or not _PUBLISHED.fullmatch(shown):
        raise InvalidInput(path, value, "YYYY, YYYY-MM or YYYY-MM-DD")
    return shown


def choice(kind: type[E]) -> Read:
    def read(value: Any, path: str) -> E:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        raise InvalidInput(path, value, f"one of {', '.join(kind)}")

    return read


def list_of(read_entry: Read, least: int = 0) -> Read:
    def read(value: Any, path: str) -> tuple[Any, ...]:
        entries = sequence(value, path)
        if len(entries) < least:
            raise InvalidInput(path, value, f"at least {least}")
        return tuple(read_entry(entry, f"{path}[{i}]") for i, entry in enumerate(entries))

    return read


def word_of(known: tuple[str, ...]) -> Read:
    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise InvalidInput(path, value, f"one of {', '.join(known)}")
        return value

    return read


def word_or_words(read_entry: Read) -> Read:
    read_all = list_of(read_entry)

    def read(value: Any, path: str) -> tuple[str, ...]:
        return (read_entry(value, path),) if isinstance(value, str) else read_all(value, path)

    return read


def entry_of(kind: Callable[..., Any], schema: Block, required: tuple[str, ...] = ()) -> Read:
    def read(value: Any, path: str) -> Any:
        partial = typed(mapping(value, path), schema, path)
        for key in required:
            if partial.get(key) is None:
                raise InvalidInput(at(path, key), None, "this key is needed")
        return kind(**partial)

    return read


def typed(raw: Mapping[str, Any], schema: Block, path: str) -> dict[str, Any]:
    """Typed values of the keys that are there."""
    refuse_unknown(raw, schema, path)
    read: dict[str, Any] = {}
    for key, value in raw.items():
        reader, nullable = schema[key]
        if value is not None:
            read[key] = reader(value, at(path, key))
        elif nullable:
            read[key] = None
    return read


words = list_of(short_text)
fen = whole(0, MAX_FEN, "fen")
bp = whole(0, BASIS_POINTS, "basis points")
months = whole(1, MAX_MONTHS, "months")
years = whole(0, MAX_YEARS, "years")
