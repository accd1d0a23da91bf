"""Products besides chip-hours: centres offer them, tenants order them, centres report their use, and it is charged."""

from dataclasses import replace
from uuid import UUID

from suanwang.domain import movements
from suanwang.domain.ledger import Transaction, identity, tenant_cash
from suanwang.domain.product import MAX_PRODUCTS, MAX_QUANTITY, Product, RatedUse, check_product, rate_use
from suanwang.domain.tenant import Actor, require_centre, require_tenant
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, NotFound
from suanwang.store import answer, event, ledger
from suanwang.store import order as orders
from suanwang.store.answer import Call, reused_key
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.order import CLOSED, EXHAUSTED, OPEN, ChargeRecord, OrderRecord
from suanwang.store.posting import post
from suanwang.units import yuan
from suanwang.wire import NewOrder, NewUse

MAX_LIMIT_FEN = 10**12
MAX_CLOCK_DIFFERENCE_S = 2
"""How far a centre's clock may be ahead."""


def check_products(products: tuple[Product, ...]) -> None:
    """Raises InvalidInput for products that cannot be."""
    if len(products) > MAX_PRODUCTS:
        raise InvalidInput("products", len(products), f"at most {MAX_PRODUCTS} products")
    ids = [product.id for product in products]
    if len(set(ids)) != len(ids):
        raise InvalidInput("products", " ".join(ids), "every product has an id of its own")
    for product in products:
        check_product(f"products[{product.id}]", product)


async def set_products(
    tx: Connection, actor: Actor, centre_id: str, products: tuple[Product, ...], now_s: int
) -> list[NewEvent]:
    """A centre sells these from now on and no others. Orders keep the price that they were placed at."""
    before = {known.product.id: known.product for known in await orders.products(tx, centre_id)}
    after = {product.id: product for product in products}
    for product in after.values():
        if before.get(product.id) != product:
            await orders.insert_product(tx, centre_id, product, offered=True, actor=actor.token_id, now_s=now_s)
    for product in before.values():
        if product.id not in after:
            await orders.insert_product(tx, centre_id, product, offered=False, actor=actor.token_id, now_s=now_s)
    if before == after:
        return []
    return [NewEvent("products_set", centre_id=centre_id, body={"products": products})]


async def create_order(db: Database, actor: Actor, new: NewOrder, call: Call, now_s: int) -> str:
    """Order a product at the price of this moment; as much as the limit says is held. Returns the order's id.

    Raises NotFound, InvalidInput, InsufficientValue.
    """
    require_tenant(actor, actor.organisation_id)
    if not 1 <= new.limit_fen <= MAX_LIMIT_FEN:
        raise InvalidInput("limit_fen", new.limit_fen, f"1 to {MAX_LIMIT_FEN}")
    tenant_id = actor.organisation_id
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, str, now_s)
        if repeated is not None:
            return repeated
        wanted = await orders.product(tx, new.centre_id, new.product_id)
        if wanted is None or not wanted.offered:
            raise NotFound(
                f"{new.centre_id} sells no {new.product_id}",
                code="NO_PRODUCT",
                centre=new.centre_id,
                product=new.product_id,
            )
        await _require_cash(tx, tenant_id, new.limit_fen)
        order_id = identity("order", tenant_id, call.key)
        await orders.insert(tx, order_id, tenant_id, wanted, new.limit_fen, new.renews, now_s)
        await post(tx, [_hold(tenant_id, order_id, 1, new.limit_fen, now_s, actor.token_id)], now_s)
        body = {"order": str(order_id), "tenant": tenant_id, "product": new.product_id, "limit_fen": new.limit_fen}
        await event.append(tx, now_s, actor.token_id, [NewEvent("order_opened", centre_id=new.centre_id, body=body)])
        await answer.remember(tx, call, str(order_id))
    return str(order_id)


async def _require_cash(tx: Connection, tenant_id: str, needed_fen: int) -> None:
    available_fen = await ledger.balance_fen(tx, tenant_cash(tenant_id))
    if available_fen < needed_fen:
        raise InsufficientValue(
            f"{yuan(needed_fen)} yuan must be held, {yuan(available_fen)} are free: top up, or set a lower limit",
            code="ORDER_NOT_COVERED",
            needed_fen=needed_fen,
            available_fen=available_fen,
        )


def _hold(tenant_id: str, order_id: UUID, number: int, amount_fen: int, at_s: int, actor: str) -> Transaction:
    return movements.hold(tenant_id, str(order_id), number, amount_fen, None, 0, at_s, actor)


async def report_use(
    db: Database, actor: Actor, centre_id: str, order_id: UUID, new: NewUse, key: str, now_s: int
) -> ChargeRecord:
    """A centre says what of an order was used when: it is charged at once, as far as the order covers it.

    Reports may come late and in any order, their times never overlap; the same report again has the same answer. What
    the order does not cover is refused, and stops the order: nothing can be reported for it any more.

    Raises NotFound, NotAllowed, InvalidInput, Conflict (the key or the time was used; the order is over).
    """
    require_centre(actor, centre_id)
    async with db.transaction() as tx:
        order = await orders.lock(tx, order_id)
        if order.centre_id != centre_id:
            raise NotFound(f"no order {order_id} at {centre_id}", code="NO_ORDER", order=str(order_id))
        _check_use(order, new, now_s)
        known = await orders.in_the_way(tx, order_id, key, new.from_s, new.until_s)
        if known is not None:
            return _repeated(known, new, key)
        if order.state != OPEN:
            raise Conflict(
                f"order {order.number} is {order.state}: it takes no more use",
                code="ORDER_EXHAUSTED" if order.state == EXHAUSTED else "ORDER_CLOSED",
                order=order.number,
            )
        return await _charge(tx, actor, order, new, key, now_s)


