"""The agent's part of a centre file.

    centre: {id: zgc, ...}
    driver: local
    pools:
      - {id: zgc-a100, chip: a100-sxm-80g, nodes: {count: 4, prefix: a, chips: 8, cpus: 64}, ...}
    agent: {state_dir: /var/lib/suanwang/zgc, poll_s: 1, keep_runs: 7d}     # all of it optional

The hub's part of the same file (names, offers) is read where a centre joins the network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanwang.domain.centre import MAX_CHIPS_PER_NODE, MAX_NODES_PER_POOL, Node
from suanwang.errors import InvalidInput
from suanwang.units import SECONDS_PER_DAY, duration_s

DEFAULT_STATE_DIR = "~/.local/state/suanwang"
MAX_CPUS_PER_NODE = 65_536
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """A pool as the agent knows it: what it may use, without terms and prices."""

    id: str
    chip_id: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What an agent needs to run. Durations in seconds."""

    centre_id: str
    state_dir: Path
    driver: str
    pools: tuple[PoolConfig, ...]
    poll_s: float = 1.0
    """Pause between two looks at the scheduler."""
    wait_s: int = 20
    """How long the hub may hold an answer while there is nothing new."""
    progress_s: float = 5.0
    """Progress alone is reported at most so often for one attempt."""
    grace_s: float = 10.0
    """From SIGTERM to SIGKILL."""
    warn_s: float = 30.0
    """SIGUSR1 so long before the walltime, to processes that listen for it."""
    start_patience_s: float = 300.0
    """An attempt that cannot be started for so long is given back as never started."""
    lost_after_s: float = 60.0
    """An attempt that no source knows for so long is given up."""
    keep_runs_s: int = 7 * SECONDS_PER_DAY
    """Folders of ended attempts are kept for logs and checkpoints."""


_SECONDS = {
    "poll_s": 0.1,
    "wait_s": 0,
    "progress_s": 0.1,
    "grace_s": 0.1,
    "warn_s": 0,
    "start_patience_s": 1,
    "lost_after_s": 0,
}
"""Settings of the section `agent` that are plain seconds, and their least values."""


def read_agent_config(centre_file: Mapping[str, Any], *, state_dir: Path | None = None) -> AgentConfig:
    """The agent's part of a parsed centre file. `state_dir` wins over the file's. Raises InvalidInput."""
    centre_id = _id("centre.id", _mapping("centre", centre_file.get("centre")).get("id"))
    driver = centre_file.get("driver", "local")
    if not isinstance(driver, str) or not driver:
        raise InvalidInput("driver", driver, "the name of a driver, like local or slurm")
    lines = centre_file.get("pools")
    if not isinstance(lines, list) or not lines:
        raise InvalidInput("pools", lines, "a list of one or more pools")
    pools = tuple(_pool(f"pools[{i}]", line) for i, line in enumerate(lines))
    ids = [pool.id for pool in pools]
    if len(set(ids)) != len(ids):
        raise InvalidInput("pools", " ".join(ids), "every pool has an id of its own")
    settings = _mapping("agent", centre_file.get("agent") or {})
    place = state_dir or Path(_text("agent.state_dir", settings.get("state_dir", f"{DEFAULT_STATE_DIR}/{centre_id}")))
    return AgentConfig(
        centre_id=centre_id, state_dir=place.expanduser(), driver=driver, pools=pools, **_durations(settings)
    )


def read_nodes(where: str, value: object) -> tuple[Node, ...]:
    """Nodes as a centre file writes them: a list of `{name, chips, cpus}`, or `{count, prefix, chips, cpus}`.

    The second form makes names of the prefix and numbers from 1. Raises InvalidInput naming the field under `where`.
    """
    if isinstance(value, Mapping):
        count = _whole(f"{where}.count", value.get("count"), 1, MAX_NODES_PER_POOL)
        prefix = _id(f"{where}.prefix", value.get("prefix", "node"))
        return tuple(_node(where, value, f"{prefix}{number}") for number in range(1, count + 1))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_NODES_PER_POOL:
        raise InvalidInput(where, value, "a list of nodes, or count, prefix, chips and cpus")
    nodes = []
    for i, entry in enumerate(value):
        line = _mapping(f"{where}[{i}]", entry)
        nodes.append(_node(f"{where}[{i}]", line, _id(f"{where}[{i}].name", line.get("name"))))
    names = [node.name for node in nodes]
    if len(set(names)) != len(names):
        raise InvalidInput(where, " ".join(names), "node names are unique within a pool")
    return tuple(nodes)


def _node(where: str, line: Mapping[str, Any], name: str) -> Node:
    chips = _whole(f"{where}.chips", line.get("chips"), 1, MAX_CHIPS_PER_NODE)
    return Node(name, chips, _whole(f"{where}.cpus", line.get("cpus", 1), 1, MAX_CPUS_PER_NODE))


def _pool(where: str, value: object) -> PoolConfig:
    line = _mapping(where, value)
    return PoolConfig(
        id=_id(f"{where}.id", line.get("id")),
        chip_id=_id(f"{where}.chip", line.get("chip")),
        nodes=read_nodes(f"{where}.nodes", line.get("nodes")),
    )


def _durations(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        where = f"agent.{name}"
        if name == "keep_runs":
            found["keep_runs_s"] = duration_s(str(value), where)
        elif name in _SECONDS:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not _SECONDS[name] <= value <= 10**6:
                raise InvalidInput(where, value, f"seconds, {_SECONDS[name]} or more")
            found[name] = int(value) if name == "wait_s" else float(value)
        elif name != "state_dir":
            raise InvalidInput(where, value, f"state_dir, keep_runs, {', '.join(_SECONDS)}")
    return found


def _mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(where, value, "a mapping")
    return value


def _text(where: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(where, value, "a text")
    return value


def _id(where: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidInput(where, value, "letters, digits, dots, hyphens and underscores, at most 63")
    return value


def _whole(where: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(where, value, f"{least} to {most}")
    return value
