"""What centres sell besides chip-hours: storage, transfer, tokens, hours of a service.

A product has a unit that people know and is counted in a smallest one that is whole: what is kept in storage in bytes
times seconds, the rest in bytes, tokens or seconds. An order pays for the use of one product out of a hold.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from suanwang.domain import rating
from suanwang.errors import InvalidInput
from suanwang.units import BYTES_PER_GIB, SECONDS_PER_HOUR, SECONDS_PER_MONTH, TOKENS_PER_MILLION

MAX_FEN = 10**12
MAX_PER = 10**9
MAX_QUANTITY = 2**53
MAX_PRODUCTS = 1_000


class Unit(StrEnum):
    GIB_MONTH = "gib-month"
    GIB = "gib"
    MILLION_TOKENS = "million-tokens"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Measure:
    """How a unit is counted. `over_time`: a level is reported, and counts for every second of its interval."""

    counted_in: str
    size: int
    over_time: bool = False


MEASURES: MappingProxyType[Unit, Measure] = MappingProxyType(
    {
        Unit.GIB_MONTH: Measure("bytes", BYTES_PER_GIB * SECONDS_PER_MONTH, over_time=True),
        Unit.GIB: Measure("bytes", BYTES_PER_GIB),
        Unit.MILLION_TOKENS: Measure("tokens", TOKENS_PER_MILLION),
        Unit.HOUR: Measure("seconds", SECONDS_PER_HOUR),
    }
)


@dataclass(frozen=True, slots=True)
class Product:
    """`fen` for `per` units: any price that is a fraction is exact."""

    id: str
    name: str
    unit: Unit
    fen: int
    per: int = 1

    @property
    def size(self) -> int:
        """How much of the smallest unit costs `fen`."""
        return self.per * MEASURES[self.unit].size

    def measured(self, quantity: int, from_s: int, until_s: int) -> int:
        """What a report of use counts for."""
        return quantity * (until_s - from_s) if MEASURES[self.unit].over_time else quantity


@dataclass(frozen=True, slots=True)
class RatedUse:
    """What of a report is paid, and how many further holds it takes."""

    measured: int
    amount_fen: int
    holds: int


def rate_use(product: Product, before: int, wanted: int, held_fen: int, limit_fen: int, spare_holds: int) -> RatedUse:
    """As much of `wanted` as the hold covers, with up to `spare_holds` more of `limit_fen` each.

    `before`: what the order was charged for. The rest of `wanted` nobody pays for.
    """
    charged_fen = rating.price_fen(product.fen, product.size, before)
    covered_fen = charged_fen + held_fen + spare_holds * limit_fen
    measured = min(wanted, rating.quantity_for(product.fen, product.size, covered_fen) - before)
    amount_fen = rating.price_fen(product.fen, product.size, before + measured) - charged_fen
    return RatedUse(measured, amount_fen, max(0, -(-(amount_fen - held_fen) // limit_fen)))


def check_product(where: str, product: Product) -> None:
    """Raises InvalidInput."""
    if not 1 <= product.fen <= MAX_FEN:
        raise InvalidInput(f"{where}.fen", product.fen, f"1 to {MAX_FEN}")
    if not 1 <= product.per <= MAX_PER:
        raise InvalidInput(f"{where}.per", product.per, f"1 to {MAX_PER}")
