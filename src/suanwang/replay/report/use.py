"""What part of every centre's chips was in use, over the whole time."""

import polars as pl

from suanwang.i18n import _
from suanwang.replay.measures import by_pool
from suanwang.replay.report.curves import BINS, mean_in_use, time_edges
from suanwang.replay.report.figure import (
    Figure,
    Table,
    count,
    decimal,
    largest,
    line_name,
    lines,
    moments,
    percent,
    rounded,
    share_of,
    time,
    time_axis,
)
from suanwang.replay.run import Run
from suanwang.replay.traces.trace import CPU
from suanwang.units import SECONDS_PER_HOUR


def use(tried: pl.DataFrame, run: Run, begin_s: int, end_s: int) -> Figure:
    """Pools of CPU cores count only where a centre has nothing else: a core is not a chip."""
    sizes: dict[str, int] = {}
    counted = [pool for pool in run.pools if pool.chip_id != CPU]
    with_chips = {pool.centre_id for pool in counted}
    counted += [pool for pool in run.pools if pool.centre_id not in with_chips]
    for pool in counted:
        sizes[pool.centre_id] = sizes.get(pool.centre_id, 0) + pool.chips
    names, rest = largest(sizes)
    ran = tried.filter(pl.col("pool").is_in([pool.id for pool in counted]))
    edges_s = time_edges(begin_s, end_s)
    x = moments((edges_s[1:] + edges_s[:-1]) / 2, run.epoch_s)
    series = []
    for number, part in enumerate(share_of(names, rest)):
        here = ran.filter(pl.col("centre").is_in(part))
        start_s, stop_s, chips = (here[name].to_numpy() for name in ("start_s", "end_s", "chips_used"))
        share = mean_in_use(start_s, stop_s, chips, edges_s) / sum(sizes[name] for name in part)
        data = [list(point) for point in zip(x, rounded(share), strict=True)]
        series.append({"name": line_name(part), "color": number, "data": data})
    bin_s = (edges_s[-1] - edges_s[0]) / BINS
    said = [_("Chips in use by chips there, the mean of each of {bins} bins of {length}.").format(
        bins=BINS, length=time(bin_s)
    )]  # fmt: skip
    if len(counted) < len(run.pools):
        said.append(_("Pools of CPU cores are not counted here where their centre has chips."))
    if rest:
        said.append(_("The {count} smallest centres share one line.").format(count=len(rest)))
    y = {"type": "value", "min": 0, "axisLabel": {"formatter": "@percent"}}
    option = lines(time_axis(run.epoch_s, begin_s, end_s), y, series, "@percent")
    if not run.epoch_s:
        option["tooltip"]["axisPointer"] = {"label": {"formatter": "@pointed_duration"}}
    option["dataZoom"] = [{"type": "inside"}]
    return Figure(id="use", title=_("Utilisation"), said=tuple(said), option=option, table=_table(by_pool(tried, run)))


def _table(pools: pl.DataFrame) -> Table:
    columns = (_("centre"), _("pool"), _("chip"), _("chips"), _("jobs run"), _("chip hours"), _("utilisation"))
    rows = [
        (
            line["centre"],
            line["pool"],
            line["chip"],
            count(line["chips"]),
            count(line["jobs"]),
            decimal(line["chip_s"] / SECONDS_PER_HOUR, 1),
            percent(line["utilisation"]),
        )
        for line in pools.iter_rows(named=True)
    ]
    return Table(columns, rows, words=3)
