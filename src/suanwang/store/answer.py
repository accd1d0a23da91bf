"""Idempotency keys: a write that comes again gets the answer of the first time, in the same words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from suanwang.errors import Conflict
from suanwang.store.db import Connection, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("answer")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A write as it was asked for: who, under which key, and the digest of what was asked."""

    organisation_id: str
    key: str
    request_sha256: bytes


async def earlier(tx: Connection, call: Call, kind: type[T], now_s: int) -> T | None:
    """The answer given before, or None the first time (and then the key is taken until the transaction ends).

    Raises Conflict if the key came with another request.
    """
    if await open_all(tx, [call], now_s):
        return None
    return await repeated(tx, call, kind)


async def open_all(tx: Connection, calls: Sequence[Call], now_s: int) -> set[Call]:
    """The calls that come for the first time. Their keys are taken until the transaction ends: a call with the same
    key waits for it."""
    rows = await tx.fetch(
        _SQL["open_answers"],
        [call.organisation_id for call in calls],
        [call.key for call in calls],
        [call.request_sha256 for call in calls],
        now_s,
    )
    new = {(row["organisation_id"], row["key"]) for row in rows}
    return {call for call in calls if (call.organisation_id, call.key) in new}


async def repeated(tx: Connection, call: Call, kind: type[T]) -> T:
    """The answer given before. Raises Conflict if the key came with another request."""
    row = (await tx.fetch(_SQL["answer"], call.organisation_id, call.key))[0]
    if row["request_sha256"] != call.request_sha256:
        raise reused_key(key=call.key)
    return from_json(row["body"], kind)


def reused_key(**facts: str) -> Conflict:
    """A key that was used before, for something else or so long ago that its answer is forgotten."""
    message = "this idempotency key was used for another request; take a new key"
    return Conflict(message, code="IDEMPOTENCY_KEY_REUSED", **facts)


async def remember(tx: Connection, call: Call, body: object) -> None:
    await remember_all(tx, [(call, body)])


async def remember_all(tx: Connection, answers: Sequence[tuple[Call, object]]) -> None:
    await tx.execute(
        _SQL["store_answers"],
        [call.organisation_id for call, _ in answers],
        [call.key for call, _ in answers],
        [to_json(body) for _, body in answers],
    )


async def withdraw(tx: Connection, calls: Sequence[Call]) -> None:
    """Give the keys of calls free that were opened and came to nothing."""
    if calls:
        organisation_ids, keys = [call.organisation_id for call in calls], [call.key for call in calls]
        await tx.execute(_SQL["withdraw_answers"], organisation_ids, keys)


async def remove_old(tx: Connection, before_s: int, limit: int) -> int:
    """Forget answers given before an instant; returns how many."""
    done: str = await tx.execute(_SQL["remove_old"], before_s, limit)
    return int(done.rpartition(" ")[2])
