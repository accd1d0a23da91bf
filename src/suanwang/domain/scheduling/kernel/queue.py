"""The queue: jobs that wait, in the policy's order."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.codes import ORDER
from suanwang.domain.scheduling.kernel.columns import (
    FACTOR,
    JOB,
    ROW,
    SIZE,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled
from suanwang.domain.scheduling.kernel.orders import f1, multi_factor, unicef, wfp3
from suanwang.domain.scheduling.kernel.tenants import fair_share, weigh_branches
from suanwang.units import MILLI_PER_CHIP


@compiled
def _chips(t: Tables, job: int) -> float:
    """Of all its nodes, as its first variant asks for them."""
    row = t.jobs[JOB.row, job]
    milli = t.rows[ROW.chips, row] * MILLI_PER_CHIP + t.rows[ROW.milli, row]
    return float(t.jobs[JOB.nodes, job] * milli) / MILLI_PER_CHIP


@compiled
def _fixed_score(t: Tables, job: int, order: int) -> float:
    if order == ORDER.sjf:
        return float(t.jobs[JOB.walltime_s, job])
    if order == ORDER.priority:
        return -float(t.jobs[JOB.priority, job])
    if order == ORDER.given:
        return t.scores[job]
    if order == ORDER.deadline:
        return float(t.jobs[JOB.deadline_s, job])
    if order == ORDER.f1:
        walltime_s = float(max(t.jobs[JOB.walltime_s, job], 1))
        return f1(float(t.jobs[JOB.submitted_s, job]), walltime_s, _chips(t, job))
    return 0.0


@compiled
def _changing_score(t: Tables, job: int, order: int, now_s: int) -> float:
    if order == ORDER.fair_share:
        return -fair_share(t, t.jobs[JOB.branch, job])
    wait_s, chips = float(now_s - t.jobs[JOB.submitted_s, job]), _chips(t, job)
    if order == ORDER.multi_factor:
        size = min(1.0, chips * MILLI_PER_CHIP / max(t.size[SIZE.most_milli], 1))
        share = fair_share(t, t.jobs[JOB.branch, job]) if t.factors[FACTOR.fair_share] != 0.0 else 0.0
        return multi_factor(t.factors, wait_s, share, size, float(t.jobs[JOB.priority, job]))
    walltime_s = float(max(t.jobs[JOB.walltime_s, job], 1))
    return wfp3(wait_s, walltime_s, chips) if order == ORDER.wfp3 else unicef(wait_s, walltime_s, chips)


@compiled
def score(t: Tables, job: int, now_s: int) -> float:
    """Less is first. `given` is what came with the job."""
    order = t.size[SIZE.order]
    return _changing_score(t, job, order, now_s) if order >= ORDER.wfp3 else _fixed_score(t, job, order)


@compiled
def _before(t: Tables, a: int, b: int) -> bool:
    if t.scores[a] != t.scores[b]:
        return t.scores[a] < t.scores[b]
    if t.jobs[JOB.submitted_s, a] != t.jobs[JOB.submitted_s, b]:
        return t.jobs[JOB.submitted_s, a] < t.jobs[JOB.submitted_s, b]
    for word in range(JOB.tie, JOB.arrival + 1):
        if t.jobs[word, a] != t.jobs[word, b]:
            return t.jobs[word, a] < t.jobs[word, b]
    return False


@compiled
def _sort(t: Tables, jobs: Array, count: int) -> None:
    """Merge sort, bottom up; what is in order already is only read."""
    at = 1
    while at < count and not _before(t, jobs[at], jobs[at - 1]):
        at += 1
    if at >= count:
        return
    spare, width = t.spare, 1
    while width < count:
        first = 0
        while first + width < count:
            middle, end = first + width, min(first + 2 * width, count)
            if _before(t, jobs[middle], jobs[middle - 1]):
                for place in range(first, middle):
                    spare[place] = jobs[place]
                left, right, to = first, middle, first
                while left < middle:
                    if right < end and _before(t, jobs[right], spare[left]):
                        jobs[to] = jobs[right]
                        right += 1
                    else:
                        jobs[to] = spare[left]
                        left += 1
                    to += 1
            first = end
        width *= 2


@compiled
def position(t: Tables, job: int) -> int:
    low, high = 0, t.size[SIZE.queued]
    while low < high:
        middle = (low + high) >> 1
        if _before(t, t.queue[middle], job):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def enqueue(t: Tables, job: int) -> None:
    """Its place is found by `settle`, with those of all others that came."""
    t.fresh[t.size[SIZE.fresh]] = job
    t.size[SIZE.fresh] += 1
    t.scores[job] = score(t, job, t.jobs[JOB.submitted_s, job])
    t.jobs[JOB.waits, job] = 1
    t.jobs[JOB.said, job] = t.jobs[JOB.said_pool, job] = -1


@compiled
def dequeue(t: Tables, job: int) -> None:
    t.jobs[JOB.waits, job] = 0
    t.size[SIZE.gone] += 1


@compiled
def _without_gone(t: Tables, jobs: Array, count: int) -> int:
    kept = 0
    for place in range(count):
        jobs[kept] = jobs[place]
        kept += t.jobs[JOB.waits, jobs[place]]
    return kept


@compiled
def settle(t: Tables) -> None:
    """Merge who came, and drop who left."""
    queued, fresh = t.size[SIZE.queued], t.size[SIZE.fresh]
    if t.size[SIZE.gone]:
        queued, fresh = _without_gone(t, t.queue, queued), _without_gone(t, t.fresh, fresh)
    _sort(t, t.fresh, fresh)
    to, old, new = queued + fresh - 1, queued - 1, fresh - 1
    while new >= 0:
        if old >= 0 and _before(t, t.fresh[new], t.queue[old]):
            t.queue[to] = t.queue[old]
            old -= 1
        else:
            t.queue[to] = t.fresh[new]
            new -= 1
        to -= 1
    t.size[SIZE.queued] = queued + fresh
    t.size[SIZE.fresh] = t.size[SIZE.gone] = 0


@compiled
def weigh(t: Tables, now_s: int) -> None:
    """Before scores that depend on what tenants used."""
    if t.size[SIZE.order] >= ORDER.fair_share:
        weigh_branches(t, t.size[SIZE.branches], now_s)


@compiled
def reorder(t: Tables, now_s: int) -> None:
    """Scores anew, and the queue in their order."""
    weigh(t, now_s)
    for place in range(t.size[SIZE.queued]):
        t.scores[t.queue[place]] = score(t, t.queue[place], now_s)
    _sort(t, t.queue, t.size[SIZE.queued])
