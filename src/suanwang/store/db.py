"""Connections and transactions. What PostgreSQL says in its own words becomes an error of ours here, once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import asyncpg
import msgspec

from suanwang.errors import Conflict, InvalidInput, Unreachable
from suanwang.store.server import APP_ROLE, CONNECT_TIMEOUT_S, TROUBLES, trouble

T = TypeVar("T")
SESSION = {
    "role": APP_ROLE,
    "application_name": "suanwang",
    "timezone": "UTC",
    "jit": "off",
    # Tables grow from nothing to thousands of rows within seconds, long before their first statistics, and a plan that
    # reads an empty table from end to end would be kept. Nearly everything here is asked for by key.
    "enable_seqscan": "off",
}

Row = asyncpg.Record
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what its protocol says of a server that died within an answer
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
RACED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
WHOLE_TRANSACTION_FAILS = (*LOST, *RACED, TimeoutError)
"""After these a savepoint is of no help."""


def to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def from_json(text: str | None, kind: type[T]) -> T:
    return msgspec.json.decode(text or "null", type=kind)


class Database:
    """A pool of connections that act as the application role, which cannot change what was recorded."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: str) -> None:
        self._pool = pool
        self.url = url

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator["Connection"]:
        """One story, committed whole or not at all. `snapshot`: read-only, and everything as of one instant."""
        try:
            async with self._pool.acquire(timeout=20) as connection:
                isolation: Literal["repeatable_read", "read_committed"] = (
                    "repeatable_read" if snapshot else "read_committed"
                )
                async with connection.transaction(isolation=isolation, readonly=snapshot):
                    yield connection
        except asyncpg.DataError as error:
            # What no check of ours had foreseen: a NUL in a text, an integer of more than 64 bits.
            raise InvalidInput(
                "input", str(error), "values that can be stored: text without NUL, 64-bit integers"
            ) from error
        except RACED as error:
            raise Conflict("another change came first; send the same call again", code="TRY_AGAIN") from error
        except TimeoutError as error:
            raise Unreachable("the database has no free connection; try again", code="DATABASE_BUSY") from error
        except LOST as error:
            raise Unreachable(f"the database cannot be reached: {error}", code="DATABASE_UNREACHABLE") from error

    async def close(self) -> None:
        self._pool.terminate()


Connection = asyncpg.pool.PoolConnectionProxy


async def _leave_as_it_is(_: object) -> None:
    """No statement of ours leaves anything in a session, so nothing is reset (a round trip) after each transaction.

    Open transactions are rolled back by the pool before this is called.
    """


async def connect(url: str, *, connections: int = 12) -> Database:
    """Raises Unreachable if nothing answers at `url`, InvalidInput if it is none."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections,
            timeout=CONNECT_TIMEOUT_S,
            server_settings=SESSION,
            command_timeout=60,
            reset=_leave_as_it_is,
        )
    except TROUBLES as error:
        raise trouble(url, error) from error
    return Database(pool, url)
