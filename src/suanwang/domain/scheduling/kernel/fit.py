"""What pools can do for a job."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.columns import (
    BACKFILL,
    CODE,
    JOB,
    MEMO,
    MEMO_SIZE,
    NEVER,
    NODE,
    OBJECTIVE,
    OUTLOOK,
    POOL,
    ROW,
    SIZE,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, next_release
from suanwang.domain.scheduling.kernel.profile import count_free, free_from, profile
from suanwang.domain.scheduling.kernel.sorting import rank
from suanwang.units import SECONDS_PER_HOUR


@compiled
def price_fen(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    """`rating.estimate_fen` in 64 bits: what would not fit is NEVER, dearer than any budget."""
    if float(fen_per_chip_hour) * chips * seconds >= NEVER:
        return NEVER
    return fen_per_chip_hour * chips * seconds // SECONDS_PER_HOUR


@compiled
def match(t: Tables, job: int, pool: int) -> None:
    """Price and lasting fitness of every variant of a job at a pool: once on arrival, again when the pool changes."""
    for row in range(t.jobs[JOB.row, job], t.jobs[JOB.row, job] + t.jobs[JOB.rows, job]):
        chips, cpus, num_nodes = t.rows[ROW.chips, row], t.rows[ROW.cpus, row], t.jobs[JOB.nodes, job]
        centre, fen = t.pools[POOL.centre, pool], t.pools[POOL.fen_per_chip_hour, pool]
        fitting = 0
        for shape in range(t.pools[POOL.shape, pool], t.pools[POOL.shape, pool] + t.pools[POOL.shapes, pool]):
            if t.shapes[0, shape] >= chips and (cpus == 0 or t.shapes[1, shape] >= cpus):
                fitting += t.shapes[2, shape]
        price = price_fen(fen, chips * num_nodes, t.jobs[JOB.walltime_s, job])
        code = CODE.fits
        if t.matches[t.rows[ROW.kind, row], pool] == 0:
            code = CODE.chip_mismatch
        elif fitting == 0:
            code = CODE.node_too_small
        elif fitting < num_nodes:
            code = CODE.too_few_nodes
        elif t.jobs[JOB.walltime_s, job] > t.pools[POOL.max_walltime_s, pool]:
            code = CODE.walltime_over_limit
        elif t.rows[ROW.centre, row] not in (-1, centre):
            code = CODE.other_centre_pinned
        elif t.jobs[JOB.only_centre, job] not in (-1, centre):
            code = CODE.checkpoint_elsewhere
        elif fen * chips * num_nodes > t.rows[ROW.max_fen_per_hour, row]:
            code = CODE.price_over_limit
        elif price > t.jobs[JOB.max_cost_fen, job]:
            code = CODE.cost_over_budget
        t.prices[row, pool] = price
        t.codes[row, pool] = code


@compiled
def _search_start(
    t: Tables, pool: int, chips: int, cpus: int, num_nodes: int, walltime_s: int, not_before_s: int, now_s: int
) -> int:
    """The first time at which enough nodes fit for the whole walltime.

    Without holds free chips only grow, so the k-th of the sorted times is the answer; nodes with holds are looked at
    one by one. Starts become possible at `now`, at an end of a claim or at an end of a hold, and nowhere else.
    """
    if not_before_s <= now_s:
        free = count_free(t, pool, chips, cpus)
        backfill, spare_s = t.size[SIZE.backfill], t.pools[POOL.first_hold_s, pool] - (now_s + walltime_s)
        if (backfill == BACKFILL.until and spare_s < 0) or (backfill == BACKFILL.before and spare_s <= 0):
            free = 0
        if free >= num_nodes and t.pools[POOL.first_hold_s, pool] < now_s + walltime_s:
            node = t.pools[POOL.held, pool]
            while node >= 0:
                if free_from(t, node, chips, cpus) == -NEVER:
                    free -= not fits(t, node, chips, cpus, now_s, now_s + walltime_s, now_s)
                node = t.nodes[NODE.held_next, node]
        if free >= num_nodes:
            return now_s
    count, first = t.pools[POOL.nodes, pool], profile(t, pool, chips, cpus)
    start_s = max(t.times[first + num_nodes - 1], now_s + 1, not_before_s)
    while start_s < NEVER:
        unheld = rank(t.times, first, first + count, start_s)
        fitting, next_s = unheld, NEVER
        node = t.pools[POOL.held, pool]
        while node >= 0:
            fitting -= t.free_from[first + node - t.pools[POOL.node, pool]] <= start_s
            if fits(t, node, chips, cpus, start_s, start_s + walltime_s, now_s):
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
    chips, cpus = t.rows[ROW.chips, row], t.rows[ROW.cpus, row]
    num_nodes, walltime_s = t.jobs[JOB.nodes, job], t.jobs[JOB.walltime_s, job]
    if t.pools[POOL.not_before_s, pool] > now_s:
        return _search_start(t, pool, chips, cpus, num_nodes, walltime_s, t.pools[POOL.not_before_s, pool], now_s)
    m = t.memo[(((pool * 31 + chips) * 31 + cpus) * 31 + num_nodes * 7 + walltime_s * 13) % MEMO_SIZE]
    if (
        m[MEMO.version] != t.pools[POOL.version, pool]
        or m[MEMO.pool] != pool
        or m[MEMO.chips] != chips
        or m[MEMO.cpus] != cpus
        or m[MEMO.nodes] != num_nodes
        or m[MEMO.walltime_s] != walltime_s
    ):
        m[MEMO.start_s] = _search_start(t, pool, chips, cpus, num_nodes, walltime_s, now_s, now_s)
        m[MEMO.pool], m[MEMO.version], m[MEMO.chips], m[MEMO.cpus] = pool, t.pools[POOL.version, pool], chips, cpus
        m[MEMO.nodes], m[MEMO.walltime_s] = num_nodes, walltime_s
    return m[MEMO.start_s]


@compiled
def _better(objective: int, ordered: bool, a: Any, b: Any) -> bool:
    """Whether (variant, start, price, score) `a` suits the job better than `b`. Equal: the one before stays."""
    if b[0] < 0 or (ordered and a[0] != b[0]):
        return b[0] < 0 or a[0] < b[0]
    if objective == OBJECTIVE.balanced and a[3] != b[3]:
        return a[3] < b[3]
    if objective == OBJECTIVE.cheapest and a[2] != b[2]:
        return a[2] < b[2]
    if a[1] != b[1]:
        return a[1] < b[1]
    return a[2] < b[2]


@compiled
def survey(t: Tables, job: int, now_s: int, outlook: Array, at: int) -> Any:
    """(pool, variant, start, price) that suits the job best; pool -1 if none can have it, -2 if none at present."""
    objective, ordered = t.jobs[JOB.objective, job], t.jobs[JOB.ordered, job] == 1
    first, rows = t.jobs[JOB.row, job], t.jobs[JOB.rows, job]
    fen_per_s = 0.0
    if objective == OBJECTIVE.balanced:
        least = NEVER
        for row in range(first, first + rows):
            for pool in range(t.size[SIZE.pools]):
                if t.codes[row, pool] == CODE.fits and t.pools[POOL.seen, pool] and not t.pools[POOL.drained, pool]:
                    least = min(least, t.prices[row, pool])
        fen_per_s = least / t.jobs[JOB.walltime_s, job]
    best, best_pool = (-1, 0, 0, 0.0), -1
    for i in range(t.size[SIZE.pools]):
        pool = t.pools[POOL.in_order, i]
        here, refused, code = (-1, -1, 0, 0.0), 0, CODE.fits
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
            candidate = (variant, start_s, price, price + (start_s - now_s) * fen_per_s)
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
