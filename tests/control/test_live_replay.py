"""The same jobs through the live path (hub, database, virtual time) and through a replay: the same schedule."""

import heapq
from dataclasses import dataclass, field

import polars as pl
import pytest

from suanwang.control import schedule
from suanwang.domain.job import Cause, JobSpec, Objective, Variant
from suanwang.domain.scheduling.policy import CONSERVATIVE, Policy
from suanwang.domain.scheduling.workload import Workload
from suanwang.domain.tenant import Actor
from suanwang.protocol import RunOrder
from suanwang.replay.jobs import to_workload
from suanwang.replay.run import replay
from suanwang.replay.traces import read_trace
from suanwang.store import centre
from suanwang.testing.network import START_S, SmallNetwork
from tests.control.test_story import assert_proofs
from tests.replay.conftest import log

NODE_CHIPS = 8
LATEST_S = 2**40
CHIP = "a100-sxm-80g"
JOBS = 150
FASTER = 6
"""Submissions come so many times as fast as in the log, so that jobs wait."""


def window() -> pl.DataFrame:
    """Jobs of SDSC's SP2, on nodes of eight chips each."""
    path = log("swf/SDSC-SP2-1998-4.2-cln.swf.gz")
    frame = read_trace(path, chips_per_node=NODE_CHIPS).frame.slice(2_000, JOBS)
    return frame.with_columns(
        submitted_s=(pl.col("submitted_s") - pl.col("submitted_s").min()) // FASTER,
        cpus_per_node=pl.lit(1, pl.Int64),
        walltime_s=pl.col("walltime_s").clip(1),
        priority=pl.int_range(pl.len()) % 3,
        chips=pl.lit([CHIP], pl.List(pl.String())),
    )


@dataclass
class Live:
    """A hub with fake centres that run every job as long as the log says."""

    net: SmallNetwork
    workload: Workload
    policy: Policy
    tenant: Actor | None = None
    row_of: dict[str, int] = field(default_factory=dict)
    ends: list[tuple[int, str]] = field(default_factory=list)
    """(second, centre) at which something ends there."""

    async def found(self) -> None:
        self.net.policy = self.policy
        self.tenant = await self.net.add_tenant("acme", 10**12)
        for centre_id, nodes, price in (("east", 16, 900), ("west", 6, 700)):
            fake = await self.net.add_centre(centre_id, nodes=nodes, fen_per_chip_hour=price)
            fake.run_s = self.run_s
        await self.net.turn()

    def run_s(self, order: RunOrder) -> tuple[int, Cause]:
        lasts_s = int(self.workload.run_s[self.row_of[order.job_id]])
        where = next(one.centre_id for one in self.net.centres.values() if order.pool_id.startswith(one.centre_id))
        heapq.heappush(self.ends, (self.net.now_s + lasts_s, where))
        return lasts_s, Cause.SUCCEEDED

    def spec(self, row: int) -> JobSpec:
        w = self.workload
        return JobSpec(
            f"row-{row}",
            (Variant("A100", int(w.chips_per_node[row])),),
            "true",
            num_nodes=int(w.num_nodes[row]),
            walltime_s=int(w.walltime_s[row]),
            priority=int(w.priority[row]),
            objective=Objective.SOONEST,
        )

    async def play(self) -> None:
        """Visits every second in which anything ends or arrives, as a replay does."""
        assert self.tenant is not None
        arrivals, arrived = self.workload.submitted_s.tolist(), 0
        while self.ends or arrived < len(arrivals):
            ends, comes = [end_s for end_s, _ in self.ends[:1]], arrivals[arrived : arrived + 1]
            self.net.now_s = min(*ends, *(START_S + submitted_s for submitted_s in comes), LATEST_S)
            over = set()
            while self.ends and self.ends[0][0] == self.net.now_s:
                over.add(heapq.heappop(self.ends)[1])
            for centre_id in sorted(over):
                self.net.centres[centre_id].advance(self.net.now_s)
                await self.net.sync(self.net.centres[centre_id])
            first = arrived
            while arrived < len(arrivals) and START_S + arrivals[arrived] == self.net.now_s:
                arrived += 1
            if arrived > first:
                submitted = await self.net.submit(self.tenant, *(self.spec(row) for row in range(first, arrived)))
                self.row_of |= {one.job_id: row for row, one in enumerate(submitted, first)}
            for centre_id in await self.think():
                await self.net.sync(self.net.centres[centre_id])
                await self.net.sync(self.net.centres[centre_id])

    async def think(self) -> list[str]:
        assert self.net.brain is not None
        return sorted(await schedule.schedule(self.net.db, self.net.brain, self.policy, self.net.now_s))

    def started(self) -> dict[int, tuple[int, str]]:
        """row -> (second, pool) of its start."""
        return {
            self.row_of[job_id]: (attempt.started_s - START_S, attempt.order.pool_id)
            for one in self.net.centres.values()
            for (job_id, _), attempt in one.attempts.items()
        }


@pytest.mark.parametrize(
    "policy",
    [
        Policy(order="fcfs", reservation_depth=1),
        Policy(order="sjf", reservation_depth=2, placement="first_fit"),
        Policy(order="priority", reservation_depth=CONSERVATIVE),
        Policy(order="wfp3", reservation_depth=0),
    ],
    ids=lambda policy: f"{policy.order}-{policy.reservation_depth}",
)
async def test_the_live_path_decides_as_a_replay(net: SmallNetwork, policy: Policy) -> None:
    frame = window()
    live = Live(net, to_workload(frame, []), policy)
    await live.found()
    async with net.db.transaction() as tx:
        pools = await centre.pools(tx)
    workload = to_workload(frame, pools)
    expected = replay(pools, workload, policy)
    await live.play()
    told = {row: (int(expected.start_s[row]), pools[expected.pool[row]].id) for row in range(len(workload))}
    assert live.started() == told
    waited = expected.start_s - workload.submitted_s
    assert (waited > 0).sum() > JOBS // 4, "a window in which nobody waits proves nothing"
    assert len(set(expected.pool.tolist())) == 2
    await assert_proofs(net)
