"""What reading a task file finds: problems that refuse it and notices that go with it, all told at once."""

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from suanwang.errors import InvalidInput, Refused
from suanwang.wire import Notice

T = TypeVar("T")

MAX_PROBLEMS = 50
"""Reading stops here: whoever has so many mends these first."""
MAX_KEY_SHOWN = 64


class TaskRefused(Refused):
    """A task file that cannot become a job.

    `facts["problems"]` is a list of {field, code, message, allowed, value}, everything that has to be mended;
    `facts["more"]` tells that reading stopped before the end of the file.
    """

    code = "TASK_REFUSED"

    def __init__(self, problems: list[dict[str, Any]], *, more: bool = False) -> None:
        lines = [f"  {problem['message']}" for problem in problems]
        if more:
            lines.append("  and possibly more: reading stopped here")
        super().__init__("\n".join(["the task file is refused:", *lines]), problems=problems, more=more)


@dataclass(slots=True)
class Findings:
    """The problems and notices of one file, each once."""

    problems: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    notices: dict[tuple[str, str], Notice] = dataclasses.field(default_factory=dict)
    """By code and field."""

    def refuse(self, error: InvalidInput) -> None:
        """Keep a problem. Raises TaskRefused when there are too many to go on."""
        problem = {"code": error.code, "message": error.message, **error.facts}
        if problem not in self.problems:
            self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise TaskRefused(self.problems, more=True)

    def note(self, code: str, where: str, message: str, **facts: Any) -> None:
        self.notices.setdefault((code, where), Notice(code=code, field=where, message=message, facts=facts))

    def raise_if_any(self) -> None:
        if self.problems:
            raise TaskRefused(self.problems)


def path(where: str, key: object) -> str:
    """The path of a key, as people write it: `resources.any_of[1].cpus`."""
    shown = str(key)
    if len(shown) > MAX_KEY_SHOWN:
        shown = shown[: MAX_KEY_SHOWN - 1] + "…"
    return f"{where}.{shown}" if where else shown


def shown(value: object) -> object:
    """A value as it would stand in the file, for the message of a refusal."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def is_nothing(value: object) -> bool:
    """Whether a value asks for nothing, so that leaving it out changes nothing."""
    return value is None or value is False or value in ("", [], {})


def close_to(key: object, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    if not isinstance(key, str) or len(key) > MAX_KEY_SHOWN:
        return None
    return next(iter(difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.7)), None)


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping of the file. `paths` tells where each key stands: an entry of `any_of` inherits keys from outside."""

    values: dict[str, Any]
    paths: dict[str, str]
    findings: Findings

    def read(self, key: str, reader: Callable[[Any, str], T], otherwise: T) -> T:
        """The value of `key` by its reader; `otherwise` if it is absent, null, or refused by the reader."""
        value = self.values.get(key)
        if value is None:
            return otherwise
        try:
            return reader(value, self.paths[key])
        except InvalidInput as error:
            self.findings.refuse(error)
            return otherwise

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def inheriting(self, outer: "Fields") -> "Fields":
        return Fields({**outer.values, **self.values}, {**outer.paths, **self.paths}, self.findings)

    def without(self, keys: Iterable[str]) -> "Fields":
        dropped = frozenset(keys)
        return Fields(
            {key: value for key, value in self.values.items() if key not in dropped}, self.paths, self.findings
        )


def fields_of(
    value: object,
    where: str,
    findings: Findings,
    *,
    known: Iterable[str],
    refused: Mapping[str, str] | None = None,
    elsewhere: Mapping[str, str] | None = None,
) -> Fields:
    """The known keys of a mapping. Unknown and refused keys become problems.

    `refused`: key -> why it is refused unless it asks for nothing; `elsewhere`: key -> the path where it belongs.
    """
    if not isinstance(value, dict):
        findings.refuse(InvalidInput(where, shown(value), "a mapping: key: value, one on each line"))
        return Fields({}, {}, findings)
    names, reasons, places = tuple(known), refused or {}, elsewhere or {}
    for key, entry in value.items():
        if key in reasons:
            if not is_nothing(entry):
                findings.refuse(InvalidInput(path(where, key), _outline(entry), reasons[key], code="FIELD_REFUSED"))
        elif key not in names:
            findings.refuse(unknown_key(key, where, names, reasons, places))
    kept = {key: entry for key, entry in value.items() if isinstance(key, str) and key in names}
    return Fields(kept, {key: path(where, key) for key in kept}, findings)


def unknown_key(
    key: object,
    where: str,
    known: Iterable[str],
    refused: Iterable[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> InvalidInput:
    """The problem of a key that nobody knows, with the word that was probably meant."""
    names = tuple(known)
    places = elsewhere or {}
    if isinstance(key, str) and key in places:
        allowed = f"it belongs at {places[key]}"
    elif meant := close_to(key, (*names, *refused, *places)):
        allowed = f"did you mean {places.get(meant, meant)}?"
    else:
        allowed = f"known here: {', '.join(names)}"
    return InvalidInput(path(where, key), shown(key), allowed, code="UNKNOWN_FIELD")


def _outline(value: object) -> object:
    """A refused value without its content, which may be long or secret."""
    if isinstance(value, dict):
        return f"{len(value)} keys"
    return f"{len(value)} entries" if isinstance(value, list) else shown(value)
