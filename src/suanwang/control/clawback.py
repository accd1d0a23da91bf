"""Claw-back 收回: an agency takes a voucher back. It ends at once; what it paid wrongly, its tenant owes."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.control.refund import read_reason
from suanwang.domain import movements
from suanwang.domain.ledger import reimbursable
from suanwang.domain.movements import VoucherSource
from suanwang.domain.tenant import Actor
from suanwang.domain.voucher import require_clawback
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, NotAllowed, NotFound
from suanwang.store import answer, event, ledger, voucher
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.posting import post
from suanwang.store.voucher import VoucherRecord
from suanwang.wire import ClawBackLine, NewClawBack, NewRepayment


async def claw_back(
    db: Database, actor: Actor, voucher_id: UUID, new: NewClawBack, call: Call, now_s: int
) -> ClawBackLine:
    """Take what no job holds of a voucher, and ask for `used_fen` of what it paid and was not asked for yet.

    What jobs hold of it stays with them; what they use may be asked for by another claw-back, what they give back goes
    where an ended voucher's value goes. What the programme owes to the tenant is set off at once. Raises NotFound,
    NotAllowed (another agency), Conflict (a job was quicker), Refused (its rules know none), InvalidInput (reason, more
    than was used, nothing).
    """
    reason = read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ClawBackLine, now_s)
        if repeated is not None:
            return repeated
        found = await _own(tx, actor, voucher_id)
        record, before = found.record, found.clawed
        require_clawback(record.terms)
        least_fen = 0 if record.available_fen or (found.held_fen and before is None) else 1
        most_fen = max(0, found.used_fen - (before.owed_fen if before else 0))
        if not least_fen <= new.used_fen <= most_fen:
            allowed = f"{least_fen} to {most_fen} fen: what the voucher has paid and is not asked for"
            raise InvalidInput("used_fen", new.used_fen, allowed)
        source, number = VoucherSource(str(voucher_id), record.programme_id), before.number + 1 if before else 1
        taken = movements.claw_back(source, number, record.available_fen, now_s, actor.token_id)
        try:
            await post(tx, [taken], now_s)
        except InsufficientValue:
            raise Conflict("a job took of the voucher just now; send the same call again", code="TRY_AGAIN") from None
        made = voucher.ClawBack(voucher_id, number, record.available_fen, new.used_fen, reason, actor.token_id, now_s)
        await voucher.insert_claw_back(tx, made)
        body = {"voucher": str(voucher_id), "number": number, "taken_fen": made.taken_fen, "owed_fen": made.owed_fen}
        await event.append(tx, now_s, actor.token_id, [NewEvent("voucher_clawed_back", body=body | {"reason": reason})])
        set_off_fen = await _set_off(tx, found, new.used_fen, actor, now_s)
        line = _line(record, (await voucher.claw_backs(tx, [voucher_id]))[voucher_id], found.repaid_fen + set_off_fen)
        await answer.remember(tx, call, line)
    return line


async def repay(
    db: Database, actor: Actor, voucher_id: UUID, new: NewRepayment, call: Call, now_s: int
) -> ClawBackLine:
    """The agency has got back a part of what a tenant owes for a voucher. Raises NotFound, NotAllowed, InvalidInput."""
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ClawBackLine, now_s)
        if repeated is not None:
            return repeated
        found = await _own(tx, actor, voucher_id)
        made, left_fen = found.clawed, found.left_fen
        if made is None or not 0 < new.amount_fen <= left_fen:
            raise InvalidInput("amount_fen", new.amount_fen, f"1 to {left_fen} fen: what is owed for the voucher")
        source = VoucherSource(str(voucher_id), found.record.programme_id)
        repaid = movements.repay(source, found.repaid_fen, new.amount_fen, now_s, actor.token_id)
        await post(tx, [repaid], now_s)
        body = {"voucher": str(voucher_id), "fen": new.amount_fen}
        await event.append(tx, now_s, actor.token_id, [NewEvent("claw_back_repaid", body=body)])
        line = _line(found.record, made, found.repaid_fen + new.amount_fen)
        await answer.remember(tx, call, line)
    return line


@dataclass(frozen=True, slots=True)
class _Found:
    record: VoucherRecord
    held_fen: int
    used_fen: int
    repaid_fen: int
    returned_fen: int
    """Of it: given back to the tenant, with refunds."""
    clawed: voucher.ClawBack | None

    @property
    def left_fen(self) -> int:
        """Still to be repaid: a refund that went to the programme since is so much less."""
        kept_fen = self.repaid_fen - self.returned_fen
        return 0 if self.clawed is None else max(0, min(self.clawed.owed_fen, self.used_fen) - kept_fen)


async def _set_off(tx: Connection, found: _Found, asked_fen: int, actor: Actor, now_s: int) -> int:
    """Of what is asked for, the part that the programme owes to the tenant. What stands in a batch is paid with it."""
    record = found.record
    await ledger.lock_settlement(tx)
    owed_fen = await ledger.in_no_batch_fen(tx, reimbursable(record.tenant_id, record.programme_id))
    fen = max(0, min(asked_fen, owed_fen))
    source = VoucherSource(str(record.id), record.programme_id)
    set_off = movements.set_off(record.tenant_id, source, found.repaid_fen, fen, now_s, actor.token_id)
    await post(tx, [set_off], now_s)
    if fen:
        body = {"voucher": str(record.id), "fen": fen, "set_off": True}
        await event.append(tx, now_s, actor.token_id, [NewEvent("claw_back_repaid", body=body)])
    return fen


async def _own(tx: Connection, actor: Actor, voucher_id: UUID) -> _Found:
    """The voucher and where its value is; nobody else claws back or repays in its programme until the end."""
    record = (await voucher.by_ids(tx, [voucher_id])).get(voucher_id)
    if record is None:
        raise NotFound(f"no voucher {voucher_id}", voucher=str(voucher_id))
    if (await voucher.programme(tx, record.programme_id))["agency_id"] != actor.organisation_id:
        raise NotAllowed("this programme belongs to another agency", programme=record.programme_id)
    await voucher.lock_programme(tx, record.programme_id)
    record = (await voucher.by_ids(tx, [voucher_id]))[voucher_id]
    places = (await ledger.voucher_places(tx, [voucher_id]))[voucher_id]
    clawed = (await voucher.claw_backs(tx, [voucher_id])).get(voucher_id)
    repaid_fen = places["repaid_fen"]
    returned_fen = repaid_fen - places["clawed_back_fen"]
    return _Found(record, places["held_fen"], places["used_fen"], repaid_fen, returned_fen, clawed)


def _line(record: VoucherRecord, made: voucher.ClawBack, repaid_fen: int) -> ClawBackLine:
    return ClawBackLine(
        str(record.id),
        record.programme_id,
        record.tenant_id,
        made.taken_fen,
        made.owed_fen,
        repaid_fen,
        made.reason,
        made.at_s,
    )
