"""Which nodes of a pool a job gets, now or at a later time."""

from suanwang.domain.scheduling.kernel.columns import JOB, NODE, POOL, ROW, Array, Tables
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits, free_at, hold_on
from suanwang.domain.scheduling.kernel.nodes import ONE, ZERO, lowest_bit
from suanwang.domain.scheduling.kernel.sorting import sort


@compiled
def pick(t: Tables, job: int, pool: int, row: int, now_s: int, first_fit: bool, picked: Array) -> None:
    """The nodes on which the job starts now: the fullest first, or in their order."""
    chips, cpus, until_s = t.rows[ROW.chips, row], t.rows[ROW.cpus, row], now_s + t.jobs[JOB.walltime_s, job]
    levels, words, wanted, taken = t.pools[POOL.levels, pool], t.pools[POOL.words, pool], t.jobs[JOB.nodes, job], 0
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
                if (cpus == 0 or t.nodes[NODE.free_cpus, node] >= cpus) and (
                    t.nodes[NODE.hold, node] < 0 or fits(t, node, chips, cpus, now_s, until_s, now_s)
                ):
                    picked[taken] = node
                    taken += 1
                    if taken == wanted:
                        sort(picked, 0, wanted)
                        return


@compiled
def hold_nodes(t: Tables, job: int, pool: int, row: int, start_s: int, now_s: int, first_fit: bool) -> None:
    """Reserve nodes for a job: those that fit then, the fullest first, or in their order."""
    chips, cpus, end_s = t.rows[ROW.chips, row], t.rows[ROW.cpus, row], start_s + t.jobs[JOB.walltime_s, job]
    first, count, wanted = t.pools[POOL.node, pool], t.pools[POOL.nodes, pool], t.jobs[JOB.nodes, job]
    t.tally[: t.pools[POOL.levels, pool]] = 0
    for node in range(first, first + count):
        t.scratch[node] = -1
        if fits(t, node, chips, cpus, start_s, end_s, now_s):
            t.scratch[node] = 0 if first_fit else free_at(t, node, start_s, now_s)[0]
            t.tally[t.scratch[node]] += 1
    last = 0
    while t.tally[last] < wanted:  # levels below `last` are taken whole
        wanted -= t.tally[last]
        last += 1
    for node in range(first, first + count):
        level = t.scratch[node]
        if level < 0 or level > last or (level == last and wanted == 0):
            continue
        wanted -= level == last
        hold_on(t, node, start_s, end_s, chips, cpus, job)
    t.pools[POOL.holders, pool] += 1
