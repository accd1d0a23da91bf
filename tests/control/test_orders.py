"""An order of a product, from the centre's offer to the settled book, on a real database in virtual time."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import order, settle
from suanwang.control.network import Joining, join_centre
from suanwang.control.prove import prove
from suanwang.domain.centre import Centre
from suanwang.domain.product import Product, Unit, rate_use
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, NotAllowed, NotFound
from suanwang.store import centre, ledger
from suanwang.store import order as orders
from suanwang.store.order import ChargeRecord, OrderRecord
from suanwang.testing.network import ADMIN, SmallNetwork
from suanwang.wire import NewOrder, NewUse
from tests.control.test_story import assert_proofs, cash_fen

HOUR_S = 3_600  # house: the test's own arithmetic
GIB = 2**30  # house: the same
TOKENS = Product("tokens", "Tokens", Unit.MILLION_TOKENS, 250)
STORAGE = Product("storage", "Storage", Unit.GIB_MONTH, 15)
TRANSFER = Product("transfer", "Transfer", Unit.GIB, 1, 3)
AGENT = Actor("agent-east", "east-org", Role.CENTRE_AGENT, "east")


@dataclass
class Shop:
    net: SmallNetwork
    tenant: Actor

    async def order(self, product: str, limit_fen: int, *, renews: bool = False) -> UUID:
        new = NewOrder(centre_id="east", product_id=product, limit_fen=limit_fen, renews=renews)
        made = await order.create_order(self.net.db, self.tenant, new, self.net.call(self.tenant), self.net.now_s)
        self.began_s = self.net.now_s
        return UUID(made)

    async def use(
        self, order_id: UUID, hour: int, quantity: int, key: str | None = None, hours: int = 1
    ) -> ChargeRecord:
        """Of the hour after the order, reported when it is over."""
        begin_s = self.began_s + hour * HOUR_S
        self.net.now_s = max(self.net.now_s, begin_s + hours * HOUR_S)
        new = NewUse(from_s=begin_s, until_s=begin_s + hours * HOUR_S, quantity=quantity)
        return await order.report_use(self.net.db, AGENT, "east", order_id, new, key or f"k{hour}", self.net.now_s)

    async def read(self, order_id: UUID) -> OrderRecord:
        async with self.net.db.transaction() as tx:
            (found,) = await orders.orders(tx, reference=str(order_id))
        return found

    async def close(self, order_id: UUID) -> None:
        await order.close_order(self.net.db, self.tenant, order_id, self.net.call(self.tenant), self.net.now_s)


@pytest.fixture
async def shop(net: SmallNetwork) -> Shop:
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east")
    await net.offer("east", products=(TOKENS, STORAGE, TRANSFER))
    return Shop(net, tenant)


async def test_tokens_from_the_hold_to_the_settlement(shop: Shop) -> None:
    net = shop.net
    bought = await shop.order("tokens", 1_000)
    assert await cash_fen(net, "acme") == 9_000
    one, two = await shop.use(bought, 0, 1_500_000), await shop.use(bought, 1, 1)
    # 1,500,000 tokens are 375 fen; 1,500,001 are 375.00025, rounded up once.
    assert (one.amount_fen, two.amount_fen) == (375, 1)
    await assert_proofs(net)
    await shop.close(bought)
    assert await cash_fen(net, "acme") == 10_000 - 376
    (paid,) = await settle.settle(net.db, ADMIN, net.call(ADMIN), net.now_s)
    assert (paid.payee, paid.cash_fen) == ("east", 376)
    await assert_proofs(net)


async def test_storage_is_what_was_kept_for_how_long(shop: Shop) -> None:
    bought = await shop.order("storage", 2_000)
    await shop.use(bought, 0, 100 * GIB, hours=360)  # half a month of thirty days
    await shop.use(bought, 360, 20 * GIB, hours=720)
    assert (await shop.read(bought)).charged_fen == 15 * 50 + 15 * 20
    await assert_proofs(shop.net)


async def test_however_use_is_cut_and_whenever_it_comes_the_price_is_that_of_the_whole(shop: Shop) -> None:
    bought = await shop.order("transfer", 5_000)
    chance = Random(7)
    parts = [chance.randrange(3 * GIB) for _ in range(40)]
    hours = list(range(40))
    chance.shuffle(hours)
    shop.net.now_s += 50 * HOUR_S
    for hour in hours:
        await shop.use(bought, hour, parts[hour])
    whole = Fraction(sum(parts), 3 * GIB)
    assert (await shop.read(bought)).charged_fen == -(-whole.numerator // whole.denominator)
    await assert_proofs(shop.net)


async def test_the_same_report_again_and_others_in_its_place(shop: Shop) -> None:
    bought = await shop.order("tokens", 1_000)
    first = await shop.use(bought, 1, 1_000_000, key="a", hours=2)
    assert await shop.use(bought, 1, 1_000_000, key="a", hours=2) == first
    with pytest.raises(Conflict) as other:
        await shop.use(bought, 1, 999, key="a", hours=2)
    assert other.value.code == "IDEMPOTENCY_KEY_REUSED"
    for hour in (0, 1, 2):
        with pytest.raises(Conflict) as overlap:
            await shop.use(bought, hour, 5, key="b", hours=2)
        assert overlap.value.code == "USE_OVERLAPS"
        assert overlap.value.facts == {"start_s": shop.began_s + HOUR_S, "end_s": shop.began_s + 3 * HOUR_S}
    assert (await shop.use(bought, 0, 4, key="late")).amount_fen == 1
    await shop.close(bought)
    assert await shop.use(bought, 1, 1_000_000, key="a", hours=2) == first
    with pytest.raises(Conflict) as closed:
        await shop.use(bought, 3, 5)
    assert closed.value.code == "ORDER_CLOSED"
    assert await cash_fen(shop.net, "acme") == 10_000 - 251
    await assert_proofs(shop.net)


async def test_what_the_hold_does_not_cover_is_refused_and_ends_the_order(shop: Shop) -> None:
    bought = await shop.order("tokens", 1_000)
    assert (await shop.use(bought, 0, 3_999_999)).refused == 0
    over = await shop.use(bought, 1, 10)
    assert (over.measured, over.refused, over.amount_fen) == (1, 9, 0)
    found = await shop.read(bought)
    assert (found.state, found.charged_fen, found.held_fen) == ("exhausted", 1_000, 0)
    assert await shop.use(bought, 1, 10) == over
    with pytest.raises(Conflict) as no:
        await shop.use(bought, 2, 1)
    assert no.value.code == "ORDER_EXHAUSTED"
    with pytest.raises(Conflict):
        await shop.close(bought)
    assert await cash_fen(shop.net, "acme") == 9_000
    await assert_proofs(shop.net)


async def test_a_renewed_order_takes_further_holds_while_there_is_cash(shop: Shop) -> None:
    bought = await shop.order("tokens", 1_000, renews=True)
    assert (await shop.use(bought, 0, 14_000_000)).amount_fen == 3_500
    assert (await shop.read(bought)).holds == 4
    assert await cash_fen(shop.net, "acme") == 6_000
    await assert_proofs(shop.net)
    over = await shop.use(bought, 1, 40_000_000)
    assert (over.amount_fen, over.measured, over.refused) == (6_500, 26_000_000, 14_000_000)
    assert await cash_fen(shop.net, "acme") == 0
    assert (await shop.read(bought)).state == "exhausted"
    await assert_proofs(shop.net)


async def test_an_order_keeps_its_price_and_what_is_withdrawn_is_not_sold(shop: Shop) -> None:
    net = shop.net
    old = await shop.order("tokens", 1_000)
    await net.offer("east", products=(Product("tokens", "Tokens", Unit.MILLION_TOKENS, 500), STORAGE))
    assert (await shop.use(old, 0, 1_000_000)).amount_fen == 250
    new = await shop.order("tokens", 1_000)
    assert (await shop.use(new, 0, 1_000_000)).amount_fen == 500
    with pytest.raises(NotFound) as no:
        await shop.order("transfer", 1)
    assert no.value.code == "NO_PRODUCT"
    await net.offer("east", products=(Product("tokens", "Tokens", Unit.MILLION_TOKENS, 500), STORAGE))
    async with net.db.transaction() as tx:
        assert await tx.fetchval("select count(*) from product") == 5
    await assert_proofs(net)


async def test_who_may_not(shop: Shop) -> None:
    net = shop.net
    with pytest.raises(InsufficientValue) as poor:
        await shop.order("tokens", 10_001)
    assert poor.value.facts == {"needed_fen": 10_001, "available_fen": 10_000}
    bought = await shop.order("tokens", 100)
    net.now_s += HOUR_S
    new = NewUse(from_s=shop.began_s, until_s=net.now_s, quantity=1)
    other = Actor("agent-west", "west-org", Role.CENTRE_AGENT, "west")
    with pytest.raises(NotAllowed):
        await order.report_use(net.db, other, "east", bought, new, "k", net.now_s)
    with pytest.raises(NotFound):
        await order.report_use(net.db, other, "west", bought, new, "k", net.now_s)
    with pytest.raises(NotAllowed):
        stranger = Actor("t", "stranger", Role.TENANT_ADMIN)
        await order.close_order(net.db, stranger, bought, net.call(stranger), net.now_s)
    wrong = [
        NewUse(from_s=shop.began_s - 1, until_s=net.now_s, quantity=1),
        NewUse(from_s=shop.began_s, until_s=net.now_s + 60, quantity=1),
        NewUse(from_s=shop.began_s, until_s=shop.began_s, quantity=1),
        NewUse(from_s=shop.began_s, until_s=net.now_s, quantity=-1),
        NewUse(from_s=shop.began_s, until_s=net.now_s, quantity=2**53 + 1),
    ]
    for use, field in zip(wrong, ("from_s", "until_s", "until_s", "quantity", "quantity"), strict=True):
        with pytest.raises(InvalidInput) as no:
            await order.report_use(net.db, AGENT, "east", bought, use, "k", net.now_s)
        assert no.value.facts["field"] == field
    assert (await shop.read(bought)).charged_fen == 0


@pytest.mark.parametrize(
    ("products", "field"),
    [
        ((TOKENS, TOKENS), "products"),
        ((Product("free", "Free", Unit.GIB, 0),), "products[free].fen"),
        ((Product("none", "None", Unit.GIB, 1, 0),), "products[none].per"),
        ((Product("No", "No", Unit.GIB, 1),), "products.id"),
    ],
)
async def test_products_that_cannot_be(net: SmallNetwork, products: Sequence[Product], field: str) -> None:
    await net.add_centre("east")
    async with net.db.transaction() as tx:
        pools = tuple(await centre.pools(tx))
    joining = Joining(Centre("east", "East", "east", "北京", 1.0, 1.0, {}), pools, tuple(products))
    with pytest.raises(InvalidInput) as no:
        await join_centre(net.db, net.catalogue, ADMIN, joining, "east-org", net.call(ADMIN), net.now_s)
    assert no.value.facts["field"] == field


def test_rated_use_is_the_most_that_is_covered() -> None:
    """By trying every quantity."""
    chance = Random(3)
    for _ in range(300):
        product = Product("p", "P", Unit.HOUR, chance.randrange(1, 9), chance.randrange(1, 4))
        size, before, wanted = product.per * HOUR_S, chance.randrange(20_000), chance.randrange(40_000)
        limit_fen, spare = chance.randrange(1, 30), chance.randrange(3)
        held_fen = chance.randrange(limit_fen + 1)
        found = rate_use(product, before, wanted, held_fen, limit_fen, spare)

        def price(quantity: int, of: Product = product, size: int = size) -> int:
            whole = Fraction(of.fen * quantity, size)
            return -(-whole.numerator // whole.denominator)

        paid_fen = price(before + found.measured) - price(before)
        assert found.amount_fen == paid_fen <= held_fen + spare * limit_fen
        assert (
            found.measured == wanted
            or price(before + found.measured + 1) - price(before) > held_fen + spare * limit_fen
        )
        assert found.holds == min(n for n in range(spare + 1) if held_fen + n * limit_fen >= paid_fen)


async def test_the_database_refuses_what_must_not_be(shop: Shop) -> None:
    bought = await shop.order("tokens", 1_000)
    await shop.use(bought, 0, 1_000_000)
    columns = "quantity, measured, refused, 0, tenant_id, centre_id, null, actor, recorded_s from order_charge"
    copy = f"insert into order_charge select order_id, 'other', from_s + 1, until_s, {columns}"
    refused = {
        "SW004": copy,
        "SW001": "update order_charge set amount_fen = 1",
        "42501": "delete from product",
    }
    for code, statement in refused.items():
        with pytest.raises(asyncpg.PostgresError) as no:
            async with shop.net.db.transaction() as tx:
                await tx.execute(statement)
        assert no.value.sqlstate in (code, "42501"), statement


SPOILED = {
    "orders_held": "update service_order set holds = holds + 1",
    "orders_charged": "update service_order set measured = measured + 1",
    "holds_of_live_jobs": "update service_order set state = 'closed', ended_s = 1",
    "order_uses_apart": "update service_order set created_s = created_s + 1",
}


@pytest.mark.parametrize("statement", SPOILED)
async def test_a_proof_finds_what_is_spoiled(shop: Shop, statement: str) -> None:
    bought = await shop.order("tokens", 1_000)
    await shop.use(bought, 0, 1_000_000)
    async with shop.net.db.transaction() as tx:
        await tx.execute(SPOILED[statement])
    found = await prove(shop.net.db, shop.net.now_s)
    assert statement in {one.name for one in found.proofs if not one.holds}


async def test_a_charge_without_its_use_is_found(shop: Shop) -> None:
    from suanwang.domain import movements
    from suanwang.store.posting import post

    bought = await shop.order("tokens", 1_000)
    async with shop.net.db.transaction() as tx:
        paid = movements.charge_order("acme", str(bought), 1, "east", 5, 1, "test")
        await post(tx, [paid], shop.net.now_s)
        assert (await ledger.held_fen(tx, [bought]))[bought] == {"CNY": 995}
    broken = {one.name for one in (await prove(shop.net.db, shop.net.now_s)).proofs if not one.holds}
    assert broken == {"order_charges_posted", "orders_held"}


async def test_however_often_it_renews_it_is_held_once(shop: Shop) -> None:
    """An order of one fen at a time takes what a report needs as one further hold."""
    bought = await shop.order("tokens", 1, renews=True)
    charged = await shop.use(bought, 0, 40_000_000)
    assert charged.amount_fen == 10_000
    async with shop.net.db.transaction() as tx:
        held = [row for row in await ledger.transfers_of(tx, str(bought)) if row["kind"] == "hold"]
    assert len(held) == 2
    await assert_proofs(shop.net)
