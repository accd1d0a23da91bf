"""What a centre offers, compared with what its agent finds there.

The offer is what counts: it is placed on, priced and proved. What the agent finds is only told, because a scheduler
that is being repaired must not change an offer; a difference is the operator's to mend, in the file or on the floor.
"""

from collections.abc import Iterable, Iterator

from suanwang.domain.centre import Pool
from suanwang.protocol import NodeReport, PoolReport
from suanwang.wire import Reason

MAX_SHOWN = 20


def differences(pools: Iterable[Pool], inventory: tuple[PoolReport, ...] | None) -> list[Reason]:
    """The first differences as codes and facts; none if the agent never said what it finds."""
    if inventory is None:
        return []
    found = {report.pool_id: report for report in inventory}
    all_of_them = [reason for pool in pools for reason in _of_pool(pool, found.get(pool.id))]
    return all_of_them[:MAX_SHOWN]


def _of_pool(pool: Pool, report: PoolReport | None) -> Iterator[Reason]:
    if report is None:
        yield Reason("POOL_NOT_FOUND", {"pool": pool.id})
        return
    if report.chip_id != pool.chip_id:
        yield Reason("POOL_CHIP_DIFFERS", {"pool": pool.id, "chip": pool.chip_id, "found_chip": report.chip_id})
    nodes: dict[str, NodeReport] = {node.name: node for node in report.nodes}
    for node in pool.nodes:
        there = nodes.pop(node.name, None)
        where: dict[str, object] = {"pool": pool.id, "node": node.name}
        if there is None:
            yield Reason("NODE_NOT_FOUND", where)
        elif not there.up:
            yield Reason("NODE_DOWN", where)
        elif (there.chips, there.cpus) != (node.chips, node.cpus):
            sizes = {"chips": node.chips, "cpus": node.cpus, "found_chips": there.chips, "found_cpus": there.cpus}
            yield Reason("NODE_DIFFERS", {**where, **sizes})
    for name in nodes:
        yield Reason("NODE_NOT_OFFERED", {"pool": pool.id, "node": name})
