"""The same jobs through the live path (hub, database, virtual time) and through a replay: the same schedule."""

import heapq
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import numpy as np
import polars as pl
import pytest

from suanwang.control import schedule
from suanwang.control.daemon import LIVE_POLICY
from suanwang.domain.job import Cause, JobSpec, Objective, Variant
from suanwang.domain.scheduling.policy import CONSERVATIVE, Policy
from suanwang.domain.scheduling.quotas import Branch, Quota, QuotaTree
from suanwang.domain.scheduling.workload import Workload
from suanwang.domain.tenant import Actor
from suanwang.policyfile import read_hub_policy
from suanwang.protocol import RunOrder
from suanwang.replay.jobs import to_workload
from suanwang.replay.policyfile import choose_policy
from suanwang.replay.run import replay
from suanwang.replay.traces import read_trace
from suanwang.store import attempt as attempts
from suanwang.store import centre
from suanwang.testing.centre import FakeCentre
from suanwang.testing.network import START_S, SmallNetwork
from tests.control.test_story import assert_proofs
from tests.replay.conftest import log

NODE_CHIPS = 8
LATEST_S = 2**40
CHIP = "a100-sxm-80g"
JOBS = 150
FASTER = 6
"""Submissions come so many times as fast as in the log, so that jobs wait."""
CHECKPOINT_EVERY_S = 600
OWNER = Branch("owner", quotas=(Quota("east", CHIP, 64, lend_chips=0),))
HALF_OF_EAST = QuotaTree((OWNER,), (Quota("east", CHIP, 64),))
"""Somebody owns one half and lends none of it; all others share the other half."""
Stretch = tuple[int, int, int, str]
"""(row, start, end, pool) of one attempt."""


def window() -> pl.DataFrame:
    """Jobs of SDSC's SP2, on nodes of eight chips each. Those of the lowest two priorities may have to leave."""
    path = log("swf/SDSC-SP2-1998-4.2-cln.swf.gz")
    frame = read_trace(path, chips_per_node=NODE_CHIPS).frame.slice(2_000, JOBS)
    return frame.with_columns(
        submitted_s=(pl.col("submitted_s") - pl.col("submitted_s").min()) // FASTER,
        cpus_per_node=pl.lit(1, pl.Int64),
        walltime_s=pl.col("walltime_s").clip(1),
        priority=pl.int_range(pl.len()) % 3,
        chips=pl.lit([CHIP], pl.List(pl.String())),
        preemptible=(pl.int_range(pl.len()) % 3 < 2).cast(pl.Int64),
        checkpoint_every_s=pl.when(pl.int_range(pl.len()) % 2 == 0).then(CHECKPOINT_EVERY_S).otherwise(0),
    )