def _check_use(order: OrderRecord, new: NewUse, now_s: int) -> None:
    if not 0 <= new.quantity <= MAX_QUANTITY:
        raise InvalidInput("quantity", new.quantity, f"0 to {MAX_QUANTITY}")
    if new.from_s < order.created_s:
        raise InvalidInput("from_s", new.from_s, f"{order.created_s}, when it was ordered, or later")
    if not new.from_s < new.until_s <= now_s + MAX_CLOCK_DIFFERENCE_S:
        raise InvalidInput("until_s", new.until_s, "after its begin, and not in the future")


def _repeated(known: ChargeRecord, new: NewUse, key: str) -> ChargeRecord:
    if known.key != key:
        raise Conflict(
            f"use from {known.from_s} until {known.until_s} is recorded already",
            code="USE_OVERLAPS",
            start_s=known.from_s,
            end_s=known.until_s,
        )
    if (known.from_s, known.until_s, known.quantity) != (new.from_s, new.until_s, new.quantity):
        raise reused_key(key=key)
    return known


async def _charge(tx: Connection, actor: Actor, order: OrderRecord, new: NewUse, key: str, now_s: int) -> ChargeRecord:
    wanted = order.product.measured(new.quantity, new.from_s, new.until_s)
    rated = rate_use(order.product, order.measured, wanted, order.held_fen, order.limit_fen, 0)
    if rated.measured < wanted and order.renews:
        rated, order = await _renewed(tx, actor, order, wanted, now_s)
    charge = ChargeRecord(
        key,
        new.from_s,
        new.until_s,
        new.quantity,
        rated.measured,
        wanted - rated.measured,
        rated.amount_fen,
        None,
        now_s,
    )
    if rated.amount_fen:
        paid = movements.charge_order(
            order.tenant_id, str(order.id), new.from_s, order.centre_id, rated.amount_fen, new.until_s, actor.token_id
        )
        await post(tx, [paid], now_s)
        charge = replace(charge, transaction_id=paid.id)
    await orders.insert_charge(tx, order, charge, actor.token_id)
    order = replace(order, measured=order.measured + rated.measured, charged_fen=order.charged_fen + rated.amount_fen)
    body = {"order": str(order.id), "from_s": new.from_s, "until_s": new.until_s, "fen": rated.amount_fen}
    await event.append(tx, now_s, actor.token_id, [NewEvent("order_used", centre_id=order.centre_id, body=body)])
    if charge.refused:
        await _end(tx, actor, order, EXHAUSTED, now_s)
    else:
        await orders.advance(tx, order)
    return charge


async def _renewed(
    tx: Connection, actor: Actor, order: OrderRecord, wanted: int, now_s: int
) -> tuple[RatedUse, OrderRecord]:
    """With as many further holds as it takes, taken as one, and as the tenant's cash allows."""
    cash_fen = await ledger.balance_fen(tx, tenant_cash(order.tenant_id))
    terms = (order.product, order.measured, wanted, order.held_fen, order.limit_fen)
    rated = rate_use(*terms, cash_fen // order.limit_fen)
    more = _hold(order.tenant_id, order.id, order.holds + 1, order.limit_fen * rated.holds, now_s, actor.token_id)
    try:
        async with tx.transaction():
            await post(tx, [more], now_s)
    except InsufficientValue:  # the cash went elsewhere at this very moment
        return rate_use(*terms, 0), order
    return rated, replace(order, holds=order.holds + rated.holds)


async def close_order(db: Database, actor: Actor, order_id: UUID, call: Call, now_s: int) -> None:
    """A tenant needs it no more: what is still held is free again, and no use is taken any more.

    Raises NotAllowed, Conflict (it is over).
    """
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, str, now_s) is not None:
            return
        order = await orders.lock(tx, order_id)
        require_tenant(actor, order.tenant_id)
        if order.state != OPEN:
            raise Conflict(f"order {order.number} is {order.state}", code="ORDER_OVER", order=order.number)
        await _end(tx, actor, order, CLOSED, now_s)
        await answer.remember(tx, call, CLOSED)


async def _end(tx: Connection, actor: Actor, order: OrderRecord, state: str, now_s: int) -> None:
    rest = movements.release(order.tenant_id, str(order.id), order.held_fen, None, 0, now_s, actor.token_id)
    await post(tx, [rest], now_s)
    await orders.advance(tx, replace(order, state=state, ended_s=now_s))
    body = {"order": str(order.id), "fen": order.held_fen}
    await event.append(tx, now_s, actor.token_id, [NewEvent(f"order_{state}", centre_id=order.centre_id, body=body)])
