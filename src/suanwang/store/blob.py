"""Small files by content: working directories of tenants, checkpoints of jobs."""

from hashlib import sha256

from suanwang.errors import NotFound
from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("blob")
DIGEST_BYTES = 32
HEX = frozenset("0123456789abcdef")


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


async def owned_bytes(tx: Connection, organisation_id: str) -> int:
    """The size of all files of an organisation; what several have counts for each."""
    return int(await tx.fetchval(_SQL["owned_bytes"], organisation_id))


async def hold(tx: Connection, wanted: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of (organisation, hex SHA-256) those that are there and owned; they stay until the transaction ends."""
    named = [(organisation_id, digest) for organisation_id, digest in wanted if _is_digest(digest)]
    rows = await tx.fetch(_SQL["hold"], [one for one, _ in named], [bytes.fromhex(digest) for _, digest in named])
    return {(row["organisation_id"], row["sha256"].hex()) for row in rows}


async def remove_unneeded(tx: Connection, before_s: int, limit: int) -> list[int]:
    """Remove files sent before an instant that no live job needs; returns their sizes in bytes."""
    old = [row["sha256"] for row in await tx.fetch(_SQL["lock_unneeded"], before_s, limit)]
    return [row["size_bytes"] for row in await tx.fetch(_SQL["remove_unneeded"], old)] if old else []


async def owned_by(tx: Connection, sha256_hex: str, organisation_id: str) -> bool:
    return bool(await tx.fetchval(_SQL["owned_by"], _digest(sha256_hex), organisation_id))


async def ordered_at(tx: Connection, centre_id: str, sha256_hex: str) -> bool:
    """Whether a live attempt at that centre needs this file."""
    return bool(await tx.fetchval(_SQL["ordered_at"], centre_id, sha256_hex))


def _digest(sha256_hex: str) -> bytes:
    if not _is_digest(sha256_hex):
        raise NotFound(f"no file {sha256_hex}", sha256=sha256_hex)
    return bytes.fromhex(sha256_hex)


def _is_digest(text: str) -> bool:
    return len(text) == 2 * DIGEST_BYTES and text.isascii() and text.isalnum() and not set(text.lower()) - HEX
