"""One step, two feeders: a real log through the hub (calls, database, agents) and through `replay` is one schedule.

Every job of a window of a log is submitted through `control.submit`, placed by `control.schedule`, started and ended
by a centre that syncs through `control.sync`, all in virtual time on a real PostgreSQL. Start, end, pool and nodes of
every job must be those of the replay of the same window on the same pools.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from suanwang.control import network, schedule, submit
from suanwang.control.network import Joining
from suanwang.control.offers import Market
from suanwang.control.prove import prove
from suanwang.control.submit import Submission
from suanwang.domain.centre import Centre, Offer, Pool
from suanwang.domain.job import Cause, JobSpec, Objective, Variant
from suanwang.domain.scheduling.decisions import Decision, Placed
from suanwang.domain.scheduling.policy import CONSERVATIVE, Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.tenant import Actor, Organisation, OrganisationKind
from suanwang.protocol import RunOrder
from suanwang.replay import run
from suanwang.replay.jobs import merged, to_workload
from suanwang.replay.network import network_of
from suanwang.replay.traces import read_trace
from suanwang.replay.traces.trace import Trace
from suanwang.store import attempt as attempts
from suanwang.store import event
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import ADMIN, START_S, SmallNetwork
from suanwang.units import SECONDS_PER_DAY
from tests.replay.conftest import log

CHIP = "a100-sxm-80g"
FEN_PER_CHIP_HOUR = 100
CASH_FEN = 10**12
NO_OUTLOOK = Policy(order="fcfs", outlook=False)


@dataclass(frozen=True, slots=True)
class Window:
    """So many jobs of a log from a row on, laid out on nodes of so many chips (0: the machine is one node)."""

    name: str
    first: int
    jobs: int
    node_chips: int

    def read(self) -> Trace:
        trace = read_trace(log(f"swf/{self.name}.swf.gz"), chips_per_node=self.node_chips or None)
        return replace(trace, frame=trace.frame.slice(self.first, self.jobs))


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one job."""

    start_s: int
    end_s: int
    pool_id: str
    node_names: tuple[str, ...]


@dataclass(slots=True)
class LiveReplay:
    """The rows of a log, fed to the hub second by second."""

    net: SmallNetwork
    frame: pl.DataFrame
    tenants: dict[str, Actor] = field(default_factory=dict)
    row_of: dict[str, int] = field(default_factory=dict)
    """Job -> its row."""

    async def play(self, pools: tuple[Pool, ...]) -> list[Ran]:
        await self._open(pools)
        rows = list(enumerate(self.frame.iter_rows(named=True)))
        while rows or any(centre.live for centre in self.net.centres.values()):
            self.net.now_s = min([*(row["submitted_s"] for _, row in rows[:1]), *self._ends()])
            due = [row for row in rows if row[1]["submitted_s"] == self.net.now_s]
            rows = rows[len(due) :]
            await self._second(due)
        return await self._ran()

    async def _open(self, pools: tuple[Pool, ...]) -> None:
        self.net.now_s = int(self.frame["submitted_s"][0])
        for tenant in self.frame["tenant"].unique(maintain_order=True):
            self.tenants[tenant] = await self.net.add_tenant(tenant, CASH_FEN)
        for pool in pools:
            owner = Organisation(f"{pool.centre_id}-org", pool.centre_id, OrganisationKind.CENTRE, {})
            await network.add_organisation(self.net.db, ADMIN, owner, self.net.call(ADMIN), self.net.now_s)
            where = Centre(pool.centre_id, pool.centre_id, pool.centre_id, "北京", 39.9, 116.4, {})
            call, joining = self.net.call(ADMIN), Joining(where, (pool,))
            await network.join_centre(self.net.db, self.net.catalogue, ADMIN, joining, owner.id, call, self.net.now_s)
            self.net.centres[pool.centre_id] = FakeCentre(pool.centre_id, run_s=self._run_s)
        await self.net.turn()

    def _run_s(self, order: RunOrder) -> tuple[int, Cause]:
        return int(self.frame["run_s"][self.row_of[order.job_id]]), Cause.SUCCEEDED

    def _ends(self) -> Iterator[int]:
        for centre in self.net.centres.values():
            yield from (centre.attempts[key].ends_s for key in centre.live)

    async def _second(self, due: list[tuple[int, dict[str, object]]]) -> None:
        """Ends, arrivals, one step; again while what starts ends in the same second."""
        await self._exchange()
        await self._submit(due)
        for centre_id in await self._think():
            await self.net.sync(self.net.centres[centre_id])
        await self._exchange()
        if any(end_s <= self.net.now_s for end_s in self._ends()):
            await self._second([])

    async def _exchange(self) -> None:
        """Whoever has something to say, says it."""
        for centre in self.net.centres.values():
            if not any(report.cause is None for report in centre.outbox.values()):
                centre.advance(self.net.now_s)
            while centre.outbox:
                await self.net.sync(centre)

    async def _submit(self, due: list[tuple[int, dict[str, object]]]) -> None:
        if not due:
            return
        calls = []
        for number, row in due:
            actor = self.tenants[str(row["tenant"])]
            calls.append(Submission(actor, (spec_of(row),), self.net.call(actor, f"row-{number}")))
        outcomes = await submit.submit_together(self.net.db, self.net.catalogue, Market(), calls, self.net.now_s)
        for (number, _), outcome in zip(due, outcomes, strict=True):
            assert isinstance(outcome, list), outcome
            self.row_of[outcome[0].job_id] = number

    async def _think(self) -> set[str]:
        """One step, once every event is behind the cursor: the database server may be busy with itself."""
        brain = self.net.brain
        assert brain is not None
        while True:
            async with self.net.db.transaction(snapshot=True) as tx:
                if await event.held_back(tx) is None:
                    break
            await asyncio.sleep(0.01)
        centres = await schedule.schedule(self.net.db, brain, self.net.policy, self.net.now_s)
        assert brain.refused == []
        return centres

    async def _ran(self) -> list[Ran]:
        found: dict[int, Ran] = {}
        async with self.net.db.transaction() as tx:
            for job_id, number in self.row_of.items():
                (row,) = await attempts.of_job(tx, UUID(job_id))
                found[number] = Ran(row["started_s"], row["ended_s"], row["pool_id"], tuple(row["node_names"]))
        return [found[number] for number in range(len(self.frame))]


