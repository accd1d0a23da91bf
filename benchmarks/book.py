"""How fast the book takes charges that a voucher and cash pay together, all of one programme.

    .venv/bin/python -m benchmarks.book [--seconds 3] [--repeat 3] [--history 100000,1000000] [--json]

One turn measures, one after another on one server with fsync and synchronous_commit on:

    insert   one row per commit, pgbench (of the embedded server's own wheel) with 16 clients
    naive    a row of the programme locked, checked and changed in each transaction, and two rows inserted
    charge   a job that runs is charged: voucher and cash out of its holds, each covered or refused
    pair     a new job: value of the voucher and cash is held, then charged (two transactions, four transfers)

The last two each as `single`, one call of `post` and a commit each, and as `batch`: those that wait together in one
call of `post` and one commit, as the hub's clerks do it. Callers are concurrent; each has one request under way.
`--history` then fills the book and times reads of a programme.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg

from benchmarks.machine import machine
from benchmarks.peer import Peer
from suanwang.control.seal import seal_all
from suanwang.domain import movements
from suanwang.domain.ledger import AccountKind, Transaction, budget
from suanwang.domain.movements import VoucherSource
from suanwang.store import db, embedded, ledger
from suanwang.store.migrate import migrate
from suanwang.store.posting import post

CALLERS = (16, 64, 256)
TENANTS, FUNDED_FEN = 1_000, 10**12
CONNECTIONS = 16
NAIVE = """
create table hot (id int primary key, left_fen bigint check (left_fen >= 0));
insert into hot values (1, 1000000000000);
create table naive_leg (id bigserial primary key, account text, fen bigint)
"""
FILL = """
with made as (
    insert into ledger_transaction (id, kind, subject, request_sha256, transfers, total_fen, actor,
        effective_s, recorded_s)
    select gen_random_uuid(), 'charge', 'filled', '', 1, 1, 'bench', 0, 0 from generate_series(1, $1::int) returning id
), closing as (
    insert into seal (number, entries, root, before, sealed_s, horizon)
    select coalesce(max(number), 0) + 1, $1, sha256(''), sha256(''), 0, pg_snapshot_xmax(pg_current_snapshot())
    from seal returning number
), closed as (
    insert into sealed (seal, place, transaction_id, leaf)
    select number, row_number() over () - 1, id, sha256('') from made, closing
), rolling as (
    insert into rolled (account_id, amount_fen) select id, $1 from account where key = $3
    on conflict (account_id) do update set amount_fen = rolled.amount_fen + excluded.amount_fen
)
insert into transfer (transaction_id, debit_id, credit_id, amount_fen)
select made.id, d.id, c.id, 1 from made, account d, account c where d.key = $2 and c.key = $3
"""
"""A history that is sealed, by seals that nobody checks."""
JOBS = 20_000
"""That run: they stand on holds for many charges."""
MANY_FEN = 10**6
Call = Callable[[int], Awaitable[None]]
Rows = Callable[[int], list[Transaction]]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def held(number: int, job: str, times: int) -> Transaction:
    """For so many charges: 5 fen each of the tenant's voucher of the one programme, 6 in cash."""
    source = VoucherSource(f"v{number % TENANTS}", "p")
    return movements.hold(f"t{number % TENANTS}", job, 1, 6 * times, source, 5 * times, 0, "bench")


def charged(number: int, job: str, from_s: int) -> Transaction:
    source = VoucherSource(f"v{number % TENANTS}", "p")
    return movements.charge(f"t{number % TENANTS}", job, 1, from_s, "east", 6, source, 5, 0, "bench")


def hold_and_charge(number: int) -> list[Transaction]:
    job = str(uuid4())
    return [held(number, job, 1), charged(number, job, 0)]


def charge_of(jobs: list[str]) -> Rows:
    """The next charge of the job whose turn it is."""
    intervals = count()
    return lambda number: [charged(number % len(jobs), jobs[number % len(jobs)], next(intervals))]


async def fund(database: db.Database) -> None:
    rows = [movements.fund("p", TENANTS * FUNDED_FEN, "a", 0, "bench")]
    for number in range(TENANTS):
        rows.append(movements.top_up(f"t{number}", FUNDED_FEN, "a", 0, "bench"))
        rows.append(movements.grant(VoucherSource(f"v{number}", "p"), f"c{number}", FUNDED_FEN, 0, "bench"))
    async with database.transaction() as tx:
        await post(tx, rows, 0)


async def start_jobs(database: db.Database) -> list[str]:
    jobs = [str(uuid4()) for _ in range(JOBS)]
    for first in range(0, JOBS, 500):
        some = enumerate(jobs[first : first + 500], first)
        async with database.transaction() as tx:
            await post(tx, [held(number, job, MANY_FEN) for number, job in some], 0)
    return jobs


async def rate(call: Call, callers: int, seconds: float) -> float:
    """Answers per second."""
    began, numbers, done = time.monotonic(), count(), 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() - began < seconds:
            await call(next(numbers))
            done += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.monotonic() - began)


def single(database: db.Database, rows: Rows) -> Call:
    async def call(number: int) -> None:
        async with database.transaction() as tx:
            await post(tx, rows(number), 0)

    return call


