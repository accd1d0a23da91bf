"""Free chips of nodes, and claims: an allocation holds one claim on each of its nodes."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

import numpy as np

from suanwang.domain.scheduling.kernel.bits import ONE, all_chips, first_chip, lowest_chips
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    JOB,
    NO_BOOKING,
    NODE,
    POOL,
    ROW,
    SIZE,
    Array,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, inlined
from suanwang.domain.scheduling.kernel.scores import choose_chips, size_bit
from suanwang.domain.scheduling.kernel.shares import FIRST_LABEL, left_on, open_label, relabel
from suanwang.domain.scheduling.kernel.tenants import charge
from suanwang.units import MILLI_PER_CHIP


@inlined
def level_of(t: Tables, node: int) -> int:
    return max(0, min(t.nodes[NODE.free_chips, node], t.pools[POOL.levels, t.nodes[NODE.pool, node]] - 1))


@inlined
def mark(t: Tables, node: int, level: int, step: int) -> None:
    """Put the node on a level (step 1) or take it off (step -1)."""
    pool = t.nodes[NODE.pool, node]
    local = node - t.pools[POOL.node, pool]
    t.levels[t.pools[POOL.level, pool] + level] += step
    word = t.pools[POOL.bits, pool] + level * t.pools[POOL.words, pool] + (local >> 6)
    t.bits[word] ^= ONE << np.uint64(local & 63)


@inlined
def take(t: Tables, node: int, chips: int, cpus: int, memory_mib: int) -> None:
    """Whole chips, CPUs and memory of a node are taken, or given back if negative."""
    t.nodes[NODE.free_cpus, node] -= cpus
    t.nodes[NODE.free_memory_mib, node] -= memory_mib
    if chips == 0:
        return
    before = level_of(t, node)
    t.nodes[NODE.free_chips, node] -= chips
    after = level_of(t, node)
    if before != after:
        mark(t, node, before, -1)
        mark(t, node, after, 1)


@compiled
def want_of(t: Tables, row: int) -> Want:
    return Want(
        t.rows[ROW.chips, row],
        t.rows[ROW.cpus, row],
        t.rows[ROW.milli, row],
        t.rows[ROW.memory_mib, row],
        t.rows[ROW.booking, row],
    )


@compiled
def _has_of(t: Tables, job: int) -> Want:
    """What a placed job has of each of its nodes."""
    return Want(
        t.jobs[JOB.chips, job], t.jobs[JOB.cpus, job], t.jobs[JOB.milli, job], t.jobs[JOB.memory_mib, job], NO_BOOKING
    )


@inlined
def occupy(t: Tables, node: int, want: Want, chips: int) -> None:
    """A job takes these chips of a node. A share without a chip counts as a chip that is gone."""
    taken = want.chips
    if want.milli == 0:
        t.nodes[NODE.whole, node] &= ~chips
    elif chips == 0:
        taken = 1
    else:
        taken = int(t.nodes[NODE.whole, node] & chips != 0)
        t.nodes[NODE.whole, node] &= ~chips
        t.nodes[NODE.shared, node] |= chips
        t.left[t.nodes[NODE.chip, node] + first_chip(chips)] -= want.milli
    if t.nodes[NODE.sizes, node] >= 0:
        t.nodes[NODE.sizes, node] |= size_bit(want.chips, want.milli)
    take(t, node, taken, want.cpus, want.memory_mib)


@compiled
def _vacate(t: Tables, node: int, want: Want, chips: int) -> None:
    given = want.chips
    if want.milli == 0:
        t.nodes[NODE.whole, node] |= chips
    elif chips == 0:
        given = 1
    else:
        chip = first_chip(chips)
        t.left[t.nodes[NODE.chip, node] + chip] += want.milli
        given = int(left_on(t, node, chip) == MILLI_PER_CHIP)
        if given:
            t.nodes[NODE.whole, node] |= chips
            t.nodes[NODE.shared, node] &= ~chips
    t.nodes[NODE.sizes, node] = -1
    take(t, node, -given, -want.cpus, -want.memory_mib)


@compiled
def _settle(t: Tables, node: int, want: Want, chips: int) -> int:
    """Of the chips that a restored job is said to have, those that it can have."""
    whole = t.nodes[NODE.whole, node]
    if want.milli == 0:
        return lowest_chips(chips & whole, want.chips)
    chips = lowest_chips(chips & (whole | t.nodes[NODE.shared, node]), 1)
    if chips != 0 and left_on(t, node, first_chip(chips)) < want.milli:
        return 0
    return chips


@compiled
def _hand(t: Tables, node: int, want: Want, end_s: int) -> int:
    """The chips that a job gets on a node. A chip that it opens may be the one that reservations were going to open."""
    chips = choose_chips(t, node, want, end_s)
    if want.milli > 0 and t.nodes[NODE.hold, node] >= 0 and chips & t.nodes[NODE.whole, node]:
        label = open_label(t, node, want.milli, end_s)
        if label >= FIRST_LABEL:
            relabel(t, node, label, first_chip(chips))
    return chips


@compiled
def _changed(t: Tables, node: int) -> None:
    pool = t.nodes[NODE.pool, node]
    t.changed[t.pools[POOL.node, pool] + t.pools[POOL.changes, pool] % t.pools[POOL.nodes, pool]] = node
    t.pools[POOL.changes, pool] += 1
    t.pools[POOL.version, pool] += 1


@compiled
def _link(t: Tables, claim: int) -> None:
    """Insert a claim in its node's list, which is sorted by expected end."""
    node, end_s = t.claims[CLAIM.node, claim], t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]]
    before, after = -1, t.nodes[NODE.claim, node]
    while after >= 0 and t.jobs[JOB.end_s, t.claims[CLAIM.job, after]] <= end_s:
        before, after = after, t.claims[CLAIM.next, after]
    t.claims[CLAIM.before, claim], t.claims[CLAIM.next, claim] = before, after
    if after >= 0:
        t.claims[CLAIM.before, after] = claim
    if before >= 0:
        t.claims[CLAIM.next, before] = claim
    else:
        t.nodes[NODE.claim, node] = claim
    _changed(t, node)


