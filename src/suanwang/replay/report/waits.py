"""How long jobs waited: of every centre where they were submitted, the share that waited no longer than so."""

from typing import Any

import polars as pl

from suanwang.i18n import _
from suanwang.replay.measures import by_home
from suanwang.replay.report.curves import Numbers, shares_within, wait_edges
from suanwang.replay.report.figure import (
    Figure,
    Table,
    count,
    decimal,
    largest,
    line_name,
    lines,
    most,
    rounded,
    share_of,
    time,
    wait_axis,
)


def waits(jobs: pl.DataFrame, alone: pl.DataFrame | None) -> Figure:
    """`alone`: the jobs of every centre alone, dashed beside those in the network."""
    homes = by_home(jobs)
    names, rest = largest(dict(homes.select("home", "jobs").iter_rows()))
    sides = [side for side in (jobs, alone) if side is not None]
    edges_s = wait_edges(max(most(side, "wait_s", 0) for side in sides))
    series = [
        _line(_waits_of(side, part), line_name(part), edges_s, number, dashed=at == 1)
        for at, side in enumerate(sides)
        for number, part in enumerate(share_of(names, rest))
    ]
    said = [_("Share of the jobs of each centre that started within a wait; waits of less than a second count as one.")]
    if alone is not None:
        said.append(_("Full lines: in the network. Dashed lines: every centre alone."))
    if rest:
        said.append(_("The {count} smallest centres share one line.").format(count=len(rest)))
    x = wait_axis(edges_s[-1], _("wait"))
    y = {"type": "value", "min": 0, "max": 1, "axisLabel": {"formatter": "@percent"}}
    option = lines(x, y, series, "@percent")
    option["tooltip"]["axisPointer"] = {"label": {"formatter": "@pointed_duration"}}
    return Figure(id="waits", title=_("Waits"), said=tuple(said), option=option, table=_table(homes))


def _waits_of(jobs: pl.DataFrame, homes: tuple[str, ...]) -> Numbers:
    return jobs.filter(pl.col("home").is_in(homes))["wait_s"].drop_nulls().to_numpy()


def _line(wait_s: Numbers, name: str, edges_s: Numbers, number: int, *, dashed: bool) -> dict[str, Any]:
    shares = shares_within(wait_s, edges_s)
    kind = {"lineStyle": {"type": "dashed", "width": 1.5}} if dashed else {}
    return {
        "name": _("{name}, alone").format(name=name) if dashed else name,
        "color": number,
        "data": [list(point) for point in zip(rounded(edges_s), rounded(shares), strict=True)],
        **kind,
    }


def _table(homes: pl.DataFrame) -> Table:
    columns = (
        _("centre"), _("jobs"), _("refused"), _("ran elsewhere"), _("mean wait"), _("median wait"), _("p95 wait"),
        _("mean slowdown"),
    )  # fmt: skip
    rows = [
        (
            line["home"],
            count(line["jobs"]),
            count(line["refused"]),
            count(line["ran_elsewhere"]),
            *(time(line[f"{what}_wait_s"]) for what in ("mean", "median", "p95")),
            decimal(line["mean_bounded_slowdown"], 2),
        )
        for line in homes.iter_rows(named=True)
    ]
    return Table(columns, rows)
