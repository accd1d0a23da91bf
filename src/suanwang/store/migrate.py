"""Brings a database to this release's schema: numbered files, each applied once, in one transaction, under one lock."""

import asyncio
from hashlib import sha256
from importlib.resources import files

import asyncpg

from suanwang.errors import Failed
from suanwang.store.server import open_connection, require_fit

_LOCK = 7_700_2024
_TABLE = """
create table if not exists migration (
    name text primary key, sha256 bytea not null, applied_at timestamptz not null default now()
)
"""


_TRIES = 5
_PAUSE_S = 0.2


async def migrate(url: str) -> list[str]:
    """Apply what is missing; returns the names applied.

    Raises InvalidInput or Unreachable for the way to the server, Refused with the statements to run if the user of the
    URL lacks rights: it owns the database, and may create the application role or grant it.
    """
    connection = await open_connection(url)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        applied = await _applied(connection)
        await require_fit(connection, complete=all(name in applied for name, _ in _migrations()))
        await connection.execute(_TABLE)
        return [name for name, text in _migrations() if await _apply(connection, name, text, applied)]
    finally:
        await connection.close()


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, bytes]:
    if await connection.fetchval("select to_regclass('migration')") is None:
        return {}
    return {row["name"]: row["sha256"] for row in await connection.fetch("select name, sha256 from migration")}


def _migrations() -> list[tuple[str, str]]:
    folder = files("suanwang.store") / "migrations"
    return sorted((item.name, item.read_text("utf-8")) for item in folder.iterdir() if item.name.endswith(".sql"))


async def _apply(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, text: str, applied: dict[str, bytes]
) -> bool:
    digest = sha256(text.encode()).digest()
    if name in applied:
        if applied[name] != digest:
            raise Failed(f"migration {name} was applied with another content; this release fits another database")
        return False
    for tries_left in reversed(range(_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute("insert into migration (name, sha256) values ($1, $2)", name, digest)
            break
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError):
            # Another database of the cluster makes or grants the role that they share, at this very moment.
            if not tries_left:
                raise
            await asyncio.sleep(_PAUSE_S)
    return True
