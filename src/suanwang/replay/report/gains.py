"""Who gains and who loses by joining the network: every centre and every tenant, against its centre alone."""

from typing import Any

import polars as pl

from suanwang.i18n import _
from suanwang.replay.compare import gains
from suanwang.replay.report.figure import (
    MOST_ROWS,
    Figure,
    Option,
    Table,
    bars,
    bars_height,
    count,
    decimal,
    most,
    rounded,
    time,
    wait_axis,
)
from suanwang.words import NOTHING

MOST_POINTS = 3_000
VERDICTS = ("gains", "loses", "same")
LONGEST_FIRST = pl.col("change_s").abs()


def centre_gains(jobs: pl.DataFrame, alone: pl.DataFrame) -> Figure:
    """Mean turnaround of each centre's own jobs, alone and in the network."""
    compared = gains(alone, jobs)
    shown = compared.sort("jobs", "home", descending=[True, False]).head(MOST_ROWS).sort("home")
    said = [
        _("Mean turnaround of the jobs of each centre, from submission to end, wherever they ran; of those that end on "
          "both sides."),
        _("Waits and slowdowns in the table are over the jobs that each side runs: what a centre alone refuses may run "
          "in the network."),
        tally(compared),
    ]  # fmt: skip
    if len(shown) < len(compared):
        left_out = _("The plot has the {shown} centres with most jobs of {count}.")
        said.append(left_out.format(shown=len(shown), count=len(compared)))
    series = [
        {"name": name, "color": number, "data": rounded(shown[column].fill_null(float("nan")).clip(1))}
        for number, (name, column) in enumerate(
            {_("alone"): "both_alone_s", _("in the network"): "both_network_s"}.items()
        )
    ]
    longest_s = _longest(shown)
    option = bars(shown["home"].to_list(), series, wait_axis(longest_s), "@duration")
    return Figure(
        id="centres",
        title=_("Which centres gain, which lose"),
        said=tuple(said),
        option=option,
        table=_table(compared, "home", _("centre")),
        height_px=bars_height(2 * len(shown)),
    )


def tenant_gains(jobs: pl.DataFrame, alone: pl.DataFrame) -> Figure:
    """Mean turnaround of each tenant's jobs, alone against in the network; below the line it gains."""
    change_s = pl.col("both_network_s") - pl.col("both_alone_s")
    compared = gains(alone, jobs, "tenant").with_columns(change_s=change_s)
    ranked = compared.sort(LONGEST_FIRST, "tenant", descending=[True, False], nulls_last=True)
    both = compared.drop_nulls("change_s").sort("jobs", "tenant", descending=[True, False])
    said = [
        _("Every point is a tenant: across, the mean turnaround of its jobs with every centre alone; up, in the "
          "network; of those that end on both sides. Below the line it gains."),
        tally(compared),
    ]  # fmt: skip
    if len(both) > MOST_POINTS:
        left_out = _("The plot has the {shown} tenants with most jobs of {count}.")
        said.append(left_out.format(shown=count(MOST_POINTS), count=count(len(both))))
    if len(ranked) > MOST_ROWS:
        said.append(_("The table has the {shown} tenants whose mean turnaround changes most.").format(shown=MOST_ROWS))
    return Figure(
        id="tenants",
        title=_("Which tenants gain, which lose"),
        said=tuple(said),
        option=_points(both.head(MOST_POINTS)),
        table=_table(ranked.head(MOST_ROWS), "tenant", _("tenant")),
        height_px=460,
    )


def tally(compared: pl.DataFrame) -> str:
    counts = {name: int((compared["verdict"] == name).sum()) for name in VERDICTS}
    return _("{gains} gain, {loses} lose, {same} stay the same.").format(**counts)


def _points(both: pl.DataFrame) -> Option:
    series: list[dict[str, Any]] = []
    words = {"gains": _("gains"), "loses": _("loses"), "same": _("same")}
    for number, (verdict, name) in enumerate(words.items()):
        here = both.filter(pl.col("verdict") == verdict)
        alone, network = (rounded(here[f"both_{side}_s"].clip(1)) for side in ("alone", "network"))
        points = [
            {"name": tenant, "value": [x, y]} for tenant, x, y in zip(here["tenant"], alone, network, strict=True)
        ]
        series.append({"type": "scatter", "name": name, "color": number, "symbolSize": 7, "data": points})
    longest_s = _longest(both)
    series.append(
        {"type": "line", "silent": True, "showSymbol": False, "tooltip": {"show": False}, "color": 6,
         "lineStyle": {"type": "dashed", "width": 1}, "data": [[1, 1], [longest_s, longest_s]]}
    )  # fmt: skip
    return {
        "grid": {"left": 80, "right": 24, "top": 44, "bottom": 56},
        "legend": {"type": "scroll", "top": 4, "data": list(words.values())},
        "tooltip": {"trigger": "item", "formatter": "@point"},
        "xAxis": wait_axis(longest_s, _("alone")),
        "yAxis": wait_axis(longest_s, _("in the network")) | {"nameGap": 56},
        "series": series,
    }


def _longest(compared: pl.DataFrame) -> float:
    return max(most(compared, f"both_{side}_s", 10) for side in ("alone", "network"))


def _table(compared: pl.DataFrame, key: str, named: str) -> Table:
    columns = (
        named, _("jobs"), _("refused alone"), _("mean wait alone"), _("mean wait in network"),
        _("mean turnaround alone"), _("mean turnaround in network"), _("slowdown alone"),
        _("slowdown in network"), _("change"), _("verdict"),
    )  # fmt: skip
    words = {"gains": _("gains"), "loses": _("loses"), "same": _("same")}
    rows = [
        (
            line[key],
            count(line["jobs"]),
            count(line["alone_refused"]),
            *(time(line[f"{side}_mean_{what}_s"]) for what in ("wait", "turnaround") for side in ("alone", "network")),
            *(decimal(line[f"{side}_mean_bounded_slowdown"], 2) for side in ("alone", "network")),
            NOTHING if line["gain"] is None else f"{-100 * line['gain']:+.1f} %",
            words[line["verdict"]],
        )
        for line in compared.iter_rows(named=True)
    ]
    return Table(columns, rows)
