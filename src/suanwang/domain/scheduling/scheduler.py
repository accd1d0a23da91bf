"""The step: events advance the state, then one pass over the queue decides. Pure, deterministic, the same for the live
network, a replay, a rehearsal and a test."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import get_args

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.booking import answer_calendar
from suanwang.domain.scheduling.causes import cause_facts
from suanwang.domain.scheduling.decisions import Decision, Placed, PoolOutlook, Preempted, Reason, Waiting
from suanwang.domain.scheduling.events import Ask, Event
from suanwang.domain.scheduling.kernel import codes, entries
from suanwang.domain.scheduling.kernel.codes import CODE
from suanwang.domain.scheduling.kernel.columns import (
    ANSWER,
    FACTOR,
    JOB,
    NODE,
    OUTLOOK,
    POOL,
    PREEMPTED,
    SIZE,
    Array,
)
from suanwang.domain.scheduling.layout import grown, with_enough_profiles
from suanwang.domain.scheduling.outlooks import Outlook, survey
from suanwang.domain.scheduling.policy import STRICT_FIFO, Backfill, Order, Placement, Policy
from suanwang.domain.scheduling.reasons import not_foreseen, placed_reason, preempted_reason, waiting_reason
from suanwang.domain.scheduling.state import State, chips_in
from suanwang.domain.scheduling.tenancy import set_half_life
from suanwang.domain.scheduling.typical import typical

ORDERS: MappingProxyType[Order, int] = MappingProxyType(
    {order: codes.ORDER._asdict()[order] for order in get_args(Order)}
)
BACKFILLS: MappingProxyType[Backfill, int] = MappingProxyType(
    {backfill: codes.BACKFILL._asdict()[backfill] for backfill in get_args(Backfill)}
)
PLACEMENTS: MappingProxyType[Placement, int] = MappingProxyType(
    {name: getattr(codes.PLACEMENT, name) for name in get_args(Placement)}
)


def step(state: State, policy: Policy, now_s: int, events: Sequence[Event]) -> list[Decision]:
    """Apply the events, then place what can start and say what waits, and why.

    The state is advanced in place: what is returned as `Placed` is allocated in it until its attempt ends or is
    refused. The same state, policy, time and events give the same decisions and the same state.
    """
    set_policy(state, policy, now_s)
    _set_terms(state, policy, now_s)
    apply_events(state, events)
    return answer_calendar(state, now_s) + _plan(state, policy, now_s)


def _set_terms(state: State, policy: Policy, now_s: int) -> None:
    """What the kernel must know of the policy wherever it is, and the time of the step."""
    if policy.tenants is not None and policy.tenants is not state.tenancy.tree:
        state.set_quotas(policy.tenants)
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
    waits already is quoted at its place in the queue. With more than `policy.quote_ahead` jobs ahead no start is named:
    NOT_FORESEEN. No job of the state is placed or moved; a booking or tenant that nobody named before is known after.
    """
    set_policy(state, policy, now_s)
    set_placement(state, policy)
    waiting = state.jobs.get(ask.job_id)
    job = state.add_job(ask, ask.attempt)
    state.flush()  # it may name a booking that nobody named before
    _reserve_holds(state, policy, quoted=ask)
    state.tables.jobs[JOB.arrival, job.slot] = 0  # before itself, if it waits already
    outlook = np.empty((len(OUTLOOK), len(state.pools)), np.int64)
    fifo, first_fit = policy.reservation_depth == STRICT_FIFO, policy.placement == "first_fit"
    original = -1 if waiting is None else waiting.slot
    ahead = entries.foresee(state.tables, job.slot, original, now_s, fifo, first_fit, policy.quote_ahead + 1, outlook)
    answer = tuple(Outlook(survey(state, np.array([job.slot]), outlook), 0, ask))
    state.drop_columns(job)
    return answer if ahead <= policy.quote_ahead else tuple(not_foreseen(each, policy.quote_ahead) for each in answer)


def set_policy(state: State, policy: Policy, now_s: int) -> None:
    """Have the queue in the order of the policy: sorted anew only if that is another than before."""
    number, t = ORDERS[policy.order], state.tables
    t.size[SIZE.backfill] = BACKFILLS[policy.backfill]
    t.factors[:] = [float(getattr(policy.factors, name)) for name in FACTOR._fields]
    if t.size[SIZE.order] != number:
        state.flush()
        entries.set_order(state.tables, number, now_s)


def set_placement(state: State, policy: Policy) -> None:
    """Have the tables as the policy's placement needs them."""
    state.tables.size[SIZE.placement] = PLACEMENTS[policy.placement]
    if policy.placement != "fgd" or state.typical_jobs is policy.typical:
        return
    kinds = [state.kind_number(each.chip_ids) for each in policy.typical]
    matches = state.tables.matches[:, : len(state.pools)]
    state.tables = state.tables._replace(typical=typical(policy.typical, kinds, matches))
    state.typical_jobs = policy.typical


