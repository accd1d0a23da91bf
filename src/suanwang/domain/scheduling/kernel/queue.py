"""The queue: jobs that wait, in the policy's order."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import JOB, ORDER, SIZE, Tables
from suanwang.domain.scheduling.kernel.compiling import compiled


@compiled
def _before(t: Tables, a: int, b: int) -> bool:
    order = t.size[SIZE.order]
    if order == ORDER.sjf and t.jobs[JOB.walltime_s, a] != t.jobs[JOB.walltime_s, b]:
        return t.jobs[JOB.walltime_s, a] < t.jobs[JOB.walltime_s, b]
    if order == ORDER.priority and t.jobs[JOB.priority, a] != t.jobs[JOB.priority, b]:
        return t.jobs[JOB.priority, a] > t.jobs[JOB.priority, b]
    if t.jobs[JOB.submitted_s, a] != t.jobs[JOB.submitted_s, b]:
        return t.jobs[JOB.submitted_s, a] < t.jobs[JOB.submitted_s, b]
    for word in range(JOB.tie, JOB.arrival + 1):
        if t.jobs[word, a] != t.jobs[word, b]:
            return t.jobs[word, a] < t.jobs[word, b]
    return False


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
    at = position(t, job)
    for place in range(t.size[SIZE.queued], at, -1):
        t.queue[place] = t.queue[place - 1]
    t.queue[at] = job
    t.size[SIZE.queued] += 1
    t.jobs[JOB.said, job] = t.jobs[JOB.said_pool, job] = -1


@compiled
def dequeue(t: Tables, job: int) -> None:
    t.size[SIZE.queued] -= 1
    for place in range(position(t, job), t.size[SIZE.queued]):
        t.queue[place] = t.queue[place + 1]
