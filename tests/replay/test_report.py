"""The page of a replay: its numbers are those of the measures, and names from a log stay names."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from suanwang.i18n import speaking
from suanwang.replay.compare import run_isolated, run_on
from suanwang.replay.measures import attempts, by_pool, outcome
from suanwang.replay.network import Network
from suanwang.replay.report.curves import (
    busiest,
    mean_in_use,
    shares_within,
    stretch_around,
    time_edges,
    wait_edges,
)
from suanwang.replay.report.gantt import MOST_JOBS
from suanwang.replay.report.lanes import lanes
from suanwang.replay.report.page import figures_of, page
from suanwang.replay.study import Study, read_study
from suanwang.replay.sweep.plan import read_grid
from suanwang.replay.traces.parquet import write_parquet
from tests.cli.conftest import Run, answer, home, run
from tests.replay.conftest import jobs, pool
from tests.replay.test_command import NETWORK, SAMPLE

__all__ = ["home", "run"]
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "\"'{{7*7}}&amp;\u2028",
    "@bar",
)


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts and styles, the cells of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[tuple[str, dict[str, str | None], str]] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag in ("script", "style"):
            self.inline.append((tag, dict(attrs), ""))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            tag, attributes, text = self.inline[-1]
            self.inline[-1] = (tag, attributes, text + data)
        elif self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    def meta(self, name: str) -> str:
        found = [one for tag, one in self.elements if tag == "meta" and one.get("http-equiv") == name]
        return found[0]["content"] or ""

    @property
    def drawn(self) -> Any:
        texts = [text for tag, one, text in self.inline if one.get("type") == "application/json"]
        assert len(texts) == 1
        return json.loads(texts[0])


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study([SAMPLE], network=NETWORK, limit=400)


def made(study: Study, *, compare: bool = True) -> tuple[str, pl.DataFrame, Any]:
    policy = read_grid(None).policies[0][1]
    ran = run_on(study.network, study.frame, policy, study.epoch_s)
    tried = attempts(ran, study.network)
    found = outcome(ran, tried)
    isolated = run_isolated(study.network, study.frame, policy, study.epoch_s)
    alone = pl.concat([one.jobs for one in isolated]) if compare else None
    return page(study, ran, "easy", found, tried, alone, sums={"x": "0" * 64}, choices={"limit": 400}), found, ran


def test_a_command_writes_a_page_in_either_language(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    command = ["replay", SAMPLE, "--network", NETWORK, "--limit", "200", "--compare", "isolated", "--report", out]
    found = answer(run(*command, "--json"))
    english = out.read_text("utf-8")
    assert "<title>Replay of three-cities</title>" in english
    assert f"{found['summary']['jobs']:,}" in Page(english).cells
    sha256 = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    assert sha256 in english
    told = run(*command, "--lang", "zh")
    assert "哪些" not in english
    assert "合成一网" in told.stdout
    chinese = out.read_text("utf-8")
    assert '<html lang="zh-CN">' in chinese
    assert "哪些租户受益" in chinese
    assert [one for one in tmp_path.iterdir() if one.name.endswith(".part")] == []


def test_a_place_that_cannot_be_written_is_a_line(run: Run, tmp_path: Path) -> None:
    result = run("replay", SAMPLE, "--limit", "5", "--report", tmp_path / "no" / "page.html")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_what_is_plotted_is_what_was_measured(study: Study) -> None:
    text, found, ran = made(study)
    figures = Page(text).drawn["figures"]
    assert set(figures) == {"waits", "use", "gantt", "centres", "tenants", "fairness", "cost", "energy"}
    pools = by_pool(attempts(ran, study.network), ran)
    assert sum(figures["cost"]["series"][0]["data"]) == pytest.approx(pools["cost_fen"].sum() / 100, rel=1e-5)
    assert sum(figures["energy"]["series"][0]["data"]) == pytest.approx(pools["energy_kwh"].sum(), rel=1e-5)
    # Chip-seconds under the lines of utilisation, and in the rectangles, are those of the schedule.
    chips = pools.group_by("centre").agg(pl.col("chips", "chip_s").sum())
    for line in figures["use"]["series"]:
        size, chip_s = chips.filter(pl.col("centre") == line["name"]).select("chips", "chip_s").row(0)
        times_ms, shares = zip(*line["data"], strict=True)
        bin_s = (times_ms[1] - times_ms[0]) / 1_000
        assert sum(shares) * bin_s * size == pytest.approx(chip_s, rel=1e-3)
    bars = [bar for series in figures["gantt"]["series"] for bar in series["data"]]
    drawn_s = sum((bar[1] - bar[0]) / 1_000 * (bar[3] - bar[2]) for bar in bars)
    assert drawn_s == pytest.approx(pools["chip_s"].sum())
    assert {bar[4] for bar in bars} == set(found["job_id"])
    # The lines of waits end where all jobs have started, and are right where they cross a minute.
    for line in figures["waits"]["series"][:3]:
        waits = found.filter(pl.col("home") == line["name"])["wait_s"].to_numpy()
        assert line["data"][-1][1] == 1
        edge, share = next(point for point in line["data"] if point[0] > 60)
        assert share == pytest.approx(np.mean(waits <= edge), abs=1e-5)


def test_nothing_is_drawn_over_another(study: Study) -> None:
    text, _found, _ran = made(study, compare=False)
    bars = [bar for series in Page(text).drawn["figures"]["gantt"]["series"] for bar in series["data"]]
    rows: dict[int, list[tuple[float, float]]] = {}
    for begin, end, low, high, *_names in bars:
        for row in range(low, high):
            rows.setdefault(row, []).append((begin, end))
    assert max(rows) < 128
    for spans in rows.values():
        ordered = sorted(spans)
        assert all(before[1] <= after[0] for before, after in pairwise(ordered))


def test_the_page_asks_nobody_and_names_every_script(study: Study) -> None:
    text, _found, _ran = made(study)
    read = Page(text)
    policy = read.meta("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "*" not in policy
    for _tag, attributes, inline in read.inline:
        if attributes.get("type") != "application/json":
            sum_ = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"'sha256-{sum_}'" in policy
    for tag, attributes in read.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert not {"src", "href", "style", "srcdoc"} & attributes.keys(), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert text == made(study)[0]


def test_a_figure_has_its_table_and_its_words(study: Study) -> None:
    read = Page(made(study)[0])
    plots = [one for _tag, one in read.elements if one.get("class") == "plot"]
    assert len(plots) == len(read.drawn["figures"])
    assert all(one["role"] == "img" and one["aria-label"] for one in plots)
    assert sum(tag == "table" for tag, _one in read.elements) == len(plots) + 1


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    names = [HOSTILE[number % len(HOSTILE)] for number in range(40)]
    job_ids = [f"{name}{number}" for number, name in enumerate(names)]
    rows = [(number, 60 + number, 1) for number in range(40)]
    log = tmp_path / "x.parquet"
    write_parquet(jobs(*rows, tenant=names, home=names, job_id=job_ids), log)
    read = read_study([log], chips=2)
    text, _found, ran = made(read)
    seen = Page(text)
    plain = Page(made(read_study([SAMPLE], limit=40))[0])
    assert [tag for tag, _one, _text in seen.inline] == [tag for tag, _one, _text in plain.inline]
    assert {tag for tag, _one in seen.elements} == {tag for tag, _one in plain.elements}
    for name in HOSTILE:
        assert name in seen.cells
    drawn = seen.drawn["figures"]
    assert set(HOSTILE) <= {line["name"] for line in drawn["use"]["series"]}
    assert set(HOSTILE) == {pool.centre_id for pool in ran.pools}
    functions = re.compile(r"@\w+")
    for option in drawn.values():
        for key, value in walked(option):
            if isinstance(value, str) and functions.fullmatch(value) and key in ("formatter", "renderItem"):
                assert value in ("@duration", "@percent", "@number", "@job", "@bar", "@point", "@pointed_duration")


def walked(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for name, one in value.items() for pair in walked(one, name)]
    if isinstance(value, list):
        return [pair for one in value for pair in walked(one)]
    return [(key, value)]


def test_a_large_log_is_a_small_page_that_says_what_it_left_out(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    count = 300_000
    frame = jobs(
        *zip(np.sort(draw.integers(0, 30 * 86_400, count)).tolist(), draw.integers(1, 4_000, count).tolist(),
             [1] * count, strict=True),
        tenant=[f"t{number}" for number in draw.integers(0, 5_000, count)],
        home=[f"c{number}" for number in draw.integers(0, 3, count)],
    )  # fmt: skip
    log = tmp_path / "large.parquet"
    write_parquet(frame, log)
    network = Network(name="large", pools=tuple(pool(f"c{number}", 80) for number in range(3)))
    text, _found, _ran = made(replace(read_study([log]), network=network), compare=False)
    assert len(text.encode()) < 3_000_000
    bars = [bar for series in Page(text).drawn["figures"]["gantt"]["series"] for bar in series["data"]]
    assert 0 < len({bar[4] for bar in bars}) <= MOST_JOBS
    assert f"of {count:,} jobs: those that ran from" in text
    assert "The first 40 of 5,000 are shown." in text


def test_many_centres_share_a_line(tmp_path: Path) -> None:
    log = tmp_path / "x.parquet"
    write_parquet(jobs(*((at, 50, 1) for at in range(80)), home=[f"c{at % 40}" for at in range(80)]), log)
    figures = Page(made(read_study([log], chips=1), compare=False)[0]).drawn["figures"]
    for name in ("waits", "use"):
        lines = figures[name]["series"]
        assert len(lines) == 12
        assert lines[-1]["name"] == "29 others"


def test_without_prices_and_watts_the_page_says_so() -> None:
    small = read_study([SAMPLE], limit=50)
    text, found, ran = made(small, compare=False)
    assert not {"cost", "energy"} & Page(text).drawn["figures"].keys()
    assert "Nothing has a price here" in text
    assert "Energy is not known here" in text
    with speaking("zh"):
        assert figures_of(ran, found, attempts(ran, small.network), None)[0].title == "等待"


def test_nothing_ran(tmp_path: Path) -> None:
    log = tmp_path / "x.parquet"
    write_parquet(jobs((0, 60, 8), (5, 60, 9)), log)
    small = Network(name="small", pools=(pool("here", 4),))
    text, _found, _ran = made(replace(read_study([log]), network=small))
    assert "No job ran." in text
    assert "2 jobs never run here" in text


def test_mean_in_use_is_exact() -> None:
    edges_s = time_edges(0, 40, 4)
    found = mean_in_use(np.array([0, 5, 35]), np.array([10, 25, 40]), np.array([2, 4, 1]), edges_s)
    assert found.tolist() == [4.0, 4.0, 2.0, 0.5]


def test_shares_of_waits() -> None:
    edges_s = wait_edges(1_000)
    found = shares_within(np.array([0, 1, 1_000, 50]), edges_s)
    assert found[0] == 0.5
    assert found[-1] == 1
    assert np.isnan(shares_within(np.array([]), edges_s)).all()


def test_the_stretch_that_is_drawn_is_as_long_as_it_may_be() -> None:
    start_s = np.arange(0, 10_000, 10)
    end_s = start_s + 10
    begin_s, stop_s = stretch_around(5_000, start_s, end_s, 100)
    within = int(((start_s < stop_s) & (end_s > begin_s)).sum())
    assert 98 <= within <= 100
    assert stretch_around(5_000, start_s, end_s, 1_000) == (0, 10_000)
    assert busiest(np.array([0, 10, 11, 40]), np.array([0, 20, 21, 40])) == 11


def test_lanes_take_gaps_and_pieces() -> None:
    found = list(lanes([(0, 10, 2), (0, 5, 2), (0, 9, 2), (5, 20, 1), (9, 20, 3), (9, 12, 1), (11, 15, 2)], 6))
    assert found == [[(0, 2)], [(2, 4)], [(4, 6)], [(2, 3)], [(3, 6)], [(6, 7)], [(0, 2)]]
    pieces = list(lanes([(0, 9, 1), (0, 5, 1), (0, 9, 1), (0, 5, 1), (6, 7, 2)], 4))
    assert pieces[-1] == [(1, 2), (3, 4)]
