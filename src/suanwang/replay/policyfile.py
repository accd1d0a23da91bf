"""A policy by name, or as a YAML file of the fields of `Policy`: {order: sjf, reservation_depth: 4}."""

from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.centrefile import mapping, read_whole
from suanwang.domain.scheduling.policy import CONSERVATIVE, EASY, STRICT_FIFO, MultiFactor, Policy, Preemption
from suanwang.errors import InvalidInput

MAX_BYTES = 2**16
POLICIES = MappingProxyType(
    {
        "fifo": Policy(order="fcfs", reservation_depth=STRICT_FIFO, outlook=False),
        "easy": Policy(order="fcfs", reservation_depth=EASY, outlook=False),
        "conservative": Policy(order="fcfs", reservation_depth=CONSERVATIVE, outlook=False),
        "sjf": Policy(order="sjf", reservation_depth=EASY, outlook=False),
        "priority": Policy(order="priority", reservation_depth=EASY, outlook=False),
    }
)
"""First come, first served without and with backfilling, every job with a reservation, shortest first, by priority."""
DEFAULT_POLICY = "easy"
_PARTS: MappingProxyType[str, type[Any]] = MappingProxyType({"factors": MultiFactor, "preemption": Preemption})
_NOT_IN_A_REPLAY = ("outlook", "quote_ahead", "typical")
_FIELDS = tuple(field.name for field in fields(Policy) if field.name not in _NOT_IN_A_REPLAY)


def choose_policy(
    named: str | None = None, *, order: str | None = None, depth: int | None = None, placement: str | None = None
) -> tuple[str, Policy]:
    """A name for it and the policy: a known name or a file, changed by what else is said. Raises InvalidInput."""
    name = named or DEFAULT_POLICY
    policy = POLICIES[name] if name in POLICIES else _read(Path(name))
    said = {"order": order, "reservation_depth": depth, "placement": placement}
    changes: dict[str, Any] = {field: value for field, value in said.items() if value is not None}
    return (Path(name).stem if name not in POLICIES else name), replace(policy, **changes)


def _read(path: Path) -> Policy:
    if not path.is_file():
        raise InvalidInput("policy", str(path), f"a YAML file, or one of {', '.join(POLICIES)}")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InvalidInput("policy", str(path), f"a YAML file that can be read ({broken})") from None
    file = mapping("policy", load_yaml(text, max_bytes=MAX_BYTES))
    for key, value in file.items():
        if key not in _FIELDS:
            raise InvalidInput(str(key), value, f"known here: {', '.join(_FIELDS)}")
    if "reservation_depth" in file:
        read_whole("reservation_depth", file["reservation_depth"], 0, CONSERVATIVE)
    parts = {name: _part(name, kind, file[name]) for name, kind in _PARTS.items() if name in file}
    return Policy(**{"order": "fcfs", "outlook": False, **file, **parts})


def _part(name: str, kind: type[Any], value: object) -> Any:
    """A field that has fields of its own."""
    known = {field.name: field.type for field in fields(kind)}
    for key, number in mapping(name, value).items():
        if key not in known:
            raise InvalidInput(f"{name}.{key}", number, f"known here: {', '.join(known)}")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InvalidInput(f"{name}.{key}", number, "a number")
        if known[key] in (int, "int") and not isinstance(number, int):
            raise InvalidInput(f"{name}.{key}", number, "a whole number")
    return kind(**mapping(name, value))
