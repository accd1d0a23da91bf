"""The book is sealed in the background, never inside a flow that moves money."""

from collections.abc import AsyncIterator, Iterable
from uuid import UUID

from suanwang.domain import merkle
from suanwang.domain.seal import BEFORE_THE_FIRST, Seal, seal_line
from suanwang.store import event
from suanwang.store import seal as seals
from suanwang.store.db import Connection, Database
from suanwang.wire import Evidence, SealLine

MAX_ENTRIES = 10_000
"""Of one seal: a receipt's path is worked out from all of its leaves."""


async def seal_all(db: Database, now_s: int) -> list[Seal]:
    """Seal whatever is over and not sealed yet."""
    made: list[Seal] = []
    while True:
        seal = await _seal_some(db, now_s)
        if seal is not None:
            made.append(seal)
        if seal is None or seal.entries < MAX_ENTRIES:
            return made


async def _seal_some(db: Database, now_s: int) -> Seal | None:
    async with db.transaction() as tx:
        await seals.lock(tx)
        before, horizon = await seals.last(tx)
        # Before the transactions are read: what ends in between is left for the next seal.
        over_below = await event.horizon(tx)
        found = await seals.unsealed(tx, horizon, MAX_ENTRIES)
        if not found:
            return None
        seal = Seal(
            number=before.number + 1 if before else 1,
            entries=len(found),
            root=merkle.root(one.leaf for one in found),
            before=before.sha256 if before else BEFORE_THE_FIRST,
            sealed_s=max(now_s, before.sealed_s if before else 0),
        )
        full = len(found) == MAX_ENTRIES
        await seals.insert(tx, seal, found, min(over_below, found[-1].xid) if full else over_below)
    return seal


async def export(db: Database, from_s: int, until_s: int) -> AsyncIterator[str]:
    """Lines of the book that was recorded in this time, as of one instant, each group followed by its seal."""
    async with db.transaction(snapshot=True) as tx:
        for number in await seals.numbers_between(tx, from_s, until_s):
            for line in await seals.lines(tx, number):
                yield line
            for seal in await seals.seals(tx, number, number):
                yield seal_line(seal)


def line_of(seal: Seal) -> SealLine:
    return SealLine(seal.number, seal.entries, seal.sealed_s, seal_line(seal), seal.sha256.hex())


async def evidence(tx: Connection, transaction_ids: Iterable[UUID]) -> list[Evidence]:
    """What shows, without us, that these transactions are in the book as they are told; once they are sealed."""
    found: list[Evidence] = []
    leaves: dict[int, list[bytes]] = {}
    sealed: dict[int, Seal] = {}
    for row in await seals.places(tx, transaction_ids):
        number, place = row["seal"], row["place"]
        if number not in leaves:
            leaves[number] = await seals.leaves(tx, number)
            (sealed[number],) = await seals.seals(tx, number, number)
        siblings = [sibling.hex() for sibling in merkle.path(leaves[number], place)]
        found.append(Evidence(row["line"], place, siblings, seal_line(sealed[number])))
    return found


async def contradictions(tx: Connection, limit: int) -> list[dict[str, object]]:
    """Seals that do not follow one another, or whose root is not that of their leaves."""
    found: list[dict[str, object]] = []
    before = BEFORE_THE_FIRST
    newest, _ = await seals.last(tx)
    orphan = await seals.highest_sealed(tx)
    if orphan > (newest.number if newest else 0):
        found.append({"seal": orphan, "is": "missing"})
    for number in range(1, (newest.number if newest else 0) + 1):
        there = await seals.seals(tx, number, number)
        if not there:
            found.append({"seal": number, "is": "missing"})
            continue
        (seal,) = there
        leaves = await seals.leaves(tx, number)
        if seal.before != before:
            found.append({"seal": number, "is": "not after the seal before it"})
        if len(leaves) != seal.entries or merkle.root(leaves) != seal.root:
            found.append({"seal": number, "is": "not over its entries"})
        before = seal.sha256
        if len(found) >= limit:
            break
    return found[:limit]
