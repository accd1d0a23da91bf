"""Seals: which transactions and records each of them closed, and what those said then."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from suanwang.domain.seal import Seal
from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("seal")


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A transaction of the book, or a record."""

    transaction_id: UUID | None
    record_seq: int | None
    xid: int
    leaf: bytes


async def lock(tx: Connection) -> None:
    """One seal at a time: until the transaction ends."""
    await tx.execute(_SQL["lock"])


async def last(tx: Connection) -> tuple[Seal | None, int]:
    """The newest seal, and below which transaction of the database nothing is left to seal."""
    row = await tx.fetchrow(_SQL["last"])
    return (None, 0) if row is None else (_seal(row), row["horizon"])


async def unsealed(tx: Connection, horizon: int, limit: int) -> list[Unsealed]:
    """What is over and not sealed, in its order."""
    rows = await tx.fetch(_SQL["unsealed"], str(horizon), limit)
    return [Unsealed(row["transaction_id"], row["record_seq"], row["xid"], row["leaf"]) for row in rows]


async def insert(tx: Connection, seal: Seal, closed: list[Unsealed], horizon: int) -> None:
    """With it, what its transactions moved is added to the sums of the accounts that have no balance row."""
    await tx.execute(
        _SQL["insert_seal"], seal.number, seal.entries, seal.root, seal.before, seal.sealed_s, str(horizon)
    )
    await tx.execute(
        _SQL["insert_sealed"],
        seal.number,
        [one.transaction_id for one in closed],
        [one.record_seq for one in closed],
        [one.leaf for one in closed],
    )
    await tx.execute(_SQL["roll_up"], seal.number)


async def highest_sealed(tx: Connection) -> int:
    """Number of the newest seal that entries name; 0: none does."""
    return int(await tx.fetchval(_SQL["highest_sealed"]))


async def seals(tx: Connection, first: int, last: int) -> list[Seal]:
    return [_seal(row) for row in await tx.fetch(_SQL["seals"], first, last)]


async def latest(tx: Connection, limit: int) -> list[Seal]:
    """The newest first."""
    return [_seal(row) for row in await tx.fetch(_SQL["latest"], limit)]


async def numbers_between(tx: Connection, from_s: int, until_s: int) -> range:
    """Numbers of the seals over everything that was recorded in this time, and of some more around it."""
    row = await tx.fetchrow(_SQL["numbers_between"], from_s, until_s)
    if row is None or row["first"] is None:
        return range(0)
    return range(row["first"], row["last"] + 1)


async def leaves(tx: Connection, number: int) -> list[bytes]:
    """The hashes that one seal closed, in order."""
    return [row["leaf"] for row in await tx.fetch(_SQL["leaves"], number)]


async def lines(tx: Connection, number: int) -> list[str]:
    """What the entries of one seal say now, in its order."""
    return [row["line"] for row in await tx.fetch(_SQL["lines"], number)]


async def places(tx: Connection, transaction_ids: Iterable[UUID]) -> list[Row]:
    """Where transactions are sealed: seal, place, transaction_id, line. Those that are not yet are left out."""
    return await tx.fetch(_SQL["places"], list(transaction_ids))


def _seal(row: Row) -> Seal:
    return Seal(row["number"], row["entries"], row["root"], row["before"], row["sealed_s"])
