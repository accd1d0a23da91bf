"""The supervisor of one attempt on one machine: a small process of its own, so that the agent may die without the job.

Run as `python -I -S runner.py <folder>`; it needs the standard library alone. The folder holds `plan.json` and receives

    lock        held for life: a second runner of the same attempt exits at once; its mtime says "alive until here"
    start.json  written before anything runs: whoever finds it never starts the attempt again
    stop        written by the driver: end the attempt as cancelled
    exit.json   the record of the end, written whole or not at all
    out.log     what the job printed: head and tail, when it printed too much

Everything that the job started carries `SUANWANG_RUN_FOLDER` in its environment and descends from this process (it
adopts orphans), so that nothing outlives the attempt.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PLAN, LOCK, START, STOP, EXIT, LOG, WORK = "plan.json", "lock", "start.json", "stop", "exit.json", "out.log", "work"
MARK = "SUANWANG_RUN_FOLDER"
TICK_S = 1.0
SWEEP_GRACE_S = 2.0
SWEEP_PAUSE_S = 0.05
MAX_PIPE_READ = 64 * 1024
MAX_PIPES_FULL = 16
MAX_PIECE_OF_LINE = 16 * 1024
RECORD_RETRIES = 60

# A fault of the program itself, not a kill from outside.
OWN_FAULTS = frozenset({signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV,
                        signal.SIGPIPE, signal.SIGALRM, signal.SIGSYS, signal.SIGXCPU, signal.SIGXFSZ})  # fmt: skip
PR_SET_CHILD_SUBREAPER = 36
SHELL_SIGNAL_BASE = 128
"""A shell reports a command that died by signal n as exit code 128 + n."""


class Process(NamedTuple):
    """One line of the process table. `start_ticks` tells two processes with the same number apart."""

    parent: int
    state: str
    session: int
    start_ticks: int


class Ending(NamedTuple):
    """Why an attempt is over."""

    cause: str
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


# -- records and the process table: also used by the driver ----------------------------------------------------------


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON file so that a reader, also after a power cut, finds all of it or nothing. Raises OSError."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def take_lock(folder: Path) -> int | None:
    """The attempt's lock as an open file, or None while another process holds it. Raises OSError."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return lock


def boot_id() -> str:
    """The name of this life of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def process(pid: int) -> Process | None:
    """What the kernel says of a process; None if there is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may itself hold spaces and parentheses.
    fields = line[line.rindex(")") + 2 :].split()
    return Process(parent=int(fields[1]), state=fields[0], session=int(fields[3]), start_ticks=int(fields[19]))


def is_alive(pid: int, start_ticks: int) -> bool:
    """Whether the very process that had this number then still runs. A zombie is dead: it waits for its parent only."""
    seen = process(pid)
    return seen is not None and seen.start_ticks == start_ticks and seen.state not in "ZX"


def processes_of(folder: Path, ancestor: int | None = None) -> set[int]:
    """Every live process of an attempt: by the mark in its environment, by session and by descent.

    Descendants of `ancestor` are among them, the caller itself never is.
    """
    table = {pid: seen for pid in _pids() if (seen := process(pid)) is not None and seen.state not in "ZX"}
    mark = os.fsencode(f"{MARK}={folder}")
    own, found = os.getpid(), {pid for pid in table if _has_mark(pid, mark)}
    sessions = {table[pid].session for pid in found} - {os.getsid(0)}
    found |= {pid for pid, seen in table.items() if seen.session in sessions}
    children: dict[int, list[int]] = {}
    for pid, seen in table.items():
        children.setdefault(seen.parent, []).append(pid)
    roots = found - {own} | ({ancestor} if ancestor is not None else set())
    queue = [child for root in roots for child in children.get(root, ())]
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.add(pid)
            queue.extend(children.get(pid, ()))
    return found - {own}


