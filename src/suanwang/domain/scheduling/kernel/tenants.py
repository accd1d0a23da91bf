"""What tenants and groups may use, and what they used: quotas with borrowing, and usage that fades."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from math import log

from suanwang.domain.scheduling.kernel.codes import RIGHT, STANDING
from suanwang.domain.scheduling.kernel.columns import (
    BRANCH,
    JOB,
    LIMIT,
    NEVER,
    POOL,
    ROW,
    SIZE,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.units import MILLI_PER_CHIP

ROOT = 0
_LN2 = log(2.0)


@compiled
def milli_of(t: Tables, job: int, row: int) -> int:
    """Thousandths of chips that a job asks for in one of its variants."""
    return (t.rows[ROW.chips, row] * MILLI_PER_CHIP + t.rows[ROW.milli, row]) * t.jobs[JOB.nodes, job]


@compiled
def milli_in_use(t: Tables, job: int) -> int:
    """The same of a placed job."""
    return (t.jobs[JOB.chips, job] * MILLI_PER_CHIP + t.jobs[JOB.milli, job]) * t.jobs[JOB.nodes, job]


# --- quotas ---


@compiled
def use(t: Tables, branch: int, resource: int, milli: int) -> None:
    """Thousandths of chips are used, or given back if negative. What a branch does not lend hides from those above."""
    t.size[SIZE.charges] += 1
    while branch >= 0 and milli != 0:
        before, unlent = t.limits[LIMIT.used, resource, branch], t.limits[LIMIT.unlent, resource, branch]
        t.limits[LIMIT.used, resource, branch] = before + milli
        milli = max(0, before + milli - unlent) - max(0, before - unlent)
        branch = t.branches[BRANCH.parent, branch]


@compiled
def headroom(t: Tables, branch: int, resource: int, top: int) -> int:
    """How many thousandths of chips more a branch may use, as if there were nothing above `top`. Below zero: it uses
    too many already."""
    own, most = 0, NEVER
    while branch != top:
        used, unlent = t.limits[LIMIT.used, resource, branch], t.limits[LIMIT.unlent, resource, branch]
        own += max(0, unlent - used)
        if t.limits[LIMIT.borrow, resource, branch] < NEVER:
            lendable = t.limits[LIMIT.nominal, resource, branch] - unlent
            most = min(most, own + lendable - max(0, used - unlent) + t.limits[LIMIT.borrow, resource, branch])
        branch = t.branches[BRANCH.parent, branch]
    return min(most, own + t.limits[LIMIT.nominal, resource, top] - t.limits[LIMIT.used, resource, top])


@compiled
def own_levels(t: Tables, branch: int, resource: int, milli: int) -> int:
    """A bit for every level, the branch first, below the root: whether so much more is its own there."""
    levels, bit, top = 0, 1, branch
    while top != ROOT:
        if headroom(t, branch, resource, top) >= milli:
            levels |= bit
        bit <<= 1
        top = t.branches[BRANCH.parent, top]
    return levels


@compiled
def standing(t: Tables, job: int, pool: int, row: int) -> int:
    """What the quota of its tenant says to a job at a pool: open, lent or over."""
    resource = t.pools[POOL.resource, pool]
    if resource < 0:
        return STANDING.open
    branch, milli = t.jobs[JOB.branch, job], milli_of(t, job, row)
    if headroom(t, branch, resource, ROOT) >= milli:
        return STANDING.open
    return STANDING.lent if own_levels(t, branch, resource, milli) else STANDING.over


@compiled
def _meeting(t: Tables, a: int, b: int) -> int:
    """The lowest branch above (or at) both."""
    while a != ROOT:
        above = b
        while above not in (ROOT, a):
            above = t.branches[BRANCH.parent, above]
        if above == a:
            return a
        a = t.branches[BRANCH.parent, a]
    return ROOT


@compiled
def right_to(t: Tables, job: int, victim: int, resource: int, levels: int) -> int:
    """By which right a job may have the place of another.

    Among jobs of one tenant, and where there is no quota, priority decides. The place of another tenant is taken only
    if that one is over its quota on every level up to where the two meet: because it is given back to whom it belongs
    (`levels`, see `own_levels`), or because both borrow and priority decides.
    """
    by_priority = t.jobs[JOB.priority, victim] + t.size[SIZE.min_gap] <= t.jobs[JOB.priority, job]
    mine, other = t.jobs[JOB.branch, job], t.jobs[JOB.branch, victim]
    if resource >= 0 and mine != other:
        meeting = _meeting(t, mine, other)
        while other != meeting:
            if t.limits[LIMIT.used, resource, other] <= t.limits[LIMIT.nominal, resource, other]:
                return RIGHT.none
            other = t.branches[BRANCH.parent, other]
        bit = 1
        while mine != meeting and t.branches[BRANCH.parent, mine] != meeting:
            bit <<= 1
            mine = t.branches[BRANCH.parent, mine]
        if mine != meeting and levels & bit:
            return RIGHT.give_back
    return RIGHT.priority if by_priority else RIGHT.none


@compiled
def owe(t: Tables, job: int, pool: int, row: int) -> None:
    """Count a job on its quota for this pass although it does not run yet, so that nobody behind it takes that."""
    if t.pools[POOL.resource, pool] >= 0:
        t.jobs[JOB.owed_pool, job], t.jobs[JOB.owed_row, job] = pool, row
        use(t, t.jobs[JOB.branch, job], t.pools[POOL.resource, pool], milli_of(t, job, row))


@compiled
def forgive(t: Tables, job: int) -> None:
    if t.jobs[JOB.owed_pool, job] >= 0:
        milli = milli_of(t, job, t.jobs[JOB.owed_row, job])
        use(t, t.jobs[JOB.branch, job], t.pools[POOL.resource, t.jobs[JOB.owed_pool, job]], -milli)
        t.jobs[JOB.owed_pool, job] = -1


@compiled
def forgive_all(t: Tables) -> None:
    if t.size[SIZE.resources]:
        for place in range(t.size[SIZE.queued]):
            forgive(t, t.queue[place])


# --- usage ---


@compiled
def usage_at(t: Tables, branch: int, now_s: int) -> float:
    """Chip-seconds of a branch itself, decayed: what was spent fades, what runs adds as it fades.

    Of `c` chips that run from 0 to T, `c * integral of 2**(-(T - s) / h) ds` is left at T.
    """
    half_life_s = t.size[SIZE.half_life_s]
    seconds = now_s - t.branches[BRANCH.since_s, branch]
    if half_life_s <= 0 or seconds <= 0:
        return t.spent[branch]
    left = 2.0 ** (-seconds / half_life_s)
    chips = t.branches[BRANCH.milli, branch] / MILLI_PER_CHIP
    return t.spent[branch] * left + chips * half_life_s * ((1.0 - left) / _LN2)


@compiled
def _bring_up(t: Tables, branch: int) -> None:
    now_s = t.size[SIZE.now_s]
    if t.size[SIZE.half_life_s] > 0 and now_s > t.branches[BRANCH.since_s, branch]:
        t.spent[branch] = usage_at(t, branch, now_s)
        t.branches[BRANCH.since_s, branch] = now_s


@compiled
def charge(t: Tables, job: int, pool: int, sign: int) -> None:
    """An allocation begins (1) or ends (-1)."""
    branch, milli = t.jobs[JOB.branch, job], sign * milli_in_use(t, job)
    _bring_up(t, branch)
    t.branches[BRANCH.milli, branch] += milli
    if t.jobs[JOB.leaving, job] < 0:  # else it was given back when it was told to leave
        t.pools[POOL.preemptible, pool] += sign * t.jobs[JOB.preemptible, job]
        if t.pools[POOL.resource, pool] >= 0:
            use(t, branch, t.pools[POOL.resource, pool], milli)


@compiled
def weigh_branches(t: Tables, branches: int, now_s: int) -> None:
    """Usage of every branch with all below it, as of now. Sums are made in the order of the ids."""
    for branch in range(branches):
        t.weights[branch] = 0.0
        t.branches[BRANCH.children_shares, branch] = 0
    for place in range(branches):
        branch = t.branches[BRANCH.in_order, place]
        usage, above = usage_at(t, branch, now_s), branch
        if branch != ROOT and (usage > 0.0 or t.branches[BRANCH.listed, branch]):
            t.branches[BRANCH.children_shares, t.branches[BRANCH.parent, branch]] += t.branches[BRANCH.shares, branch]
        while above >= 0:
            t.weights[above] += usage
            above = t.branches[BRANCH.parent, above]


@compiled
def fair_share(t: Tables, branch: int) -> float:
    """Slurm's classic fair-share factor 2 ** (-UE / S), after `weigh_branches`: 1 used nothing, 0.5 used as much
    as its share (right under the root; further down it answers for its siblings too).

    S is the product of the shares among siblings on the way to the root, UE = UA + (UE of the parent - UA) * share
    among siblings, UA the part of all usage (https://slurm.schedmd.com/classic_fair_share.html).
    """
    total = t.weights[ROOT]
    if branch == ROOT or total <= 0.0 or (t.weights[branch] <= 0.0 and t.branches[BRANCH.listed, branch] == 0):
        return 1.0
    effective, parents_part, shares = 0.0, 1.0, 1.0
    while branch != ROOT:
        above = t.branches[BRANCH.parent, branch]
        siblings = t.branches[BRANCH.children_shares, above]
        share = t.branches[BRANCH.shares, branch] / siblings if siblings > 0 else 0.0
        shares *= share
        rest = share if above != ROOT else 0.0
        effective += parents_part * (t.weights[branch] / total) * (1.0 - rest)
        parents_part *= rest
        branch = above
    if shares <= 0.0:
        return 0.0
    return 2.0 ** (-effective / shares)
