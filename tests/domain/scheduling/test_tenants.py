"""Preemption and quotas: the compiled scheduler and the obvious one agree, and every story comes to rest."""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Decision, Placed, Preempted
from suanwang.domain.scheduling.events import Ask, AttemptEnded, Event, JobQueued, PoolSet, QuotasSet
from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.scheduling.quotas import Branch, Quota, QuotaTree
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from tests.domain.scheduling.oracle import Oracle, differences
from tests.domain.scheduling.test_oracle import LONG
from tests.domain.scheduling.workloads import (
    GPU,
    Story,
    ask,
    asks,
    outlook_facts,
    placed,
    policies,
    pool,
    variant,
)

TENANTS = ("t1", "t2", "t3", "t4")

preemptions = st.builds(
    Preemption,
    min_gap=st.sampled_from([1, 1, 5]),
    max_preemptions=st.integers(0, 3),
    max_victims=st.sampled_from([1, 3, 16]),
    min_run_s=st.sampled_from([0, 0, 3]),
)
strict_policies = st.builds(
    lambda policy, terms: replace(policy, preemption=terms), policies, st.one_of(st.none(), preemptions, preemptions)
)


@st.composite
def trees(draw: st.DrawFn, resources: list[tuple[str, str]]) -> QuotaTree:
    """Two groups, tenants in them, beside them and outside, with quotas of some of the chips."""

    def quotas() -> tuple[Quota, ...]:
        few = st.sampled_from([None, None, 0, 2, 4])
        return tuple(
            Quota(*resource, draw(st.integers(0, 8)), draw(few), draw(few))
            for resource in resources
            if draw(st.booleans())
        )

    groups = [Branch("g1", None, 1, quotas()), Branch("g2", draw(st.sampled_from([None, "g1"])), 1, quotas())]
    parents = st.sampled_from([None, "g1", "g2"])
    listed = [Branch(t, draw(parents), draw(st.integers(0, 3)), quotas()) for t in TENANTS if draw(st.integers(0, 4))]
    return QuotaTree((*groups, *listed), quotas())


@dataclass
class TenantStory(Story):
    """A story with tenants, in which those who are told to leave do so sooner or later, and come again."""

    leaving: dict[str, Preempted] = field(default_factory=dict)

    def hear(self, decisions: list[Decision]) -> None:
        self.leaving |= {d.job_id: d for d in decisions if isinstance(d, Preempted)}

    def opening(self) -> list[Event]:
        events = super().opening()
        return [*events, *self.perhaps_quotas(events)]

    def perhaps_quotas(self, events: list[Event]) -> list[Event]:
        pools = [event.pool for event in events if isinstance(event, PoolSet)]
        if not pools or not self.data.draw(st.booleans()):
            return []
        return [QuotasSet(self.data.draw(trees(sorted({(pool.centre_id, pool.chip_id) for pool in pools}))))]

    def next_events(self, live: dict[str, Placed], asked: dict[str, Ask], pool_ids: list[str]) -> list[Event]:
        for job_id in [job_id for job_id, told in self.leaving.items() if live[job_id].attempt != told.attempt]:
            del self.leaving[job_id]  # it ended by itself and came again
        events: list[Event] = []
        for event in super().next_events(live, asked, pool_ids):
            if isinstance(event, JobQueued) and event.ask.attempt == 1:
                asked[event.ask.job_id] = self.coloured(event.ask)
                events.append(JobQueued(asked[event.ask.job_id], event.at_s))
            else:
                events.append(event)
        if not self.data.draw(st.integers(0, 9)):
            events += self.perhaps_quotas([PoolSet(pool(pool_id)) for pool_id in pool_ids])
        for job_id, told in sorted(self.leaving.items()):
            if self.data.draw(st.integers(0, 3)):
                again = replace(asked[job_id], attempt=told.attempt + 1, preemptions=asked[job_id].preemptions + 1)
                asked[job_id] = again
                events += [AttemptEnded(job_id, told.attempt), JobQueued(again, self.now_s)]
                del self.leaving[job_id]
        return events

    def coloured(self, plain: Ask) -> Ask:
        return replace(
            plain,
            tenant_id=self.data.draw(st.sampled_from([*TENANTS, "t5"])),
            priority=self.data.draw(st.sampled_from([0, 0, 1, 5, 9])),
            preemptible=bool(self.data.draw(st.integers(0, 2))),
            checkpoint_every_s=self.data.draw(st.sampled_from([0, 2, 3])),
            walltime_s=plain.walltime_s * self.data.draw(st.sampled_from([1, 1, 5])),
        )


def still_live(live: dict[str, Placed], oracle: Oracle) -> dict[str, Placed]:
    return {job_id: d for job_id, d in live.items() if job_id in oracle.placed}