@dataclass
class Live:
    """A hub with fake centres that run every job as long as the log says, from the last checkpoint on."""

    net: SmallNetwork
    workload: Workload
    policy: Policy
    tenant: Actor | None = None
    row_of: dict[str, int] = field(default_factory=dict)
    ends: list[tuple[int, str]] = field(default_factory=list)
    """(second, centre) at which something ends there, or may be told to leave from then on."""

    async def found(self) -> None:
        self.net.policy = self.policy
        self.tenant = await self.net.add_tenant("acme", 10**12)
        for centre_id, nodes, price in (("east", 16, 900), ("west", 6, 700)):
            fake = await self.net.add_centre(centre_id, nodes=nodes, fen_per_chip_hour=price)
            fake.run_s = self.run_s
        await self.net.turn()

    def run_s(self, order: RunOrder) -> tuple[int, Cause]:
        done_s = 0 if order.resume_from is None else order.resume_from.step
        lasts_s = int(self.workload.run_s[self.row_of[order.job_id]]) - done_s
        where = next(one.centre_id for one in self.net.centres.values() if order.pool_id.startswith(one.centre_id))
        heapq.heappush(self.ends, (self.net.now_s + lasts_s, where))
        if self.policy.preemption is not None:
            heapq.heappush(self.ends, (self.net.now_s + self.policy.preemption.min_run_s, where))
        return lasts_s, Cause.SUCCEEDED

    def saves_every_s(self, row: int) -> int:
        return int(self.workload.columns()["checkpoint_every_s"][row])

    def save(self, fake: FakeCentre) -> None:
        """What runs there has written its checkpoints; a step is a second of work."""
        for key in fake.live:
            running, every_s = fake.attempts[key], self.saves_every_s(self.row_of[key[0]])
            saved_s = (self.net.now_s - running.started_s) // every_s * every_s if every_s else 0
            if saved_s > 0:
                before = running.order.resume_from
                fake.save(key, saved_s + (before.step if before else 0), running.started_s + saved_s)

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
            preemptible=bool(w.columns()["preemptible"][row]),
            checkpoint_every_s=self.saves_every_s(row),
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
            while told := await self.think():
                for centre_id in told:
                    self.save(self.net.centres[centre_id])
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

    async def recorded(self) -> tuple[list[Stretch], dict[int, dict[bool, int]]]:
        """Every attempt as the database knows it, and for every row the seconds that were kept and lost, as billed."""
        stretches: list[Stretch] = []
        billed_s: dict[int, dict[bool, int]] = {}
        async with self.net.db.transaction() as tx:
            for job_id, row in self.row_of.items():
                found = await attempts.of_job(tx, UUID(job_id))
                stretches += [(row, a["started_s"] - START_S, a["ended_s"] - START_S, a["pool_id"]) for a in found]
                billed_s[row] = {True: 0, False: 0}
                for line in await attempts.charges_of_job(tx, UUID(job_id)):
                    billed_s[row][line["kept"]] += line["until_s"] - line["from_s"]
        return sorted(stretches), billed_s


@pytest.mark.parametrize(
    "policy",
    [
        Policy(order="fcfs", reservation_depth=1),
        Policy(order="sjf", reservation_depth=2, placement="first_fit"),
        Policy(order="priority", reservation_depth=CONSERVATIVE),
        Policy(order="wfp3", reservation_depth=0),
        Policy(order="fcfs", tenants=HALF_OF_EAST),
    ],
    ids=lambda policy: f"{policy.order}-{policy.reservation_depth}{'-quotas' if policy.tenants else ''}",
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


@pytest.mark.parametrize("order", ["fcfs", "priority"])
async def test_who_makes_room_does_so_live_as_in_a_replay(net: SmallNetwork, tmp_path: Path, order: str) -> None:
    """One policy file for both: the same attempts at the same seconds, and what a replay calls lost is not billed."""
    file = tmp_path / "policy.yaml"
    file.write_text(f"order: {order}\npreemption: {{max_preemptions: 2, min_run_s: 300}}\n")
    frame = window()
    live = Live(net, to_workload(frame, []), read_hub_policy(file, LIVE_POLICY))
    await live.found()
    async with net.db.transaction() as tx:
        pools = await centre.pools(tx)
    workload = to_workload(frame, pools)
    _, policy = choose_policy(str(file))
    assert replace(live.policy, outlook=False) == policy
    expected = replay(pools, workload, policy)
    await live.play()
    assert expected.stretches is not None
    stretches, billed_s = await live.recorded()
    assert stretches == sorted((*times, pools[at].id) for *times, at, _ in expected.stretches.T.tolist())
    # What runs on after its walltime does so for free.
    bound = np.flatnonzero(workload.run_s <= workload.walltime_s).tolist()
    assert [billed_s[row][True] for row in bound] == workload.run_s[bound].tolist()
    assert [billed_s[row][False] for row in bound] == expected.lost_s[bound].tolist()
    left = [row for row in bound if expected.attempts[row] > 1]
    assert len(left) > 10, "a window in which hardly anybody leaves proves nothing"
    assert (expected.lost_s[left] > 0).any()
    last = {row: end_s - start_s for row, start_s, end_s, _ in stretches}
    assert any(last[row] < workload.run_s[row] for row in left), "nobody goes on from a checkpoint"
    await assert_proofs(net)