def send_signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal; without one SIGUSR1 would end it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def _oom_kills() -> int:
    """How often this machine's kernel ended a process for want of memory; -1 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), -1)


# -- the log ---------------------------------------------------------------------------------------------------------


class Log:
    """An append-only file that keeps the first bytes as they come, and of what exceeds its limit only the last ones."""

    def __init__(self, path: Path, head_bytes: int, tail_bytes: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._room = head_bytes
        self._tail_bytes = tail_bytes
        self._tail = bytearray()
        self._excess = 0

    def write(self, text: bytes) -> None:
        head, rest = text[: self._room], text[self._room :]
        self._room -= len(head)
        self._append(head)
        if rest:
            self._excess += len(rest)
            self._tail += rest
            del self._tail[: -self._tail_bytes]

    def close(self) -> None:
        cut = self._excess - len(self._tail)
        if cut:
            self._append(f"\n[suanwang: {cut} bytes of output cut here]\n".encode())
        self._append(bytes(self._tail))
        os.close(self._file)

    def _append(self, text: bytes) -> None:
        # A full disk loses output, not the job.
        with contextlib.suppress(OSError):
            while text:
                text = text[os.write(self._file, text) :]


class Member:
    """One node's process of the gang and the pipe on which it prints."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], prefix: bytes) -> None:
        self.name = name
        self.process = process
        self.prefix = prefix
        self.line = b""
        self.status: int | None = None

    def take(self, text: bytes, log: Log) -> None:
        """Copy output to the log; in a gang line by line, so that the nodes' lines do not mix."""
        if not self.prefix:
            log.write(text)
            return
        *lines, self.line = (self.line + text).split(b"\n")
        log.write(b"".join(self.prefix + line + b"\n" for line in lines))
        if len(self.line) > MAX_PIECE_OF_LINE:
            self.flush(log)

    def flush(self, log: Log) -> None:
        if self.line:
            log.write(self.prefix + self.line + b"\n")
            self.line = b""


# -- supervision -----------------------------------------------------------------------------------------------------


