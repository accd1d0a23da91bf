"""Files of tenants and checkpoints of jobs come in, and go when nobody needs them any more."""

from dataclasses import dataclass
from hashlib import sha256

from suanwang.domain.tenant import TENANT_ROLES, Actor, Quotas
from suanwang.errors import InvalidInput, Refused
from suanwang.store import answer, blob, event, organisation
from suanwang.store.db import Database
from suanwang.store.event import NewEvent

ACTOR = "network"
REMOVED_AT_ONCE = 200
"""So many files, and a hundred times as many answers, go in one transaction."""


async def put_blob(db: Database, actor: Actor, body: bytes, quotas: Quotas, now_s: int) -> str:
    """Store a file; returns the hex SHA-256 of its content, which is its name. Again, it is kept as if it were new.

    Raises InvalidInput for an empty one, Refused (BLOB_QUOTA) if the tenant has too much. Centres have no quota: what
    they send are checkpoints of jobs that tenants pay for.
    """
    if not body:
        raise InvalidInput("body", "", "at least one byte")
    owner_id = actor.organisation_id
    async with db.transaction() as tx:
        if actor.role in TENANT_ROLES:
            await organisation.lock(tx, [owner_id])
            if not await blob.owned_by(tx, sha256(body).hexdigest(), owner_id):
                _check_quota(await blob.owned_bytes(tx, owner_id), len(body), quotas)
        return await blob.insert(tx, owner_id, body, now_s)


def _check_quota(used_bytes: int, size_bytes: int, quotas: Quotas) -> None:
    if used_bytes + size_bytes > quotas.blob_bytes:
        raise Refused(
            f"your files are {used_bytes} bytes, {quotas.blob_bytes} are allowed; this one has {size_bytes}. "
            "Files that no live job needs go by themselves after some days",
            code="BLOB_QUOTA",
            size_bytes=size_bytes,
            used_bytes=used_bytes,
            limit_bytes=quotas.blob_bytes,
        )


@dataclass(slots=True)
class CleanedUp:
    answers: int = 0
    blobs: int = 0
    blob_bytes: int = 0


async def clean_up(db: Database, keep_s: int, now_s: int) -> CleanedUp:
    """Forget the answers to calls, and remove the files that no live job needs, which are older than `keep_s`.

    Whoever sends a call again after that long is told that its key was used.
    """
    all_gone, before_s = CleanedUp(), now_s - keep_s
    while True:
        async with db.transaction() as tx:
            answers = await answer.remove_old(tx, before_s, 100 * REMOVED_AT_ONCE)
            sizes = await blob.remove_unneeded(tx, before_s, REMOVED_AT_ONCE)
            if not answers and not sizes:
                return all_gone
            body = {"answers": answers, "blobs": len(sizes), "blob_bytes": sum(sizes), "before_s": before_s}
            await event.append(tx, now_s, ACTOR, [NewEvent("cleaned_up", body=body)])
        all_gone.answers += answers
        all_gone.blobs += len(sizes)
        all_gone.blob_bytes += sum(sizes)
