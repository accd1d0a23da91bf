"""What a sweep is, by its content: the same logs, network and grid have the same sum, wherever the files lie."""

from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from json import dumps
from pathlib import Path
from typing import Any

import polars as pl

import suanwang
from suanwang.replay.energy import Rate, Series
from suanwang.replay.network import Network
from suanwang.replay.sweep.plan import Grid
from suanwang.replay.sweep.play import Ground

DECIDING = ("domain/scheduling", "replay")
"""Folders of the package on which the numbers of a sweep depend."""


def described(ground: Ground, grid: Grid) -> dict[str, Any]:
    """Whatever changes the numbers, under names that tell people what differs."""
    study = ground.study
    return {
        "version": ground.version,
        "source": source(),
        "jobs": _sum(_as_text(study.frame)),
        "begins": study.epoch_s,
        "sizes": {one.name: [one.processors, one.node_chips, ground.load, ground.chips] for one in study.traces},
        "network": _sum(_network(study.network)),
        "block_s": ground.block_s,
        **grid.described(),
    }


def source() -> str:
    """Of the code that decides and measures: who changes it makes another sweep."""
    package = Path(suanwang.__file__).parent
    parts = [path for folder in DECIDING for path in sorted((package / folder).rglob("*.py"))]
    return _sum(b"".join(sha256(path.read_bytes()).digest() for path in parts))


def sum_of(description: dict[str, Any]) -> str:
    return _sum(dumps(description, sort_keys=True).encode())


def _sum(content: bytes) -> str:
    return sha256(content).hexdigest()


def _as_text(frame: pl.DataFrame) -> bytes:
    text = BytesIO()
    flat = [pl.col(name).list.join("|") for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    frame.with_columns(flat).write_csv(text)
    return text.getvalue()


def _network(network: Network) -> bytes:
    tariffs = {
        name: [tariff.begins_s, _rate(tariff.fen_per_kwh), _rate(tariff.g_per_kwh)]
        for name, tariff in network.tariffs.items()
    }
    parts = {
        "pools": [asdict(pool) for pool in network.pools],
        "watts": dict(network.watts_per_chip),
        "links": sorted((*ends, *link) for ends, link in network.transfer.items()),
        "tariffs": tariffs,
    }
    return dumps(parts, sort_keys=True).encode()


def _rate(rate: Rate | None) -> float | str | None:
    return _sum(rate.times_s.tobytes() + rate.integral.tobytes()) if isinstance(rate, Series) else rate
