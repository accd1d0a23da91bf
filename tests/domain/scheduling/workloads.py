"""Small asks, pools and random stories of a network, for tests of the scheduler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from hypothesis import strategies as st

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.decisions import Decision, Placed, PoolOutlook
from suanwang.domain.scheduling.events import (
    Ask,
    AskVariant,
    AttemptEnded,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    PlacementRefused,
    PoolDrained,
    PoolSeen,
    PoolSet,
)
from suanwang.domain.scheduling.policy import CONSERVATIVE, Placement, Policy, TypicalJob
from suanwang.units import SECONDS_PER_HOUR

GPU, NPU = "a100", "910b"


def variant(chips: int = 1, *chip_ids: str, **more: Any) -> AskVariant:
    return AskVariant(frozenset(chip_ids or (GPU,)), chips, **more)


def ask(job_id: str, **more: Any) -> Ask:
    """One chip of one node for ten seconds, unless told otherwise."""
    plain: dict[str, Any] = {
        "tenant_id": "t1",
        "attempt": 1,
        "submitted_s": 0,
        "num_nodes": 1,
        "walltime_s": 10,
        "priority": 0,
        "objective": Objective.SOONEST,
        "ordered": False,
        "max_cost_fen": None,
        "variants": (variant(),),
    }
    return Ask(job_id=job_id, **{**plain, **more})


def queued(job_id: str, **more: Any) -> JobQueued:
    return JobQueued(ask(job_id, **more), 0)


def pool(
    pool_id: str = "p", nodes: int = 2, chips: int = 4, fen_per_chip_s: int = 1, chip_id: str = GPU, **more: Any
) -> Pool:
    """Like-for-like nodes n0, n1, ...; one fen per chip and second makes prices easy to read."""
    names = more.pop("names", [f"n{i}" for i in range(nodes)])
    sizes = tuple(Node(name, chips, more.get("cpus", 16), more.get("memory_mib", 0)) for name in names)
    offer = Offer(fen_per_chip_s * SECONDS_PER_HOUR, more.get("max_walltime_s", 1_000))
    return Pool(pool_id, more.get("centre_id", f"centre-{pool_id}"), chip_id, sizes, offer)


def placed(decisions: list[Decision]) -> dict[str, Placed]:
    return {d.job_id: d for d in decisions if isinstance(d, Placed)}


def outlook_facts(outlook: Sequence[PoolOutlook]) -> dict[str, tuple[int, str, int | None, int]]:
    """The part of an outlook that the oracle knows: pool -> (variant, code, start, price if it fits)."""
    return {
        one.pool_id: (one.variant, one.reason.code, one.start_s, (one.price_fen or 0) if one.feasible else 0)
        for one in outlook
    }


# --- random stories ---

POOL_IDS = ("p1", "p2", "p3")

TYPICAL = (
    TypicalJob(chip_ids=frozenset({GPU}), chips=1, cpus=1, frequency=0.3, chip_milli=500),
    TypicalJob(chip_ids=frozenset({GPU, NPU}), chips=1, cpus=0, frequency=0.3, chip_milli=200),
    TypicalJob(chip_ids=frozenset({GPU, NPU}), chips=1, cpus=2, frequency=0.1),
    TypicalJob(chip_ids=frozenset({NPU}), chips=2, cpus=4, frequency=0.2),
    TypicalJob(chip_ids=frozenset({GPU}), chips=0, cpus=5, frequency=0.1),
)

policies = st.builds(
    Policy,
    order=st.sampled_from(["fcfs", "sjf", "priority", "f1", "wfp3", "unicef"]),
    reserve_ahead=st.sampled_from([1, 2, 3, 1_000]),
    backfill=st.sampled_from(["beside", "until", "before"]),
    reservation_depth=st.sampled_from([0, 1, 3, CONSERVATIVE]),
    placement=st.sampled_from(["best_fit", "best_fit", "first_fit", *get_args(Placement)]),
    typical=st.just(TYPICAL),
    quote_ahead=st.sampled_from([2, 1_000]),
)

MILLI = (100, 300, 500, 500, 501, 999)


@st.composite
def variants(draw: st.DrawFn) -> AskVariant:
    chips = draw(st.sampled_from([0, 1, 1, 1, 2, 3, 4]))
    return AskVariant(
        chip_ids=draw(st.sampled_from([frozenset({GPU}), frozenset({NPU}), frozenset({GPU, NPU})])),
        chips_per_node=chips,
        cpus_per_node=draw(st.sampled_from([0, 0, 1, 5] if chips else [1, 3])),
        centre=draw(st.sampled_from([None, None, None, "centre-p1"])),
        max_fen_per_hour=draw(st.sampled_from([None, None, 8 * SECONDS_PER_HOUR])),
        chip_milli=draw(st.sampled_from([1_000, *MILLI])) if chips == 1 else 1_000,
        memory_mib_per_node=draw(st.sampled_from([0, 0, 0, 10, 30])),
    )


@st.composite
def asks(draw: st.DrawFn, job_id: str, submitted_s: int) -> Ask:
    return Ask(
        job_id=job_id,
        tenant_id="t1",
        attempt=1,
        submitted_s=submitted_s - draw(st.integers(0, 1)),
        num_nodes=draw(st.sampled_from([1, 1, 1, 2, 3])),
        walltime_s=draw(st.integers(1, 12)),
        priority=draw(st.sampled_from([0, 0, 5])),
        objective=draw(st.sampled_from(list(Objective))),
        ordered=draw(st.booleans()),
        max_cost_fen=draw(st.sampled_from([None, None, None, 20])),
        variants=tuple(draw(st.lists(variants(), min_size=1, max_size=2))),
        only_centre=draw(st.sampled_from([None, None, None, None, "centre-p2"])),
        arrival=draw(st.sampled_from([0, 0, 7, 2**40])),
        preemptible=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def pools(draw: st.DrawFn, pool_id: str) -> Pool:
    names = draw(st.permutations(["a", "b", "c", "d"]))[: draw(st.integers(1, 4))]
    nodes = tuple(
        Node(name, draw(st.sampled_from([4, 4, 2])), draw(st.sampled_from([8, 8, 3])), draw(st.sampled_from([0, 40])))
        for name in names
    )
    fen = draw(st.sampled_from([0, 1, 2, 3])) * SECONDS_PER_HOUR
    preemptible_fen = draw(st.sampled_from([None, None, fen // 3]))
    limit_s = draw(st.sampled_from([1_000, 1_000, 8]))
    offer = Offer(fen, limit_s, preemptible_fen_per_chip_hour=preemptible_fen)
    return Pool(pool_id, f"centre-{pool_id}", draw(st.sampled_from([GPU, NPU])), nodes, offer)


@dataclass
class Story:
    """Draws what happens next from what happened so far."""

    data: st.DataObject
    now_s: int = 100
    jobs: int = 0
    queued: int = 0

    def opening(self) -> list[Event]:
        return [PoolSet(self.some_pool(pool_id)) for pool_id in POOL_IDS[: self.data.draw(st.integers(1, 3))]]

    def some_pool(self, pool_id: str) -> Pool:
        return self.data.draw(pools(pool_id))

    def next_events(self, live: dict[str, Placed], asked: dict[str, Ask], pool_ids: list[str]) -> list[Event]:
        """`live`: what was placed and is not over; `asked`: the latest ask of every job ever queued."""
        self.now_s += self.data.draw(st.integers(0, 6))
        events: list[Event] = []
        for kind in self.data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)):
            if kind == "queue":
                self.jobs += 1
                new = self.data.draw(asks(f"j{self.jobs:03d}", self.now_s))
                asked[new.job_id] = new
                events.append(JobQueued(new, self.now_s))
            elif kind == "pool":
                events.append(self.about_a_pool(self.data.draw(st.sampled_from(pool_ids))))
            elif kind == "withdraw" and asked:
                events.append(JobWithdrawn(self.data.draw(st.sampled_from(sorted(asked)))))
            elif live:
                job_id = self.data.draw(st.sampled_from(sorted(live)))
                events += self.about_an_attempt(kind, live[job_id], asked)
        return events

    def about_a_pool(self, pool_id: str) -> Event:
        kind = self.data.draw(st.sampled_from(["set", "unseen", "seen", "drained", "open"]))
        if kind == "set":
            return PoolSet(self.some_pool(pool_id))
        if kind in ("seen", "unseen"):
            return PoolSeen(pool_id, kind == "seen")
        return PoolDrained(pool_id, kind == "drained")

    def about_an_attempt(self, kind: str, decision: Placed, asked: dict[str, Ask]) -> list[Event]:
        job_id, attempt = decision.job_id, decision.attempt
        if kind == "start":
            return [AttemptStarted(job_id, attempt, self.now_s - self.data.draw(st.integers(0, 3)))]
        if kind == "refuse":
            return [PlacementRefused(job_id, attempt, "NO_MONEY")]
        if kind == "stale":
            return [AttemptEnded(job_id, attempt - 1), AttemptStarted(job_id, attempt + 1, self.now_s)]
        if kind == "recover":
            again = asked[job_id]
            again = Ask(**{**fields_of(again), "attempt": attempt + 1})
            asked[job_id] = again
            return [AttemptEnded(job_id, attempt), JobQueued(again, self.now_s)]
        return [AttemptEnded(job_id, attempt)]


KINDS = ("queue", "queue", "queue", "queue", "pool", "withdraw", "end", "end", "start", "refuse", "recover", "stale")


def fields_of(one: Ask) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Ask.__dataclass_fields__}
