"""What a driver is: a translator between the agent and one scheduler. `suanwang.testing.driver` judges it.

The methods may block: the agent calls them in threads, several at once, `observe` one at a time. "Cannot see" is an
exception (Failed, OSError), never an empty answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from suanwang.agent.progress import ProgressSlice
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import PoolReport, RunOrder

BAD_JOB = "BAD_JOB"
"""Code of a refusal to start what could run at no centre."""


class AttemptKey(NamedTuple):
    """One attempt of one job."""

    job_id: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.job_id}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a scheduler says of one attempt. An ended one has a cause and `ended_s`; times are in whole seconds."""

    phase: Phase
    started_s: int | None = None
    ended_s: int | None = None
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """Files that an attempt starts from, fetched by the agent: archives of its working directory and checkpoint."""

    workdir: Path | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Part of a log. `size` is its whole length so far; `text` in UTF-8 is as long as the bytes it stands for."""

    offset: int
    size: int
    text: str


class Driver(Protocol):
    """See `local` for the simplest one. A driver object may be made anew at any time: it finds its attempts again."""

    @property
    def name(self) -> str: ...

    def probe(self) -> tuple[PoolReport, ...]:
        """The nodes behind the centre's pools."""
        ...

    def start(self, order: RunOrder, materials: Materials) -> None:
        """Make an attempt exist; once it returns, `observe` shows it.

        It may be called again for the same attempt, also after a crash half-way and after the attempt ended: the
        attempt runs at most once. A driver whose scheduler cannot promise that looks first, by every source it has,
        and raises Failed while in doubt. Raises Refused for an order that can never run here (code BAD_ARCHIVE: by the
        tenant's fault), Failed or OSError for what may pass.
        """
        ...

    def observe(self) -> Mapping[AttemptKey, Observation]:
        """Everything that the scheduler knows of our attempts, ended ones too until they are forgotten."""
        ...

    def find(self, key: AttemptKey) -> Observation | None:
        """Ask a second source for an attempt that `observe` does not show. None: not known there either."""
        ...

    def stop(self, key: AttemptKey) -> None:
        """Ask for the end of an attempt, and keep it from starting later. `observe` shows when it has ended."""
        ...

    def read_log(self, key: AttemptKey, offset: int, limit: int) -> LogSlice:
        """At most `limit` bytes of the log from `offset` on; empty if there is no log."""
        ...

    def read_progress(self, key: AttemptKey, offset: int, now_s: int) -> ProgressSlice:
        """New lines of the job's progress file."""
        ...

    def pack_checkpoint(self, key: AttemptKey, entry: str | None, archive: Path, limit_bytes: int) -> int:
        """Pack the checkpoint folder, or one entry of it, into a tar.gz; returns the size of its files in bytes.

        Raises archive.TooLarge, archive.Changed, Refused, OSError.
        """
        ...

    def forget(self, key: AttemptKey) -> None:
        """Clean up after an attempt that has ended. Forgetting an unknown one is no error."""
        ...
