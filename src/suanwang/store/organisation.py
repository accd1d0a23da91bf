"""Organisations and the tokens of the people and agents who act for them. Secrets are stored as SHA-256 only."""

from hashlib import sha256
from uuid import UUID

from suanwang.domain.tenant import Actor, Organisation, OrganisationKind, Role
from suanwang.errors import NotFound
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("organisation")


async def insert_organisation(tx: Connection, organisation: Organisation, now_s: int) -> bool:
    """False if the id is taken."""
    o = organisation
    done: str = await tx.execute(_SQL["insert_organisation"], o.id, o.name, o.kind, to_json(o.facts), now_s)
    return done.endswith(" 1")


async def organisation(tx: Connection, organisation_id: str) -> Organisation:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["organisation"], organisation_id)
    if row is None:
        raise NotFound(f"no organisation {organisation_id}", organisation=organisation_id)
    return _organisation(row)


async def share(tx: Connection, organisation_ids: list[str]) -> None:
    """Wait for whoever has one of these for itself (`lock`); others may share them."""
    await tx.execute(_SQL["share"], organisation_ids)


async def lock(tx: Connection, organisation_ids: list[str]) -> None:
    """Have these for this transaction alone, among those that `share` or `lock` them."""
    await tx.execute(_SQL["lock"], organisation_ids)


async def organisations(tx: Connection) -> list[Organisation]:
    return [_organisation(row) for row in await tx.fetch(_SQL["organisations"])]


def _organisation(row: Row) -> Organisation:
    return Organisation(
        row["id"], row["name"], OrganisationKind(row["kind"]), from_json(row["facts"], dict[str, object])
    )


async def insert_token(
    tx: Connection,
    token_id: UUID,
    secret: str,
    actor: Actor,
    label: str,
    now_s: int,
    expires_s: int | None,
    issued_by: str,
) -> None:
    digest = sha256(secret.encode()).digest()
    await tx.execute(
        _SQL["insert_token"],
        token_id,
        digest,
        actor.organisation_id,
        actor.role,
        actor.centre_id,
        label,
        now_s,
        expires_s,
        issued_by,
    )


async def actor_of_secret(tx: Connection, secret: str, now_s: int) -> Actor | None:
    row = await tx.fetchrow(_SQL["actor_of_secret"], sha256(secret.encode()).digest(), now_s)
    if row is None:
        return None
    return Actor(str(row["id"]), row["organisation_id"], Role(row["role"]), row["centre_id"])


async def tokens(tx: Connection) -> list[Row]:
    return await tx.fetch(_SQL["tokens"])


async def tokens_in_force(tx: Connection, role: Role, now_s: int) -> list[str]:
    """Ids of the tokens of a role, oldest first."""
    return [str(row["id"]) for row in await tx.fetch(_SQL["tokens_in_force"], role, now_s)]


async def revoke_token(tx: Connection, token_id: UUID, now_s: int) -> None:
    """Raises NotFound if there is no such token in force."""
    if await tx.fetchrow(_SQL["revoke_token"], token_id, now_s) is None:
        raise NotFound(f"no token {token_id} in force", token=str(token_id))
