"""Who leaves so that another can start: the cheapest set of which nobody could stay."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.codes import CODE, RIGHT, STANDING
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    HOLD,
    JOB,
    NODE,
    POOL,
    PREEMPTED,
    ROW,
    SIZE,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.holds import fits
from suanwang.domain.scheduling.kernel.nodes import move_end, want_of
from suanwang.domain.scheduling.kernel.placing import hold_nodes
from suanwang.domain.scheduling.kernel.promises import promise
from suanwang.domain.scheduling.kernel.tenants import (
    ROOT,
    headroom,
    milli_in_use,
    milli_of,
    owe,
    own_levels,
    right_to,
    standing,
    use,
)


@compiled
def lost_s(t: Tables, job: int, now_s: int) -> int:
    """Seconds of an attempt that nobody will have: since its last checkpoint, or since its start."""
    ran_s = max(0, now_s - (t.jobs[JOB.end_s, job] - t.jobs[JOB.walltime_s, job]))
    every_s = t.jobs[JOB.checkpoint_every_s, job]
    return ran_s % every_s if every_s > 0 else ran_s


@compiled
def _loss(t: Tables, job: int, now_s: int) -> int:
    return lost_s(t, job, now_s) * milli_in_use(t, job)


@compiled
def _cheaper(t: Tables, a: int, b: int, now_s: int) -> bool:
    """Lowest priority first, then least work lost, then by id."""
    if t.jobs[JOB.priority, a] != t.jobs[JOB.priority, b]:
        return t.jobs[JOB.priority, a] < t.jobs[JOB.priority, b]
    loss_a, loss_b = _loss(t, a, now_s), _loss(t, b, now_s)
    if loss_a != loss_b:
        return loss_a < loss_b
    for word in range(JOB.tie, JOB.arrival + 1):
        if t.jobs[word, a] != t.jobs[word, b]:
            return t.jobs[word, a] < t.jobs[word, b]
    return False


@compiled
def anybody_may_leave(t: Tables) -> bool:
    """Whether a search could find anybody at all."""
    for pool in range(t.size[SIZE.pools]):  # noqa: SIM110 - a generator is not compiled
        if t.pools[POOL.preemptible, pool] > 0:
            return True
    return False


@compiled
def _may_leave(t: Tables, job: int, now_s: int) -> bool:
    """Whether a placed job is preemptible now. Who started in this very second never is: that ends every story."""
    ran_s = now_s - (t.jobs[JOB.end_s, job] - t.jobs[JOB.walltime_s, job])
    return (
        t.jobs[JOB.preemptible, job] == 1
        and t.jobs[JOB.leaving, job] < 0
        and t.jobs[JOB.preemptions, job] < t.size[SIZE.max_preemptions]
        and ran_s >= max(1, t.size[SIZE.min_run_s])
    )


@compiled
def _candidates(t: Tables, pool: int, now_s: int) -> int:
    """All that may leave a pool, the cheapest first, in `t.victims`. Returns how many."""
    count = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        claim = t.nodes[NODE.claim, node]
        while claim >= 0:
            job = t.claims[CLAIM.job, claim]
            if t.jobs[JOB.claim, job] == claim and _may_leave(t, job, now_s):  # once for a gang: by its last claim
                t.victims[count] = job
                count += 1
            claim = t.claims[CLAIM.next, claim]
    gap = count // 2
    while gap > 0:
        for at in range(gap, count):
            job, hole = t.victims[at], at
            while hole >= gap and _cheaper(t, job, t.victims[hole - gap], now_s):
                t.victims[hole] = t.victims[hole - gap]
                hole -= gap
            t.victims[hole] = job
        gap = 1 if gap == 2 else gap * 5 // 11
    return count


@compiled
def _fitting(t: Tables, job: int, row: int, node: int, now_s: int) -> bool:
    start_s = now_s + 1
    until_s = start_s + t.jobs[JOB.walltime_s, job]
    return fits(t, node, want_of(t, row), start_s, until_s, now_s)


@compiled
def _try(t: Tables, job: int, row: int, victim: int, right: int, now_s: int) -> int:
    """Take a victim for gone, or for there again (no right). Returns how many more nodes fit."""
    pool, gained = t.jobs[JOB.pool, victim], 0
    milli = milli_in_use(t, victim)
    if right != RIGHT.none:
        t.jobs[JOB.trial, victim], t.jobs[JOB.kept_end_s, victim] = right, t.jobs[JOB.end_s, victim]
        move_end(t, victim, now_s)
    else:
        t.jobs[JOB.trial, victim] = -1
        move_end(t, victim, t.jobs[JOB.kept_end_s, victim])
        milli = -milli
    if t.pools[POOL.resource, pool] >= 0:
        use(t, t.jobs[JOB.branch, victim], t.pools[POOL.resource, pool], -milli)
    claim = t.jobs[JOB.claim, victim]
    while claim >= 0:
        node = t.claims[CLAIM.node, claim]
        fit = _fitting(t, job, row, node, now_s)
        gained += fit - t.scratch[node]
        t.scratch[node] = fit
        claim = t.claims[CLAIM.sibling, claim]
    return gained


@compiled
def _quota_allows(t: Tables, job: int, pool: int, milli: int) -> bool:
    resource = t.pools[POOL.resource, pool]
    return resource < 0 or headroom(t, t.jobs[JOB.branch, job], resource, ROOT) >= milli


@compiled
def _was_in_vain(t: Tables, job: int, pool: int, row: int) -> bool:
    """Whether somebody who could take as much asked for no more, in this pass and without a change of quotas."""
    return (
        t.pools[POOL.tried_pass, pool] == t.size[SIZE.passes]
        and t.pools[POOL.tried_charges, pool] == t.size[SIZE.charges]
        and (t.pools[POOL.resource, pool] < 0 or t.pools[POOL.tried_branch, pool] == t.jobs[JOB.branch, job])
        and t.pools[POOL.tried_priority, pool] >= t.jobs[JOB.priority, job]
        and t.pools[POOL.tried_chips, pool] <= t.rows[ROW.chips, row]
        and t.pools[POOL.tried_cpus, pool] <= t.rows[ROW.cpus, row]
        and t.pools[POOL.tried_milli, pool] <= t.rows[ROW.milli, row]
        and t.pools[POOL.tried_memory_mib, pool] <= t.rows[ROW.memory_mib, row]
        and t.pools[POOL.tried_nodes, pool] <= t.jobs[JOB.nodes, job]
        and t.pools[POOL.tried_walltime_s, pool] <= t.jobs[JOB.walltime_s, job]
    )


@compiled
def _note_in_vain(t: Tables, job: int, pool: int, row: int) -> None:
    t.pools[POOL.tried_pass, pool], t.pools[POOL.tried_charges, pool] = t.size[SIZE.passes], t.size[SIZE.charges]
    t.pools[POOL.tried_branch, pool] = t.jobs[JOB.branch, job]
    t.pools[POOL.tried_priority, pool] = t.jobs[JOB.priority, job]
    t.pools[POOL.tried_chips, pool], t.pools[POOL.tried_cpus, pool] = t.rows[ROW.chips, row], t.rows[ROW.cpus, row]
    t.pools[POOL.tried_milli, pool] = t.rows[ROW.milli, row]
    t.pools[POOL.tried_memory_mib, pool] = t.rows[ROW.memory_mib, row]
    t.pools[POOL.tried_nodes, pool] = t.jobs[JOB.nodes, job]
    t.pools[POOL.tried_walltime_s, pool] = t.jobs[JOB.walltime_s, job]


@compiled
def _search(t: Tables, job: int, pool: int, row: int, candidates: int, now_s: int) -> int:
    """Take the cheapest for gone until the job fits, then let those stay who need not go.

    Returns how many are left (in front in `t.victims`), -1 if it does not fit whoever goes, 0 if nobody has to.
    """
    branch, resource = t.jobs[JOB.branch, job], t.pools[POOL.resource, pool]
    wanted, milli = t.jobs[JOB.nodes, job], milli_of(t, job, row)
    levels = own_levels(t, branch, resource, milli) if resource >= 0 else 0
    fitting = 0
    for node in range(t.pools[POOL.node, pool], t.pools[POOL.node, pool] + t.pools[POOL.nodes, pool]):
        t.scratch[node] = _fitting(t, job, row, node, now_s)
        fitting += t.scratch[node]
    taken, at = 0, 0
    while at < candidates and (fitting < wanted or not _quota_allows(t, job, pool, milli)):
        victim = t.victims[at]
        right = right_to(t, job, victim, resource, levels)
        if right != RIGHT.none:
            fitting += _try(t, job, row, victim, right, now_s)
            t.victims[taken] = victim
            taken += 1
        at += 1
    found = fitting >= wanted and _quota_allows(t, job, pool, milli)
    for back in range(taken - 1, -1, -1):
        victim = t.victims[back]
        right = t.jobs[JOB.trial, victim]
        fitting += _try(t, job, row, victim, RIGHT.none, now_s)
        if found and (fitting < wanted or not _quota_allows(t, job, pool, milli)):
            fitting += _try(t, job, row, victim, right, now_s)
    left = 0
    for at in range(taken):
        if t.jobs[JOB.trial, t.victims[at]] >= 0:
            t.victims[left] = t.victims[at]
            left += 1
    return left if found else -1


@compiled
def preempt(t: Tables, job: int, pool: int, row: int, now_s: int, first_fit: bool) -> bool:
    """Make room at a pool for a job that waits there. Returns whether others were told to leave for it.

    They are `t.preempted`; what they leave is promised to the job. Nobody leaves if they are more than the policy
    allows, and nobody's reservation of this pass is delayed. Nobody leaves for a job in a booking, which has its place,
    nor for a gang that must be in one cabinet.
    """
    bound = t.rows[ROW.booking, row] >= 0 or (t.jobs[JOB.in_cabinet, job] and t.jobs[JOB.nodes, job] > 1)
    if (
        bound
        or t.pools[POOL.preemptible, pool] == 0
        or t.pools[POOL.not_before_s, pool] > now_s
        or _was_in_vain(t, job, pool, row)
    ):
        return False
    before = t.size[SIZE.charges]
    candidates = _candidates(t, pool, now_s)
    left = _search(t, job, pool, row, candidates, now_s)
    if left <= 0 or left > t.size[SIZE.max_victims]:
        for at in range(left):
            _try(t, job, row, t.victims[at], RIGHT.none, now_s)
        t.size[SIZE.charges] = before  # all is as it was
        if left < 0:
            _note_in_vain(t, job, pool, row)
        return False
    lost_milli_s = 0
    first = t.size[SIZE.preempted]
    for at in range(left):
        victim = t.victims[at]
        t.jobs[JOB.end_s, victim], end_s = t.jobs[JOB.kept_end_s, victim], t.jobs[JOB.end_s, victim]
        t.preempted[PREEMPTED.job, first + at], t.preempted[PREEMPTED.preemptor, first + at] = victim, job
        t.preempted[PREEMPTED.right, first + at] = t.jobs[JOB.trial, victim]
        t.preempted[PREEMPTED.lost_s, first + at] = lost_s(t, victim, now_s)
        t.preempted[PREEMPTED.victims, first + at], t.preempted[PREEMPTED.considered, first + at] = left, candidates
        lost_milli_s += _loss(t, victim, now_s)
        t.jobs[JOB.end_s, victim] = end_s
        t.jobs[JOB.trial, victim], t.jobs[JOB.leaving, victim] = -1, 1  # its quota is given back by the trial
        t.pools[POOL.preemptible, pool] -= 1
    t.preempted[PREEMPTED.lost_milli_s, first : first + left] = lost_milli_s
    t.size[SIZE.preempted] += left
    hold = t.size[SIZE.holds]
    hold_nodes(t, job, pool, row, now_s + 1, now_s, first_fit)
    promise(t, job, pool, row, t.holds[HOLD.node, hold : t.size[SIZE.holds]])
    owe(t, job, pool, row)
    return True


@compiled
def _preempt_in_quota(t: Tables, job: int, now_s: int, first_fit: bool) -> bool:
    """Make room for a job whose tenant has no quota left, at the first pool by id where its own jobs can leave."""
    for i in range(t.size[SIZE.pools]):
        pool = t.pools[POOL.in_order, i]
        for row in range(t.jobs[JOB.row, job], t.jobs[JOB.row, job] + t.jobs[JOB.rows, job]):
            if (
                t.codes[row, pool] == CODE.fits
                and t.pools[POOL.seen, pool]
                and not t.pools[POOL.drained, pool]
                and standing(t, job, pool, row) == STANDING.over
                and preempt(t, job, pool, row, now_s, first_fit)
            ):
                return True
    return False


@compiled
def make_room(t: Tables, job: int, pool: int, row: int, code: int, start_s: int, now_s: int, first_fit: bool) -> bool:
    """What preemption can do for a job after its survey: at the pool where it would wait, else within its quota."""
    if pool >= 0:
        return start_s > now_s and preempt(t, job, pool, row, now_s, first_fit)
    return code == CODE.waits_for_quota and _preempt_in_quota(t, job, now_s, first_fit)
