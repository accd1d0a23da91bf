"""What the agent asks of the hub, and the files that an attempt needs from it."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from suanwang.agent.drivers.driver import Materials
from suanwang.domain.job import BlobWorkdir
from suanwang.errors import Failed, Refused
from suanwang.protocol import RunOrder, SyncReply, SyncRequest


class Hub(Protocol):
    """One centre's line to its hub. Every method raises Unreachable for silence and Refused for a "no"."""

    async def sync(self, request: SyncRequest) -> SyncReply: ...

    async def get_blob(self, sha256: str) -> bytes: ...

    async def put_blob(self, body: bytes) -> str:
        """Returns the SHA-256 of the body, in hex."""
        ...


async def fetch_materials(hub: Hub, folder: Path, order: RunOrder) -> Materials:
    """Bring an order's archives into `folder`.

    A checkpoint that the hub no longer has is left out: the attempt then resumes from a copy at this centre, or anew.
    Raises Refused if the hub has no such working directory, Failed, OSError.
    """
    workdir = checkpoint = None
    if isinstance(order.workdir, BlobWorkdir):
        workdir = await _fetch(hub, folder, order.workdir.sha256)
    if order.resume_from is not None and order.resume_from.blob_sha256 is not None:
        try:
            checkpoint = await _fetch(hub, folder, order.resume_from.blob_sha256)
        except Refused:
            pass
    return Materials(workdir=workdir, checkpoint=checkpoint)


async def _fetch(hub: Hub, folder: Path, digest: str) -> Path:
    """A blob by its digest, from the hub unless it was fetched before."""
    if len(digest) != sha256().digest_size * 2 or not all(letter in "0123456789abcdef" for letter in digest):
        raise Refused("no SHA-256", code="BAD_DIGEST", digest=digest[:80])
    path = folder / digest
    if not await asyncio.to_thread(path.exists):
        body = await hub.get_blob(digest)
        if sha256(body).hexdigest() != digest:
            raise Failed("the hub sent another content than was asked for", code="BAD_BLOB", digest=digest)
        await asyncio.to_thread(_store, path, body)
    return path


def _store(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    part.write_bytes(body)
    part.rename(path)
