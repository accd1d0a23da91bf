"""The step: events advance the state, then one pass over the queue decides. Pure, deterministic, the same for the live
network, a replay, a rehearsal and a test."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Decision, Placed, PoolOutlook, Preempted, Reason, Waiting
from suanwang.domain.scheduling.events import Ask, Event
from suanwang.domain.scheduling.kernel import columns, entries
from suanwang.domain.scheduling.kernel.columns import (
    ANSWER,
    CODE,
    JOB,
    NODE,
    OUTLOOK,
    POOL,
    PREEMPTED,
    SIZE,
    Array,
)
from suanwang.domain.scheduling.layout import grown, with_enough_profiles
from suanwang.domain.scheduling.policy import STRICT_FIFO, Order, Policy
from suanwang.domain.scheduling.reasons import placed_reason, pool_outlook, preempted_reason, waiting_reason
from suanwang.domain.scheduling.state import State
from suanwang.domain.scheduling.tenancy import quota_facts, set_half_life

ORDERS: MappingProxyType[Order, int] = MappingProxyType(
    {"fcfs": columns.ORDER.fcfs, "sjf": columns.ORDER.sjf, "priority": columns.ORDER.priority}
)


def step(state: State, policy: Policy, now_s: int, events: Sequence[Event]) -> list[Decision]:
    """Apply the events, then place what can start and say what waits, and why.

    The state is advanced in place: what is returned as `Placed` is allocated in it until its attempt ends or is
    refused. The same state, policy, time and events give the same decisions and the same state.
    """
    set_order(state, policy.order)
    _set_terms(state, policy, now_s)
    apply_events(state, events)
    return _plan(state, policy, now_s)


def _set_terms(state: State, policy: Policy, now_s: int) -> None:
    """What the kernel must know of the policy wherever it is, and the time of the step."""
    size, terms = state.tables.size, policy.preemption
    size[SIZE.now_s] = now_s
    if size[SIZE.half_life_s] != policy.usage_half_life_s:
        set_half_life(state.tables, policy.usage_half_life_s, len(state.tenancy.names))
    size[SIZE.min_gap] = 0
    if terms is not None:
        size[SIZE.min_gap], size[SIZE.min_run_s] = terms.min_gap, terms.min_run_s
        size[SIZE.max_preemptions], size[SIZE.max_victims] = terms.max_preemptions, terms.max_victims


def quote(state: State, policy: Policy, now_s: int, ask: Ask) -> tuple[PoolOutlook, ...]:
    """What every pool could do for a job, with the queue in front of it: when it would start, at which price.

    Jobs ahead in the policy's order get a reservation one after the other, each where it suits them best; the job asked
    for comes after them. Everybody is taken to need the whole walltime, so in general jobs start earlier. A job that
    waits already is quoted at its place in the queue. The state stays as it is.
    """
    set_order(state, policy.order)
    state.flush()
    _reserve_holds(state, policy, whole_queue=True)
    waiting = state.jobs.get(ask.job_id)
    job = state.add_job(ask, ask.attempt)
    state.tables.jobs[JOB.arrival, job.slot] = 0  # before itself, if it waits already
    outlook = np.empty((len(OUTLOOK), len(state.pools)), np.int64)
    fifo, first_fit = policy.reservation_depth == STRICT_FIFO, policy.placement == "first_fit"
    original = -1 if waiting is None else waiting.slot
    entries.foresee(state.tables, job.slot, original, now_s, fifo, first_fit, policy.quote_ahead, outlook)
    answer = _outlook(state, ask, job.slot, outlook.T.tolist())
    state.drop_columns(job)
    return answer


def set_order(state: State, order: Order) -> None:
    """Have the queue in the order of the policy; nothing to do unless the policy changed."""
    number, t = ORDERS[order], state.tables
    if t.size[SIZE.order] == number:
        return
    state.flush()
    t.size[SIZE.order] = number
    waiting = t.queue[: t.size[SIZE.queued]]
    key = {"fcfs": JOB.submitted_s, "sjf": JOB.walltime_s, "priority": JOB.priority}[order]
    first = t.jobs[key, waiting] * (-1 if order == "priority" else 1)
    ties = [t.jobs[word, waiting] for word in range(JOB.arrival, JOB.tie - 1, -1)]
    waiting[:] = waiting[np.lexsort([*ties, t.jobs[JOB.submitted_s, waiting], first])]


def _reserve_holds(state: State, policy: Policy, whole_queue: bool = False) -> None:
    """Room for the reservations of a pass: one per waiting job, as deep as the policy allows."""
    t = state.tables
    largest_pool = int(t.pools[POOL.nodes, : len(state.pools)].max(initial=0))
    deepest = state.queued_nodes if whole_queue else policy.reservation_depth * len(state.pools) * largest_pool
    needed = min(state.queued_nodes, deepest)
    if t.size[SIZE.min_gap] or t.size[SIZE.promises]:  # whoever waits can have a promise
        needed, placed = 2 * state.queued_nodes, len(state.jobs)
        t = t._replace(
            promises=grown(t.promises, 1, state.queued_nodes),
            victims=grown(t.victims, 0, placed),
            preempted=grown(t.preempted, 1, placed),
        )
    state.tables = t._replace(holds=grown(t.holds, 1, needed))


def _plan(state: State, policy: Policy, now_s: int) -> list[Decision]:
    t = state.tables
    waiting, pools = int(t.size[SIZE.queued]), len(state.pools)
    if waiting == 0:
        return []
    free_chips = int(np.maximum(t.nodes[NODE.free_chips], 0).sum())
    state.reserve_claims(min(state.queued_nodes, free_chips))
    _reserve_holds(state, policy)
    # Pages of these are touched only as far as there is something to say.
    answers = np.empty((len(ANSWER), waiting), np.int64)
    outlook = np.empty((len(OUTLOOK), max(1, waiting * pools if policy.outlook else pools)), np.int64)
    picked = np.empty(state.queued_nodes, np.int64)
    first_fit, stride = policy.placement == "first_fit", pools if policy.outlook else 0
    news = entries.plan(state.tables, now_s, policy.reservation_depth, first_fit, stride, answers, outlook, picked)
    decisions = _decisions(state, policy, answers[:, :news], outlook[:, : news * stride], picked)
    decisions += _preempted(state)
    state.tables = with_enough_profiles(state.tables)
    return decisions


def _decisions(state: State, policy: Policy, answers: Array, outlook: Array, picked: Array) -> list[Decision]:
    pools, all_outlooks, decisions = len(state.pools), outlook.T.tolist(), list[Decision]()
    for at, answer in enumerate(answers.T.tolist()):
        slot, code, pool_number, variant, start_s, price_fen = answer[: ANSWER.picked]
        ahead, first_node = answer[ANSWER.ahead], answer[ANSWER.picked]
        pool = state.pools[pool_number] if pool_number >= 0 else None
        job = state.job_at[slot]
        assert job is not None, "the kernel answered for a job that is not there"  # noqa: S101 - a bug, not an input
        seen: tuple[PoolOutlook, ...] = ()
        if policy.outlook:
            seen = _outlook(state, job.ask, slot, all_outlooks[at * pools : (at + 1) * pools])
        if code != CODE.placed or pool is None:
            reason = _waiting_reason(state, job.ask, code, pool, variant, start_s, ahead)
            decisions.append(Waiting(job.ask.job_id, reason, seen))
            continue
        state.mark_placed(job)
        names, first_of_pool = state.node_names[pool_number], int(state.tables.pools[POOL.node, pool_number])
        nodes = picked[first_node : first_node + job.ask.num_nodes].tolist()
        fitting = sum(each.feasible for each in seen) if policy.outlook else None
        decisions.append(
            Placed(
                job_id=job.ask.job_id,
                attempt=job.attempt,
                pool_id=pool.id,
                variant=variant,
                node_names=tuple(names[node - first_of_pool] for node in nodes),
                expected_end_s=start_s + job.ask.walltime_s,
                price_fen=price_fen,
                reason=placed_reason(job.ask, fitting, ahead),
                outlook=seen,
            )
        )
    return decisions


def _waiting_reason(
    state: State, ask: Ask, code: int, pool: Pool | None, variant: int, start_s: int, ahead: int
) -> Reason:
    reason = waiting_reason(code, pool, variant, start_s, ahead)
    if code == CODE.waits_for_quota:
        limited = pool or state.pools[state.first_pool_over_quota(ask)]
        reason.facts.update(_quota_facts(state, ask, limited))
    return reason


def _quota_facts(state: State, ask: Ask, pool: Pool) -> dict[str, object]:
    """As of the end of the pass."""
    return quota_facts(state.tenancy, state.tables, ask.tenant_id, pool.centre_id, pool.chip_id)


def _preempted(state: State) -> list[Decision]:
    """Who was told to leave in this pass, for whom, and why these."""
    t, decisions = state.tables, list[Decision]()
    for told in t.preempted[:, : t.size[SIZE.preempted]].T.tolist():
        victim, preemptor = state.job_at[told[PREEMPTED.job]], state.job_at[told[PREEMPTED.preemptor]]
        assert victim is not None, "the kernel preempted a job that is not there"  # noqa: S101 - a bug, not an input
        assert preemptor is not None, "the kernel preempted for nobody"  # noqa: S101 - a bug, not an input
        pool_id = state.pools[int(t.jobs[JOB.pool, victim.slot])].id
        reason = preempted_reason(victim.ask, preemptor.ask, pool_id, told)
        decisions.append(Preempted(victim.ask.job_id, victim.attempt, preemptor.ask.job_id, reason))
    return decisions


def _outlook(state: State, ask: Ask, slot: int, by_pool: Sequence[Sequence[int]]) -> tuple[PoolOutlook, ...]:
    t = state.tables
    first = int(t.jobs[JOB.row, slot])
    prices_fen = t.prices[first : first + len(ask.variants)].T.tolist()
    pools = state.pools
    return tuple(
        pool_outlook(
            pools[number],
            ask,
            variant,
            code,
            start_s,
            prices_fen[number],
            _quota_facts(state, ask, pools[number]) if code == CODE.over_quota else None,
        )
        for number, (variant, code, start_s) in zip(state.pool_order, by_pool, strict=True)
    )
