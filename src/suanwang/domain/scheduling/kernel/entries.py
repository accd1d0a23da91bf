"""What Python calls."""

from suanwang.domain.scheduling.kernel.columns import (
    ANSWER,
    CODE,
    JOB,
    OP_KIND,
    POOL,
    ROW,
    SIZE,
    STANDING,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import entry, fingerprint, forget_stale
from suanwang.domain.scheduling.kernel.fit import match, price_fen, survey
from suanwang.domain.scheduling.kernel.holds import close_pass, open_pass
from suanwang.domain.scheduling.kernel.nodes import allocate, level_of, mark, move_end, release
from suanwang.domain.scheduling.kernel.placing import hold_nodes, pick
from suanwang.domain.scheduling.kernel.preempt import make_room
from suanwang.domain.scheduling.kernel.profile import count_free
from suanwang.domain.scheduling.kernel.promises import (
    break_promise,
    keep_promises,
    leave,
    lift,
    promise,
    promised_start,
    renew,
)
from suanwang.domain.scheduling.kernel.queue import dequeue, enqueue, position
from suanwang.domain.scheduling.kernel.tenants import (
    charge,
    fair_share,
    forgive_all,
    headroom,
    owe,
    standing,
    usage_at,
    weigh_branches,
)


@entry
def apply(t: Tables, ops: Array, nodes: Array) -> None:
    """Carry out what events mean for the columns, in order."""
    for i in range(ops.shape[0]):
        kind, job, pool, row, end_s, first, count = ops[i]
        if kind == OP_KIND.enqueue:
            for other in range(t.size[SIZE.pools]):
                match(t, job, other)
            enqueue(t, job)
        elif kind == OP_KIND.dequeue:
            dequeue(t, job)
            break_promise(t, job)
        elif kind == OP_KIND.allocate:
            allocate(t, job, pool, row, end_s, nodes[first : first + count])
        elif kind == OP_KIND.release:
            release(t, job)
        elif kind == OP_KIND.move_end:
            if t.jobs[JOB.leaving, job] < 0:
                move_end(t, job, end_s)
        elif kind == OP_KIND.leave:
            leave(t, job, end_s)
        elif kind == OP_KIND.promise:
            promise(t, job, pool, row, nodes[first : first + count])
        elif kind == OP_KIND.rematch:
            for place in range(t.size[SIZE.queued]):
                match(t, t.queue[place], pool)


@entry
def plan(t: Tables, now_s: int, depth: int, first_fit: bool, stride: int, answers: Array, outlook: Array,
         picked: Array) -> int:  # fmt: skip
    """One pass over the queue. Returns how many columns of `answers` tell news.

    `stride`: how far apart the outlooks of two answers lie; 0 keeps none.
    """
    open_pass(t)
    keep_promises(t, now_s, -1, True)
    promises, preempts, limited = t.size[SIZE.promises] > 0, t.size[SIZE.min_gap] > 0, t.size[SIZE.resources] > 0
    waiting, news, used = 0, 0, 0
    for place in range(t.size[SIZE.queued]):
        job = t.queue[place]
        if promises:
            lift(t, job)
        best = survey(t, job, now_s, outlook, news * stride)
        pool, variant, start_s, price = promised_start(t, job, now_s, best) if promises else best
        row = t.jobs[JOB.row, job] + variant
        code = CODE.no_pool_fits if pool == -1 else CODE.waits_for_quota if pool == -3 else CODE.no_pool_open
        pool = max(pool, -1)
        if pool >= 0 and start_s == now_s:
            code = CODE.placed
            nodes = picked[used : used + t.jobs[JOB.nodes, job]]
            pick(t, job, pool, row, now_s, first_fit, nodes)
            allocate(t, job, pool, row, now_s + t.jobs[JOB.walltime_s, job], nodes)
            if promises:
                break_promise(t, job)
        else:
            t.queue[waiting] = job
            waiting += 1
        if promises and code != CODE.placed and t.jobs[JOB.promised_pool, job] >= 0:
            renew(t, job, now_s)
            code = CODE.waits_for_victims
        elif preempts and make_room(t, job, pool, row, code, start_s, now_s, first_fit):
            code = CODE.waits_for_victims
        elif limited and pool >= 0 and start_s > now_s and standing(t, job, pool, row) == STANDING.lent:
            code = CODE.waits_for_quota
            owe(t, job, pool, row)
        if code == CODE.waits_for_victims:
            pool, row, start_s = t.jobs[JOB.promised_pool, job], t.jobs[JOB.promised_row, job], now_s + 1
            variant, price = row - t.jobs[JOB.row, job], t.prices[row, pool]
            if depth == 0:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
        elif pool >= 0 and start_s > now_s and code != CODE.waits_for_quota:
            enough = count_free(t, pool, t.rows[ROW.chips, row], t.rows[ROW.cpus, row]) >= t.jobs[JOB.nodes, job]
            code = CODE.waits_behind_others if enough else CODE.waits_for_chips
            if depth == 0:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
            elif t.pools[POOL.holders, pool] < depth:
                hold_nodes(t, job, pool, row, start_s, now_s, first_fit)
                if limited:
                    owe(t, job, pool, row)
        if code == CODE.placed or code != t.jobs[JOB.said, job] or pool != t.jobs[JOB.said_pool, job]:
            t.jobs[JOB.said, job], t.jobs[JOB.said_pool, job] = code, pool
            answers[ANSWER.job, news], answers[ANSWER.code, news], answers[ANSWER.pool, news] = job, code, pool
            answers[ANSWER.variant, news], answers[ANSWER.start_s, news], answers[ANSWER.price_fen, news] = (
                variant,
                start_s,
                price,
            )
            answers[ANSWER.picked, news], answers[ANSWER.ahead, news] = used, waiting - (code != CODE.placed)
            news += 1
        used += t.jobs[JOB.nodes, job] if code == CODE.placed else 0
    t.size[SIZE.queued] = waiting
    forgive_all(t)
    close_pass(t)
    return news


@entry
def foresee(t: Tables, job: int, original: int, now_s: int, fifo: bool, first_fit: bool, ahead: int,
            outlook: Array) -> int:  # fmt: skip
    """The outlook of one job behind those ahead of it: each gets a reservation in turn, and nothing is placed.

    `original`: the same job in the queue, if it waits already. Returns how many jobs were taken into account.
    """
    for pool in range(t.size[SIZE.pools]):
        match(t, job, pool)
    open_pass(t)
    keep_promises(t, now_s, original, False)
    count = min(position(t, job), ahead)
    for place in range(count):
        lift(t, t.queue[place])
        pool, variant, start_s, _ = survey(t, t.queue[place], now_s, outlook, 0)
        if pool >= 0:
            hold_nodes(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant, start_s, now_s, first_fit)
            if standing(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant) == STANDING.open:
                owe(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant)
            if fifo:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
    survey(t, job, now_s, outlook, 0)
    forgive_all(t)
    close_pass(t)
    return count


@entry
def recount(t: Tables, jobs: int) -> None:
    """Count what all placed jobs use: after the tree of tenants changed, with quotas and branches at zero."""
    t.pools[POOL.preemptible, : t.size[SIZE.pools]] = 0
    for job in range(jobs):
        if t.jobs[JOB.pool, job] >= 0:
            charge(t, job, t.jobs[JOB.pool, job], 1)


@entry
def room_in_quota(t: Tables, branch: int, resource: int, top: int) -> int:
    return headroom(t, branch, resource, top)


@entry
def spent_until(t: Tables, branch: int, now_s: int) -> float:
    return usage_at(t, branch, now_s)


@entry
def weigh(t: Tables, branches: int, now_s: int) -> None:
    weigh_branches(t, branches, now_s)


@entry
def share(t: Tables, branch: int) -> float:
    return fair_share(t, branch)


@entry
def fill(t: Tables) -> None:
    """Put every node on its level; `levels` and `bits` are zero before."""
    for node in range(t.nodes.shape[1]):
        mark(t, node, level_of(t, node), 1)


@entry
def price(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    return price_fen(fen_per_chip_hour, chips, seconds)


_FINGERPRINT = fingerprint()


@entry
def _kept_fingerprint() -> int:
    return _FINGERPRINT


forget_stale(_kept_fingerprint(), _FINGERPRINT)
