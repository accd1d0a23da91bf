"""A centre's agent reports what it sees and asks what should be. Each report is applied once, in any order."""

import logging
from dataclasses import dataclass, replace
from uuid import UUID

from suanwang.control import meter, preempt
from suanwang.control.inventory import differences
from suanwang.control.recover import changed, recover
from suanwang.control.report import MAX_INSTANT_S, Seen, key_of, merged, refusal_of, sift
from suanwang.domain import job as job_rules
from suanwang.domain.centre import Catalogue
from suanwang.domain.job import ENDED_STATES, Cause, JobSpec, JobState, JobStep, Phase
from suanwang.domain.tenant import Actor, require_centre
from suanwang.errors import Conflict, InvalidInput
from suanwang.protocol import (
    MAX_REPORTS_PER_SYNC,
    PROTOCOL_VERSION,
    Checkpoint,
    PoolReport,
    RefusedReport,
    Report,
    RunOrder,
    StopOrder,
    SyncRequest,
)
from suanwang.store import attempt as attempts
from suanwang.store import centre, event
from suanwang.store import job as jobs
from suanwang.store import report as reports
from suanwang.store.attempt import AttemptRecord
from suanwang.store.db import WHOLE_TRANSACTION_FAILS, Connection, Database, Row, from_json
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord, StateChange
from suanwang.store.posting import check_now
from suanwang.store.report import Key

log = logging.getLogger("suanwang.hub")
ENDS_OF_A_STOP = frozenset({Cause.CANCELLED, Cause.PREEMPTED})
"""How an attempt ends that was told to stop. An end of its own, be it in the same second, stays what it is."""
MAX_NAME_LENGTH = 200
MAX_CAUSE_LENGTH = 500
ONE_AGENT_FOR_S = 30
"""A new journal takes over a centre only when the old one has been silent for so long."""
MAX_CLOCK_DIFFERENCE_S = 2
"""A centre's clock that differs by more is corrected by the difference, so that no report is lost to a wrong clock."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a sync. `news`: whether the brain has something to think about."""

    refused: tuple[RefusedReport, ...]
    news: bool


async def take_reports(
    db: Database, catalogue: Catalogue, actor: Actor, centre_id: str, request: SyncRequest, now_s: int
) -> Taken:
    """Apply what an agent saw: states, usage, charges, ends, recoveries, all in one transaction.

    A report that cannot be applied (the book refuses its charge, a bug) leaves no trace of its own and does not touch
    the others. It is kept, told as `report_failed`, shown by the proofs, and tried again at the centre's next sync.

    Raises NotAllowed if the token speaks for another centre, InvalidInput for a message that cannot be.
    """
    require_centre(actor, centre_id)
    _check(request)
    offset_s = now_s - request.now_s
    if abs(offset_s) <= MAX_CLOCK_DIFFERENCE_S:
        offset_s = 0
    async with db.transaction() as tx:
        news = await _greet(tx, actor, centre_id, request, offset_s, now_s)
        await event.append(tx, now_s, actor.token_id, news)
        sound, refused = sift(request.reports, offset_s, now_s)
        kept = await reports.kept(tx, centre_id)
        late: list[Report] = []
        seen, records = await _judge(tx, centre_id, [*kept, *sound], refused, late)
        await _note_over(tx, actor, late, now_s)
        told, failed = await _apply_all(tx, catalogue, actor, seen, records, now_s)
        await _keep_failed(tx, actor, failed, now_s)
        await _drop_kept(tx, actor, kept, failed, now_s)
    return Taken(tuple(refused), told or bool(news))


def _check(request: SyncRequest) -> None:
    if request.protocol != PROTOCOL_VERSION:
        raise InvalidInput(
            "protocol", request.protocol, f"this hub speaks version {PROTOCOL_VERSION}; upgrade the older side"
        )
    for name, value in (("now_s", request.now_s), ("version", request.version), ("unchanged_s", request.unchanged_s)):
        if value is not None and not 0 <= value < MAX_INSTANT_S:
            raise InvalidInput(name, value, f"0 or more, below {MAX_INSTANT_S}")
    for name, text in (("agent_id", request.agent_id), ("release", request.agent_release), ("driver", request.driver)):
        if len(text) > MAX_NAME_LENGTH or not text.isprintable():
            raise InvalidInput(name, text, f"at most {MAX_NAME_LENGTH} printable characters")
    if len(request.reports) > MAX_REPORTS_PER_SYNC:
        raise InvalidInput(
            "reports", len(request.reports), f"at most {MAX_REPORTS_PER_SYNC} in one sync; send the rest next"
        )


