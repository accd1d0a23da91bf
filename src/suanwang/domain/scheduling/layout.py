"""How tables are made and grow, and how the nodes of all pools lie in them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.kernel.columns import (
    ASKED,
    BOOKING,
    BRANCH,
    BRIEF,
    CABINET,
    CLAIM,
    CLOSURE,
    DEMAND,
    FACTOR,
    HOLD,
    JOB,
    LIMIT,
    MAX_POOLS_IN_BITS,
    MAX_SHARED_CHIPS,
    MEMO,
    MEMO_SIZE,
    NODE,
    POOL,
    PREEMPTED,
    PROMISE,
    ROW,
    SHAPE,
    SIZE,
    WINDOW,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.entries import fill
from suanwang.domain.scheduling.typical import no_typical
from suanwang.units import MILLI_PER_CHIP

FIRST_PROFILES = 16
MAX_PROFILE_BYTES = 2**28
BITS_PER_WORD = 64
MAX_SCORE = 100


def empty_tables() -> Tables:
    """Tables of a state without pools and jobs."""
    size = np.zeros(len(SIZE), np.int64)
    size[SIZE.free_claim], size[SIZE.demands], size[SIZE.half_life_s] = -1, FIRST_PROFILES, -1

    def table(fields: Sequence[int], width: int = 0) -> Array:
        return np.full((max(fields) + 1, width), -1, np.int64)

    none = np.zeros(0, np.int64)
    return Tables(
        size=size,
        pools=table(POOL),
        nodes=table(NODE),
        shapes=table(SHAPE),
        claims=table(CLAIM),
        jobs=table(JOB),
        rows=table(ROW),
        matches=np.zeros((0, 0), np.int64),
        queue=none,
        fresh=none,
        scores=np.zeros(0),
        factors=np.zeros(len(FACTOR)),
        spare=none,
        brief=np.zeros((0, len(BRIEF)), np.int64),
        sizes=np.zeros((0, ASKED.barred + MAX_POOLS_IN_BITS), np.int64),
        prices=np.zeros((0, 0), np.int64),
        codes=np.zeros((0, 0), np.int64),
        levels=none,
        bits=np.zeros(0, np.uint64),
        demands=table(DEMAND),
        free_from=none,
        times=none,
        changed=none,
        holds=table(HOLD),
        left=np.zeros(0, np.int16),
        typical=no_typical(),
        scratch=none,
        tally=none,
        memo=np.full((MEMO_SIZE, len(MEMO)), -1, np.int64),
        branches=table(BRANCH),
        limits=np.zeros((len(LIMIT), 0, 0), np.int64),
        spent=np.zeros(0),
        weights=np.zeros(0),
        promises=table(PROMISE),
        victims=none,
        preempted=table(PREEMPTED),
        closures=table(CLOSURE),
        windows=table(WINDOW),
        bookings=table(BOOKING),
        cabinets=table(CABINET),
        by_cabinet=none,
        owns=np.zeros((0, 0), np.int64),
    )


def grown(array: npt.NDArray[Any], axis: int, needed: int) -> npt.NDArray[Any]:
    """The array itself if it is long enough, else a copy at least twice as long; what is new is not yet written."""
    length = array.shape[axis]
    if length >= needed:
        return array
    shape = list(array.shape)
    shape[axis] = max(needed, 2 * length, 8)
    longer = np.empty(shape, array.dtype)
    longer[tuple(slice(0, end) for end in array.shape)] = array
    return longer


def _stretches(lengths: Sequence[int]) -> list[int]:
    """Where stretches of these lengths begin if they lie one after the other."""
    return [0, *np.cumsum(lengths).tolist()][:-1]


def place_nodes(t: Tables, sizes: Sequence[Array], moved: Array) -> Tables:
    """Lay out the nodes of all pools anew.

    `sizes`: [chips, CPUs, memory] by node of every pool; `moved`: the new place of every node so far, -1 if it is gone
    (only nodes without claims may go).
    """
    counts = [size.shape[1] for size in sizes]
    total = sum(counts)
    nodes = np.full((len(NODE), total), -1, np.int64)
    nodes[NODE.pool] = np.repeat(np.arange(len(sizes)), counts)
    chips, cpus, memory_mib = np.concatenate(sizes, axis=1)
    nodes[NODE.chips] = nodes[NODE.free_chips] = chips
    nodes[NODE.cpus] = nodes[NODE.free_cpus] = cpus
    nodes[NODE.memory_mib] = nodes[NODE.free_memory_mib] = memory_mib
    told_apart = np.where(chips <= MAX_SHARED_CHIPS, chips, 0)
    nodes[NODE.chip] = np.cumsum(told_apart) - told_apart
    t.size[SIZE.most_chips], t.size[SIZE.most_cpus] = chips.max(initial=1), cpus.max(initial=1)
    t.size[SIZE.most_milli] = max((int(size[0].sum()) for size in sizes), default=0) * MILLI_PER_CHIP
    stays = moved >= 0
    nodes[NODE.claim, moved[stays]] = t.nodes[NODE.claim, stays]
    live = np.flatnonzero(t.claims[CLAIM.job, : t.size[SIZE.claims]] >= 0)
    t.claims[CLAIM.node, live] = moved[t.claims[CLAIM.node, live]]
    promised = t.promises[PROMISE.node, : t.size[SIZE.promises]]
    promised[promised >= 0] = moved[promised[promised >= 0]]

    shapes = [sorted(Counter(zip(*size.tolist(), strict=True)).items()) for size in sizes]
    levels = [int(size[0].max(initial=0)) + 1 for size in sizes]
    words = [-(-count // BITS_PER_WORD) for count in counts]
    bits = [level * word for level, word in zip(levels, words, strict=True)]
    known = slice(0, len(sizes))
    t.pools[POOL.node, known], t.pools[POOL.nodes, known] = _stretches(counts), counts
    t.pools[POOL.level, known], t.pools[POOL.levels, known] = _stretches(levels), levels
    t.pools[POOL.bits, known], t.pools[POOL.words, known] = _stretches(bits), words
    t.pools[POOL.shapes, known] = [len(distinct) for distinct in shapes]
    t.pools[POOL.shape, known] = _stretches([len(distinct) for distinct in shapes])
    t = t._replace(
        nodes=nodes,
        shapes=np.array([(*size, count) for pool in shapes for size, count in pool], np.int64)
        .reshape(-1, len(SHAPE))
        .T.copy(),
        levels=np.zeros(sum(levels), np.int64),
        bits=np.zeros(sum(bits), np.uint64),
        changed=np.zeros(total, np.int64),
        left=np.full(int(told_apart.sum()), MILLI_PER_CHIP, np.int16),
        scratch=np.zeros(total, np.int64),
        tally=np.zeros(max(2 * max(levels), MAX_SCORE + 1), np.int64),
    )
    fill(t)
    return keep_profiles(t, int(t.size[SIZE.demands]))


def place_cabinets(t: Tables, pools: Sequence[Pool]) -> Tables:
    """Number the cabinets of all pools, by their first node. A node without one is alone, as in a cabinet of its own.

    Pools that name no cabinet have none. A node that vanished under an allocation is alone.
    """
    sizes, by_cabinet = list[int](), list[int]()
    t.nodes[NODE.cabinet] = -1
    for number, pool in enumerate(pools):
        first, found = int(t.pools[POOL.node, number]), dict[str | int, list[int]]()
        if any(node.cabinet for node in pool.nodes):
            for at in range(int(t.pools[POOL.nodes, number])):
                name = pool.nodes[at].cabinet if at < len(pool.nodes) else ""
                found.setdefault(name or at, []).append(first + at)
        t.pools[POOL.cabinet, number], t.pools[POOL.cabinets, number] = len(sizes), len(found)
        for nodes in found.values():
            t.nodes[NODE.cabinet, nodes] = len(sizes)
            sizes.append(len(nodes))
            by_cabinet += nodes
    cabinets = np.zeros((len(CABINET), len(sizes)), np.int64)
    cabinets[CABINET.node], cabinets[CABINET.nodes] = _stretches(sizes), sizes
    return t._replace(cabinets=cabinets, by_cabinet=np.array(by_cabinet, np.int64))


def keep_profiles(t: Tables, demands: int) -> Tables:
    """Make room for so many profiles per pool; those kept so far are forgotten."""
    t.size[SIZE.demands], t.size[SIZE.evicted] = demands, 0
    t.pools[POOL.changes], t.pools[POOL.next_demand] = 0, 0
    length = t.nodes.shape[1] * demands
    return t._replace(
        demands=np.full((len(DEMAND), t.pools.shape[1] * demands), -1, np.int64),
        free_from=np.empty(length, np.int64),
        times=np.empty(length, np.int64),
    )


def with_enough_profiles(t: Tables) -> Tables:
    """More profiles per pool if some were given up for others, as far as memory allows."""
    demands = int(t.size[SIZE.demands])
    if t.size[SIZE.evicted] and t.nodes.shape[1] * demands * 4 * t.times.itemsize <= MAX_PROFILE_BYTES:
        return keep_profiles(t, 2 * demands)
    return t
