"""What use costs."""

from decimal import Context, Decimal

from suanwang.units import SECONDS_PER_HOUR

QUANTITY_PLACES = Decimal("1e-12")
_EXACT = Context(prec=60)


def estimate_fen(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    """Price of `chips` chips for `seconds`, in whole fen: rounded up, once, after multiplying.

    Up, so that what has a price is never free, however short it is; an attempt costs at most one fen more for it.
    """
    return -(-fen_per_chip_hour * chips * seconds // SECONDS_PER_HOUR)


def charge_fen(fen_per_chip_hour: int, chip_s_before: int, chip_s_after: int) -> int:
    """Price of the chip-seconds from `chip_s_before` to `chip_s_after` of one attempt.

    Charges are differences of the price of the whole, so that however use is cut into intervals, the charges of an
    attempt add up to the price of all its chip-seconds, rounded up once.
    """
    return estimate_fen(fen_per_chip_hour, 1, chip_s_after) - estimate_fen(fen_per_chip_hour, 1, chip_s_before)


def price_fen(fen: int, size: int, quantity: int) -> int:
    """Price of a quantity of what costs `fen` per `size`, rounded up once. Charges are differences of this, too."""
    return -(-fen * quantity // size)


def quantity_for(fen: int, size: int, amount_fen: int) -> int:
    """The most that can be had for an amount: the inverse of `price_fen`."""
    return amount_fen * size // fen


def quantity(measured: int, size: int) -> str:
    """How many units were used, to twelve places, for people and exports: nothing is charged by it."""
    text = f"{_EXACT.divide(Decimal(measured), Decimal(size)).quantize(QUANTITY_PLACES, context=_EXACT):f}"
    return text.rstrip("0").rstrip(".")
