"""The one seat from which a hub decides: a lock of the database, held by a connection of its own while that lives.

Whoever finds it taken waits beside it. The server itself ends a session that says nothing for a while, so a hub that is
dead, frozen or cut off loses the seat, and the next one takes it. The epoch (`event.next_epoch`) still fences: who was
put off the seat without noticing finds at its next commit that another decides.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg

from suanwang.errors import Unreachable
from suanwang.store.db import LOST
from suanwang.store.server import open_connection

_LOCK = 7_700_2025
SILENT_AT_MOST_S = 15
SPEAK_EVERY_S = 3.0
LOOK_EVERY_S = 1.0


@asynccontextmanager
async def seat(url: str, stand_by: Callable[[], None]) -> AsyncIterator[Callable[[], bool]]:
    """Waits for the seat, and holds it for the block; `stand_by` is called if it has to wait.

    Yields a question: is it still ours? Raises Unreachable if the database does not answer.
    """
    connection = await open_connection(url)
    try:
        await _wait_for(connection, stand_by)
        speaking = asyncio.create_task(_speak(connection))
        try:
            yield lambda: not speaking.done() and not connection.is_closed()
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    finally:
        # The lock goes with the session; a server that does not answer is not waited for.
        connection.terminate()


async def _wait_for(connection: "asyncpg.Connection[asyncpg.Record]", stand_by: Callable[[], None]) -> None:
    try:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            stand_by()
            await asyncio.sleep(LOOK_EVERY_S)
        await connection.execute(f"set idle_session_timeout = '{SILENT_AT_MOST_S}s'")
    except LOST as error:
        raise Unreachable(f"the database cannot be reached: {error}", code="DATABASE_UNREACHABLE") from error


async def _speak(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Until the connection is lost."""
    with suppress(*LOST, asyncpg.PostgresError, TimeoutError):
        while True:
            await asyncio.sleep(SPEAK_EVERY_S)
            await connection.execute("select 1", timeout=SILENT_AT_MOST_S)
