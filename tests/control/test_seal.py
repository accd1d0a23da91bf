"""The sealed book: what is changed afterwards is found, by the hub's proofs and by anybody with an export."""

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.api.receipt import read_receipt
from suanwang.cli.evidence import check_receipt
from suanwang.control import seal
from suanwang.control.prove import prove
from suanwang.domain import movements
from suanwang.domain.ledger import Transaction
from suanwang.domain.seal import Seal, open_debts, read_seal, seal_line, verify
from suanwang.store import job as jobs
from suanwang.store import seal as seals
from suanwang.store.posting import post
from suanwang.testing.network import START_S, SmallNetwork, job_spec
from suanwang.wire import Receipt
from tests.control.test_refunds import charged, give_back

LATER_S = START_S + 3_600


async def record(net: SmallNetwork, *transactions: Transaction, at_s: int = START_S) -> None:
    async with net.db.transaction() as tx:
        await post(tx, transactions, at_s)


def top_up(fen: int, key: str, tenant_id: str = "acme") -> Transaction:
    return movements.top_up(tenant_id, fen, key, START_S, "test")


async def exported(net: SmallNetwork, from_s: int = 0, until_s: int = 2**40) -> list[str]:
    return [line async for line in seal.export(net.db, from_s, until_s)]


async def broken(net: SmallNetwork) -> set[str]:
    return {one.name for one in (await prove(net.db, START_S)).proofs if not one.holds}


async def as_superuser(net: SmallNetwork, *statements: str) -> None:
    """Somebody who can switch triggers and checks off, and leaves every sum right."""
    owner = await asyncpg.connect(net.db.url)
    try:
        await owner.execute("set session_replication_role = replica")
        for statement in statements:
            assert not (await owner.execute(statement)).endswith(" 0"), statement
    finally:
        await owner.close()


async def sealed_book(net: SmallNetwork) -> list[str]:
    """Two seals over a job's whole life and some more; all proofs hold. Returns the export."""
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    await net.turn()
    await seal.seal_all(net.db, net.now_s)
    await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(3_600)
    (one,) = await seal.seal_all(net.db, net.now_s)
    assert (one.number, one.entries) == (2, 3)  # hold, charge, release
    assert await seal.seal_all(net.db, net.now_s) == []
    assert await broken(net) == set()
    return await exported(net)


async def test_an_export_is_checked_without_the_hub(net: SmallNetwork) -> None:
    book = await sealed_book(net)
    found = verify(book)
    assert found.holds
    assert found.from_the_beginning
    assert (found.seals, found.transactions) == (2, 4)
    assert found.balances["bank:clearing:CNY"] == -100_000
    assert found.balances["cash:acme:CNY"] == 100_000 - 500
    assert list(open_debts(found.balances)) == [("payable:east:CNY", 500)]


async def test_a_part_of_the_book_hangs_on_the_seal_before_it(net: SmallNetwork) -> None:
    await sealed_book(net)
    part = await exported(net, from_s=net.now_s)
    found = verify(part)
    assert found.holds
    assert not found.from_the_beginning
    assert (found.seals, found.transactions) == (1, 3)
    whole = await exported(net)
    (first_seal, *_others) = [number for number, line in enumerate(whole) if read_seal(line)]
    assert await exported(net, until_s=START_S) == whole[: first_seal + 1]
    assert await exported(net, from_s=net.now_s + 1) == []
    assert not verify([]).holds


@pytest.mark.parametrize(
    ("forgery", "seen_by"),
    [
        ("update ledger_transaction set effective_s = effective_s + 86400 where kind = 'charge'", {"sealed_unchanged"}),
        ("update ledger_transaction set actor = 'nobody' where kind = 'top_up'", {"sealed_unchanged"}),
        (
            "update transfer set amount_fen = amount_fen + 1 where transaction_id in "
            "(select id from ledger_transaction where kind = 'charge')",
            {"sealed_unchanged", "transactions_whole", "balances_replay"},
        ),
        (
            "delete from transfer where transaction_id in (select id from ledger_transaction where kind = 'release')",
            {"sealed_unchanged", "transactions_whole", "balances_replay"},
        ),
        ("delete from sealed where seal = 2 and place = 2", {"nothing_slipped_in", "seals_chained"}),
        ("update seal set sealed_s = sealed_s - 1 where number = 1", {"seals_chained"}),
        ("delete from seal where number = 1", {"seals_chained"}),
    ],
)
async def test_whoever_rewrites_history_is_seen(net: SmallNetwork, forgery: str, seen_by: set[str]) -> None:
    await sealed_book(net)
    await as_superuser(net, forgery)
    assert seen_by <= await broken(net)


