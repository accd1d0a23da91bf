"""Who and what is in the network: organisations, their tokens, centres with their pools, money paid in."""

from dataclasses import dataclass, replace
from uuid import UUID

from suanwang.control import order
from suanwang.control.providers import check_stated
from suanwang.domain import movements
from suanwang.domain.centre import Catalogue, Centre, Pool, check_pool
from suanwang.domain.ledger import identity
from suanwang.domain.product import Product
from suanwang.domain.tenant import ORGANISATION_KIND_OF_ROLE, Actor, Organisation, OrganisationKind, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed
from suanwang.store import answer, centre, event
from suanwang.store import organisation as organisations
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.posting import post

NETWORK_ID = "network"
MAX_NAME_LENGTH = 200


async def is_founded(db: Database) -> bool:
    async with db.transaction(snapshot=True) as tx:
        return any(known.id == NETWORK_ID for known in await organisations.organisations(tx))


async def found_network(db: Database, secret: str, now_s: int) -> bool:
    """The first start: the network's own organisation and its administrator's token. False if it was done before."""
    async with db.transaction() as tx:
        network = Organisation(NETWORK_ID, "Suanwang", OrganisationKind.NETWORK, {})
        if not await organisations.insert_organisation(tx, network, now_s):
            return False
        admin = Actor("", NETWORK_ID, Role.NETWORK_ADMIN)
        await organisations.insert_token(
            tx, identity("token", secret), secret, admin, "first administrator", now_s, None, "hub-start"
        )
        return True


async def new_administrator(db: Database, secret: str, now_s: int) -> list[str]:
    """Another administrator's token, for whoever can start the hub on its database: the way back after a lost one.

    Returns the ids of the administrators' tokens that were in force before; they stay so until they are revoked.
    """
    token_id = identity("token", secret)
    async with db.transaction() as tx:
        before = await organisations.tokens_in_force(tx, Role.NETWORK_ADMIN, now_s)
        admin = Actor("", NETWORK_ID, Role.NETWORK_ADMIN)
        await organisations.insert_token(tx, token_id, secret, admin, "new administrator", now_s, None, "hub-start")
        body = {
            "token": str(token_id),
            "organisation": NETWORK_ID,
            "role": Role.NETWORK_ADMIN,
            "by": "start of the hub",
        }
        await event.append(tx, now_s, "hub-start", [NewEvent("token_issued", body=body)])
    return before


async def add_organisation(db: Database, actor: Actor, new: Organisation, call: Call, now_s: int) -> None:
    """Raises Conflict if the id is taken, InvalidInput if it cannot be one."""
    check_id("id", new.id)
    _check_name("name", new.name)
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        if not await organisations.insert_organisation(tx, new, now_s):
            raise Conflict(f"the id {new.id} is taken", code="ID_TAKEN", id=new.id)
        await event.append(
            tx, now_s, actor.token_id, [NewEvent("organisation_added", body={"id": new.id, "kind": new.kind})]
        )
        await answer.remember(tx, call, {})


