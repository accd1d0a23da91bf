"""What the book says is owed to centres and to tenants; and, where no month was ever closed, its payment at once."""

from suanwang.control import period as periods
from suanwang.control import settlement
from suanwang.domain.ledger import CASH, AccountKind
from suanwang.domain.settlement import APPROVED, PAID, gather
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict
from suanwang.store import answer, event, ledger
from suanwang.store import period as closed_periods
from suanwang.store import settlement as settlements
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.period import EVERY_SEAL
from suanwang.wire import Payment

ZONE = "Asia/Shanghai"
ALL_TIME_S = 2**62


async def owed(tx: Connection) -> list[Payment]:
    """Everything that is owed and not paid, by payee; sums of posted transfers only, whatever batch they are in."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in await ledger.open_balances(tx, AccountKind.PAYABLE, AccountKind.REIMBURSABLE):
        if row.amount_fen > 0:  # who was paid, and then gave back, owes: paid so much less next time
            kind = "centre" if row.kind is AccountKind.PAYABLE else "tenant"
            found.setdefault((kind, row.owner), {})[row.asset] = row.amount_fen
    return [
        Payment(payee, kind, assets.get(CASH, 0), {a.partition("@")[2]: fen for a, fen in assets.items() if a != CASH})
        for (kind, payee), assets in sorted(found.items())
    ]


async def settle(db: Database, actor: Actor, call: Call, now_s: int, zone: str = ZONE) -> list[Payment]:
    """Propose, approve and pay all that is open now, as batches like any other. The same key again pays nothing twice.

    Raises Conflict once a month was closed: from then on a batch takes two people.
    """
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, list[Payment], now_s)
        if repeated is not None:
            return repeated
        # One settlement at a time, and no month is closed meanwhile.
        await ledger.lock_settlement(tx)
        await closed_periods.lock(tx)
        if await closed_periods.periods(tx):
            raise Conflict(
                "months are closed here: propose batches, and let another approve them", code="TAKES_BATCHES"
            )
        month = periods.name_at(now_s, zone)
        found = gather(await settlements.open_entries(tx, ALL_TIME_S, EVERY_SEAL))
        made = await settlement.insert(tx, actor, found, month, now_s, at_once=True)
        payments = []
        for batch in await settlement.read(tx, batch_ids=made):
            await settlements.insert_step(tx, batch.id, APPROVED, "", actor.token_id, None, now_s)
            paid = await settlement.post_payment(tx, actor, batch, now_s)
            await settlements.insert_step(tx, batch.id, PAID, "", actor.token_id, paid, now_s)
            if paid:
                payments.append(Payment(batch.payee, batch.kind, batch.cash_fen, batch.voucher_fen))
        await event.append(
            tx, now_s, actor.token_id, [NewEvent("settled", body={"batches": made, "payments": payments})]
        )
        await answer.remember(tx, call, payments)
    return payments
