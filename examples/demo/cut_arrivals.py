"""Cut arrivals.csv from the Philly trace: python3 cut_arrivals.py philly.csv.gz > arrivals.csv

SOURCES.md says what the trace is, who gave it, and why this window.
"""

import csv
import gzip
import sys
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

CLUSTER = "ee9e8c"
FIRST = datetime.fromisoformat("2017-10-28 00:42:12")
LAST = datetime.fromisoformat("2017-10-28 21:37:59")
MAX_GPUS = 8
"""Chips of the largest node of the three centres; jobs that ask for more are left out."""


class Arrival(NamedTuple):
    """A job: seconds from the window's start to its submission, its run time as it was, and its GPUs."""

    submit_s: int
    run_s: int
    gpus: int


def cut(trace: Path) -> list[Arrival]:
    """The window's jobs in order of submission; at the same second the smaller and shorter first."""
    with gzip.open(trace, "rt", newline="") as file:
        arrivals = [
            Arrival(int((submitted - FIRST).total_seconds()), int(float(row["duration"])), int(row["num_gpus"]))
            for row in csv.DictReader(file)
            if row["cluster"] == CLUSTER
            and FIRST <= (submitted := datetime.fromisoformat(row["timestamp"])) <= LAST
            and int(row["num_gpus"]) <= MAX_GPUS
        ]
    return sorted(arrivals, key=lambda job: (job.submit_s, job.gpus, job.run_s))


def write(arrivals: list[Arrival], file: TextIO) -> None:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("job", *Arrival._fields))
    rows.writerows((f"philly-{number:02d}", *arrival) for number, arrival in enumerate(arrivals, 1))


if __name__ == "__main__":
    write(cut(Path(sys.argv[1])), sys.stdout)
