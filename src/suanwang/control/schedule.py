"""The brain decides: events in, placements out, committed only where they still hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from types import MappingProxyType
from uuid import UUID

from msgspec import Raw

from suanwang.control import meter, preempt, ratecard
from suanwang.domain.centre import Catalogue, Pool
from suanwang.domain.job import Cause, JobSpec, JobState
from suanwang.domain.scheduling import calendar
from suanwang.domain.scheduling import events as happened
from suanwang.domain.scheduling.decisions import BookingAnswer, Decision, Placed, Preempted, Waiting, WindowAnswer
from suanwang.domain.scheduling.events import Ask, AskVariant, Event
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from suanwang.errors import Conflict
from suanwang.protocol import Checkpoint
from suanwang.store import attempt as attempts
from suanwang.store import calendar as calendars
from suanwang.store import centre, event
from suanwang.store import job as jobs
from suanwang.store.attempt import NewAttempt
from suanwang.store.calendar import BookingState
from suanwang.store.db import Connection, Database, from_json, to_json
from suanwang.store.event import NewEvent, StoredEvent
from suanwang.units import MIB_PER_GIB

ACTOR = "brain"
EVENTS_PER_STEP = 5_000
ABOUT_CALENDAR: Mapping[str, Callable[[str], Event]] = MappingProxyType(
    {
        "booking_set": lambda body: calendar.BookingSet(from_json(body, calendar.Booking)),
        "booking_removed": lambda body: calendar.BookingRemoved(from_json(body, dict[str, str])["id"]),
        "maintenance_set": lambda body: calendar.WindowSet(from_json(body, calendar.Window)),
        "maintenance_removed": lambda body: calendar.WindowRemoved(from_json(body, dict[str, str])["id"]),
    }
)
KINDS_WITH_BODY = ["job_submitted", "job_recovered", "job_unpinned", "pool_set", *ABOUT_CALENDAR]
"""What `_events` reads the body of."""


@dataclass(slots=True)
class Brain:
    """The network as the scheduling core sees it, and how far in the trace. Rebuilt from the database at will."""

    state: State
    epoch: int
    cursor: tuple[int, int]
    centre_of: dict[str, str] = field(default_factory=dict)
    """Pool -> centre."""
    version_of: dict[str, int] = field(default_factory=dict)
    """Pool -> the transaction that set it as it is known here."""
    until_s: dict[str, int] = field(default_factory=dict)
    """Pool with a rate card -> until when its price is known here to be in force."""
    seen: set[str] = field(default_factory=set)
    """Centres whose agent is heard; a new centre is not, until it speaks."""
    drained: set[str] = field(default_factory=set)
    refused: list[Event] = field(default_factory=list)
    resume: dict[str, Checkpoint] = field(default_factory=dict)
    """Checkpoint that the next attempt of a recovering job starts from."""


def ask_of(
    spec: JobSpec,
    catalogue: Catalogue,
    job_id: str,
    tenant_id: str,
    submitted_s: int,
    arrival: int,
    attempt: int = 1,
    only_centre: str | None = None,
    preemptions: int = 0,
) -> Ask:
    """What a job asks of the brain. Raises InvalidInput for a chip that the catalogue does not have."""
    return Ask(
        job_id=job_id,
        tenant_id=tenant_id,
        attempt=attempt,
        submitted_s=submitted_s,
        num_nodes=spec.num_nodes,
        walltime_s=spec.walltime_s,
        priority=spec.priority,
        objective=spec.objective,
        ordered=spec.ordered,
        max_cost_fen=spec.max_cost_fen,
        variants=tuple(
            AskVariant(
                catalogue.matching(v.chip, f"variants[{i}].chip"),
                v.chips_per_node,
                v.cpus_per_node,
                v.centre,
                v.max_fen_per_hour,
                memory_mib_per_node=ceil(v.memory_gib_per_node * MIB_PER_GIB),
            )
            for i, v in enumerate(spec.variants)
        ),
        only_centre=only_centre,
        arrival=arrival,
        preemptible=spec.preemptible,
        preemptions=preemptions,
        checkpoint_every_s=spec.checkpoint_every_s,
        booking_id=spec.booking,
        within=spec.within,
    )


def ask_again(
    record: jobs.JobRecord,
    catalogue: Catalogue,
    attempt: int,
    only_centre: str | None = None,
    preemptions: int = 0,
) -> Ask:
    """What an attempt of a job that is recorded asks: it keeps its place in the queue, and may cost what is left."""
    ask = ask_of(
        record.spec,
        catalogue,
        str(record.id),
        record.tenant_id,
        record.submitted_s,
        record.number,
        attempt,
        only_centre,
        preemptions,
    )
    return replace(ask, max_cost_fen=left_to_spend_fen(record))


def left_to_spend_fen(record: jobs.JobRecord) -> int:
    """What one more attempt of a job may cost: as much as the first, and within the limit of the whole job."""
    if record.spec.max_cost_fen is None:
        return record.estimate_fen
    return min(record.estimate_fen, record.spec.max_cost_fen - record.charged_fen)


async def awaken(db: Database, catalogue: Catalogue, now_s: int) -> Brain:
    """A brain built from the database as it is. Takes the next epoch, so that an older hub stops deciding."""
    async with db.transaction() as tx:
        epoch = await event.next_epoch(tx)
    async with db.transaction(snapshot=True) as tx:
        brain = Brain(State(), epoch, (await event.horizon(tx) - 1, 2**62))
        for record in await centre.centres(tx):
            _centre_events(brain, record.centre.id, seen=not record.unseen, drained=record.drained)
        versions = await centre.versions(tx)
        known = [news for pool in await centre.pools(tx) for news in _pool_set(brain, pool, versions[pool.id])]
        known += await _standing(tx, now_s)
        live = {str(job.id): job for job in await jobs.live(tx)}
        counts = await attempts.preemptions(tx, [job.id for job in live.values() if job.attempts])
        for row in await attempts.live(tx):
            owner = live[str(row["job_id"])]
            ask = ask_again(owner, catalogue, row["number"], preemptions=counts.get(owner.id, 0))
            end_s = row["expected_end_s"]
            known.append(
                happened.AttemptRestored(
                    ask, row["number"], row["pool_id"], row["variant"], tuple(row["node_names"]), end_s
                )
            )
        waiting = [job for job in live.values() if job.state is JobState.QUEUED]
        known += [await _queued_again(tx, brain, job, catalogue, counts.get(job.id, 0)) for job in waiting]
        known += [*await preempt.leaving(tx), *await preempt.promised(tx)]
    brain.refused = known
    return brain


async def _standing(tx: Connection, now_s: int) -> list[Event]:
    """What is planned and booked, or to be answered."""
    known: list[Event] = []
    for planned in await calendars.windows(tx, now_s):
        if not planned.removed:
            is_told = planned.reason is not None
            known.append((calendar.WindowRestored if is_told else calendar.WindowSet)(planned.window))
    for booked in await calendars.bookings(tx, now_s):
        if booked.state is BookingState.CONFIRMED:
            known.append(calendar.BookingRestored(booked.booking, booked.node_names))
        elif booked.state is BookingState.ASKED:
            known.append(calendar.BookingSet(booked.booking))
    return known


async def _queued_again(
    tx: Connection, brain: Brain, record: jobs.JobRecord, catalogue: Catalogue, preemptions: int
) -> Event:
    checkpoint, centre_id = None, None
    if record.attempts:
        checkpoint, centre_id = await last_checkpoint(tx, record.id)
    if checkpoint is not None:
        brain.resume[str(record.id)] = checkpoint
    only_centre = centre_id if checkpoint is not None and checkpoint.blob_sha256 is None else None
    ask = ask_again(record, catalogue, record.attempts + 1, only_centre, preemptions)
    return happened.JobQueued(ask, record.queued_s)


async def last_checkpoint(tx: Connection, job_id: UUID) -> tuple[Checkpoint | None, str | None]:
    """The newest checkpoint of a job's attempts that can be had, and the centre where it was made."""
    for row in reversed(await attempts.of_job(tx, job_id)):
        given_up = row["lost_s"] is not None or row["cause"] == Cause.ABANDONED
        for text in filter(None, (row["checkpoint"], row["resume_from"])):
            found = from_json(text, Checkpoint)
            if found.blob_sha256 is not None or not given_up:
                return found, row["centre_id"]
    return None, None


