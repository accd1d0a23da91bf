"""Whole recorded logs under EASY: jobs a second on one core, beside other simulators in the same run; memory per job;
and several logs as one network.

    .venv/bin/python -m benchmarks.replays --data DIR --peers-python PATH [--json]

DIR has swf/ as docs/reference/reproduce.md says. The peers: EASY in plain Python (`easy.py`, which must start every job
in the same second), strict first come, first served in SimPy, and AccaSim's EASY; where a simulator is not there, the
run says how to install it. They play a prefix of the log, since they need it. Turns go round: all of them, then all of
them again; figures are medians.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.easy import easy
from benchmarks.machine import machine, seconds
from suanwang.domain.scheduling.counted import CountedRun, warm_up
from suanwang.domain.scheduling.workload import Workload
from suanwang.replay.compare import run_on
from suanwang.replay.jobs import to_workload
from suanwang.replay.policyfile import POLICIES
from suanwang.replay.reproduce.figure import swf_log
from suanwang.replay.reproduce.whole_log import one_pool, play
from suanwang.replay.study import read_study
from suanwang.replay.traces.swf import read_swf

LOGS = ("SDSC-SP2", "HPC2N", "CEA-Curie")
NETWORK = (*LOGS, "SDSC-BLUE", "RICC")
GOAL_S = 30
"""For reading and replaying all logs of `NETWORK` as one network."""
INSTALLED = {"simpy": "simpy==4.1.1", "accasim": "accasim==1.1.3"}
LABELS = {"simpy": "SimPy, first come, first served", "accasim": "AccaSim, EASY"}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def first(workload: Workload, jobs: int) -> Workload:
    return replace(workload, **{name: column[:jobs] for name, column in workload.columns().items()})


def write_swf(path: Path, workload: Workload) -> None:
    """As peers read it: walltime = run time, and a memory of 1, which AccaSim divides by."""
    rows = zip(workload.submitted_s.tolist(), workload.run_s.tolist(), workload.chips_per_node.tolist(), strict=True)
    path.write_text(
        "".join(
            f"{number} {submitted_s} -1 {run_s} {asked} -1 1 {asked} {run_s} 1 1 1 1 1 1 1 -1 -1\n"
            for number, (submitted_s, run_s, asked) in enumerate(rows, 1)
        )
    )


def other(python: str, name: str, log: Path, chips: int) -> dict[str, Any]:
    """What `peers.py` says. Raises RuntimeError if it fails."""
    done = subprocess.run(
        [python, str(Path(__file__).with_name("peers.py")), name, str(log), str(chips)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2_000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    if "missing" in said:
        say(f"  {name} is not there ({said['missing']}): {python} -m pip install {INSTALLED[name]}")
    return said


def measure(data: Path, log: str, python: str, repeat: int, plain_jobs: int, prefix: int) -> dict[str, Any]:
    """Jobs a second of everyone on one log."""
    path = swf_log(data, log)
    trace = read_swf(path, usable="table_c")
    pool = one_pool(trace.processors or 1)
    workload = to_workload(trace.frame, [pool])
    plain, short = first(workload, plain_jobs), first(workload, prefix)
    columns = [column.tolist() for column in (plain.submitted_s, plain.run_s, plain.chips_per_node)]
    ours, plain_s = [], []
    others: dict[str, list[dict[str, Any]]] = {name: [] for name in INSTALLED}
    with TemporaryDirectory() as folder:
        file = Path(folder, "prefix.swf")
        write_swf(file, short)
        for _ in range(repeat):
            taken_s, schedule = seconds(lambda: play(workload, pool, "EASY"))
            ours.append(taken_s)
            taken_s, starts = seconds(lambda: easy(*columns, pool.chips))
            plain_s.append(taken_s)
            if len(plain) == len(workload) and not np.array_equal(schedule.start_s, starts):
                raise RuntimeError(f"{log}: the plain Python EASY starts jobs in other seconds")
            for name, turns in others.items():
                if not turns or "missing" not in turns[-1]:
                    turns.append(other(python, name, file, pool.chips))
    rate = len(workload) / median(ours)
    peers = {"EASY in plain Python": {"jobs": len(plain), "jobs_per_s": len(plain) / median(plain_s)}}
    for name, turns in others.items():
        if "missing" not in turns[-1]:
            label = f"{LABELS[name]} ({name} {turns[-1]['release']})"
            peers[label] = {"jobs": len(short), "jobs_per_s": len(short) / median(turn["seconds"] for turn in turns)}
    return {
        "log": log,
        "processors": pool.chips,
        "jobs": len(workload),
        "jobs_per_s": rate,
        "fastest_jobs_per_s": len(workload) / min(ours),
        "samples": [len(workload) / taken_s for taken_s in ours],
        "peers": {label: {**peer, "ratio": rate / peer["jobs_per_s"]} for label, peer in peers.items()},
        **memory(workload, lambda: play(workload, pool, "EASY"), CountedRun([pool], workload, POLICIES["easy"])),
    }


def memory(workload: Workload, run: Callable[[], Any], made: CountedRun) -> dict[str, float]:
    """Bytes per job: of the log's columns, of the arrays that a replay works in, and what the process grew by."""
    columns = sum(column.nbytes for column in workload.columns().values())
    working = sum(column.nbytes for column in made._memory)
    del made
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back, or the replay would live in it
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    run()
    return {
        "column_bytes_per_job": columns / len(workload),
        "array_bytes_per_job": working / len(workload),
        "peak_bytes_per_job": (resident("VmHWM") - before) / len(workload),
    }


def resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))  # house: kB of Linux


def network(data: Path, logs: Sequence[str]) -> dict[str, Any]:
    """All logs at once, each its own centre, any job anywhere, EASY by the walltimes that were asked for."""
    paths = [swf_log(data, log) for log in logs]
    read_s, study = seconds(lambda: read_study(paths))
    replay_s, run = seconds(lambda: run_on(study.network, study.frame, POLICIES["easy"], study.epoch_s))
    return {
        "centres": len(paths),
        "jobs": len(study.frame),
        "started": int((run.schedule.start_s >= 0).sum()),
        "read_s": read_s,
        "replay_s": replay_s,
        "goal_s": GOAL_S,
    }


def show(found: dict[str, Any]) -> None:
    print(f"{found['date']}, {found['machine']}, load {found['load']}, median of {found['repeat']}")
    for one in found["logs"]:
        print(f"\n{one['log']}: {one['jobs']:,} jobs, {one['processors']:,} processors, EASY, one core")
        print(f"  {'Suanwang':<64} {one['jobs_per_s']:>12,.0f} jobs/s, fastest turn {one['fastest_jobs_per_s']:,.0f}")
        for label, peer in one["peers"].items():
            name = f"{label}, {peer['jobs']:,} jobs"
            print(f"  {name:<64} {peer['jobs_per_s']:>12,.0f} jobs/s {peer['ratio']:>10,.1f} times")
        print(
            f"  bytes per job: {one['column_bytes_per_job']:.0f} of the log, {one['array_bytes_per_job']:.0f} of the "
            f"replay's arrays; the process grows by {one['peak_bytes_per_job']:.0f}"
        )
    if pooled := found["network"]:
        print(
            f"\n{pooled['centres']} logs as one network, {pooled['jobs']:,} jobs: read {pooled['read_s']:.1f} s, "
            f"replay {pooled['replay_s']:.1f} s (goal: {pooled['goal_s']} s together)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with swf/")
    parser.add_argument("--log", action="append", help=f"may be given again; {', '.join(LOGS)} unless some are named")
    parser.add_argument("--peers-python", default=sys.executable, metavar="PATH", help="a Python that has the peers")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--plain-jobs", type=int, default=60_000, help="prefix for the plain Python EASY")
    parser.add_argument("--prefix", type=int, default=2_000, help="prefix for SimPy and AccaSim")
    parser.add_argument("--no-network", action="store_true", help="leave out the logs as one network")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    warm_up()
    found = machine() | {"repeat": chosen.repeat, "logs": []}
    for log in chosen.log or LOGS:
        say(f"{log} ...")
        found["logs"].append(
            measure(chosen.data, log, chosen.peers_python, chosen.repeat, chosen.plain_jobs, chosen.prefix)
        )
    found["network"] = None if chosen.no_network else network(chosen.data, NETWORK)
    print(json.dumps(found, indent=2)) if chosen.json else show(found)


if __name__ == "__main__":
    main()
