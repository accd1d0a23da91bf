"""Measures of a small schedule, worked out by hand; energy as an integral."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from suanwang.domain.scheduling.quotas import Branch, Quota, QuotaTree
from suanwang.errors import InvalidInput
from suanwang.replay.compare import gains, run_isolated, run_on
from suanwang.replay.energy import CARBON, Tariff, read_series
from suanwang.replay.measures import attempts, by_pool, jain, outcome, refused_by_reason, summary, unfinished_by_reason
from suanwang.replay.network import Network
from suanwang.replay.policyfile import POLICIES
from tests.replay.conftest import jobs, pool

EASY = POLICIES["easy"]


def measured(network: Network, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    run = run_on(network, frame, EASY, 0)
    found = outcome(run, attempts(run, network))
    return found, summary(found, run)


def test_by_hand() -> None:
    """Two chips: the second job waits 100 s for 50 s of run, the third 149 s for 2 s, the fourth never runs."""
    here = pool("p", 2, fen=7_200)
    network = Network(name="n", pools=(here,), watts_per_chip={"p": 500}, tariffs={"p": Tariff(fen_per_kwh=60)})
    frame = jobs((0, 100, 2), (0, 50, 2), (1, 2, 1), (2, 5, 3), tenant=["a", "b", "b", "c"])
    found, total = measured(network, frame)
    assert found["wait_s"].to_list() == [0, 100, 149, None]
    assert found["bounded_slowdown"].to_list() == [1.0, 3.0, 15.1, None]
    assert found["cost_fen"].to_list() == [400, 200, 4, None]  # 2 fen a chip-second
    assert found["refused"].to_list() == [None, None, None, "NODE_TOO_SMALL"]
    assert refused_by_reason(found) == {"NODE_TOO_SMALL": 1}
    assert (total["jobs"], total["started"], total["refused"], total["makespan_s"]) == (4, 3, 1, 152)
    assert total["mean_wait_s"] == pytest.approx(83)
    assert (total["median_wait_s"], total["p95_wait_s"]) == (100, 149)
    assert total["utilisation"] == pytest.approx(302 / (2 * 152))
    assert total["energy_kwh"] == pytest.approx(302 * 500 / 3.6e6)
    assert total["energy_cost_fen"] == pytest.approx(302 * 500 / 3.6e6 * 60)
    assert total["carbon_kg"] is None
    served_b = (100 + 2) / (2 * 150 + 151)
    assert total["fairness"] == pytest.approx((1 + served_b) ** 2 / (2 * (1 + served_b**2)))


def test_nobody_started() -> None:
    found, total = measured(Network(name="n", pools=(pool("p", 1),)), jobs((0, 5, 2)))
    assert (total["started"], total["mean_wait_s"], total["utilisation"], total["fairness"]) == (0, None, None, None)
    assert jain(found) is None


def test_equal_shares_are_fair() -> None:
    _found, total = measured(Network(name="n", pools=(pool("p", 4),)), jobs((0, 5, 2), (0, 9, 2), tenant=["a", "b"]))
    assert total["fairness"] == pytest.approx(1.0)


def test_one_network_against_centres_alone() -> None:
    """Two centres of one chip: one crowded, one idle until second 90. Together the crowd takes the idle chip."""
    network = Network(name="n", pools=(pool("a", 1), pool("b", 1)))
    frame = jobs((0, 100, 1), (0, 100, 1), (90, 10, 1), home=["a", "a", "b"])
    run = run_on(network, frame, EASY, 0)
    tried = attempts(run, network)
    pooled = outcome(run, tried)
    told: list[int] = []
    alone = pl.concat([one.jobs for one in run_isolated(network, frame, EASY, 0, told.append)])
    assert told[-1] == 3
    table = {row["home"]: row for row in gains(alone, pooled).to_dicts()}
    assert (table["a"]["alone_mean_wait_s"], table["a"]["network_mean_wait_s"], table["a"]["gain"]) == (
        50,
        0,
        pytest.approx(1 / 3),
    )
    assert (table["b"]["alone_mean_wait_s"], table["b"]["network_mean_wait_s"], table["b"]["gain"]) == (0, 10, -1)
    assert [table[home]["verdict"] for home in "ab"] == ["gains", "loses"]
    assert table["a"]["network_ran_elsewhere"] == 1
    assert by_pool(tried, run)["jobs"].to_list() == [2, 1]


def compared(network: Network, frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    run = run_on(network, frame, EASY, 0)
    together = outcome(run, attempts(run, network))
    alone = pl.concat([one.jobs for one in run_isolated(network, frame, EASY, 0)])
    return {row["home"]: row for row in gains(alone, together).to_dicts()}


def test_who_starts_sooner_and_ends_later_loses() -> None:
    """j1 goes where it starts 99 s earlier; bringing its 10,000 MiB there over 1 Mbit/s takes most of a day."""
    links = {("a", "b"): (0, 1), ("b", "a"): (0, 1)}
    network = Network(name="n", pools=(pool("a", 4), pool("b", 4)), transfer=links)
    frame = jobs((0, 100, 4), (1, 100, 4), (2, 100, 4), home=["a", "a", "b"], input_mib=[0, 10_000, 0])
    line = compared(network, frame)["a"]
    assert (line["alone_mean_wait_s"], line["network_mean_wait_s"]) == (49.5, 0)
    assert line["verdict"] == "loses"
    assert line["gain"] < -100
    assert line["network_mean_bounded_slowdown"] > 400


def test_what_lies_nowhere_is_fetched_from_nowhere() -> None:
    """A home that is misspelt must not make its input free."""
    network = Network(name="n", pools=(pool("a", 4), pool("b", 4)), transfer={("a", "b"): (0, 1)})
    with pytest.raises(InvalidInput, match="home: 'aa' is not allowed; a centre of the network: a, b"):
        run_on(network, jobs((0, 100, 4), (1, 100, 4), home=["a", "aa"], input_mib=[0, 1]), EASY, 0)
    run_on(network, jobs((0, 100, 4), (1, 100, 4), home=["a", "aa"], input_mib=[1, 0]), EASY, 0)


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    _found, total = measured(Network(name="n", pools=(pool("p", 1),)), jobs((0, 98, 1), (0, 5, 1)))
    assert total["median_wait_s"] == 49


def test_who_can_run_nothing_alone_gains() -> None:
    network = Network(name="n", pools=(pool("a", 2), pool("b", 8)))
    lines = compared(network, jobs((0, 10, 4), (0, 10, 4), home=["a", "b"]))
    assert (lines["a"]["alone_refused"], lines["a"]["network_ended"], lines["a"]["gain"]) == (1, 1, None)
    assert [lines[home]["verdict"] for home in "ab"] == ["gains", "same"]


def test_who_waits_for_ever_is_counted_and_told() -> None:
    """Of eight chips a tenant may have four: its job of eight never starts, and nobody says it did."""
    quota = Quota("few", "any", nominal_chips=4)
    policy = replace(EASY, tenants=QuotaTree(branches=(Branch("t", quotas=(quota,)),)))
    network = Network(name="n", pools=(pool("few", 8),))
    run = run_on(network, jobs((0, 10, 4), (0, 10, 8), (1, 10, 1)), policy, 0)
    found = outcome(run, attempts(run, network))
    assert found["end_s"].to_list() == [10, None, 20]
    assert found["refused"].to_list() == [None, None, None]
    assert unfinished_by_reason(found) == {"WAITS_FOR_QUOTA": 1}
    total = summary(found, run)
    assert (total["started"], total["refused"], total["unfinished"]) == (2, 0, 1)


def test_a_home_that_is_no_centre() -> None:
    network = Network(name="n", pools=(pool("a", 1),))
    with pytest.raises(InvalidInput, match="a centre of the network"):
        list(run_isolated(network, jobs((0, 1, 1), home=["z"]), EASY, 0))


def carbon_file(folder: Path, *values: float | None) -> Path:
    begin = datetime(2023, 1, 1)  # noqa: DTZ001 - as the files have it
    times = [begin + timedelta(hours=hour) for hour in range(len(values))]
    table = pl.DataFrame(
        {"zone": ["Z"] * len(values), "utc": times, "ci_lca": values}, schema_overrides={"ci_lca": pl.Float32}
    )
    table.write_parquet(folder / "carbon.parquet")
    return folder / "carbon.parquet"


def test_a_series_is_integrated_exactly(tmp_path: Path) -> None:
    begins_s = 1_672_531_200
    series = read_series(carbon_file(tmp_path, 100, 200, None, 400), "Z", CARBON)
    starts, ends = (
        np.array(column, np.float64) + begins_s for column in ([0, 1_800, 3_600, 5_400], [3_600, 5_400, 14_400, 5_400])
    )
    means = series.mean(starts, ends).tolist()
    assert means == pytest.approx([100, 150, (200 + 200 + 400) / 3, 200])
    with pytest.raises(InvalidInput, match="2023-01-01T00:00:00Z to 2023-01-01T04:00:00Z"):
        series.mean(np.array([begins_s + 14_000.0]), np.array([begins_s + 14_401.0]))
    tariff = Tariff(g_per_kwh=series, begins_s=begins_s)
    network = Network(name="n", pools=(pool("p", 1),), watts_per_chip={"p": 1_000}, tariffs={"p": tariff})
    _found, total = measured(network, jobs((1_800, 3_600, 1)))
    assert total["carbon_kg"] == pytest.approx(0.15)


def test_series_that_do_not_fit(tmp_path: Path) -> None:
    path = carbon_file(tmp_path, 1)
    with pytest.raises(InvalidInput, match="one of Z"):
        read_series(path, "Y", CARBON)
    with pytest.raises(InvalidInput, match="usd_per_mwh"):
        read_series(path, "Z", ("usd_per_mwh",))
    with pytest.raises(InvalidInput, match="energy"):
        read_series(tmp_path / "absent.parquet", "Z", CARBON)
