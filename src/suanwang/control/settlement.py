"""Settlement batches: proposed for a closed month, approved by another person, paid once; or rejected, with a reason.

Every flow holds the lock of settlements, so two proposals never see the same open lines; the tables refuse the second
of two batches with one line in any case.
"""

from typing import Any
from uuid import UUID

from suanwang.control import period as periods
from suanwang.control.refund import read_reason
from suanwang.domain import movements
from suanwang.domain.ledger import CASH
from suanwang.domain.settlement import (
    APPROVED,
    CENTRE,
    NEXT,
    PAID,
    REJECTED,
    Gathered,
    HeldEntries,
    amounts_fen,
    batch_id,
    gather,
    lines_sha256,
    programme_of_asset,
)
from suanwang.domain.tenant import Actor
from suanwang.domain.voucher import co_funding_split
from suanwang.errors import Conflict, NotAllowed, NotFound
from suanwang.rulesfile import programme_of
from suanwang.store import answer, event, ledger, voucher
from suanwang.store import settlement as settlements
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database, Row, from_json
from suanwang.store.event import NewEvent
from suanwang.store.posting import post
from suanwang.store.settlement import NewBatch, Share
from suanwang.wire import Due, HeldBack, Proposal, Rejection, SettlementBatch, SettlementLine, SettlementStep


async def propose(db: Database, actor: Actor, period: str, zone: str, call: Call, now_s: int) -> Proposal:
    """One batch per centre and one per tenant that is reimbursed, of all that is open up to the end of a closed month.

    Raises InvalidInput (period), Conflict (it is not closed).
    """
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, Proposal, now_s)
        if repeated is not None:
            return repeated
        await ledger.lock_settlement(tx)
        line, span = await periods.find(tx, period, zone)
        if not line.closed:
            raise Conflict("batches are of closed periods", code="PERIOD_NOT_CLOSED", period=period)
        found = gather(await settlements.open_entries(tx, span.end_s, span.last_seal))
        made = await insert(tx, actor, found, period, now_s, at_once=False)
        proposal = Proposal(await read(tx, batch_ids=made), [_held_back(one) for one in found.held_back])
        await answer.remember(tx, call, proposal)
    return proposal


async def insert(tx: Connection, actor: Actor, found: Gathered, period: str, now_s: int, *, at_once: bool) -> list[str]:
    """Within a flow that holds the lock; returns the ids of the batches."""
    made = []
    for (kind, payee), lines in found.batches.items():
        number = 1 + await settlements.batches_of(tx, period, kind, payee)
        amounts = amounts_fen((line.asset, line.amount_fen) for line in lines)
        digest = lines_sha256((line.transaction_id, line.account, line.amount_fen) for line in lines)
        new = NewBatch(
            batch_id(kind, period, payee, number),
            period,
            kind,
            payee,
            number,
            at_once,
            sum(amounts.values()),
            digest,
            actor.token_id,
            now_s,
        )
        await settlements.insert(tx, new, lines, await _shares(tx, amounts))
        body = {"batch": new.id, "fen": new.total_fen, "lines": len(lines), "lines_sha256": digest.hex()}
        await event.append(tx, now_s, actor.token_id, [NewEvent("settlement_proposed", body=body)])
        made.append(new.id)
    return made


async def _shares(tx: Connection, amounts: dict[str, int]) -> list[Share]:
    """What each funder owes: split once for the whole batch, so that no fen is lost in its lines."""
    made = []
    for asset, fen in amounts.items():
        programme_id = programme_of_asset(asset)
        if programme_id is not None:
            rules = (await voucher.programme(tx, programme_id))["rules"]
            split = co_funding_split(programme_of(from_json(rules, dict[str, Any])), fen)
            made += [Share(programme_id, place, level, part) for place, (level, part) in enumerate(split)]
    return made


async def approve(db: Database, actor: Actor, reference: str, call: Call, now_s: int) -> SettlementBatch:
    """By another person than who proposed it. Raises NotFound, NotAllowed, Conflict (state, disputes)."""
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, SettlementBatch, now_s)
        if repeated is not None:
            return repeated
        batch = await _locked(tx, reference, APPROVED)
        if batch.steps[0].actor == actor.token_id:
            raise NotAllowed("who proposed a batch does not approve it", code="FOUR_EYES", batch=batch.id)
        await _require_undisputed(tx, batch)
        return await _step(tx, actor, batch, APPROVED, "", None, call, now_s)


async def pay(db: Database, actor: Actor, reference: str, call: Call, now_s: int) -> SettlementBatch:
    """What is approved is paid, once. Raises NotFound, Conflict (state, disputes)."""
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, SettlementBatch, now_s)
        if repeated is not None:
            return repeated
        batch = await _locked(tx, reference, PAID)
        await _require_undisputed(tx, batch)
        transaction = await post_payment(tx, actor, batch, now_s)
        return await _step(tx, actor, batch, PAID, "", transaction, call, now_s)


async def reject(db: Database, actor: Actor, reference: str, new: Rejection, call: Call, now_s: int) -> SettlementBatch:
    """Its lines are free for the next batch. Raises NotFound, InvalidInput (reason), Conflict (state)."""
    reason = read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, SettlementBatch, now_s)
        if repeated is not None:
            return repeated
        batch = await _locked(tx, reference, REJECTED)
        return await _step(tx, actor, batch, REJECTED, reason, None, call, now_s)


