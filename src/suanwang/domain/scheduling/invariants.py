"""What must hold of a state between two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suanwang.domain.scheduling.kernel.columns import CLAIM, JOB, NODE, POOL, SIZE, Tables

if TYPE_CHECKING:
    from suanwang.domain.scheduling.state import State


def _ensure(holds: bool, invariant: str, *facts: object) -> None:
    if not holds:
        raise AssertionError(f"{invariant}: {facts}")


def check_invariants(state: State) -> None:
    """Raises AssertionError naming the invariant that does not hold."""
    _check_index(state)
    _check_claims(state)
    _check_levels(state.tables)
    _check_profiles(state.tables)
    _check_queue(state)


def _check_index(state: State) -> None:
    t = state.tables
    for job_id, job in state.jobs.items():
        _ensure(job.ask.job_id == job_id and state.job_at[job.slot] is job, "names and columns agree", job_id)
        _ensure((t.jobs[JOB.pool, job.slot] >= 0) == job.placed, "placed is placed in both", job_id)
    _ensure(sum(job is not None for job in state.job_at) == len(state.jobs), "no columns without a job")
    for pool, names in enumerate(state.node_names):
        _ensure(len(names) == t.pools[POOL.nodes, pool] == len(set(names)), "every node has one name", pool)
    ids = [state.pools[pool].id for pool in t.pools[POOL.in_order, : len(state.pools)]]
    _ensure(ids == sorted(state.pool_index), "pools are in order", ids)


def _check_claims(state: State) -> None:
    """Free is capacity less allocations; nothing is allocated twice; every list is whole."""
    t = state.tables
    used_chips, used_cpus, on_node = t.nodes[NODE.chips].copy(), t.nodes[NODE.cpus].copy(), 0
    for job in state.jobs.values():
        claim, nodes = int(t.jobs[JOB.claim, job.slot]), []
        while claim >= 0:
            _ensure(t.claims[CLAIM.job, claim] == job.slot, "a claim is of its job", job.ask.job_id)
            nodes.append(int(t.claims[CLAIM.node, claim]))
            claim = int(t.claims[CLAIM.sibling, claim])
        _ensure(len(nodes) == (job.ask.num_nodes if job.placed else 0), "a gang has all its nodes", job.ask.job_id)
        _ensure(len(nodes) == len(set(nodes)), "a gang has distinct nodes", job.ask.job_id)
        for node in nodes:
            _ensure(t.nodes[NODE.pool, node] == t.jobs[JOB.pool, job.slot], "nodes are of the pool", job.ask.job_id)
            used_chips[node] -= t.jobs[JOB.chips, job.slot]
            used_cpus[node] -= t.jobs[JOB.cpus, job.slot]
        on_node += len(nodes)
    _ensure(np.array_equal(used_chips, t.nodes[NODE.free_chips]), "free chips = capacity - allocations")
    _ensure(np.array_equal(used_cpus, t.nodes[NODE.free_cpus]), "free CPUs = capacity - allocations")
    for node in range(t.nodes.shape[1]):
        claim, before, end_s = int(t.nodes[NODE.claim, node]), -1, None
        while claim >= 0:
            job_slot = int(t.claims[CLAIM.job, claim])
            _ensure(t.claims[CLAIM.node, claim] == node, "a claim is on its node", node)
            _ensure(t.claims[CLAIM.before, claim] == before, "a node's list is linked both ways", node)
            _ensure(end_s is None or end_s <= t.jobs[JOB.end_s, job_slot], "a node's list is by end", node)
            before, end_s, claim = claim, int(t.jobs[JOB.end_s, job_slot]), int(t.claims[CLAIM.next, claim])
            on_node -= 1
        fits = t.nodes[NODE.free_chips, node] >= 0 and t.nodes[NODE.free_cpus, node] >= 0
        _ensure(bool(fits) or state.node_at(node) in state.overfull, "no node is over-committed", node)
        _ensure(t.nodes[NODE.hold, node] == -1, "no reservation outlives its pass", node)
    _ensure(on_node == 0, "claims of jobs are claims on nodes", on_node)


def _check_levels(t: Tables) -> None:
    for pool in range(int(t.size[SIZE.pools])):
        first, count = int(t.pools[POOL.node, pool]), int(t.pools[POOL.nodes, pool])
        words, levels = int(t.pools[POOL.words, pool]), int(t.pools[POOL.levels, pool])
        free = np.clip(t.nodes[NODE.free_chips, first : first + count], 0, levels - 1)
        for level in range(levels):
            at = int(t.pools[POOL.bits, pool]) + level * words
            bits = np.unpackbits(t.bits[at : at + words].view(np.uint8), bitorder="little")
            _ensure(
                np.array_equal(np.flatnonzero(bits), np.flatnonzero(free == level)), "bits tell levels", pool, level
            )
            _ensure(t.levels[t.pools[POOL.level, pool] + level] == (free == level).sum(), "levels are counted", pool)


def _check_profiles(t: Tables) -> None:
    demands = int(t.size[SIZE.demands])
    for pool in range(int(t.size[SIZE.pools])):
        first, count = int(t.pools[POOL.node, pool]), int(t.pools[POOL.nodes, pool])
        for slot in range(pool * demands, (pool + 1) * demands):
            if (t.demands[:, slot] < 0).any():
                continue
            at = first * demands + (slot - pool * demands) * count
            kept = np.sort(t.free_from[at : at + count])
            _ensure(np.array_equal(kept, t.times[at : at + count]), "kept times are sorted", pool, slot)


def _check_queue(state: State) -> None:
    queue = state.queue()
    waiting = [job.ask.job_id for job in queue]
    expected = sorted(job_id for job_id, job in state.jobs.items() if not job.placed)
    _ensure(sorted(waiting) == expected, "who is not placed waits, once", waiting)
    _ensure(sum(job.ask.num_nodes for job in queue) == state.queued_nodes, "waiting nodes are counted")
