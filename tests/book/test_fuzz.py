"""Writers and the database are killed at random while every call is sent again until it is answered."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from suanwang.control.prove import prove
from suanwang.control.seal import seal_all
from suanwang.domain.ledger import tenant_cash
from suanwang.store import db, embedded, ledger
from suanwang.store.migrate import migrate
from tests.book.writer import ACCOUNTS, LIMIT_FEN, TRANSACTIONS, funding, transactions

WRITERS, RUN_S = 3, 45
APPLIED = "select id, total_fen, subject from ledger_transaction where kind = 'hold'"


def start_writer(url: str, number: int, seed: int, answers: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.book.writer", url, str(seed), str(number), str(answers)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


async def disturb(folder: Path, dice: random.Random, url: str, answers: list[Path], seed: int) -> Counter[str]:
    """Kill until every writer has an answer for everything. What is killed starts again with all of its calls."""
    seeds = iter(range(seed, seed + 10_000))
    running = {number: start_writer(url, number, next(seeds), answers[number]) for number in range(WRITERS)}
    killed: Counter[str] = Counter()
    deadline = time.monotonic() + RUN_S
    try:
        while any(writer.poll() != 0 for writer in running.values()):
            assert time.monotonic() < deadline, "the writers did not come to an end"
            await asyncio.sleep(dice.uniform(0.2, 0.8))
            if killed["database"] < 4 and dice.random() < 0.3:
                pid = embedded.running(folder)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                    killed["database"] += 1
                await asyncio.to_thread(embedded.start, folder)
            for number, writer in running.items():
                if writer.poll() is None and killed["writer"] < 10 and dice.random() < 0.2:
                    writer.kill()
                    writer.wait()
                    killed["writer"] += 1
                if writer.poll() not in (None, 0):
                    assert writer.poll() == -signal.SIGKILL, "a writer failed by itself"
                    running[number] = start_writer(url, number, next(seeds), answers[number])
    finally:
        for writer in running.values():
            writer.kill()
            writer.wait()
    return killed


@pytest.mark.slow
async def test_every_call_is_applied_once_or_refused_whatever_dies(short_folder: Path) -> None:
    seed = int(os.environ.get("SUANWANG_FUZZ_SEED") or random.SystemRandom().randrange(10**6))
    print(f"SUANWANG_FUZZ_SEED={seed} throws the same dice again")  # noqa: T201 seen with -s and on failure
    folder = short_folder / "pg"
    answers = [short_folder / f"answers-{number}.json" for number in range(WRITERS)]
    try:
        url = embedded.start(folder)
        await migrate(url)
        database = await db.connect(url, connections=2)
        async with database.transaction() as tx:
            await funding(tx)
        await seal_all(database, 0)
        await database.close()
        killed = await disturb(folder, random.Random(seed), url, answers, seed)
        database = await db.connect(url, connections=2)
        await check(database, [json.loads(path.read_text()) for path in answers])
        await database.close()
    finally:
        embedded.stop(folder, mode="immediate")
    print(dict(killed))  # noqa: T201 seen with -s and on failure
    assert killed["database"] + killed["writer"] > 0


async def check(database: db.Database, told: list[dict[str, str]]) -> None:
    await seal_all(database, 1)
    async with database.transaction() as tx:
        applied = {str(row["id"]): row for row in await tx.fetch(APPLIED)}
        asked = {str(one.id): one for one in transactions()}
        assert set(applied) <= set(asked)
        assert all(row["total_fen"] == asked[key].total_fen for key, row in applied.items())
        spent = Counter[str]()
        for key in applied:
            spent[asked[key].transfers[0].debit.owner] += asked[key].total_fen
        for number in range(ACCOUNTS):
            left = await ledger.balance_fen(tx, tenant_cash(f"t{number}"))
            assert left == LIMIT_FEN - spent[f"t{number}"] >= 0
    for answers in told:
        assert set(answers) == set(asked)
        # A refusal is not stored: money never comes back here, so who was refused once is refused for good.
        assert {key for key, word in answers.items() if word == "taken"} == set(applied)
    assert 0 < len(applied) < TRANSACTIONS
    proofs = await prove(database, 2)
    # The holds of this test are of no jobs.
    broken = {one.name for one in proofs.proofs if not one.holds} - {"holds_of_live_jobs"}
    assert not broken
