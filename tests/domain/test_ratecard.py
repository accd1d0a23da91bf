"""Which price is in force when: judged second by second by a slower hand, also where clocks are changed."""

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from suanwang.domain.ratecard import NETWORK_TIMEZONE, Prices, Rate, RateCard, check_rates
from suanwang.errors import InvalidInput

NIGHT = Rate((0, 1, 2, 3, 4), 22 * 60, 8 * 60, Prices(1_400))
WEEKEND = Rate((5, 6), 8 * 60, 22 * 60, Prices(1_200, 500))
CARD = RateCard(NETWORK_TIMEZONE, Prices(2_100, 1_300), (NIGHT, WEEKEND))
HOUR_S = 3_600  # house: the test's own arithmetic


def at(text: str, zone: str = NETWORK_TIMEZONE, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


@pytest.mark.parametrize(
    ("instant", "fen", "preemptible_fen"),
    [
        ("2026-11-23T21:59:59", 2_100, 1_300),  # a Monday
        ("2026-11-23T22:00:00", 1_400, 1_300),  # who may be told to leave pays no more than by day
        ("2026-11-24T07:59:59", 1_400, 1_300),
        ("2026-11-24T08:00:00", 2_100, 1_300),
        ("2026-11-28T07:59:59", 1_400, 1_300),  # Friday's night, on Saturday
        ("2026-11-28T08:00:00", 1_200, 500),
        ("2026-11-29T22:00:00", 2_100, 1_300),  # no night begins on Sunday
        ("2026-11-30T00:00:00", 2_100, 1_300),
    ],
)
def test_the_price_at_an_instant(instant: str, fen: int, preemptible_fen: int) -> None:
    assert CARD.prices_at(at(instant)) == Prices(fen, preemptible_fen)


def test_every_price_that_may_be_in_force() -> None:
    assert set(CARD.levels) == {Prices(2_100, 1_300), Prices(1_400, 1_300), Prices(1_200, 500)}


@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        (NETWORK_TIMEZONE, "2026-11-23T00:00:00"),
        ("Europe/Berlin", "2026-10-24T00:00:00"),  # 25 October has 25 hours
        ("Europe/Berlin", "2026-03-28T00:00:00"),  # 29 March has 23
        ("Australia/Lord_Howe", "2026-04-04T00:00:00"),  # half an hour
    ],
)
def test_every_change_is_announced_to_the_second(zone: str, begin: str) -> None:
    """By looking at every quarter of an hour, and at the second before each change that is announced."""
    odd = Rate((5, 6), 2 * 60 + 15, 2 * 60 + 30, Prices(7))
    card = RateCard(zone, Prices(2_100), (Rate((0, 1, 2, 3, 4), 22 * 60, 24 * 60, Prices(900)), odd))
    now_s = begin_s = at(begin, zone)
    announced = []
    while now_s < begin_s + 9 * 24 * HOUR_S:
        then_s = card.next_change_s(now_s)
        assert card.prices_at(then_s - 1) == card.prices_at(now_s) != card.prices_at(then_s)
        announced.append(then_s)
        now_s = then_s
    quarters = range(begin_s, now_s + 1, HOUR_S // 4)
    seen = [later for one, later in itertools.pairwise(quarters) if card.prices_at(one) != card.prices_at(later)]
    assert announced == seen


def test_an_hour_that_comes_twice_has_its_price_twice() -> None:
    zone = "Europe/Berlin"
    card = RateCard(zone, Prices(100), (Rate((6,), 2 * 60, 2 * 60 + 30, Prices(50)),))
    first, again = (at("2026-10-25T02:10:00", zone, fold) for fold in (0, 1))
    assert again - first == HOUR_S
    told = [first]
    for _ in range(3):
        told.append(card.next_change_s(told[-1]))
    assert [card.prices_at(one).fen_per_chip_hour for one in told] == [50, 100, 50, 100]
    assert told[2] == at("2026-10-25T02:00:00", zone, 1)


def test_a_price_that_never_changes_is_looked_at_again() -> None:
    card = RateCard(NETWORK_TIMEZONE, Prices(5), (Rate((0,), 0, 60, Prices(5)),))
    assert card.next_change_s(1_700_000_000) == 1_700_000_000 + 15 * 24 * HOUR_S


OVERLAPS = [
    ((NIGHT, Rate((1,), 7 * 60, 9 * 60, Prices(1))), "tue 07:00-09:00", "rates[0] (mon,tue,wed,thu,fri 22:00-08:00)"),
    (
        (Rate((6,), 23 * 60, 60, Prices(1)), Rate((0,), 0, 30, Prices(2))),
        "mon 00:00-00:30",
        "rates[0] (sun 23:00-01:00)",
    ),
]


@pytest.mark.parametrize(("rates", "value", "other"), OVERLAPS)
def test_two_prices_at_one_time_are_refused_with_both_named(rates: tuple[Rate, ...], value: str, other: str) -> None:
    with pytest.raises(InvalidInput) as no:
        check_rates("offer", RateCard(NETWORK_TIMEZONE, Prices(3), rates))
    assert (no.value.code, no.value.facts["field"], no.value.facts["value"]) == (
        "RATES_OVERLAP",
        "offer.rates[1]",
        value,
    )
    assert other in no.value.facts["allowed"]


@pytest.mark.parametrize(
    ("card", "field"),
    [
        (RateCard("Mars/Olympus", Prices(1), (NIGHT,)), "centre.timezone"),
        (RateCard(NETWORK_TIMEZONE, Prices(1, 2), (NIGHT,)), "offer.preemptible_fen_per_chip_hour"),
        (RateCard(NETWORK_TIMEZONE, Prices(1), (Rate((7,), 0, 1, Prices(1)),)), "offer.rates[0].days"),
        (RateCard(NETWORK_TIMEZONE, Prices(1), (Rate((0,), 0, 1_441, Prices(1)),)), "offer.rates[0].from"),
    ],
)
def test_cards_that_cannot_be(card: RateCard, field: str) -> None:
    with pytest.raises(InvalidInput) as no:
        check_rates("offer", card)
    assert no.value.facts["field"] == field
