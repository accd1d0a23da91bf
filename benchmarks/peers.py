"""Other people's simulators on a log, each in a process of its own; it imports nothing of Suanwang.

    PYTHON benchmarks/peers.py simpy|accasim LOG PROCESSORS

LOG is a file in the Standard Workload Format. Prints one line of JSON: seconds for how many jobs and in which release,
or what is missing.
"""

import collections
import collections.abc
import contextlib
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def read(log: Path) -> list[tuple[int, int, int]]:
    """(submitted, run, processors) of every job."""
    rows = [line.split() for line in log.read_text("utf-8").splitlines() if not line.startswith(";")]
    return [(int(row[1]), int(row[3]), int(row[7])) for row in rows]


def run_simpy(log: Path, processors: int) -> float:
    """Strict first come, first served: a container hands out in the order of asking."""
    import simpy

    jobs = read(log)
    start = time.perf_counter()
    world = simpy.Environment()
    free = simpy.Container(world, capacity=processors, init=processors)

    def one(run_s: int, asked: int) -> Any:
        yield free.get(asked)
        yield world.timeout(run_s)
        yield free.put(asked)

    def arrivals() -> Any:
        for submitted_s, run_s, asked in jobs:
            if submitted_s > world.now:
                yield world.timeout(submitted_s - world.now)
            world.process(one(run_s, asked))

    world.process(arrivals())
    world.run()
    return time.perf_counter() - start


def run_accasim(log: Path, processors: int) -> float:
    """Its EASY backfilling with its first-fit allocator, on single processors; with its own reading of the log."""
    for name in ("Mapping", "MutableMapping", "Sequence", "Iterable"):
        if not hasattr(collections, name):  # where that release still looks for them
            setattr(collections, name, getattr(collections.abc, name))
    from accasim.base.allocator_class import FirstFit
    from accasim.base.scheduler_class import EASYBackfilling
    from accasim.base.simulator_class import Simulator

    with TemporaryDirectory() as folder:
        machine = Path(folder, "machine.json")
        machine.write_text(
            json.dumps(
                {
                    "groups": {"all": {"core": processors, "mem": 2**40}},
                    "resources": {"all": 1},
                    "equivalence": {"processor": {"core": 1}},
                    "system_name": "machine",
                    "start_time": 0,
                }
            )
        )
        start = time.perf_counter()
        simulator = Simulator(
            str(log),
            str(machine),
            EASYBackfilling(FirstFit()),
            RESULTS_FOLDER_NAME=str(Path(folder, "results")),
            scheduling_output=False,
            statistics_output=False,
            show_statistics=False,
        )
        simulator.start_simulation()
        return time.perf_counter() - start


RUNS = {"simpy": run_simpy, "accasim": run_accasim}


def main() -> None:
    name, log, processors = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    try:
        with contextlib.redirect_stdout(sys.stderr):
            seconds = RUNS[name](log, processors)
    except ModuleNotFoundError as missing:
        print(json.dumps({"missing": missing.name}))
        return
    print(json.dumps({"jobs": len(read(log)), "seconds": seconds, "release": version(name)}))


if __name__ == "__main__":
    main()
