"""When the nodes of a pool have a demand (chips, CPUs) free: sorted, kept up to date, reservations aside."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import CLAIM, DEMAND, JOB, NEVER, NODE, POOL, SIZE, Tables
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.sorting import rank, resort, sort


@compiled
def free_from(t: Tables, node: int, chips: int, cpus: int) -> int:
    """-NEVER: free now; NEVER: the node is too small; else the expected end that makes it free."""
    chips -= t.nodes[NODE.free_chips, node]
    cpus -= t.nodes[NODE.free_cpus, node] if cpus else 0
    since_s, claim = -NEVER, t.nodes[NODE.claim, node]
    while chips > 0 or cpus > 0:
        if claim < 0:
            return NEVER
        job = t.claims[CLAIM.job, claim]
        chips -= t.jobs[JOB.chips, job]
        cpus -= t.jobs[JOB.cpus, job]
        since_s, claim = t.jobs[JOB.end_s, job], t.claims[CLAIM.next, claim]
    return since_s


@compiled
def profile(t: Tables, pool: int, chips: int, cpus: int) -> int:
    """Where the sorted times of this demand begin. Only nodes that changed since the last look are looked at again."""
    demands, count, first_node = t.size[SIZE.demands], t.pools[POOL.nodes, pool], t.pools[POOL.node, pool]
    slot = pool * demands
    while slot < (pool + 1) * demands and (
        t.demands[DEMAND.chips, slot] != chips or t.demands[DEMAND.cpus, slot] != cpus
    ):
        slot += 1
    if slot == (pool + 1) * demands:
        slot = pool * demands + t.pools[POOL.next_demand, pool] % demands
        t.pools[POOL.next_demand, pool] += 1
        t.size[SIZE.evicted] += t.demands[DEMAND.chips, slot] >= 0
        t.demands[DEMAND.chips, slot], t.demands[DEMAND.cpus, slot], t.demands[DEMAND.changes, slot] = (
            chips,
            cpus,
            -1,
        )
    first = first_node * demands + (slot - pool * demands) * count
    changes, seen = t.pools[POOL.changes, pool], t.demands[DEMAND.changes, slot]
    if seen < 0 or (changes - seen) * 4 > count:
        for local in range(count):
            t.free_from[first + local] = t.times[first + local] = free_from(t, first_node + local, chips, cpus)
        sort(t.times, first, first + count)
    else:
        for change in range(seen, changes):
            node = t.changed[first_node + change % count]
            old, new = t.free_from[first + node - first_node], free_from(t, node, chips, cpus)
            if old != new:
                t.free_from[first + node - first_node] = new
                resort(t.times, first, first + count, old, new)
    t.demands[DEMAND.changes, slot] = changes
    return first


@compiled
def count_free(t: Tables, pool: int, chips: int, cpus: int) -> int:
    """How many nodes have the demand free now, reservations aside."""
    if cpus == 0:
        count = 0
        for level in range(chips, t.pools[POOL.levels, pool]):
            count += t.levels[t.pools[POOL.level, pool] + level]
        return count
    first = profile(t, pool, chips, cpus)
    return rank(t.times, first, first + t.pools[POOL.nodes, pool], -NEVER)


@compiled
def has_free(t: Tables, pool: int, chips: int, cpus: int, nodes: int) -> bool:
    """Whether so many nodes have the demand free now, reservations aside."""
    if cpus:
        return count_free(t, pool, chips, cpus) >= nodes
    level, last = t.pools[POOL.level, pool] + chips, t.pools[POOL.level, pool] + t.pools[POOL.levels, pool]
    if t.pools[POOL.nodes, pool] == 1:
        return t.nodes[NODE.free_chips, t.pools[POOL.node, pool]] >= chips
    while nodes > 0 and level < last:
        nodes -= t.levels[level]
        level += 1
    return nodes <= 0
