"""What comes twice in one call, or in two calls in two orders."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from suanwang.domain import movements
from suanwang.domain.ledger import Transaction, tenant_cash
from suanwang.errors import Conflict
from suanwang.store import db, ledger
from suanwang.store.posting import post

TURNS = 30


def top_up(tenant: str, fen: int, key: str) -> Transaction:
    return movements.top_up(tenant, fen, key, 0, "test")


@pytest.fixture
async def database(book_url: str) -> AsyncIterator[db.Database]:
    opened = await db.connect(book_url)
    yield opened
    await opened.close()


async def record(database: db.Database, *transactions: Transaction) -> None:
    async with database.transaction() as tx:
        await post(tx, transactions, 0)


async def test_one_id_with_two_contents_is_refused_within_one_call_too(database: db.Database) -> None:
    with pytest.raises(Conflict):
        await record(database, top_up("acme", 1, "a"), top_up("acme", 2, "a"))
    await record(database, top_up("acme", 3, "a"), top_up("acme", 3, "a"))
    async with database.transaction() as tx:
        assert await ledger.balance_fen(tx, tenant_cash("acme")) == 3


async def test_the_same_transactions_in_opposite_orders_never_wait_in_a_ring(database: db.Database) -> None:
    await record(database, top_up("acme", 1, "open"))
    for turn in range(TURNS):
        forward = [top_up("acme", 1, f"{turn}/{number}") for number in range(400)]
        await asyncio.gather(record(database, *forward), record(database, *reversed(forward)))
    async with database.transaction() as tx:
        assert await ledger.balance_fen(tx, tenant_cash("acme")) == 1 + TURNS * 400
