"""What Python calls."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.codes import CODE, OP_KIND, ORDER, STANDING
from suanwang.domain.scheduling.kernel.columns import (
    ANSWER,
    BRIEF,
    JOB,
    POOL,
    SIZE,
    Array,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, entry
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
)
from suanwang.domain.scheduling.kernel.owners import give_up_holds, hold_for_owners
from suanwang.domain.scheduling.kernel.placing import hold_nodes, pick
from suanwang.domain.scheduling.kernel.preempt import anybody_may_leave, make_room
from suanwang.domain.scheduling.kernel.promises import (
    break_promise,
    keep_promises,
    leave,
    lift,
    promise,
    promised_start,
    renew,
)
from suanwang.domain.scheduling.kernel.queue import dequeue, enqueue, position, reorder, score, settle
from suanwang.domain.scheduling.kernel.queue import weigh as weigh_usage
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
from suanwang.domain.scheduling.kernel.waiting import bar_others, may_reserve, waits_its_turn, why_waits

__all__ = [
    "apply",
    "fill",
    "fill_up",
    "fill_up_anew",
    "foresee",
    "plan",
    "price",
    "recount",
    "room_in_quota",
    "share",
    "spent_until",
    "weigh",
]


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
            break_promise(t, job)
        elif kind == OP_KIND.allocate:
            allocate(t, job, pool, row, end_s, nodes[first : first + count])
        elif kind == OP_KIND.restore:
            restore(t, job, pool, row, end_s, nodes[first : first + count], nodes[first + count : first + 2 * count])
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
    """A start; waiting at all, or no longer; a place in front of the queue, or one that others leave for it; a quota
    that is used up. Not every change of what it waits for."""
    said = t.jobs[JOB.said, job]
    if said < 0 or not (waits_its_turn(code) or code == CODE.waits_for_victims):
        return code != said
    if (code == CODE.waits_for_victims) != (said == CODE.waits_for_victims):
        return True
    return said in (CODE.no_pool_fits, CODE.no_pool_open, CODE.waits_for_quota) or (
        held and t.jobs[JOB.said_pool, job] != pool
    )


@compiled
def _place(t: Tables, job: int, pool: int, row: int, now_s: int, first_fit: bool, picked: Array) -> None:
    t.jobs[JOB.waits, job] = 0
    t.size[SIZE.moves] += 1
    pick(t, job, pool, row, now_s, first_fit, picked[0])
    allocate(t, job, pool, row, now_s + t.jobs[JOB.walltime_s, job], picked[0])
    chips_of(t, job, picked[1])
    break_promise(t, job)


@compiled
def _reserve(t: Tables, job: int, pool: int, row: int, start_s: int, now_s: int, first_fit: bool) -> bool:
    """Nodes, and the part of its tenant's quota that goes with them."""
    hold_nodes(t, job, pool, row, start_s, now_s, first_fit)
    if t.size[SIZE.resources] > 0:
        owe(t, job, pool, row)
    return True


@compiled
def _tell(answers: Array, news: int, answer: Any) -> None:
    for column in range(len(ANSWER)):
        answers[column, news] = answer[column]


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
    keep_promises(t, now_s, -1, True)
    hold_for_owners(t, now_s, first_fit, -1, 0, -1)
    promises, limited = t.size[SIZE.promises] > 0, t.size[SIZE.resources] > 0
    preempts = t.size[SIZE.min_gap] > 0 and anybody_may_leave(t)
    # Who may change by what others may use or must leave is looked at every time.
    gated = depth > 0 and not (promises or preempts or limited)
    waiting, news, used, unheld = 0, 0, 0, -1
    for place in range(t.size[SIZE.queued]):
        job = t.queue[place]
        if gated and t.brief[job, BRIEF.told] and not may_change(t, job, unheld if waiting < ahead else 0, now_s):
            t.queue[waiting], waiting = job, waiting + 1
            continue
        if promises:
            lift(t, job)
        give_up_holds(t, job)
        best = survey(t, job, now_s, outlook, news * stride)
        pool, variant, start_s, price = promised_start(t, job, now_s, best) if promises else best
        row = t.jobs[JOB.row, job] + variant
        code = CODE.no_pool_fits if pool == -1 else CODE.waits_for_quota if pool == -3 else CODE.no_pool_open
        pool, held = max(pool, -1), False
        if pool >= 0 and start_s == now_s:
            code = CODE.placed
            _place(t, job, pool, row, now_s, first_fit, picked[:, used : used + t.jobs[JOB.nodes, job]])
        else:
            t.queue[waiting], waiting = job, waiting + 1
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
            variant, price, held = row - t.jobs[JOB.row, job], t.prices[row, pool], True
            if depth == 0:
                bar_others(t, pool, row, start_s)
        elif pool >= 0 and start_s > now_s and code != CODE.waits_for_quota:
            code = why_waits(t, job, pool, row, now_s)
            if depth == 0:
                bar_others(t, pool, row, start_s)
            elif may_reserve(t, job, pool, row, depth if waiting <= ahead else 0):
                held = _reserve(t, job, pool, row, start_s, now_s, first_fit)
                if t.pools[POOL.holders, pool] == depth:
                    unheld = without(unheld, pool)
        if _is_news(t, job, code, pool, held):
            t.jobs[JOB.said, job], t.jobs[JOB.said_pool, job] = code, pool if held else -1
            t.brief[job, BRIEF.told] = waits_its_turn(code)
            _tell(answers, news, (job, code, pool, variant, start_s, price, used, waiting - (code != CODE.placed)))
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
    weigh_usage(t, now_s)
    t.scores[job] = score(t, job, now_s)
    if t.size[SIZE.order] >= ORDER.wfp3:
        reorder(t, now_s)
    open_pass(t)
    keep_promises(t, now_s, original, False)
    hold_for_owners(t, now_s, first_fit, job, position(t, job), original)
    count = min(position(t, job), ahead)
    for place in range(count):
        lift(t, t.queue[place])
        give_up_holds(t, t.queue[place])
        pool, variant, start_s, _ = survey(t, t.queue[place], now_s, outlook, 0)
        if pool >= 0:
            hold_nodes(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant, start_s, now_s, first_fit)
            if standing(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant) == STANDING.open:
                owe(t, t.queue[place], pool, t.jobs[JOB.row, t.queue[place]] + variant)
            if fifo:
                bar_others(t, pool, t.jobs[JOB.row, t.queue[place]] + variant, start_s)
    give_up_holds(t, job)
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
    """Put every node on its level and count its claims; `levels` and `bits` are zero before, and all is free."""
    for node in range(t.nodes.shape[1]):
        mark(t, node, level_of(t, node), 1)
        reoccupy(t, node)


@entry
def price(fen_per_chip_hour: int, chips: int, seconds: int) -> int:
    return price_fen(fen_per_chip_hour, chips, seconds)
