"""What Python calls."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from suanwang.domain.scheduling.kernel.columns import (
    ANSWER,
    BRIEF,
    CODE,
    JOB,
    OP_KIND,
    ORDER,
    POOL,
    SIZE,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, entry, fingerprint, forget_stale
from suanwang.domain.scheduling.kernel.filling import fill_up, fill_up_anew
from suanwang.domain.scheduling.kernel.fit import match, price_fen, survey
from suanwang.domain.scheduling.kernel.gate import may_change, open_gate, pools_in_bits, without
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
from suanwang.domain.scheduling.kernel.profile import has_free
from suanwang.domain.scheduling.kernel.queue import dequeue, enqueue, position, reorder, score, settle

__all__ = ["apply", "fill", "fill_up", "fill_up_anew", "foresee", "plan", "price"]


@entry
def apply(t: Tables, ops: Array, nodes: Array) -> None:
    """Carry out what events mean for the columns, in order."""
    for i in range(ops.shape[0]):
        kind, job, pool, row, end_s, first, count = ops[i]
        if kind == OP_KIND.enqueue:
            for other in range(t.size[SIZE.pools]):
                match(t, job, other)
            t.brief[job, BRIEF.told], t.brief[job, BRIEF.where] = 0, pools_in_bits(t, job)
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
            settle(t)
            for place in range(t.size[SIZE.queued]):
                match(t, t.queue[place], pool)
            t.size[SIZE.stale] = 1
    settle(t)


@entry
def set_order(t: Tables, order: int, now_s: int) -> None:
    """Have the queue in another order."""
    settle(t)
    t.size[SIZE.order] = order
    reorder(t, now_s)


@compiled
def _is_news(t: Tables, job: int, code: int, pool: int, held: bool) -> bool:
    """A start; waiting at all, or no longer; a place in front of the queue. Not every change of what it waits for."""
    said = t.jobs[JOB.said, job]
    if said < 0 or code in (CODE.placed, CODE.no_pool_fits, CODE.no_pool_open):
        return code != said
    return said in (CODE.no_pool_fits, CODE.no_pool_open) or (held and t.jobs[JOB.said_pool, job] != pool)


@entry
def plan(t: Tables, now_s: int, depth: int, ahead: int, first_fit: bool, stride: int, answers: Array, outlook: Array,
         picked: Array) -> int:  # fmt: skip
    """One pass over the queue. Returns how many columns of `answers` tell news.

    Only jobs with fewer than `ahead` before them that wait may get a reservation.
    `picked`: in its first row nodes of the jobs that were placed, below each the chips that they got.

    `stride`: how far apart the outlooks of two answers lie; 0 keeps none.
    """
    if t.size[SIZE.order] >= ORDER.wfp3:
        reorder(t, now_s)
    open_pass(t)
    open_gate(t)
    waiting, news, used, unheld = 0, 0, 0, -1
    for place in range(t.size[SIZE.queued]):
        job = t.queue[place]
        if depth > 0 and t.brief[job, BRIEF.told] and not may_change(t, job, unheld if waiting < ahead else 0):
            t.queue[waiting] = job
            waiting += 1
            continue
        pool, variant, start_s, price = survey(t, job, now_s, outlook, news * stride)
        row = t.jobs[JOB.row, job] + variant
        code, held = CODE.no_pool_fits if pool == -1 else CODE.no_pool_open, False
        pool = max(pool, -1)
        if pool >= 0 and start_s == now_s:
            code = CODE.placed
            t.jobs[JOB.waits, job] = 0
            t.size[SIZE.moves] += 1
            nodes = picked[0, used : used + t.jobs[JOB.nodes, job]]
            pick(t, job, pool, row, now_s, first_fit, nodes)
            allocate(t, job, pool, row, now_s + t.jobs[JOB.walltime_s, job], nodes)
            chips_of(t, job, picked[1, used : used + t.jobs[JOB.nodes, job]])
        else:
            t.queue[waiting] = job
            waiting += 1
        if pool >= 0 and start_s > now_s:
            enough = has_free(t, pool, want_of(t, row), t.jobs[JOB.nodes, job])
            code = CODE.waits_behind_others if enough else CODE.waits_for_chips
            if depth == 0:
                t.pools[POOL.not_before_s, pool] = max(t.pools[POOL.not_before_s, pool], start_s)
            elif waiting <= ahead and t.pools[POOL.holders, pool] < depth:
                hold_nodes(t, job, pool, row, start_s, now_s, first_fit)
                held = True
                if t.pools[POOL.holders, pool] == depth:
                    unheld = without(unheld, pool)
        if _is_news(t, job, code, pool, held):
            t.jobs[JOB.said, job], t.jobs[JOB.said_pool, job] = code, pool if held else -1
            t.brief[job, BRIEF.told] = code not in (CODE.no_pool_fits, CODE.no_pool_open)
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
    t.scores[job] = score(t, job, now_s)
    if t.size[SIZE.order] >= ORDER.wfp3:
        reorder(t, now_s)
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