async def test_a_transaction_that_is_taken_out_whole_or_put_in_is_seen(net: SmallNetwork) -> None:
    """With balances and sums put right, so that only the seals tell."""
    await sealed_book(net)
    await record(net, top_up(7, "late"))
    await seal.seal_all(net.db, net.now_s)
    late = "(select id from ledger_transaction where subject = 'acme' and total_fen = 7)"
    await as_superuser(
        net,
        "update balance set amount_fen = amount_fen - 7 where account_id = "
        "(select id from account where key = 'cash:acme:CNY')",
        "update rolled set amount_fen = amount_fen + 7 where account_id = "
        "(select id from account where key = 'bank:clearing:CNY')",
        f"delete from transfer where transaction_id in {late}",
        f"delete from ledger_transaction where id in {late}",
    )
    assert await broken(net) == {"sealed_unchanged"}
    assert not verify(await exported(net)).holds


async def test_a_transaction_from_the_past_is_seen(net: SmallNetwork) -> None:
    await sealed_book(net)
    await record(net, top_up(7, "backdated"))
    await as_superuser(
        net, "update ledger_transaction set xid = '3', recorded_s = recorded_s - 100 where total_fen = 7"
    )
    assert await broken(net) == {"nothing_slipped_in"}


async def test_transactions_that_change_places_are_seen(net: SmallNetwork) -> None:
    """Two of one database transaction, with their amounts and all sums as before."""
    await record(net, top_up(3, "a"), top_up(4, "b"))
    await seal.seal_all(net.db, START_S)
    assert await broken(net) == set()
    await as_superuser(
        net,
        "alter table transfer alter column seq set generated by default",
        "update transfer set seq = 100 - seq where amount_fen in (3, 4)",
    )
    assert await broken(net) == {"sealed_unchanged"}


async def test_every_spoilt_line_of_an_export_is_seen(net: SmallNetwork) -> None:
    book = await sealed_book(net)
    for number, line in enumerate(book):
        assert not verify([*book[:number], *book[number + 1 :]]).holds or number == len(book) - 1
        assert not verify([*book[:number], line, *book[number:]]).holds
        assert not verify([*book[:number], line.replace("0", "1", 1), *book[number + 1 :]]).holds
    for number in range(len(book) - 1):
        moved = [*book[:number], book[number + 1], book[number], *book[number + 2 :]]
        assert not verify(moved).holds
    without_the_last_seal = verify(book[:-1])
    last_group = [number for number, line in enumerate(book) if read_seal(line)][-2] + 2
    assert [(one.line, one.code) for one in without_the_last_seal.wrong] == [(last_group, "BOOK_GOES_ON")]