@LONG
@given(st.data(), strict_policies)
def test_every_decision_is_the_oracles(data: st.DataObject, policy: Policy) -> None:
    state, oracle, story = State(), Oracle(), TenantStory(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(8):
        events += story.next_events(live, asked, pool_ids)
        decisions = step(state, policy, story.now_s, events)
        assert differences(decisions, oracle.step(policy, story.now_s, events)) == []
        state.validate()
        live = still_live(live | placed(decisions), oracle)
        story.hear(decisions)
        story.leaving = {job_id: told for job_id, told in story.leaving.items() if job_id in live}
        events = []
    wanted = story.coloured(data.draw(asks("new", story.now_s)))
    before = list(state.events())
    assert outlook_facts(quote(state, policy, story.now_s, wanted)) == oracle.quote(policy, story.now_s, wanted)
    assert list(state.events()) == before
    state.validate()


sizes = st.tuples(
    st.sampled_from([1, 1, 2, 3]),  # nodes
    st.sampled_from([1, 2, 2, 3, 4]),  # chips per node
    st.sampled_from([2, 7, 30, 60]),  # walltime
    st.sampled_from([0, 0, 0, 3]),  # CPUs per node
    st.sampled_from([0, 0, 1, 5]),  # priority
    st.sampled_from(TENANTS),
    st.sampled_from([True, True, True, False]),  # preemptible
)
bursts = st.tuples(st.lists(sizes, max_size=8), st.integers(0, 5), st.booleans())


@settings(LONG, max_examples=250)
@given(st.lists(bursts, min_size=2, max_size=6), strict_policies, st.data(), st.sampled_from([1, 1, 2]))
def test_a_crowd_of_tenants_before_one_kind_of_pool(
    story: list[tuple[list[Any], int, bool]], policy: Policy, data: st.DataObject, pool_count: int
) -> None:
    """Everything fits everywhere, so that who leaves, who borrows and who gives back is all that matters."""
    state, oracle, now_s, jobs = State(), Oracle(), 100, 0
    events: list[Event] = [PoolSet(pool(f"p{i}", nodes=4, chips=4, cpus=8)) for i in range(pool_count)]
    events.append(QuotasSet(data.draw(trees([(f"centre-p{i}", GPU) for i in range(pool_count)]))))
    asked: dict[str, Ask] = {}
    for crowd, seconds, slow in story:
        for num_nodes, chips, walltime_s, cpus, priority, tenant, preemptible in crowd:
            jobs += 1
            job_id, ways = f"j{jobs:03d}", (variant(chips, cpus_per_node=cpus),)
            asked[job_id] = ask(
                job_id, num_nodes=num_nodes, walltime_s=walltime_s, variants=ways, priority=priority,
                tenant_id=tenant, preemptible=preemptible, checkpoint_every_s=jobs % 3,
            )  # fmt: skip
            events.append(JobQueued(asked[job_id], now_s))
        decisions = step(state, policy, now_s, events)
        assert differences(decisions, oracle.step(policy, now_s, events)) == []
        state.validate()
        now_s += seconds
        events = []
        for job_id, attempt in sorted(oracle.placed.items()):
            if attempt.leaving and not (slow and jobs % 2):
                asked[job_id] = replace(
                    asked[job_id], attempt=attempt.number + 1, preemptions=asked[job_id].preemptions + 1
                )
                events += [AttemptEnded(job_id, attempt.number), JobQueued(asked[job_id], now_s)]
            elif attempt.end_s <= now_s and not attempt.leaving:
                events.append(AttemptEnded(job_id, attempt.number))


@LONG
@given(st.data(), strict_policies)
def test_a_state_built_anew_knows_who_leaves_for_whom(data: st.DataObject, policy: Policy) -> None:
    policy = replace(policy, usage_half_life_s=data.draw(st.sampled_from([0, 7, 100])))
    state, oracle, story = State(), Oracle(), TenantStory(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(4):
        events += story.next_events(live, asked, pool_ids)
        decisions = step(state, policy, story.now_s, events)
        oracle.step(policy, story.now_s, events)
        live = still_live(live | placed(decisions), oracle)
        story.hear(decisions)
        story.leaving = {job_id: told for job_id, told in story.leaving.items() if job_id in live}
        events = []
    rebuilt = State()
    apply_events(rebuilt, list(state.events()))
    rebuilt.validate()
    for _ in range(3):
        events = story.next_events(live, asked, pool_ids)
        decisions, again = step(state, policy, story.now_s, events), step(rebuilt, policy, story.now_s, events)
        oracle.step(policy, story.now_s, events)
        assert placed(again) == placed(decisions)
        told = [[d for d in each if isinstance(d, Preempted)] for each in (decisions, again)]
        assert told[0] == told[1]
        live = still_live(live | placed(decisions), oracle)
        story.hear(decisions)
        story.leaving = {job_id: told for job_id, told in story.leaving.items() if job_id in live}
        rebuilt.validate()
        shares = rebuilt.fair_shares(story.now_s + 5)
        for tenant, factor in state.fair_shares(story.now_s + 5).items():
            assert shares.get(tenant, 1.0) == factor
    assert list(rebuilt.events()) == list(state.events())
