"""The kernel's numbers as codes and facts that people and programs can read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.decisions import PoolOutlook, Reason
from suanwang.domain.scheduling.events import Ask, AskVariant
from suanwang.domain.scheduling.kernel.codes import CODE, RIGHT
from suanwang.domain.scheduling.kernel.columns import MAX_SHARED_CHIPS, PREEMPTED
from suanwang.units import MIB_PER_GIB, MILLI_PER_CHIP, chips_of_milli

CODES = tuple(name.upper() for name in CODE._fields)
"""The name of every code. FITS: a pool can have the job; the others say why not, or what became of the job."""

REASON_OF_OBJECTIVE = MappingProxyType(
    {
        Objective.CHEAPEST: "CHEAPEST_POOL",
        Objective.SOONEST: "SOONEST_START",
        Objective.BALANCED: "BEST_BALANCE",
    }
)


def placed_reason(ask: Ask, fitting_pools: int | None, ahead: int) -> Reason:
    """Why there: how many pools fitted, and how many jobs ahead wait on (more than 0: it overtook without delaying)."""
    facts: dict[str, object] = {"objective": str(ask.objective), "ordered": ask.ordered, "waiting_ahead": ahead}
    if fitting_pools is not None:
        facts["fitting_pools"] = fitting_pools
    return Reason("ONLY_POOL" if fitting_pools == 1 else REASON_OF_OBJECTIVE[ask.objective], facts)


def waiting_reason(code: int, pool: Pool | None, variant: int, start_s: int, ahead: int) -> Reason:
    """`start_s`: expected from running allocations and the reservations ahead, at the moment of the decision."""
    if pool is None:
        return Reason(CODES[code], {"waiting_ahead": ahead})
    return Reason(
        CODES[code], {"pool_id": pool.id, "variant": variant, "expected_start_s": start_s, "waiting_ahead": ahead}
    )


def not_foreseen(outlook: PoolOutlook, looked_at: int) -> PoolOutlook:
    """The same of a pool that can have the job, but behind more jobs than are looked at."""
    if not outlook.feasible:
        return outlook
    return replace(outlook, reason=Reason("NOT_FORESEEN", {"looked_at": looked_at}), start_s=None, finish_s=None)


def preempted_reason(victim: Ask, preemptor: Ask, pool_id: str, told: Sequence[int]) -> Reason:
    """For whom, by which right, and what the whole set of victims loses: the cheapest first, and nobody in vain."""
    code = "GIVEN_BACK" if told[PREEMPTED.right] == RIGHT.give_back else "HIGHER_PRIORITY"
    return Reason(
        code,
        {
            "for_job_id": preemptor.job_id,
            "pool_id": pool_id,
            "priority": victim.priority,
            "for_priority": preemptor.priority,
            "lost_s": told[PREEMPTED.lost_s],
            "victims": told[PREEMPTED.victims],
            "victims_lost_chip_s": told[PREEMPTED.lost_milli_s] / MILLI_PER_CHIP,
            "considered": told[PREEMPTED.considered],
            "preemptions": victim.preemptions + 1,
        },
    )


Facts: TypeAlias = dict[str, object]
Shapes: TypeAlias = Mapping[tuple[int, int, int], int]
"""(chips, CPUs, MiB) -> how many nodes of a pool have just these."""


def _price_facts(ask: Ask, wanted: AskVariant, pool: Pool) -> Facts:
    fen = pool.offer.price_fen(preemptible=ask.preemptible)
    milli = fen * wanted.chips_per_node * wanted.chip_milli * ask.num_nodes
    fen_per_hour = -(-milli // MILLI_PER_CHIP)
    return {"fen_per_hour": fen_per_hour, "max_fen_per_hour": wanted.max_fen_per_hour}


def _size_facts(wanted: AskVariant, shapes: Shapes) -> Facts:
    return {
        "chips_per_node": max((chips for chips, _, _ in shapes), default=0),
        "cpus_per_node": max((cpus for _, cpus, _ in shapes), default=0),
        "wanted_chips_per_node": wanted.chips_per_node,
        "wanted_cpus_per_node": wanted.cpus_per_node,
    }


def _is_large_enough(wanted: AskVariant, chips: int, cpus: int) -> bool:
    """But for its memory."""
    sharing = wanted.share_milli == 0 or chips <= MAX_SHARED_CHIPS
    return chips >= wanted.chips_per_node and cpus >= wanted.cpus_per_node and sharing


def _memory_facts(wanted: AskVariant, shapes: Shapes) -> Facts:
    most_mib = max(mib for chips, cpus, mib in shapes if _is_large_enough(wanted, chips, cpus))
    return {"memory_gib": most_mib // MIB_PER_GIB, "wanted_memory_gib": -(-wanted.memory_mib_per_node // MIB_PER_GIB)}


def _count_facts(ask: Ask, wanted: AskVariant, shapes: Shapes) -> Facts:
    fitting = sum(
        nodes
        for (chips, cpus, mib), nodes in shapes.items()
        if _is_large_enough(wanted, chips, cpus) and mib >= wanted.memory_mib_per_node
    )
    return {"fitting_nodes": fitting, "wanted_nodes": ask.num_nodes}


def _cabinet_facts(ask: Ask, wanted: AskVariant, pool: Pool) -> Facts:
    """A node without a cabinet is alone."""
    large = Counter(
        node.cabinet
        for node in pool.nodes
        if _is_large_enough(wanted, node.chips, node.cpus)
        and (node.memory_mib is None or node.memory_mib >= wanted.memory_mib_per_node)
    )
    del large[""]
    return {"largest_cabinet": max(large.values(), default=1), "wanted_nodes": ask.num_nodes}


_BOOKING_CODES = frozenset({CODE.booking_unknown, CODE.booking_not_open_to_tenant, CODE.booking_has_no_room})
_REFUSAL_FACTS: MappingProxyType[int, Callable[[Ask, AskVariant, Pool, int], Facts]] = MappingProxyType(
    {
        CODE.chip_mismatch: lambda ask, wanted, pool, fen: {"chip": pool.chip_id, "wanted": sorted(wanted.chip_ids)},
        CODE.no_cabinet_fits: lambda ask, wanted, pool, fen: _cabinet_facts(ask, wanted, pool),
        CODE.walltime_over_limit: lambda ask, wanted, pool, fen: {
            "max_walltime_s": pool.offer.max_walltime_s,
            "wanted_walltime_s": ask.walltime_s,
        },
        CODE.other_centre_pinned: lambda ask, wanted, pool, fen: {"centre": pool.centre_id, "wanted": wanted.centre},
        CODE.checkpoint_elsewhere: lambda ask, wanted, pool, fen: {
            "centre": pool.centre_id,
            "checkpoint": ask.only_centre,
        },
        CODE.price_over_limit: lambda ask, wanted, pool, fen: _price_facts(ask, wanted, pool),
        CODE.cost_over_budget: lambda ask, wanted, pool, fen: {"price_fen": fen, "max_cost_fen": ask.max_cost_fen},
        CODE.pool_unseen: lambda ask, wanted, pool, fen: {"centre": pool.centre_id},
        CODE.pool_drained: lambda ask, wanted, pool, fen: {"centre": pool.centre_id},
        CODE.booking_elsewhere: lambda ask, wanted, pool, fen: {"booking_id": ask.booking_id},
        **dict.fromkeys(_BOOKING_CODES, lambda ask, wanted, pool, fen: {"booking_id": ask.booking_id}),
    }
)
"""The two sides that do not meet: what the job asks for, and what the pool has."""


def _facts(pool: Pool, shapes: Shapes, ask: Ask, wanted: AskVariant, code: int, fen: int) -> Facts:
    if code == CODE.node_too_small:
        return _size_facts(wanted, shapes)
    if code == CODE.node_memory_too_small:
        return _memory_facts(wanted, shapes)
    if code == CODE.too_few_nodes:
        return _count_facts(ask, wanted, shapes)
    return _REFUSAL_FACTS[code](ask, wanted, pool, fen)


def pool_outlook(
    pool: Pool,
    shapes: Shapes,
    ask: Ask,
    variant: int,
    code: int,
    start_s: int,
    prices_fen: Sequence[int],
    quota: Facts | None = None,
) -> PoolOutlook:
    """`prices_fen`: of every variant of the job at this pool. A pool that can never have the job shows no price, but
    for the price that is over the budget, which is among the facts. `quota`: what there is of it, if it is too little.
    """
    if code == CODE.fits:
        facts: dict[str, object] = {"fen_per_chip_hour": pool.offer.price_fen(preemptible=ask.preemptible)}
        finish_s = start_s + ask.walltime_s
        return PoolOutlook(pool.id, variant, True, Reason("FITS", facts), start_s, finish_s, prices_fen[variant])
    wanted = ask.variants[variant]
    if quota is None:
        facts = _facts(pool, shapes, ask, wanted, code, prices_fen[variant])
    else:
        milli = wanted.chips_per_node * wanted.chip_milli * ask.num_nodes
        facts = {**quota, "wanted_chips": chips_of_milli(milli)}
    passing = code in {CODE.pool_unseen, CODE.pool_drained, CODE.over_quota, *_BOOKING_CODES}
    price_fen = prices_fen[variant] if passing else None
    return PoolOutlook(pool.id, variant, False, Reason(CODES[code], facts), None, None, price_fen)
