"""The book refuses what must not be, in the database itself."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from suanwang.control.prove import prove
from suanwang.domain import movements
from suanwang.domain.ledger import CASH, Transaction, Transfer, bank, budget, hold_on, payable, tenant_cash
from suanwang.domain.movements import VoucherSource
from suanwang.errors import Conflict, InsufficientValue
from suanwang.store import ledger
from suanwang.store.posting import post
from suanwang.testing.network import START_S, SmallNetwork

RECORDED = ("account", "ledger_transaction", "transfer", "usage", "charge", "event", "node_capacity")


async def record(net: SmallNetwork, *transactions: Transaction) -> None:
    async with net.db.transaction() as tx:
        await post(tx, transactions, START_S)


async def cash_fen(net: SmallNetwork, tenant_id: str = "acme") -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash(tenant_id))


def top_up(fen: int, key: str = "a") -> Transaction:
    return movements.top_up("acme", fen, key, START_S, "test")


def hold(fen: int, job: str | None = None) -> Transaction:
    return movements.hold("acme", job or str(uuid4()), 1, fen, None, 0, START_S, "test")


async def test_a_movement_asked_for_twice_is_one_and_another_content_is_refused(net: SmallNetwork) -> None:
    await record(net, top_up(100), top_up(100))
    await record(net, top_up(100))
    assert await cash_fen(net) == 100
    with pytest.raises(Conflict):
        await record(net, top_up(101))
    assert await cash_fen(net) == 100


async def test_a_limited_account_never_falls_below_zero_and_the_flow_may_go_on(net: SmallNetwork) -> None:
    await record(net, top_up(100))
    async with net.db.transaction() as tx:
        with pytest.raises(InsufficientValue):
            async with tx.transaction():
                await post(tx, [hold(101)], START_S)
        await post(tx, [hold(100)], START_S)
    assert await cash_fen(net) == 0


async def test_a_rush_on_an_account_with_money_for_half_ends_at_exactly_zero(net: SmallNetwork) -> None:
    await record(net, top_up(50 * 7))

    async def one() -> bool:
        try:
            await record(net, hold(7))
        except InsufficientValue:
            return False
        return True

    answers = await asyncio.gather(*(one() for _ in range(100)))
    assert answers.count(True) == 50
    assert await cash_fen(net) == 0
    assert (await prove(net.db, START_S)).proofs[2].holds


async def test_a_hold_is_captured_at_most_once_and_never_beyond_itself(net: SmallNetwork) -> None:
    job = str(uuid4())
    await record(net, top_up(100), hold(60, job))
    with pytest.raises(InsufficientValue):
        await record(net, movements.charge("acme", job, 1, 0, "east", 61, None, 0, START_S, "test"))
    await record(net, movements.charge("acme", job, 1, 0, "east", 60, None, 0, START_S, "test"))
    with pytest.raises(InsufficientValue):
        await record(net, movements.charge("acme", job, 1, 60, "east", 1, None, 0, START_S, "test"))


@pytest.mark.parametrize("table", RECORDED)
@pytest.mark.parametrize("change", ["update {} set id = id", "delete from {}", "truncate {} cascade"])
async def test_what_is_recorded_stays_even_for_the_owner(net: SmallNetwork, table: str, change: str) -> None:
    await record(net, top_up(100))
    owner = await asyncpg.connect(net.db.url)
    columns = {"transfer": "amount_fen = amount_fen", "usage": "chips = chips", "charge": "chip_s = chip_s"}
    columns["event"] = columns["node_capacity"] = "at_s = at_s"
    statement = change.format(table).replace("id = id", columns.get(table, "kind = kind"))
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(statement)
        assert refused.value.sqlstate == "SW001"
        await owner.execute("set role suanwang_app")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("update balance set amount_fen = 1")
    finally:
        await owner.close()


HEADER = """
insert into ledger_transaction (id, kind, subject, request_sha256, transfers, total_fen, actor, effective_s, recorded_s)
values ($1, 'test', 'test', '', $2, $3, 'test', 0, 0)
"""
LEG = """
insert into transfer (transaction_id, debit_id, credit_id, amount_fen)
select $1, (select id from account where key = $2), (select id from account where key = $3), $4
"""


async def refused_by_database(net: SmallNetwork, legs: list[tuple[str, str, int]], count: int, total_fen: int) -> str:
    """The code with which the database refuses a transaction with these legs and that header."""
    owner = await asyncpg.connect(net.db.url)
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with owner.transaction():
                key = uuid4()
                await owner.execute(HEADER, key, count, total_fen)
                for debit, credit, fen in legs:
                    await owner.execute(LEG, key, debit, credit, fen)
        return refused.value.sqlstate
    finally:
        await owner.close()


async def test_the_database_refuses_what_does_not_balance(net: SmallNetwork) -> None:
    fund = movements.fund("p", 100, "a", START_S, "test")
    await record(net, top_up(100), fund)
    cash, voucher_money = bank(CASH).key, budget("p").key
    tenant = tenant_cash("acme").key
    across = [(voucher_money, tenant, 5)]
    assert await refused_by_database(net, across, 1, 5) == "SW003"
    assert await refused_by_database(net, [(cash, tenant, 5)], 2, 5) == "SW003"
    assert await refused_by_database(net, [(cash, tenant, 5)], 1, 6) == "SW003"
    assert await refused_by_database(net, [], 1, 5) == "SW003"
    assert await refused_by_database(net, [(cash, tenant, -5)], 1, 5) == "23514"
    assert await refused_by_database(net, [(tenant, tenant, 5)], 1, 5) == "23514"
    assert await refused_by_database(net, [(tenant, cash, 101)], 1, 101) == "23514"
    assert await cash_fen(net) == 100


STRAY = "insert into transfer (transaction_id, debit_id, credit_id, amount_fen) values ($1, $2, $3, 5)"


@pytest.mark.parametrize("stray", ["debit", "credit", "both"])
async def test_a_transfer_is_between_accounts_that_are_there(net: SmallNetwork, stray: str) -> None:
    await record(net, top_up(100))
    owner = await asyncpg.connect(net.db.url)
    try:
        bank_id, nobody = await owner.fetchval("select id from account where key = $1", bank(CASH).key), 2**40
        debit_id, credit_id = (nobody if stray in (side, "both") else bank_id for side in ("debit", "credit"))
        for legs in (1, 2):  # the header counts the stray one, or leaves it out
            with pytest.raises(asyncpg.PostgresError) as refused:
                async with owner.transaction():
                    key = uuid4()
                    await owner.execute(HEADER, key, 1, 5)
                    await owner.execute(STRAY, key, debit_id, credit_id + (stray == "both"))
                    if legs == 2:
                        await owner.execute(LEG, key, bank(CASH).key, tenant_cash("acme").key, 5)
            assert refused.value.sqlstate == "SW003"
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(LEG, uuid4(), bank(CASH).key, tenant_cash("acme").key, 5)
        assert refused.value.sqlstate == "SW002"
    finally:
        await owner.close()


async def test_a_transfer_cannot_join_a_transaction_that_is_recorded(net: SmallNetwork) -> None:
    await record(net, top_up(100))
    owner = await asyncpg.connect(net.db.url)
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(LEG, top_up(100).id, bank(CASH).key, tenant_cash("acme").key, 1)
        assert refused.value.sqlstate == "SW002"
    finally:
        await owner.close()


async def test_prove_finds_an_altered_fen_and_a_deleted_row(net: SmallNetwork) -> None:
    await record(net, top_up(100), top_up(50, "b"))
    assert (await prove(net.db, START_S)).hold
    owner = await asyncpg.connect(net.db.url)
    try:
        await owner.execute("set session_replication_role = replica")  # a superuser who switches the triggers off
        await owner.execute("update transfer set amount_fen = amount_fen + 1 where amount_fen = 100")
        assert not (await prove(net.db, START_S)).hold
        await owner.execute("update transfer set amount_fen = amount_fen - 1 where amount_fen = 101")
        assert (await prove(net.db, START_S)).hold
        await owner.execute("delete from transfer where amount_fen = 50")
        broken = {one.name for one in (await prove(net.db, START_S)).proofs if not one.holds}
        assert {"transactions_whole", "balances_replay"} <= broken
    finally:
        await owner.close()


def test_a_transaction_balances_by_construction() -> None:
    with pytest.raises(ValueError, match="one asset"):
        Transfer(budget("p"), tenant_cash("a"), 1)
    with pytest.raises(ValueError, match="more than nothing"):
        Transfer(bank(CASH), tenant_cash("a"), 0)
    source = VoucherSource("v", "p")
    charge = movements.charge("a", "j", 1, 0, "c", 3, source, 2, START_S, "test")
    assert [(t.debit, t.credit, t.amount_fen) for t in charge.transfers] == [
        (hold_on(source.account, "j"), payable("c", "CNY@p"), 2),
        (hold_on(tenant_cash("a"), "j"), payable("c", CASH), 3),
    ]
    assert charge.id == replace(charge, effective_s=1).id
    assert isinstance(charge.id, UUID)