async def _greet(
    tx: Connection, actor: Actor, centre_id: str, request: SyncRequest, offset_s: int, now_s: int
) -> list[NewEvent]:
    unchanged_s = None if request.unchanged_s is None else min(request.unchanged_s + offset_s, now_s)
    before = await centre.record_contact(
        tx, centre_id, request.agent_id, now_s, unchanged_s, request.agent_release, request.driver
    )
    news = [NewEvent("centre_seen", centre_id=centre_id)] if before.was_unseen and before.lost_s is None else []
    if before.lost_s is not None and (before.seen_s or 0) <= before.lost_s < now_s:
        # It is told what to stop, and gets nothing new before somebody takes it up again.
        news.append(NewEvent("lost_centre_heard", centre_id=centre_id))
    if before.agent_id not in (None, request.agent_id):
        if before.seen_s is not None and now_s - before.seen_s < ONE_AGENT_FOR_S:
            # Two agents with a journal each would start every job twice.
            raise Conflict(
                f"another agent speaks for {centre_id}; stop it, or wait {ONE_AGENT_FOR_S} s after its last word",
                code="ANOTHER_AGENT",
                centre=centre_id,
            )
        body = {"before": before.agent_id, "now": request.agent_id}
        news.append(NewEvent("agent_replaced", centre_id=centre_id, body=body))
    if request.inventory is not None:
        news += await _compare(tx, centre_id, request.inventory)
    return news


async def _compare(tx: Connection, centre_id: str, inventory: tuple[PoolReport, ...]) -> list[NewEvent]:
    """Keep what the agent finds; told if it differs from the offer in another way than before."""
    pools = await centre.pools(tx, centre_id)
    before = differences(pools, (await centre.centre(tx, centre_id)).inventory)
    await centre.set_inventory(tx, centre_id, inventory)
    now = differences(pools, inventory)
    if now == before:
        return []
    kind = "inventory_differs" if now else "inventory_agrees"
    return [NewEvent(kind, centre_id=centre_id, body={"differences": now})]


async def _judge(
    tx: Connection, centre_id: str, found: list[Report], refused: list[RefusedReport], late: list[Report]
) -> tuple[list[Seen], dict[UUID, JobRecord]]:
    """The newest report of each attempt that adds something; what is not of this centre goes to `refused`, what comes
    after the network gave the attempt up to `late` as well.

    The jobs and attempts of the reports are locked; their jobs are returned too.
    """
    newest: dict[Key, Report] = {}
    for report in found:
        key = key_of(report)
        if key is not None and (key not in newest or newest[key].sequence < report.sequence):
            newest[key] = report
    job_records = await jobs.lock(tx, sorted({job_id for job_id, _ in newest}))
    known = await attempts.lock(tx, sorted(newest))
    stopped = [key for key, report in newest.items() if report.cause in ENDS_OF_A_STOP]
    made_room = await preempt.who_was_told(tx, stopped) if stopped else set()
    seen: list[Seen] = []
    for key, report in newest.items():
        record = known.get(key)
        if record is None or key[0] not in job_records:
            refused.append(refusal_of(report, "UNKNOWN_ATTEMPT", "the hub placed no such attempt"))
        elif record.centre_id != centre_id:
            refused.append(refusal_of(report, "OTHER_CENTRE", "this attempt was placed at another centre"))
        elif record.cause is Cause.ABANDONED:
            refused.append(refusal_of(report, "STALE_ATTEMPT", "the network gave this attempt up; stop it"))
            late.append(report)
        elif record.phase is not Phase.ENDED and report.sequence > record.sequence:
            seen.append(_after_leaving(record, report) if key in made_room else merged(record, report))
    return seen, job_records


def _after_leaving(record: AttemptRecord, report: Report) -> Seen:
    """The end of an attempt that the network told to leave: for its agent it was cancelled as any other."""
    return replace(merged(record, replace(report, cause=Cause.PREEMPTED)), made_room=True)


