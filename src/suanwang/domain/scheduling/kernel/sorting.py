"""Sorted stretches of an array, and only that: the library's own sort takes seconds to compile."""

from suanwang.domain.scheduling.kernel.columns import Array
from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def sort(values: Array, first: int, end: int) -> None:
    """Sort values[first:end] in place (Shell's sort)."""
    gap = (end - first) // 2
    while gap > 0:
        for at in range(first + gap, end):
            value, hole = values[at], at
            while hole - gap >= first and values[hole - gap] > value:
                values[hole] = values[hole - gap]
                hole -= gap
            values[hole] = value
        gap = 1 if gap == 2 else gap * 5 // 11


@compiled
def rank(times: Array, first: int, end: int, at_s: int) -> int:
    """How many of times[first:end] are not later than `at_s`."""
    low, high = first, end
    while low < high:
        middle = (low + high) >> 1
        if times[middle] <= at_s:
            low = middle + 1
        else:
            high = middle
    return low - first


@compiled
def resort(times: Array, first: int, end: int, old: int, new: int) -> None:
    """One value of a sorted stretch becomes another: what lies between them moves by one place."""
    at = first + rank(times, first, end, old) - 1
    to = first + rank(times, first, end, new)
    if to > at:
        for place in range(at, to - 1):
            times[place] = times[place + 1]
        times[to - 1] = new
    else:
        for place in range(at, to, -1):
            times[place] = times[place - 1]
        times[to] = new
