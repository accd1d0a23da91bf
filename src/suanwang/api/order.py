"""Products besides chip-hours: what is sold, orders of it, their use."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import AGENT, JOB_READERS, PUBLIC, TENANTS, call_of, hub_of
from suanwang.control import order
from suanwang.domain.product import MEASURES, Product
from suanwang.domain.tenant import OVERSIGHT_ROLES, TENANT_ROLES, Actor, Role
from suanwang.errors import NotFound
from suanwang.store import ledger
from suanwang.store import order as orders
from suanwang.store.db import Connection
from suanwang.store.order import ChargeRecord, OrderRecord
from suanwang.wire import (
    NewOrder,
    NewUse,
    OrderLine,
    OrderReceipt,
    ProductLine,
    Reason,
    TransferLine,
    UseLine,
)

READERS = JOB_READERS | AGENT


@get("/v1/products", opt={"may": PUBLIC})
async def list_products(request: Request[Any, Any, Any]) -> list[ProductLine]:
    """What every centre sells besides chip-hours. Public: it is what the network offers."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [_product(one.centre_id, one.product) for one in await orders.products(tx)]


@post("/v1/orders", opt={"may": TENANTS}, status_code=201)
async def create(request: Request[Actor, Any, Any], data: NewOrder) -> OrderLine:
    """Order a product: as much as the limit says is held, and its use is paid from that."""
    hub = hub_of(request)
    order_id = await order.create_order(hub.db, request.user, data, await call_of(request), hub.clock())
    async with hub.db.transaction(snapshot=True) as tx:
        return _line(await _visible(tx, request.user, order_id))


@get("/v1/orders", opt={"may": READERS})
async def list_orders(request: Request[Actor, Any, Any]) -> list[OrderLine]:
    """The newest first: a tenant's own, those at a centre for whoever works there, all for the network's oversight."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [_line(one) for one in await _of(tx, request.user, None)]


@get("/v1/orders/{reference:str}", opt={"may": READERS})
async def show(request: Request[Actor, Any, Any], reference: str) -> OrderReceipt:
    """By number, id or start of the id: the order, its use with charges, and what moved in the book."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        found = await _visible(tx, request.user, reference)
        transfers = [
            TransferLine(str(t["id"]), t["kind"], t["debit"], t["credit"], t["amount_fen"], t["effective_s"])
            for t in await ledger.transfers_of(tx, str(found.id))
        ]
        return OrderReceipt(_line(found), [_use(one) for one in await orders.charges(tx, found.id)], transfers)


@post("/v1/orders/{reference:str}/close", opt={"may": TENANTS}, status_code=200)
async def close(request: Request[Actor, Any, Any], reference: str) -> OrderLine:
    """It is needed no more: the rest of its hold is free again."""
    hub = hub_of(request)
    call = await call_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        found = await _visible(tx, request.user, reference)
    await order.close_order(hub.db, request.user, found.id, call, hub.clock())
    async with hub.db.transaction(snapshot=True) as tx:
        return _line(await _visible(tx, request.user, str(found.id)))


@post("/v1/agent/{centre_id:str}/orders/{reference:str}/uses", opt={"may": AGENT}, status_code=200)
async def report(request: Request[Actor, Any, Any], centre_id: str, reference: str, data: NewUse) -> UseLine:
    """What of an order was used when. The same call again has the same answer, however late it comes."""
    hub = hub_of(request)
    call = await call_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        found = await _visible(tx, request.user, reference)
    return _use(await order.report_use(hub.db, request.user, centre_id, found.id, data, call.key, hub.clock()))


async def _of(tx: Connection, actor: Actor, reference: str | None) -> list[OrderRecord]:
    """The orders that somebody may see."""
    if actor.role in OVERSIGHT_ROLES:
        return await orders.orders(tx, reference=reference)
    if actor.role in TENANT_ROLES:
        return await orders.orders(tx, tenant_id=actor.organisation_id, reference=reference)
    if actor.role is Role.CENTRE_AGENT:
        return await orders.orders(tx, centre_id=actor.centre_id or "", reference=reference)
    return await orders.orders(tx, operator_id=actor.organisation_id, reference=reference)


async def _visible(tx: Connection, actor: Actor, reference: str) -> OrderRecord:
    """Raises NotFound, also where several begin so."""
    found = await _of(tx, actor, reference)
    if len(found) != 1:
        raise NotFound(f"no order {reference}", code="NO_ORDER", order=reference)
    return found[0]


def _product(centre_id: str, sold: Product) -> ProductLine:
    counted_in = MEASURES[sold.unit].counted_in
    return ProductLine(centre_id, sold.id, sold.name, sold.unit, sold.fen, sold.per, counted_in)


def _line(record: OrderRecord) -> OrderLine:
    return OrderLine(
        str(record.id),
        record.number,
        record.tenant_id,
        _product(record.centre_id, record.product),
        record.state,
        record.limit_fen,
        record.renews,
        record.holds,
        record.held_fen,
        record.charged_fen,
        record.created_s,
        record.ended_s,
    )


def _use(record: ChargeRecord) -> UseLine:
    return UseLine(
        record.from_s,
        record.until_s,
        record.quantity,
        str(record.measured),
        str(record.refused),
        record.amount_fen,
        str(record.transaction_id) if record.transaction_id else None,
        record.recorded_s,
        Reason("ORDER_EXHAUSTED") if record.refused else None,
    )


ROUTES = [list_products, create, list_orders, show, close, report]