async def issue_token(
    db: Database, actor: Actor, new: Actor, secret: str, label: str, expires_s: int | None, call: Call, now_s: int
) -> str:
    """A token for a role of an organisation. The secret is shown once, to the caller; only its hash is kept.

    Network admins issue any; a tenant's admin issues tokens of its own organisation, a centre's operator of its centre.
    The same call again makes no second token, and cannot show the first one's secret, which nobody knows any more:
    it raises Conflict (SECRET_SHOWN_ONCE) with the token's id, which can be revoked.
    """
    _check_may_issue(actor, new)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, str, now_s)
        if repeated is not None:
            raise Conflict(
                f"token {repeated} was issued by this call and its secret shown once; revoke it and take a new key",
                code="SECRET_SHOWN_ONCE",
                token=repeated,
            )
        owner = await organisations.organisation(tx, new.organisation_id)
        if ORGANISATION_KIND_OF_ROLE[new.role] is not owner.kind:
            fitting = sorted(role for role, kind in ORGANISATION_KIND_OF_ROLE.items() if kind is owner.kind)
            raise InvalidInput("role", new.role, f"for a {owner.kind} organisation: {', '.join(fitting)}")
        if new.role is Role.CENTRE_AGENT:
            if new.centre_id is None:
                raise InvalidInput("centre_id", None, "an agent's token names the centre that it speaks for")
            if (await centre.centre(tx, new.centre_id)).organisation_id != new.organisation_id:
                raise InvalidInput("centre_id", new.centre_id, f"a centre of {new.organisation_id}")
        token_id = identity("token", secret)
        await organisations.insert_token(tx, token_id, secret, new, label, now_s, expires_s, actor.token_id)
        body = {"token": str(token_id), "organisation": new.organisation_id, "role": new.role}
        await event.append(tx, now_s, actor.token_id, [NewEvent("token_issued", centre_id=new.centre_id, body=body)])
        await answer.remember(tx, call, str(token_id))
    return str(token_id)


def _check_may_issue(actor: Actor, new: Actor) -> None:
    own = actor.organisation_id == new.organisation_id
    tenant = own and actor.role is Role.TENANT_ADMIN and new.role in (Role.TENANT_ADMIN, Role.TENANT_MEMBER)
    operator = own and actor.role is Role.CENTRE_OPERATOR and new.role in (Role.CENTRE_OPERATOR, Role.CENTRE_AGENT)
    if not (actor.role is Role.NETWORK_ADMIN or tenant or operator):
        raise NotAllowed(f"a {actor.role} cannot issue a {new.role} token for {new.organisation_id}")


async def revoke_token(db: Database, actor: Actor, token_id: UUID, call: Call, now_s: int) -> None:
    """Raises NotFound if no such token is in force."""
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        await organisations.revoke_token(tx, token_id, now_s)
        await event.append(tx, now_s, actor.token_id, [NewEvent("token_revoked", body={"token": str(token_id)})])
        await answer.remember(tx, call, {})


@dataclass(frozen=True, slots=True)
class Joining:
    """A centre as its file describes it: who it is, the pools it offers at which prices, and what else it sells."""

    centre: Centre
    pools: tuple[Pool, ...]
    products: tuple[Product, ...] = ()


async def join_centre(
    db: Database, catalogue: Catalogue, actor: Actor, joining: Joining, organisation_id: str, call: Call, now_s: int
) -> bool:
    """A centre joins with its offer, or changes it. Unseen until its agent speaks. Returns whether it is new.

    A node keeps its name and at least the chips that live attempts have on it: were it taken away, renamed or shrunk
    under them, its chips would be offered a second time under another name. Drain the centre, or let the jobs end, and
    change it then. Fewer CPUs are taken at once: the brain leaves no room on such a node until its jobs have ended.

    Raises InvalidInput naming the field, Conflict if an id belongs to somebody else or a node is in use.
    """
    new = joining.centre
    check_id("centre.id", new.id)
    for field, text in (("centre.name", new.name), ("centre.name_zh", new.name_zh), ("centre.city", new.city)):
        _check_name(field, text)
    if not -90 <= new.latitude <= 90 or not -180 <= new.longitude <= 180:
        raise InvalidInput(
            "centre.latitude, centre.longitude", f"{new.latitude}, {new.longitude}", "degrees on this planet"
        )
    check_stated(new.provider_facts)
    if not joining.pools:
        raise InvalidInput("pools", 0, "a centre offers at least one pool")
    for pool in joining.pools:
        check_id("pools.id", pool.id)
        check_pool(pool)
        catalogue.chip(pool.chip_id)
    for product in joining.products:
        check_id("products.id", product.id)
        _check_name("products.name", product.name)
    order.check_products(joining.products)
    if actor.role is Role.CENTRE_OPERATOR and organisation_id != actor.organisation_id:
        raise NotAllowed("an operator changes centres of its own organisation")
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, dict[str, bool], now_s)
        if repeated is not None:
            return repeated.get("joined", True)
        joined = all(one.centre.id != new.id for one in await centre.centres(tx))
        if not await centre.upsert_centre(tx, new, organisation_id, now_s):
            raise Conflict(f"the id {new.id} is taken", code="ID_TAKEN", id=new.id)
        pools = [replace(pool, offer=pool.offer.at(now_s)) for pool in joining.pools]
        for pool in pools:
            if not await centre.upsert_pool(tx, pool, now_s):
                raise Conflict(f"the pool id {pool.id} is taken by another centre", code="ID_TAKEN", id=pool.id)
            await _require_room_for_live(tx, pool)
        news = [NewEvent("pool_set", centre_id=new.id, body=pool) for pool in pools]
        news += await order.set_products(tx, actor, new.id, joining.products, now_s)
        kind = "centre_joined" if joined else "centre_changed"
        await event.append(tx, now_s, actor.token_id, [NewEvent(kind, centre_id=new.id), *news])
        await answer.remember(tx, call, {"joined": joined})
    return joined


