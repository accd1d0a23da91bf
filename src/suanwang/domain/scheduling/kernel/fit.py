"""What pools can do for a job."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.cabinets import most_in_a_cabinet
from suanwang.domain.scheduling.kernel.closures import after_windows, booking_refusal
from suanwang.domain.scheduling.kernel.codes import CODE, OBJECTIVE, PLACEMENT, STANDING
from suanwang.domain.scheduling.kernel.columns import (
    JOB,
    MAX_SHARED_CHIPS,
    MEMO,
    MEMO_SIZE,
    NEVER,
    NODE,
    OUTLOOK,
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
from suanwang.domain.scheduling.kernel.search import overtakes, start_in_booking, start_in_cabinet
from suanwang.domain.scheduling.kernel.sorting import rank
from suanwang.domain.scheduling.kernel.tenants import standing
from suanwang.units import MILLI_PER_CHIP, SECONDS_PER_HOUR


@compiled
def price_fen(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    """`rating.estimate_fen` in 64 bits: what would not fit is NEVER, dearer than any budget."""
    if float(fen_per_chip_hour) * chips * seconds >= NEVER:
        return NEVER
    return -(-fen_per_chip_hour * chips * seconds // SECONDS_PER_HOUR)


@compiled
def share_price_fen(fen_per_chip_hour: int, milli: int, seconds: int) -> int:
    """The same for thousandths of chips, rounded up once."""
    if milli % MILLI_PER_CHIP == 0:
        return price_fen(fen_per_chip_hour, milli // MILLI_PER_CHIP, seconds)
    if float(fen_per_chip_hour) * milli * seconds >= NEVER:
        return NEVER
    return -(-fen_per_chip_hour * milli * seconds // (SECONDS_PER_HOUR * MILLI_PER_CHIP))


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
        if t.jobs[JOB.preemptible, job] == 1:
            fen = t.pools[POOL.preemptible_fen_per_chip_hour, pool]
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
        elif t.jobs[JOB.in_cabinet, job] and num_nodes > 1 and most_in_a_cabinet(t, pool, want) < num_nodes:
            code = CODE.no_cabinet_fits
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
def starts_now(t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, now_s: int) -> bool:
    """Whether enough nodes fit for the whole walltime, and nothing is overtaken that must not be."""
    if after_windows(t, pool, now_s, walltime_s) != now_s or overtakes(t, pool, walltime_s, now_s):
        return False
    free, first_s = (
        count_free(t, pool, want),
        min(t.pools[POOL.first_hold_s, pool], t.pools[POOL.first_closure_s, pool]),
    )
    if free >= num_nodes and first_s < now_s + walltime_s:
        node = t.pools[POOL.held, pool]
        while node >= 0:
            if free_from(t, node, want) == -NEVER:
                free -= not fits(t, node, want, now_s, now_s + walltime_s, now_s)
            node = t.nodes[NODE.held_next, node]
    return free >= num_nodes


@compiled
def _search_start(
    t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, not_before_s: int, now_s: int
) -> int:
    """The first time at which enough nodes fit for the whole walltime.

    Without holds free chips only grow, so the k-th of the sorted times is the answer; nodes with holds, bookings or
    windows are looked at one by one. Starts become possible at `now` and at an end: of a claim, a hold, a booking or a
    window, and nowhere else.
    """
    if not_before_s <= now_s and starts_now(t, pool, want, num_nodes, walltime_s, now_s):
        return now_s
    count, first = t.pools[POOL.nodes, pool], profile(t, pool, want)
    start_s = max(t.times[first + num_nodes - 1], now_s + 1, not_before_s)
    start_s = after_windows(t, pool, start_s, walltime_s)
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
        start_s = after_windows(t, pool, next_s, walltime_s)
    return start_s


@compiled
def start_of(t: Tables, job: int, pool: int, row: int, now_s: int) -> int:
    """When a job can start at an open pool that can have it. NEVER: what is left of its booking has no room for it."""
    want = want_of(t, row)
    num_nodes, walltime_s = t.jobs[JOB.nodes, job], t.jobs[JOB.walltime_s, job]
    if want.booking >= 0:
        return start_in_booking(t, pool, want, num_nodes, walltime_s, t.jobs[JOB.in_cabinet, job] == 1, now_s)
    if t.jobs[JOB.in_cabinet, job] and num_nodes > 1:
        return start_in_cabinet(t, pool, want, num_nodes, walltime_s, now_s)
    return _start(t, pool, want, num_nodes, walltime_s, now_s)


@compiled
def _start(t: Tables, pool: int, want: Want, num_nodes: int, walltime_s: int, now_s: int) -> int:
    """`_search_start`, remembered while the pool is as it was."""
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
        m[MEMO.chips], m[MEMO.cpus], m[MEMO.milli], m[MEMO.memory_mib] = want[:4]
        m[MEMO.nodes], m[MEMO.walltime_s] = num_nodes, walltime_s
    return m[MEMO.start_s]


@compiled
def better(objective: int, ordered: bool, a: Any, b: Any) -> bool:
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
def refusal(t: Tables, job: int, pool: int, row: int) -> int:
    """Why a pool cannot have a variant, for good or at present; but for the room in its booking."""
    code = t.codes[row, pool]
    if code != CODE.fits:
        return code
    if t.rows[ROW.booking, row] >= 0:
        code = booking_refusal(t, job, pool, t.rows[ROW.booking, row])
    elif not t.pools[POOL.seen, pool]:
        return CODE.pool_unseen
    elif t.pools[POOL.drained, pool]:
        return CODE.pool_drained
    if code == CODE.fits and t.size[SIZE.resources] > 0 and standing(t, job, pool, row) == STANDING.over:
        return CODE.over_quota
    return code


@compiled
def balance(t: Tables, job: int) -> float:
    """What a second of waiting is worth, in fen: the least price of a second of running."""
    if t.jobs[JOB.objective, job] != OBJECTIVE.balanced:
        return 0.0
    least = NEVER
    for row in range(t.jobs[JOB.row, job], t.jobs[JOB.row, job] + t.jobs[JOB.rows, job]):
        for pool in range(t.size[SIZE.pools]):
            if refusal(t, job, pool, row) == CODE.fits:
                least = min(least, t.prices[row, pool])
    return least / t.jobs[JOB.walltime_s, job]


@compiled
def look_at(t: Tables, job: int, pool: int, fen_per_s: float, now_s: int) -> Any:
    """(variant, start, price, balance, score) that suits the job best at one pool, variant -1 if there is none; the
    variant that came furthest and why it came no further."""
    objective, ordered = t.jobs[JOB.objective, job], t.jobs[JOB.ordered, job] == 1
    by_score, limited = t.size[SIZE.placement] >= PLACEMENT.packing, t.size[SIZE.resources] > 0
    here, refused, code = (-1, -1, 0, 0.0, 0), 0, CODE.fits
    for variant in range(t.jobs[JOB.rows, job]):
        row = t.jobs[JOB.row, job] + variant
        why, start_s = refusal(t, job, pool, row), NEVER
        if why == CODE.fits:
            start_s = start_of(t, job, pool, row, now_s)
            why = CODE.booking_has_no_room if start_s == NEVER else CODE.fits
        if why != CODE.fits:
            if why > code:
                refused, code = variant, why
            continue
        if limited and standing(t, job, pool, row) == STANDING.lent:
            start_s = max(start_s, now_s + 1)
        price = t.prices[row, pool]
        scored = best_score(t, job, pool, row, now_s) if by_score and start_s == now_s else 0
        candidate = (variant, start_s, price, price + (start_s - now_s) * fen_per_s, scored)
        if better(objective, ordered, candidate, here):
            here = candidate
    return (here, here[0], CODE.fits) if here[0] >= 0 else (here, refused, code)


@compiled
def survey(t: Tables, job: int, now_s: int, outlook: Array, at: int) -> Any:
    """(pool, variant, start, price) that suits the job best; else pool -1: none can have it, -2: none at present,
    -3: its tenant has no quota left. Where others use what is the tenant's own, it starts when that is given back."""
    objective, ordered = t.jobs[JOB.objective, job], t.jobs[JOB.ordered, job] == 1
    fen_per_s = balance(t, job)
    best, best_pool = (-1, 0, 0, 0.0, 0), -1
    for i in range(t.size[SIZE.pools]):
        pool = t.pools[POOL.in_order, i]
        here, variant, code = look_at(t, job, pool, fen_per_s, now_s)
        if here[0] >= 0:
            if better(objective, ordered, here, best):
                best, best_pool = here, pool
        elif code >= CODE.pool_unseen and best_pool < 0:
            best_pool = min(best_pool, -3 if code == CODE.over_quota else -2)
        outlook[OUTLOOK.variant, at + i], outlook[OUTLOOK.code, at + i], outlook[OUTLOOK.start_s, at + i] = (
            variant,
            code,
            here[1],
        )
    return best_pool, best[0], best[1], best[2]
