"""The tree of tenants in columns, and the names by which the world knows its branches."""

from dataclasses import dataclass, field

import numpy as np

from suanwang.domain.scheduling.kernel import entries
from suanwang.domain.scheduling.kernel.columns import (
    BRANCH,
    LIMIT,
    NEVER,
    SIZE,
    Tables,
)
from suanwang.domain.scheduling.layout import grown
from suanwang.domain.scheduling.quotas import Branch, Quota, QuotaTree
from suanwang.units import MILLI_PER_CHIP, chips_of_milli

ROOT = ""


@dataclass(slots=True)
class Tenancy:
    """Branches by their number: the root, then the tree, then tenants that nobody listed, as they come."""

    tree: QuotaTree = field(default_factory=QuotaTree)
    names: list[str] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    resources: dict[tuple[str, str], int] = field(default_factory=dict)


def plant(tenancy: Tenancy, t: Tables, tree: QuotaTree) -> Tables:
    """A tree in place of the one before. What tenants used stays theirs; what runs must be counted anew."""
    settle(t, len(tenancy.names))
    spent = {name: (t.spent[number], t.branches[BRANCH.since_s, number]) for name, number in tenancy.number.items()}
    tenancy.tree, tenancy.names, tenancy.number = tree, [], {}
    tenancy.resources = {resource: number for number, resource in enumerate(tree.resources())}
    t.size[SIZE.resources] = len(tenancy.resources)
    t = t._replace(branches=t.branches[:, :0], limits=np.zeros((len(LIMIT), len(tenancy.resources), 0), np.int64))
    t = _add(tenancy, t, ROOT, -1, 1, True)
    known = {branch.id: branch for branch in tree.branches}
    for branch in _parents_first(known):
        t = _add(tenancy, t, branch.id, tenancy.number[branch.parent or ROOT], branch.shares, True)
    for branch in reversed(_parents_first(known)):
        _set_limits(tenancy, t, tenancy.number[branch.id], branch.quotas)
    _set_limits(tenancy, t, 0, tree.quotas)
    for name in sorted(spent):
        if name not in tenancy.number:
            t = _add(tenancy, t, name, 0, 1, False)
        t.spent[tenancy.number[name]], t.branches[BRANCH.since_s, tenancy.number[name]] = spent[name]
    return t


def settle(t: Tables, branches: int) -> None:
    """Bring the usage of every branch itself up to now."""
    now_s = int(t.size[SIZE.now_s])
    if t.size[SIZE.half_life_s] > 0:
        for number in range(branches):
            t.spent[number] = entries.spent_until(t, number, now_s)
            t.branches[BRANCH.since_s, number] = max(now_s, int(t.branches[BRANCH.since_s, number]))


def set_half_life(t: Tables, half_life_s: int, branches: int) -> None:
    """What was not counted so far counts from now on."""
    before = int(t.size[SIZE.half_life_s])
    if before == 0 and half_life_s > 0:
        t.branches[BRANCH.since_s, :branches] = t.size[SIZE.now_s]
    elif before > 0 and before != half_life_s:
        settle(t, branches)
    t.size[SIZE.half_life_s] = half_life_s


def _parents_first(branches: dict[str, Branch]) -> list[Branch]:
    def depth(branch: Branch) -> int:
        return 0 if branch.parent is None else 1 + depth(branches[branch.parent])

    return sorted(branches.values(), key=lambda branch: (depth(branch), branch.id))


def _add(tenancy: Tenancy, t: Tables, name: str, parent: int, shares: int, listed: bool) -> Tables:
    number = tenancy.number[name] = len(tenancy.names)
    tenancy.names.append(name)
    t = t._replace(
        branches=grown(t.branches, 1, number + 1),
        limits=grown(t.limits, 2, number + 1),
        spent=grown(t.spent, 0, number + 1),
        weights=grown(t.weights, 0, number + 1),
    )
    t.branches[:, number] = 0
    t.size[SIZE.branches] = number + 1
    t.branches[BRANCH.parent, number], t.branches[BRANCH.shares, number] = parent, shares
    t.branches[BRANCH.listed, number] = listed
    t.limits[:, :, number] = 0
    t.limits[LIMIT.borrow, :, number] = NEVER
    t.spent[number] = t.weights[number] = 0.0
    t.branches[BRANCH.since_s, number] = t.size[SIZE.now_s]
    t.branches[BRANCH.in_order, : number + 1] = sorted(range(number + 1), key=tenancy.names.__getitem__)
    return t


def _set_limits(tenancy: Tenancy, t: Tables, number: int, quotas: tuple[Quota, ...]) -> None:
    """Of a branch, after those of its children: what it does not keep for itself is its parent's to give."""
    for quota in quotas:
        resource = tenancy.resources[quota.centre_id, quota.chip_id]
        t.limits[LIMIT.nominal, resource, number] += quota.nominal_chips * MILLI_PER_CHIP
        if quota.borrow_chips is not None:
            t.limits[LIMIT.borrow, resource, number] = quota.borrow_chips * MILLI_PER_CHIP
        if quota.lend_chips is not None:
            nominal = t.limits[LIMIT.nominal, resource, number]
            t.limits[LIMIT.unlent, resource, number] = max(0, nominal - quota.lend_chips * MILLI_PER_CHIP)
    parent = int(t.branches[BRANCH.parent, number])
    if parent >= 0:
        t.limits[LIMIT.nominal, :, parent] += t.limits[LIMIT.nominal, :, number] - t.limits[LIMIT.unlent, :, number]


def branch_of(tenancy: Tenancy, t: Tables, tenant_id: str) -> tuple[Tables, int]:
    """The number of a tenant's branch; a tenant that nobody listed gets one under the root."""
    if tenant_id not in tenancy.number:
        t = _add(tenancy, t, tenant_id, 0, 1, False)
    return t, tenancy.number[tenant_id]


def quota_facts(tenancy: Tenancy, t: Tables, tenant_id: str, centre_id: str, chip_id: str) -> dict[str, object]:
    """What a tenant uses of a limited chip, what is its own, and what it could use beyond now."""
    resource, branch = tenancy.resources[centre_id, chip_id], tenancy.number[tenant_id]
    used, nominal = int(t.limits[LIMIT.used, resource, branch]), int(t.limits[LIMIT.nominal, resource, branch])
    room = int(entries.room_in_quota(t, branch, resource, 0))
    return {
        "centre": centre_id,
        "chip": chip_id,
        "used_chips": chips_of_milli(used),
        "nominal_chips": chips_of_milli(nominal),
        "borrowable_chips": chips_of_milli(max(0, room - max(0, nominal - used))),
    }