async def _note_over(tx: Connection, actor: Actor, late: list[Report], now_s: int) -> None:
    """What is said of abandoned attempts changes nothing but this: that they do not run any more."""
    over = {(UUID(report.job_id), report.attempt): report for report in late if report.phase is Phase.ENDED}
    if over:
        news = [
            NewEvent(
                "abandoned_attempt_over",
                str(key[0]),
                key[1],
                actor.centre_id,
                {"cause": over[key].cause, "started_s": over[key].started_s, "ended_s": over[key].ended_s},
            )
            for key in await attempts.mark_over(tx, list(over), now_s)
        ]
        await event.append(tx, now_s, actor.token_id, news)


@dataclass(frozen=True, slots=True)
class _NotApplied:
    """A report and what went wrong, in one line."""

    seen: Seen
    cause: str


async def _apply_all(
    tx: Connection,
    catalogue: Catalogue,
    actor: Actor,
    seen: list[Seen],
    records: dict[UUID, JobRecord],
    now_s: int,
) -> tuple[bool, list[_NotApplied]]:
    """All together, because that is quick; if that fails, each for itself. Returns whether there is news."""
    if not seen:
        return False, []
    try:
        return await _apply_whole(tx, catalogue, actor, seen, records, now_s), []
    except WHOLE_TRANSACTION_FAILS:
        raise
    except Exception as error:  # one of them cannot be applied: which, is found below
        log.warning("%d reports of %s cannot be applied together: %s", len(seen), actor.centre_id, _shown(error))
    told, failed = False, []
    for one in sorted(seen, key=lambda one: one.key):
        try:
            told |= await _apply_whole(tx, catalogue, actor, [one], records, now_s)
        except WHOLE_TRANSACTION_FAILS:
            raise
        except Exception as error:  # whatever it is, it is this attempt's own trouble
            log.exception("a report of attempt %d of job %s is not applied", one.key[1], one.key[0])
            failed.append(_NotApplied(one, _shown(error)))
    return told, failed


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\0", "")[:MAX_CAUSE_LENGTH]


async def _apply_whole(
    tx: Connection,
    catalogue: Catalogue,
    actor: Actor,
    seen: list[Seen],
    records: dict[UUID, JobRecord],
    now_s: int,
) -> bool:
    """All of these or none, as far as the database will say at the end of the transaction too."""
    async with tx.transaction():
        news = await apply(tx, catalogue, seen, records, now_s)
        await event.append(tx, now_s, actor.token_id, news)
        await check_now(tx)
    return bool(news)


async def _keep_failed(tx: Connection, actor: Actor, failed: list[_NotApplied], now_s: int) -> None:
    """Told at the first failure, and again only when the cause is another."""
    for one in failed:
        key, centre_id = one.seen.key, one.seen.before.centre_id
        if await reports.keep(tx, key, centre_id, one.seen.report, one.cause, now_s):
            body = {"sequence": one.seen.report.sequence, "phase": one.seen.report.phase, "cause": one.cause}
            news = NewEvent("report_failed", str(key[0]), key[1], centre_id, body)
            await event.append(tx, now_s, actor.token_id, [news])


async def _drop_kept(tx: Connection, actor: Actor, kept: list[Report], failed: list[_NotApplied], now_s: int) -> None:
    """What was kept and is applied by now, or says nothing new any more."""
    still = {one.seen.key for one in failed}
    keys = [key for report in kept if (key := key_of(report)) is not None and key not in still]
    if keys:
        dropped = await reports.drop(tx, keys)
        news = [
            NewEvent("report_applied_late", str(job_id), number, actor.centre_id, {"failures": failures})
            for (job_id, number), failures in dropped.items()
        ]
        await event.append(tx, now_s, actor.token_id, news)


async def apply(
    tx: Connection, catalogue: Catalogue, seen: list[Seen], records: dict[UUID, JobRecord], now_s: int
) -> list[NewEvent]:
    """What is now known of some attempts, which are locked with their jobs: usage, charges, ends, recoveries."""
    await attempts.apply(tx, [one.observed for one in seen], now_s)
    await attempts.insert_usage(
        tx, [(one.observed.key, one.usage, one.now.chips) for one in seen if one.usage is not None], now_s
    )
    chargeable = [one.now for one in seen if one.usage is not None or one.now.phase is Phase.ENDED]
    purses = {}
    if chargeable:
        purses = await meter.open_purses(tx, (records[attempt.job_id] for attempt in chargeable))
        await meter.charge(tx, purses, chargeable, now_s)
    news: list[NewEvent] = []
    changes: list[StateChange] = []
    for one in seen:
        record = records[one.now.job_id]
        change, events = await _job_step(tx, catalogue, record, one, now_s)
        news += events
        changes += [change] if change else []
    await jobs.set_states(tx, changes)
    over = [change.job.id for change in changes if change.state in ENDED_STATES]
    if over:
        await meter.close(tx, [purses[job_id] for job_id in over], now_s)
    return news


