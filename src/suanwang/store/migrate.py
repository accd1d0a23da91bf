"""Brings a database to this release's schema: numbered files, each applied once, in one transaction, under one lock."""

from hashlib import sha256
from importlib.resources import files

import asyncpg

from suanwang.errors import Failed, Unreachable

_LOCK = 7_700_2024
_TABLE = """
create table if not exists migration (
    name text primary key, sha256 bytea not null, applied_at timestamptz not null default now()
)
"""


async def migrate(url: str) -> list[str]:
    """Apply what is missing; returns the names applied. Needs the owner's rights and the right to create a role."""
    try:
        connection = await asyncpg.connect(url, server_settings={"client_min_messages": "warning"})
    except (OSError, asyncpg.PostgresError) as error:
        raise Unreachable(f"the database cannot be reached: {error}", code="DATABASE_UNREACHABLE") from error
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        applied = {row["name"]: row["sha256"] for row in await connection.fetch("select name, sha256 from migration")}
        return [name for name, text in _migrations() if await _apply(connection, name, text, applied)]
    finally:
        await connection.close()


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
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute("insert into migration (name, sha256) values ($1, $2)", name, digest)
    return True
