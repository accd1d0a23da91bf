"""Settlement: what the book says is owed to centres and to tenants is paid, in one batch."""

from suanwang.domain import movements
from suanwang.domain.ledger import CASH, AccountKind, Transaction
from suanwang.domain.tenant import Actor
from suanwang.store import answer, event, ledger
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.posting import post
from suanwang.wire import Payment


async def owed(tx: Connection) -> list[Payment]:
    """Everything that is owed and not paid, by payee; sums of posted transfers only."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in await ledger.open_balances(tx, AccountKind.PAYABLE, AccountKind.REIMBURSABLE):
        if row.amount_fen > 0:  # who was paid, and then gave back, owes: paid so much less next time
            kind = "centre" if row.kind is AccountKind.PAYABLE else "tenant"
            found.setdefault((kind, row.owner), {})[row.asset] = row.amount_fen
    return [
        Payment(payee, kind, assets.get(CASH, 0), {a.partition("@")[2]: fen for a, fen in assets.items() if a != CASH})
        for (kind, payee), assets in sorted(found.items())
    ]


async def settle(db: Database, actor: Actor, call: Call, now_s: int) -> list[Payment]:
    """Pay what is owed now. The same key again answers with the same batch and pays nothing twice."""
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, list[Payment], now_s)
        if repeated is not None:
            return repeated
        # One settlement at a time: two that read the same debts would pay them twice.
        await ledger.lock_settlement(tx)
        payments = await owed(tx)
        batch = f"{actor.organisation_id}/{call.key}"
        await post(tx, [_payment(payment, batch, now_s, actor.token_id) for payment in payments], now_s)
        await event.append(
            tx, now_s, actor.token_id, [NewEvent("settled", body={"batch": batch, "payments": payments})]
        )
        await answer.remember(tx, call, payments)
    return payments


def _payment(payment: Payment, batch: str, now_s: int, actor: str) -> Transaction:
    if payment.kind == "tenant":
        return movements.pay_tenant(payment.payee, payment.voucher_fen, batch, now_s, actor)
    amounts_fen = {f"{CASH}@{programme_id}": fen for programme_id, fen in payment.voucher_fen.items()}
    if payment.cash_fen:
        amounts_fen[CASH] = payment.cash_fen
    return movements.pay_centre(payment.payee, amounts_fen, batch, now_s, actor)
