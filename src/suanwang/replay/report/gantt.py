"""Which jobs held which chips when: every job of a small log, the busiest stretch of a large one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from suanwang.domain.centre import Pool
from suanwang.i18n import _
from suanwang.replay.report.curves import busiest, mean_in_use, stretch_around, time_edges
from suanwang.replay.report.figure import (
    Figure,
    Option,
    Table,
    count,
    decimal,
    largest,
    moments,
    percent,
    time,
    time_axis,
)
from suanwang.replay.report.lanes import Span, lanes
from suanwang.replay.run import Run
from suanwang.units import SECONDS_PER_HOUR, iso_utc

MOST_JOBS = 2_000
"""Rectangles that a browser draws at once, and that an eye tells apart."""
MOST_TENANTS = 9
MOST_NAMED_POOLS = 24


@dataclass(frozen=True, slots=True)
class Drawn:
    """A pool with the jobs that are drawn on it, by their start."""

    pool: Pool
    jobs: pl.DataFrame
    spans: list[list[Span]]
    top: int
    """The row at which it begins."""
    rows: int
    """As many as it has chips; more only where jobs share them."""


def gantt(jobs: pl.DataFrame, tried: pl.DataFrame, run: Run) -> Figure:
    """`tried`: the `attempts` of the jobs, each of which had its own chips."""
    waited = tried.with_columns(wait_s=jobs["wait_s"].gather(tried["row"]))
    ran = waited.filter(pl.col("end_s") > pl.col("start_s"))
    if not len(ran):
        nothing = (_("No job ran."),)
        return Figure(id="gantt", title=_("Jobs on chips"), said=nothing, option=None, table=None)
    within, begin_s, end_s = _stretch(ran)
    shown = within.sort("chip_s", descending=True, maintain_order=True).head(MOST_JOBS)
    drawn = _drawn(run.pools, shown.sort("start_s", "submitted_s", maintain_order=True))
    said = [_("Every row is a chip, every colour a tenant. A log does not tell which chip a job had: rows are filled "
              "from the top.")]  # fmt: skip
    if len(within) < len(ran):
        busy = _("Shown are {shown} of {count} jobs: those that ran from {begin} to {end}, when most jobs waited.")
        begin, end = (_moment(at_s, run.epoch_s) for at_s in (begin_s, end_s))
        said.append(busy.format(shown=count(len(within)), count=count(len(ran)), begin=begin, end=end))
    if len(shown) < len(within):
        said.append(_("Of these only the {count} with most chip hours are drawn.").format(count=count(len(shown))))
    height_px = min(900, max(320, 120 + 6 * (drawn[-1].top + drawn[-1].rows)))
    return Figure(
        id="gantt",
        title=_("Jobs on chips"),
        said=tuple(said),
        option=_option(shown, drawn, run.epoch_s, (begin_s, end_s)),
        table=_table(drawn, begin_s, end_s),
        height_px=height_px,
    )


def _moment(at_s: float, epoch_s: int) -> str:
    return iso_utc(round(at_s) + epoch_s) if epoch_s else time(at_s)


def _stretch(ran: pl.DataFrame) -> tuple[pl.DataFrame, float, float]:
    """The jobs that ran while most waited, and from when to when: as long as few enough of them ran."""
    submitted_s, start_s, end_s = (ran[name].to_numpy() for name in ("submitted_s", "start_s", "end_s"))
    begin_s, stop_s = stretch_around(busiest(submitted_s, start_s), start_s, end_s, MOST_JOBS)
    return ran.filter((pl.col("start_s") < stop_s) & (pl.col("end_s") > begin_s)), begin_s, stop_s


def _drawn(pools: tuple[Pool, ...], shown: pl.DataFrame) -> list[Drawn]:
    """The pools where anything that is shown ran, one above the other."""
    found: list[Drawn] = []
    top = 0
    for pool in pools:
        here = shown.filter(pl.col("pool") == pool.id)
        if len(here):
            times = (here[name].to_list() for name in ("start_s", "end_s", "chips_used"))
            spans = list(lanes(zip(*times, strict=True), pool.chips))
            rows = max(pool.chips, *(high for taken in spans for _low, high in taken))
            found.append(Drawn(pool, here, spans, top, rows))
            top += rows
    return found


def _option(shown: pl.DataFrame, drawn: list[Drawn], epoch_s: int, stretch: tuple[float, float]) -> Option:
    held = dict(shown.group_by("tenant").agg(pl.col("chip_s").sum()).iter_rows())
    names, rest = largest(held, MOST_TENANTS)
    number = {name: at for at, name in enumerate(names)} | dict.fromkeys(rest, len(names))
    said = [*names, *([_("other tenants")] if rest else ())]
    bars: list[list[list[Any]]] = [[] for _name in said]
    for pool in drawn:
        for tenant, bar in _bars(pool, epoch_s, stretch):
            bars[number[tenant]].append(bar)
    series: list[Option] = [
        {"type": "custom", "name": name, "color": at, "renderItem": "@bar", "encode": {"x": [0, 1], "y": [2, 3]},
         "clip": True, "data": found}
        for at, (name, found) in enumerate(zip(said, bars, strict=True))
    ]  # fmt: skip
    if len(drawn) <= MOST_NAMED_POOLS:
        series[0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"type": "solid", "width": 1, "color": "#888"},
            "label": {"formatter": "{b}", "position": "end", "width": 120, "overflow": "truncate"},
            "data": [{"yAxis": one.top, "name": one.pool.id} for one in drawn],
        }
    rows = {"type": "value", "inverse": True, "min": 0, "max": drawn[-1].top + drawn[-1].rows}
    return {
        "grid": {"left": 70, "right": 130, "top": 44, "bottom": 56},
        "legend": {"type": "scroll", "top": 4, "data": said},
        "tooltip": {"trigger": "item", "formatter": "@job"},
        "xAxis": time_axis(epoch_s, *stretch),
        "yAxis": rows | {"splitLine": {"show": False}, "name": _("chips"), "nameLocation": "middle", "nameGap": 50},
        "dataZoom": [{"type": "inside", "filterMode": "weakFilter"}],
        "series": series,
    }


def _bars(pool: Drawn, epoch_s: int, stretch: tuple[float, float]) -> Iterator[tuple[str, list[Any]]]:
    """(tenant, [start, end, row, row after, job, tenant, chips, wait in s, run time in s]) of every rectangle."""
    jobs = pool.jobs
    begin, stop = (moments(jobs[name].to_numpy().clip(*stretch), epoch_s) for name in ("start_s", "end_s"))
    ran_s = (jobs["end_s"] - jobs["start_s"]).to_list()
    facts = zip(jobs["job_id"], jobs["tenant"], jobs["chips_used"], jobs["wait_s"], ran_s, strict=True)
    for from_, to, taken, fact in zip(begin, stop, pool.spans, facts, strict=True):
        for low, high in taken:
            yield fact[1], [from_, to, pool.top + low, pool.top + high, *fact]


def _table(drawn: list[Drawn], begin_s: float, end_s: float) -> Table:
    """What is drawn, by pool."""
    edges_s = time_edges(begin_s, end_s, 1)
    rows = []
    for one in drawn:
        start_s, stop_s, chips = (one.jobs[name].to_numpy() for name in ("start_s", "end_s", "chips_used"))
        in_use = float(mean_in_use(start_s, stop_s, chips, edges_s)[0])
        chip_hours = in_use * (edges_s[-1] - edges_s[0]) / SECONDS_PER_HOUR
        numbers = (count(one.pool.chips), count(len(one.jobs)), decimal(chip_hours, 1), percent(in_use / one.rows))
        rows.append((one.pool.centre_id, one.pool.id, *numbers))
    columns = (_("centre"), _("pool"), _("chips"), _("jobs drawn"), _("chip hours drawn"), _("share of chips drawn"))
    return Table(columns, rows, words=2)
