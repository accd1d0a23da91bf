"""A tenant or a centre disputes a charge; the network answers once: by a refund, or by a reason against it.

Nothing is ever changed: the dispute, its answer and the refund are facts of their own.
"""

from uuid import UUID

from suanwang.control import refund
from suanwang.domain.ledger import identity
from suanwang.domain.tenant import Actor, Role, require_tenant
from suanwang.errors import Conflict, InvalidInput, NotFound
from suanwang.store import answer, centre, event
from suanwang.store import attempt as attempts
from suanwang.store import dispute as disputes
from suanwang.store import job as jobs
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.dispute import DisputeRecord
from suanwang.store.event import NewEvent
from suanwang.wire import DisputeAnswer, DisputeLine, NewDispute


async def open_dispute(
    db: Database, actor: Actor, job_id: UUID, new: NewDispute, call: Call, now_s: int
) -> DisputeLine:
    """Say that what one attempt was charged is wrong.

    Raises NotFound, NotAllowed, InvalidInput (attempt, reason), Conflict (this attempt is disputed already).
    """
    reason = refund.read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, DisputeLine, now_s)
        if repeated is not None:
            return repeated
        record = (await jobs.lock(tx, [job_id])).get(job_id)
        if record is None:
            raise NotFound(f"no job {job_id}", job=str(job_id))
        attempt, centre_id = refund.charged_attempt(await attempts.charges_of_job(tx, job_id), new.attempt)
        await _require_party(tx, actor, record.tenant_id, centre_id)
        for earlier in await disputes.disputes(tx, job_id=job_id):
            if earlier.attempt == attempt and earlier.answer is None:
                raise Conflict(
                    f"dispute {earlier.number} is about this attempt and not answered yet",
                    code="DISPUTE_OPEN",
                    dispute=earlier.number,
                )
        dispute_id = identity("dispute", actor.organisation_id, call.key)
        number = await disputes.insert(
            tx, dispute_id, job_id, attempt, actor.organisation_id, reason, actor.token_id, now_s
        )
        (made,) = await disputes.disputes(tx, number=number)
        line = line_of(made)
        await event.append(tx, now_s, actor.token_id, [NewEvent("disputed", str(job_id), attempt, centre_id, line)])
        await answer.remember(tx, call, line)
    return line


async def _require_party(tx: Connection, actor: Actor, tenant_id: str, centre_id: str) -> None:
    """Raises NotAllowed: only the tenant that paid and the centre that is paid may dispute."""
    if actor.role is not Role.CENTRE_OPERATOR:
        require_tenant(actor, tenant_id)
    elif (await centre.centre(tx, centre_id)).organisation_id != actor.organisation_id:
        raise NotFound(f"no attempt at a centre of {actor.organisation_id}", organisation=actor.organisation_id)


async def resolve(db: Database, actor: Actor, number: int, new: DisputeAnswer, call: Call, now_s: int) -> DisputeLine:
    """Answer a dispute, for ever: give back so much, or nothing, and say why.

    Raises NotFound, Conflict (it is answered; the job is not settled), InvalidInput.
    """
    reason = refund.read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, DisputeLine, now_s)
        if repeated is not None:
            return repeated
        found = await disputes.disputes(tx, number=number)
        if not found:
            raise NotFound(f"no dispute {number}", code="NO_DISPUTE", dispute=number)
        await jobs.lock(tx, [found[0].job_id])  # one answer at a time
        (dispute,) = await disputes.disputes(tx, number=number)
        if dispute.answer is not None:
            raise Conflict(f"dispute {number} is answered", code="DISPUTE_ANSWERED", dispute=number)
        given = None
        if new.refund_fen:
            given = await refund.give_back(tx, actor, dispute.job_id, dispute.attempt, new.refund_fen, reason, now_s)
        elif new.refund_fen < 0:
            raise InvalidInput("refund_fen", new.refund_fen, "0 or more fen")
        await disputes.insert_answer(tx, dispute, given.number if given else None, reason, actor.token_id, now_s)
        (after,) = await disputes.disputes(tx, number=number)
        line = line_of(after)
        news = NewEvent("dispute_answered", str(dispute.job_id), dispute.attempt, dispute.centre_id, line)
        await event.append(tx, now_s, actor.token_id, [news])
        await answer.remember(tx, call, line)
    return line


def line_of(record: DisputeRecord) -> DisputeLine:
    return DisputeLine(
        record.number,
        str(record.job_id),
        record.job_number,
        record.job_name,
        record.tenant_id,
        record.attempt,
        record.centre_id,
        record.organisation_id,
        record.reason,
        record.opened_s,
        record.answer,
        record.answered_s,
        record.refunded_fen,
    )
