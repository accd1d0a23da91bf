"""Products that centres sell besides chip-hours, and orders of them."""

from dataclasses import dataclass, field

from suanwang.domain.product import Unit
from suanwang.wire.job import TransferLine
from suanwang.wire.request import Reason, Request


class NewProduct(Request, frozen=True, kw_only=True):
    """`fen` for `per` units."""

    id: str
    name: str
    unit: Unit
    fen: int
    per: int = 1


class NewOrder(Request, frozen=True, kw_only=True):
    centre_id: str
    product_id: str
    limit_fen: int
    """What is held at a time; without `renews` also the most that the order may cost."""
    renews: bool = False
    """Whether a further hold of the same size is taken when this one is used up."""


class NewUse(Request, frozen=True, kw_only=True):
    """Use of an order in [from_s, until_s), in the smallest unit of its product: bytes, tokens or seconds.

    Of storage it is what was kept all that time.
    """

    from_s: int
    until_s: int
    quantity: int


@dataclass(frozen=True, slots=True)
class ProductLine:
    centre_id: str
    id: str
    name: str
    unit: str
    fen: int
    per: int
    counted_in: str


@dataclass(frozen=True, slots=True)
class OrderLine:
    """`state`: open, exhausted (the hold is used up; it takes no more use) or closed."""

    id: str
    number: int
    tenant_id: str
    product: ProductLine
    state: str
    limit_fen: int
    renews: bool
    holds: int
    held_fen: int
    charged_fen: int
    created_s: int
    ended_s: int | None


@dataclass(frozen=True, slots=True)
class UseLine:
    """One report of use and its charge. `measured` is paid, `refused` is what the order did not cover: whole numbers as
    text, because bytes times seconds go beyond 64 bits."""

    from_s: int
    until_s: int
    quantity: int
    measured: str
    refused: str
    amount_fen: int
    transaction_id: str | None
    recorded_s: int
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class OrderReceipt:
    order: OrderLine
    uses: list[UseLine] = field(default_factory=list)
    transfers: list[TransferLine] = field(default_factory=list)
