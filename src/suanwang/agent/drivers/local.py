"""The driver for a centre that is this machine: attempts are processes, each under a supervisor of its own, `runner`.

The folder of an attempt is its record: `start.json` says that it ran, `exit.json` how it ended. Whoever closes a
record, supervisor or driver, holds the attempt's lock. The nodes of the pools are names on this machine; chips are
counted by index, and no two live attempts share one. Limits of memory and processor time are left to the machine.
"""

import fcntl
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from suanwang.agent.config import PoolConfig
from suanwang.agent.drivers import runner, workspace
from suanwang.agent.drivers.driver import BAD_JOB, AttemptKey, LogSlice, Materials, Observation
from suanwang.agent.files import open_regular
from suanwang.agent.progress import ProgressSlice, read_progress
from suanwang.domain.job import Cause, GitWorkdir, Phase
from suanwang.errors import Conflict, Failed, InvalidInput
from suanwang.protocol import NodeReport, PoolReport, RunOrder

LAUNCH_PATIENCE_S = 30.0
LAUNCH_PAUSE_S = 0.01
KILL_PATIENCE_S = 1.0
TORN_RECORD_PATIENCE_S = 10.0
"""How long an unreadable exit record may still become whole (a slow file system) once its supervisor is gone."""
LOG_HEAD_BYTES = 64 * 2**20
LOG_TAIL_BYTES = 2**20
LOCAL_ADDRESS = "127.0.0.1"
RUNS, TRASH = "runs", "trash"

_CLONE = """git clone --quiet -- "$SUANWANG_GIT_URL" . || exit
if [ -n "$SUANWANG_GIT_REF" ]; then git checkout --quiet "$SUANWANG_GIT_REF" -- || exit; fi
"""


