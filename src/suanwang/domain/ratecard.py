"""A rate card: what a chip-hour costs at which time of the week.

Times are those of the clocks on the wall where the centre is. Whatever those clocks do, exactly one price is in force
at every instant: an hour that comes twice has its price twice, one that is left out has none. An attempt keeps the
price that was in force when it got its place, to its end.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from suanwang.errors import InvalidInput
from suanwang.units import MINUTES_PER_DAY, MINUTES_PER_HOUR, MINUTES_PER_WEEK, SECONDS_PER_DAY

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NETWORK_TIMEZONE = "Asia/Shanghai"
MAX_RATES = 100
MAX_FEN = 10**9
LOOK_AHEAD_DAYS = 15
"""Every time of the week comes within them, even one that the change of the clocks leaves out once."""


@dataclass(frozen=True, slots=True)
class Prices:
    """In fen per chip-hour. `preemptible_fen`: of jobs that may be told to leave; None: what others pay."""

    fen_per_chip_hour: int
    preemptible_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A price from one time of the day until another, on the days on which it begins: 22:00 until 08:00 goes on until
    the next morning. Days count from Monday, 0; times are minutes of the day, `until_min` up to 1440."""

    days: tuple[int, ...]
    from_min: int
    until_min: int
    prices: Prices

    @property
    def length_min(self) -> int:
        return (self.until_min - self.from_min - 1) % MINUTES_PER_DAY + 1

    def spans(self) -> Iterator[tuple[int, int]]:
        """[begin, end) in minutes of the week; what goes beyond Sunday is cut in two."""
        for day in self.days:
            begin = day * MINUTES_PER_DAY + self.from_min
            end = begin + self.length_min
            yield begin, min(end, MINUTES_PER_WEEK)
            if end > MINUTES_PER_WEEK:
                yield 0, end - MINUTES_PER_WEEK

    def __str__(self) -> str:
        days = ",".join(WEEKDAYS[day] for day in self.days)
        return f"{days} {_clock(self.from_min)}-{_clock(self.until_min)}"


@dataclass(frozen=True, slots=True)
class RateCard:
    """`plain` is the price whenever no rate says another."""

    timezone: str
    plain: Prices
    rates: tuple[Rate, ...]

    @property
    def levels(self) -> tuple[Prices, ...]:
        """All prices that may be in force at some time."""
        return tuple(dict.fromkeys((self.plain, *(self._priced(rate) for rate in self.rates))))

    def prices_at(self, at_s: int) -> Prices:
        """In force at an instant."""
        return self._of_minute(_minute_of_week(ZoneInfo(self.timezone), at_s))

    def next_change_s(self, at_s: int) -> int:
        """The first instant after `at_s` from which on another price is in force; at the latest the one up to which it
        was looked for."""
        now = self.prices_at(at_s)
        for instant_s in sorted(set(self._edges_s(at_s))):
            if instant_s > at_s and self.prices_at(instant_s) != now:
                return instant_s
        return at_s + LOOK_AHEAD_DAYS * SECONDS_PER_DAY

    def _of_minute(self, minute: int) -> Prices:
        for rate in self.rates:
            if any(begin <= minute < end for begin, end in rate.spans()):
                return self._priced(rate)
        return self.plain

    def _priced(self, rate: Rate) -> Prices:
        """Who may be told to leave never pays more than at other times for that alone."""
        own, plain = rate.prices, self.plain
        if own.preemptible_fen is not None or plain.preemptible_fen is None:
            return own
        return replace(own, preemptible_fen=min(own.fen_per_chip_hour, plain.preemptible_fen))

    def _edges_s(self, at_s: int) -> Iterator[int]:
        """Instants at which the price may change: where a rate begins or ends, and where the clocks are changed."""
        zone = ZoneInfo(self.timezone)
        first = datetime.fromtimestamp(at_s, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        minutes = {minute for rate in self.rates for span in rate.spans() for minute in span}
        for ahead in range(-1, LOOK_AHEAD_DAYS):
            day = first + timedelta(days=ahead)
            of_week = day.weekday() * MINUTES_PER_DAY
            for minute in minutes:
                if of_week <= minute <= of_week + MINUTES_PER_DAY:
                    wall = day + timedelta(minutes=minute - of_week)
                    for fold in (0, 1):  # an hour that comes twice
                        yield int(wall.replace(fold=fold, tzinfo=zone).timestamp())
            begin_s = at_s + ahead * SECONDS_PER_DAY
            if _offset(zone, begin_s) != _offset(zone, begin_s + SECONDS_PER_DAY):
                yield _change_of_clocks_s(zone, begin_s, begin_s + SECONDS_PER_DAY)


def check_prices(where: str, prices: Prices) -> None:
    """Raises InvalidInput."""
    fen, preemptible_fen = prices.fen_per_chip_hour, prices.preemptible_fen
    if not 0 <= fen < MAX_FEN:
        raise InvalidInput(f"{where}.fen_per_chip_hour", fen, "0 or more fen")
    if preemptible_fen is not None and not 0 <= preemptible_fen <= fen:
        allowed = "0 or more fen, at most what other jobs pay"
        raise InvalidInput(f"{where}.preemptible_fen_per_chip_hour", preemptible_fen, allowed)


def check_rates(where: str, card: RateCard) -> None:
    """Raises InvalidInput for a card that cannot be; where two rates overlap, naming both."""
    if not is_timezone(card.timezone):
        raise InvalidInput("centre.timezone", card.timezone, "a time zone like Asia/Shanghai")
    check_prices(where, card.plain)
    if len(card.rates) > MAX_RATES:
        raise InvalidInput(f"{where}.rates", len(card.rates), f"at most {MAX_RATES} rates")
    for i, rate in enumerate(card.rates):
        check_prices(f"{where}.rates[{i}]", rate.prices)
        if not rate.days or any(not 0 <= day < len(WEEKDAYS) for day in rate.days):
            raise InvalidInput(f"{where}.rates[{i}].days", str(rate.days), "days from mon to sun")
        if not (0 <= rate.from_min < MINUTES_PER_DAY and 0 <= rate.until_min <= MINUTES_PER_DAY):
            raise InvalidInput(f"{where}.rates[{i}].from", str(rate), "times from 00:00 to 24:00")
    _check_overlaps(where, card.rates)


def _check_overlaps(where: str, rates: Sequence[Rate]) -> None:
    spans = sorted((*span, i) for i, rate in enumerate(rates) for span in rate.spans())
    for (_, end, one), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            first, second = sorted((one, other))
            raise InvalidInput(
                f"{where}.rates[{second}]",
                str(rates[second]),
                f"a time that rates[{first}] ({rates[first]}) does not have",
                code="RATES_OVERLAP",
            )


@cache
def is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not a name, a folder, not there
        return False
    return True


def _minute_of_week(zone: ZoneInfo, at_s: int) -> int:
    wall = datetime.fromtimestamp(at_s, zone)
    return wall.weekday() * MINUTES_PER_DAY + wall.hour * MINUTES_PER_HOUR + wall.minute


def _offset(zone: ZoneInfo, at_s: int) -> timedelta | None:
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()


def _change_of_clocks_s(zone: ZoneInfo, before_s: int, after_s: int) -> int:
    """The first instant of the new offset: it differs at the two instants."""
    old = _offset(zone, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        before_s, after_s = (middle_s, after_s) if _offset(zone, middle_s) == old else (before_s, middle_s)
    return after_s


def _clock(minute: int) -> str:
    hours, minutes = divmod(minute, MINUTES_PER_HOUR)
    return f"{hours:02d}:{minutes:02d}"
