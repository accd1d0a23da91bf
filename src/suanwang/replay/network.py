"""The network that a workload is replayed on: its pools, and what they draw, pay and are linked by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import polars as pl

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.errors import InvalidInput
from suanwang.replay.energy import Tariff
from suanwang.replay.jobs import Transfer
from suanwang.replay.traces.trace import CPU, Trace
from suanwang.units import MILLI_PER_CHIP

NO_LIMIT_S = 2**40
"""The longest walltime where none is said."""
DEFAULT_LOAD = 0.8
ANY_CHIP = "any"
"""The chip of a machine of which the log does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Pools of several centres, as one."""

    name: str
    pools: tuple[Pool, ...]
    watts_per_chip: Mapping[str, int] = field(default_factory=dict)
    """Pool id -> what a chip that is in use draws, with its share of the node and its cooling."""
    transfer: Transfer = field(default_factory=dict)
    tariffs: Mapping[str, Tariff] = field(default_factory=dict)
    """Centre -> what its electricity costs and emits."""

    def alone(self, centre: str) -> tuple[Pool, ...]:
        """The pools of one centre."""
        return tuple(pool for pool in self.pools if pool.centre_id == centre)


def network_of(
    traces: Sequence[Trace], frame: pl.DataFrame, *, chips: int | None = None, load: float | None = None
) -> Network:
    """A network where every home of the jobs is a centre: of so many chips, else large enough that the mean demand is
    `load` of it, and for its largest job; where neither is said, of the size that its log's header says, else as by a
    load of `DEFAULT_LOAD`.

    Mean demand: chip-seconds of the centre's jobs by the time from the first submission of all to the last. Sizes are
    whole nodes of what the reader laid the jobs out on. Prices are 0, walltimes are not limited. Raises InvalidInput.
    """
    if load is not None and not 0 < load <= 10:
        raise InvalidInput("load", load, "more than 0, at most 10")
    stated = {trace.name: trace.processors for trace in traces}
    nodes = {name: trace.node_chips for trace in traces for name in _homes(trace)}
    span_s = max(1, int(frame.select(pl.col("submitted_s").max() - pl.col("submitted_s").min()).item() or 0))
    pools: list[Pool] = []
    for (home,), jobs in frame.sort("home").group_by("home", maintain_order=True):
        centre = str(home)
        on_chips, on_cores = jobs.filter(pl.col("chips_per_node") > 0), jobs.filter(pl.col("chips_per_node") == 0)
        if len(on_chips):
            size = chips or (stated.get(centre) if load is None else None)
            size = size or _needed(on_chips, "chips_per_node", nodes[centre], span_s, load or DEFAULT_LOAD)
            pools.append(_pool(centre, centre, _main_chip(on_chips), size, nodes[centre], _cpus_per_chip(on_chips)))
        if len(on_cores):
            each = int(on_cores.select(pl.col("cpus_per_node").max().clip(1)).item())
            needed = _needed(on_cores, "cpus_per_node", each, span_s, load or DEFAULT_LOAD)
            pools.append(_pool(f"{centre}-{CPU}", centre, CPU, needed, each, 0))
    return Network(name=" + ".join(trace.name for trace in traces), pools=tuple(pools))


def _homes(trace: Trace) -> list[str]:
    return [name or trace.name for name in trace.frame["home"].unique().to_list()]


def _needed(jobs: pl.DataFrame, size: str, node: int, span_s: int, load: float) -> int:
    """Chips for the mean demand at this load, or for the largest job, in whole nodes."""
    asked = pl.col("num_nodes") * pl.col(size).clip(1) * pl.col("chip_milli")
    demand, largest = jobs.select((asked * pl.col("run_s")).sum(), asked.max().alias("largest")).row(0)
    wanted: int = max(ceil(demand / MILLI_PER_CHIP / span_s / load), ceil(largest / MILLI_PER_CHIP))
    return ceil(wanted / node) * node if node else wanted


def _main_chip(jobs: pl.DataFrame) -> str:
    """The chip that most jobs allow; the first by name where several do."""
    allowed = jobs.select(pl.col("chips").explode(empty_as_null=True)).drop_nulls().group_by("chips").len()
    found = allowed.sort(["len", "chips"], descending=[True, False])["chips"].to_list()
    return str(found[0]) if found else ANY_CHIP


def _cpus_per_chip(jobs: pl.DataFrame) -> int:
    """So many that CPUs are never what is missing: a log does not say how many the machine had."""
    return int(jobs.select((pl.col("cpus_per_node") / pl.col("chips_per_node")).max().ceil()).item())


def _pool(pool_id: str, centre: str, chip: str, chips: int, node_chips: int, cpus_per_chip: int) -> Pool:
    each = node_chips or chips
    cpus = max(1, each * cpus_per_chip)
    nodes = tuple(Node(f"n{number}", each, cpus) for number in range(1, ceil(chips / each) + 1))
    return Pool(pool_id, centre, chip, nodes, Offer(0, NO_LIMIT_S))
