"""Free chips of nodes, and claims: an allocation holds one claim on each of its nodes."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

import numpy as np

from suanwang.domain.scheduling.kernel.columns import CLAIM, JOB, NODE, POOL, ROW, SIZE, Array, Tables
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.tenants import charge

_MAGIC = np.uint64(0x03F79D71B4CB0A89)  # a de Bruijn sequence: the top six bits of (1 << i) * _MAGIC differ for every i
_BIT = np.zeros(64, np.int64)
_BIT[[((1 << i) * int(_MAGIC) % 2**64) >> 58 for i in range(64)]] = np.arange(64)
ZERO, ONE, _TOP = np.uint64(0), np.uint64(1), np.uint64(58)


@compiled
def lowest_bit(word: np.uint64) -> Any:
    return _BIT[np.int64(((word & (~word + ONE)) * _MAGIC) >> _TOP)]


@compiled
def level_of(t: Tables, node: int) -> int:
    return max(0, min(t.nodes[NODE.free_chips, node], t.pools[POOL.levels, t.nodes[NODE.pool, node]] - 1))


@compiled
def mark(t: Tables, node: int, level: int, step: int) -> None:
    """Put the node on a level (step 1) or take it off (step -1)."""
    pool = t.nodes[NODE.pool, node]
    local = node - t.pools[POOL.node, pool]
    t.levels[t.pools[POOL.level, pool] + level] += step
    word = t.pools[POOL.bits, pool] + level * t.pools[POOL.words, pool] + (local >> 6)
    t.bits[word] ^= ONE << np.uint64(local & 63)


@compiled
def take(t: Tables, node: int, chips: int, cpus: int) -> None:
    """Chips and CPUs of a node are taken, or given back if negative."""
    before = level_of(t, node)
    t.nodes[NODE.free_chips, node] -= chips
    t.nodes[NODE.free_cpus, node] -= cpus
    after = level_of(t, node)
    if before != after:
        mark(t, node, before, -1)
        mark(t, node, after, 1)


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
def allocate(t: Tables, job: int, pool: int, row: int, end_s: int, nodes: Array) -> None:
    chips, cpus = t.rows[ROW.chips, row], t.rows[ROW.cpus, row]
    t.jobs[JOB.pool, job], t.jobs[JOB.chips, job], t.jobs[JOB.cpus, job], t.jobs[JOB.end_s, job] = (
        pool,
        chips,
        cpus,
        end_s,
    )
    t.jobs[JOB.variant, job] = row - t.jobs[JOB.row, job]
    for node in nodes:
        claim = t.size[SIZE.free_claim]
        if claim >= 0:
            t.size[SIZE.free_claim] = t.claims[CLAIM.sibling, claim]
        else:
            claim = t.size[SIZE.claims]
            t.size[SIZE.claims] += 1
        t.claims[CLAIM.node, claim], t.claims[CLAIM.job, claim] = node, job
        t.claims[CLAIM.sibling, claim] = t.jobs[JOB.claim, job]
        t.jobs[JOB.claim, job] = claim
        take(t, node, chips, cpus)
        _link(t, claim)
    charge(t, job, pool, 1)


@compiled
def release(t: Tables, job: int) -> None:
    charge(t, job, t.jobs[JOB.pool, job], -1)
    t.jobs[JOB.leaving, job] = -1
    claim = t.jobs[JOB.claim, job]
    while claim >= 0:
        sibling = t.claims[CLAIM.sibling, claim]
        _unlink(t, claim)
        take(t, t.claims[CLAIM.node, claim], -t.jobs[JOB.chips, job], -t.jobs[JOB.cpus, job])
        t.claims[CLAIM.job, claim] = -1
        t.claims[CLAIM.sibling, claim] = t.size[SIZE.free_claim]
        t.size[SIZE.free_claim] = claim
        claim = sibling
    t.jobs[JOB.claim, job] = t.jobs[JOB.pool, job] = -1


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
