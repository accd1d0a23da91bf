"""Gangs within one cabinet, and others in as few cabinets as can be.

Both work on rates of nodes in `scratch` (less is better, -1: does not fit), counted in `tally`.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import (
    CABINET,
    NEVER,
    NODE,
    POOL,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def most_in_a_cabinet(t: Tables, pool: int, want: Want) -> int:
    """How many nodes of one cabinet are large enough. A node without a cabinet is alone."""
    first, end, most = t.pools[POOL.cabinet, pool], t.pools[POOL.cabinet, pool] + t.pools[POOL.cabinets, pool], 0
    t.cabinets[CABINET.fitting, first:end] = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        cabinet = t.nodes[NODE.cabinet, node]
        if (
            cabinet >= 0
            and t.nodes[NODE.chips, node] >= max(want.chips, min(want.milli, 1))
            and t.nodes[NODE.cpus, node] >= want.cpus
            and t.nodes[NODE.memory_mib, node] >= want.memory_mib
        ):
            t.cabinets[CABINET.fitting, cabinet] += 1
            most = max(most, t.cabinets[CABINET.fitting, cabinet])
    return most


@compiled
def keep_one_cabinet(t: Tables, pool: int, wanted: int, by_rate: bool) -> None:
    """Only nodes of one cabinet stay: that with the best sum of rates, then that with the fewest nodes that fit; or
    the first that has enough."""
    first, end = t.pools[POOL.cabinet, pool], t.pools[POOL.cabinet, pool] + t.pools[POOL.cabinets, pool]
    best, least, fewest = -1, NEVER, NEVER
    for cabinet in range(first, end):
        fitting, total, missing, at = 0, 0, wanted, t.cabinets[CABINET.node, cabinet]
        t.tally[:] = 0
        for node in t.by_cabinet[at : at + t.cabinets[CABINET.nodes, cabinet]]:
            if t.scratch[node] >= 0:
                t.tally[t.scratch[node]] += 1
                fitting += 1
        if fitting < wanted:
            continue
        rate = 0
        while missing > 0:
            taken = min(missing, t.tally[rate])
            total, missing, rate = total + taken * rate, missing - taken, rate + 1
        if best < 0 or (by_rate and (total < least or (total == least and fitting < fewest))):
            best, least, fewest = cabinet, total, fitting
    t.tally[:] = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if t.nodes[NODE.cabinet, node] != best:
            t.scratch[node] = -1
        elif t.scratch[node] >= 0:
            t.tally[t.scratch[node]] += 1


@compiled
def share_among_cabinets(t: Tables, pool: int, last: int, left: int) -> None:
    """`quota`: how many of the nodes of rate `last` to take from every cabinet, `left` in all.

    From cabinets that are touched already before others; the smallest that has enough, else the largest.
    """
    first, end = t.pools[POOL.cabinet, pool], t.pools[POOL.cabinet, pool] + t.pools[POOL.cabinets, pool]
    for column in (CABINET.fitting, CABINET.touched, CABINET.quota):
        t.cabinets[column, first:end] = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        if t.scratch[node] == last:
            t.cabinets[CABINET.fitting, t.nodes[NODE.cabinet, node]] += 1
        elif 0 <= t.scratch[node] < last:
            t.cabinets[CABINET.touched, t.nodes[NODE.cabinet, node]] = 1
    while left > 0:
        best = -1
        for cabinet in range(first, end):
            if t.cabinets[CABINET.fitting, cabinet] > 0 and (best < 0 or _suits_better(t, cabinet, best, left)):
                best = cabinet
        take = min(left, t.cabinets[CABINET.fitting, best])
        t.cabinets[CABINET.quota, best], t.cabinets[CABINET.fitting, best] = take, 0
        left -= take


@compiled
def _suits_better(t: Tables, a: int, b: int, left: int) -> bool:
    if t.cabinets[CABINET.touched, a] != t.cabinets[CABINET.touched, b]:
        return bool(t.cabinets[CABINET.touched, a] > t.cabinets[CABINET.touched, b])
    has_a, has_b = t.cabinets[CABINET.fitting, a], t.cabinets[CABINET.fitting, b]
    if (has_a >= left) != (has_b >= left):
        return bool(has_a >= left)
    return bool(has_a < has_b if has_a >= left else has_a > has_b)
