"""Reports of agents that could not be applied: kept, and tried again at every sync of their centre."""

from uuid import UUID

from suanwang.protocol import Report
from suanwang.store.db import Connection, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("report")
MAX_TRIED_AT_ONCE = 100
Key = tuple[UUID, int]


async def kept(tx: Connection, centre_id: str) -> list[Report]:
    """What waits to be applied, those that waited longest since their last try first."""
    return [from_json(row["report"], Report) for row in await tx.fetch(_SQL["kept"], centre_id, MAX_TRIED_AT_ONCE)]


async def keep(tx: Connection, key: Key, centre_id: str, report: Report, cause: str, now_s: int) -> bool:
    """Whether the failure is news: the report's first, or another cause than before."""
    return bool(await tx.fetchval(_SQL["keep"], *key, centre_id, to_json(report), cause, now_s))


async def drop(tx: Connection, keys: list[Key]) -> dict[Key, int]:
    """Those that were kept are settled; returns how often each had failed."""
    rows = await tx.fetch(_SQL["drop"], [job_id for job_id, _ in keys], [number for _, number in keys])
    return {(row["job_id"], row["attempt"]): row["failures"] for row in rows}
