"""Which rows of a Gantt chart a job is drawn on: as many as it has chips, the lowest that are free.

A schedule tells the pool of a job and how many chips it had there, not which: the rows are a drawing, not a record.
"""

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Rows from the first up to, not including, the second."""


def lanes(jobs: Iterable[tuple[int, int, int]], rows: int) -> Iterator[list[Span]]:
    """For every (start, end, chips), by start, where it is drawn. More rows than there are only where chips are shared.

    The lowest gap that takes it whole; where there is none, the lowest gaps that take it in pieces.
    """
    free: list[Span] = [(0, rows)]
    ends: list[tuple[int, int, list[Span]]] = []
    for number, (start_s, end_s, chips) in enumerate(jobs):
        while ends and ends[0][0] <= start_s:
            for span in heapq.heappop(ends)[2]:
                _give_back(free, span)
        taken = list(_take(free, chips))
        missing = chips - sum(high - low for low, high in taken)
        if missing:
            taken.append((rows, rows + missing))
            rows += missing
        heapq.heappush(ends, (end_s, number, taken))
        yield taken


def _take(free: list[Span], chips: int) -> Iterator[Span]:
    whole = next((at for at, (low, high) in enumerate(free) if high - low >= chips), 0)
    while chips and free:
        low, high = free.pop(whole)
        taken = min(chips, high - low)
        if low + taken < high:
            free.insert(whole, (low + taken, high))
        chips -= taken
        yield low, low + taken


def _give_back(free: list[Span], span: Span) -> None:
    """Gaps that touch become one."""
    insort(free, span)
    at = free.index(span)
    if at + 1 < len(free) and free[at][1] == free[at + 1][0]:
        free[at : at + 2] = [(free[at][0], free[at + 1][1])]
    if at and free[at - 1][1] == free[at][0]:
        free[at - 1 : at + 1] = [(free[at - 1][0], free[at][1])]
