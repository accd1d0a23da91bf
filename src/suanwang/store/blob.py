"""Small files by content: working directories of tenants, checkpoints of jobs."""

from hashlib import sha256

from suanwang.errors import NotFound
from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("blob")


async def insert(tx: Connection, owner_id: str, body: bytes, now_s: int) -> str:
    """Returns the hex SHA-256 of the content, which is its name."""
    digest = sha256(body)
    await tx.execute(_SQL["insert_blob"], digest.digest(), body, now_s)
    await tx.execute(_SQL["insert_owner"], digest.digest(), owner_id)
    return digest.hexdigest()


async def body(tx: Connection, sha256_hex: str) -> bytes:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["blob"], _digest(sha256_hex))
    if row is None:
        raise NotFound(f"no file {sha256_hex}", sha256=sha256_hex)
    return bytes(row["body"])


async def owned_by(tx: Connection, sha256_hex: str, organisation_id: str) -> bool:
    return bool(await tx.fetchval(_SQL["owned_by"], _digest(sha256_hex), organisation_id))


async def ordered_at(tx: Connection, centre_id: str, sha256_hex: str) -> bool:
    """Whether a live attempt at that centre needs this file."""
    return bool(await tx.fetchval(_SQL["ordered_at"], centre_id, sha256_hex))


def _digest(sha256_hex: str) -> bytes:
    try:
        digest = bytes.fromhex(sha256_hex)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise NotFound(f"no file {sha256_hex}", sha256=sha256_hex)
    return digest
