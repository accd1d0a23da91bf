"""The agent's part of a centre file.

    centre: {id: zgc, ...}
    driver: local
    pools:
      - {id: zgc-a100, chip: a100-sxm-80g, nodes: {count: 4, prefix: a, chips: 8, cpus: 64}, ...}
    agent: {state_dir: /var/lib/suanwang/zgc, poll_s: 1, keep_runs: 7d}     # all of it optional

The hub's part of the same file (names, offers) is read in `suanwang.centrefile`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanwang.centrefile import mapping, read_driver, read_id, read_nodes, read_pool_lines, read_text
from suanwang.domain.centre import Node
from suanwang.errors import InvalidInput
from suanwang.units import SECONDS_PER_DAY, duration_s

DEFAULT_STATE_DIR = "~/.local/state/suanwang"


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
    centre_id = read_id("centre.id", mapping("centre", centre_file.get("centre")).get("id"))
    pools = tuple(_pool(where, line) for where, line in read_pool_lines(centre_file))
    settings = mapping("agent", centre_file.get("agent") or {})
    place = state_dir or Path(
        read_text("agent.state_dir", settings.get("state_dir", f"{DEFAULT_STATE_DIR}/{centre_id}"))
    )
    return AgentConfig(
        centre_id=centre_id,
        state_dir=place.expanduser(),
        driver=read_driver(centre_file),
        pools=pools,
        **_durations(settings),
    )


def _pool(where: str, line: Mapping[str, Any]) -> PoolConfig:
    return PoolConfig(
        id=read_id(f"{where}.id", line.get("id")),
        chip_id=read_id(f"{where}.chip", line.get("chip")),
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
