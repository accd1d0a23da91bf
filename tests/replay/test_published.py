"""A published sizing, reproduced: what one network buys on Philly's log."""

from datetime import UTC, datetime

import polars as pl
import pytest

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.replay.compare import run_isolated, run_on
from suanwang.replay.jobs import within
from suanwang.replay.measures import attempts, outcome
from suanwang.replay.network import NO_LIMIT_S, Network, network_of
from suanwang.replay.policyfile import POLICIES
from suanwang.replay.traces import read_trace
from suanwang.replay.traces.trace import Trace
from tests.replay.conftest import log, pool

LARGEST = 11


def philly(chips_per_node: int) -> tuple[Trace, pl.DataFrame]:
    """Jobs of the eleven largest virtual clusters from 2017-10-01 to 12-15."""
    trace = read_trace(log("philly/philly.csv.gz"), chips_per_node=chips_per_node)
    since_s, until_s = (
        int(datetime(2017, month, day, tzinfo=UTC).timestamp()) - trace.epoch_s for month, day in ((10, 1), (12, 15))
    )
    frame = within(trace.frame, since_s, until_s, None)
    demand = (pl.col("num_nodes") * pl.col("chips_per_node") * pl.col("run_s")).sum().alias("demand")
    largest = frame.group_by("home").agg(demand).sort("demand", descending=True).head(LARGEST)["home"].to_list()
    return trace, frame.filter(pl.col("home").is_in(largest))


@pytest.mark.parametrize(("load", "chips"), [(0.6, 760), (0.8, 600), (0.9, 528)])
def test_sizes(load: float, chips: int) -> None:
    trace, frame = philly(8)
    assert sum(each.chips for each in network_of([trace], frame, load=load).pools) == chips


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mean_waits_alone_and_together() -> None:
    """EASY with exact times, chips only counted: 39,027 s alone against 324 s in one pool of 760.

    Ours lets a job overtake also where it fits beside the reservation, so waits may differ a little.
    """
    trace, on_nodes = philly(8)
    sizes = {each.id: each.chips for each in network_of([trace], on_nodes, load=0.6).pools}
    _trace, frame = philly(0)
    network = Network(name="alone", pools=tuple(pool(name, chips) for name, chips in sizes.items()))
    alone = pl.concat([one.jobs for one in run_isolated(network, frame, POLICIES["easy"], 0)])
    assert alone.select(pl.col("wait_s").mean()).item() == pytest.approx(39_027, rel=0.001)
    one = Pool("one", "one", "any", (Node("n", sum(sizes.values()), 1),), Offer(0, NO_LIMIT_S))
    together = Network(name="together", pools=(one,))
    run = run_on(together, frame, POLICIES["easy"], 0)
    pooled = outcome(run, attempts(run, together))
    assert pooled.select(pl.col("wait_s").mean()).item() == pytest.approx(324, rel=0.01)
