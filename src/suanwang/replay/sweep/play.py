"""One run of a sweep: what a worker does. A worker has the study once and plays many runs of it."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from suanwang import __version__
from suanwang.errors import InvalidInput, SuanwangError
from suanwang.replay.compare import run_on
from suanwang.replay.measures import attempts, outcome, summary
from suanwang.replay.network import Network, network_of
from suanwang.replay.study import Study
from suanwang.replay.sweep.plan import Run
from suanwang.replay.sweep.resample import paced, resampled

Line = dict[str, Any]
"""What came out of a run: what tells it from the others, and `summary` or `error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all runs of a sweep have in common."""

    study: Study
    block_s: int
    load: float | None = None
    chips: int | None = None
    version: str = __version__
    """Workers of another version would compute other numbers."""


def play(ground: Ground, run: Run) -> Line:
    """Never raises for what is wrong with a run: the others go on."""
    try:
        if ground.version != __version__:
            raise InvalidInput("suanwang", __version__, f"{ground.version} on every node, as where the sweep started")
        return {**run.shown(), "summary": played(ground, run)}
    except SuanwangError as error:
        return {**run.shown(), "error": {"code": error.code, "message": error.message}}
    except Exception as error:  # a bug in one corner of the grid must not lose the rest of it
        return failed(run, f"{type(error).__name__}: {error}")


def failed(run: Run, message: str) -> Line:
    return {**run.shown(), "error": {"code": "RUN_FAILED", "message": message}}


def played(ground: Ground, run: Run) -> dict[str, Any]:
    """The summary of `measures`. Centres keep the size that they have for the recorded log. Raises InvalidInput."""
    values = dict(run.values)
    network = _network(ground, values)
    frame = ground.study.frame
    if run.seed is not None:
        frame = resampled(frame, run.seed, ground.block_s)
    if "pace" in values:
        frame = paced(frame, float(values["pace"]))
    if values.get("exact"):
        frame = frame.with_columns(walltime_s=pl.col("run_s"))
    made = run_on(network, frame, run.policy, ground.study.epoch_s)
    return summary(outcome(made, attempts(made, network)), made)


def _network(ground: Ground, values: dict[str, Any]) -> Network:
    if not {"load", "chips"} & values.keys():
        return ground.study.network
    chips = values.get("chips", None if "load" in values else ground.chips)
    return network_of(ground.study.traces, ground.study.frame, chips=chips, load=values.get("load", ground.load))
