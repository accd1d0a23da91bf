"""Reservations: made anew in every pass, on concrete nodes, and never delayed by jobs behind."""

from suanwang.domain.scheduling.kernel.closures import is_open, list_closures, next_opening
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    HOLD,
    JOB,
    MAX_SHARED_CHIPS,
    NEVER,
    NODE,
    POOL,
    SIZE,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, inlined
from suanwang.domain.scheduling.kernel.shares import NO_LABEL, find_label, free_at, has_room


@compiled
def open_pass(t: Tables) -> None:
    t.size[SIZE.holds] = t.size[SIZE.kept_holds] = t.size[SIZE.preempted] = 0
    t.size[SIZE.passes] += 1
    t.size[SIZE.eased] += 1
    for pool in range(t.size[SIZE.pools]):
        t.pools[POOL.held, pool] = -1
        t.pools[POOL.first_hold_s, pool] = t.pools[POOL.first_closure_s, pool] = NEVER
        t.pools[POOL.holders, pool], t.pools[POOL.not_before_s, pool] = 0, -NEVER
        t.pools[POOL.version, pool] += 1
    list_closures(t)


@compiled
def close_pass(t: Tables) -> None:
    for pool in range(t.size[SIZE.pools]):
        node = t.pools[POOL.held, pool]
        while node >= 0:
            t.nodes[NODE.hold, node] = -1
            node = t.nodes[NODE.held_next, node]


@compiled
def hold_on(t: Tables, node: int, start_s: int, end_s: int, now_s: int, want: Want, job: int) -> None:
    """Reserve a part of a node for a job, in this pass."""
    pool = t.nodes[NODE.pool, node]
    label = find_label(t, node, want.milli, start_s, end_s, now_s) if want.milli > 0 else -1
    if t.nodes[NODE.hold, node] < 0 and t.nodes[NODE.closure, node] < 0:
        t.nodes[NODE.held_next, node] = t.pools[POOL.held, pool]
        t.pools[POOL.held, pool] = node
    hold = t.size[SIZE.holds]
    t.size[SIZE.holds] += 1
    t.holds[HOLD.start_s, hold], t.holds[HOLD.end_s, hold] = start_s, end_s
    t.holds[HOLD.chips, hold], t.holds[HOLD.cpus, hold] = want.chips, want.cpus
    t.holds[HOLD.milli, hold], t.holds[HOLD.memory_mib, hold] = want.milli, want.memory_mib
    t.holds[HOLD.label, hold], t.holds[HOLD.node, hold], t.holds[HOLD.job, hold] = label, node, job
    t.holds[HOLD.next, hold] = t.nodes[NODE.hold, node]
    t.nodes[NODE.hold, node] = hold
    t.pools[POOL.first_hold_s, pool] = min(t.pools[POOL.first_hold_s, pool], start_s)
    t.pools[POOL.version, pool] += 1


@compiled
def find_first_hold(t: Tables, pool: int) -> None:
    """After holds of a pool were put off or given up."""
    first_s, node = NEVER, t.pools[POOL.held, pool]
    while node >= 0:
        hold = t.nodes[NODE.hold, node]
        while hold >= 0:
            if t.holds[HOLD.start_s, hold] < t.holds[HOLD.end_s, hold]:
                first_s = min(first_s, t.holds[HOLD.start_s, hold])
            hold = t.holds[HOLD.next, hold]
        node = t.nodes[NODE.held_next, node]
    t.pools[POOL.first_hold_s, pool] = first_s
    t.pools[POOL.version, pool] += 1


@compiled
def _has(t: Tables, node: int, want: Want, at_s: int, now_s: int) -> bool:
    chips, cpus, memory_mib = free_at(t, node, at_s, now_s)
    return (
        chips >= want.chips
        and (want.cpus == 0 or cpus >= want.cpus)
        and (want.memory_mib == 0 or memory_mib >= want.memory_mib)
    )


@inlined
def fits_now(t: Tables, node: int, want: Want) -> bool:
    """Whether the node has free what is wanted, reservations aside."""
    return (
        t.nodes[NODE.free_chips, node] >= want.chips
        and (want.cpus == 0 or t.nodes[NODE.free_cpus, node] >= want.cpus)
        and (want.memory_mib == 0 or t.nodes[NODE.free_memory_mib, node] >= want.memory_mib)
        and (want.milli == 0 or (t.nodes[NODE.chips, node] <= MAX_SHARED_CHIPS and has_room(t, node, want.milli)))
    )


@compiled
def fits(t: Tables, node: int, want: Want, from_s: int, until_s: int, now_s: int) -> bool:
    """Whether the node has what is wanted free from one time until another. Only the start of a hold can spoil it
    later."""
    if (t.size[SIZE.closures] > 0 or want.booking >= 0) and not is_open(t, node, want.booking, from_s, until_s):
        return False
    hold = t.nodes[NODE.hold, node]
    if hold < 0 and from_s <= now_s:
        return fits_now(t, node, want)
    fits = _has(t, node, want, from_s, now_s)
    while fits and hold >= 0:
        if from_s < t.holds[HOLD.start_s, hold] < until_s:
            fits = _has(t, node, want, t.holds[HOLD.start_s, hold], now_s)
        hold = t.holds[HOLD.next, hold]
    if fits and want.milli > 0:
        return (
            t.nodes[NODE.chips, node] <= MAX_SHARED_CHIPS
            and find_label(t, node, want.milli, from_s, until_s, now_s) != NO_LABEL
        )
    return fits


@compiled
def next_release(t: Tables, node: int, after_s: int) -> int:
    """The first time after `after_s` (later than now) at which a claim, a hold or a closure on the node ends."""
    next_s, claim, hold = next_opening(t, node, after_s), t.nodes[NODE.claim, node], t.nodes[NODE.hold, node]
    while claim >= 0:
        end_s = t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]]
        if end_s > after_s:
            next_s = min(next_s, end_s)
            break
        claim = t.claims[CLAIM.next, claim]
    while hold >= 0:
        if after_s < t.holds[HOLD.end_s, hold] < next_s:
            next_s = t.holds[HOLD.end_s, hold]
        hold = t.holds[HOLD.next, hold]
    return next_s