async def schedule(db: Database, brain: Brain, policy: Policy, now_s: int) -> set[str]:
    """One step: read what happened, decide, commit. Returns the centres that have new orders.

    Raises Conflict if another hub has taken over. After any error the brain must be thrown away and awakened anew.
    """
    if any(until_s <= now_s for until_s in brain.until_s.values()):
        await ratecard.change_prices(db, now_s)
    async with db.transaction() as tx:
        stored = await event.after(tx, brain.cursor, EVENTS_PER_STEP, KINDS_WITH_BODY)
    news = brain.refused
    brain.refused = []
    for row in stored:
        news.extend(_events(brain, row))
        brain.cursor = (row.xid, row.seq)
    decisions = step(brain.state, policy, now_s, news)
    if not decisions:
        return set()
    return await _commit(db, brain, decisions, now_s)


def _events(brain: Brain, row: StoredEvent) -> list[Event]:  # noqa: PLR0911 - a case a kind
    """What a row of the trace means to the scheduling core."""
    match row.kind:
        case "job_submitted" | "job_recovered":
            news = from_json(row.body, QueuedBody)
            if news.resume_from is not None:
                brain.resume[news.ask.job_id] = news.resume_from
            return [happened.JobQueued(news.ask, row.at_s)]
        case "job_unpinned":
            news = from_json(row.body, QueuedBody)
            brain.resume.pop(news.ask.job_id, None)
            if news.resume_from is not None:
                brain.resume[news.ask.job_id] = news.resume_from
            return [happened.JobWithdrawn(news.ask.job_id), happened.JobQueued(news.ask, row.at_s)]
        case "job_withdrawn" if row.job_id:
            return [happened.JobWithdrawn(row.job_id)]
        case "attempt_started" if row.job_id and row.attempt:
            return [happened.AttemptStarted(row.job_id, row.attempt, row.at_s)]
        case "attempt_ended" if row.job_id and row.attempt:
            return [happened.AttemptEnded(row.job_id, row.attempt)]
        case "pool_set":
            return _pool_set(brain, from_json(row.body, Pool), row.xid)
        case "centre_seen" | "centre_unseen" if row.centre_id:
            return _centre_events(brain, row.centre_id, seen=row.kind == "centre_seen")
        case "centre_drained" | "centre_resumed" if row.centre_id:
            return _centre_events(brain, row.centre_id, drained=row.kind == "centre_drained")
        case kind if kind in ABOUT_CALENDAR:
            return [ABOUT_CALENDAR[kind](row.body)]
        case _:
            return []


