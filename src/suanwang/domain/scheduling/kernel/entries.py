"""What Python calls."""

from suanwang.domain.scheduling.kernel.columns import ANSWER, CODE, JOB, OP_KIND, POOL, SIZE, Array, Tables
from suanwang.domain.scheduling.kernel.compiling import entry, fingerprint, forget_stale
from suanwang.domain.scheduling.kernel.filling import fill_up, fill_up_anew
from suanwang.domain.scheduling.kernel.fit import match, price_fen, survey
from suanwang.domain.scheduling.kernel.holds import close_pass, open_pass
from suanwang.domain.scheduling.kernel.nodes import (
    allocate,
    chips_of,
    level_of,
    mark,
    move_end,
    release,
    reoccupy,
    restore,
    want_of,
)
from suanwang.domain.scheduling.kernel.placing import hold_nodes, pick
from suanwang.domain.scheduling.kernel.profile import count_free
from suanwang.domain.scheduling.kernel.queue import dequeue, enqueue, position

__all__ = ["apply", "fill", "fill_up", "fill_up_anew", "foresee", "plan", "price"]


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
        elif kind == OP_KIND.allocate:
            allocate(t, job, pool, row, end_s, nodes[first : first + count])
        elif kind == OP_KIND.restore:
            restore(t, job, pool, row, end_s, nodes[first : first + count], nodes[first + count : first + 2 * count])
        elif kind == OP_KIND.release:
            release(t, job)
        elif kind == OP_KIND.move_end:
            move_end(t, job, end_s)
        elif kind == OP_KIND.rematch:
            for place in range(t.size[SIZE.queued]):
                match(t, t.queue[place], pool)


@entry
def plan(t: Tables, now_s: int, depth: int, first_fit: bool, stride: int, answers: Array, outlook: Array,
         picked: Array) -> int:  # fmt: skip
    """One pass over the queue. Returns how many columns of `answers` tell news.

    `picked`: in its first row nodes of the jobs that were placed, below each the chips that they got.

    `stride`: how far apart the outlooks of two answers lie; 0 keeps none.
    """
    open_pass(t)
    waiting, news, used = 0, 0, 0
    for place in range(t.size[SIZE.queued]):
        job = t.queue[place]
        pool, variant, start_s, price = survey(t, job, now_s, outlook, news * stride)
        row = t.jobs[JOB.row, job] + variant
        code = CODE.no_pool_fits if pool == -1 else CODE.no_pool_open
        pool = max(pool, -1)
        if pool >= 0 and start_s == now_s:
            code = CODE.placed
            nodes = picked[0, used : used + t.jobs[JOB.nodes, job]]
            pick(t, job, pool, row, now_s, first_fit, nodes)
            allocate(t, job, pool, row, now_s + t.jobs[JOB.walltime_s, job], nodes)
            chips_of(t, job, picked[1, used : used + t.jobs[JOB.nodes, job]])
        else:
            t.queue[waiting] = job
            waiting += 1
        if pool >= 0 and start_s > now_s:
            enough = count_free(t, pool, want_of(t, row)) >= t.jobs[JOB.nodes, job]
            code = CODE.waits_behind_others if enough else CODE.waits_for_chips
            if depth == 0:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
            elif t.pools[POOL.holders, pool] < depth:
                hold_nodes(t, job, pool, row, start_s, now_s, first_fit)
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
    close_pass(t)
    return news


@entry
def foresee(t: Tables, job: int, now_s: int, fifo: bool, first_fit: bool, ahead: int, outlook: Array) -> int:
    """The outlook of one job behind those ahead of it: each gets a reservation in turn, and nothing is placed.

    Returns how many jobs were taken into account.
    """
    for pool in range(t.size[SIZE.pools]):
        match(t, job, pool)
    open_pass(t)
    count = min(position(t, job), ahead)
    for place in range(count):
        pool, variant, start_s, _ = survey(t, t.queue[place], now_s, outlook, 0)
        if pool >= 0:
            hold_nodes(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant, start_s, now_s, first_fit)
            if fifo:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
    survey(t, job, now_s, outlook, 0)
    close_pass(t)
    return count


@entry
def fill(t: Tables) -> None:
    """Put every node on its level and count its claims; `levels` and `bits` are zero before, and all is free."""
    for node in range(t.nodes.shape[1]):
        mark(t, node, level_of(t, node), 1)
        reoccupy(t, node)


@entry
def price(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    return price_fen(fen_per_chip_hour, chips, seconds)


_FINGERPRINT = fingerprint()


@entry
def _kept_fingerprint() -> int:
    return _FINGERPRINT


forget_stale(_kept_fingerprint(), _FINGERPRINT)