class Supervisor:
    """Runs the steps of a plan one after the other, each on its nodes at once, and decides how the attempt ended."""

    def __init__(self, folder: Path, plan: dict[str, Any], lock: int, began: float) -> None:
        self.folder, self.plan, self.lock = folder, plan, lock
        self.ends_at = began + plan["walltime_s"]
        self.warns_at = self.ends_at - min(plan["warn_s"], plan["walltime_s"] / 2)
        self.ticks_at = 0.0
        self.warned = self.terminated = self.asked_to_stop = False
        self.oom_kills = _oom_kills()
        self.log = Log(folder / LOG, plan["log_head_bytes"], plan["log_tail_bytes"])
        self.selector = selectors.DefaultSelector()
        self.members: list[Member] = []
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(wake_read, selectors.EVENT_READ)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def run(self) -> Ending:
        ending = None
        for step in self.plan["steps"]:
            self._tick()
            ending = self._interruption(time.monotonic()) or self._run_step(step)
            if ending is not None:
                break
        self._sweep()
        self._drain()
        for member in self.members:
            member.flush(self.log)
        self.log.close()
        return ending or Ending("succeeded", 0)

    def _run_step(self, step: dict[str, Any]) -> Ending | None:
        """None if every member of the step ended well."""
        try:
            live = [self._spawn(step, node) for node in self.plan["nodes"] if step["everywhere"] or node["rank"] == 0]
        except OSError as error:
            # An argument list too long is the tenant's; no process, no memory, no shell are the centre's.
            cause = step["failure"] if error.errno == errno.E2BIG else "never_started"
            return Ending(cause, detail=f"{step['name']} could not start: {error}")
        ending: Ending | None = None
        kill_at = 0.0
        while live:
            self._wait(kill_at if ending else self.ends_at if self.warned else self.warns_at)
            self._reap()
            failed = next((member for member in live if member.status), None)
            live = [member for member in live if member.status is None]
            now = time.monotonic()
            if ending is None:
                # A member's own end comes before a request to stop that met it.
                ending = self._ending_of(step, failed) if failed else self._interruption(now) if live else None
                if ending is not None:
                    self._signal_all(signal.SIGTERM)
                    kill_at = now + self.plan["grace_s"]
            elif now >= kill_at:
                self._signal_all(signal.SIGKILL)
                kill_at = now + TICK_S
        return ending

    def _spawn(self, step: dict[str, Any], node: dict[str, Any]) -> Member:
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            popen = subprocess.Popen(
                [self.plan["shell"], str(self.folder / step["script"])],
                cwd=self.folder / WORK,
                env={**self.plan["environment"], **step["environments"][node["rank"]], MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(write)
        prefix = f"({node['name']}) ".encode() if step["everywhere"] and len(self.plan["nodes"]) > 1 else b""
        member = Member(node["name"], popen, prefix)
        os.set_blocking(read, False)
        self.selector.register(read, selectors.EVENT_READ, member)
        self.members.append(member)
        return member

    def _interruption(self, now: float) -> Ending | None:
        """A reason from outside the job to end it now, if there is one."""
        if self.asked_to_stop or (self.terminated and (self.folder / STOP).exists()):
            return Ending("cancelled", detail="stopped on request")
        if self.terminated:
            return Ending("killed", None, signal.SIGTERM, "the attempt's supervisor was told to end from outside")
        if now >= self.ends_at:
            return Ending("timed_out", detail=f"reached its walltime of {self.plan['walltime_s']} s")
        if now >= self.warns_at and not self.warned:
            self.warned = True
            send_signal({pid for pid in self._processes() if _catches(pid, signal.SIGUSR1)}, signal.SIGUSR1)
        return None

    def _ending_of(self, step: dict[str, Any], member: Member) -> Ending:
        status = member.status or 0
        code, number = (None, -status) if status < 0 else (status, None)
        where = f"{step['name']} on {member.name}"
        was_killed = number == signal.SIGKILL or code == SHELL_SIGNAL_BASE + signal.SIGKILL
        if was_killed and _oom_kills() > self.oom_kills >= 0:
            return Ending("out_of_memory", code, number, f"{where}: the kernel ended a process for want of memory")
        if number is None:
            return Ending(step["failure"], code, None, f"{where} ended with exit code {code}")
        if number in OWN_FAULTS:
            return Ending(step["failure"], None, number, f"{where} ended by its own fault, signal {number}")
        return Ending("killed", None, number, f"{where} was ended from outside by signal {number}")

    def _wait(self, until: float) -> None:
        """Copy output until something happens or the next tick."""
        for event, _ in self.selector.select(max(0.0, min(until - time.monotonic(), TICK_S))):
            self._copy(event)
        self._tick()

    def _tick(self) -> None:
        """Show life, and look for the stop mark in case the signal that goes with it was lost."""
        now = time.monotonic()
        if now >= self.ticks_at:
            self.ticks_at = now + TICK_S
            self.asked_to_stop = (self.folder / STOP).exists()
            with contextlib.suppress(OSError):
                os.utime(self.lock)

    def _copy(self, event: selectors.SelectorKey) -> bool:
        """Read once from a pipe. False once there is nothing more for now."""
        try:
            text = os.read(event.fd, MAX_PIPE_READ)
        except BlockingIOError:
            return False
        if isinstance(event.data, Member):
            event.data.take(text, self.log)
            if not text:
                self.selector.unregister(event.fd)
                os.close(event.fd)
        return bool(text)

    def _drain(self) -> None:
        """Copy what stands in the pipes now; no more than a pipe holds, for somebody may still be writing."""
        for event in list(self.selector.get_map().values()):
            for _ in range(MAX_PIPES_FULL):
                if not self._copy(event):
                    break

    def _reap(self) -> None:
        """Collect ended children; adopted orphans are among them, hence not by Popen."""
        by_pid = {member.process.pid: member for member in self.members if member.status is None}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in by_pid:
                by_pid[pid].status = by_pid[pid].process.returncode = os.waitstatus_to_exitcode(status)

    def _processes(self) -> set[int]:
        return processes_of(self.folder, ancestor=os.getpid())

    def _signal_all(self, number: int) -> None:
        send_signal(self._processes(), number)

    def _sweep(self) -> None:
        """End what the job left behind. Does not return while a process still holds the chips."""
        kill_at = time.monotonic() + min(SWEEP_GRACE_S, self.plan["grace_s"])
        self._signal_all(signal.SIGTERM)
        while left := self._processes():
            if time.monotonic() >= kill_at:
                send_signal(left, signal.SIGKILL)
            self._drain()
            self._reap()
            self._tick()
            time.sleep(SWEEP_PAUSE_S)

    def _on_term(self, *_: object) -> None:
        self.terminated = True


def start_record(started_s: int) -> dict[str, Any]:
    """What names this very process, also after the machine has started again. Raises OSError without /proc."""
    myself = process(os.getpid())
    if myself is None:
        raise OSError(errno.ENOENT, "no process table", "/proc")
    return {"pid": os.getpid(), "start_ticks": myself.start_ticks, "boot_id": boot_id(), "started_s": started_s}


def exit_record(started_s: int | None, ended_s: int, ending: Ending) -> dict[str, Any]:
    return {
        "started_s": started_s,
        "ended_s": ended_s,
        "cause": ending.cause,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "detail": ending.detail,
    }


def main(folder: Path) -> int:
    os.chdir("/")
    lock = take_lock(folder)
    if lock is None or (folder / START).exists() or (folder / EXIT).exists():
        return 0
    plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    began, began_s = time.monotonic(), time.time()
    if (folder / STOP).exists():
        never = Ending("cancelled", detail="stopped before it started")
        write_record(folder / EXIT, exit_record(None, int(began_s), never))
        return 0
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = Supervisor(folder, plan, lock, began)
    write_record(folder / START, start_record(int(began_s)))
    ending = supervisor.run()
    # Measured by the steady clock, so that a step of the wall clock does not end a job before it began.
    record = exit_record(int(began_s), int(began_s + time.monotonic() - began), ending)
    for _ in range(RECORD_RETRIES):
        try:
            write_record(folder / EXIT, record)
            return 0
        except OSError:
            time.sleep(TICK_S)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).resolve()))