@dataclass(frozen=True, slots=True)
class QueuedBody:
    """Body of `job_submitted`, `job_recovered` and `job_unpinned`: all that a replay needs."""

    ask: Ask
    resume_from: Checkpoint | None = None


def _pool_set(brain: Brain, pool: Pool, version: int) -> list[Event]:
    """A pool with the state of its centre, which it may have joined after that was said."""
    brain.version_of[pool.id] = version
    brain.until_s.pop(pool.id, None)
    if pool.offer.until_s is not None:
        brain.until_s[pool.id] = pool.offer.until_s
    centre_id = brain.centre_of[pool.id] = pool.centre_id
    return [
        happened.PoolSet(pool),
        happened.PoolSeen(pool.id, centre_id in brain.seen),
        happened.PoolDrained(pool.id, centre_id in brain.drained),
    ]


def _centre_events(
    brain: Brain, centre_id: str, *, seen: bool | None = None, drained: bool | None = None
) -> list[Event]:
    found: list[Event] = []
    pools = [pool_id for pool_id, owner in brain.centre_of.items() if owner == centre_id]
    if seen is not None:
        (brain.seen.add if seen else brain.seen.discard)(centre_id)
        found += [happened.PoolSeen(pool_id, seen) for pool_id in pools]
    if drained is not None:
        (brain.drained.add if drained else brain.drained.discard)(centre_id)
        found += [happened.PoolDrained(pool_id, drained) for pool_id in pools]
    return found