@compiled
def _unlink(t: Tables, claim: int) -> None:
    before, after = t.claims[CLAIM.before, claim], t.claims[CLAIM.next, claim]
    if after >= 0:
        t.claims[CLAIM.before, after] = before
    if before >= 0:
        t.claims[CLAIM.next, before] = after
    else:
        t.nodes[NODE.claim, t.claims[CLAIM.node, claim]] = after
    _changed(t, t.claims[CLAIM.node, claim])


@compiled
def _claim(t: Tables, job: int, node: int, want: Want, chips: int) -> None:
    claim = t.size[SIZE.free_claim]
    if claim >= 0:
        t.size[SIZE.free_claim] = t.claims[CLAIM.sibling, claim]
    else:
        claim = t.size[SIZE.claims]
        t.size[SIZE.claims] += 1
    t.claims[CLAIM.node, claim], t.claims[CLAIM.job, claim], t.claims[CLAIM.chips, claim] = node, job, chips
    t.claims[CLAIM.sibling, claim] = t.jobs[JOB.claim, job]
    t.jobs[JOB.claim, job] = claim
    occupy(t, node, want, chips)
    _link(t, claim)


@compiled
def _set_place(t: Tables, job: int, pool: int, row: int, end_s: int) -> Want:
    want = want_of(t, row)
    t.jobs[JOB.pool, job], t.jobs[JOB.chips, job], t.jobs[JOB.cpus, job], t.jobs[JOB.end_s, job] = (
        pool,
        want.chips,
        want.cpus,
        end_s,
    )
    t.jobs[JOB.milli, job], t.jobs[JOB.memory_mib, job] = want.milli, want.memory_mib
    t.jobs[JOB.variant, job] = row - t.jobs[JOB.row, job]
    return want


@compiled
def allocate(t: Tables, job: int, pool: int, row: int, end_s: int, nodes: Array) -> None:
    want = _set_place(t, job, pool, row, end_s)
    for node in nodes:
        _claim(t, job, node, want, _hand(t, node, want, end_s))
    charge(t, job, pool, 1)


@compiled
def restore(t: Tables, job: int, pool: int, row: int, end_s: int, nodes: Array, chips: Array) -> None:
    """Allocate on the chips that are told for every node, -1 for one of which none are told."""
    want = _set_place(t, job, pool, row, end_s)
    for i in range(nodes.shape[0]):
        node = nodes[i]
        told = _settle(t, node, want, chips[i]) if chips[i] >= 0 else _hand(t, node, want, end_s)
        _claim(t, job, node, want, told)
    charge(t, job, pool, 1)


@compiled
def release(t: Tables, job: int) -> None:
    charge(t, job, t.jobs[JOB.pool, job], -1)
    t.jobs[JOB.leaving, job] = -1
    want = _has_of(t, job)
    claim = t.jobs[JOB.claim, job]
    while claim >= 0:
        sibling = t.claims[CLAIM.sibling, claim]
        _unlink(t, claim)
        _vacate(t, t.claims[CLAIM.node, claim], want, t.claims[CLAIM.chips, claim])
        t.claims[CLAIM.job, claim] = -1
        t.claims[CLAIM.sibling, claim] = t.size[SIZE.free_claim]
        t.size[SIZE.free_claim] = claim
        claim = sibling
    t.jobs[JOB.claim, job] = t.jobs[JOB.pool, job] = -1


@compiled
def chips_of(t: Tables, job: int, chips: Array) -> None:
    """The chips of a job that was just placed, in the order of its nodes."""
    claim, i = t.jobs[JOB.claim, job], chips.shape[0]
    while claim >= 0:
        i -= 1
        chips[i] = t.claims[CLAIM.chips, claim]
        claim = t.claims[CLAIM.sibling, claim]


@compiled
def reoccupy(t: Tables, node: int) -> None:
    """Count what the claims of a node take of it, anew. Chips that the node no longer has are struck off."""
    chips = all_chips(t.nodes[NODE.chips, node])
    t.nodes[NODE.whole, node], t.nodes[NODE.shared, node], t.nodes[NODE.sizes, node] = chips, 0, 0
    claim = t.nodes[NODE.claim, node]
    while claim >= 0:
        job = t.claims[CLAIM.job, claim]
        want = _has_of(t, job)
        t.claims[CLAIM.chips, claim] &= chips
        occupy(t, node, want, t.claims[CLAIM.chips, claim])
        claim = t.claims[CLAIM.next, claim]


@compiled
def move_end(t: Tables, job: int, end_s: int) -> None:
    claim = t.jobs[JOB.claim, job]
    while claim >= 0:
        _unlink(t, claim)
        claim = t.claims[CLAIM.sibling, claim]
    t.jobs[JOB.end_s, job] = end_s
    claim = t.jobs[JOB.claim, job]
    while claim >= 0:
        _link(t, claim)
        claim = t.claims[CLAIM.sibling, claim]
