"""A small centre for tests: one pool on this machine, orders for it, and faults behind its driver's back."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from suanwang.agent.config import AgentConfig, PoolConfig
from suanwang.agent.drivers import runner
from suanwang.agent.drivers.driver import AttemptKey
from suanwang.agent.drivers.local import LocalDriver
from suanwang.domain.centre import Node
from suanwang.protocol import RunOrder

POOLS = (PoolConfig(id="pool", chip_id="a100-sxm-80g", nodes=(Node("a1", 8, 16), Node("a2", 8, 16))),)
PATIENCE_S = 20.0


def agent_config(state_dir: Path, **changes: Any) -> AgentConfig:
    settings = {"poll_s": 0.1, "wait_s": 1, "progress_s": 0.1, "grace_s": 0.5, "warn_s": 1.0, "lost_after_s": 1.0}
    return AgentConfig(centre_id="zgc", state_dir=state_dir, driver="local", pools=POOLS, **{**settings, **changes})


def local_driver(state_dir: Path) -> LocalDriver:
    return LocalDriver(state_dir, "zgc", POOLS, grace_s=0.5, warn_s=1.0)


def run_order(job_id: str, run: str = "true", **changes: Any) -> RunOrder:
    fields: dict[str, Any] = {
        "job_id": job_id,
        "attempt": 1,
        "version": 1,
        "job_name": "test",
        "task_id": f"task-{job_id}",
        "pool_id": "pool",
        "chip_id": "a100-sxm-80g",
        "stack": "cuda",
        "node_names": ("a1",),
        "chips_per_node": 1,
        "cpus_per_node": 1,
        "memory_gib_per_node": 1.0,
        "walltime_s": 60,
        "setup": "",
        "run": run,
        "envs": {},
    }
    return RunOrder(**{**fields, **changes})


class LocalFaults:
    """How to break attempts of the local driver."""

    def __init__(self, driver: LocalDriver) -> None:
        self._runs = driver.runs

    def lose_supervisor(self, key: AttemptKey) -> None:
        os.kill(self.supervisor(key), signal.SIGKILL)

    def tear_exit_record(self, key: AttemptKey) -> None:
        (self._runs / str(key) / runner.EXIT).write_text('{"cause": "succee')

    def supervisor(self, key: AttemptKey) -> int:
        return int(json.loads((self._runs / str(key) / runner.START).read_text())["pid"])


def until(holds: Callable[[], Any], what: str = "it", patience_s: float = PATIENCE_S) -> Any:
    """What `holds` returns, once it is true. In threads and synchronous tests."""
    give_up_at = time.monotonic() + patience_s
    while not (value := holds()):
        assert time.monotonic() < give_up_at, f"{what} did not happen"
        time.sleep(0.02)
    return value