def spec_of(row: dict[str, object]) -> JobSpec:
    """A row of a log as a tenant asks for it."""
    whole = {name: value for name, value in row.items() if isinstance(value, int)}
    return JobSpec(
        f"job-{row['job_id']}",
        (Variant(CHIP, whole["chips_per_node"], cpus_per_node=whole["cpus_per_node"]),),
        "true",
        num_nodes=whole["num_nodes"],
        walltime_s=max(1, whole["walltime_s"]),
        priority=whole["priority"],
        objective=Objective.SOONEST,
    )


def replayed(frame: pl.DataFrame, pools: tuple[Pool, ...], policy: Policy, patch: pytest.MonkeyPatch) -> list[Ran]:
    """What `replay` says; the nodes are read from the decisions of the same step as they pass by."""
    nodes: dict[int, tuple[str, ...]] = {}

    def watched(*arguments: Any) -> list[Decision]:
        decisions = step(*arguments)
        nodes.update({int(one.job_id): one.node_names for one in decisions if isinstance(one, Placed)})
        return decisions

    patch.setattr("suanwang.replay.run.step", watched)
    schedule = run.replay(pools, to_workload(frame, pools), policy)
    only = {pool.id: (pool.nodes[0].name,) for pool in pools}  # where chips are counted there is but one node
    found = []
    for number, (start_s, end_s, at) in enumerate(
        zip(schedule.start_s.tolist(), schedule.end_s.tolist(), schedule.pool.tolist(), strict=True)
    ):
        found.append(Ran(start_s, end_s, pools[at].id, nodes.get(number) or only[pools[at].id]))
    return found


def scene(windows: tuple[Window, ...], chips: int | None = None) -> tuple[pl.DataFrame, tuple[Pool, ...]]:
    """Jobs of all windows from one second on, and the machines of their logs as centres of one network."""
    traces = [window.read() for window in windows]
    frame, _ = merged(traces)
    frame = frame.with_columns(pl.col("submitted_s") - pl.col("submitted_s").min() + START_S)
    offer = Offer(FEN_PER_CHIP_HOUR, 100 * SECONDS_PER_DAY)
    pools = network_of(traces, frame, chips=chips).pools
    return frame, tuple(
        replace(pool, id=pool.id.lower(), centre_id=pool.centre_id.lower(), chip_id=CHIP, offer=offer) for pool in pools
    )


SP2 = Window("SDSC-SP2-1998-4.2-cln", 31_200, 150, 0)
"""Many of them run longer than they said."""
HPC2N = Window("HPC2N-2002-2.2-cln", 88_900, 120, 2)
"""Gangs of up to 32 nodes."""


@pytest.mark.parametrize(
    ("windows", "chips", "policy"),
    [
        ((SP2,), None, NO_OUTLOOK),
        ((HPC2N,), 128, replace(NO_OUTLOOK, order="wfp3")),
        ((HPC2N,), 128, replace(NO_OUTLOOK, reservation_depth=CONSERVATIVE)),
        ((replace(SP2, node_chips=2, jobs=80), replace(HPC2N, jobs=80)), 80, replace(NO_OUTLOOK, order="sjf")),
    ],
    ids=["easy", "wfp3", "conservative", "sjf-on-two"],
)
async def test_the_live_path_gives_the_schedule_of_the_replay(
    net: SmallNetwork, monkeypatch: pytest.MonkeyPatch, windows: tuple[Window, ...], chips: int | None, policy: Policy
) -> None:
    """`chips`: machines so small that jobs wait."""
    frame, pools = scene(windows, chips)
    expected = replayed(frame, pools, policy, monkeypatch)
    net.policy = policy
    ran = await LiveReplay(net, frame).play(pools)
    different = [
        (number, one, other) for number, (one, other) in enumerate(zip(ran, expected, strict=True)) if one != other
    ]
    assert different == []
    assert {one.pool_id for one in ran} == {pool.id for pool in pools}
    waited = [one.start_s > submitted_s for one, submitted_s in zip(ran, frame["submitted_s"], strict=True)]
    assert sum(waited) >= len(ran) // 4  # an idle machine would prove nothing
    assert (await prove(net.db, net.now_s)).hold
