"""The one place where value moves: transactions of `domain.movements` become rows."""

from collections.abc import Iterable
from uuid import UUID

import asyncpg

from suanwang.domain.ledger import Transaction, Transfer
from suanwang.errors import Conflict, InsufficientValue
from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("posting")


async def post(tx: Connection, transactions: Iterable[Transaction], now_s: int) -> None:
    """Record all or nothing. A transaction that is recorded already is left alone, if it is the same.

    A flow that goes on after a refusal calls this within `async with tx.transaction()`, a savepoint.

    Raises Conflict if an id comes again with another content; InsufficientValue (from the transaction) if a limited
    account would fall below zero.
    """
    batch: dict[UUID, Transaction] = {}
    for transaction in transactions:
        if transaction.transfers and (first := batch.setdefault(transaction.id, transaction)) is not transaction:
            _check_same(transaction, first.sha256)
    if not batch:
        return
    ids = await _account_ids(tx, batch.values())
    # Sorted for the same reason as the accounts: two calls may bring the same transactions in different orders.
    rows = sorted(batch.values(), key=lambda transaction: transaction.id)
    opened = await tx.fetch(
        _SQL["open_transactions"],
        [row.id for row in rows],
        [row.kind for row in rows],
        [row.subject for row in rows],
        [row.sha256 for row in rows],
        [len(row.transfers) for row in rows],
        [row.total_fen for row in rows],
        [row.actor for row in rows],
        [row.effective_s for row in rows],
        now_s,
    )
    new = {row["id"] for row in opened}
    await _check_repeated(tx, [row for row in rows if row.id not in new])
    legs = [(row.id, transfer) for row in batch.values() if row.id in new for transfer in row.transfers]
    if legs:
        await _insert_transfers(tx, legs, ids)


async def check_now(tx: Connection) -> None:
    """Have the database check at once what it would check at the end: that what was posted so far balances."""
    await tx.execute("set constraints all immediate; set constraints all deferred")


async def _insert_transfers(tx: Connection, legs: list[tuple[UUID, Transfer]], ids: dict[str, int]) -> None:
    try:
        await tx.execute(
            _SQL["insert_transfers"],
            [transaction_id for transaction_id, _ in legs],
            [ids[transfer.debit.key] for _, transfer in legs],
            [ids[transfer.credit.key] for _, transfer in legs],
            [transfer.amount_fen for _, transfer in legs],
        )
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "account_covers":
            raise
        raise InsufficientValue("an account does not cover this movement") from None


async def _account_ids(tx: Connection, transactions: Iterable[Transaction]) -> dict[str, int]:
    """Account key -> row. Those that are not there yet are opened."""
    accounts = {
        account.key: account
        for transaction in transactions
        for transfer in transaction.transfers
        for account in (transfer.debit, transfer.credit)
    }
    ids = await _found_ids(tx, list(accounts))
    # Sorted, so that two batches that open the same accounts never wait for each other in a ring.
    new = [accounts[key] for key in sorted(accounts.keys() - ids)]
    if new:
        opened = await tx.fetch(
            _SQL["open_accounts"],
            [account.key for account in new],
            [account.kind for account in new],
            [account.owner for account in new],
            [account.asset for account in new],
            [account.limited for account in new],
            [account.job_id for account in new],
        )
        ids |= {row["key"]: row["id"] for row in opened}
    others = list(accounts.keys() - ids)  # opened by another transaction in between
    return ids | await _found_ids(tx, others) if others else ids


async def _found_ids(tx: Connection, keys: list[str]) -> dict[str, int]:
    return {row["key"]: row["id"] for row in await tx.fetch(_SQL["accounts"], keys)}


async def _check_repeated(tx: Connection, repeated: list[Transaction]) -> None:
    if not repeated:
        return
    recorded = {
        row["id"]: row["request_sha256"] for row in await tx.fetch(_SQL["recorded_sha256"], [r.id for r in repeated])
    }
    for transaction in repeated:
        _check_same(transaction, recorded[transaction.id])


def _check_same(transaction: Transaction, recorded_sha256: bytes) -> None:
    if recorded_sha256 != transaction.sha256:
        raise Conflict(
            f"{transaction.kind} {transaction.subject} is recorded with another content", id=str(transaction.id)
        )
