"""From files to a workload on a network: what `suanwang replay` reads before it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from suanwang.domain.scheduling.policy import Policy
from suanwang.errors import InvalidInput
from suanwang.replay.jobs import Align, merged, within
from suanwang.replay.network import Network, network_of
from suanwang.replay.networkfile import read_network_file
from suanwang.replay.traces import read_trace
from suanwang.replay.traces.trace import Trace
from suanwang.units import duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Jobs and the network that they are replayed on."""

    traces: tuple[Trace, ...]
    frame: pl.DataFrame
    network: Network
    epoch_s: int


def read_study(
    paths: Sequence[Path],
    *,
    format: str | None = None,
    align: Align = "start",
    network: Path | None = None,
    chips: int | None = None,
    load: float | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    exact: bool = False,
    **options: Any,
) -> Study:
    """Logs of one network. `options` are those of the readers.

    `exact`: jobs ask for the time that they will take, as many published studies assume. Raises InvalidInput.
    """
    traces = tuple(read_trace(path, format, **options) for path in paths)
    names = [trace.name for trace in traces]
    if len(set(names)) != len(names):
        raise InvalidInput("trace", " ".join(names), "files with different names: each is a centre")
    frame, epoch_s = merged(traces, align)
    chosen = within(frame, _second("since", since, epoch_s), _second("until", until, epoch_s), limit)
    if not len(chosen):
        raise InvalidInput("since, until, limit", f"none of {len(frame)} jobs", "a stretch with at least one job")
    if exact:
        chosen = chosen.with_columns(walltime_s=pl.col("run_s"))
    made = read_network_file(network) if network else network_of(traces, chosen, chips=chips, load=load)
    return Study(traces=traces, frame=chosen, network=made, epoch_s=epoch_s)


def check_policy(study: Study, policy: Policy) -> tuple[str, ...]:
    """Tenants and groups of a policy that no job of the study names, nor any below them.

    Raises InvalidInput: a quota is of chips that no pool of the network has.
    """
    tree = policy.tenants
    if tree is None:
        return ()
    there = sorted({(pool.centre_id, pool.chip_id) for pool in study.network.pools})
    for centre_id, chip_id in tree.resources():
        if (centre_id, chip_id) not in there:
            known = ", ".join(f"{chip} of {centre}" for centre, chip in there)
            raise InvalidInput("tenants.quotas", f"{chip_id} of {centre_id}", f"chips that a pool has: {known}")
    parents = {branch.parent for branch in tree.branches}
    named = set(study.frame["tenant"].unique().to_list())
    return tuple(branch.id for branch in tree.branches if branch.id not in parents and branch.id not in named)


def _second(name: str, text: str | None, epoch_s: int) -> int | None:
    """`30d` after second 0, or a date, which needs a log that tells its epoch."""
    if text is None:
        return None
    if text == "0":
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return duration_s(text, name)
    if text.isdigit():
        return duration_s(text, name)
    if not epoch_s:
        raise InvalidInput(name, text, "a time since the start of the log, like 30d: it does not tell when it began")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) - epoch_s
