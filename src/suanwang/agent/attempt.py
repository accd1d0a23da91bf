"""What the agent knows of one attempt, and how what it sees and is told changes that. Pure: values in, values out."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from suanwang.agent.drivers.driver import AttemptKey, Observation
from suanwang.agent.progress import CheckpointMark, ProgressSlice
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import Checkpoint, Progress, Report, RunOrder, StopOrder

MAX_DETAIL_LENGTH = 1_000
REPORTS_PER_SECOND = 10
"""More than an agent can send of one attempt for long."""
NEEDS_NO_CHECKPOINT = frozenset({Cause.SUCCEEDED, Cause.CANCELLED})
"""Ends after which no other attempt resumes."""


class Wanted(StrEnum):
    RUN = "run"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row of the journal. `report` is the newest one and says everything; it is unsent while `taken` is behind."""

    key: AttemptKey
    wanted: Wanted
    order: RunOrder | None = None
    """None for an attempt that was only found, or only ordered to stop."""
    begun_s: int | None = None
    """The intent to start it was written down at this instant; before, the driver was never asked to."""
    confirmed: bool = False
    """The driver has shown it."""
    gave_up: Cause | None = None
    """It could not be started; it ends with this cause once the driver confirms that it does not exist."""
    why: str = ""
    report: Report | None = None
    sequence: int = 0
    taken: int = 0
    progress_offset: int = 0
    progress: Progress | None = None
    """The newest that was read; a report that says something else carries it along."""
    mark: CheckpointMark | None = None
    """The newest checkpoint that has not been reported with its upload yet."""

    @property
    def ended(self) -> bool:
        return self.report is not None and self.report.phase is Phase.ENDED

    @property
    def unsent(self) -> bool:
        return self.report is not None and self.sequence > self.taken


def ordered(known: Attempt | None, order: RunOrder | StopOrder, newest: int) -> Attempt:
    """The attempt after an order. `newest`: the highest attempt number of the job on record.

    Orders may come again and late: a stop is never taken back, an older attempt than the newest never runs, and an
    order for an attempt that is over is answered by its last report. What another journal reported on is looked for and
    never started, and its reports are numbered on.
    """
    wanted = Wanted.RUN if isinstance(order, RunOrder) and order.attempt >= newest else Wanted.STOP
    reported = order.reported if isinstance(order, RunOrder) else 0
    if known is None:
        return Attempt(
            key=AttemptKey(order.job_id, order.attempt),
            wanted=wanted,
            order=order if isinstance(order, RunOrder) else None,
            confirmed=reported > 0,
            sequence=reported,
            taken=reported,
        )
    if known.sequence < reported:
        known = replace(known, confirmed=True, sequence=reported, taken=reported)
    if known.ended:
        return known if known.unsent else told_again(known)
    return replace(known, wanted=Wanted.STOP if Wanted.STOP in (wanted, known.wanted) else Wanted.RUN)


def told(attempt: Attempt, now_s: int, **changes: Any) -> Attempt:
    """The attempt with a newer report, if `changes` differ from what was reported; nothing follows an end."""
    before = attempt.report
    if attempt.ended:
        return attempt
    if before is None:
        before = Report(
            job_id=attempt.key.job_id,
            attempt=attempt.key.attempt,
            sequence=attempt.sequence,
            phase=Phase.PLACED,
            observed_s=now_s,
        )
    after = replace(before, **changes)
    if after == attempt.report:
        return attempt
    sequence = attempt.sequence + 1
    after = replace(after, sequence=sequence, observed_s=now_s, progress=attempt.progress or before.progress)
    return replace(attempt, sequence=sequence, report=after)


def told_again(attempt: Attempt) -> Attempt:
    if attempt.report is None:
        return attempt
    sequence = attempt.sequence + 1
    return replace(attempt, sequence=sequence, report=replace(attempt.report, sequence=sequence))


def begun(attempt: Attempt, now_s: int) -> Attempt:
    """With the intent to start it."""
    if attempt.begun_s is None:
        attempt = replace(attempt, begun_s=now_s)
    return told(attempt, now_s, phase=Phase.STARTING)


def noted(attempt: Attempt, seen: Observation, now_s: int) -> Attempt:
    """The attempt after the driver showed it. Facts once known stay known."""
    if attempt.begun_s is None and not attempt.confirmed:
        attempt = _numbered_on(attempt, seen, now_s)
    cause, detail = seen.cause, seen.detail
    if attempt.gave_up is not None and cause is Cause.CANCELLED and seen.started_s is None:
        cause, detail = attempt.gave_up, attempt.why
    before = attempt.report
    started_s = before.started_s if before is not None and before.started_s is not None else seen.started_s
    after = told(
        attempt,
        max(now_s, started_s or 0),
        phase=seen.phase,
        started_s=started_s,
        ended_s=seen.ended_s if started_s is None or seen.ended_s is None else max(seen.ended_s, started_s),
        cause=cause,
        exit_code=seen.exit_code,
        signal=seen.signal,
        detail=detail[:MAX_DETAIL_LENGTH],
    )
    return replace(after, confirmed=True, mark=None if after.ended else after.mark)


def _numbered_on(attempt: Attempt, seen: Observation, now_s: int) -> Attempt:
    """For an attempt that a lost journal began: its reports go on above every number that can have been used."""
    age_s = 0 if seen.started_s is None else max(0, now_s - seen.started_s)
    sequence = REPORTS_PER_SECOND * (age_s + 1)
    return replace(attempt, sequence=sequence, taken=sequence)


def closed(attempt: Attempt, now_s: int, detail: str) -> Attempt:
    """The attempt's end when nobody knows it any more, or it was never begun."""
    lost = Cause.NODE_FAILED if attempt.wanted is Wanted.RUN else Cause.CANCELLED
    before = attempt.report
    # No longer than it was last seen: time that nobody saw is billed to nobody.
    seen_s = now_s
    if before is not None and before.started_s is not None:
        seen_s = before.observed_s
    elif attempt.order is not None and attempt.order.reported_s is not None:
        seen_s = attempt.order.reported_s
    return replace(
        told(
            attempt,
            now_s,
            phase=Phase.ENDED,
            ended_s=seen_s,
            cause=attempt.gave_up or lost,
            detail=(attempt.why or detail)[:MAX_DETAIL_LENGTH],
        ),
        mark=None,
    )


def progressed(attempt: Attempt, read: ProgressSlice, now_s: int, progress_s: float) -> Attempt:
    """The attempt after its progress file was read; progress alone is reported at most every `progress_s`."""
    after = replace(
        attempt,
        progress_offset=read.offset,
        progress=read.progress or attempt.progress,
        mark=read.checkpoint or attempt.mark,
    )
    before = attempt.report
    if before is None or after.progress in (None, before.progress) or now_s - before.observed_s < progress_s:
        return after
    return told(after, now_s, progress=after.progress)


def kept(attempt: Attempt, mark: CheckpointMark, checkpoint: Checkpoint | None, now_s: int, final: bool) -> Attempt:
    """The attempt after a checkpoint was uploaded, or not. `final`: there is no use in trying its upload again."""
    after = attempt if checkpoint is None else told(attempt, now_s, checkpoint=checkpoint)
    return replace(after, mark=None) if final and after.mark == mark else after
