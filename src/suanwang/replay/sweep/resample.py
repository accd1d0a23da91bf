"""Logs that could have been: blocks of the recorded one, drawn with replacement.

A log is one sample. What it says of a policy is worth as much as it would say again, so each seed draws another log of
the same length from blocks of this one: the block bootstrap (Kuensch, The Jackknife and the Bootstrap for General
Stationary Observations, Annals of Statistics 17, 1989). Within a block everything stays as it was recorded, so blocks
of whole days keep the working day, and jobs of one campaign together.
"""

import numpy as np
import polars as pl

from suanwang.errors import InvalidInput


def resampled(frame: pl.DataFrame, seed: int, block_s: int) -> pl.DataFrame:
    """As many whole blocks as the log has, each drawn from all of them. The same seed draws the same.

    What remains after the last whole block stays where it is. Ids get the number of their new block behind them.
    Raises InvalidInput: fewer than two whole blocks.
    """
    first_s, blocks = blocks_of(frame, block_s)
    drawn = np.random.default_rng(seed).integers(0, blocks, blocks)
    places = pl.DataFrame({"from": np.append(drawn, blocks), "to": np.arange(blocks + 1)})
    found = frame.with_columns(((pl.col("submitted_s") - first_s) // block_s).alias("from"))
    moved = places.join(found, on="from", how="inner", maintain_order="left_right").with_columns(
        pl.col("submitted_s") + (pl.col("to") - pl.col("from")) * block_s,
        pl.concat_str(pl.col("job_id"), pl.lit("#"), pl.col("to")).alias("job_id"),
    )
    return moved.sort("submitted_s", maintain_order=True).select(frame.columns)


def blocks_of(frame: pl.DataFrame, block_s: int) -> tuple[int, int]:
    """The first submission, and how many whole blocks the log has. Raises InvalidInput: fewer than two."""
    first_s, last_s = frame.select(pl.col("submitted_s").min(), pl.col("submitted_s").max().alias("last")).row(0)
    blocks = (last_s - first_s + 1) // block_s
    if blocks < 2:
        raise InvalidInput("block", block_s, f"at most half of the {last_s - first_s + 1} s of the log")
    return first_s, blocks


def paced(frame: pl.DataFrame, pace: float) -> pl.DataFrame:
    """The same jobs, coming so many times as fast: times since the first submission are divided, rounded down."""
    since_s = pl.col("submitted_s") - pl.col("submitted_s").min()
    return frame.with_columns(pl.col("submitted_s").min() + (since_s / pace).floor().cast(pl.Int64))
