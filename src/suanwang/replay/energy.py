"""What the electricity of a job costs and emits: chip-seconds x watts, against constant rates or hourly series."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from suanwang.errors import InvalidInput
from suanwang.units import SECONDS_PER_HOUR, iso_utc

Floats = npt.NDArray[np.float64]
CARBON = ("ci_lca", "ci_direct")
"""Columns of grams of CO2 equivalent per kWh; the first that is there counts."""
PRICE = ("usd_per_mwh",)


@dataclass(frozen=True, slots=True)
class Series:
    """A rate by the hour, as its integral: exact for any beginning and end."""

    name: str
    times_s: Floats
    """Unix seconds at which an hour begins, and the end of the last."""
    integral: Floats
    """Rate x seconds since the first of them."""

    def mean(self, begin_s: Floats, end_s: Floats) -> Floats:
        """The mean rate of each stretch; of one without length, the rate there. Raises InvalidInput: not covered."""
        end_s = np.maximum(end_s, begin_s + 1)
        for at_s in (begin_s.min(initial=np.inf), end_s.max(initial=-np.inf)):
            if len(begin_s) and not self.times_s[0] <= at_s <= self.times_s[-1]:
                covered = f"{iso_utc(int(self.times_s[0]))} to {iso_utc(int(self.times_s[-1]))}"
                raise InvalidInput("energy.begins", iso_utc(int(at_s)), f"a time that {self.name} covers: {covered}")
        below, above = (np.interp(at_s, self.times_s, self.integral) for at_s in (begin_s, end_s))
        mean: Floats = (above - below) / (end_s - begin_s)
        return mean


Rate = float | Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a centre's electricity costs and emits; None: not known."""

    fen_per_kwh: Rate | None = None
    g_per_kwh: Rate | None = None
    begins_s: int = 0
    """Unix time at which second 0 of the replay lies in the series."""


def mean_rate(rate: Rate, begins_s: int, start_s: Floats, end_s: Floats) -> Floats:
    """The mean of a rate over stretches of the replay."""
    if isinstance(rate, Series):
        return rate.mean(start_s + begins_s, end_s + begins_s)
    return np.full(len(start_s), float(rate))


def read_series(path: Path, zone: str, columns: tuple[str, ...], scale: float = 1.0) -> Series:
    """An hourly series of one zone from a Parquet file with `zone`, `utc` and one of the columns.

    Hours that are missing have the rate of the hour before. Raises InvalidInput.
    """
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as broken:
        raise InvalidInput("energy", str(path), str(broken).splitlines()[0]) from None
    column = next((name for name in columns if name in table.columns), None)
    if column is None or not {"zone", "utc"} <= set(table.columns):
        raise InvalidInput(f"energy: {path.name}", ", ".join(table.columns), f"zone, utc and {' or '.join(columns)}")
    found = table.filter(pl.col("zone").cast(pl.String) == zone).drop_nulls(column).sort("utc")
    if not len(found):
        zones = ", ".join(sorted(table["zone"].cast(pl.String).unique().to_list()))
        raise InvalidInput(f"zone of {path.name}", zone, f"one of {zones}")
    times_s = found["utc"].dt.epoch("s").to_numpy().astype(np.float64)
    edges_s = np.append(times_s, times_s[-1] + SECONDS_PER_HOUR)
    rates = found[column].to_numpy().astype(np.float64) * scale
    return Series(f"{zone} of {path.name}", edges_s, np.append(0.0, np.cumsum(rates * np.diff(edges_s))))