async def test_a_receipt_is_checked_without_the_hub(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(3_600)

    async def receipt() -> Receipt:
        async with net.db.transaction(snapshot=True) as tx:
            return await read_receipt(tx, await jobs.job(tx, UUID(submitted.job_id)), net.now_s)

    early = check_receipt(msgspec.json.encode(await receipt()).decode())
    assert (early.holds, early.sealed, early.all) == (False, 0, 3)
    assert all("nothing shows it" in one for one in early.wrong[:3])
    await seal.seal_all(net.db, net.now_s)
    told = await receipt()
    found = check_receipt(msgspec.json.encode(told).decode())
    assert (found.holds, found.sealed, found.all) == (True, 3, 3)
    async with net.db.transaction(snapshot=True) as tx:
        (last,) = await seals.latest(tx, 1)
    assert [(one.number, one.sha256) for one in found.seals] == [(last.number, last.sha256.hex())]
    as_dict = json.loads(msgspec.json.encode(told))
    line = as_dict["evidence"][0]["line"]
    for inside, spoilt in (
        (("transfers", 0, "amount_fen"), 1),
        (("attempts", 0, "charges", 0, "amount_fen"), 1),
        (("charged_fen",), 1),
        (("evidence", 0, "place"), as_dict["evidence"][0]["place"] ^ 1),
        (("evidence",), []),
        (("evidence", 0, "line"), line.replace("hold", "Hold")),
        (("evidence", 0, "path"), ["zz"]),
        (("evidence", 0, "seal"), "[]"),
    ):
        copy = json.loads(json.dumps(as_dict))
        *way, last_step = inside
        place = copy
        for one in way:
            place = place[one]
        place[last_step] = spoilt
        assert not check_receipt(json.dumps(copy)).holds, inside


async def test_what_is_under_way_is_left_for_the_next_seal(net: SmallNetwork) -> None:
    """Neither forgotten nor waited for, though its transaction began before others that are sealed already."""
    await record(net, top_up(1, "a"), top_up(1, "b", "other"))
    async with net.db.transaction() as tx:
        await post(tx, [top_up(5, "slow")], START_S)
        await record(net, top_up(6, "quick", "other"))
        assert [one.entries for one in await seal.seal_all(net.db, START_S)] == [2]
    assert [one.entries for one in await seal.seal_all(net.db, LATER_S)] == [2]
    assert await broken(net) == set()


async def test_two_hubs_seal_at_once_and_large_books_in_pieces(
    net: SmallNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "MAX_ENTRIES", 4)
    await record(net, *(top_up(1, str(i)) for i in range(10)))
    made = await asyncio.gather(*(seal.seal_all(net.db, START_S) for _ in range(4)))
    numbers = sorted((one.number, one.entries) for several in made for one in several)
    assert numbers == [(1, 4), (2, 4), (3, 2)]
    assert await broken(net) == set()
    assert verify(await exported(net)).holds


@given(
    st.builds(
        Seal,
        st.integers(1, 2**60),
        st.integers(1, 10**6),
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=32, max_size=32),
        st.integers(0, 2**40),
    )
)
def test_a_seal_is_read_as_it_was_written(one: Seal) -> None:
    assert read_seal(seal_line(one)) == one
    assert read_seal(seal_line(one) + " ") is None


def amounts(node: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to every amount and quantity of a receipt that is charged, not only expected."""
    found: list[tuple[Any, ...]] = []
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        if step in ("decision", "spec", "reason", "estimate_fen", "running_fen"):
            continue
        if type(value) is int and str(step).endswith(("_fen", "fen_per_chip_hour", "chip_s")):
            found.append((*way, step))
        found += amounts(value, (*way, step))
    return found


@pytest.mark.parametrize("flow", ["offset", "reimburse"])
async def test_no_amount_of_a_receipt_can_be_altered(net: SmallNetwork, flow: str) -> None:
    _, job = await charged(net, flow)
    await give_back(net, job, 101)
    await give_back(net, job, 50)
    await seal.seal_all(net.db, net.now_s)
    async with net.db.transaction(snapshot=True) as tx:
        receipt = await read_receipt(tx, await jobs.job(tx, UUID(job.job_id)), net.now_s)
    text = msgspec.json.encode(receipt).decode()
    assert check_receipt(text).wrong == []
    ways = amounts(json.loads(text))
    assert len(ways) > 20
    spoilt: list[tuple[tuple[Any, ...], Any]] = [(way, None) for way in ways]
    spoilt += [(("tenant_id",), "beta"), (("id",), str(UUID(int=1))), (("voucher_id",), str(UUID(int=2)))]
    spoilt += [(("refunds",), []), (("attempts", 0, "charges"), []), (("attempts", 0, "centre_id"), "west")]
    for way, value in spoilt:
        copy = json.loads(text)
        place = copy
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = place[way[-1]] + 1 if value is None else value
        assert not check_receipt(json.dumps(copy)).holds, way
