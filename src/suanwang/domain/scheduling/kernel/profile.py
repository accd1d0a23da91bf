"""When the nodes of a pool have what is wanted free: sorted, kept up to date, reservations aside."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    DEMAND,
    JOB,
    MAX_SHARED_CHIPS,
    NEVER,
    NODE,
    POOL,
    SIZE,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.shares import empties, has_room, has_room_at
from suanwang.domain.scheduling.kernel.sorting import rank, resort, sort


@compiled
def free_from(t: Tables, node: int, want: Want) -> int:
    """-NEVER: free now; NEVER: the node is too small; else the expected end that makes it free."""
    chips = want.chips - t.nodes[NODE.free_chips, node]
    cpus = want.cpus - t.nodes[NODE.free_cpus, node] if want.cpus else 0
    memory_mib = want.memory_mib - t.nodes[NODE.free_memory_mib, node] if want.memory_mib else 0
    since_s, claim = -NEVER, t.nodes[NODE.claim, node]
    lacks_share = want.milli > 0 and not has_room(t, node, want.milli)
    if want.milli > 0 and t.nodes[NODE.chips, node] > MAX_SHARED_CHIPS:
        return NEVER
    while chips > 0 or cpus > 0 or memory_mib > 0 or lacks_share:
        if claim < 0:
            return NEVER
        job = t.claims[CLAIM.job, claim]
        whole = t.jobs[JOB.chips, job]
        chips -= whole if whole > 0 else empties(t, claim)
        cpus -= t.jobs[JOB.cpus, job]
        memory_mib -= t.jobs[JOB.memory_mib, job]
        since_s = t.jobs[JOB.end_s, job]
        if lacks_share and chips <= 0:
            lacks_share = chips == 0 and not has_room_at(t, node, want.milli, since_s)
        claim = t.claims[CLAIM.next, claim]
    return since_s


@compiled
def profile(t: Tables, pool: int, want: Want) -> int:
    """Where the sorted times of this demand begin. Only nodes that changed since the last look are looked at again."""
    demands, count, first_node = t.size[SIZE.demands], t.pools[POOL.nodes, pool], t.pools[POOL.node, pool]
    slot = pool * demands
    while slot < (pool + 1) * demands and (
        t.demands[DEMAND.chips, slot] != want.chips
        or t.demands[DEMAND.cpus, slot] != want.cpus
        or t.demands[DEMAND.milli, slot] != want.milli
        or t.demands[DEMAND.memory_mib, slot] != want.memory_mib
    ):
        slot += 1
    if slot == (pool + 1) * demands:
        slot = pool * demands + t.pools[POOL.next_demand, pool] % demands
        t.pools[POOL.next_demand, pool] += 1
        t.size[SIZE.evicted] += t.demands[DEMAND.chips, slot] >= 0
        t.demands[DEMAND.chips, slot], t.demands[DEMAND.cpus, slot] = want.chips, want.cpus
        t.demands[DEMAND.milli, slot], t.demands[DEMAND.memory_mib, slot] = want.milli, want.memory_mib
        t.demands[DEMAND.changes, slot] = -1
    first = first_node * demands + (slot - pool * demands) * count
    changes, seen = t.pools[POOL.changes, pool], t.demands[DEMAND.changes, slot]
    if seen < 0 or (changes - seen) * 4 > count:
        for local in range(count):
            t.free_from[first + local] = t.times[first + local] = free_from(t, first_node + local, want)
        sort(t.times, first, first + count)
    else:
        for change in range(seen, changes):
            node = t.changed[first_node + change % count]
            old, new = t.free_from[first + node - first_node], free_from(t, node, want)
            if old != new:
                t.free_from[first + node - first_node] = new
                resort(t.times, first, first + count, old, new)
    t.demands[DEMAND.changes, slot] = changes
    return first


@compiled
def count_free(t: Tables, pool: int, want: Want) -> int:
    """How many nodes have the demand free now, reservations aside."""
    if want.cpus == 0 and want.milli == 0 and want.memory_mib == 0:
        count = 0
        for level in range(want.chips, t.pools[POOL.levels, pool]):
            count += t.levels[t.pools[POOL.level, pool] + level]
        return count
    first = profile(t, pool, want)
    return rank(t.times, first, first + t.pools[POOL.nodes, pool], -NEVER)


@compiled
def has_free(t: Tables, pool: int, want: Want, nodes: int) -> bool:
    """Whether so many nodes have the demand free now, reservations aside."""
    if want.cpus or want.milli or want.memory_mib:
        return count_free(t, pool, want) >= nodes
    if t.pools[POOL.nodes, pool] == 1:
        return t.nodes[NODE.free_chips, t.pools[POOL.node, pool]] >= want.chips
    level, last = t.pools[POOL.level, pool] + want.chips, t.pools[POOL.level, pool] + t.pools[POOL.levels, pool]
    while nodes > 0 and level < last:
        nodes -= t.levels[level]
        level += 1
    return nodes <= 0
