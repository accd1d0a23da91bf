"""Reservations: made anew in every pass, on concrete nodes, and never delayed by jobs behind."""

from typing import Any

from suanwang.domain.scheduling.kernel.columns import CLAIM, HOLD, JOB, NEVER, NODE, POOL, SIZE, Tables
from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def open_pass(t: Tables) -> None:
    t.size[SIZE.holds] = t.size[SIZE.kept_holds] = t.size[SIZE.preempted] = 0
    t.size[SIZE.passes] += 1
    for pool in range(t.size[SIZE.pools]):
        t.pools[POOL.held, pool], t.pools[POOL.first_hold_s, pool] = -1, NEVER
        t.pools[POOL.holders, pool], t.pools[POOL.not_before_s, pool] = 0, -NEVER
        t.pools[POOL.version, pool] += 1


@compiled
def close_pass(t: Tables) -> None:
    for pool in range(t.size[SIZE.pools]):
        node = t.pools[POOL.held, pool]
        while node >= 0:
            t.nodes[NODE.hold, node] = -1
            node = t.nodes[NODE.held_next, node]


@compiled
def hold_on(t: Tables, node: int, start_s: int, end_s: int, chips: int, cpus: int, job: int) -> None:
    """Reserve a part of a node for a job, in this pass."""
    pool = t.nodes[NODE.pool, node]
    if t.nodes[NODE.hold, node] < 0:
        t.nodes[NODE.held_next, node] = t.pools[POOL.held, pool]
        t.pools[POOL.held, pool] = node
    hold = t.size[SIZE.holds]
    t.size[SIZE.holds] += 1
    t.holds[HOLD.start_s, hold], t.holds[HOLD.end_s, hold], t.holds[HOLD.next, hold] = (
        start_s,
        end_s,
        t.nodes[NODE.hold, node],
    )
    t.holds[HOLD.chips, hold], t.holds[HOLD.cpus, hold] = chips, cpus
    t.holds[HOLD.node, hold], t.holds[HOLD.job, hold] = node, job
    t.nodes[NODE.hold, node] = hold
    t.pools[POOL.first_hold_s, pool] = min(t.pools[POOL.first_hold_s, pool], start_s)
    t.pools[POOL.version, pool] += 1


@compiled
def free_at(t: Tables, node: int, at_s: int, now_s: int) -> Any:
    """(chips, CPUs) of a node that are free at a time, holds counted. What is overdue ends just after now."""
    chips, cpus = t.nodes[NODE.free_chips, node], t.nodes[NODE.free_cpus, node]
    claim = t.nodes[NODE.claim, node]
    while claim >= 0 and max(t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]], now_s + 1) <= at_s:
        chips += t.jobs[JOB.chips, t.claims[CLAIM.job, claim]]
        cpus += t.jobs[JOB.cpus, t.claims[CLAIM.job, claim]]
        claim = t.claims[CLAIM.next, claim]
    hold = t.nodes[NODE.hold, node]
    while hold >= 0:
        if t.holds[HOLD.start_s, hold] <= at_s < t.holds[HOLD.end_s, hold]:
            chips -= t.holds[HOLD.chips, hold]
            cpus -= t.holds[HOLD.cpus, hold]
        hold = t.holds[HOLD.next, hold]
    return chips, cpus


@compiled
def fits(t: Tables, node: int, chips: int, cpus: int, from_s: int, until_s: int, now_s: int) -> bool:
    """Whether the node has the demand free from one time until another. Only the start of a hold can spoil it later."""
    free_chips, free_cpus = free_at(t, node, from_s, now_s)
    fits = free_chips >= chips and (cpus == 0 or free_cpus >= cpus)
    hold = t.nodes[NODE.hold, node]
    while fits and hold >= 0:
        if from_s < t.holds[HOLD.start_s, hold] < until_s:
            free_chips, free_cpus = free_at(t, node, t.holds[HOLD.start_s, hold], now_s)
            fits = free_chips >= chips and (cpus == 0 or free_cpus >= cpus)
        hold = t.holds[HOLD.next, hold]
    return fits


@compiled
def next_release(t: Tables, node: int, after_s: int) -> int:
    """The first time after `after_s` (later than now) at which a claim or a hold on the node ends."""
    next_s, claim, hold = NEVER, t.nodes[NODE.claim, node], t.nodes[NODE.hold, node]
    while claim >= 0 and next_s == NEVER:
        end_s = t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]]
        if end_s > after_s:
            next_s = end_s
        claim = t.claims[CLAIM.next, claim]
    while hold >= 0:
        if after_s < t.holds[HOLD.end_s, hold] < next_s:
            next_s = t.holds[HOLD.end_s, hold]
        hold = t.holds[HOLD.next, hold]
    return next_s
