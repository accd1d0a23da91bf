"""What every pool could do for the jobs of a pass, written down as numbers and put into words when somebody reads it: a
pass says it of thousands of jobs at once, and a replay or a quiet hub reads few of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.decisions import PoolOutlook
from suanwang.domain.scheduling.events import Ask
from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.kernel.columns import JOB, OUTLOOK, Array
from suanwang.domain.scheduling.reasons import Facts, Shapes, pool_outlook
from suanwang.domain.scheduling.state import State


@dataclass(frozen=True, slots=True)
class Survey:
    """The pools as they are now, in the order of their ids."""

    pools: tuple[Pool, ...]
    shapes: tuple[Shapes, ...]
    answers: Array
    """[OUTLOOK, job, pool]"""
    prices_fen: Array
    """[variant of a job, pool]; the variants of a job lie together."""
    first_row: Array
    """Of every job its first row of `prices_fen`, and the end behind the last."""
    quotas: Mapping[tuple[int, int], Facts]
    """(job, pool) -> what there is of a quota that is too little."""

    @property
    def fitting(self) -> list[int]:
        """Of every job, how many pools can have it."""
        counts: list[int] = (self.answers[OUTLOOK.code] == CODE.fits).sum(axis=1).tolist()
        return counts


def survey(state: State, slots: Array, answers: Array) -> Survey:
    """Keep what is needed to tell later what the pools can do now. `answers`: [OUTLOOK, job * pool] of these jobs, from
    the kernel."""
    t, order = state.tables, np.array(state.pool_order, np.int64)
    rows = t.jobs[JOB.rows, slots]
    first_row = np.concatenate(([0], np.cumsum(rows)))
    # The variants of each job, one after the other.
    of_state = np.repeat(t.jobs[JOB.row, slots] - first_row[:-1], rows) + np.arange(first_row[-1])
    seen = answers.reshape(len(OUTLOOK), len(slots), len(order)).copy()
    return Survey(
        pools=tuple(state.pools[number] for number in state.pool_order),
        shapes=tuple(state.shapes[number] for number in state.pool_order),
        answers=seen,
        prices_fen=t.prices[np.ix_(of_state, order)],
        first_row=first_row,
        quotas={
            (at, place): state.quota_facts(ask_of(state, slots[at]), state.pools[order[place]])
            for at, place in np.argwhere(seen[OUTLOOK.code] == CODE.over_quota).tolist()
        },
    )


def ask_of(state: State, slot: int) -> Ask:
    job = state.job_at[slot]
    assert job is not None, "a survey for a job that is not there"  # noqa: S101 - a bug, not an input
    return job.ask


class Outlook(Sequence[PoolOutlook]):
    """One job's part of a survey."""

    def __init__(self, seen: Survey, at: int, ask: Ask) -> None:
        self._seen, self._at, self._ask = seen, at, ask

    @cached_property
    def _told(self) -> tuple[PoolOutlook, ...]:
        seen = self._seen
        first, end = seen.first_row[self._at : self._at + 2]
        columns = (seen.pools, seen.shapes, seen.answers[:, self._at].T.tolist(), seen.prices_fen[first:end].T.tolist())
        return tuple(
            pool_outlook(pool, shapes, self._ask, variant, code, start_s, fen, seen.quotas.get((self._at, place)))
            for place, (pool, shapes, (variant, code, start_s), fen) in enumerate(zip(*columns, strict=True))
        )

    @overload
    def __getitem__(self, index: int) -> PoolOutlook: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PoolOutlook]: ...
    def __getitem__(self, index: int | slice) -> PoolOutlook | Sequence[PoolOutlook]:
        return self._told[index]

    def __len__(self) -> int:
        return len(self._seen.pools)

    def __iter__(self) -> Iterator[PoolOutlook]:
        return iter(self._told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._told == tuple(other)

    def __hash__(self) -> int:
        return hash(self._told)

    def __repr__(self) -> str:
        return repr(self._told)
