"""The calendar of centres: nodes booked for courses and demonstrations, and maintenance. The brain answers."""

from suanwang.control.network import check_id
from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.calendar import Booking, Window
from suanwang.domain.tenant import Actor, OrganisationKind, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound
from suanwang.store import answer, calendar, centre, event
from suanwang.store import organisation as organisations
from suanwang.store.answer import Call
from suanwang.store.calendar import BookingRecord, WindowRecord
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent

MAX_TENANTS = 1_000
MAX_NODES_NAMED = 10_000


async def book(db: Database, actor: Actor, new: Booking, call: Call, now_s: int) -> None:
    """Ask for nodes; the next step of the brain confirms or refuses.

    Raises InvalidInput naming the field, NotFound, Conflict if the id was used before, NotAllowed for pools of others.
    """
    check_id("id", new.id)
    if new.end_s <= now_s:
        raise InvalidInput("end_s", new.end_s, f"after now ({now_s})")
    if len(new.tenants) > MAX_TENANTS:
        raise InvalidInput("tenants", len(new.tenants), f"at most {MAX_TENANTS}")
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        pool = await _own_pool(tx, actor, new.pool_id)
        if new.num_nodes is not None and new.num_nodes > len(pool.nodes):
            raise InvalidInput("num_nodes", new.num_nodes, f"at most the {len(pool.nodes)} nodes of {pool.id}")
        for tenant_id in sorted(new.tenants):
            if (await organisations.organisation(tx, tenant_id)).kind is not OrganisationKind.TENANT:
                raise InvalidInput("tenants", tenant_id, "organisations that are tenants")
        if not await calendar.insert_booking(tx, new, now_s):
            raise Conflict(f"the id {new.id} was used before", code="ID_TAKEN", id=new.id)
        told = NewEvent("booking_set", centre_id=pool.centre_id, body=new)
        await event.append(tx, now_s, actor.token_id, [told])
        await answer.remember(tx, call, {})


async def unbook(db: Database, actor: Actor, booking_id: str, call: Call, now_s: int) -> None:
    """Its nodes are free at once; jobs that run in it run on. Nothing if it was refused or removed already."""
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        found = await calendar.bookings(tx, 0, booking_id)
        if not found:
            raise NotFound(f"no booking {booking_id}", booking=booking_id)
        _require_own(actor, found[0].organisation_id, found[0].centre_id)
        if await calendar.remove_booking(tx, booking_id):
            told = NewEvent("booking_removed", centre_id=found[0].centre_id, body={"id": booking_id})
            await event.append(tx, now_s, actor.token_id, [told])
        await answer.remember(tx, call, {})


async def plan_maintenance(db: Database, actor: Actor, new: Window, call: Call, now_s: int) -> None:
    """Nobody starts who would run into it; the next step of the brain says what runs in its way.

    Raises InvalidInput naming the field, NotFound, Conflict if the id was used before, NotAllowed for pools of others.
    """
    check_id("id", new.id)
    if new.end_s <= now_s:
        raise InvalidInput("end_s", new.end_s, f"after now ({now_s})")
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        pool = await _own_pool(tx, actor, new.pool_id)
        known = {node.name for node in pool.nodes}
        for name in new.node_names[:MAX_NODES_NAMED]:
            if name not in known:
                raise InvalidInput("node_names", name, f"nodes of {pool.id}")
        if len(new.node_names) > len(known):
            raise InvalidInput("node_names", len(new.node_names), f"at most the {len(known)} nodes of {pool.id}")
        if not await calendar.insert_window(tx, new, now_s):
            raise Conflict(f"the id {new.id} was used before", code="ID_TAKEN", id=new.id)
        told = NewEvent("maintenance_set", centre_id=pool.centre_id, body=new)
        await event.append(tx, now_s, actor.token_id, [told])
        await answer.remember(tx, call, {})


async def cancel_maintenance(db: Database, actor: Actor, window_id: str, call: Call, now_s: int) -> None:
    """Nothing if it was cancelled already."""
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        found = await calendar.windows(tx, 0, window_id)
        if not found:
            raise NotFound(f"no maintenance {window_id}", maintenance=window_id)
        _require_own(actor, found[0].organisation_id, found[0].centre_id)
        if await calendar.remove_window(tx, window_id):
            told = NewEvent("maintenance_removed", centre_id=found[0].centre_id, body={"id": window_id})
            await event.append(tx, now_s, actor.token_id, [told])
        await answer.remember(tx, call, {})


async def bookings(db: Database, actor: Actor, ends_after_s: int) -> list[BookingRecord]:
    """A tenant sees what is open to it, an operator what is at its centres, overseers all."""
    async with db.transaction(snapshot=True) as tx:
        found = await calendar.bookings(tx, ends_after_s)
    mine = actor.organisation_id
    if actor.role is Role.CENTRE_OPERATOR:
        return [one for one in found if one.organisation_id == mine]
    if actor.role in (Role.TENANT_ADMIN, Role.TENANT_MEMBER):
        return [one for one in found if mine in one.booking.tenants]
    return found


async def maintenance(db: Database, actor: Actor, ends_after_s: int) -> list[WindowRecord]:
    """An operator sees what is planned at its centres, overseers all."""
    async with db.transaction(snapshot=True) as tx:
        found = await calendar.windows(tx, ends_after_s)
    own = actor.role is Role.CENTRE_OPERATOR
    return [one for one in found if not own or one.organisation_id == actor.organisation_id]


async def _own_pool(tx: Connection, actor: Actor, pool_id: str) -> Pool:
    pool = next((pool for pool in await centre.pools(tx) if pool.id == pool_id), None)
    if pool is None:
        raise NotFound(f"no pool {pool_id}", pool=pool_id)
    _require_own(actor, (await centre.centre(tx, pool.centre_id)).organisation_id, pool.centre_id)
    return pool


def _require_own(actor: Actor, organisation_id: str, centre_id: str) -> None:
    if actor.role is Role.CENTRE_OPERATOR and organisation_id != actor.organisation_id:
        raise NotAllowed("an operator keeps the calendar of its own organisation's centres", centre=centre_id)
