"""What pools can do for a job."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.columns import (
    BACKFILL,
    CODE,
    JOB,
    MAX_SHARED_CHIPS,
    MEMO,
    MEMO_SIZE,
    NEVER,
    NODE,
    OBJECTIVE,
    OUTLOOK,
    PLACEMENT,
    POOL,
    ROW,
    SHAPE,
    SIZE,
    Array,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, next_release
from suanwang.domain.scheduling.kernel.nodes import want_of
from suanwang.domain.scheduling.kernel.placing import best_score
from suanwang.domain.scheduling.kernel.profile import count_free, free_from, profile
from suanwang.domain.scheduling.kernel.sorting import rank
from suanwang.units import MILLI_PER_CHIP, SECONDS_PER_HOUR


@compiled
def price_fen(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    """`rating.estimate_fen` in 64 bits: what would not fit is NEVER, dearer than any budget."""
    if float(fen_per_chip_hour) * chips * seconds >= NEVER:
        return NEVER
    return fen_per_chip_hour * chips * seconds // SECONDS_PER_HOUR


@compiled
def share_price_fen(fen_per_chip_hour: int, milli: int, seconds: int) -> int:
    """The same for thousandths of chips, rounded down once."""
    if milli % MILLI_PER_CHIP == 0:
        return price_fen(fen_per_chip_hour, milli // MILLI_PER_CHIP, seconds)
    if float(fen_per_chip_hour) * milli * seconds >= NEVER:
        return NEVER
    return fen_per_chip_hour * milli * seconds // (SECONDS_PER_HOUR * MILLI_PER_CHIP)


@compiled
def _large_enough(t: Tables, shape: int, want: Want) -> bool:
    """But for its memory."""
    chips = t.shapes[SHAPE.chips, shape]
    return (
        chips >= want.chips
        and (want.milli == 0 or 1 <= chips <= MAX_SHARED_CHIPS)
        and (want.cpus == 0 or t.shapes[SHAPE.cpus, shape] >= want.cpus)
    )


@compiled
def match(t: Tables, job: int, pool: int) -> None:
    """Price and lasting fitness of every variant of a job at a pool: once on arrival, again when the pool changes."""
    for row in range(t.jobs[JOB.row, job], t.jobs[JOB.row, job] + t.jobs[JOB.rows, job]):
        want, num_nodes = want_of(t, row), t.jobs[JOB.nodes, job]
        milli = want.chips * MILLI_PER_CHIP + want.milli
        centre, fen = t.pools[POOL.centre, pool], t.pools[POOL.fen_per_chip_hour, pool]
        fitting, but_for_memory = 0, 0
        for shape in range(t.pools[POOL.shape, pool], t.pools[POOL.shape, pool] + t.pools[POOL.shapes, pool]):
            if _large_enough(t, shape, want):
                but_for_memory += t.shapes[SHAPE.nodes, shape]
                if want.memory_mib == 0 or t.shapes[SHAPE.memory_mib, shape] >= want.memory_mib:
                    fitting += t.shapes[SHAPE.nodes, shape]
        price = share_price_fen(fen, milli * num_nodes, t.jobs[JOB.walltime_s, job])
        fen_per_hour = fen * want.chips * num_nodes
        if want.milli > 0:
            fen_per_hour = -(-fen * want.milli * num_nodes // MILLI_PER_CHIP)  # rounded up: a limit is not passed
        code = CODE.fits
        if t.matches[t.rows[ROW.kind, row], pool] == 0:
            code = CODE.chip_mismatch
        elif but_for_memory == 0:
            code = CODE.node_too_small
        elif fitting == 0:
            code = CODE.node_memory_too_small
        elif fitting < num_nodes:
            code = CODE.too_few_nodes
        elif t.jobs[JOB.walltime_s, job] > t.pools[POOL.max_walltime_s, pool]:
            code = CODE.walltime_over_limit
        elif t.rows[ROW.centre, row] not in (-1, centre):
            code = CODE.other_centre_pinned
        elif t.jobs[JOB.only_centre, job] not in (-1, centre):
            code = CODE.checkpoint_elsewhere
        elif fen_per_hour > t.rows[ROW.max_fen_per_hour, row]:
            code = CODE.price_over_limit
        elif price > t.jobs[JOB.max_cost_fen, job]:
            code = CODE.cost_over_budget
        t.prices[row, pool] = price
        t.codes[row, pool] = code


@compiled
def _search_start(
    t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, not_before_s: int, now_s: int
) -> int:
    """The first time at which enough nodes fit for the whole walltime.

    Without holds free chips only grow, so the k-th of the sorted times is the answer; nodes with holds are looked at
    one by one. Starts become possible at `now`, at an end of a claim or at an end of a hold, and nowhere else.
    """
    if not_before_s <= now_s:
        free = count_free(t, pool, want)
        backfill, spare_s = t.size[SIZE.backfill], t.pools[POOL.first_hold_s, pool] - (now_s + walltime_s)
        if (backfill == BACKFILL.until and spare_s < 0) or (backfill == BACKFILL.before and spare_s <= 0):
            free = 0
        if free >= num_nodes and t.pools[POOL.first_hold_s, pool] < now_s + walltime_s:
            node = t.pools[POOL.held, pool]
            while node >= 0:
                if free_from(t, node, want) == -NEVER:
                    free -= not fits(t, node, want, now_s, now_s + walltime_s, now_s)
                node = t.nodes[NODE.held_next, node]
        if free >= num_nodes:
            return now_s
    count, first = t.pools[POOL.nodes, pool], profile(t, pool, want)
    start_s = max(t.times[first + num_nodes - 1], now_s + 1, not_before_s)
    while start_s < NEVER:
        unheld = rank(t.times, first, first + count, start_s)
        fitting, next_s = unheld, NEVER
        node = t.pools[POOL.held, pool]
        while node >= 0:
            fitting -= t.free_from[first + node - t.pools[POOL.node, pool]] <= start_s
            if fits(t, node, want, start_s, start_s + walltime_s, now_s):
                fitting += 1
            else:
                next_s = min(next_s, next_release(t, node, start_s))
            node = t.nodes[NODE.held_next, node]
        if fitting >= num_nodes:
            break
        enough = unheld + num_nodes - fitting - 1
        if enough < count:
            next_s = min(next_s, t.times[first + enough])
        start_s = next_s
    return start_s


@compiled
def _start(t: Tables, job: int, pool: int, row: int, now_s: int) -> int:
    """`_search_start`, remembered while the pool is as it was."""
    want = want_of(t, row)
    num_nodes, walltime_s = t.jobs[JOB.nodes, job], t.jobs[JOB.walltime_s, job]
    if t.pools[POOL.not_before_s, pool] > now_s:
        return _search_start(t, pool, want, num_nodes, walltime_s, t.pools[POOL.not_before_s, pool], now_s)
    key = ((pool * 31 + want.chips) * 31 + want.cpus) * 31 + num_nodes * 7 + walltime_s * 13 + want.milli * 17
    m = t.memo[(key + want.memory_mib * 19) % MEMO_SIZE]
    if (
        m[MEMO.version] != t.pools[POOL.version, pool]
        or m[MEMO.pool] != pool
        or m[MEMO.chips] != want.chips
        or m[MEMO.cpus] != want.cpus
        or m[MEMO.milli] != want.milli
        or m[MEMO.memory_mib] != want.memory_mib
        or m[MEMO.nodes] != num_nodes
        or m[MEMO.walltime_s] != walltime_s
    ):
        m[MEMO.start_s] = _search_start(t, pool, want, num_nodes, walltime_s, now_s, now_s)
        m[MEMO.pool], m[MEMO.version] = pool, t.pools[POOL.version, pool]
        m[MEMO.chips], m[MEMO.cpus], m[MEMO.milli], m[MEMO.memory_mib] = want
        m[MEMO.nodes], m[MEMO.walltime_s] = num_nodes, walltime_s
    return m[MEMO.start_s]


@compiled
def _better(objective: int, ordered: bool, a: Any, b: Any) -> bool:
    """Whether (variant, start, price, balance, score) `a` suits the job better than `b`. Equal: the one before
    stays."""
    if b[0] < 0 or (ordered and a[0] != b[0]):
        return b[0] < 0 or a[0] < b[0]
    if objective == OBJECTIVE.balanced and a[3] != b[3]:
        return a[3] < b[3]
    if objective == OBJECTIVE.cheapest and a[2] != b[2]:
        return a[2] < b[2]
    if a[1] != b[1]:
        return a[1] < b[1]
    return a[2] < b[2] if a[2] != b[2] else a[4] > b[4]


@compiled
def survey(t: Tables, job: int, now_s: int, outlook: Array, at: int) -> Any:
    """(pool, variant, start, price) that suits the job best; pool -1 if none can have it, -2 if none at present."""
    objective, ordered = t.jobs[JOB.objective, job], t.jobs[JOB.ordered, job] == 1
    first, rows = t.jobs[JOB.row, job], t.jobs[JOB.rows, job]
    by_score = t.size[SIZE.placement] >= PLACEMENT.packing
    fen_per_s = 0.0
    if objective == OBJECTIVE.balanced:
        least = NEVER
        for row in range(first, first + rows):
            for pool in range(t.size[SIZE.pools]):
                if t.codes[row, pool] == CODE.fits and t.pools[POOL.seen, pool] and not t.pools[POOL.drained, pool]:
                    least = min(least, t.prices[row, pool])
        fen_per_s = least / t.jobs[JOB.walltime_s, job]
    best, best_pool = (-1, 0, 0, 0.0, 0), -1
    for i in range(t.size[SIZE.pools]):
        pool = t.pools[POOL.in_order, i]
        here, refused, code = (-1, -1, 0, 0.0, 0), 0, CODE.fits
        for variant in range(rows):
            row = first + variant
            why = t.codes[row, pool]
            if why == CODE.fits and not t.pools[POOL.seen, pool]:
                why = CODE.pool_unseen
            elif why == CODE.fits and t.pools[POOL.drained, pool]:
                why = CODE.pool_drained
            if why != CODE.fits:
                if why > code:  # the variant that came furthest
                    refused, code = variant, why
                continue
            start_s, price = _start(t, job, pool, row, now_s), t.prices[row, pool]
            scored = best_score(t, job, pool, row, now_s) if by_score and start_s == now_s else 0
            candidate = (variant, start_s, price, price + (start_s - now_s) * fen_per_s, scored)
            if _better(objective, ordered, candidate, here):
                here = candidate
        if here[0] >= 0:
            refused, code = here[0], CODE.fits
            if _better(objective, ordered, here, best):
                best, best_pool = here, pool
        elif code >= CODE.pool_unseen and best_pool == -1:
            best_pool = -2
        outlook[OUTLOOK.variant, at + i], outlook[OUTLOOK.code, at + i], outlook[OUTLOOK.start_s, at + i] = (
            refused,
            code,
            here[1],
        )
    return best_pool, best[0], best[1], best[2]
