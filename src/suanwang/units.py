"""The only file with a conversion factor: time, money, bytes, distance, work.

Money is an integer number of fen (1 yuan = 100 fen), time an integer number of seconds since the Unix epoch,
shares and rates of programmes are integer basis points (10,000 = the whole).
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

from suanwang.errors import InvalidInput

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1_440
MINUTES_PER_WEEK = 10_080
SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400
SECONDS_PER_MONTH = 2_592_000
"""Thirty days, as storage is priced: a month costs the same in February."""
TOKENS_PER_MILLION = 1_000_000
FEN_PER_YUAN = 100
BASIS_POINTS = 10_000
BYTES_PER_MIB = 2**20
MILLI_PER_CHIP = 1_000
"""Shares of a chip are whole thousandths."""
BYTES_PER_GIB = 2**30
MIB_PER_GIB = 1_024
KIB_PER_MIB = 1_024
BITS_PER_MIB = 2**23
BITS_PER_MEGABIT = 10**6
MS_PER_SECOND = 1_000
MILLI_PER_ONE = 1_000
JOULES_PER_KWH = 3_600_000
KWH_PER_MWH = 1_000
GRAMS_PER_KG = 1_000
EARTH_RADIUS_KM = 6371.0088
FIBRE_MS_PER_KM = 0.0049
"""Group delay of optical fibre, one way (group index 1.468; the facts sheet gives 4.895-4.897 µs/km)."""

_DURATION_S = {"s": 1, "m": SECONDS_PER_MINUTE, "h": SECONDS_PER_HOUR, "d": SECONDS_PER_DAY}
_DURATION = re.compile(r"(\d+)([smhd])")
_MAX_AMOUNT_LENGTH = 24
"""Characters of an amount: fewer than the digits that Decimal keeps, so that nothing is rounded away unseen."""
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) *([kmgtp]?)(i?b)?", re.ASCII)
_GIB = {"k": 2**-20, "m": 2**-10, "g": 1.0, "": 1.0, "t": 2.0**10, "p": 2.0**20}


def duration_s(text: str, field: str = "duration") -> int:
    """`"90s"`, `"30m"`, `"8h"`, `"1d12h"` or plain seconds -> seconds (> 0)."""
    stripped = text.strip().lower()
    if stripped.isascii() and stripped.isdigit() and len(stripped) < 12:
        total_s = int(stripped)
    else:
        pieces = _DURATION.findall(stripped)
        if not pieces or "".join(n + u for n, u in pieces) != stripped or len(stripped) > 32:
            raise InvalidInput(field, text, 'use seconds or units of d, h, m, s, like "8h" or "1h30m"')
        total_s = sum(int(n) * _DURATION_S[u] for n, u in pieces)
    if not 0 < total_s < 2**40:
        raise InvalidInput(field, text, "it must be longer than zero and end before the sun does")
    return total_s


def fen_of_yuan(text: str | int, field: str = "amount") -> int:
    """`"12.34"` yuan -> 1234 fen. Exact: more than two decimals are refused, never rounded."""
    try:
        amount = Decimal(str(text)) * FEN_PER_YUAN
    except ArithmeticError:  # not a number, or an exponent beyond what Decimal holds
        raise InvalidInput(field, text, "use yuan with at most two decimals, like 1200 or 0.05") from None
    if (
        len(str(text)) > _MAX_AMOUNT_LENGTH
        or not amount.is_finite()
        or amount != amount.to_integral_value()
        or abs(amount) >= 2**62
    ):
        raise InvalidInput(field, text, "use yuan with at most two decimals, like 1200 or 0.05")
    return int(amount)


def yuan(amount_fen: int) -> str:
    """1234 -> `"12.34"`. The inverse of `fen_of_yuan`, for people and exports; thousands are not grouped."""
    sign = "-" if amount_fen < 0 else ""
    whole, fen = divmod(abs(amount_fen), FEN_PER_YUAN)
    return f"{sign}{whole}.{fen:02d}"


def gib(text: str | float, field: str = "size") -> float:
    """`64`, `"64"`, `"64GB"`, `"512MB"`, `"1.5TiB"` -> GiB (>= 0). Units are powers of two; a bare number is GiB."""
    found = _SIZE.fullmatch(str(text).strip().lower())
    if found is None or (found[3] and not found[2]):
        raise InvalidInput(field, text, 'use GiB or a unit of KB, MB, GB, TB, PB, like 64 or "512MB"')
    return float(found[1]) * _GIB[found[2]]


def share_fen(amount_fen: int, share_bp: int) -> int:
    """`share_bp` basis points of an amount, rounded down to the fen (rounding rule of the facts sheet: assumption)."""
    return amount_fen * share_bp // BASIS_POINTS


def iso_utc(at_s: int) -> str:
    """Unix seconds -> `2026-11-22T08:00:00Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def chips_of_milli(milli: int) -> int | float:
    """Thousandths of chips as chips, for people: whole where they are whole."""
    return milli / MILLI_PER_CHIP if milli % MILLI_PER_CHIP else milli // MILLI_PER_CHIP
