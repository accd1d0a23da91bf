"""The pass for pools whose chips are counted and not located, and whole recorded logs through it.

A pool of one node is such a pool: of a job it matters how many chips it takes, not which. Then the earliest start is
found in one sorted list of ends, and a waiting job is looked at in a few nanoseconds. Decisions are those of
`entries.plan` with a reservation depth of 0 or 1; the tests compare the two, and both with the oracle.

Queue and lists of ends are stretches that grow and shrink at both ends; what is moved is always the shorter side.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.kernel.addresses import by_address
from suanwang.domain.scheduling.kernel.codes import BACKFILL, OBJECTIVE
from suanwang.domain.scheduling.kernel.columns import NEVER, Array
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.units import SECONDS_PER_HOUR


class ClockColumns(NamedTuple):
    now_s: int = 0
    arrived: int = 1
    """Jobs that were submitted so far: the next one to come."""
    first: int = 2
    """Where the queue begins."""
    queued: int = 3
    running: int = 4
    told: int = 5
    """So many at the front of the queue could not start before, and nothing got better for them since."""
    unheld: int = 6
    """Pools at which fewer jobs hold a reservation than may."""
    most_free: int = 7
    """Free chips of the pool that has most."""
    ended: int = 8
    refused: int = 9


class CountedJob(NamedTuple):
    submitted_s: int = 0
    walltime_s: int = 1
    chips: int = 2
    kind: int = 3


class CountedPool(NamedTuple):
    chips: int = 0
    free: int = 1
    max_walltime_s: int = 2
    fen_per_chip_hour: int = 3
    first: int = 4
    """Where its list of expected ends begins, and how many there are."""
    ends: int = 5
    held: int = 6
    """Whether a job holds a reservation there; with depth 0, whether one waits there."""
    shadow_s: int = 7
    """The start of that reservation; with depth 0, the second before which nobody starts there."""
    extra: int = 8
    """Chips that are free at that time beside the reservation."""
    hold_chips: int = 9
    hold_end_s: int = 10


CLOCK, CJOB, CPOOL = ClockColumns(), CountedJob(), CountedPool()


@by_address
class Counted(NamedTuple):
    """All memory of one run."""

    clock: Array
    jobs: Array
    run_s: Array
    """[pool, job], or one row if it is the same everywhere."""
    scores: npt.NDArray[np.float64]
    """Less is first; ties by the order of the jobs."""
    pools: Array
    fits: npt.NDArray[np.bool_]
    """[kind, pool]"""
    end_s: Array
    """[pool, place]: expected ends of what runs, sorted; and how many chips come free."""
    end_chips: Array
    done_s: Array
    """A heap of the times at which running jobs really end, and their jobs."""
    done_job: Array
    queue: Array
    """Jobs that wait, in order; their chips and walltimes beside them."""
    start_s: Array
    pool: Array


# --- expected ends ---


@compiled
def _insert(c: Counted, pool: int, end_s: int, chips: int) -> None:
    first, count = c.pools[CPOOL.first, pool], c.pools[CPOOL.ends, pool]
    ends, amounts = c.end_s[pool], c.end_chips[pool]
    low, high = first, first + count
    while low < high:
        middle = (low + high) >> 1
        if ends[middle] <= end_s:
            low = middle + 1
        else:
            high = middle
    if first > 0 and (low - first < first + count - low or first + count == ends.shape[0]):
        for place in range(first - 1, low - 1):
            ends[place], amounts[place] = ends[place + 1], amounts[place + 1]
        low -= 1
        c.pools[CPOOL.first, pool] -= 1
    else:
        for place in range(first + count, low, -1):
            ends[place], amounts[place] = ends[place - 1], amounts[place - 1]
    ends[low], amounts[low] = end_s, chips
    c.pools[CPOOL.ends, pool] += 1


@compiled
def _remove(c: Counted, pool: int, end_s: int, chips: int) -> None:
    """One of the ends of that time and size: they are alike."""
    first, count = c.pools[CPOOL.first, pool], c.pools[CPOOL.ends, pool]
    ends, amounts = c.end_s[pool], c.end_chips[pool]
    low, high = first, first + count
    while low < high:
        middle = (low + high) >> 1
        if ends[middle] < end_s:
            low = middle + 1
        else:
            high = middle
    while amounts[low] != chips:
        low += 1
    if low - first < first + count - low:
        for place in range(low, first, -1):
            ends[place], amounts[place] = ends[place - 1], amounts[place - 1]
        c.pools[CPOOL.first, pool] += 1
    else:
        for place in range(low, first + count - 1):
            ends[place], amounts[place] = ends[place + 1], amounts[place + 1]
    c.pools[CPOOL.ends, pool] -= 1


# --- real ends ---


@compiled
def _push(c: Counted, at_s: int, job: int) -> None:
    place = c.clock[CLOCK.running]
    c.clock[CLOCK.running] += 1
    while place > 0 and c.done_s[(place - 1) >> 1] > at_s:
        above = (place - 1) >> 1
        c.done_s[place], c.done_job[place] = c.done_s[above], c.done_job[above]
        place = above
    c.done_s[place], c.done_job[place] = at_s, job


@compiled
def _pop(c: Counted) -> int:
    """The job that ends first."""
    c.clock[CLOCK.running] -= 1
    size = c.clock[CLOCK.running]
    job, place, last_s = c.done_job[0], 0, c.done_s[size]
    while True:
        below = 2 * place + 1
        if below >= size:
            break
        if below + 1 < size and c.done_s[below + 1] < c.done_s[below]:
            below += 1
        if c.done_s[below] >= last_s:
            break
        c.done_s[place], c.done_job[place] = c.done_s[below], c.done_job[below]
        place = below
    c.done_s[place], c.done_job[place] = last_s, c.done_job[size]
    return job


@compiled
def end_first(c: Counted) -> None:
    """The job that ends first gives its chips back."""
    job = _pop(c)
    pool, chips = c.pool[job], c.jobs[CJOB.chips, job]
    _remove(c, pool, c.start_s[job] + c.jobs[CJOB.walltime_s, job], chips)
    c.pools[CPOOL.free, pool] += chips
    c.clock[CLOCK.ended] += 1
    c.clock[CLOCK.told] = 0


@compiled
def start(c: Counted, job: int, pool: int, now_s: int) -> None:
    chips, walltime_s = c.jobs[CJOB.chips, job], c.jobs[CJOB.walltime_s, job]
    c.start_s[job], c.pool[job] = now_s, pool
    c.pools[CPOOL.free, pool] -= chips
    if c.pools[CPOOL.held, pool] and now_s + walltime_s > c.pools[CPOOL.shadow_s, pool]:
        c.pools[CPOOL.extra, pool] -= chips
    _insert(c, pool, now_s + walltime_s, chips)
    _push(c, now_s + c.run_s[min(pool, c.run_s.shape[0] - 1), job], job)


# --- the queue ---


@compiled
def enqueue(c: Counted, job: int) -> None:
    """In order of the scores; who has the same came first."""
    first, queued, score = c.clock[CLOCK.first], c.clock[CLOCK.queued], c.scores[job]
    low, high = first, first + queued
    if queued and c.scores[c.queue[0, high - 1]] <= score:
        low = high
    while low < high:
        middle = (low + high) >> 1
        if c.scores[c.queue[0, middle]] <= score:
            low = middle + 1
        else:
            high = middle
    if low < first + queued:
        c.clock[CLOCK.told] = 0
    if first + queued == c.queue.shape[1]:  # half of the room is free: move to the front
        for row in range(3):
            for place in range(queued):
                c.queue[row, place] = c.queue[row, first + place]
        low -= first
        first = c.clock[CLOCK.first] = 0
    for row in range(3):
        for place in range(first + queued, low, -1):
            c.queue[row, place] = c.queue[row, place - 1]
    c.queue[0, low], c.queue[1, low], c.queue[2, low] = (
        job,
        c.jobs[CJOB.chips, job],
        c.jobs[CJOB.walltime_s, job],
    )
    c.clock[CLOCK.queued] += 1


@compiled
def arrive(c: Counted) -> None:
    """The next job is submitted. One that no pool can ever have is refused."""
    job = c.clock[CLOCK.arrived]
    c.clock[CLOCK.arrived] += 1
    for pool in range(c.pools.shape[1]):
        if _can_have(c, pool, c.jobs[CJOB.kind, job], c.jobs[CJOB.chips, job], c.jobs[CJOB.walltime_s, job]):
            enqueue(c, job)
            return
    c.clock[CLOCK.refused] += 1


# --- the pass ---


@compiled
def _can_have(c: Counted, pool: int, kind: int, chips: int, walltime_s: int) -> bool:
    """Ever."""
    return (
        chips <= c.pools[CPOOL.chips, pool] and walltime_s <= c.pools[CPOOL.max_walltime_s, pool] and c.fits[kind, pool]
    )


@compiled
def _starts_now(c: Counted, pool: int, chips: int, walltime_s: int, now_s: int, depth: int, backfill: int) -> bool:
    """Whether it may start there at once."""
    if chips > c.pools[CPOOL.free, pool]:
        return False
    if not c.pools[CPOOL.held, pool]:
        return True
    if depth == 0:
        return False
    end_s, shadow_s = now_s + walltime_s, c.pools[CPOOL.shadow_s, pool]
    if backfill == BACKFILL.beside:
        return end_s <= shadow_s or chips <= c.pools[CPOOL.extra, pool]
    return end_s < shadow_s or (backfill == BACKFILL.until and end_s == shadow_s)


@compiled
def earliest(c: Counted, pool: int, chips: int, walltime_s: int, now_s: int, from_s: int) -> int:
    """The first second after now, and not before `from_s`, from which on the chips are free for the walltime.

    What is overdue ends at now + 1. Beside one reservation there is: to begin before it and fit beside it, or to begin
    in it and fit beside it, or to begin when it ends.
    """
    free, place = c.pools[CPOOL.free, pool], c.pools[CPOOL.first, pool]
    last, at_s = place + c.pools[CPOOL.ends, pool], max(now_s + 1, from_s)
    held = c.pools[CPOOL.held, pool] and from_s <= now_s
    shadow_s, hold_end_s = c.pools[CPOOL.shadow_s, pool], c.pools[CPOOL.hold_end_s, pool]
    while True:
        while place < last and max(c.end_s[pool, place], now_s + 1) <= at_s:
            free += c.end_chips[pool, place]
            place += 1
        enough = free >= chips
        if enough and held and at_s < hold_end_s and at_s + walltime_s > shadow_s:
            enough = (
                c.pools[CPOOL.extra, pool] >= chips
                if at_s <= shadow_s
                else (free - c.pools[CPOOL.hold_chips, pool] >= chips)
            )
        if enough:
            return at_s
        next_s = max(c.end_s[pool, place], now_s + 1) if place < last else NEVER
        if held and at_s < hold_end_s:
            next_s = min(next_s, hold_end_s)
        if next_s == NEVER:
            return NEVER
        at_s = next_s


@compiled
def _hold(c: Counted, pool: int, chips: int, walltime_s: int, start_s: int, now_s: int) -> None:
    free, place = c.pools[CPOOL.free, pool], c.pools[CPOOL.first, pool]
    last = place + c.pools[CPOOL.ends, pool]
    while place < last and max(c.end_s[pool, place], now_s + 1) <= start_s:
        free += c.end_chips[pool, place]
        place += 1
    c.pools[CPOOL.held, pool], c.pools[CPOOL.shadow_s, pool] = 1, start_s
    c.pools[CPOOL.extra, pool] = free - chips
    c.pools[CPOOL.hold_chips, pool], c.pools[CPOOL.hold_end_s, pool] = chips, start_s + walltime_s
    c.clock[CLOCK.unheld] -= 1


@compiled
def _note_most_free(c: Counted) -> None:
    most = 0
    for pool in range(c.pools.shape[1]):
        most = max(most, c.pools[CPOOL.free, pool])
    c.clock[CLOCK.most_free] = most


@compiled
def _price(c: Counted, pool: int, chips: int, walltime_s: int) -> int:
    return c.pools[CPOOL.fen_per_chip_hour, pool] * chips * walltime_s // SECONDS_PER_HOUR


@compiled
def _choose(c: Counted, job: int, now_s: int, depth: int, may_hold: bool, backfill: int, objective: int) -> int:
    """The pool at which it starts now, or -1; then it may have got a reservation."""
    kind, chips, walltime_s = c.jobs[CJOB.kind, job], c.jobs[CJOB.chips, job], c.jobs[CJOB.walltime_s, job]
    pools = c.pools.shape[1]
    if pools == 1:
        if _starts_now(c, 0, chips, walltime_s, now_s, depth, backfill):
            return 0
        if may_hold and not c.pools[CPOOL.held, 0]:
            if depth == 0:
                c.pools[CPOOL.held, 0] = 1
                c.clock[CLOCK.unheld] = 0
            else:
                _hold(c, 0, chips, walltime_s, earliest(c, 0, chips, walltime_s, now_s, now_s), now_s)
        return -1
    least, cheapest = NEVER, objective == OBJECTIVE.cheapest
    if cheapest:
        for pool in range(pools):
            if _can_have(c, pool, kind, chips, walltime_s):
                least = min(least, _price(c, pool, chips, walltime_s))
    best, best_price, open_pools = -1, NEVER, False
    for pool in range(pools):
        if not _can_have(c, pool, kind, chips, walltime_s):
            continue
        price = _price(c, pool, chips, walltime_s)
        if cheapest and price > least:
            continue
        open_pools = open_pools or not c.pools[CPOOL.held, pool]
        if price < best_price and _starts_now(c, pool, chips, walltime_s, now_s, depth, backfill):
            best, best_price = pool, price
    if best >= 0 or not open_pools or not may_hold:
        return best
    best_s = NEVER
    for pool in range(pools):
        if not _can_have(c, pool, kind, chips, walltime_s):
            continue
        price = _price(c, pool, chips, walltime_s)
        if cheapest and price > least:
            continue
        from_s = c.pools[CPOOL.shadow_s, pool] if depth == 0 and c.pools[CPOOL.held, pool] else now_s
        start_s = earliest(c, pool, chips, walltime_s, now_s, from_s)
        if start_s < best_s or (start_s == best_s and price < best_price):
            best, best_s, best_price = pool, start_s, price
    if not c.pools[CPOOL.held, best]:
        _hold(c, best, chips, walltime_s, best_s, now_s)
    elif depth == 0:
        c.pools[CPOOL.shadow_s, best] = best_s
    return -1


@compiled
def _overdue(c: Counted, now_s: int) -> bool:
    for pool in range(c.pools.shape[1]):
        if c.pools[CPOOL.ends, pool] and c.end_s[pool, c.pools[CPOOL.first, pool]] <= now_s:
            return True
    return False


@compiled
def plan(c: Counted, now_s: int, depth: int, ahead: int, backfill: int, objective: int) -> None:
    """One pass over the queue.

    Where only arrivals at the end of the queue are new, only they are looked at: what did not start before cannot start
    now, and reservations stand where they stood, unless something is overdue.
    """
    first, queued, place = c.clock[CLOCK.first], c.clock[CLOCK.queued], c.clock[CLOCK.told]
    if queued == 0:
        return
    if place > 0 and _overdue(c, now_s):
        place = 0
    if place == 0:
        c.pools[CPOOL.held] = 0
        c.clock[CLOCK.unheld] = c.pools.shape[1]
    _note_most_free(c)
    kept = place
    while place < queued:
        at = first + place
        may_hold = depth == 0 or kept < ahead
        if c.clock[CLOCK.unheld] == 0 or not may_hold:
            if depth == 0 or c.clock[CLOCK.most_free] == 0:
                break
            if c.queue[1, at] > c.clock[CLOCK.most_free]:
                if kept != place:
                    for row in range(3):
                        c.queue[row, first + kept] = c.queue[row, at]
                kept += 1
                place += 1
                continue
        pool = _choose(c, c.queue[0, at], now_s, depth, may_hold, backfill, objective)
        if pool >= 0:
            start(c, c.queue[0, at], pool, now_s)
            _note_most_free(c)
            if kept == 0:  # the front of the queue
                first += 1
                c.clock[CLOCK.first] += 1
                queued -= 1
                continue
        else:
            if kept != place:
                for row in range(3):
                    c.queue[row, first + kept] = c.queue[row, at]
            kept += 1
        place += 1
    if kept != place:
        for row in range(3):
            for rest in range(queued - place):
                c.queue[row, first + kept + rest] = c.queue[row, first + place + rest]
    c.clock[CLOCK.queued] = c.clock[CLOCK.told] = kept + queued - place


@compiled
def sort_by_score(c: Counted) -> None:
    """After scores changed: nearly sorted already, since time changes them slowly."""
    first, queued = c.clock[CLOCK.first], c.clock[CLOCK.queued]
    for place in range(first + 1, first + queued):
        job, chips, walltime_s, hole = c.queue[0, place], c.queue[1, place], c.queue[2, place], place
        score = c.scores[job]
        while hole > first and (
            c.scores[c.queue[0, hole - 1]] > score
            or (c.scores[c.queue[0, hole - 1]] == score and c.queue[0, hole - 1] > job)
        ):
            for row in range(3):
                c.queue[row, hole] = c.queue[row, hole - 1]
            hole -= 1
        c.queue[0, hole], c.queue[1, hole], c.queue[2, hole] = job, chips, walltime_s
