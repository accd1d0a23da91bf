"""Idempotency keys: a write that comes again gets the answer of the first time, in the same words."""

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
    if await tx.fetchrow(_SQL["open_answer"], call.organisation_id, call.key, call.request_sha256, now_s):
        return None
    row = (await tx.fetch(_SQL["answer"], call.organisation_id, call.key))[0]
    if row["request_sha256"] != call.request_sha256:
        raise Conflict(
            "this idempotency key was used for another request; take a new key",
            code="IDEMPOTENCY_KEY_REUSED",
            key=call.key,
        )
    return from_json(row["body"], kind)


async def remember(tx: Connection, call: Call, body: object) -> None:
    await tx.execute(_SQL["store_answer"], call.organisation_id, call.key, to_json(body))
