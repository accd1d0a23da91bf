"""What the schedule was worth: how alike tenants were served, what it cost, what electricity it took."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from suanwang.i18n import _
from suanwang.replay.measures import by_pool, by_tenant
from suanwang.replay.report.figure import (
    MOST_ROWS,
    Figure,
    Option,
    Table,
    bars,
    bars_height,
    count,
    decimal,
    percent,
    rounded,
    rows_left,
    time,
    total,
)
from suanwang.replay.run import Run
from suanwang.units import FEN_PER_YUAN, SECONDS_PER_HOUR
from suanwang.words import NOTHING, money


def fairness(jobs: pl.DataFrame, index: float | None) -> Figure:
    tenants = by_tenant(jobs)
    shown = tenants.head(MOST_ROWS)
    said = [
        _("Of the time of its jobs, the share that each tenant was served rather than waited, weighted by chips."),
        _("Jain's index over all tenants: {index}; 1 is the same for all.").format(index=decimal(index, 4)),
        *rows_left(tenants),
    ]
    series = [{"name": _("time served"), "color": 0, "data": rounded(shown["served"].fill_null(float("nan")))}]
    option = bars(shown["tenant"].to_list(), series, _shares(), "@percent")
    columns = (
        _("tenant"), _("jobs"), _("refused"), _("chip hours"), _("mean wait"), _("p95 wait"), _("cost"),
        _("time served"),
    )  # fmt: skip
    rows = [
        (
            line["tenant"],
            count(line["jobs"]),
            count(line["refused"]),
            decimal(line["chip_s"] / SECONDS_PER_HOUR, 1),
            time(line["mean_wait_s"]),
            time(line["p95_wait_s"]),
            money(line["cost_fen"]),
            percent(line["served"]),
        )
        for line in shown.iter_rows(named=True)
    ]
    height_px = bars_height(len(shown))
    return Figure(
        id="fairness", title=_("Fairness"), said=tuple(said), option=option, table=Table(columns, rows),
        height_px=height_px,
    )  # fmt: skip


def _shares() -> Option:
    return {"type": "value", "min": 0, "max": 1, "axisLabel": {"formatter": "@percent"}}


def cost(tried: pl.DataFrame, run: Run) -> Figure:
    """By pool, in yuan."""
    pools = by_pool(tried, run)
    priced = {pool.id: pool.offer.fen_per_chip_hour for pool in run.pools}
    total_fen = int(pools["cost_fen"].sum())
    columns = (_("centre"), _("pool"), _("jobs run"), _("chip hours"), _("price per chip hour"), _("cost"))
    rows = [
        (
            line["centre"],
            line["pool"],
            count(line["jobs"]),
            decimal(line["chip_s"] / SECONDS_PER_HOUR, 1),
            money(priced[line["pool"]]),
            money(line["cost_fen"]),
        )
        for line in pools.iter_rows(named=True)
    ]
    rows.append(("", _("total"), count(int(pools["jobs"].sum())), "", "", money(total_fen)))
    table = Table(columns, rows, words=2)
    if not any(priced.values()):
        nothing = (_("Nothing has a price here: a network file says it (fen_per_chip_hour)."),)
        return Figure(id="cost", title=_("Cost"), said=nothing, option=None, table=table)
    said = (_("Chip-seconds by the price of the pool, rounded up to the fen for each attempt; in yuan."),)
    series = [{"name": _("cost"), "color": 1, "data": rounded(pools["cost_fen"] / FEN_PER_YUAN)}]
    return _by_pool("cost", _("Cost"), said, pools, [*series], table)


def energy(tried: pl.DataFrame, run: Run) -> Figure:
    """By pool: kWh, kg of CO2 and what the electricity costs."""
    pools = by_pool(tried, run)
    names = {"energy_kwh": _("kWh"), "carbon_kg": _("kg CO2"), "energy_cost_fen": _("cost of electricity")}
    rows = [
        (
            line["centre"],
            line["pool"],
            decimal(line["energy_kwh"], 1),
            decimal(line["carbon_kg"], 1),
            _fen(line["energy_cost_fen"]),
        )
        for line in pools.iter_rows(named=True)
    ]
    totals = {name: total(pools, name) for name in names}
    rows.append(
        ("", _("total"), decimal(totals["energy_kwh"], 1), decimal(totals["carbon_kg"], 1),
         _fen(totals["energy_cost_fen"]))
    )  # fmt: skip
    table = Table((_("centre"), _("pool"), *names.values()), rows, words=2)
    if totals["energy_kwh"] is None:
        nothing = (_("Energy is not known here: a network file says what a chip in use draws (watts_per_chip)."),)
        return Figure(id="energy", title=_("Energy"), said=nothing, option=None, table=table)
    said = (_("Of chips in use alone: chip-seconds by watts per chip. Electricity costs are in yuan."),)
    scales = {"energy_kwh": 1, "carbon_kg": 1, "energy_cost_fen": FEN_PER_YUAN}
    series = [
        {"name": names[name], "color": number + 2,
         "data": rounded((pools[name].cast(pl.Float64) / scale).fill_null(float("nan")))}
        for number, (name, scale) in enumerate(scales.items())
        if totals[name] is not None
    ]  # fmt: skip
    return _by_pool("energy", _("Energy"), said, pools, series, table)


def _fen(amount_fen: float | None) -> str:
    return NOTHING if amount_fen is None else money(round(amount_fen))


def _by_pool(
    id: str, title: str, said: tuple[str, ...], pools: pl.DataFrame, series: Sequence[dict[str, Any]], table: Table
) -> Figure:
    if len(pools) > MOST_ROWS:
        said = (*said, _("The plot has the first {shown} of {count} pools.").format(shown=MOST_ROWS, count=len(pools)))
    names = pools["pool"].head(MOST_ROWS).to_list()
    cut = [{**one, "data": one["data"][:MOST_ROWS]} for one in series]
    option = bars(names, cut, {"type": "value", "axisLabel": {"formatter": "@number"}}, "@number")
    height_px = bars_height(len(names) * len(series))
    return Figure(id=id, title=title, said=said, option=option, table=table, height_px=height_px)
