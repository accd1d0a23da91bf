"""From logs to a workload: several logs, their sizes, chips and inputs."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from suanwang.errors import InvalidInput
from suanwang.replay.jobs import merged, to_workload, within
from suanwang.replay.network import Network, network_of
from suanwang.replay.study import read_study
from suanwang.replay.traces.parquet import write_parquet
from suanwang.replay.traces.trace import Trace, in_form, on_nodes
from tests.replay.conftest import Write, jobs, pool


def trace(name: str, *rows: tuple[int, int, int], epoch_s: int = 0, node_chips: int = 0, **columns: object) -> Trace:
    frame = jobs(*rows, **({"home": [None] * len(rows)} | columns))
    return Trace(name=name, format="swf", frame=frame, epoch_s=epoch_s, node_chips=node_chips)


def test_several_logs_begin_together_or_by_the_clock() -> None:
    logs = [trace("a", (100, 1, 1), (150, 1, 1), epoch_s=1_000), trace("b", (0, 1, 1), (9, 1, 1), epoch_s=1_020)]
    together, epoch_s = merged(logs)
    assert together.select("job_id", "submitted_s", "home").rows() == [
        ("a/j0", 0, "a"), ("b/j0", 0, "b"), ("b/j1", 9, "b"), ("a/j1", 50, "a"),
    ]  # fmt: skip
    assert epoch_s == 0
    clock, epoch_s = merged(logs, "clock")
    assert (clock["submitted_s"].to_list(), epoch_s) == ([20, 29, 100, 150], 1_000)


def test_user_one_of_two_logs_is_two_people_unless_the_file_is_ours() -> None:
    logs = [trace(name, (0, 1, 1), tenant=["user1"]) for name in "ab"]
    assert merged(logs)[0]["tenant"].to_list() == ["a/user1", "b/user1"]
    ours = [replace(log, format="parquet") for log in logs]
    assert merged(ours)[0]["tenant"].to_list() == ["user1", "user1"]
    assert merged(logs[:1])[0]["tenant"].to_list() == ["user1"]


def test_a_stretch_of_a_log() -> None:
    frame = jobs(*((second, 1, 1) for second in range(10)))
    assert within(frame, 2, 8, 3)["submitted_s"].to_list() == [2, 3, 4]
    assert within(frame, None, 3, None)["submitted_s"].to_list() == [0, 1, 2]


@pytest.mark.parametrize(
    ("chips", "per_node", "nodes", "each"),
    [(1, 8, 1, 1), (8, 8, 1, 8), (16, 8, 2, 8), (12, 8, 2, 6), (11, 8, 2, 8), (500, 0, 1, 500)],
)
def test_chips_on_nodes(chips: int, per_node: int, nodes: int, each: int) -> None:
    laid = pl.DataFrame({"c": [chips]}).select(**on_nodes(pl.col("c"), per_node)).row(0)
    assert laid == (nodes, each)


def test_kinds_of_chips_and_cores() -> None:
    frame = jobs(
        (0, 1, 1), (0, 1, 1), (0, 1, 1), (0, 1, 0),
        chips=[None, ["b", "a"], ["a", "b"], None], cpus_per_node=[2, 2, 2, 12], tenant=["x", "y", "x", "x"],
    )  # fmt: skip
    workload = to_workload(frame, [pool("p", 8, chip="a"), pool("q", 8, chip="b"), pool("c", 64, chip="cpu")])
    assert [workload.kinds[kind] for kind in workload.kind] == [{"a", "b"}] * 3 + [{"cpu"}]
    assert workload.chips_per_node.tolist() == [1, 1, 1, 12]
    assert workload.cpus_per_node.tolist() == [2, 2, 2, 0]
    assert [workload.tenants[number] for number in workload.tenant] == ["x", "y", "x", "x"]
    assert workload.run_s_at == {}


def test_an_input_comes_from_home_first() -> None:
    frame = jobs((0, 100, 1), (0, 100, 1), (0, 100, 1), home=["a", "b", "b"], input_mib=[1_000, 1_000, 0])
    pools = [pool("pa", 8, centre="a"), pool("pb", 8, centre="b")]
    transfer = {("a", "b"): (500, 1_000), ("b", "a"): (500, 1_000)}
    workload = to_workload(frame, pools, transfer)
    late_s = 9  # 0.5 s + 1,000 MiB at 1,000 Mbit/s = 0.5 s + 8.389 s, rounded up
    assert workload.run_in("pa").tolist() == [100, 100 + late_s, 100]
    assert workload.run_in("pb").tolist() == [100 + late_s, 100, 100]


def test_a_network_of_the_size_that_is_needed() -> None:
    """Two centres over 100 s: mean demands 6 and 0.5 chips, on nodes of 4; the second's largest job takes 8."""
    log = trace("x", (0, 60, 10), (50, 50, 1), (100, 0, 8), node_chips=4, home=["a", "b", "b"])
    frame, _epoch_s = merged([log])

    def sizes(network: Network) -> dict[str, int]:
        return {each.id: each.chips for each in network.pools}

    assert sizes(network_of([log], frame, load=0.5)) == {"a": 12, "b": 8}
    assert sizes(network_of([log], frame, load=0.1)) == {"a": 60, "b": 8}
    assert sizes(network_of([log], frame, chips=24)) == {"a": 24, "b": 24}