async def _job_step(
    tx: Connection, catalogue: Catalogue, record: JobRecord, one: Seen, now_s: int
) -> tuple[StateChange | None, list[NewEvent]]:
    """What a report means for its job, and what the trace keeps of it."""
    job_id, number = str(record.id), one.now.number
    events: list[NewEvent] = []
    started = one.before.started_s is None and one.now.started_s is not None
    if started:
        body = {"started_s": one.now.started_s}
        events.append(NewEvent("attempt_started", job_id, number, one.now.centre_id, body))
    if one.now.phase is not Phase.ENDED or one.now.cause is None:
        if started and number == record.attempts and record.state is JobState.PLACED:
            state = job_rules.after(record.state, JobStep.START)
            facts = {"centre": one.now.centre_id, "attempt": number}
            return changed(record, state, {"code": "RUNNING", "facts": facts}), events
        return None, events
    cause = one.now.cause
    ended = {
        "cause": cause,
        "exit_code": one.observed.exit_code,
        "signal": one.observed.signal,
        "ended_s": one.now.ended_s,
        "detail": one.observed.detail,
    }
    events.append(NewEvent("attempt_ended", job_id, number, one.now.centre_id, ended))
    if number != record.attempts or record.state in ENDED_STATES:
        return None, events
    step = job_rules.step_after_end(
        record.spec,
        cause,
        one.observed.exit_code,
        record.recoveries,
        record.restarts,
        record.state is JobState.CANCELLING,
        one.made_room,
    )
    facts = {"centre": one.now.centre_id, "attempt": number, **ended, "detail": one.observed.detail or None}
    reason: dict[str, object] = {"code": cause.upper(), "facts": facts}
    if step is JobStep.RECOVER:
        change, told = await recover(tx, catalogue, record, one, reason, now_s)
        return change, [*events, told]
    state = job_rules.after(record.state, step)
    events.append(NewEvent("job_ended", job_id, number, body={"state": state, "cause": cause}))
    return changed(record, state, reason, ended_s=now_s), events


async def read_orders(
    db: Database, catalogue: Catalogue, centre_id: str, version: int
) -> tuple[int, tuple[RunOrder | StopOrder, ...]]:
    """Orders of a centre since a version, and the version to ask from next time."""
    async with db.transaction(snapshot=True) as tx:
        horizon = await event.horizon(tx)
        since = version if version <= horizon else 0
        rows = await attempts.orders_since(tx, centre_id, since)
    return horizon, tuple(_order(catalogue, row) for row in rows)


def _order(catalogue: Catalogue, row: Row) -> RunOrder | StopOrder:
    job_id = str(row["job_id"])
    if row["wanted"] == "stop":
        return StopOrder(job_id=job_id, attempt=row["number"], version=row["version"])
    spec = from_json(row["spec"], JobSpec)
    variant = spec.variants[row["variant"]]
    return RunOrder(
        job_id=job_id,
        attempt=row["number"],
        version=row["version"],
        job_name=spec.name,
        task_id=f"suanwang-{row['job_number']}-{spec.name}",
        pool_id=row["pool_id"],
        chip_id=row["chip_id"],
        stack=catalogue.chip(row["chip_id"]).stack,
        node_names=tuple(row["node_names"]),
        chips_per_node=variant.chips_per_node,
        cpus_per_node=variant.cpus_per_node,
        memory_gib_per_node=variant.memory_gib_per_node,
        walltime_s=row["walltime_s"],
        setup=spec.setup,
        run=spec.run,
        envs=spec.envs,
        workdir=spec.workdir,
        image=variant.image,
        resume_from=row["resume_from"] and from_json(row["resume_from"], Checkpoint),
        reported=row["sequence"],
        reported_s=row["observed_s"],
    )


async def mark_unseen(db: Database, silent_for_s: int, now_s: int) -> list[str]:
    """Show as unseen the centres that were silent for so long. Their jobs stay what they are."""
    async with db.transaction() as tx:
        silent = await centre.mark_unseen(tx, now_s - silent_for_s)
        await event.append(tx, now_s, meter.ACTOR, [NewEvent("centre_unseen", centre_id=one) for one in silent])
    return silent
