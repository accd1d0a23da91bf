"""A month is closed once, and its figures stay: by the book, line by line, and for whoever adds them up later."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from suanwang.control import period, statement
from suanwang.control.prove import prove
from suanwang.domain import movements
from suanwang.errors import Conflict, InvalidInput
from suanwang.store.posting import post
from suanwang.testing.network import ADMIN, START_S, SmallNetwork, job_spec
from suanwang.wire import PeriodLine, Statement
from tests.control.test_refunds import assert_proofs, charged, give_back

ZONE = "Asia/Shanghai"
NOVEMBER = "2023-11"


def at_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp())


async def close(net: SmallNetwork, name: str, key: str | None = None) -> PeriodLine:
    return await period.close(net.db, ADMIN, name, ZONE, net.call(ADMIN, key), net.now_s)


async def tenant_statement(net: SmallNetwork, name: str, tenant_id: str = "acme") -> Statement:
    async with net.db.transaction(snapshot=True) as tx:
        return await statement.of_tenant(tx, name, tenant_id, ZONE)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2023-11", "2023-11-01", "2023-12-01"),
        ("2023-12", "2023-12-01", "2024-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
    ],
)
def test_a_month_begins_at_midnight_there(name: str, start: str, end: str) -> None:
    assert period.bounds_s(name, ZONE) == (at_s(start), at_s(end))
    assert period.name_at(at_s(end) - 1, ZONE) == name
    assert period.name_at(at_s(start), ZONE) == name


@pytest.mark.parametrize("name", ["2023-13", "2023-1", "0000-01", "9999-12", "2023-11 ", "２０２３-11", ""])
def test_what_is_no_month_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        period.bounds_s(name, ZONE)


async def test_a_closed_month_stays_as_it_is_and_what_is_late_is_in_the_next(net: SmallNetwork) -> None:
    _, job = await charged(net, "offset")
    assert START_S < net.now_s < at_s("2023-12-01")
    with pytest.raises(Conflict) as early:
        await close(net, NOVEMBER)
    assert early.value.code == "PERIOD_NOT_OVER"
    net.now_s = at_s("2023-12-01")
    november = await close(net, NOVEMBER, key="once")
    assert (november.charged_fen, november.refunded_fen, november.closed) == (1_001, 0, True)
    assert await close(net, NOVEMBER, key="once") == november
    with pytest.raises(Conflict) as again:
        await close(net, NOVEMBER)
    assert again.value.code == "PERIOD_CLOSED"
    first = await tenant_statement(net, NOVEMBER)
    assert (first.charged_fen, first.voucher_fen, first.cash_fen) == (1_001, 500, 501)
    assert first.invoice == "SW-2023-11-acme"

    await give_back(net, job, 501)
    await assert_proofs(net)
    assert await tenant_statement(net, NOVEMBER) == first
    december = await tenant_statement(net, "2023-12")
    (line,) = december.lines
    assert (line.amount_fen, line.voucher_fen, line.cash_fen, line.corrects_earlier) == (-501, -250, -251, True)
    assert december.invoice is None
    with pytest.raises(Conflict) as skipped:
        net.now_s = at_s("2024-02-01")
        await close(net, "2024-01")
    assert (skipped.value.code, skipped.value.facts["next"]) == ("PERIOD_NOT_NEXT", "2023-12")
    assert (await close(net, "2023-12")).refunded_fen == 501
    assert (await tenant_statement(net, "2023-12")).cash_fen == -251
    await assert_proofs(net)


async def test_a_fact_of_a_closed_month_that_comes_late_is_billed_in_the_next(net: SmallNetwork) -> None:
    """The report of a job that ran in November arrives in December: charged in December, at November's time."""
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east")
    await net.turn()
    await net.submit(tenant, job_spec(walltime_s=7_200))
    await net.turn()
    net.now_s = at_s("2023-12-01")
    november = await close(net, NOVEMBER)
    assert november.charged_fen == 0
    assert east.centre_id == "east"
    await net.turn()
    await net.turn(3_600)
    found = await tenant_statement(net, "2023-12")
    assert found.charged_fen > 0
    assert (await tenant_statement(net, NOVEMBER)).lines == []
    await assert_proofs(net)


async def test_a_centre_sees_what_it_earned_and_is_owed(net: SmallNetwork) -> None:
    _, job = await charged(net, "offset")
    await give_back(net, job, 1)
    async with net.db.transaction(snapshot=True) as tx:
        (own,) = await statement.of_centres(tx, NOVEMBER, "east-org", ZONE)
        assert await statement.of_centres(tx, NOVEMBER, "agency", ZONE) == []
    cash, of_programme = own.earnings
    assert (cash.programme_id, cash.charged_fen, cash.refunded_fen, cash.paid_fen, cash.owed_fen) == (
        None,
        501,
        1,
        0,
        500,
    )
    assert (of_programme.programme_id, of_programme.charged_fen, of_programme.owed_fen) == ("p", 500, 500)


async def test_the_database_refuses_to_change_a_closed_month(net: SmallNetwork) -> None:
    await charged(net, None)
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    for change in ("update period set charged_fen = 0", "delete from period"):
        with pytest.raises(asyncpg.PostgresError):
            async with net.db.transaction() as tx:
                await tx.execute(change)
    owner = await asyncpg.connect(net.db.url)
    await owner.execute("alter table period disable trigger period_append_only")
    await owner.execute("update period set charged_fen = charged_fen + 1")
    await owner.close()
    found = {one.name: one for one in (await prove(net.db, net.now_s)).proofs}
    assert found["periods_closed"].contradictions[0]["charged_fen"] == "1002 -> 1001"


async def test_a_month_waits_for_what_is_not_over(net: SmallNetwork, database_url: str) -> None:
    """An entry behind a transaction of somebody else cannot be sealed: the month is not closed without it."""
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east", fen_per_chip_hour=0)
    await net.turn()
    await period.close(net.db, ADMIN, "2023-10", ZONE, net.call(ADMIN), net.now_s)
    other = await asyncpg.connect(database_url)
    going_on = other.transaction()
    await going_on.start()
    await other.execute("select pg_current_xact_id()")
    async with net.db.transaction() as tx:
        await post(tx, [movements.top_up(tenant.organisation_id, 5, "late", net.now_s, "test")], net.now_s)
    net.now_s = at_s("2023-12-01")
    with pytest.raises(Conflict) as refused:
        await close(net, NOVEMBER)
    assert refused.value.code == "BOOK_NOT_SEALED"
    closing = asyncio.create_task(close(net, NOVEMBER))
    await asyncio.sleep(0.3)
    await going_on.rollback()
    await other.close()
    assert (await closing).closed