def _reserve_holds(state: State, policy: Policy, quoted: Ask | None = None) -> None:
    """Room for the reservations of a pass: one per waiting job, as deep as the policy allows, and one more at each pool
    where it goes first. A quote has one for everybody, whatever the depth."""
    t = state.tables
    largest_pool = int(t.pools[POOL.nodes, : len(state.pools)].max(initial=0))
    needed = state.queued_nodes
    if quoted is None and not state.has_owners:
        places = len(state.pools) + t.bookings.shape[1]
        needed = min(state.queued_nodes, policy.reservation_depth * places * largest_pool)
    if t.size[SIZE.min_gap] or t.size[SIZE.promises]:  # whoever waits can have a promise
        needed, placed = 2 * state.queued_nodes, len(state.jobs)
        t = t._replace(
            promises=grown(t.promises, 1, state.queued_nodes),
            victims=grown(t.victims, 0, placed),
            preempted=grown(t.preempted, 1, placed),
        )
    if state.has_owners:
        needed += (state.queued_nodes + (quoted.num_nodes if quoted else 0)) * int(t.size[SIZE.owned_pools])
    state.tables = t._replace(holds=grown(t.holds, 1, needed))


def _plan(state: State, policy: Policy, now_s: int) -> list[Decision]:
    set_placement(state, policy)
    t = state.tables
    waiting, pools = int(t.size[SIZE.queued]), len(state.pools)
    if waiting == 0:
        return []
    free_chips = int(np.maximum(t.nodes[NODE.free_chips], 0).sum())
    state.reserve_claims(min(state.queued_nodes, free_chips + state.queued_small_nodes))
    _reserve_holds(state, policy)
    # Pages of these are touched only as far as there is something to say.
    answers = np.empty((len(ANSWER), waiting), np.int64)
    outlook = np.empty((len(OUTLOOK), max(1, waiting * pools if policy.outlook else pools)), np.int64)
    picked = np.empty((2, state.queued_nodes), np.int64)
    first_fit, stride = policy.placement == "first_fit", pools if policy.outlook else 0
    depth, ahead = policy.reservation_depth, policy.reserve_ahead
    news = entries.plan(state.tables, now_s, depth, ahead, first_fit, stride, answers, outlook, picked)
    decisions = _decisions(state, policy, answers[:, :news], outlook[:, : news * stride], picked)
    decisions += _preempted(state)
    state.tables = with_enough_profiles(state.tables)
    return decisions


def _decisions(state: State, policy: Policy, answers: Array, outlook: Array, picked: Array) -> list[Decision]:
    decisions = list[Decision]()
    seen = survey(state, answers[ANSWER.job], outlook) if policy.outlook else None
    fitting = [None] * answers.shape[1] if seen is None else seen.fitting
    for at, answer in enumerate(answers.T.tolist()):
        slot, code, pool_number, variant, start_s, price_fen = answer[: ANSWER.picked]
        ahead, first_node = answer[ANSWER.ahead], answer[ANSWER.picked]
        pool = state.pools[pool_number] if pool_number >= 0 else None
        job = state.job_at[slot]
        assert job is not None, "the kernel answered for a job that is not there"  # noqa: S101 - a bug, not an input
        told = () if seen is None else Outlook(seen, at, job.ask)
        if code != CODE.placed or pool is None:
            reason = _waiting_reason(state, job.ask, code, pool, variant, start_s, ahead)
            decisions.append(Waiting(job.ask.job_id, reason, told))
            continue
        state.mark_placed(job)
        names, first_of_pool = state.node_names[pool_number], int(state.tables.pools[POOL.node, pool_number])
        nodes, chips = picked[:, first_node : first_node + job.ask.num_nodes].tolist()
        decisions.append(
            Placed(
                job_id=job.ask.job_id,
                attempt=job.attempt,
                pool_id=pool.id,
                variant=variant,
                node_names=tuple(names[node - first_of_pool] for node in nodes),
                expected_end_s=start_s + job.ask.walltime_s,
                price_fen=price_fen,
                reason=placed_reason(job.ask, fitting[at], ahead),
                outlook=told,
                chips=tuple(chips_in(each) for each in chips),
            )
        )
    return decisions


def _waiting_reason(
    state: State, ask: Ask, code: int, pool: Pool | None, variant: int, start_s: int, ahead: int
) -> Reason:
    reason = waiting_reason(code, pool, variant, start_s, ahead)
    if code == CODE.waits_for_quota:
        limited = pool or state.pools[state.first_pool_over_quota(ask)]
        reason.facts.update(state.quota_facts(ask, limited))
    if pool is not None:
        reason.facts.update(cause_facts(state, ask, pool, code))
    return reason


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
