"""Calendar of the rules: days in the legal time of China, months of different length, years that caps count in."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

from suanwang.domain.voucher.programme import YearBasis

CHINA_TIME = timezone(timedelta(hours=8), "UTC+8")
"""Days of programme rules begin at midnight of China's legal time (assumption: the rules name no time of day)."""
ONE_DAY = timedelta(days=1)
MONTHS_PER_YEAR = 12


def start_of_day_s(day: date) -> int:
    """First second of a day in China."""
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA_TIME).timestamp())


def day_of(at_s: int) -> date:
    """The day in China at an instant."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(CHINA_TIME).date()


def add_months(day: date, months: int) -> date:
    """The same calendar day `months` later (or earlier, if negative).

    A month without that day gives its last day: 29 February and 12 months is 28 February (assumption).
    """
    years, month = divmod(day.month - 1 + months, MONTHS_PER_YEAR)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def valid_to_s(granted_on: date, validity_months: int | None) -> int | None:
    """End of a validity, exclusive: the start of the same calendar day so many months later. None: no end."""
    return None if validity_months is None else start_of_day_s(add_months(granted_on, validity_months))


def year_window(basis: YearBasis, on: date) -> tuple[date, date]:
    """The year in which a claim or redemption of that day counts: first day, and day after the last.

    `natural`: 1 January to 31 December. `rolling12`: the 12 months that end with the day itself.
    """
    if basis is YearBasis.NATURAL:
        return date(on.year, 1, 1), date(on.year + 1, 1, 1)
    end = on + ONE_DAY
    return add_months(end, -MONTHS_PER_YEAR), end


def year_key(basis: YearBasis, on: date) -> str:
    """Name of that year: `2024`, or the first and last day of a rolling year, `2023-03-02/2024-03-01`."""
    start, end = year_window(basis, on)
    return str(start.year) if basis is YearBasis.NATURAL else f"{start.isoformat()}/{(end - ONE_DAY).isoformat()}"
