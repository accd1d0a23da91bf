"""What one network buys: every centre alone with its own jobs, against all of them together."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from suanwang.domain.scheduling.policy import Policy
from suanwang.errors import InvalidInput
from suanwang.replay.jobs import to_workload
from suanwang.replay.measures import AGGREGATES, AWAY, attempts, outcome
from suanwang.replay.network import Network
from suanwang.replay.run import Progress, Run, replay
from suanwang.replay.traces.trace import INPUT

MEASURES = ("mean_wait_s", "median_wait_s", "p95_wait_s", "mean_turnaround_s", "mean_bounded_slowdown")


@dataclass(frozen=True, slots=True)
class Isolated:
    """One centre alone."""

    centre: str
    run: Run
    jobs: pl.DataFrame
    """`measures.outcome` of it."""


def run_on(
    network: Network, frame: pl.DataFrame, policy: Policy, epoch_s: int, progress: Progress = lambda _ended: None
) -> Run:
    """All jobs on all pools: any job may go anywhere. Raises InvalidInput: input to be fetched from no centre."""
    _check_sources(network, frame)
    workload = to_workload(frame, network.pools, network.transfer)
    schedule = replay(network.pools, workload, policy, progress)
    return Run(
        name=network.name,
        pools=network.pools,
        frame=frame,
        workload=workload,
        schedule=schedule,
        policy=policy,
        epoch_s=epoch_s,
    )


def _check_sources(network: Network, frame: pl.DataFrame) -> None:
    """What lies nowhere would be fetched for nothing."""
    if INPUT in frame.columns and network.transfer:
        homes = frame.filter(pl.col(INPUT) > 0)["home"].unique().sort().to_list()
        for home in homes:
            _check_home(network, home)


def _check_home(network: Network, home: str) -> None:
    centres = sorted({pool.centre_id for pool in network.pools})
    if home not in centres:
        raise InvalidInput("home", home, f"a centre of the network: {', '.join(centres)}")


def run_isolated(
    network: Network, frame: pl.DataFrame, policy: Policy, epoch_s: int, progress: Progress = lambda _ended: None
) -> Iterator[Isolated]:
    """Every centre with the jobs that were submitted there. Raises InvalidInput: a home that is no centre."""
    homes = sorted(frame["home"].unique().to_list())
    for home in homes:
        _check_home(network, home)
    before = 0
    for home in homes:
        alone = Network(
            name=home,
            pools=network.alone(home),
            watts_per_chip=network.watts_per_chip,
            tariffs=network.tariffs,
        )
        own = frame.filter(pl.col("home") == home)
        run = run_on(alone, own, policy, epoch_s, lambda ended, done=before: progress(done + ended))  # type: ignore[misc]
        before += len(own)
        yield Isolated(home, run, outcome(run, attempts(run, alone)))


def gains(alone: pl.DataFrame, together: pl.DataFrame, key: str = "home") -> pl.DataFrame:
    """What joining does to each centre (`home`) or `tenant`: its jobs alone and in the network, side by side.

    `alone`: the outcomes of every centre, one after the other; `together`: that of the network. Each side's measures
    are over the jobs that it runs. The verdict is of those that end on both sides: who gains has them back sooner on
    average, from submission to end, with all that moving them and another chip cost. Where that is the same, or no job
    ends on both sides, who has more jobs run gains.
    """
    homes = alone["home"].unique(maintain_order=True).to_list()
    there = pl.concat([together.filter(pl.col("home") == home) for home in homes])  # row by row the same jobs
    both = pl.DataFrame(
        {key: alone[key], "alone_s": alone["turnaround_s"], "network_s": there["turnaround_s"]}
    ).drop_nulls()
    means = both.group_by(key).agg(
        pl.len().alias("ended_on_both"), pl.col("alone_s", "network_s").mean().name.prefix("both_")
    )
    sides = [_side(jobs, key, name) for jobs, name in ((alone, "alone"), (there, "network"))]
    found = sides[0].join(sides[1].drop("jobs"), on=key, maintain_order="left").join(means, on=key, how="left")
    sooner = pl.col("both_network_s").fill_null(0) - pl.col("both_alone_s").fill_null(0)
    more = pl.col("network_ended") - pl.col("alone_ended")
    better = pl.when(sooner != 0).then(-sooner).otherwise(more)
    return found.with_columns(
        gain=pl.when(pl.col("both_alone_s") > 0).then(1 - pl.col("both_network_s") / pl.col("both_alone_s")),
        verdict=pl.when(better > 0)
        .then(pl.lit("gains"))
        .when(better < 0)
        .then(pl.lit("loses"))
        .otherwise(pl.lit("same")),
    ).sort(key)


def _side(jobs: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    """The measures of one side, named after it."""
    made = jobs.group_by(key).agg(*AGGREGATES, pl.col("end_s").count().alias("ended"), AWAY)
    return made.select(key, "jobs", pl.col("refused", "ended", "ran_elsewhere", *MEASURES).name.prefix(f"{name}_"))
