"""The one form that every reader makes of its log: a row per job, in columns.

`COLUMNS` is also the Parquet form; docs/reference/trace.md says what each column means. Further columns that are
understood: those of `FURTHER`, and `run_s_on_<chip>`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from suanwang.errors import InvalidInput

COLUMNS = {
    "job_id": pl.String(),
    "tenant": pl.String(),
    "submitted_s": pl.Int64(),
    "run_s": pl.Int64(),
    "walltime_s": pl.Int64(),
    "num_nodes": pl.Int64(),
    "chips_per_node": pl.Int64(),
    "chip_milli": pl.Int64(),
    "cpus_per_node": pl.Int64(),
    "memory_mib": pl.Int64(),
    "chips": pl.List(pl.String()),
    "priority": pl.Int64(),
    "home": pl.String(),
}
INPUT = "input_mib"
PREEMPTIBLE, CHECKPOINT, DEADLINE = "preemptible", "checkpoint_every_s", "deadline_s"
FURTHER = (INPUT, PREEMPTIBLE, CHECKPOINT, DEADLINE)
RUN_ON = "run_s_on_"
"""Begins the name of a column with run times on the chip that the name ends with; null: as `run_s`."""
WHOLE_CHIP = 1_000
CPU = "cpu"
"""The chip of a job that asks for CPUs alone: a chip is one core."""
EPOCH_KEY = "suanwang.epoch_s"
DONOR = "Acknowledge:"
"""Begins the comment of a log that names who is to be thanked for it."""
MOST = 2**53
"""Of any number in a log; what is larger would not be exact everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A log that was read."""

    name: str
    """Of the file, without its endings: the centre of jobs that name none."""
    format: str
    frame: pl.DataFrame
    """`COLUMNS`, and after them those of `FURTHER` and `run_s_on_<chip>` if there are any."""
    node_chips: int = 0
    """How many chips the nodes have that the jobs were laid out on; 0: on one node, however large."""
    epoch_s: int = 0
    """Unix time of second 0, or 0 if the log does not tell it."""
    processors: int | None = None
    """What the log says of the machine."""
    nodes: int | None = None
    rows: int = 0
    """Of the log, good and bad."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that the rule of the reader does not count: reason -> how many."""
    bad_rows: int = 0
    """Rows that could not be read and were passed over, as was asked for."""
    ignored: tuple[str, ...] = ()
    """Columns that mean nothing here."""
    header: tuple[str, ...] = ()
    """Comments at the head of the log, which name donors and terms."""

    @property
    def donors(self) -> tuple[str, ...]:
        """Comments that name who is to be thanked for the log."""
        return tuple(line for line in self.header if line.startswith(DONOR))


def in_form(frame: pl.DataFrame, **known: pl.Expr | int | str | None) -> pl.DataFrame:
    """The columns of the form in their order and types. `known` fills in what the frame does not have."""
    defaults: dict[str, pl.Expr | int | str | None] = {
        "chip_milli": WHOLE_CHIP,
        "cpus_per_node": 0,
        "memory_mib": 0,
        "chips": None,
        "priority": 0,
        "home": None,
        "num_nodes": 1,
    }
    filled = {name: value for name, value in (defaults | known).items() if name in known or name not in frame.columns}
    made = frame.with_columns(
        **{name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in filled.items()}
    )
    further = [name for name in made.columns if name in FURTHER or name.startswith(RUN_ON)]
    return made.select(
        *(pl.col(name).cast(kind) for name, kind in COLUMNS.items()), *(pl.col(name).cast(pl.Int64) for name in further)
    )


def on_nodes(chips: pl.Expr, chips_per_node: int) -> dict[str, pl.Expr]:
    """A count of chips laid out on nodes: `num_nodes` and `chips_per_node`.

    `chips_per_node` 0: on one node, however large: only the number counts, not where they lie. Otherwise on as few
    nodes of that size as hold them, evenly; what does not divide evenly takes whole nodes.
    """
    if chips_per_node == 0:
        return {"num_nodes": pl.lit(1), "chips_per_node": chips}
    nodes = (chips + (chips_per_node - 1)) // chips_per_node
    each = pl.when(chips % nodes == 0).then(chips // nodes).otherwise(chips_per_node)
    return {"num_nodes": nodes, "chips_per_node": each}


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Raises InvalidInput."""
    if value not in choices:
        raise InvalidInput(name, value, f"one of {', '.join(choices)}")
    return value
