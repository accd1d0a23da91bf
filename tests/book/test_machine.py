"""Every movement in any order, in amounts that may not fit, posted for real and kept in memory: both must agree."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from suanwang.domain import movements
from suanwang.domain.ledger import NAMESPACE, Transaction
from suanwang.domain.movements import VoucherSource
from suanwang.errors import Conflict, InsufficientValue
from suanwang.store import db, proof
from suanwang.store.migrate import migrate
from suanwang.store.posting import post
from suanwang.units import BASIS_POINTS
from tests.book import reference
from tests.book.reference import Reference

EXAMPLES, STEPS, BATCH = 115, 100, 25
LEAST_STEPS = 10_000
GENERAL_PROOFS = ("transactions_whole", "assets_sum_to_zero", "balances_replay")
LEGS = """
select d.key as source, c.key as target, l.amount_fen from transfer l
join account d on d.id = l.debit_id join account c on c.id = l.credit_id
where l.transaction_id = any($1::uuid[]) order by l.seq
"""
BALANCES = """
select a.key, a.limited, b.amount_fen, (
    coalesce((select sum(amount_fen) from transfer where credit_id = a.id), 0)
    - coalesce((select sum(amount_fen) from transfer where debit_id = a.id), 0))::bigint as summed_fen
from account a left join balance b on b.account_id = a.id where a.key = any($1::text[])
"""

small = st.integers(0, 60)
few = st.integers(0, 30)
part = st.integers(0, 12)
tenants, programmes, vouchers, jobs, centres = (st.integers(0, n) for n in (1, 1, 3, 3, 1))
shares = st.sampled_from([0, 3_000, 3_333, 5_000, BASIS_POINTS])
strangers = st.integers(0, 9).map(lambda number: number == 0)
"""Now and then a job's movement names a tenant and a voucher that are not the job's."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call and how it must go."""

    transaction: Transaction
    expected: str


@dataclass(slots=True)
class Bench:
    """What the examples of one run share."""

    runner: asyncio.Runner
    database: db.Database
    told: Counter[str]
    kinds: Counter[str]
    numbers: "count[int]"


