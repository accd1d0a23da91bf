"""What must hold of the tables between two steps."""

from collections.abc import Sequence

import numpy as np

from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    JOB,
    MAX_SHARED_CHIPS,
    NODE,
    POOL,
    SIZE,
    Tables,
)
from suanwang.units import MILLI_PER_CHIP


def ensure(holds: bool, invariant: str, *facts: object) -> None:
    """Raises AssertionError naming the invariant, also where assertions are switched off."""
    if not holds:
        raise AssertionError(f"{invariant}: {facts}")


def check_tables(t: Tables, slots: Sequence[int], overfull_nodes: set[int]) -> None:
    """`slots`: columns of jobs in use; `overfull_nodes`: where more may be allocated than there is."""
    _check_claims(t, slots)
    _check_nodes(t, overfull_nodes)
    _check_chips(t)
    _check_levels(t)
    _check_profiles(t)
    queue = t.queue[: t.size[SIZE.queued]].tolist()
    waiting = [slot for slot in slots if t.jobs[JOB.pool, slot] < 0]
    ensure(sorted(queue) == sorted(waiting), "who is not placed waits, once", queue, waiting)


def _check_claims(t: Tables, slots: Sequence[int]) -> None:
    """Free is capacity less allocations, and a gang is whole."""
    free_chips, free_cpus, claims = t.nodes[NODE.chips].copy(), t.nodes[NODE.cpus].copy(), 0
    free_memory_mib, shared = t.nodes[NODE.memory_mib].copy(), set[tuple[int, int]]()
    for slot in slots:
        pool, nodes, claim = t.jobs[JOB.pool, slot], list[int](), int(t.jobs[JOB.claim, slot])
        while claim >= 0:
            ensure(t.claims[CLAIM.job, claim] == slot, "a claim is of its job", slot)
            nodes.append(node := int(t.claims[CLAIM.node, claim]))
            if t.jobs[JOB.milli, slot] > 0:
                chips = int(t.claims[CLAIM.chips, claim])
                free_chips[node] -= chips == 0 or (node, chips) not in shared
                shared.add((node, chips))
            claim = int(t.claims[CLAIM.sibling, claim])
        ensure(len(nodes) == (t.jobs[JOB.nodes, slot] if pool >= 0 else 0), "a gang has all its nodes", slot)
        ensure(len(nodes) == len(set(nodes)), "a gang has distinct nodes", slot)
        for node in nodes:
            ensure(t.nodes[NODE.pool, node] == pool, "nodes are of the pool", slot)
            free_chips[node] -= t.jobs[JOB.chips, slot]
            free_cpus[node] -= t.jobs[JOB.cpus, slot]
            free_memory_mib[node] -= t.jobs[JOB.memory_mib, slot]
        claims += len(nodes)
    ensure(np.array_equal(free_chips, t.nodes[NODE.free_chips]), "free chips = capacity - allocations")
    ensure(np.array_equal(free_cpus, t.nodes[NODE.free_cpus]), "free CPUs = capacity - allocations")
    ensure(np.array_equal(free_memory_mib, t.nodes[NODE.free_memory_mib]), "free memory = capacity - allocations")
    in_use = int((t.claims[CLAIM.job, : t.size[SIZE.claims]] >= 0).sum())
    ensure(claims == in_use, "claims are of jobs that live", claims, in_use)


def _check_chips(t: Tables) -> None:
    """A chip is wholly free, or of one job, or of shares that together are not more than it is."""
    for node in range(t.nodes.shape[1]):
        count = int(t.nodes[NODE.chips, node])
        told_apart = count if count <= MAX_SHARED_CHIPS else 0
        whole, shared, left = (1 << told_apart) - 1, 0, [MILLI_PER_CHIP] * told_apart
        claim = int(t.nodes[NODE.claim, node])
        while claim >= 0:
            slot, chips = int(t.claims[CLAIM.job, claim]), int(t.claims[CLAIM.chips, claim])
            milli = int(t.jobs[JOB.milli, slot])
            if milli == 0 or not chips & shared:
                ensure(chips & ~whole == 0, "a chip has one job, or shares", node, slot)
            whole &= ~chips
            if milli > 0 and chips:
                ensure(chips & (chips - 1) == 0, "a share is of one chip", node, slot)
                shared |= chips
                left[chips.bit_length() - 1] -= milli
            claim = int(t.claims[CLAIM.next, claim])
        ensure((whole, shared) == (t.nodes[NODE.whole, node], t.nodes[NODE.shared, node]), "chips are in sets", node)
        first = int(t.nodes[NODE.chip, node])
        ensure(left == t.left[first : first + told_apart].tolist(), "left = all - shares", node)
        ensure(min(left, default=0) >= 0, "no chip is over-committed", node)


def _check_nodes(t: Tables, overfull_nodes: set[int]) -> None:
    """No node is over-committed, and its list of claims is whole and in order."""
    listed = 0
    for node in range(t.nodes.shape[1]):
        claim, before, end_s = int(t.nodes[NODE.claim, node]), -1, None
        while claim >= 0:
            slot = int(t.claims[CLAIM.job, claim])
            ensure(t.claims[CLAIM.node, claim] == node, "a claim is on its node", node)
            ensure(t.claims[CLAIM.before, claim] == before, "a node's list is linked both ways", node)
            ensure(end_s is None or end_s <= t.jobs[JOB.end_s, slot], "a node's list is by end", node)
            before, end_s, claim = claim, int(t.jobs[JOB.end_s, slot]), int(t.claims[CLAIM.next, claim])
            listed += 1
        fits = all(t.nodes[[NODE.free_chips, NODE.free_cpus, NODE.free_memory_mib], node] >= 0)
        ensure(bool(fits) or node in overfull_nodes, "no node is over-committed", node)
        ensure(t.nodes[NODE.hold, node] == -1, "no reservation outlives its pass", node)
    in_use = int((t.claims[CLAIM.job, : t.size[SIZE.claims]] >= 0).sum())
    ensure(listed == in_use, "claims of jobs are claims on nodes", listed, in_use)


def _check_levels(t: Tables) -> None:
    for pool in range(int(t.size[SIZE.pools])):
        first, count = int(t.pools[POOL.node, pool]), int(t.pools[POOL.nodes, pool])
        words, levels = int(t.pools[POOL.words, pool]), int(t.pools[POOL.levels, pool])
        free = np.clip(t.nodes[NODE.free_chips, first : first + count], 0, levels - 1)
        for level in range(levels):
            at = int(t.pools[POOL.bits, pool]) + level * words
            bits = np.unpackbits(t.bits[at : at + words].view(np.uint8), bitorder="little")
            ensure(np.array_equal(np.flatnonzero(bits), np.flatnonzero(free == level)), "bits tell levels", pool, level)
            ensure(t.levels[t.pools[POOL.level, pool] + level] == (free == level).sum(), "levels are counted", pool)


def _check_profiles(t: Tables) -> None:
    demands = int(t.size[SIZE.demands])
    for pool in range(int(t.size[SIZE.pools])):
        first, count = int(t.pools[POOL.node, pool]), int(t.pools[POOL.nodes, pool])
        for slot in range(pool * demands, (pool + 1) * demands):
            if (t.demands[:, slot] < 0).any():
                continue
            at = first * demands + (slot - pool * demands) * count
            kept = np.sort(t.free_from[at : at + count])
            ensure(np.array_equal(kept, t.times[at : at + count]), "kept times are sorted", pool, slot)
