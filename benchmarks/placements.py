"""How many jobs a second the network takes in and places, with the money of every job on hold.

    .venv/bin/python -m benchmarks.placements [--seconds 4] [--jobs 5000] [--repeat 3] [--json]

One run measures three things on one machine, each process on loopback, and quotes each rate beside the first:

    limit    one row per commit into the same PostgreSQL, fsync on, pgbench with 16 clients
    submit   durable submissions over HTTP: idempotency key, job, hold of its value, event; one commit answers for each
    place    from the first submission until the hub shows every job as running, through the brain and one agent

The hub is started as `suanwang up` starts it, with its own PostgreSQL in a temporary folder. Budgets are in README.md.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

import psutil

from benchmarks.cpu import cpu_time
from benchmarks.network import CENTRE, Agent, Network, fake_agent, many_jobs, network, one_job, task_file

IDLE_JOBS = 100
CONNECTIONS = 64
BULK_CONNECTIONS = 4


class Figures:
    """Samples by name; the answer is their median."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)
        say(f"    {name:<68} {value:10.1f}")

    def medians(self) -> dict[str, float]:
        return {name: median(values) for name, values in self.samples.items()}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


SUBMISSIONS: dict[str, dict[str, Any]] = {
    "submit, 1 connection": {"body": one_job(), "connections": 1},
    "submit, 16 connections": {"body": one_job(), "connections": 16},
    "submit, 64 connections": {"body": one_job(), "connections": 64},
    "submit, 64 connections, one tenant": {"body": one_job(), "connections": 64, "tenants": 1},
    "submit, 64 connections, SkyPilot task file": {"body": task_file(), "connections": 64},
    "submit, 100 jobs a call": {"body": many_jobs(100), "connections": BULK_CONNECTIONS, "jobs_per_call": 100},
    "submit, 1000 jobs a call": {"body": many_jobs(1_000), "connections": BULK_CONNECTIONS, "jobs_per_call": 1_000},
}


@contextlib.contextmanager
def work_counted(net: Network, figures: Figures, name: str) -> Iterator[list[int]]:
    """CPU time per job of hub and database; the caller appends how many jobs there were."""
    before, jobs = cpu_time(net.processes), list[int]()
    yield jobs
    spent = cpu_time(net.processes) - before
    figures.add(f"{name} (hub, us of CPU a job)", spent.hub_s / sum(jobs) * 1e6)
    figures.add(f"{name} (database, us of CPU a job)", spent.database_s / sum(jobs) * 1e6)


async def measure_limit(net: Network, figures: Figures, seconds: int) -> None:
    figures.add("limit", await net.peer.measure(seconds))


async def measure_submissions(net: Network, figures: Figures, seconds: int) -> None:
    for name, load in SUBMISSIONS.items():
        with work_counted(net, figures, name) as jobs:
            sent = await net.submit(**load, seconds=seconds)
            jobs.append(sent.jobs)
        figures.add(f"{name} (jobs/s)", sent.jobs_per_s)
        if load.get("jobs_per_call", 1) == 1:
            figures.add(f"{name} (median ms)", sent.latencies_ms[0])


async def measure_placements(net: Network, agent: Agent, figures: Figures, jobs: int) -> None:
    single: dict[str, Any] = {"body": one_job(), "connections": CONNECTIONS, "jobs": jobs}
    in_bulk: dict[str, Any] = {
        "body": many_jobs(1_000),
        "connections": BULK_CONNECTIONS,
        "jobs_per_call": 1_000,
        "jobs": jobs,
    }
    for name, load in {"single jobs": single, "1000 jobs a call": in_bulk}.items():
        with work_counted(net, figures, f"place, {name}") as counted:
            submitting = asyncio.create_task(net.submit(**load))
            await agent.until_running(jobs)
            sent = await submitting
            running = await net.jobs_in("running")
            shown_at = time.monotonic()
            counted.append(running)
        if running != jobs:
            raise RuntimeError(f"the hub shows {running} running jobs of {jobs}")
        figures.add(f"place, {name} (jobs/s)", jobs / (shown_at - sent.began))
        began = time.monotonic()
        with work_counted(net, figures, f"end and charge, {name}") as counted:
            ended = await agent.end_all()
            counted.append(jobs)
        figures.add(f"end and charge, {name} (jobs/s)", jobs / (ended.at - began))


async def measure_idle(net: Network, agent: Agent, figures: Figures) -> None:
    """One job at a time: from its call to the moment when its reported start is taken."""
    waits_ms = []
    for _ in range(IDLE_JOBS):
        sent = await net.submit(one_job(), connections=1, jobs=1)
        told = await agent.told()
        assert len(told.started) == 1
        waits_ms.append((told.at - sent.began) * 1e3)
    waits_ms.sort()
    figures.add("idle, submit to running (median ms)", waits_ms[len(waits_ms) // 2])
    figures.add("idle, submit to running (p95 ms)", waits_ms[int(len(waits_ms) * 0.95)])
    await agent.end_all()


async def prove(net: Network) -> None:
    proofs = await net.admin.prove()
    if not proofs.hold:
        broken = [proof.name for proof in proofs.proofs if not proof.holds]
        raise RuntimeError(f"the books do not balance after the run: {broken}")
    say(f"    the books balance: {proofs.counts}")


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    say(f"  {name} (load {os.getloadavg()[0]:.1f})")
    yield


async def run(seconds: int, jobs: int, repeat: int, only: str | None) -> dict[str, Any]:
    figures = Figures()
    loads, before = [os.getloadavg()[0]], psutil.cpu_times()
    if only in (None, "submit"):
        async with network() as net:
            await net.admin.drain(CENTRE)  # every job waits, and the brain says so
            for turn in range(repeat):
                with part(f"submissions, turn {turn + 1}"):
                    await measure_limit(net, figures, seconds)
                    await measure_submissions(net, figures, seconds)
    if only in (None, "place"):
        async with network() as net, fake_agent(net) as agent:
            for turn in range(repeat):
                with part(f"placements, turn {turn + 1}"):
                    await measure_limit(net, figures, seconds)
                    await measure_placements(net, agent, figures, jobs)
            with part("one job at a time"):
                await measure_idle(net, agent, figures)
            await prove(net)
    loads.append(os.getloadavg()[0])
    spent = [late - early for late, early in zip(psutil.cpu_times()[:8], before[:8], strict=True)]
    medians = figures.medians()
    limit = medians["limit"]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}",
        "load_before_and_after": loads,
        "stolen_by_the_hypervisor": spent[7] / sum(spent),
        "idle": spent[3] / sum(spent),
        "repeat": repeat,
        "jobs": jobs,
        "figures": {
            name: {"median": value, "of_limit": value / limit if "(jobs/s)" in name else None, "samples": samples}
            for (name, value), samples in zip(medians.items(), figures.samples.values(), strict=True)
        },
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a pseudo-file, read line by line
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def show(result: dict[str, Any]) -> None:
    print(f"{result['date']}, {result['machine']}, median of {result['repeat']}")
    print(f"stolen by the hypervisor {result['stolen_by_the_hypervisor']:.0%}, idle {result['idle']:.0%}")
    for name, figure in result["figures"].items():
        share = "" if figure["of_limit"] is None else f"{figure['of_limit']:8.2f} x limit"
        print(f"{name:<68} {figure['median']:10.1f}{share}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4, help="length of each measurement of a rate")
    parser.add_argument("--jobs", type=int, default=5_000, help="jobs of each placement run (up to 16000)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["submit", "place"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = asyncio.run(run(options.seconds, options.jobs, options.repeat, options.only))
    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
