"""What decides about money is recorded and sealed: nothing of it is altered, taken away or put in unseen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import dispute, project, seal
from suanwang.control.prove import prove
from suanwang.store.db import Database
from suanwang.testing.network import ADMIN, SmallNetwork
from suanwang.wire import DisputeAnswer, NewDispute, NewProject
from tests.control.test_orders import TOKENS, Shop
from tests.control.test_periods import ZONE
from tests.control.test_refunds import assert_proofs, charged, give_back
from tests.control.test_settlements import close_november, pay_all, propose

ALTERED = {
    "charges_posted": (
        "update charge set voucher_fen = voucher_fen + 1, cash_fen = cash_fen - 1",
        "update charge set voucher_fen = voucher_fen - 1, cash_fen = cash_fen + 1",
        "update charge set tenant_id = 'agency'",
        "update charge set centre_id = 'west'",
        "update charge set fen_per_chip_hour = 1",
        "update charge set from_s = from_s - 86400, until_s = until_s - 86400, effective_s = effective_s - 86400",
        "update charge set voucher_id = gen_random_uuid()",
    ),
    "refunds_posted": ("update refund set voucher_fen = voucher_fen + 1",),
    "accounts_named": (
        "update account set owner = 'west' where key = 'payable:east:CNY'",
        "update account set owner = 'agency' where key = 'cash:acme:CNY'",
        "update account set asset = 'CNY' where key = 'payable:east:CNY@p'",
        "update account set limited = false where key = 'cash:acme:CNY'",
        "update account set kind = 'fee' where key = 'payable:east:CNY'",
        "update account set job_id = gen_random_uuid() where kind = 'hold'",
    ),
    "records_kept": (
        "update voucher set tenant_id = 'agency'",
        "update voucher set valid_to_s = valid_to_s + 1",
        "update voucher set terms = jsonb_set(terms, '{share_of_bill_max_bp}', '10000')",
        "delete from voucher",
        "update programme set agency_id = 'acme'",
        "update programme set rules = jsonb_set(rules, '{caps}', '{}')",
        "delete from programme",
        "update claim set decided_fen = decided_fen - 1",
        "update refund set reason = 'none', actor = 'nobody'",
        "update refund set number = number + 5",
        "update dispute set reason = 'none'",
        "delete from dispute",
        "delete from dispute_answer",
        "update dispute_answer set refund_number = null",
        "update settlement set actor = 'nobody'",
        "delete from settlement",
        "update settlement_step set actor = 'nobody' where state = 'approved'",
        "delete from settlement_step where state = 'paid'",
        "delete from settlement_step where state = 'approved'",
        "update period set last_seal = last_seal + 1",
        "update period set actor = 'nobody'",
        "delete from period",
        "update pool_offer set fen_per_chip_hour = 1",
        "delete from pool_offer",
        "update product set unit = 'hour'",
        "update project set budget_fen = 1",
        "delete from project",
        "update service_order set tenant_id = 'agency'",
        "update order_charge set quantity = quantity * 10",
        "update order_charge set tenant_id = 'agency'",
        "delete from order_charge",
        "insert into voucher select gen_random_uuid(), programme_id, tenant_id, claim_id, terms, granted_fen, "
        "valid_from_s, valid_to_s, created_s from voucher",
    ),
    "sealed_unchanged": (
        "update row_record set said = jsonb_set(said, '{actor}', '\"nobody\"') where relation = 'period'",
        "delete from row_record where relation = 'settlement_step'",
        "update row_record a set said = b.said from row_record b where a.relation = 'settlement_step' "
        "and b.relation = a.relation and b.key <> a.key",
        "update row_record set seq = 1000000 - seq",
    ),
    "nothing_slipped_in": (
        "insert into row_record (xid, relation, key, said) select xid, relation, key, said from row_record "
        "where relation = 'settlement' limit 1",
    ),
    "seals_chained": ("delete from seal where number = (select max(number) from seal)",),
}


async def a_month(net: SmallNetwork) -> None:
    """A job by voucher, an order, a project, a refund by a dispute, and a month that is closed and paid."""
    tenant, job = await charged(net, "offset")
    await net.add_centre("west")
    await project.add(net.db, tenant, NewProject(name="vision", budget_fen=9), ZONE, net.call(tenant), net.now_s)
    await net.offer("east", products=(TOKENS,))
    shop = Shop(net, tenant)
    await shop.use(await shop.order("tokens", 2_000), 0, 2_500_000)
    await give_back(net, job, 101)
    new, job_id = NewDispute(reason="slow"), UUID(job.job_id)
    line = await dispute.open_dispute(net.db, tenant, job_id, new, net.call(tenant), net.now_s)
    said = DisputeAnswer(reason="it was", refund_fen=11)
    await dispute.resolve(net.db, ADMIN, line.number, said, net.call(ADMIN), net.now_s)
    await close_november(net)
    await pay_all(net, await propose(net))
    await seal.seal_all(net.db, net.now_s)
    await assert_proofs(net)


class OneConnection:
    """A database that is one connection, within its transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        yield self._connection


async def broken_on(connection: "asyncpg.Connection[asyncpg.Record]", now_s: int) -> set[str]:
    proofs = await prove(cast(Database, OneConnection(connection)), now_s)
    return {one.name for one in proofs.proofs if not one.holds}


@pytest.mark.timeout(300)
async def test_every_single_alteration_is_found(net: SmallNetwork) -> None:
    await a_month(net)
    owner = await asyncpg.connect(net.db.url)
    unseen = []
    for name, statements in ALTERED.items():
        for statement in statements:
            try:
                async with owner.transaction():
                    await owner.execute("set local session_replication_role = replica")
                    await owner.execute("alter table row_record alter column seq set generated by default")
                    done = await owner.execute(statement)
                    assert not done.endswith(" 0"), statement
                    if name not in await broken_on(owner, net.now_s):
                        unseen.append(statement)
                    raise asyncpg.exceptions.RaiseError("undone")
            except asyncpg.exceptions.RaiseError:
                pass
    await owner.close()
    assert unseen == []
    await assert_proofs(net)


PROVED = {
    *("account", "ledger_transaction", "transfer", "seal", "sealed", "row_record"),  # the book and its seals
    *("usage", "charge", "settlement_line"),  # each compared with the book, and usage with the attempts
    *("event", "node_capacity", "project_alert"),  # no money depends on them
}
"""Tables that only grow and have no records."""


async def test_a_table_that_only_grows_is_recorded_or_proved(net: SmallNetwork) -> None:
    owner = await asyncpg.connect(net.db.url)
    rows = await owner.fetch(
        "select distinct c.relname, t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid "
        "where not tgisinternal"
    )
    await owner.close()
    grows = {row["relname"] for row in rows if row["tgname"].endswith("_append_only")}
    recorded = {row["relname"] for row in rows if row["tgname"].endswith("_recorded")}
    assert grows - recorded == PROVED
    assert not recorded & PROVED
