"""One step of the live brain: 10,000 nodes of 8 chips in 10 pools, 100,000 jobs that wait, 1,000 new events.

Half of the events are jobs that come, half are attempts that end. The budget is 50 ms a step. The peer in the same run
is a loop in plain Python that asks of every waiting job, once and of nothing but a number per pool, whether its chips
are free: less than any scheduler has to do.

    .venv/bin/python -m benchmarks.livestep [--json]
"""

import argparse
import gc
import json
import platform
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import Ask, AskVariant, AttemptEnded, Event, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Order, Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State

BUDGET_MS = 50
CHIPS = ("a100", "910b")
KINDS = (frozenset({"a100"}), frozenset({"910b"}), frozenset(CHIPS))
OBJECTIVES = tuple(Objective)
WALLTIMES_S = (600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)  # house: a sample, no conversion
ALLOCATIONS_PER_COLLECTION = 200_000
"""As the hub sets it."""


@dataclass(slots=True)
class Crowd:
    """Jobs drawn from a seed, and what runs."""

    rng: np.random.Generator
    number: int
    running: list[Placed]

    def come(self, count: int, now_s: int) -> list[Event]:
        return [self._queued(now_s) for _ in range(count)]

    def _queued(self, now_s: int) -> Event:
        self.number += 1
        draw = self.rng.choice
        ask = Ask(
            job_id=f"{self.number:08}",
            tenant_id=f"t{self.number % 50}",
            attempt=1,
            submitted_s=now_s,
            num_nodes=int(draw([1, 1, 1, 2, 4])),
            walltime_s=int(draw(WALLTIMES_S)),
            priority=int(self.rng.integers(0, 3)),
            objective=OBJECTIVES[self.number % len(OBJECTIVES)],
            ordered=False,
            max_cost_fen=None,
            variants=(AskVariant(KINDS[self.number % len(KINDS)], int(draw([1, 2, 4, 8]))),),
        )
        return JobQueued(ask, now_s)

    def end(self, count: int) -> list[Event]:
        self.rng.shuffle(self.running)  # type: ignore[arg-type] - a list may be shuffled in place
        over, self.running = self.running[:count], self.running[count:]
        return [AttemptEnded(one.job_id, one.attempt) for one in over]


def ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def plain_pass(state: State) -> float:
    """The peer: ms for one look at every waiting job in plain Python."""
    free = [sum(node.chips for node in pool.nodes) // 9 for pool in state.pools]
    waiting = [job.ask for job in state.jobs.values() if not job.placed]
    fitting, start = 0, time.perf_counter()
    for ask in waiting:
        variant = ask.variants[0]
        wanted = variant.chips_per_node * ask.num_nodes
        for number, pool in enumerate(state.pools):
            if pool.chip_id in variant.chip_ids and free[number] >= wanted:
                fitting += 1
                break
    return ms_since(start)


def run(nodes: int, pools: int, queued: int, events: int, turns: int, order: Order) -> dict[str, Any]:
    """All figures in ms, medians over the turns."""
    state, now_s = State(), 0
    policy = Policy(order=order, usage_half_life_s=604_800)  # house: a week
    each = tuple(Node(f"n{number}", 8, 0) for number in range(nodes // pools))
    crowd = Crowd(np.random.default_rng(1), 0, [])
    step(
        state,
        policy,
        now_s,
        [PoolSet(Pool(f"p{i}", f"c{i}", CHIPS[i % 2], each, Offer(100 + i, 10**7))) for i in range(pools)],
    )
    while len(state.jobs) - len(crowd.running) < queued:
        crowd.running += [d for d in step(state, policy, now_s, crowd.come(10_000, now_s)) if isinstance(d, Placed)]
        now_s += 1
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)
    whole, advance, words, placed, peer = [], [], [], [], []
    for _ in range(turns):
        came = crowd.come(events // 2, now_s) + crowd.end(events // 2)
        start = time.perf_counter()
        decisions = step(state, policy, now_s, came)
        whole.append(ms_since(start))
        start = time.perf_counter()
        for decision in decisions:
            len([*getattr(decision, "outlook", ())])
        words.append(ms_since(start))
        new = [d for d in decisions if isinstance(d, Placed)]
        placed.append(len(new))
        crowd.running += new
        now_s += 1
        # The same again, with the events apart from the pass.
        came = crowd.come(events // 2, now_s) + crowd.end(events // 2)
        start = time.perf_counter()
        apply_events(state, came)
        advance.append(ms_since(start))
        crowd.running += [d for d in step(state, replace(policy), now_s, []) if isinstance(d, Placed)]
        now_s += 1
        peer.append(plain_pass(state))
    return {
        "nodes": nodes,
        "pools": pools,
        "queued": len(state.jobs) - len(crowd.running),
        "events": events,
        "order": order,
        "placed": median(placed),
        "step_ms": median(whole),
        "of_it_events_ms": median(advance),
        "outlooks_in_words_ms": median(words),
        "plain_python_look_ms": median(peer),
        "step_to_plain_look": median(whole) / median(peer),
        "budget_ms": BUDGET_MS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--pools", type=int, default=10)
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--order", nargs="+", default=["priority"], help="one or more of the policy's orders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [
        run(options.nodes, options.pools, options.queued, options.events, options.turns, order)
        for order in options.order
    ]
    if options.json:
        where = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.platform()}
        print(json.dumps({**where, "runs": found}, indent=2))
        return
    for result in found:
        for name, value in result.items():
            print(f"{name:24} {value:.1f}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    main()