async def _require_room_for_live(tx: Connection, pool: Pool) -> None:
    over = await centre.nodes_taken_beyond(tx, pool)
    if over:
        raise Conflict(
            f"jobs run on {over[0]['chips']} chips of node {over[0]['node']} of {pool.id}, which would have "
            f"{over[0]['capacity']}: keep its name and its chips until they have ended",
            code="NODE_IN_USE",
            pool=pool.id,
            node=over[0]["node"],
            taken=over[0]["chips"],
            chips=over[0]["capacity"],
            nodes=[row["node"] for row in over],
            jobs=list(over[0]["jobs"][:10]),
        )


async def set_drained(db: Database, actor: Actor, centre_id: str, drained: bool, call: Call, now_s: int) -> None:
    """A drained centre gets no new jobs; those it has run on. The same call again changes nothing any more."""
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        record = await centre.centre(tx, centre_id)
        if actor.role is Role.CENTRE_OPERATOR and record.organisation_id != actor.organisation_id:
            raise NotAllowed("an operator drains centres of its own organisation", centre=centre_id)
        if await centre.set_drained(tx, centre_id, drained):
            kind = "centre_drained" if drained else "centre_resumed"
            await event.append(tx, now_s, actor.token_id, [NewEvent(kind, centre_id=centre_id)])
        await answer.remember(tx, call, {})


async def top_up(db: Database, actor: Actor, tenant_id: str, amount_fen: int, call: Call, now_s: int) -> None:
    """Money that a tenant has paid to the network outside becomes its cash here."""
    if not 0 < amount_fen < 10**15:
        raise InvalidInput("amount_fen", amount_fen, "more than 0 and less than 10^15 fen")
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        owner = await organisations.organisation(tx, tenant_id)
        if owner.kind is not OrganisationKind.TENANT:
            raise InvalidInput("tenant_id", tenant_id, "a tenant's organisation")
        key = f"{actor.organisation_id}/{call.key}"
        await post(tx, [movements.top_up(tenant_id, amount_fen, key, now_s, actor.token_id)], now_s)
        await event.append(
            tx, now_s, actor.token_id, [NewEvent("topped_up", body={"tenant": tenant_id, "fen": amount_fen})]
        )
        await answer.remember(tx, call, {})


def _check_name(field: str, value: str) -> None:
    if not 1 <= len(value) <= MAX_NAME_LENGTH or not value.isprintable():
        raise InvalidInput(field, value, f"1 to {MAX_NAME_LENGTH} printable characters")


def check_id(field: str, value: str) -> None:
    """Raises InvalidInput unless a value can be the id of something in the network."""
    plain = value.replace("-", "a")
    if not (
        1 <= len(value) <= 63 and plain.isascii() and plain.isalnum() and plain == plain.lower() and value[0] != "-"
    ):
        raise InvalidInput(field, value, "1 to 63 lower-case letters, digits and dashes")
