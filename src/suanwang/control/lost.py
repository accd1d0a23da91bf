"""What will not come back is given up: a centre, or one attempt. The only way to end an attempt without its agent.

"Cannot see" is never taken for "dead" by the hub itself: a person says so, with a reason, and is answerable for it.
What is given up is fenced. A late report of it is refused (STALE_ATTEMPT) and changes nothing; its agent, should it
speak again, is told to stop it until it says that it is over.
"""

from dataclasses import dataclass
from uuid import UUID

from suanwang.control.report import Seen, merged
from suanwang.control.schedule import QueuedBody, ask_again, last_checkpoint
from suanwang.control.sync import apply
from suanwang.domain.centre import Catalogue
from suanwang.domain.job import ENDED_STATES, Cause, JobState, Phase
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed
from suanwang.protocol import Report
from suanwang.store import answer, centre, event
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store import report as reports
from suanwang.store.answer import Call
from suanwang.store.attempt import AttemptRecord
from suanwang.store.centre import Contact
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.report import Key
from suanwang.wire import GivenUp

MAX_REASON_LENGTH = 500
MAX_JOBS_NAMED = 10


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Who gives up, why, and how the centre stood."""

    actor: Actor
    reason: str
    centre_id: str
    contact: Contact
    now_s: int


async def declare_lost(
    db: Database, catalogue: Catalogue, actor: Actor, centre_id: str, reason: str, call: Call, now_s: int
) -> GivenUp:
    """A centre that is silent will not come back: all its live attempts are abandoned, and it stays unseen, even if its
    agent speaks, until it is taken up again.

    Jobs recover from their last checkpoint that was uploaded, those that were being cancelled are cancelled. Paid is
    what an end by the centre leaves to pay: up to the last checkpoint; where the pool bills lost work, up to the last
    time that the centre was seen.

    Raises NotFound, InvalidInput, Conflict (CENTRE_IS_SEEN, CENTRE_IS_LOST).
    """
    _check_reason(reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, GivenUp, now_s)
        if repeated is not None:
            return repeated
        contact = await centre.lock_contact(tx, centre_id)
        if contact.lost_s is not None:
            raise Conflict(f"{centre_id} is declared lost already", code="CENTRE_IS_LOST", centre=centre_id)
        _require_unseen(centre_id, contact)
        await centre.set_lost(tx, centre_id, now_s)
        # Nothing that the brain decided before it hears of this may still be placed here.
        await centre.touch_pools(tx, centre_id)
        pools = await centre.pools(tx, centre_id)
        verdict = _Verdict(actor, reason, centre_id, contact, now_s)
        given_up = await _abandon(tx, catalogue, verdict, await attempts.live_at(tx, centre_id))
        body = {"reason": reason, "attempts": given_up.attempts, "states": given_up.states}
        news = [NewEvent("centre_lost", centre_id=centre_id, body=body)]
        news += [NewEvent("pool_set", centre_id=centre_id, body=pool) for pool in pools]
        news += await _unpin(tx, catalogue, centre_id)
        await event.append(tx, now_s, actor.token_id, news)
        await answer.remember(tx, call, given_up)
    return given_up


async def abandon_job(
    db: Database, catalogue: Catalogue, actor: Actor, job_id: UUID, reason: str, call: Call, now_s: int
) -> GivenUp:
    """The same for the live attempt of one job, whose centre is silent and may come back.

    Raises NotFound, InvalidInput, Conflict (JOB_ENDED, JOB_NOT_PLACED, CENTRE_IS_SEEN).
    """
    _check_reason(reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, GivenUp, now_s)
        if repeated is not None:
            return repeated
        row = await jobs.job(tx, job_id)
        if JobState(row["state"]) in ENDED_STATES:
            raise Conflict(f"this job is over: {row['state']}", code="JOB_ENDED", state=row["state"])
        last = (await attempts.of_job(tx, job_id))[-1:]
        if not last or last[0]["phase"] == Phase.ENDED:
            raise Conflict("this job is placed nowhere", code="JOB_NOT_PLACED", job=str(job_id))
        centre_id = last[0]["centre_id"]
        contact = await centre.lock_contact(tx, centre_id)
        _require_unseen(centre_id, contact)
        given_up = await _abandon(
            tx, catalogue, _Verdict(actor, reason, centre_id, contact, now_s), [(job_id, last[0]["number"])]
        )
        if not given_up.attempts:
            raise Conflict("its attempt ended this very moment", code="TRY_AGAIN")
        await answer.remember(tx, call, given_up)
    return given_up


async def rejoin(db: Database, actor: Actor, centre_id: str, call: Call, now_s: int) -> None:
    """A lost centre is taken up again: it is seen, and gets jobs, as soon as its agent calls.

    Not before its agent has said of every abandoned attempt that it is over: their chips count as free.

    Raises NotFound, NotAllowed, Conflict (CENTRE_NOT_LOST, ABANDONED_NOT_OVER).
    """
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        record = await centre.centre(tx, centre_id)
        if actor.role is Role.CENTRE_OPERATOR and record.organisation_id != actor.organisation_id:
            raise NotAllowed("an operator takes up centres of its own organisation", centre=centre_id)
        if (await centre.lock_contact(tx, centre_id)).lost_s is None:
            raise Conflict(f"{centre_id} is not declared lost", code="CENTRE_NOT_LOST", centre=centre_id)
        running = await attempts.not_over(tx, centre_id)
        if running:
            raise Conflict(
                f"{len(running)} abandoned attempts may still run at {centre_id}: let its agent call and stop them",
                code="ABANDONED_NOT_OVER",
                centre=centre_id,
                count=len(running),
                jobs=running[:MAX_JOBS_NAMED],
            )
        await centre.set_lost(tx, centre_id, None)
        await event.append(tx, now_s, actor.token_id, [NewEvent("centre_rejoined", centre_id=centre_id)])
        await answer.remember(tx, call, {})


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason.strip()) <= MAX_REASON_LENGTH or not reason.isprintable():
        raise InvalidInput("reason", reason, f"1 to {MAX_REASON_LENGTH} printable characters")


def _require_unseen(centre_id: str, contact: Contact) -> None:
    """Who is heard can stop a job itself."""
    if not contact.unseen:
        raise Conflict(
            f"{centre_id} is seen: cancel its jobs or drain it; it can be given up once it is unseen",
            code="CENTRE_IS_SEEN",
            centre=centre_id,
        )


async def _abandon(tx: Connection, catalogue: Catalogue, verdict: _Verdict, keys: list[Key]) -> GivenUp:
    """End these attempts as their agent would have, as far as they are still live."""
    records = await jobs.lock(tx, sorted({job_id for job_id, _ in keys}))
    known = await attempts.lock(tx, sorted(keys))
    live = [record for record in known.values() if record.phase is not Phase.ENDED]
    seen = [_ended(record, verdict) for record in live]
    if not seen:
        return GivenUp(verdict.centre_id, 0, {})
    ended = [one.key for one in seen]
    await attempts.order_stop(tx, ended)
    # What waited to be applied is given up with the attempt.
    await reports.drop(tx, ended)
    body = {"reason": verdict.reason}
    told = [NewEvent("attempt_abandoned", str(key[0]), key[1], verdict.centre_id, body) for key in ended]
    news = await apply(tx, catalogue, seen, records, verdict.now_s)
    await event.append(tx, verdict.now_s, verdict.actor.token_id, [*told, *news])
    states: dict[str, int] = {}
    for job_id, _ in ended:
        state = (await jobs.job(tx, job_id))["state"]
        states[state] = states.get(state, 0) + 1
    return GivenUp(verdict.centre_id, len(ended), states)


def _ended(record: AttemptRecord, verdict: _Verdict) -> Seen:
    """No later than it was last seen: time that nobody saw is billed to nobody."""
    seen_s = max(record.observed_s or 0, min(verdict.contact.unchanged_s or 0, verdict.now_s), record.placed_s)
    report = Report(
        job_id=str(record.job_id),
        attempt=record.number,
        sequence=record.sequence,
        phase=Phase.ENDED,
        observed_s=seen_s,
        ended_s=seen_s,
        cause=Cause.ABANDONED,
        detail=verdict.reason,
    )
    return merged(record, report)


async def _unpin(tx: Connection, catalogue: Catalogue, centre_id: str) -> list[NewEvent]:
    """Jobs that wait for a checkpoint that lies at a lost centre wait no longer: they begin from an older one."""
    news = []
    for record in (await jobs.lock(tx, sorted(await attempts.waiting_for_checkpoint(tx, centre_id)))).values():
        if record.state is JobState.QUEUED:
            checkpoint, found_at = await last_checkpoint(tx, record.id)
            only_centre = found_at if checkpoint is not None and checkpoint.blob_sha256 is None else None
            ask = ask_again(record, catalogue, record.attempts + 1, only_centre)
            body = QueuedBody(ask, checkpoint)
            news.append(NewEvent("job_unpinned", str(record.id), record.attempts + 1, centre_id, body))
    return news
