"""Pods a second of fragmentation gradient descent on the openb workload: jobs that come one by one and never go.

    .venv/bin/python -m benchmarks.openb --data DIR [--json]

DIR has openb/ as docs/reference/reproduce.md says. The peers in the same run: the rules in plain Python, on a short
prefix, and our own compiled loop that judges every node anew for every pod. Both must choose the same nodes. Turns go
round: all of them, then all of them again; figures are medians. The goal is 1,000,000 pods a second.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.machine import machine, seconds
from benchmarks.plainfgd import place
from suanwang.domain.scheduling.filling import Filled, fill_up
from suanwang.domain.scheduling.policy import Policy
from suanwang.replay.reproduce import openb

GOAL_PODS_PER_S = 1_000_000
SEED = 42


def run(data: Path, workload: str, repeat: int, anew_pods: int, plain_pods: int) -> dict[str, Any]:
    cluster, orders = openb.read_cluster(data), openb.read_orders(data)
    coming = openb.arrivals(cluster, openb.read_pods(data, workload), *orders[openb.full_name(workload), SEED])
    policy = Policy(placement="fgd", typical=coming.typical)
    nodes = [node for pool in cluster.pools for node in pool.nodes]
    models = [pool.chip_id for pool in cluster.pools for _ in pool.nodes]

    def fill(pods: int, anew: bool) -> tuple[float, Filled]:
        state = cluster.state()  # an empty cluster is no part of what is measured
        return seconds(
            lambda: fill_up(state, policy, coming.kinds, coming.arriving[:pods], coming.node_order, anew=anew)
        )

    fill(10, False), fill(10, True)  # compiled, or read from disk
    count = len(coming.arriving)
    kept_s, anew_s, plain_s = [], [], []
    for turn in range(repeat):
        print(f"turn {turn + 1} of {repeat}", file=sys.stderr)
        # Three times, since it is over in a moment.
        turns = [fill(count, False) for _ in range(3)]
        kept_s += [taken_s for taken_s, _ in turns]
        taken_s, again = fill(anew_pods, True)
        anew_s.append(taken_s)
        arriving = [coming.kinds[kind] for kind in coming.arriving[:plain_pods].tolist()]
        taken_s, chosen = seconds(
            lambda: place(nodes, models, arriving, coming.node_order.tolist(), coming.typical)  # noqa: B023 - called here
        )
        plain_s.append(taken_s)
        kept = turns[0][1].nodes
        if not np.array_equal(kept[:anew_pods], again.nodes) or kept[:plain_pods].tolist() != chosen:
            raise RuntimeError("the loops choose different nodes")
    rate = count / median(kept_s)
    peers = {
        f"every node judged anew, compiled, {anew_pods:,} pods": anew_pods / median(anew_s),
        f"the rules in plain Python, {plain_pods:,} pods": plain_pods / median(plain_s),
    }
    return {
        **machine(),
        "repeat": repeat,
        "workload": workload,
        "nodes": len(nodes),
        "kinds": len(coming.kinds),
        "pods": count,
        "pods_per_s": rate,
        "fastest_pods_per_s": count / min(kept_s),
        "goal_pods_per_s": GOAL_PODS_PER_S,
        "peers": {name: {"pods_per_s": peer, "ratio": rate / peer} for name, peer in peers.items()},
    }


def show(found: dict[str, Any]) -> None:
    print(f"{found['date']}, {found['machine']}, load {found['load']}, median of {found['repeat']} turns")
    print(
        f"openb, {found['workload']}: {found['pods']:,} pods on {found['nodes']:,} nodes, {found['kinds']} kinds, FGD"
    )
    print(f"  {'Suanwang':<60} {found['pods_per_s']:>10,.0f} pods/s, fastest turn {found['fastest_pods_per_s']:,.0f}")
    for name, peer in found["peers"].items():
        print(f"  {name:<60} {peer['pods_per_s']:>10,.0f} pods/s {peer['ratio']:>10,.0f} times")
    print(f"  {'goal':<60} {found['goal_pods_per_s']:>10,} pods/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with openb/")
    parser.add_argument("--workload", default="default")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--anew-pods", type=int, default=2_000, help="prefix for the loop that judges anew")
    parser.add_argument("--plain-pods", type=int, default=20, help="prefix for plain Python")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = run(chosen.data / "openb", chosen.workload, chosen.repeat, chosen.anew_pods, chosen.plain_pods)
    print(json.dumps(found, indent=2)) if chosen.json else show(found)


if __name__ == "__main__":
    main()
