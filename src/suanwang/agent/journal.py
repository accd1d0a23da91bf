"""The agent's memory on disk: one SQLite file that survives `kill -9` and power cuts.

It holds the agent's name, the version of the last order taken, and a row for each attempt with its newest report.
Orders are stored before the version moves on, an intent before the driver acts on it. Rows of attempts that were
cleaned up stay as a few numbers, so that an order which comes again does not run again.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import msgspec

from suanwang.agent.attempt import Attempt, Wanted, ordered
from suanwang.agent.drivers.driver import AttemptKey
from suanwang.agent.progress import CheckpointMark
from suanwang.domain.job import Cause
from suanwang.errors import Conflict, Failed
from suanwang.protocol import Report, RunOrder, StopOrder

FILE_NAME = "journal.sqlite"
LAYOUT = 1

_SCHEMA = """
create table if not exists memory (name text primary key, value text not null);
create table if not exists attempt (
    job_id text not null, attempt integer not null,
    wanted text not null check (wanted in ('run', 'stop')),
    run_order text, begun_s integer, confirmed integer not null, gave_up text, why text not null,
    report text, sequence integer not null, taken integer not null, progress_offset integer not null, mark text,
    forgotten integer not null default 0,
    primary key (job_id, attempt)
);
create index if not exists attempt_live on attempt (forgotten) where not forgotten;
"""
_SELECT = """
select
    job_id, attempt, wanted, begun_s, confirmed, gave_up, why, report, sequence, taken, progress_offset, mark, run_order
from attempt """
_INSERT = """
insert into attempt (
    wanted, begun_s, confirmed, gave_up, why, report, sequence, taken, progress_offset, mark, job_id, attempt, run_order
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE = """
update attempt
set wanted = ?, begun_s = ?, confirmed = ?, gave_up = ?, why = ?, report = ?, sequence = ?, taken = ?,
    progress_offset = ?, mark = ?, forgotten = 0
where job_id = ? and attempt = ?"""


class Journal:
    """One process at a time may hold it. Calls come from threads, one after the other."""

    def __init__(self, folder: Path) -> None:
        """Raises Conflict while another agent holds the journal, Failed if it is of another release."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self._path, timeout=0.5, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: no shared memory, hence also on network file systems; and no second agent.
            self._db.execute("pragma locking_mode = exclusive")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            with self._transaction():
                layout = self._db.execute("pragma user_version").fetchone()[0]
                if layout not in (0, LAYOUT):
                    raise Failed(f"{self._path} was written by another release", code="JOURNAL_LAYOUT", layout=layout)
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"pragma user_version = {LAYOUT}")
                self._db.execute(
                    "insert or ignore into memory values ('agent_id', ?), ('version', '0')", (str(uuid4()),)
                )
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                raise Conflict(f"another agent works with {folder}", code="AGENT_RUNS", folder=str(folder)) from error
            raise
        except Failed:
            self._db.close()
            raise
        self.agent_id = self._remembered("agent_id")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._db.close()

    @property
    def version(self) -> int:
        """Of the last order taken."""
        return int(self._remembered("version"))

    def load(self) -> list[Attempt]:
        """All attempts that were not cleaned up."""
        with self._lock:
            return [_attempt(row) for row in self._db.execute(_SELECT + "where not forgotten")]

    def save(self, attempts: Iterable[Attempt]) -> None:
        """Write attempts, new ones too, in one transaction."""
        rows = list(attempts)
        if rows:
            with self._lock, self._transaction():
                self._write(rows)

    def take(
        self, attempts: Iterable[Attempt], orders: Iterable[RunOrder | StopOrder], version: int
    ) -> dict[AttemptKey, Attempt]:
        """Write attempts, then the orders, then the version, in one transaction. Returns what the orders changed."""
        changed: dict[AttemptKey, Attempt] = {}
        with self._lock, self._transaction():
            self._write(attempts)
            for order in orders:
                key = AttemptKey(order.job_id, order.attempt)
                known = changed.get(key) or self._find(key)
                after = ordered(known, order, self._newest(order.job_id))
                if after != known:
                    changed[key] = after
                    self._write([after])
            self._db.execute("update memory set value = ? where name = 'version'", (str(version),))
        return changed

    def forget(self, keys: Iterable[AttemptKey]) -> None:
        """After the clean-up of ended attempts: keep the end, drop the order, which may hold secrets."""
        with self._lock, self._transaction():
            self._db.executemany(
                "update attempt set forgotten = 1, run_order = null where job_id = ? and attempt = ?", list(keys)
            )

    def _write(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            values = (*_values(attempt), *attempt.key)
            if self._db.execute(_UPDATE, values).rowcount == 0:
                self._db.execute(_INSERT, (*values, _json(attempt.order)))

    def _find(self, key: AttemptKey) -> Attempt | None:
        row = self._db.execute(_SELECT + "where job_id = ? and attempt = ?", key).fetchone()
        return _attempt(row) if row else None

    def _newest(self, job_id: str) -> int:
        row = self._db.execute("select coalesce(max(attempt), 0) from attempt where job_id = ?", (job_id,)).fetchone()
        return int(row[0])

    def _remembered(self, name: str) -> str:
        with self._lock:
            value: str = self._db.execute("select value from memory where name = ?", (name,)).fetchone()[0]
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


def _values(attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.wanted,
        attempt.begun_s,
        attempt.confirmed,
        attempt.gave_up,
        attempt.why,
        _json(attempt.report),
        attempt.sequence,
        attempt.taken,
        attempt.progress_offset,
        _json(attempt.mark),
    )


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _attempt(row: tuple[Any, ...]) -> Attempt:
    job_id, number, wanted, begun_s, confirmed, gave_up, why, report, sequence, taken, offset, mark, order = row
    return Attempt(
        key=AttemptKey(job_id, number),
        wanted=Wanted(wanted),
        order=order and msgspec.json.decode(order, type=RunOrder),
        begun_s=begun_s,
        confirmed=bool(confirmed),
        gave_up=gave_up and Cause(gave_up),
        why=why,
        report=report and msgspec.json.decode(report, type=Report),
        sequence=sequence,
        taken=taken,
        progress_offset=offset,
        mark=mark and msgspec.json.decode(mark, type=CheckpointMark),
    )
