"""A process that posts the same transactions as its siblings, in batches and an order of its own, until all answered.

python -m tests.book.writer URL SEED NUMBER ANSWERS
"""

import asyncio
import json
import random
import sys
from pathlib import Path
from uuid import uuid5

from suanwang.domain import movements
from suanwang.domain.ledger import NAMESPACE, Transaction
from suanwang.errors import Conflict, InsufficientValue, Unreachable
from suanwang.store import db
from suanwang.store.posting import post

TRANSACTIONS, ACCOUNTS, LIMIT_FEN = 1_000, 10, 1_000
LARGEST_BATCH = 40


def transactions() -> list[Transaction]:
    """Holds of every writer, about twice what the accounts cover."""
    dice = random.Random(7)
    made = []
    for number in range(TRANSACTIONS):
        tenant, job = f"t{dice.randrange(ACCOUNTS)}", str(uuid5(NAMESPACE, f"job {number}"))
        made.append(movements.hold(tenant, job, 1, dice.randrange(1, 40), None, 0, 0, "test"))
    return made


async def funding(tx: db.Connection) -> None:
    await post(tx, [movements.top_up(f"t{n}", LIMIT_FEN, "a", 0, "test") for n in range(ACCOUNTS)], 0)


async def post_some(database: db.Database, batch: list[Transaction]) -> dict[str, str]:
    """All of a batch at once; if it is refused, one by one in one transaction."""
    try:
        async with database.transaction() as tx:
            await post(tx, batch, 0)
        return {str(one.id): "taken" for one in batch}
    except InsufficientValue:
        pass
    answers = {}
    for one in batch:
        try:
            async with database.transaction() as tx:
                await post(tx, [one], 0)
            answers[str(one.id)] = "taken"
        except InsufficientValue:
            answers[str(one.id)] = "refused"
    return answers


async def until_answered(url: str, batch: list[Transaction]) -> dict[str, str]:
    while True:
        try:
            database = await db.connect(url, connections=1)
            try:
                return await post_some(database, batch)
            finally:
                await database.close()
        except Unreachable:
            await asyncio.sleep(0.05)
        except Conflict as conflict:
            raise SystemExit(f"a call was refused by {conflict.code}: {conflict}") from conflict


async def main(url: str, seed: int, number: int, answers: Path) -> None:
    dice = random.Random(seed * 100 + number)
    left, told = transactions(), dict[str, str]()
    dice.shuffle(left)
    while left:
        size = dice.randint(1, LARGEST_BATCH)
        told |= await until_answered(url, left[:size])
        del left[:size]
    answers.write_text(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
