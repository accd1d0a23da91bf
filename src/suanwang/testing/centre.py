"""A centre that is not there: it speaks the agent's protocol, runs nothing, and keeps virtual time.

For tests and benchmarks of the hub. What it gets is the hub's real orders; what it sends are real reports.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

from suanwang.domain.job import Cause, Phase
from suanwang.protocol import (
    MAX_REPORTS_PER_SYNC,
    Checkpoint,
    Report,
    RunOrder,
    StopOrder,
    SyncReply,
    SyncRequest,
)

Key = tuple[str, int]


@dataclass(slots=True)
class Running:
    """One attempt at the fake centre."""

    order: RunOrder
    started_s: int
    ends_s: int
    cause: Cause
    sequence: int = 0
    ended: bool = False
    checkpoint: Checkpoint | None = None


@dataclass(slots=True)
class FakeCentre:
    """`run_s` says how long an order runs and how it ends; by default every job succeeds after half its walltime."""

    centre_id: str
    agent_id: str = "fake"
    version: int = 0
    run_s: Callable[[RunOrder], tuple[int, Cause]] = field(
        default=lambda order: (max(1, order.walltime_s // 2), Cause.SUCCEEDED)
    )
    attempts: dict[Key, Running] = field(default_factory=dict)
    outbox: dict[Key, Report] = field(default_factory=dict)
    starts: list[Key] = field(default_factory=list)
    """Every start, in order: a key that stands here twice was started twice."""
    refused: list[str] = field(default_factory=list)

    def request(self, now_s: int, *, wait_s: int = 0) -> SyncRequest:
        """What the agent would say now. Nothing is forgotten until `take` has seen the answer."""
        return SyncRequest(
            agent_id=self.agent_id,
            version=self.version,
            now_s=now_s,
            unchanged_s=now_s,
            wait_s=wait_s,
            reports=tuple(islice(self.outbox.values(), MAX_REPORTS_PER_SYNC)),
            driver="fake",
        )

    def take(self, sent: SyncRequest, reply: SyncReply, now_s: int) -> None:
        """Obey the hub's answer to a request."""
        for report in sent.reports:
            key = (report.job_id, report.attempt)
            if self.outbox.get(key) == report:
                del self.outbox[key]
        self.refused += [refusal.code for refusal in reply.refused]
        for order in reply.orders:
            if isinstance(order, StopOrder):
                self._stop(order, now_s)
            elif (order.job_id, order.attempt) not in self.attempts:
                self._start(order, now_s)
        self.version = reply.version

    def _stop(self, order: StopOrder, now_s: int) -> None:
        """What was never begun is closed, as an agent does."""
        key = (order.job_id, order.attempt)
        if key in self.attempts:
            self.end(key, now_s, Cause.CANCELLED)
        else:
            self.outbox[key] = Report(
                job_id=order.job_id,
                attempt=order.attempt,
                sequence=1,
                phase=Phase.ENDED,
                observed_s=now_s,
                ended_s=now_s,
                cause=Cause.CANCELLED,
            )

    def _start(self, order: RunOrder, now_s: int) -> None:
        key = (order.job_id, order.attempt)
        lasts_s, cause = self.run_s(order)
        self.attempts[key] = Running(order, now_s, now_s + lasts_s, cause)
        self.starts.append(key)
        self._report(key, Phase.RUNNING, now_s)

    def advance(self, now_s: int) -> None:
        """Let time pass: what has run its time ends."""
        for key, running in list(self.attempts.items()):
            if not running.ended and running.ends_s <= now_s:
                self.end(key, running.ends_s, running.cause)

    def end(self, key: Key, at_s: int, cause: Cause) -> None:
        """An attempt ends for this cause; one that is not known or has ended stays as it is."""
        running = self.attempts.get(key)
        if running is None or running.ended:
            return
        running.ended = True
        self._report(key, Phase.ENDED, at_s, ended_s=at_s, cause=cause)

    def save(self, key: Key, step: int, at_s: int) -> None:
        """An attempt writes a checkpoint that can travel."""
        running = self.attempts[key]
        running.checkpoint = Checkpoint(step=step, kept_until_s=at_s, size_bytes=1, blob_sha256=f"{step:064x}")
        self._report(key, Phase.RUNNING, at_s)

    def _report(
        self, key: Key, phase: Phase, at_s: int, ended_s: int | None = None, cause: Cause | None = None
    ) -> None:
        running = self.attempts[key]
        running.sequence += 1
        report = Report(
            job_id=key[0],
            attempt=key[1],
            sequence=running.sequence,
            phase=phase,
            observed_s=at_s,
            started_s=running.started_s,
            checkpoint=running.checkpoint,
        )
        if cause is not None:
            report = replace(report, ended_s=ended_s, cause=cause, exit_code=0 if cause is Cause.SUCCEEDED else 1)
        self.outbox[key] = report

    @property
    def live(self) -> list[Key]:
        return [key for key, running in self.attempts.items() if not running.ended]
