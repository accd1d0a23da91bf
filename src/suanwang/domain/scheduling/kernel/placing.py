"""Which nodes of a pool a job gets, now or at a later time."""

from suanwang.domain.scheduling.kernel.bits import ONE, ZERO, lowest_bit
from suanwang.domain.scheduling.kernel.cabinets import keep_one_cabinet, share_among_cabinets
from suanwang.domain.scheduling.kernel.codes import PLACEMENT
from suanwang.domain.scheduling.kernel.columns import (
    CABINET,
    JOB,
    NODE,
    POOL,
    SIZE,
    Array,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, hold_on
from suanwang.domain.scheduling.kernel.nodes import want_of
from suanwang.domain.scheduling.kernel.scores import HIGHEST, score
from suanwang.domain.scheduling.kernel.shares import find_label, free_at, label_at
from suanwang.domain.scheduling.kernel.sorting import sort
from suanwang.units import MILLI_PER_CHIP

BY_ORDER, BY_FULLNESS, BY_SCORE = 0, 1, 2


@compiled
def _rate(t: Tables, pool: int, want: Want, start_s: int, end_s: int, now_s: int, by: int) -> None:
    """Write down how gladly each node is taken for that time: 0 is best, -1 does not fit; and count in `tally`."""
    first, levels = t.pools[POOL.node, pool], t.pools[POOL.levels, pool]
    t.tally[:] = 0
    for node in range(first, first + t.pools[POOL.nodes, pool]):
        t.scratch[node] = -1
        if not fits(t, node, want, start_s, end_s, now_s):
            continue
        rate = 0
        if by == BY_SCORE:
            rate = HIGHEST - score(t, node, want, end_s)
        elif by == BY_FULLNESS:
            rate = t.nodes[NODE.free_chips, node]  # now: the fullest by what runs, not by what is promised
            if start_s > now_s or want.milli > 0:
                rate = free_at(t, node, start_s, now_s)[0]
            if want.milli > 0:  # chips that are shared anyway, before whole ones are opened
                label = find_label(t, node, want.milli, start_s, end_s, now_s)
                rate += levels if label_at(t, node, label, start_s, now_s)[0] == MILLI_PER_CHIP else 0
        t.scratch[node] = rate
        t.tally[rate] += 1


@compiled
def _select(t: Tables, pool: int, wanted: int, in_cabinet: bool, by: int) -> None:
    """Leave a rate only to as many of the best as are wanted: on a tie in as few cabinets as can be, in their order."""
    if in_cabinet and wanted > 1:
        keep_one_cabinet(t, pool, wanted, by != BY_ORDER)
    last, compact = 0, t.pools[POOL.cabinets, pool] > 0 and by != BY_ORDER
    while t.tally[last] < wanted:  # rates below `last` are taken whole
        wanted -= t.tally[last]
        last += 1
    if compact:
        share_among_cabinets(t, pool, last, wanted)
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        rate, cabinet = t.scratch[node], t.nodes[NODE.cabinet, node]
        if rate > last or (rate == last and (wanted == 0 or (compact and t.cabinets[CABINET.quota, cabinet] == 0))):
            t.scratch[node] = -1
        elif rate == last:
            wanted -= 1
            if compact:
                t.cabinets[CABINET.quota, cabinet] -= 1


@compiled
def pick(t: Tables, job: int, pool: int, row: int, now_s: int, first_fit: bool, picked: Array) -> None:
    """The nodes on which the job starts now: the fullest first, or in their order, or by score."""
    want, until_s = want_of(t, row), now_s + t.jobs[JOB.walltime_s, job]
    levels, words, wanted, taken = t.pools[POOL.levels, pool], t.pools[POOL.words, pool], t.jobs[JOB.nodes, job], 0
    if want.milli > 0 or t.size[SIZE.placement] >= PLACEMENT.packing or t.pools[POOL.cabinets, pool] > 0:
        by = BY_SCORE if t.size[SIZE.placement] >= PLACEMENT.packing else BY_ORDER if first_fit else BY_FULLNESS
        _rate(t, pool, want, now_s, until_s, now_s, by)
        _select(t, pool, wanted, t.jobs[JOB.in_cabinet, job] == 1, by)
        for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
            if t.scratch[node] >= 0:
                picked[taken] = node
                taken += 1
        return
    chips = want.chips
    for sweep in range(chips, chips + 1 if first_fit else levels):  # first fit: one sweep over all levels together
        top = levels if first_fit else sweep + 1
        if not first_fit and t.levels[t.pools[POOL.level, pool] + sweep] == 0:
            continue
        for word in range(words):
            bits = ZERO
            for level in range(sweep, top):
                bits |= t.bits[t.pools[POOL.bits, pool] + level * words + word]
            while bits != ZERO:
                node = t.pools[POOL.node, pool] + word * 64 + lowest_bit(bits)
                bits &= bits - ONE
                if (
                    (want.cpus == 0 or t.nodes[NODE.free_cpus, node] >= want.cpus)
                    and (want.memory_mib == 0 or t.nodes[NODE.free_memory_mib, node] >= want.memory_mib)
                    and (
                        (t.nodes[NODE.hold, node] < 0 and t.nodes[NODE.closure, node] < 0 and want.booking < 0)
                        or fits(t, node, want, now_s, until_s, now_s)
                    )
                ):
                    picked[taken] = node
                    taken += 1
                    if taken == wanted:
                        sort(picked, 0, wanted)
                        return


@compiled
def hold_nodes(t: Tables, job: int, pool: int, row: int, start_s: int, now_s: int, first_fit: bool) -> None:
    """Reserve nodes for a job: those that fit then, the fullest first, or in their order."""
    want, end_s = want_of(t, row), start_s + t.jobs[JOB.walltime_s, job]
    by = BY_ORDER if first_fit else BY_FULLNESS
    _rate(t, pool, want, start_s, end_s, now_s, by)
    _select(t, pool, t.jobs[JOB.nodes, job], t.jobs[JOB.in_cabinet, job] == 1, by)
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if t.scratch[node] < 0:
            continue
        hold_on(t, node, start_s, end_s, now_s, want, job)


@compiled
def best_score(t: Tables, job: int, pool: int, row: int, now_s: int) -> int:
    """The highest score of a node of the pool on which the job can start now."""
    want, until_s, best = want_of(t, row), now_s + t.jobs[JOB.walltime_s, job], -1
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if fits(t, node, want, now_s, until_s, now_s):
            best = max(best, score(t, node, want, until_s))
    return best
