"""Strict first-come-first-served and EASY backfilling in plain Python, on processors that are only counted.

The rules of table C (docs/reference/reproduce.md), written apart from the core: a peer in speed, and a second opinion.
"""

from collections.abc import Sequence
from heapq import heappop, heappush

NEVER = 2**62


def easy(
    submitted_s: Sequence[int], run_s: Sequence[int], processors: Sequence[int], capacity: int, *, backfill: bool = True
) -> list[int]:
    """Start of every job. Jobs come in the order of submission, none asks for more than `capacity`."""
    count = len(submitted_s)
    start_s, waiting, running = [-1] * count, list[int](), list[tuple[int, int]]()
    free, arrived = capacity, 0
    while running or arrived < count:
        now_s = min(running[0][0] if running else NEVER, submitted_s[arrived] if arrived < count else NEVER)
        while running and running[0][0] == now_s:
            free += heappop(running)[1]
        while arrived < count and submitted_s[arrived] == now_s:
            waiting.append(arrived)
            arrived += 1
        started = 0
        for job in waiting:
            if processors[job] > free:
                break
            free = _start(job, now_s, start_s, run_s, processors, running, free)
            started += 1
        if started:
            del waiting[:started]
        if backfill and free and len(waiting) > 1:
            until_s, kept = _shadow(running, processors[waiting[0]] - free), waiting[:1]
            for job in waiting[1:]:
                if processors[job] <= free and now_s + run_s[job] <= until_s:
                    free = _start(job, now_s, start_s, run_s, processors, running, free)
                else:
                    kept.append(job)
            waiting = kept
    return start_s


def _start(
    job: int,
    now_s: int,
    start_s: list[int],
    run_s: Sequence[int],
    processors: Sequence[int],
    running: list[tuple[int, int]],
    free: int,
) -> int:
    start_s[job] = now_s
    heappush(running, (now_s + run_s[job], processors[job]))
    return free - processors[job]


def _shadow(running: Sequence[tuple[int, int]], lacking: int) -> int:
    """When so many more processors will be free."""
    for end_s, processors in sorted(running):
        lacking -= processors
        if lacking <= 0:
            return end_s
    raise ValueError(f"{lacking} processors more than there are")