class LocalDriver:
    """See the module. `state_dir` holds the attempts' folders; one driver object at a time may use it."""

    name = "local"

    def __init__(
        self,
        state_dir: Path,
        centre_id: str,
        pools: tuple[PoolConfig, ...],
        *,
        grace_s: float = 10.0,
        warn_s: float = 30.0,
    ) -> None:
        state_dir = state_dir.resolve()
        self.runs, self._trash = state_dir / RUNS, state_dir / TRASH
        self._centre_id, self._pools = centre_id, {pool.id: pool for pool in pools}
        self._grace_s, self._warn_s = grace_s, warn_s
        self._shell = shutil.which("bash") or "/bin/sh"
        self._boot_id = runner.boot_id()
        self._children: dict[AttemptKey, int] = {}
        """Supervisors that this process must collect when they have ended."""
        self._ended: dict[AttemptKey, Observation] = {}
        self._choosing = threading.Lock()
        for folder in (self.runs, self._trash):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = {key: plan["chips"] for key in self._keys() if (plan := _read(self._folder(key) / runner.PLAN))}

    def probe(self) -> tuple[PoolReport, ...]:
        return tuple(
            PoolReport(
                pool_id=pool.id,
                chip_id=pool.chip_id,
                nodes=tuple(NodeReport(name=node.name, chips=node.chips, cpus=node.cpus) for node in pool.nodes),
            )
            for pool in self._pools.values()
        )

    # -- start ---------------------------------------------------------------------------------------------------

    def start(self, order: RunOrder, materials: Materials) -> None:
        key = AttemptKey(order.job_id, order.attempt)
        folder = self._folder(key)
        if _began(folder):
            return
        self._check(order)
        folder.mkdir(exist_ok=True, mode=0o700)
        with _alone(folder):
            if not _began(folder):
                self._prepare(key, folder, order, materials)
                self._launch(key, folder)

    def _prepare(self, key: AttemptKey, folder: Path, order: RunOrder, materials: Materials) -> None:
        resumed = workspace.prepare(folder, order, materials)
        (folder / "clone.sh").write_text(_CLONE)
        (folder / "setup.sh").write_text(order.setup)
        (folder / "run.sh").write_text(order.run)
        if order.image is not None:
            notice = f"[suanwang: this centre runs processes; the image {order.image} is not used]\n"
            (folder / runner.LOG).write_text(notice)
        self._plan(key, folder, order, resumed)

    def _check(self, order: RunOrder) -> None:
        """Refuse an order that can never run here. Raises InvalidInput."""
        pool = self._pools.get(order.pool_id)
        if pool is None:
            raise InvalidInput("pool_id", order.pool_id, "a pool of this centre")
        nodes = {node.name: node for node in pool.nodes}
        if not order.node_names or len(set(order.node_names)) != len(order.node_names):
            raise InvalidInput("node_names", " ".join(order.node_names), "one or more nodes, each once")
        for name in order.node_names:
            if name not in nodes:
                raise InvalidInput("node_names", name, f"a node of pool {pool.id}")
            if not 0 <= order.chips_per_node <= nodes[name].chips:
                raise InvalidInput("chips_per_node", order.chips_per_node, f"node {name} has {nodes[name].chips}")
        if isinstance(order.workdir, GitWorkdir) and (order.workdir.ref or "").startswith("-"):
            raise InvalidInput("workdir.ref", order.workdir.ref, "a branch, tag or commit", code=BAD_JOB)

    def _plan(self, key: AttemptKey, folder: Path, order: RunOrder, resumed: bool) -> None:
        """Choose chips and write the supervisor's plan. A plan once written stays: a supervisor may have read it."""
        with self._choosing:
            if (folder / runner.PLAN).exists():
                return
            chips = self._free_chips(order)
            plan = self._plan_of(folder, order, chips, resumed)
            runner.write_record(folder / runner.PLAN, plan)
            self._held[key] = plan["chips"]

    def _free_chips(self, order: RunOrder) -> list[tuple[int, ...]]:
        """The lowest free indices on every node of the order. Raises Failed while another attempt still holds them."""
        for key in [key for key in self._held if self._end(self.runs / str(key))]:
            del self._held[key]
        chosen = []
        for node in self._pools[order.pool_id].nodes:
            if node.name in order.node_names:
                place = f"{order.pool_id}/{node.name}"
                taken = {chip for held in self._held.values() for chip in held.get(place, ())}
                free = [chip for chip in range(node.chips) if chip not in taken]
                if len(free) < order.chips_per_node:
                    raise Failed(f"chips of {place} are still in use", code="CHIPS_IN_USE", free=len(free))
                chosen.append((node.name, tuple(free[: order.chips_per_node])))
        by_name = dict(chosen)
        return [by_name[name] for name in order.node_names]

    def _plan_of(self, folder: Path, order: RunOrder, chips: list[tuple[int, ...]], resumed: bool) -> dict[str, Any]:
        ips = (LOCAL_ADDRESS,) * len(order.node_names)
        ranks = range(len(order.node_names))
        environment = workspace.job_environment(order, folder, os.environ, self._centre_id, resumed)

        def step(
            name: str, failure: Cause, environments: list[dict[str, str]], everywhere: bool = True
        ) -> dict[str, Any]:
            return {
                "name": name,
                "script": f"{name}.sh",
                "failure": failure,
                "everywhere": everywhere,
                "environments": environments,
            }

        steps = []
        if isinstance(order.workdir, GitWorkdir):
            git = {
                "SUANWANG_GIT_URL": order.workdir.url,
                "SUANWANG_GIT_REF": order.workdir.ref or "",
                "GIT_TERMINAL_PROMPT": "0",
            }
            steps.append(step("clone", Cause.SETUP_FAILED, [git for _ in ranks], everywhere=False))
        stages: tuple[tuple[Literal["setup", "run"], str, Cause], ...] = (
            ("setup", order.setup, Cause.SETUP_FAILED),
            ("run", order.run, Cause.FAILED),
        )
        for stage, script, failure in stages:
            if script.strip():
                of_rank = [
                    workspace.node_environment(order, stage, rank, ips, chips[rank], self._centre_id) for rank in ranks
                ]
                steps.append(step(stage, failure, of_rank))
        return {
            "chips": {f"{order.pool_id}/{name}": chips[rank] for rank, name in enumerate(order.node_names)},
            "nodes": [{"name": name, "rank": rank} for rank, name in enumerate(order.node_names)],
            "environment": environment,
            "steps": steps,
            "shell": self._shell,
            "walltime_s": order.walltime_s,
            "grace_s": self._grace_s,
            "warn_s": self._warn_s,
            "log_head_bytes": LOG_HEAD_BYTES,
            "log_tail_bytes": LOG_TAIL_BYTES,
        }

    def _launch(self, key: AttemptKey, folder: Path) -> None:
        """Start a supervisor and wait until it has left its mark. A second one beside it would exit at once."""
        errors = folder / "runner.err"
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", runner.__file__, str(folder)],
            {"PATH": os.environ.get("PATH", os.defpath), runner.MARK: str(folder)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            ],
            setsid=True,
        )
        give_up_at = time.monotonic() + LAUNCH_PATIENCE_S
        while not _began(folder):
            status = _exit_status(child)
            if status is None and time.monotonic() > give_up_at:
                self._children[key] = child
                raise Failed("the supervisor has not started yet", code="NO_SUPERVISOR")
            if status is not None and not _began(folder):
                last = errors.read_text(errors="replace").strip().splitlines()[-1:]
                raise Failed(f"the supervisor did not start ({status}): {' '.join(last)}", code="NO_SUPERVISOR")
            time.sleep(LAUNCH_PAUSE_S)
        self._children[key] = child

    # -- observe -------------------------------------------------------------------------------------------------

    def observe(self) -> Mapping[AttemptKey, Observation]:
        for key, child in list(self._children.items()):
            if _exit_status(child) is not None:  # What it means is in the record.
                self._children.pop(key, None)
        seen = {}
        for key in self._keys():
            observation = self._ended.get(key) or self._look(self._folder(key))
            if observation is not None:
                seen[key] = observation
                if observation.phase is Phase.ENDED:
                    self._ended[key] = observation
        return seen

    def find(self, key: AttemptKey) -> Observation | None:
        folder = self._folder(key)
        if (observation := self._look(folder)) is not None:
            return observation
        if left := runner.processes_of(folder):
            return Observation(phase=Phase.UNKNOWN, detail=f"no record, but {len(left)} processes")
        return None

    def _look(self, folder: Path) -> Observation | None:
        """None for an attempt that was prepared at most."""
        if (ended := self._end(folder)) is not None:
            return ended
        start = _read(folder / runner.START)
        if start is None:
            if not (folder / runner.START).exists() and not (folder / runner.EXIT).exists():
                return None
            start = {}
        if self._lives(start):
            return Observation(phase=Phase.RUNNING, started_s=start["started_s"])
        return self._close_lost(folder, start)

    def _end(self, folder: Path) -> Observation | None:
        """None while its supervisor lives, whatever is written: a job can write the record of its own end."""
        ended = _ended_of(_read(folder / runner.EXIT))
        return None if ended is None or self._lives(_read(folder / runner.START) or {}) else ended

    def _lives(self, start: dict[str, Any]) -> bool:
        if start.get("boot_id") != self._boot_id:
            return False
        return runner.is_alive(start["pid"], start["start_ticks"])

    def _close_lost(self, folder: Path, start: dict[str, Any]) -> Observation:
        """The supervisor's process is gone: make sure of it by the lock, end what it left, and close the record."""
        started_s = start.get("started_s")
        torn_s = _age_s(folder / runner.EXIT)
        if torn_s is not None and torn_s < TORN_RECORD_PATIENCE_S:
            if (ended := _ended_of(_read(folder / runner.EXIT))) is not None:
                return ended
            return Observation(phase=Phase.UNKNOWN, started_s=started_s, detail="the exit record cannot be read")
        why = "the supervisor of the attempt is gone" if torn_s is None else "the exit record cannot be read"
        if self._close(folder, started_s, runner.Ending(Cause.NODE_FAILED, detail=why)):
            ended = _ended_of(_read(folder / runner.EXIT))
            if ended is not None:
                return ended
        return Observation(phase=Phase.UNKNOWN, started_s=started_s, detail=f"{why}; not closed yet")

    def _close(self, folder: Path, started_s: int | None, ending: runner.Ending) -> bool:
        """Write the end of an attempt in the supervisor's place. False while anything of the attempt lives."""
        alive_until_s = _changed_s(folder / runner.LOCK)
        lock = runner.take_lock(folder)
        if lock is None:
            return False
        try:
            if _ended_of(_read(folder / runner.EXIT)) is not None:
                return True
            if not _end_processes(folder):
                return False
            ended_s = int(time.time()) if started_s is None else max(started_s, alive_until_s or started_s)
            runner.write_record(folder / runner.EXIT, runner.exit_record(started_s, ended_s, ending))
            return True
        finally:
            os.close(lock)

    # -- the rest ------------------------------------------------------------------------------------------------

    def stop(self, key: AttemptKey) -> None:
        folder = self._folder(key)
        folder.mkdir(exist_ok=True, mode=0o700)
        if self._end(folder) is not None:
            return
        (folder / runner.STOP).touch(mode=0o600)
        start = _read(folder / runner.START)
        if start is None:
            # Closed before it began: a supervisor on its way finds the record, or the mark, and exits.
            self._close(folder, None, runner.Ending(Cause.CANCELLED, detail="stopped before it started"))
        elif self._lives(start):
            _terminate(start["pid"], start["start_ticks"])

    def read_log(self, key: AttemptKey, offset: int, limit: int) -> LogSlice:
        return workspace.read_log(self._folder(key), offset, limit)

    def read_progress(self, key: AttemptKey, offset: int, now_s: int) -> ProgressSlice:
        folder = self._folder(key)
        began_s = (_read(folder / runner.START) or {}).get("started_s", 0)
        return read_progress(folder / workspace.PROGRESS, offset, began_s=began_s, now_s=now_s)

    def pack_checkpoint(self, key: AttemptKey, entry: str | None, archive: Path, limit_bytes: int) -> int:
        return workspace.pack_checkpoint(self._folder(key), entry, archive, limit_bytes)

    def forget(self, key: AttemptKey) -> None:
        folder = self._folder(key)
        if folder.exists():
            if (observation := self._look(folder)) is not None and observation.phase is not Phase.ENDED:
                raise Conflict(f"attempt {key} still lives", attempt=str(key))
            # Moved first, so that a half-removed folder is never read as a record.
            folder.rename(self._trash / f"{key}.{time.time_ns()}")
        self._ended.pop(key, None)
        with self._choosing:
            self._held.pop(key, None)
        for path in self._trash.iterdir():
            shutil.rmtree(path, onerror=_permit_and_retry)

    def _folder(self, key: AttemptKey) -> Path:
        return self.runs / workspace.folder_name(key)

    def _keys(self) -> list[AttemptKey]:
        """Raises OSError if the folder of the attempts cannot be read: cannot see."""
        return [key for entry in os.scandir(self.runs) if (key := workspace.key_of(entry.name)) is not None]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One start of an attempt at a time, also of several drivers."""
    with (folder / "start.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _began(folder: Path) -> bool:
    return (folder / runner.START).exists() or (folder / runner.EXIT).exists()


def _read(path: Path) -> dict[str, Any] | None:
    """A record, or None if there is none or it is not whole."""
    try:
        with open_regular(path) as file:
            record = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _ended_of(record: dict[str, Any] | None) -> Observation | None:
    """The end that a record proves; None if it proves none."""
    try:
        return (
            None
            if record is None
            else Observation(
                phase=Phase.ENDED,
                started_s=record["started_s"],
                ended_s=int(record["ended_s"]),
                cause=Cause(record["cause"]),
                exit_code=record["exit_code"],
                signal=record["signal"],
                detail=str(record["detail"]),
            )
        )
    except (KeyError, TypeError, ValueError):
        return None


def _changed_s(path: Path) -> int | None:
    try:
        return int(path.stat().st_mtime)
    except FileNotFoundError:
        return None


def _age_s(path: Path) -> float | None:
    changed_s = _changed_s(path)
    return None if changed_s is None else time.time() - changed_s


def _end_processes(folder: Path) -> bool:
    """Kill what is left of an attempt. False if something is still there."""
    give_up_at = time.monotonic() + KILL_PATIENCE_S
    while left := runner.processes_of(folder):
        runner.send_signal(left, signal.SIGKILL)
        if time.monotonic() > give_up_at:
            return False
        time.sleep(LAUNCH_PAUSE_S)
    return True


def _exit_status(child: int) -> int | None:
    """The exit code of a child that has ended, or -1 if it is no child any more; None while it runs."""
    try:
        pid, status = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return -1
    return os.waitstatus_to_exitcode(status) if pid else None


def _terminate(pid: int, start_ticks: int) -> None:
    """SIGTERM to this very process, never to a later one with the same number."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if runner.is_alive(pid, start_ticks):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _permit_and_retry(remove: Callable[..., Any], path: str, _error: object) -> None:
    """A job may have taken away the right to write in its own folders."""
    Path(path).parent.chmod(stat.S_IRWXU)
    if remove is os.scandir or remove is os.open:
        Path(path).chmod(stat.S_IRWXU)
        shutil.rmtree(path)
    else:
        remove(path)