def machine(bench: Bench) -> type[RuleBasedStateMachine]:
    class Book(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.prefix = f"x{next(bench.numbers)}"
            self.reference = Reference()
            self.queue: list[Step] = []
            self.calls: list[tuple[str, dict[str, Any]]] = []
            self.ids: list[UUID] = []
            opening = bench.runner.run(self.balances([reference.bank("CNY")]))
            self.reference.fen.update(opening)

        def name(self, kind: str, number: int) -> str:
            return f"{self.prefix}{kind}{number}"

        def source(self, number: int) -> tuple[str, str]:
            return self.name("v", number), self.name("p", number % 2)

        def job(self, number: int, stranger: bool) -> dict[str, Any]:
            """A job with its tenant and its voucher."""
            whose = number + stranger
            return {
                "job": str(uuid5(NAMESPACE, self.name("j", number))),
                "tenant": self.name("t", whose % 2),
                "source": self.source(whose % 4),
            }

        def call(self, movement: str, /, **facts: Any) -> None:
            self.calls.append((movement, facts))
            expected = getattr(self.reference, movement)(**facts)
            transaction = real(movement, facts)
            self.queue.append(Step(transaction, expected))
            self.ids.append(transaction.id)
            bench.told[expected] += 1
            bench.kinds[movement] += expected == "applied"
            if len(self.queue) >= BATCH:
                self.flush()

        def flush(self) -> None:
            bench.runner.run(self.post_queue())

        async def post_queue(self) -> None:
            steps, self.queue = self.queue, []
            async with bench.database.transaction() as tx:
                for step in steps:
                    assert await posted(tx, step.transaction) == told(step.expected), step
            found = await self.balances(list(self.reference.fen))
            assert found == {key: self.reference.fen[key] for key in found}
            assert {key for key, fen in self.reference.fen.items() if fen} <= set(found)

        async def balances(self, keys: list[str]) -> dict[str, int]:
            async with bench.database.transaction() as tx:
                rows = await tx.fetch(BALANCES, keys)
            for row in rows:
                assert row["limited"] == (row["amount_fen"] is not None) == row["key"].startswith(reference.LIMITED)
                assert not row["limited"] or row["amount_fen"] == row["summed_fen"] >= 0
            return {row["key"]: row["summed_fen"] for row in rows}

        @initialize(fen=st.integers(40, 90))
        def opening(self, fen: int) -> None:
            """Some money, two programmes, four vouchers and a job on hold for each, so that later steps find value."""
            for number in range(2):
                self.call("top_up", tenant=self.name("t", number), fen=6 * fen, key="first")
                self.call("fund", programme=self.name("p", number), fen=6 * fen, key="first")
            for number in range(4):
                voucher_id, programme = self.source(number)
                claim = self.name("first", number)
                self.call("grant", voucher_id=voucher_id, programme=programme, claim=claim, fen=2 * fen)
                self.call("hold", **self.job(number, False), attempt=100, cash_fen=fen, fen=fen)

        @rule(tenant=tenants, fen=small, key=few)
        def top_up(self, tenant: int, fen: int, key: int) -> None:
            self.call("top_up", tenant=self.name("t", tenant), fen=9 * fen, key=str(key))

        @rule(programme=programmes, fen=small, key=few)
        def fund(self, programme: int, fen: int, key: int) -> None:
            self.call("fund", programme=self.name("p", programme), fen=9 * fen, key=str(key))

        @rule(voucher=vouchers, claim=few, fen=small)
        def grant(self, voucher: int, claim: int, fen: int) -> None:
            voucher_id, programme = self.source(voucher)
            self.call("grant", voucher_id=voucher_id, programme=programme, claim=self.name("c", claim), fen=fen)

        @rule(job=jobs, stranger=strangers, attempt=few, cash_fen=part, fen=part)
        def hold(self, job: int, stranger: bool, attempt: int, cash_fen: int, fen: int) -> None:
            self.call("hold", **self.job(job, stranger), attempt=attempt, cash_fen=cash_fen, fen=fen)

        @rule(job=jobs, stranger=strangers, cash_fen=part, fen=part)
        def release(self, job: int, stranger: bool, cash_fen: int, fen: int) -> None:
            self.call("release", **self.job(job, stranger), cash_fen=cash_fen, fen=fen)

        @rule(job=jobs, stranger=strangers, from_s=few, centre=centres, bill=part, share_bp=shares)
        def charge(self, job: int, stranger: bool, from_s: int, centre: int, bill: int, share_bp: int) -> None:
            """The voucher bears its share rounded down; the odd fen is cash."""
            fen = bill * share_bp // BASIS_POINTS
            place = self.name("e", centre)
            facts = self.job(job, stranger)
            self.call("charge", **facts, attempt=1, from_s=from_s, centre=place, cash_fen=bill - fen, fen=fen)

        @rule(
            job=jobs, stranger=strangers, number=st.integers(1, 5), centre=centres, fen=small, share_bp=shares,
            offset=st.booleans(), ended=st.booleans(), repaid=st.booleans(),
        )  # fmt: skip
        def refund(
            self, job: int, stranger: bool, number: int, centre: int, fen: int, share_bp: int,
            offset: bool, ended: bool, repaid: bool,
        ) -> None:  # fmt: skip
            voucher_fen = fen * share_bp // BASIS_POINTS
            self.call(
                "refund", **self.job(job, stranger), number=number, centre=self.name("e", centre), fen=fen,
                voucher_fen=voucher_fen, offset=offset, ended=ended, repaid_fen=voucher_fen if repaid else 0,
            )  # fmt: skip

        @rule(job=jobs, stranger=strangers, fen=part)
        def redeem(self, job: int, stranger: bool, fen: int) -> None:
            self.call("redeem", **self.job(job, stranger), fen=fen)

        @rule(voucher=vouchers, fen=part, returns=st.booleans(), at_s=few)
        def expire(self, voucher: int, fen: int, returns: bool, at_s: int) -> None:
            self.call("expire", source=self.source(voucher), fen=fen, returns=returns, at_s=at_s)

        @rule(voucher=vouchers, number=st.sampled_from((1, 1, 2)), fen=part)
        def claw_back(self, voucher: int, number: int, fen: int) -> None:
            self.call("claw_back", source=self.source(voucher), number=number, fen=fen)

        @rule(tenant=tenants, voucher=vouchers, before_fen=few, fen=small)
        def set_off(self, tenant: int, voucher: int, before_fen: int, fen: int) -> None:
            source = self.source(voucher)
            self.call("set_off", tenant=self.name("t", tenant), source=source, before_fen=before_fen, fen=fen)

        @rule(voucher=vouchers, before_fen=few, fen=small)
        def repay(self, voucher: int, before_fen: int, fen: int) -> None:
            self.call("repay", source=self.source(voucher), before_fen=before_fen, fen=fen)

        @rule(centre=centres, cash_fen=small, one_fen=small, other_fen=small, batch=few)
        def pay_centre(self, centre: int, cash_fen: int, one_fen: int, other_fen: int, batch: int) -> None:
            programmes_fen = {reference.money(self.name("p", i)): fen for i, fen in enumerate((one_fen, other_fen))}
            amounts = {"CNY": cash_fen, **programmes_fen}
            self.call("pay_centre", centre=self.name("e", centre), amounts=amounts, batch=str(batch))

        @rule(tenant=tenants, one_fen=small, other_fen=small, batch=few)
        def pay_tenant(self, tenant: int, one_fen: int, other_fen: int, batch: int) -> None:
            amounts = {self.name("p", 0): one_fen, self.name("p", 1): other_fen}
            self.call("pay_tenant", tenant=self.name("t", tenant), amounts=amounts, batch=str(batch))

        @rule(which=st.integers(0, 10**6), otherwise=st.booleans())
        def again(self, which: int, otherwise: bool) -> None:
            """The same call once more, or the same key with one fen more."""
            if self.calls:
                movement, facts = self.calls[which % len(self.calls)]
                more = {"fen": facts["fen"] + 1} if otherwise and "fen" in facts else {}
                self.call(movement, **{**facts, **more})

        def teardown(self) -> None:
            self.flush()
            legs = bench.runner.run(self.legs())
            for number in range(4):
                granted, elsewhere = reference.voucher_identity(legs, self.name("v", number))
                assert granted == elsewhere
            balances = bench.runner.run(self.balances(list(self.reference.fen)))
            for number in range(2):
                paid, there = reference.programme_identity(balances, self.name("p", number))
                assert paid == there

        async def legs(self) -> list[reference.Leg]:
            async with bench.database.transaction() as tx:
                rows = await tx.fetch(LEGS, self.ids)
            return [(row["source"], row["target"], row["amount_fen"]) for row in rows]

    return Book


def told(expected: str) -> str:
    """To the caller a repeated or empty movement is as good as an applied one."""
    return expected if expected in ("conflict", "refused") else "taken"


async def posted(tx: db.Connection, transaction: Transaction) -> str:
    try:
        async with tx.transaction():
            await post(tx, [transaction], 0)
    except Conflict:
        return "conflict"
    except InsufficientValue:
        return "refused"
    return "taken"


ORDER = {
    "top_up": ("tenant", "fen", "key"),
    "fund": ("programme", "fen", "key"),
    "grant": ("source", "claim", "fen"),
    "hold": ("tenant", "job", "attempt", "cash_fen", "source", "fen"),
    "release": ("tenant", "job", "cash_fen", "source", "fen"),
    "charge": ("tenant", "job", "attempt", "from_s", "centre", "cash_fen", "source", "fen"),
    "refund": ("tenant", "job", "number", "centre", "fen", "source", "voucher_fen"),
    "redeem": ("tenant", "job", "source", "fen"),
    "expire": ("source", "fen", "returns"),
    "claw_back": ("source", "number", "fen"),
    "set_off": ("tenant", "source", "before_fen", "fen"),
    "repay": ("source", "before_fen", "fen"),
    "pay_centre": ("centre", "amounts", "batch"),
    "pay_tenant": ("tenant", "amounts", "batch"),
}


def real(movement: str, facts: dict[str, Any]) -> Transaction:
    """The movement of the product with these facts."""
    known = dict(facts)
    pair = known.get("source") or (known.get("voucher_id"), known.get("programme"))
    known["source"] = VoucherSource(*pair)
    named = {name: known[name] for name in ("offset", "ended", "repaid_fen") if name in known}
    positional = [known[name] for name in ORDER[movement]]
    made: Transaction = getattr(movements, movement)(*positional, **named, at_s=known.get("at_s", 0), actor="test")
    return made


def test_the_book_agrees_with_the_reference_in_ten_thousand_steps(postgres_url: str) -> None:
    with asyncio.Runner() as runner:
        name = "machine"
        runner.run(execute(postgres_url, f"create database {name}"))
        url = postgres_url.replace("/postgres?", f"/{name}?")
        try:
            runner.run(migrate(url))
            database = runner.run(db.connect(url, connections=1))
            bench = Bench(runner, database, Counter(), Counter(), count())
            run_state_machine_as_test(
                machine(bench),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    # The same dice every time, so that the counts below hold; the variable throws others.
                    derandomize="SUANWANG_MACHINE_RANDOM" not in os.environ,
                    deadline=None,
                    database=None,
                    print_blob=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
            runner.run(proofs(database))
            runner.run(database.close())
        finally:
            runner.run(execute(postgres_url, f"drop database {name} with (force)"))
    print(dict(bench.told), dict(bench.kinds))  # noqa: T201 seen with -s and on failure
    assert bench.told.total() >= LEAST_STEPS
    assert min(bench.told[how] for how in ("applied", "repeated", "conflict", "refused")) >= LEAST_STEPS // 200
    assert all(bench.kinds[movement] >= 20 for movement in ORDER)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def proofs(database: db.Database) -> None:
    async with database.transaction() as tx:
        for statement in GENERAL_PROOFS:
            assert not await proof.contradictions(tx, statement, 5)
