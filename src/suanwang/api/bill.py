"""Proofs, and the sealed book."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import Parameter
from litestar.response import Stream

from suanwang.api.access import OVERSIGHT, PUBLIC, hub_of
from suanwang.control import prove, seal
from suanwang.domain.tenant import Actor
from suanwang.store import seal as seals
from suanwang.wire import Proofs, SealLine

MOST_SEALS = 1_000
END_OF_TIME_S = 2**40


@get("/v1/proofs", opt={"may": OVERSIGHT})
async def proofs(request: Request[Actor, Any, Any]) -> Proofs:
    """Every statement that the records must not contradict, checked now."""
    hub = hub_of(request)
    return await prove.prove(hub.db, hub.clock())


@get("/v1/seals", opt={"may": PUBLIC})
async def read_seals(
    request: Request[Any, Any, Any], limit: Annotated[int, Parameter(ge=1, le=MOST_SEALS)] = 10
) -> list[SealLine]:
    """The newest seals of the book, for anybody to keep: whoever has one can tell later if the book was changed."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [seal.line_of(one) for one in await seals.latest(tx, limit)]


@get("/v1/book", opt={"may": OVERSIGHT})
async def book(
    request: Request[Actor, Any, Any],
    from_s: Annotated[int, Parameter(ge=0, le=END_OF_TIME_S)] = 0,
    until_s: Annotated[int, Parameter(ge=0, le=END_OF_TIME_S)] = END_OF_TIME_S,
) -> Stream:
    """Every transaction recorded in this time with the seals over them, line by line, sealed up to now."""
    hub = hub_of(request)
    await seal.seal_all(hub.db, hub.clock())

    async def lines() -> AsyncIterator[str]:
        async for line in seal.export(hub.db, from_s, until_s):
            yield f"{line}\n"

    return Stream(lines(), media_type="application/jsonl")


ROUTES = [proofs, read_seals, book]
