"""A policy as a YAML file of the fields of `Policy`: {order: sjf, reservation_depth: 4}."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from msgspec import ValidationError, convert

from suanwang.boundedyaml import load_yaml
from suanwang.centrefile import mapping, read_whole
from suanwang.domain.scheduling.policy import CONSERVATIVE, MultiFactor, Order, Policy, Preemption
from suanwang.domain.scheduling.quotas import QuotaTree
from suanwang.errors import InvalidInput

MAX_BYTES = 2**16
PARTS: MappingProxyType[str, type[Any]] = MappingProxyType({"factors": MultiFactor, "preemption": Preemption})
"""Fields that have fields of their own."""
WHOLE_NUMBERS = ("reservation_depth", "reserve_ahead", "quote_ahead", "usage_half_life_s")
HUB_FIELDS = (
    *("order", "backfill", "reservation_depth", "reserve_ahead", "placement", "quote_ahead", "preemption", "tenants"),
)
HUB_ORDERS: tuple[Order, ...] = ("fcfs", "sjf", "priority", "wfp3", "unicef")
"""A hub knows of no deadlines and scores, and keeps no usage of tenants for the orders by fair share."""


def read_hub_policy(path: Path | None, otherwise: Policy) -> Policy:
    """What a hub decides by: `otherwise`, changed by what the file says. Raises InvalidInput naming the field."""
    with in_file(path):
        said = {} if path is None else read_policy_fields(path, HUB_FIELDS, "a YAML file")
        order = said.get("order", otherwise.order)
        if order not in HUB_ORDERS:
            raise InvalidInput("order", order, f"one of {', '.join(HUB_ORDERS)}")
        if said.get("placement") == "fgd":
            raise InvalidInput("placement", "fgd", "another placement: a hub has no typical jobs to measure by")
        return replace(otherwise, **said)


@contextmanager
def in_file(path: Path | None) -> Iterator[None]:
    """What is wrong with a field is told with the name of the file: there may be several."""
    try:
        yield
    except InvalidInput as no:
        facts = no.facts
        if path is None or facts["field"] == "policy":
            raise
        raise InvalidInput(f"{path.name}: {facts['field']}", facts["value"], facts["allowed"], code=no.code) from None


def read_policy_fields(path: Path, known: Collection[str], allowed: str) -> dict[str, Any]:
    """The fields that a file gives. `allowed`: what is told if there is no such file. Raises InvalidInput."""
    if not path.is_file():
        raise InvalidInput("policy", str(path), allowed)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InvalidInput("policy", str(path), f"a YAML file that can be read ({broken})") from None
    file = mapping("policy", load_yaml(text, max_bytes=MAX_BYTES))
    for key, value in file.items():
        if key not in known:
            raise InvalidInput(str(key), value, f"known here: {', '.join(known)}")
    for name in WHOLE_NUMBERS:
        if name in file:
            read_whole(name, file[name], 0, CONSERVATIVE)
    parts = {name: _part(name, kind, file[name]) for name, kind in PARTS.items() if name in file}
    if "tenants" in file:
        parts["tenants"] = _rows("tenants", QuotaTree, file["tenants"])
    return {**file, **parts}


def _rows(name: str, kind: type[Any], value: object) -> Any:
    """A data class whose fields are plain, or tuples of other data classes."""
    known = {field.name: hint for field, hint in zip(fields(kind), get_type_hints(kind).values(), strict=True)}
    given = mapping(name, value)
    for key, item in given.items():
        if key not in known:
            raise InvalidInput(f"{name}.{key}", item, f"known here: {', '.join(known)}")
    made: dict[str, Any] = {}
    for key, item in given.items():
        inner, field = get_args(known[key]), f"{name}.{key}"
        if inner and is_dataclass(inner[0]):
            if not isinstance(item, list):
                raise InvalidInput(field, item, "a list")
            row: Any = inner[0]
            made[key] = tuple(_rows(f"{field}[{at}]", row, one) for at, one in enumerate(item))
            continue
        try:
            made[key] = convert(item, known[key])
        except ValidationError as no:
            raise InvalidInput(field, item, str(no)) from None
    missing = [field.name for field in fields(kind) if field.default is MISSING and field.name not in made]
    if missing:
        raise InvalidInput(f"{name}.{missing[0]}", None, "a value")
    return kind(**made)


def _part(name: str, kind: type[Any], value: object) -> Any:
    known = {field.name: field.type for field in fields(kind)}
    for key, number in mapping(name, value).items():
        if key not in known:
            raise InvalidInput(f"{name}.{key}", number, f"known here: {', '.join(known)}")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidInput(f"{name}.{key}", number, "a number")
        if known[key] in (int, "int") and not isinstance(number, int):
            raise InvalidInput(f"{name}.{key}", number, "a whole number")
    return kind(**mapping(name, value))