def test_the_header_says_the_size_unless_it_is_given(write: Write) -> None:
    row = "1 0 0 60 4 -1 -1 4 3600 -1 1 7 1 -1 1 -1 -1 -1\n"
    path = write("log.swf", "; MaxProcs: 96\n" + row)
    assert [each.chips for each in read_study([path]).network.pools] == [96]
    assert [each.chips for each in read_study([path], chips=7).network.pools] == [7]
    on_eight = read_study([path], chips_per_node=8).network.pools[0]
    assert [node.chips for node in on_eight.nodes] == [8] * 12


def test_jobs_without_chips_get_a_pool_of_cores() -> None:
    log = trace("x", (0, 100, 1), (0, 100, 0), (100, 1, 0), cpus_per_node=[3, 16, 4], node_chips=8)
    frame, _epoch_s = merged([log])
    found = {each.chip_id: each for each in network_of([log], frame, load=1.0).pools}
    assert found["cpu"].nodes[0].chips == 16
    assert found["any"].nodes[0].cpus == 24


def test_since_and_until(tmp_path: Path) -> None:
    day = 86_400
    write_parquet(jobs((0, 1, 1), (day, 1, 1), (2 * day, 1, 1)), tmp_path / "with.parquet", epoch_s=1_767_225_600)
    write_parquet(jobs((0, 1, 1), (day, 1, 1)), tmp_path / "without.parquet")

    def count(name: str, **options: str) -> int:
        return len(read_study([tmp_path / name], **options).frame)  # type: ignore[arg-type]

    assert count("with.parquet", since="2026-01-02", until="2026-01-03T00:00:00Z") == 1
    assert count("with.parquet", since="1d") == 2
    assert count("without.parquet", until="86400") == 1
    with pytest.raises(InvalidInput, match="does not tell when"):
        count("without.parquet", since="2026-01-02")
    with pytest.raises(InvalidInput, match="at least one job"):
        count("with.parquet", since="9d")
    with pytest.raises(InvalidInput, match="different names"):
        read_study([tmp_path / "with.parquet"] * 2)


def test_exact_walltimes(tmp_path: Path) -> None:
    write_parquet(jobs((0, 7, 1), walltime_s=[900]), tmp_path / "x.parquet")
    assert read_study([tmp_path / "x.parquet"], exact=True).frame["walltime_s"].to_list() == [7]


def test_the_form_keeps_its_order() -> None:
    assert in_form(jobs((0, 1, 1))).columns == jobs((0, 1, 1)).columns
