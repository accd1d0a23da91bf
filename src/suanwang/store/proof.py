"""Questions to the records whose right answer is "nothing": one query per statement that must hold."""

from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("proof")


async def contradictions(tx: Connection, statement: str, limit: int) -> list[dict[str, object]]:
    """Up to `limit` rows that contradict a statement."""
    rows = await tx.fetch(f"select * from ({_SQL[statement]}) contradiction limit $1", limit)  # noqa: S608 our own text
    return [dict(row) for row in rows]


async def counts(tx: Connection) -> dict[str, int]:
    return dict((await tx.fetch(_SQL["counts"]))[0])
