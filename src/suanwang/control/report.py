"""What a report of an agent says of an attempt, and whether it can be right. Pure."""

from dataclasses import dataclass, replace
from uuid import UUID

from suanwang.domain.job import PHASE_RANK, Cause, Phase
from suanwang.domain.metering import Interval, new_usage
from suanwang.protocol import Checkpoint, RefusedReport, Report
from suanwang.store.attempt import AttemptRecord, Observed
from suanwang.store.report import Key

MAX_INSTANT_S = 2**40
MAX_DETAIL_LENGTH = 4_000
MAX_DELAY_S = 60
"""What a message can have been under way: so far two reports of one attempt may disagree on when it started."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An attempt as it was, and as a newer report says it is."""

    report: Report
    """On the hub's clock."""
    before: AttemptRecord
    now: AttemptRecord
    observed: Observed
    usage: Interval | None
    made_room: bool = False
    """The network told it to leave for another job, and so it did."""

    @property
    def key(self) -> Key:
        return self.observed.key


def sift(reports: tuple[Report, ...], offset_s: int, now_s: int) -> tuple[list[Report], list[RefusedReport]]:
    """Reports that can be right, on the hub's clock, and those that never can."""
    sound: list[Report] = []
    refused: list[RefusedReport] = []
    for report in reports:
        if key_of(report) is None or not _sound(report):
            refused.append(refusal_of(report, "BAD_REPORT", "times, numbers or cause contradict each other"))
        else:
            sound.append(_on_hub_clock(report, offset_s, now_s))
    return sound, refused


def _on_hub_clock(report: Report, offset_s: int, now_s: int) -> Report:
    """Corrected by the difference of the clocks; nothing lies in the future."""

    def corrected(at_s: int) -> int:
        return min(at_s + offset_s, now_s)

    saved = report.checkpoint
    return replace(
        report,
        observed_s=corrected(report.observed_s),
        started_s=None if report.started_s is None else corrected(report.started_s),
        ended_s=None if report.ended_s is None else corrected(report.ended_s),
        checkpoint=saved and replace(saved, kept_until_s=corrected(saved.kept_until_s)),
    )


def key_of(report: Report) -> Key | None:
    try:
        return UUID(report.job_id), report.attempt
    except ValueError:
        return None


def _sound(report: Report) -> bool:
    ended = report.phase is Phase.ENDED
    times = [t for t in (report.started_s, report.ended_s, report.observed_s) if t is not None]
    return (
        0 < report.attempt < 2**31
        and 0 < report.sequence < 2**31
        and all(0 < t < MAX_INSTANT_S for t in times)
        and all(number is None or abs(number) < 2**31 for number in (report.exit_code, report.signal))
        and ended == (report.cause is not None)
        and report.cause is not Cause.ABANDONED
        and ended == (report.ended_s is not None)
        and (report.started_s is not None or report.phase in (Phase.PLACED, Phase.STARTING, Phase.UNKNOWN, Phase.ENDED))
        and (report.started_s is None or report.ended_s is None or report.started_s <= report.ended_s)
        and len(report.detail) <= MAX_DETAIL_LENGTH
        and "\0" not in report.detail
        and (report.progress is None or all(name.isprintable() for name in report.progress.metrics))
        and (report.checkpoint is None or _whole(report.checkpoint))
    )


def _whole(checkpoint: Checkpoint) -> bool:
    named = checkpoint.blob_sha256 is None or (len(checkpoint.blob_sha256) == 64 and checkpoint.blob_sha256.isalnum())
    return 0 <= checkpoint.kept_until_s < MAX_INSTANT_S and 0 <= checkpoint.size_bytes < 2**62 and named


def _as_started(report: Report, started_s: int | None) -> Report:
    """Moved so that it starts as it is on record. A message that was long under way looks as if it came from another
    clock, and the start came in another message: how long an attempt took is as the centre measured it."""
    if started_s is None or report.started_s is None or abs(started_s - report.started_s) > MAX_DELAY_S:
        return report
    delay_s, saved = started_s - report.started_s, report.checkpoint
    return replace(
        report,
        observed_s=report.observed_s + delay_s,
        started_s=started_s,
        ended_s=None if report.ended_s is None else report.ended_s + delay_s,
        checkpoint=saved and replace(saved, kept_until_s=saved.kept_until_s + delay_s),
    )


def refusal_of(report: Report, code: str, detail: str) -> RefusedReport:
    return RefusedReport(
        job_id=report.job_id, attempt=report.attempt, sequence=report.sequence, code=code, detail=detail
    )


def merged(record: AttemptRecord, report: Report) -> Seen:
    """An attempt with what a newer report (on the hub's clock) adds. Facts once known stay.

    Usage is metered up to a checkpoint, and to the end. While the centre cannot see an attempt, nothing is metered:
    what it used meanwhile is metered once it is seen again, or has ended.
    """
    report = _as_started(report, record.started_s)
    started_s = record.started_s
    if started_s is None and report.started_s is not None:
        started_s = max(record.placed_s, report.started_s)
    ended_s = None
    if report.ended_s is not None:
        # A clock that jumps may not end an attempt before what is known of it.
        known_s = max(record.metered_until_s or 0, started_s or 0, record.placed_s)
        ended_s = max(known_s, report.ended_s)
    checkpoint = record.checkpoint
    if report.checkpoint is not None:
        kept_s = min(report.checkpoint.kept_until_s, ended_s or report.observed_s)
        checkpoint = replace(report.checkpoint, kept_until_s=max(kept_s, checkpoint.kept_until_s if checkpoint else 0))
    phase = report.phase if PHASE_RANK[report.phase] >= PHASE_RANK[record.phase] else record.phase
    usage = None
    if ended_s is not None:
        usage = new_usage(started_s, record.metered_until_s, ended_s)
    elif checkpoint is not None and report.phase is not Phase.UNKNOWN:
        usage = new_usage(started_s, record.metered_until_s, checkpoint.kept_until_s)
    metered_s = usage.until_s if usage else record.metered_until_s
    observed = Observed(
        (record.job_id, record.number),
        phase,
        report.cause,
        report.sequence,
        started_s,
        report.observed_s,
        ended_s,
        report.exit_code,
        report.signal,
        report.detail,
        report.progress,
        checkpoint,
        metered_s,
    )
    now = replace(
        record,
        phase=phase,
        cause=report.cause,
        sequence=report.sequence,
        started_s=started_s,
        ended_s=ended_s,
        checkpoint=checkpoint,
        metered_until_s=metered_s,
    )
    return Seen(report, record, now, observed, usage)
