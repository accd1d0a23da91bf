"""What was run, so that another can run it again: programs, logs with their sums, network, policy, choices."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import file_digest
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import Any

from suanwang import __version__
from suanwang.i18n import _
from suanwang.replay.run import Run
from suanwang.replay.study import Study
from suanwang.replay.traces.trace import DONOR, Trace
from suanwang.units import iso_utc

Facts = Sequence[tuple[str, str]]
PACKAGES = ("numba", "numpy", "polars")
NOT_OF_REPLAY = ("outlook", "quote_ahead")
"""Fields of a policy that a replay does not ask for."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def facts(
    study: Study, run: Run, policy_name: str, sums: Mapping[str, str], choices: Mapping[str, object]
) -> list[tuple[str, str]]:
    """`sums`: file -> its SHA-256. `choices`: what else was asked for."""
    policy = {name: value for name, value in asdict(run.policy).items() if name not in NOT_OF_REPLAY}
    pools, centres = len(run.pools), len({pool.centre_id for pool in run.pools})
    size = _("{name}; centres: {centres}, pools: {pools}, chips: {chips}")
    chips = sum(pool.chips for pool in run.pools)
    return [
        (_("network"), size.format(name=run.name, centres=centres, pools=pools, chips=f"{chips:,}")),
        (_("policy"), f"{policy_name}: {dumps(policy, ensure_ascii=False)}"),
        *((_("trace"), _trace(trace)) for trace in study.traces),
        *((_("thanks to"), line.removeprefix(DONOR).strip()) for trace in study.traces for line in trace.donors),
        (_("chosen"), _listed({name: value for name, value in choices.items() if value not in (None, False)}) or "-"),
        (_("seed"), _("none: a replay draws no lots, the same input gives the same page")),
        (_("second 0"), iso_utc(run.epoch_s) if run.epoch_s else _("the logs do not tell")),
        (_("programs"), ", ".join([f"suanwang {__version__}", f"Python {platform.python_version()}", *_packages()])),
        *((_("SHA-256 of {file}").format(file=name), digest) for name, digest in sums.items()),
    ]


def _trace(trace: Trace) -> str:
    said = _("{name} ({format}): {jobs} jobs of {rows} rows")
    found = said.format(name=trace.name, format=trace.format, jobs=f"{len(trace.frame):,}", rows=f"{trace.rows:,}")
    left_out = {rule: count for rule, count in trace.left_out.items() if count}
    return f"{found}; {_('left out')}: {_listed(left_out)}" if left_out else found


def _packages() -> list[str]:
    return [f"{name} {version(name)}" for name in PACKAGES]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
