"""Which jobs no pool can ever run, and why: they are counted and told, never dropped.

The checks are those of the scheduler, in its order. A job's reason is that of the pool where it comes furthest.
"""

from collections.abc import Sequence

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.kernel.columns import MAX_SHARED_CHIPS
from suanwang.domain.scheduling.workload import Array, Workload
from suanwang.i18n import _
from suanwang.units import MILLI_PER_CHIP
from suanwang.words import word

REASONS = (
    "",
    "CHIP_MISMATCH",
    "NODE_TOO_SMALL",
    "NODE_MEMORY_TOO_SMALL",
    "TOO_FEW_NODES",
    "WALLTIME_OVER_LIMIT",
)
"""What the codes of `refusals` mean; 0: some pool can run the job."""
RUNS = 0
NO_LIMIT_MIB = 2**60


def refusals(pools: Sequence[Pool], workload: Workload) -> Array:
    """For every job an index of `REASONS`."""
    furthest = np.full(len(workload), 1, np.int64)
    runs = np.zeros(len(workload), np.bool_)
    for pool in pools:
        code = _codes(pool, workload)
        runs |= code == RUNS
        furthest = np.maximum(furthest, code)
    return np.where(runs, RUNS, furthest)


def say_refusal(code: str) -> str:
    """Why no pool can ever run a job, in words."""
    known = {
        "CHIP_MISMATCH": _("no pool has a chip that they allow"),
        "NODE_TOO_SMALL": _("they ask for more chips or CPUs on one node than any node has"),
        "NODE_MEMORY_TOO_SMALL": _("they ask for more memory on one node than any node has"),
        "TOO_FEW_NODES": _("they ask for more nodes than any pool has"),
        "WALLTIME_OVER_LIMIT": _("they ask for more time than any pool gives"),
    }
    return known.get(code) or word(code)


def say_unfinished(code: str) -> str:
    """What a job waits for that never comes, in words."""
    if code == "WAITS_FOR_QUOTA":
        return _("the quota of their tenant is too small for them, or taken by others of theirs")
    return _("they wait behind others that never start")


def _codes(pool: Pool, workload: Workload) -> Array:
    offers = np.array([pool.chip_id in kind for kind in workload.kinds], np.bool_)
    but_for_memory, large_enough = _nodes_of_size(pool, workload)
    checks = [
        ~offers[workload.kind],
        but_for_memory == 0,
        large_enough == 0,
        large_enough < workload.num_nodes,
        workload.walltime_s > pool.offer.max_walltime_s,
    ]
    return np.select(checks, range(1, len(REASONS)), RUNS).astype(np.int64)


def _nodes_of_size(pool: Pool, workload: Workload) -> tuple[Array, Array]:
    """For every job, how many nodes of the pool have the chips and CPUs that it asks for on each of its nodes, and how
    many of them the memory too. Shares are of chips that are told apart."""
    memory_mib = np.zeros(len(workload), np.int64) if workload.memory_mib is None else workload.memory_mib
    shares = workload.chip_milli < MILLI_PER_CHIP
    wanted = np.stack([workload.chips_per_node, workload.cpus_per_node, shares, memory_mib], axis=1)
    sizes, which = np.unique(wanted, axis=0, return_inverse=True)
    chips, cpus = (np.array([getattr(node, name) for node in pool.nodes], np.int64) for name in ("chips", "cpus"))
    has_mib = np.array([NO_LIMIT_MIB if n.memory_mib is None else n.memory_mib for n in pool.nodes], np.int64)
    counts = np.zeros((2, len(sizes)), np.int64)
    for at, (chip, cpu, is_share, mib) in enumerate(sizes):
        large = (chips >= chip) & (cpus >= cpu) & ((chips <= MAX_SHARED_CHIPS) | (not is_share))
        counts[:, at] = large.sum(), (large & (has_mib >= mib)).sum()
    found = counts[:, which.reshape(-1)] if len(workload) else np.zeros((2, 0), np.int64)
    return found[0], found[1]
