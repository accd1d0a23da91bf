"""What tests of replay share: real logs where they are, small logs written by hand."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.replay.network import NO_LIMIT_S
from suanwang.replay.traces.trace import in_form

Write = Callable[..., Path]


def log(name: str) -> Path:
    """A real log, read where it lies: in `shared/traces` beside the checkout or above; its README has the terms."""
    for folder in Path(__file__).parents:
        if (folder / "shared" / "traces" / name).exists():
            return folder / "shared" / "traces" / name
    pytest.skip(f"the log {name} is not beside this checkout")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a text file, packed if its name says so."""

    def at(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return at


def pool(
    pool_id: str, *sizes: int, centre: str = "", chip: str = "any", fen: int = 0, limit_s: int = NO_LIMIT_S
) -> Pool:
    """A pool with nodes of so many chips, and as many CPUs."""
    nodes = tuple(Node(f"n{number}", chips, chips) for number, chips in enumerate(sizes))
    return Pool(pool_id, centre or pool_id, chip, nodes, Offer(fen, limit_s))


def jobs(*rows: tuple[int, int, int], **columns: Any) -> pl.DataFrame:
    """(submitted, run, chips) of every job, on one node each; walltime = run."""
    frame = pl.DataFrame(rows, schema=["submitted_s", "run_s", "chips_per_node"], orient="row")
    named = frame.with_columns(**{name: pl.Series(column) for name, column in columns.items()})
    known = {"job_id": pl.concat_str(pl.lit("j"), pl.int_range(pl.len())), "walltime_s": pl.col("run_s")}
    known |= {} if "tenant" in columns else {"tenant": pl.lit("t")}
    known |= {} if "home" in columns else {"home": pl.lit("here")}
    return in_form(named, **{name: value for name, value in known.items() if name not in columns})
