"""A policy by name, or as a YAML file of the fields of `Policy`: {order: sjf, reservation_depth: 4}."""

from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from suanwang.domain.scheduling.policy import CONSERVATIVE, EASY, STRICT_FIFO, Policy
from suanwang.errors import InvalidInput
from suanwang.policyfile import in_file, read_policy_fields

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
_NOT_IN_A_REPLAY = ("outlook", "quote_ahead", "typical")
_FIELDS = tuple(field.name for field in fields(Policy) if field.name not in _NOT_IN_A_REPLAY)


def choose_policy(
    named: str | None = None, *, order: str | None = None, depth: int | None = None, placement: str | None = None
) -> tuple[str, Policy]:
    """A name for it and the policy: a known name or a file, changed by what else is said. Raises InvalidInput."""
    name = named or DEFAULT_POLICY
    policy = POLICIES[name] if name in POLICIES else _read(Path(name))
    refuse_unplayable(order, placement)
    said = {"order": order, "reservation_depth": depth, "placement": placement}
    changes: dict[str, Any] = {field: value for field, value in said.items() if value is not None}
    return (Path(name).stem if name not in POLICIES else name), replace(policy, **changes)


def refuse_unplayable(order: object = None, placement: object = None) -> None:
    """Raises InvalidInput for what needs more than a log says."""
    if order == "given":
        raise InvalidInput("order", order, "another order: no log has scores; in Python, CountedRun takes them")
    if placement == "fgd":
        allowed = "another placement: a log does not say which jobs are typical; `suanwang reproduce openb` plays it"
        raise InvalidInput("placement", placement, allowed)


def _read(path: Path) -> Policy:
    with in_file(path):
        said = read_policy_fields(path, _FIELDS, f"a YAML file, or one of {', '.join(POLICIES)}")
        refuse_unplayable(said.get("order"), said.get("placement"))
        return Policy(**{"order": "fcfs", "outlook": False, **said})