async def _commit(db: Database, brain: Brain, decisions: list[Decision], now_s: int) -> set[str]:
    placed = [decision for decision in decisions if isinstance(decision, Placed)]
    waiting = [decision for decision in decisions if isinstance(decision, Waiting)]
    told = [decision for decision in decisions if isinstance(decision, Preempted)]
    leave = {decision.job_id for decision in told}
    async with db.transaction() as tx:
        if not await event.epoch_holds(tx, brain.epoch):
            raise Conflict("another hub decides for this network now", code="BRAIN_REPLACED", epoch=brain.epoch)
        locked = await jobs.lock(tx, [UUID(one.job_id) for one in placed] + [UUID(one.job_id) for one in told])
        news: list[NewEvent] = []
        new_attempts: list[NewAttempt] = []
        reasons: list[tuple[UUID, int, str]] = []
        purses = await meter.open_purses(tx, [one for one in locked.values() if str(one.id) not in leave])
        # A pool that changed since it was read may not have these nodes any more: its change is in the trace, or soon.
        versions = await centre.hold_versions(tx, sorted({decision.pool_id for decision in placed}))
        for decision in placed:
            record = locked.get(UUID(decision.job_id))
            if record is None or record.state is not JobState.QUEUED or record.attempts != decision.attempt - 1:
                brain.refused.append(happened.PlacementRefused(decision.job_id, decision.attempt, "JOB_CHANGED"))
                continue
            if versions[decision.pool_id] != brain.version_of[decision.pool_id]:
                brain.refused.append(happened.PlacementRefused(decision.job_id, decision.attempt, "POOL_CHANGED"))
                continue
            affordable_fen = meter.affordable_fen(purses[record.id], brain.centre_of[decision.pool_id])
            if decision.price_fen > affordable_fen:
                brain.refused += _too_dear(brain, purses[record.id], decision, now_s)
                continue
            body = to_json(replace(decision, outlook=[*decision.outlook]))
            new_attempts.append(_attempt(brain, record, decision, body))
            reasons.append((record.id, decision.attempt, to_json(decision.reason)))
            news.append(
                NewEvent(
                    "job_placed", decision.job_id, decision.attempt, new_attempts[-1].centre_id, Raw(body.encode())
                )
            )
        if new_attempts:
            await attempts.insert(tx, new_attempts, now_s)
            await jobs.place(tx, reasons)
        await jobs.set_reasons(tx, [(UUID(d.job_id), to_json(d.reason)) for d in waiting])
        news += [NewEvent("job_waiting", d.job_id, body={"reason": d.reason, "outlook": [*d.outlook]}) for d in waiting]
        news += await preempt.tell_to_leave(tx, told, locked, brain.centre_of)
        news += preempt.promises(brain.state, told)
        news += await _commit_calendar(tx, brain, decisions)
        await event.append(tx, now_s, ACTOR, news)
    for decision in placed:
        brain.resume.pop(decision.job_id, None)
    return {one.centre_id for one in news if one.centre_id is not None}


async def _commit_calendar(tx: Connection, brain: Brain, decisions: list[Decision]) -> list[NewEvent]:
    """What was said of bookings and maintenance; nothing to those that were removed meanwhile."""
    news: list[NewEvent] = []
    for decision in decisions:
        if isinstance(decision, BookingAnswer):
            d = decision
            await calendars.answer_booking(tx, d.booking_id, d.confirmed, d.node_names, d.reason)
            news.append(NewEvent("booking_answered", centre_id=brain.centre_of[d.pool_id], body=d))
        elif isinstance(decision, WindowAnswer):
            await calendars.answer_window(tx, decision.window_id, decision.reason)
            news.append(NewEvent("maintenance_answered", centre_id=brain.centre_of[decision.pool_id], body=decision))
    return news


def _too_dear(brain: Brain, purse: meter.Purse, decision: Placed, now_s: int) -> list[Event]:
    """The price rose since the job was submitted, or the pool is new. More than is held for the job is not its to
    spend, and less than it offers not the centre's to take: the job waits again, with a limit that says so."""
    job = brain.state.jobs[decision.job_id]
    most_fen = max(meter.affordable_fen(purse, centre_id) for centre_id in brain.centre_of.values())
    limit_fen = most_fen if most_fen < decision.price_fen else decision.price_fen - 1
    ask = replace(job.ask, max_cost_fen=limit_fen)
    return [
        happened.JobWithdrawn(decision.job_id),
        happened.PlacementRefused(decision.job_id, decision.attempt, "PRICE_OVER_HOLD"),
        happened.JobQueued(ask, now_s),
    ]


def _attempt(brain: Brain, record: jobs.JobRecord, decision: Placed, body: str) -> NewAttempt:
    centre_id, spec = brain.centre_of[decision.pool_id], record.spec
    chips = spec.variants[decision.variant].chips_per_node * len(decision.node_names)
    return NewAttempt(
        record.id,
        decision.attempt,
        centre_id,
        decision.pool_id,
        decision.variant,
        decision.node_names,
        chips,
        spec.walltime_s,
        decision.expected_end_s,
        body,
        brain.resume.get(decision.job_id),
        spec.preemptible,
    )