class Together:
    """Callers that wait at the same time are posted together; each has its own answer."""

    def __init__(self, database: db.Database, rows: Rows, writers: int) -> None:
        self._database, self._rows = database, rows
        self._asked: asyncio.Queue[tuple[list[Transaction], asyncio.Future[None]]] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._write()) for _ in range(writers)]

    async def call(self, number: int) -> None:
        answer = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((self._rows(number), answer))
        await answer

    async def _write(self) -> None:
        while True:
            asked = [await self._asked.get()]
            while not self._asked.empty() and len(asked) < 128:
                asked.append(self._asked.get_nowait())
            async with self._database.transaction() as tx:
                await post(tx, [row for rows, _ in asked for row in rows], 0)
            for _, answer in asked:
                answer.set_result(None)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


def naive(pool: "asyncpg.Pool[asyncpg.Record]") -> Call:
    async def call(number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            left_fen = await connection.fetchval("select left_fen from hot where id = 1 for update")
            assert left_fen >= 5
            await connection.execute("insert into naive_leg (account, fen) values ($1, 5), ($2, 6)", "v", f"t{number}")
            await connection.execute("update hot set left_fen = left_fen - 5 where id = 1")

    return call


async def measure(url: str, peer: Peer, seconds: int, repeat: int) -> dict[str, list[float]]:
    database = await db.connect(url, connections=CONNECTIONS)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=CONNECTIONS)
    samples: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        samples.setdefault(name, []).append(value)
        say(f"  {name:<32}{value:10.2f}")

    await fund(database)
    jobs = await start_jobs(database)
    await pool.execute(NAIVE)
    for _ in range(repeat):
        for callers in CALLERS:
            limit = await peer.measure(seconds)
            hot = await rate(naive(pool), callers, seconds)
            add("insert", limit)
            add(f"naive {callers}", hot)
            for what, rows in (("charge", charge_of(jobs)), ("pair", hold_and_charge)):
                together = Together(database, rows, writers=2)
                ours = {
                    "single": await rate(single(database, rows), callers, seconds),
                    "batch": await rate(together.call, callers, seconds),
                }
                together.close()
                for how, value in ours.items():
                    name = f"{what} {how} {callers}"
                    add(name, value)
                    add(f"{name} / insert", value / limit)
                    add(f"{name} / naive", value / hot)
    await pool.close()
    await database.close()
    return samples


async def read_times(url: str, sizes: list[int]) -> dict[str, dict[str, float]]:
    """Milliseconds, median of 9, for a programme's budget and for the sums of the open accounts."""
    owner = await asyncpg.connect(url)
    database = await db.connect(url, connections=1)
    source = VoucherSource("v0", "p")
    await fund(database)
    async with database.transaction() as tx:
        await post(tx, hold_and_charge(0), 0)
    found: dict[str, dict[str, float]] = {}
    for size in sizes:
        there = await owner.fetchval("select count(*) from transfer")
        await owner.execute("set session_replication_role = replica")  # a history: nobody waits for its checks
        while there < size:
            some = min(200_000, size - there)
            await owner.execute(FILL, some, source.account.key, f"payable:east:{source.account.asset}")
            there += some
        await owner.execute("analyze")
        async with database.transaction() as tx:
            await post(tx, hold_and_charge(size), 0)
        await seal_all(database, 0)

        async def budget_row(tx: db.Connection) -> None:
            await ledger.balance_fen(tx, budget("p"))

        async def open_sums(tx: db.Connection) -> None:
            await ledger.open_balances(tx, AccountKind.PAYABLE)

        found[str(size)] = {}
        for name, read in (("budget", budget_row), ("payable", open_sums)):
            times = []
            for _ in range(9):
                async with database.transaction() as tx:
                    began = time.perf_counter()
                    await read(tx)
                    times.append((time.perf_counter() - began) * 1e3)
            found[str(size)][name] = median(times)
            say(f"  {size:>12,} transfers, {name:<10}{median(times):10.2f} ms")
    await owner.close()
    await database.close()
    return found


async def run(seconds: int, repeat: int, sizes: list[int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sw-", dir="/tmp") as work:
        Path(work).chmod(0o755)
        folder = Path(work) / "pg"
        try:
            url = embedded.start(folder)
            await migrate(url)
            peer = Peer(folder, Path(work))
            await peer.prepare()
            where = machine()
            samples = await measure(url, peer, seconds, repeat) if repeat else {}
            reads = await read_times(url, sizes) if sizes else {}
        finally:
            embedded.stop(folder, mode="immediate")
    medians = {name: median(values) for name, values in samples.items()}
    return where | {"repeat": repeat, "medians": medians, "samples": samples, "read_ms": reads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="length of each measurement of a rate")
    parser.add_argument("--repeat", type=int, default=3, help="turns; 0: the reads alone")
    parser.add_argument("--history", default="", help="transfers at which reads are timed, e.g. 100000,1000000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(size) for size in options.history.split(",") if size]
    result = asyncio.run(run(options.seconds, options.repeat, sizes))
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['date']}, {result['machine']}, load {result['load']}, median of {result['repeat']}")
    for name, value in result["medians"].items():
        print(f"{name:<32}{value:10.2f}")
    for size, times in result["read_ms"].items():
        print(f"{int(size):>12,} transfers: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in times.items()))


if __name__ == "__main__":
    main()
