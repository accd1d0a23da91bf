"""A figure of the page: an ECharts option in plain values, and the table beneath it.

A string that begins with @ names a function of `static/report.js`, under the keys `formatter`, `valueFormatter` and
`renderItem` alone: names from a log stand under none of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import polars as pl

from suanwang.i18n import _
from suanwang.units import MS_PER_SECOND, SECONDS_PER_MINUTE
from suanwang.words import NOTHING, duration

MOST_LINES = 12
"""So many centres have a line of their own; the smaller ones share one."""
MOST_ROWS = 40
"""Of a table and of a plot with a bar for each tenant."""
DIGITS = 6
DATES = {
    "year": "{yyyy}-{MM}-{dd}",
    "month": "{yyyy}-{MM}-{dd}",
    "day": "{yyyy}-{MM}-{dd}",
    "hour": "{MM}-{dd} {HH}:{mm}",
    "minute": "{HH}:{mm}",
    "second": "{HH}:{mm}:{ss}",
}
"""ECharts' pattern of a label on an axis of time, by how far apart they are."""
Option = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as people read them; the first `words` columns are words, the others numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`option` None: there is nothing to plot, and `said` says why."""

    id: str
    title: str
    said: tuple[str, ...]
    """What is shown, and what is left out."""
    option: Option | None
    table: Table | None
    height_px: int = 360


def rounded(values: Any) -> list[float | None]:
    """Six digits are more than an eye sees, and keep the page small. NaN becomes null."""
    return [None if isnan(value) else float(f"{value:.{DIGITS}g}") for value in np.asarray(values, float).tolist()]


def moments(times_s: Any, epoch_s: int) -> list[float]:
    """Seconds of the replay as the time axis has them: Unix milliseconds where the log tells its epoch."""
    times = np.asarray(times_s, float)
    return ((times + epoch_s) * MS_PER_SECOND if epoch_s else times).round().tolist()  # type: ignore[no-any-return]


def time_axis(epoch_s: int, begin_s: float, end_s: float) -> Option:
    low, high = moments([begin_s, end_s], epoch_s)
    if epoch_s:
        return {"type": "time", "min": low, "max": high, "axisLabel": {"formatter": DATES}}
    return {"type": "value", "min": low, "max": high, "axisLabel": {"formatter": "@duration"}}


def wait_axis(longest_s: float, name: str = "") -> Option:
    """Logarithmic, from a second up, with a line at the minute, the hour and sixty hours."""
    return {
        "type": "log",
        "logBase": SECONDS_PER_MINUTE,
        "min": 1,
        "max": max(10.0, longest_s),
        "name": name,
        "nameLocation": "middle",
        "nameGap": 30,
        "axisLabel": {"formatter": "@duration"},
    }


def lines(x: Option, y: Option, series: Sequence[Option], value: str) -> Option:
    """Lines over one axis."""
    drawn = [{"type": "line", "showSymbol": False, "lineStyle": {"width": 1.5}, **one} for one in series]
    return {
        "grid": {"left": 70, "right": 24, "top": 44, "bottom": 56},
        "legend": {"type": "scroll", "top": 4},
        "tooltip": {"trigger": "axis", "valueFormatter": value},
        "xAxis": x,
        "yAxis": y,
        "series": drawn,
    }


def bars(names: Sequence[str], series: Sequence[Option], value: Option, shown: str) -> Option:
    """Bars to the right, the first name on top. `value`: the axis; `shown`: how a number is written."""
    return {
        "grid": {"left": 150, "right": 40, "top": 44, "bottom": 48},
        "legend": {"type": "scroll", "top": 4},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "valueFormatter": shown},
        "xAxis": value,
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": list(names),
            "axisLabel": {"width": 130, "overflow": "truncate", "interval": 0},
        },
        "series": [{"type": "bar", "barMaxWidth": 18, **one} for one in series],
    }


def bars_height(count: int) -> int:
    return 120 + 26 * max(count, 2)


def largest(sizes: Mapping[str, float], most: int = MOST_LINES) -> tuple[list[str], list[str]]:
    """Names with a line of their own, and those that share one: by size, then by name."""
    ranked = sorted(sizes, key=lambda name: (-sizes[name], name))
    if len(ranked) <= most:
        return sorted(ranked), []
    return sorted(ranked[: most - 1]), ranked[most - 1 :]


def share_of(names: Sequence[str], rest: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What every line is of: one name each, and the others together."""
    return (*((name,) for name in names), *((tuple(rest),) if rest else ()))


def line_name(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else _("{count} others").format(count=len(names))


def time(length_s: float | None) -> str:
    return NOTHING if length_s is None else duration(round(length_s))


def count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def most(frame: pl.DataFrame, name: str, least: float) -> float:
    """The largest number of a column, at least so much."""
    return float(frame.select(pl.col(name).max().fill_null(least).clip(least)).item())


def total(frame: pl.DataFrame, name: str) -> float | None:
    """The sum of a column; None where no number is known."""
    column = pl.col(name)
    found = frame.select(pl.when(column.count() > 0).then(column.sum())).item()
    return None if found is None else float(found)


def decimal(number: float | None, digits: int) -> str:
    return NOTHING if number is None else f"{number:,.{digits}f}"


def percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"


def rows_left(frame: pl.DataFrame, most: int = MOST_ROWS) -> tuple[str, ...]:
    """A sentence where a table would be longer than people read."""
    if len(frame) <= most:
        return ()
    return (_("The first {shown} of {count} are shown.").format(shown=most, count=f"{len(frame):,}"),)
