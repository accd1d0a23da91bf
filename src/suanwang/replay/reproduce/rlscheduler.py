"""RLScheduler (Zhang et al., SC 2020), Table V: average bounded slowdown of queue orders, with and without backfilling.

The mean over windows of consecutive jobs, each on an empty cluster. The environment is special in what it commits to,
and in when it lets jobs arrive: `kernel.replaying.run_committed`. Orders are scored once: in WFP3 and UNI the paper's
code takes -1 for the time at which a job is scheduled, which is kept to reproduce its table.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from suanwang.domain.scheduling.counted import CountedRun
from suanwang.domain.scheduling.policy import EASY, STRICT_FIFO, Policy
from suanwang.domain.scheduling.workload import Array
from suanwang.errors import InvalidInput
from suanwang.replay.jobs import to_workload
from suanwang.replay.reproduce.figure import Figure, number, published, swf_log
from suanwang.replay.reproduce.whole_log import one_pool
from suanwang.replay.traces.swf import read_swf
from suanwang.replay.traces.trace import Trace

FILE = "expected_rlscheduler.csv"
KEYS = ("trace", "backfill")
ORDERS = ("FCFS", "WFP3", "UNI", "SJF", "F1")
STARTS = (1981, 2756, 4299, 8850, 3316, 2714, 5228, 7762, 4022, 7085)
"""Where the paper's windows begin among the jobs that count."""
JOBS = 1_024
"""Of a window."""
BACKFILL = {"no": STRICT_FIFO, "yes": EASY}
NOT_SCHEDULED_S = -1
SHORTEST_RUN_S = 10
SMALL = 1e-15
LEAST = 0.1
"""What the paper's F1 takes for a time that is not above 0."""


def rlscheduler(
    data: Path,
    logs: Sequence[str] = (),
    orders: Sequence[str] = ORDERS,
    starts: Sequence[int] = STARTS,
    jobs: int = JOBS,
    backfill: Sequence[str] = tuple(BACKFILL),
    progress: Callable[[str], None] = lambda _what: None,
) -> list[Figure]:
    """The table for these logs of `data`/swf, or for all that the folder has published figures of.

    Published figures stand beside those of the paper's windows only. Raises InvalidInput, NotFound.
    """
    rows = published(data, FILE, (*KEYS, *ORDERS)) if (tuple(starts), jobs) == (STARTS, JOBS) else []
    labels = _labels(published(data, FILE, (*KEYS, *ORDERS)))
    expected = {(_label(row["trace"]), row["backfill"]): row for row in rows}
    for name, word, allowed in [("--order", order, ORDERS) for order in orders] + [
        ("--backfill", word, tuple(BACKFILL)) for word in backfill
    ]:
        if word not in allowed:
            raise InvalidInput(name, word, f"one of {', '.join(allowed)}")
    wanted = logs or list(labels)
    if not wanted:
        raise InvalidInput("--log", "none", f"the name of a log, since {data} has no published figures")
    figures = []
    for log in wanted:
        path = swf_log(data, labels.get(log, log))
        label = next((label for label, file in labels.items() if path.name.startswith(file)), log)
        trace = read_swf(path, usable="table_b")
        for word in backfill:
            for order in orders:
                progress(f"{log} {order}")
                computed = float(np.mean([_slowdown(trace, start, jobs, order, word) for start in starts]))
                text = expected.get((label, word), {}).get(order)
                known = None if text is None else number(text, f"{order} of {log}")
                figures.append(Figure((log, "backfill" if word == "yes" else "no backfill", order), computed, known, 2))
    return figures


def _label(text: str) -> str:
    """``Lublin-1 (`lublin_256`)`` -> Lublin-1."""
    return text.split("(", maxsplit=1)[0].strip()


def _labels(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """The table's name of every log -> the beginning of its file's name."""
    found: dict[str, str] = {}
    for row in rows:
        quoted = row["trace"].split("`")
        found.setdefault(_label(row["trace"]), quoted[1] if len(quoted) > 1 else _label(row["trace"]))
    return found


def _slowdown(trace: Trace, start: int, jobs: int, order: str, backfill: str) -> float:
    """Average bounded slowdown of one window."""
    if not 0 <= start <= trace.frame.height - jobs or jobs < 1:
        raise InvalidInput("--start", start, f"0 to {trace.frame.height - jobs}, for windows of {jobs} jobs")
    processors = trace.processors or trace.nodes
    if not processors or processors % (trace.nodes or processors):
        raise InvalidInput("MaxProcs", processors, f"a multiple of MaxNodes in the header of {trace.name}")
    window = trace.frame.slice(start, jobs)
    pool = one_pool(processors)
    of_node = processors // (trace.nodes or processors)
    whole_nodes = (pl.col("chips_per_node") + (of_node - 1)) // of_node * of_node
    workload = to_workload(window.with_columns(chips_per_node=whole_nodes), [pool])
    if int(workload.chips_per_node.max()) > pool.chips:
        raise InvalidInput("--log", trace.name, f"jobs of at most {pool.chips} processors")
    asked_s, asked = window["walltime_s"].to_numpy(), window["chips_per_node"].to_numpy()
    policy = Policy(order="given", reservation_depth=BACKFILL[backfill], backfill="before", outlook=False)
    run = CountedRun([pool], workload, policy, given=_scores(order, workload.submitted_s, asked_s, asked))
    run.play_committed()
    wait_s = run.schedule().start_s - workload.submitted_s
    return float(np.maximum(1, (wait_s + workload.run_s) / np.maximum(workload.run_s, SHORTEST_RUN_S)).mean())


def _scores(order: str, submitted_s: Array, asked_s: Array, processors: Array) -> npt.NDArray[np.float64]:
    """Least first. As the paper's code has them, times from the start of the log."""
    submitted, asked, count = (column.astype(np.float64) for column in (submitted_s, asked_s, processors))
    wait = NOT_SCHEDULED_S - submitted
    if order == "FCFS":
        return submitted
    if order == "SJF":
        return asked
    if order == "WFP3":
        return np.asarray(-((wait / asked) ** 3) * count)
    if order == "UNI":
        return np.asarray(-(wait + SMALL) / (np.log2(count + SMALL) * asked))
    asked, submitted = np.where(asked > 0, asked, LEAST), np.where(submitted > 0, submitted, LEAST)
    return np.asarray(np.log10(asked) * count + 870 * np.log10(submitted))
