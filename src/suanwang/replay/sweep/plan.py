"""Which runs a sweep has: every policy with every choice of parameters, on the log and on its resampled likes.

    policies: [easy, sjf, deep.yaml]
    seeds: 0..9
    set: {load: [0.8, 0.9, 1.0], reservation_depth: [1, 8]}

The order of the runs is that of policies, then parameters, then seeds; a run's number is its place in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from suanwang.boundedyaml import load_yaml
from suanwang.centrefile import mapping
from suanwang.domain.scheduling.policy import CONSERVATIVE, Policy
from suanwang.errors import InvalidInput
from suanwang.replay.policyfile import choose_policy, refuse_unplayable

MAX_BYTES = 2**16
MOST_RUNS = 100_000
MOST_SEED = 2**32
FILE_FIELDS = ("policies", "seeds", "set")
POLICY_FIELDS = ("order", "backfill", "reservation_depth", "reserve_ahead", "placement")
STUDY_FIELDS = ("load", "chips", "pace", "exact")
"""load and chips: as the options of a replay; pace: jobs come so many times as fast; exact: as the option."""
Value = str | int | float | bool
Values = tuple[tuple[str, Value], ...]
_SEEDS = re.compile(r"(\d{1,10})(?:\.\.(\d{1,10}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One replay. `seed` None: the log as it was recorded."""

    number: int
    policy_name: str
    policy: Policy
    values: Values
    seed: int | None

    def shown(self) -> dict[str, Any]:
        """What tells it from the others, for programs and people."""
        return {"run": self.number, "policy": self.policy_name, "set": dict(self.values), "seed": self.seed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What a sweep goes through."""

    policies: tuple[tuple[str, Policy], ...]
    values: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    seeds: tuple[int, ...] = ()

    def runs(self) -> tuple[Run, ...]:
        """Raises InvalidInput: too many, or values that a policy cannot have."""
        sizes = [len(self.policies), len(self.seeds) or 1, *(len(values) for _name, values in self.values)]
        total = 1
        for size in sizes:
            total *= size
        if total > MOST_RUNS:
            raise InvalidInput("runs", total, f"at most {MOST_RUNS} in one sweep")
        names = [name for name, _values in self.values]
        found = []
        for (name, policy), chosen in product(self.policies, product(*(values for _name, values in self.values))):
            values = tuple(zip(names, chosen, strict=True))
            changes: dict[str, Any] = {field: value for field, value in values if field in POLICY_FIELDS}
            refuse_unplayable(changes.get("order"), changes.get("placement"))
            changed = replace(policy, **changes)
            found += [(name, changed, values, seed) for seed in self.seeds or (None,)]
        return tuple(
            Run(number=number, policy_name=name, policy=policy, values=values, seed=seed)
            for number, (name, policy, values, seed) in enumerate(found)
        )

    def described(self) -> dict[str, Any]:
        """In plain values, for the folder of results."""
        return {
            "policies": [{"name": name, **asdict(policy)} for name, policy in self.policies],
            "set": {name: list(values) for name, values in self.values},
            "seeds": list(self.seeds),
        }


def read_grid(
    path: Path | None, *, policies: Sequence[str] = (), seeds: Sequence[str] = (), values: Sequence[str] = ()
) -> Grid:
    """A file, and options that go before what it says. Raises InvalidInput naming the field."""
    file = _file(path) if path is not None else {}
    folder = path.parent if path is not None else Path()
    named = list(policies) or [_beside(folder, str(name)) for name in _list("policies", file.get("policies", ["easy"]))]
    chosen = tuple(choose_policy(name) for name in named)
    _distinct("policies", [name for name, _policy in chosen])
    said = list(seeds) or [str(seed) for seed in _list("seeds", file.get("seeds", []))]
    numbers = tuple(seed for text in said for part in text.split(",") for seed in _seeds(part.strip()))
    _distinct("seeds", numbers)
    given = mapping("set", file.get("set", {}))
    fields: dict[str, Sequence[Any]] = {str(name): _list(f"set.{name}", given[name]) for name in given}
    fields |= dict(map(_named, values))
    return Grid(
        policies=chosen,
        values=tuple((name, tuple(_value(name, one) for one in listed)) for name, listed in fields.items()),
        seeds=numbers,
    )


def _file(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise InvalidInput("plan", str(path), f"a YAML file that can be read ({broken})") from None
    file = mapping("plan", load_yaml(text, max_bytes=MAX_BYTES))
    for key, value in file.items():
        if key not in FILE_FIELDS:
            raise InvalidInput(str(key), value, f"known here: {', '.join(FILE_FIELDS)}")
    return file


def _beside(folder: Path, name: str) -> str:
    """A policy's file lies beside the plan."""
    return str(folder / name) if (folder / name).is_file() else name


def _list(field: str, value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) for one in found):
        raise InvalidInput(field, value, "one value, or a list of values")
    return found


def _distinct(field: str, found: Sequence[object]) -> None:
    if len(set(found)) != len(found):
        raise InvalidInput(field, ", ".join(map(str, found)), "every one once, with a name of its own")


def _seeds(text: str) -> range:
    """`3` or `0..9`, both ends included."""
    found = _SEEDS.fullmatch(text)
    if found is None:
        raise InvalidInput("seeds", text, "whole numbers, or from and to like 0..9")
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last < MOST_SEED or last - first >= MOST_RUNS:
        raise InvalidInput("seeds", text, f"from the lower to the higher, below {MOST_SEED}, at most {MOST_RUNS}")
    return range(first, last + 1)


def _named(text: str) -> tuple[str, list[str]]:
    """`load=0.8,0.9`."""
    name, sign, values = text.partition("=")
    if not sign or not values.strip():
        raise InvalidInput("set", text, "NAME=VALUE,VALUE,...")
    return name.strip(), [value.strip() for value in values.split(",")]


def _value(name: str, given: Any) -> Value:
    """A value of a field in the type of the field. Raises InvalidInput."""
    if name in ("load", "pace"):
        return _number(name, given)
    if name == "exact":
        if str(given).lower() not in ("true", "false"):
            raise InvalidInput(name, given, "true or false")
        return str(given).lower() == "true"
    least = {"reservation_depth": 0, "reserve_ahead": 1, "chips": 1}
    if name in least:
        if not re.fullmatch(r"\d{1,10}", str(given)) or not least[name] <= int(given) <= CONSERVATIVE:
            raise InvalidInput(name, given, f"a whole number from {least[name]} to {CONSERVATIVE}")
        return int(given)
    if name in POLICY_FIELDS:
        return str(given)
    raise InvalidInput("set", name, f"one of {', '.join((*STUDY_FIELDS, *POLICY_FIELDS))}")


def _number(name: str, given: Any) -> float:
    try:
        number = float(given)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 10:
        raise InvalidInput(name, given, "a number from 0.01 to 10")
    return number