async def post_payment(tx: Connection, actor: Actor, batch: SettlementBatch, now_s: int) -> UUID | None:
    """Posts the payment of a batch; None if its lines come to nothing. The same batch again is the same payment."""
    paid = (batch.id, now_s, actor.token_id, batch.lines_sha256)
    if batch.kind == CENTRE:
        amounts = {f"{CASH}@{programme_id}": fen for programme_id, fen in batch.voucher_fen.items()}
        if batch.cash_fen:
            amounts[CASH] = batch.cash_fen
        transaction = movements.pay_centre(batch.payee, amounts, *paid)
    else:
        transaction = movements.pay_tenant(batch.payee, batch.voucher_fen, *paid)
    await post(tx, [transaction], now_s)
    return transaction.id if transaction.transfers else None


async def _locked(tx: Connection, reference: str, wanted: str) -> SettlementBatch:
    """Raises NotFound, Conflict if the batch cannot become what is wanted."""
    await ledger.lock_settlement(tx)
    found = await read(tx, batch_ids=[reference])
    if not found:
        raise NotFound(f"no batch {reference}", code="NO_BATCH", batch=reference)
    (batch,) = found
    if wanted not in NEXT.get(batch.state, ()):
        raise Conflict(
            f"batch {batch.id} is {batch.state}", code="BATCH_NOT_IN_TURN", batch=batch.id, state=batch.state
        )
    return batch


async def _require_undisputed(tx: Connection, batch: SettlementBatch) -> None:
    found = await settlements.disputes(tx, batch.id)
    if found:
        raise Conflict(
            "lines of this batch are disputed since; reject it and propose again",
            code="BATCH_DISPUTED",
            batch=batch.id,
            disputes=found,
        )


async def _step(
    tx: Connection,
    actor: Actor,
    batch: SettlementBatch,
    state: str,
    reason: str,
    transaction_id: UUID | None,
    call: Call,
    now_s: int,
) -> SettlementBatch:
    await settlements.insert_step(tx, batch.id, state, reason, actor.token_id, transaction_id, now_s)
    body = {"batch": batch.id, "fen": batch.total_fen} | ({"reason": reason} if reason else {})
    await event.append(tx, now_s, actor.token_id, [NewEvent(f"settlement_{state}", body=body)])
    (after,) = await read(tx, batch_ids=[batch.id])
    await answer.remember(tx, call, after)
    return after


# Reading


async def find(tx: Connection, reference: str, organisation_id: str | None) -> SettlementBatch:
    """With its lines. `organisation_id`: only if it is paid to that one or its centres. Raises NotFound."""
    rows = await settlements.batches(tx, batch_id=reference, organisation_id=organisation_id)
    if not rows:
        raise NotFound(f"no batch {reference}", code="NO_BATCH", batch=reference)
    return (await _batches(tx, rows, with_lines=True))[0]


async def read(
    tx: Connection,
    *,
    batch_ids: list[str] | None = None,
    period: str | None = None,
    organisation_id: str | None = None,
) -> list[SettlementBatch]:
    """The oldest first, without their lines."""
    if batch_ids is None:
        rows = await settlements.batches(tx, period=period, organisation_id=organisation_id)
    else:
        rows = [row for one in batch_ids for row in await settlements.batches(tx, batch_id=one)]
    return await _batches(tx, rows, with_lines=False)


async def dues(tx: Connection, period: str | None, agency_id: str | None) -> list[Due]:
    """What programmes owe for live batches: of one agency, or all."""
    return [Due(**row) for row in await settlements.dues(tx, period, agency_id)]


async def _batches(tx: Connection, rows: list[Row], *, with_lines: bool) -> list[SettlementBatch]:
    ids = [row["id"] for row in rows]
    amounts = await settlements.amounts_fen(tx, ids)
    funders: dict[str, dict[str, dict[str, int]]] = {}
    for row in await settlements.shares(tx, ids):
        levels = funders.setdefault(row["settlement_id"], {}).setdefault(row["programme_id"], {})
        levels[row["level"]] = row["amount_fen"]
    steps: dict[str, list[SettlementStep]] = {
        row["id"]: [SettlementStep("proposed", row["actor"], row["proposed_s"])] for row in rows
    }
    for row in await settlements.steps(tx, ids):
        paid = str(row["transaction_id"]) if row["transaction_id"] else None
        steps[row["settlement_id"]].append(SettlementStep(row["state"], row["actor"], row["at_s"], row["reason"], paid))
    lines: dict[str, list[SettlementLine]] = {}
    for row in await settlements.lines(tx, ids) if with_lines else ():
        lines.setdefault(row["settlement_id"], []).append(_line(row))
    return [
        SettlementBatch(
            row["id"],
            row["period"],
            row["kind"],
            row["payee"],
            row["state"],
            row["at_once"],
            row["total_fen"],
            amounts[row["id"]].get(CASH, 0),
            {
                programme_id: fen
                for asset, fen in amounts[row["id"]].items()
                if fen and (programme_id := programme_of_asset(asset))
            },
            funders.get(row["id"], {}),
            row["lines"],
            row["lines_sha256"],
            steps[row["id"]],
            lines.get(row["id"], []),
        )
        for row in rows
    ]


def _line(row: Row) -> SettlementLine:
    return SettlementLine(
        str(row["transaction_id"]),
        row["account"],
        programme_of_asset(row["asset"]),
        row["amount_fen"],
        row["kind"],
        row["subject"],
        row["name"],
        row["attempt"],
        row["tenant_id"],
        row["effective_s"],
        row["reason"],
        row["dispute"],
        tuple(row["corrects"]),
    )


def _held_back(one: HeldEntries) -> HeldBack:
    return HeldBack(one.kind, one.payee, programme_of_asset(one.asset), one.amount_fen, one.lines, one.disputes)
