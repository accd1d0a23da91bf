"""Events: the live trace of the network, append-only, and the order in which they count.

A cursor is (transaction, sequence). Only events below the oldest transaction in progress are read, so none can appear
behind the cursor later; the sequence alone would skip rows whose transaction commits late.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("event")


@dataclass(frozen=True, slots=True)
class NewEvent:
    kind: str
    job_id: str | None = None
    attempt: int | None = None
    centre_id: str | None = None
    body: Any = field(default_factory=dict)
    actor: str | None = None
    """Where events of several actors go together."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    seq: int
    xid: int
    at_s: int
    kind: str
    job_id: str | None
    attempt: int | None
    centre_id: str | None
    body: str


async def append(tx: Connection, now_s: int, actor: str, events: list[NewEvent]) -> None:
    if not events:
        return
    await tx.execute(
        _SQL["append_events"],
        now_s,
        actor,
        [event.kind for event in events],
        [event.job_id and UUID(event.job_id) for event in events],
        [event.attempt for event in events],
        [event.centre_id for event in events],
        [to_json(event.body) for event in events],
        [event.actor for event in events],
    )


async def horizon(tx: Connection) -> int:
    """Every transaction below this number is over."""
    return int(await tx.fetchval(_SQL["horizon"]))


async def after(tx: Connection, cursor: tuple[int, int], limit: int, with_body: list[str]) -> list[StoredEvent]:
    """Events behind a cursor, in order; bodies of the kinds in `with_body` only, else empty."""
    rows = await tx.fetch(_SQL["events_after"], str(cursor[0]), cursor[1], limit, with_body)
    return [
        StoredEvent(
            row["seq"],
            row["xid"],
            row["at_s"],
            row["kind"],
            row["job_id"] and str(row["job_id"]),
            row["attempt"],
            row["centre_id"],
            row["body"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Events wait for the oldest transaction of the whole cluster, whatever database it is in."""

    since_s: int
    """When the first event that waits was written."""
    holder: str
    """The transaction, as far as this role may see it."""


async def held_back(tx: Connection) -> HeldBack | None:
    """None if the cursors can read every event that was written."""
    since_s = await tx.fetchval(_SQL["first_held_back"])
    if since_s is None:
        return None
    row = await tx.fetchrow(_SQL["holder"])
    return HeldBack(since_s, "a transaction that is over by now" if row is None else row["holder"])


async def told(tx: Connection, kind: str, keys: list[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Which of these attempts have an event of this kind."""
    rows = await tx.fetch(_SQL["told"], kind, [job_id for job_id, _ in keys], [number for _, number in keys])
    return {(row["job_id"], row["attempt"]) for row in rows}


async def leaving(tx: Connection, kind: str) -> list[Row]:
    """Live attempts that should stop and have an event of this kind, and since when."""
    return await tx.fetch(_SQL["leaving"], kind)


async def promised(tx: Connection, kind: str) -> list[Row]:
    """The newest event of this kind of every waiting job that is of its next attempt, in the order of the events."""
    return await tx.fetch(_SQL["promised"], kind)


async def of_job(tx: Connection, job_id: UUID) -> list[dict[str, Any]]:
    return [_shown(row) for row in await tx.fetch(_SQL["events_of_job"], job_id)]


def _shown(row: Row) -> dict[str, Any]:
    return {**dict(row), "body": from_json(row["body"], dict[str, object])}


async def next_epoch(tx: Connection) -> int:
    """A hub that starts to decide takes the next epoch; older hubs find theirs gone."""
    return int(await tx.fetchval(_SQL["next_epoch"]))


async def epoch_holds(tx: Connection, epoch: int) -> bool:
    return bool(await tx.fetchval(_SQL["epoch_holds"], epoch))
