"""What one network buys: every centre alone with its own jobs, against all of them together."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from suanwang.domain.scheduling.policy import Policy
from suanwang.errors import InvalidInput
from suanwang.replay.jobs import to_workload
from suanwang.replay.measures import outcome
from suanwang.replay.network import Network
from suanwang.replay.run import Progress, Run, replay

MEASURES = ("mean_wait_s", "median_wait_s", "p95_wait_s", "mean_bounded_slowdown")


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
    """All jobs on all pools: any job may go anywhere."""
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


def run_isolated(
    network: Network, frame: pl.DataFrame, policy: Policy, epoch_s: int, progress: Progress = lambda _ended: None
) -> Iterator[Isolated]:
    """Every centre with the jobs that were submitted there. Raises InvalidInput: a home that is no centre."""
    centres = {pool.centre_id for pool in network.pools}
    homes = sorted(frame["home"].unique().to_list())
    for home in homes:
        if home not in centres:
            raise InvalidInput("home", home, f"a centre of the network: {', '.join(sorted(centres))}")
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
        yield Isolated(home, run, outcome(run, alone))


def gains(isolated: pl.DataFrame, pooled: pl.DataFrame, key: str = "home") -> pl.DataFrame:
    """Two tables of `measures.by_home` side by side, with the share of mean wait that the network takes away.

    With the key "tenant" two tables of `measures.by_tenant`.

    Each side is over the jobs that it runs: what is refused alone may run in the network.

    A centre gains where its own jobs wait less on average in the network than alone.
    """
    left = isolated.select(
        key,
        "jobs",
        pl.col("refused").alias("alone_refused"),
        *(pl.col(name).alias(f"alone_{name}") for name in MEASURES),
    )
    away = ("ran_elsewhere",) if "ran_elsewhere" in pooled.columns else ()
    right = pooled.select(key, *away, *(pl.col(name).alias(f"network_{name}") for name in MEASURES))
    alone, network = pl.col("alone_mean_wait_s"), pl.col("network_mean_wait_s")
    return left.join(right, on=key, maintain_order="left").with_columns(
        gain=pl.when(alone > 0).then(1 - network / alone),
        verdict=pl.when(network < alone)
        .then(pl.lit("gains"))
        .when(network > alone)
        .then(pl.lit("loses"))
        .otherwise(pl.lit("same")),
    )
