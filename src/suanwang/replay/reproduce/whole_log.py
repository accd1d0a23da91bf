"""Whole recorded logs under strict FIFO and EASY: waits, slowdowns, utilisation, makespan, to every digit.

The rules of the published table: rows and processors as the reader's rule `table_c` has them; ends before arrivals in
one second, then dispatch; order (submitted, job). EASY takes the run time as the estimate and lets a job overtake only
if it ends by the reserved start. p95 is the element round((n - 1) 0.95) of the sorted values; the slowdown here is
max(1, wait / max(run, 10)).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.scheduling.counted import CountedRun
from suanwang.domain.scheduling.policy import EASY, STRICT_FIFO, Policy
from suanwang.domain.scheduling.workload import Array, Schedule, Workload
from suanwang.errors import InvalidInput
from suanwang.replay.jobs import to_workload
from suanwang.replay.reproduce.figure import Figure, number, published, swf_log
from suanwang.replay.traces.swf import read_swf

FILE = "expected_whole_log.csv"
KEYS = ("log", "policy")
FIGURES = {"jobs": 0, "mean wait s": 2, "p95 wait": 0, "p95 BSLD": 2, "utilisation": 4, "makespan": 0}
"""Name in the published table -> its decimals."""
DEPTHS = {"FIFO": STRICT_FIFO, "EASY": EASY}
SHORTEST_RUN_S = 10
ANY_WALLTIME_S = 2**40


def whole_log(
    data: Path,
    logs: Sequence[str] = (),
    policies: Sequence[str] = tuple(DEPTHS),
    capacity: int | None = None,
    progress: Callable[[str], None] = lambda _what: None,
) -> list[Figure]:
    """The table for these logs of `data`/swf, or for all that the folder has published figures of.

    `capacity`: processors; without it those of the published table, else what the log's header says. `progress` is told
    what is computed next. Raises InvalidInput, NotFound.
    """
    expected = published(data, FILE, (*KEYS, "capacity", *FIGURES))
    wanted = logs or list(dict.fromkeys(row["log"] for row in expected))
    if not wanted:
        raise InvalidInput("--log", "none", f"the name of a log, since {data} has no published figures")
    figures = []
    for log in wanted:
        progress(log)
        path = swf_log(data, log)
        trace = read_swf(path, usable="table_c")
        rows = {row["policy"]: row for row in expected if path.name.startswith(row["log"])}
        stated = next((int(number(row["capacity"], f"capacity of {log}")) for row in rows.values()), trace.processors)
        chips = capacity or stated
        if chips is None:
            raise InvalidInput("--capacity", None, f"the processors of {log}: its header does not tell")
        if chips != stated:
            rows = {}  # what is published is of a machine of another size
        pool = one_pool(chips)
        workload = to_workload(trace.frame, [pool])
        for policy in policies:
            progress(f"{log} {policy}")
            computed = _figures(play(workload, pool, policy), workload, chips)
            for name, decimals in FIGURES.items():
                text = rows.get(policy, {}).get(name)
                known = None if text is None else number(text, f"{name} of {log}, {policy}")
                figures.append(Figure((log, policy, name), round(computed[name], decimals), known, decimals))
    return figures


def one_pool(chips: int) -> Pool:
    """A machine of which only the number of processors counts."""
    return Pool("machine", "machine", "cpu", (Node("all", chips, 0),), Offer(0, ANY_WALLTIME_S))


def play(workload: Workload, pool: Pool, policy: str) -> Schedule:
    """By run times as estimates. Raises InvalidInput for an unknown policy or a job that is larger than the machine."""
    if policy not in DEPTHS:
        raise InvalidInput("--policy", policy, f"one of {', '.join(DEPTHS)}")
    largest = int(workload.chips_per_node.max(initial=0))
    if largest > pool.chips:
        raise InvalidInput("--capacity", pool.chips, f"{largest} or more, since a job asks for so many")
    exact = replace(workload, walltime_s=workload.run_s)
    run = CountedRun(
        [pool], exact, Policy(order="fcfs", reservation_depth=DEPTHS[policy], backfill="until", outlook=False)
    )
    while not run.play():
        pass
    return run.schedule()


def _figures(schedule: Schedule, workload: Workload, chips: int) -> dict[str, float]:
    wait_s = schedule.start_s - workload.submitted_s
    slowdown = np.maximum(1, wait_s / np.maximum(workload.run_s, SHORTEST_RUN_S))
    makespan_s = int(schedule.end_s.max() - workload.submitted_s.min())
    used = int((workload.chips_per_node * workload.run_s).sum())
    return {
        "jobs": len(workload),
        "mean wait s": float(wait_s.mean()),
        "p95 wait": _p95(wait_s),
        "p95 BSLD": _p95(slowdown),
        "utilisation": used / (chips * makespan_s),
        "makespan": makespan_s,
    }


def _p95(values: Array) -> float:
    return float(np.sort(values)[round((len(values) - 1) * 0.95)])
