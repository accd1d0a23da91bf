"""From what an agent saw to usage intervals, and from usage to what is billed.

Observations come late, twice and out of order. Of one attempt only three instants matter, and each only ever grows more
certain: when it started, until when it was seen running, when it ended. New usage is what lies between the last metered
instant and the newest one, so applying an observation again adds nothing.
"""

from dataclasses import dataclass

from suanwang.domain.job import CENTRE_CAUSES, Cause


@dataclass(frozen=True, slots=True)
class Interval:
    """[from_s, until_s): the chips of an attempt were taken for this time."""

    from_s: int
    until_s: int

    @property
    def length_s(self) -> int:
        return self.until_s - self.from_s


@dataclass(frozen=True, slots=True)
class BillableInterval:
    """A piece of usage on one charge line. Lost work (`kept` false) is a line of nothing that says so."""

    interval: Interval
    kept: bool


def new_usage(started_s: int | None, metered_until_s: int | None, seen_until_s: int | None) -> Interval | None:
    """Usage that is not metered yet, if any."""
    if started_s is None or seen_until_s is None:
        return None
    from_s = started_s if metered_until_s is None else max(started_s, metered_until_s)
    return Interval(from_s, seen_until_s) if seen_until_s > from_s else None


def billable(
    *,
    started_s: int | None,
    charged_until_s: int | None,
    metered_until_s: int | None,
    kept_until_s: int | None,
    cause: Cause | None,
    bills_lost_work: bool,
    walltime_s: int,
) -> tuple[BillableInterval, ...]:
    """What can be put on charge lines now.

    A running attempt (`cause` None) is billed up to its last checkpoint, because work up to there survives whatever
    happens. An ended one is billed to its end, unless the centre ended it: then the work after the last checkpoint is
    lost, and by default nobody pays for it. Seconds beyond the walltime (a job that is slow to die) are never billed,
    so a charge always fits into the job's hold.
    """
    if started_s is None or metered_until_s is None:
        return ()
    from_s = started_s if charged_until_s is None else charged_until_s
    kept_s = min(metered_until_s, max(from_s, kept_until_s or from_s))
    if cause is not None and (bills_lost_work or cause not in CENTRE_CAUSES):
        kept_s = metered_until_s
    kept_s = min(kept_s, max(from_s, started_s + walltime_s))
    lines = []
    if kept_s > from_s:
        lines.append(BillableInterval(Interval(from_s, kept_s), kept=True))
    if cause is not None and metered_until_s > kept_s:
        lines.append(BillableInterval(Interval(kept_s, metered_until_s), kept=False))
    return tuple(lines)
