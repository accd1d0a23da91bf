"""Claw-back 收回: an agency takes a voucher back. It ends at once; what it paid wrongly, its tenant owes."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.control.refund import read_reason
from suanwang.domain import movements
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
    """Take what no job holds of a voucher, and ask for `used_fen` of what it paid.

    What jobs hold of it stays with them; what they give back goes where an ended voucher's value goes. Raises NotFound,
    NotAllowed (another agency), Conflict (clawed back already), Refused (its rules know none), InvalidInput (reason,
    more than was used, nothing).
    """
    reason = read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ClawBackLine, now_s)
        if repeated is not None:
            return repeated
        found = await _own(tx, actor, voucher_id)
        if await voucher.claw_back(tx, voucher_id) is not None:
            raise Conflict("this voucher is clawed back already", code="CLAWED_BACK", voucher=str(voucher_id))
        record, used_fen, held_fen = found.record, found.used_fen, found.held_fen
        require_clawback(record.terms)
        least_fen = 0 if record.available_fen or held_fen else 1
        if not least_fen <= new.used_fen <= used_fen:
            raise InvalidInput("used_fen", new.used_fen, f"{least_fen} to {used_fen} fen: what the voucher has paid")
        source = VoucherSource(str(voucher_id), record.programme_id)
        try:
            await post(tx, [movements.claw_back(source, record.available_fen, now_s, actor.token_id)], now_s)
        except InsufficientValue:
            raise Conflict("a job took of the voucher just now; send the same call again", code="TRY_AGAIN") from None
        made = voucher.ClawBack(voucher_id, record.available_fen, new.used_fen, reason, actor.token_id, now_s)
        await voucher.insert_claw_back(tx, made)
        body = {"voucher": str(voucher_id), "taken_fen": made.taken_fen, "owed_fen": made.owed_fen, "reason": reason}
        await event.append(tx, now_s, actor.token_id, [NewEvent("voucher_clawed_back", body=body)])
        line = _line(record, made, 0)
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
        made = await voucher.claw_back(tx, voucher_id)
        left_fen = 0 if made is None else made.owed_fen - found.repaid_fen
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
    return _Found(record, places["held_fen"], places["used_fen"], places["clawed_back_fen"])


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
