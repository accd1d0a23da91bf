"""Products that centres sell, orders of them, and what was charged for their use."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from suanwang.domain.product import Product, Unit
from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("order")
OPEN, EXHAUSTED, CLOSED = "open", "exhausted", "closed"


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """`seq`: of the row with this price; a later price is another row."""

    seq: int
    centre_id: str
    product: Product
    offered: bool


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """`measured`: what it was charged for so far, in the smallest unit of its product."""

    id: UUID
    number: int
    tenant_id: str
    centre_id: str
    product: Product
    limit_fen: int
    renews: bool
    state: str
    holds: int
    measured: int
    charged_fen: int
    created_s: int
    ended_s: int | None

    @property
    def held_fen(self) -> int:
        return self.limit_fen * self.holds - self.charged_fen if self.state == OPEN else 0


@dataclass(frozen=True, slots=True)
class ChargeRecord:
    key: str
    from_s: int
    until_s: int
    quantity: int
    measured: int
    refused: int
    amount_fen: int
    transaction_id: UUID | None
    recorded_s: int


async def products(tx: Connection, centre_id: str | None = None) -> list[ProductRecord]:
    """What is offered now."""
    return [_product_record(row) for row in await tx.fetch(_SQL["products"], centre_id)]


async def product(tx: Connection, centre_id: str, product_id: str) -> ProductRecord | None:
    row = await tx.fetchrow(_SQL["product"], centre_id, product_id)
    return None if row is None else _product_record(row)


async def insert_product(
    tx: Connection, centre_id: str, new: Product, *, offered: bool, actor: str, now_s: int
) -> None:
    size = Decimal(new.size)
    terms = (new.id, new.name, new.unit, new.fen, new.per, size)
    await tx.execute(_SQL["insert_product"], centre_id, *terms, offered, now_s, actor)


async def insert(
    tx: Connection, order_id: UUID, tenant_id: str, of: ProductRecord, limit_fen: int, renews: bool, now_s: int
) -> None:
    await tx.execute(_SQL["insert"], order_id, tenant_id, of.centre_id, of.seq, limit_fen, renews, now_s)


async def orders(
    tx: Connection,
    *,
    tenant_id: str | None = None,
    centre_id: str | None = None,
    operator_id: str | None = None,
    reference: str | None = None,
    limit: int = 1_000,
) -> list[OrderRecord]:
    """The newest first. `operator_id`: the organisation that runs the centre; `reference`: a number or the start of
    an id."""
    rows = await tx.fetch(_SQL["orders"], tenant_id, centre_id, operator_id, reference, limit)
    return [_order(row) for row in rows]


async def lock(tx: Connection, order_id: UUID) -> OrderRecord:
    return _order((await tx.fetch(_SQL["lock"], order_id))[0])


async def advance(tx: Connection, order: OrderRecord) -> None:
    """State, holds and sums as the record has them."""
    sums = (Decimal(order.measured), order.charged_fen)
    await tx.execute(_SQL["advance"], order.id, order.state, order.holds, *sums, order.ended_s)


async def in_the_way(tx: Connection, order_id: UUID, key: str, from_s: int, until_s: int) -> ChargeRecord | None:
    """A charge with this key; else the first whose time overlaps."""
    row = await tx.fetchrow(_SQL["in_the_way"], order_id, key, from_s, until_s)
    return None if row is None else _charge(row)


async def insert_charge(tx: Connection, order: OrderRecord, new: ChargeRecord, actor: str) -> None:
    await tx.execute(
        _SQL["insert_charge"],
        order.id,
        new.key,
        new.from_s,
        new.until_s,
        new.quantity,
        Decimal(new.measured),
        Decimal(new.refused),
        new.amount_fen,
        order.tenant_id,
        order.centre_id,
        new.transaction_id,
        actor,
        new.recorded_s,
    )


async def charges(tx: Connection, order_id: UUID) -> list[ChargeRecord]:
    """By time of use."""
    return [_charge(row) for row in await tx.fetch(_SQL["charges"], order_id)]


def _product_record(row: Row) -> ProductRecord:
    found = Product(row["id"], row["name"], Unit(row["unit"]), row["fen"], row["per"])
    return ProductRecord(row["seq"], row["centre_id"], found, row["offered"])


def _order(row: Row) -> OrderRecord:
    return OrderRecord(
        row["id"],
        row["number"],
        row["tenant_id"],
        row["centre_id"],
        Product(row["product_id"], row["name"], Unit(row["unit"]), row["fen"], row["per"]),
        row["limit_fen"],
        row["renews"],
        row["state"],
        row["holds"],
        int(row["measured"]),
        row["charged_fen"],
        row["created_s"],
        row["ended_s"],
    )


def _charge(row: Row) -> ChargeRecord:
    return ChargeRecord(
        row["key"],
        row["from_s"],
        row["until_s"],
        row["quantity"],
        int(row["measured"]),
        int(row["refused"]),
        row["amount_fen"],
        row["transaction_id"],
        row["recorded_s"],
    )
