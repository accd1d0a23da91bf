"""Every story of preemption comes to rest: the potential of the theory, as a property."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.decisions import Decision, Placed, Preempted
from suanwang.domain.scheduling.events import Ask, AttemptEnded, Event, JobQueued, PoolSet, QuotasSet
from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from tests.domain.scheduling.test_oracle import LONG
from tests.domain.scheduling.test_tenants import TENANTS, preemptions, trees
from tests.domain.scheduling.workloads import GPU, ask, policies, pool, variant

Wish = tuple[int, int, int, str, bool]
crowds = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 2, 4]),  # nodes
        st.sampled_from([1, 2, 3, 4]),  # chips per node
        st.sampled_from([0, 1, 2, 9]),  # priority
        st.sampled_from(TENANTS),
        st.integers(0, 4).map(bool),  # preemptible
    ),
    min_size=1,
    max_size=14,
)


@settings(LONG, max_examples=120)
@given(st.data(), policies, preemptions, st.lists(crowds, min_size=1, max_size=4), st.sampled_from([0, 1]))
def test_at_one_instant_everybody_who_leaves_has_left_after_a_bounded_number_of_steps(
    data: st.DataObject,
    policy: Policy,
    terms: Preemption,
    crowds: list[list[Wish]],
    pass_s: int,
) -> None:
    """Potential: attempts that run and began before this instant. Each preemption takes one, nothing adds one.

    So at one instant there are at most as many preemptions, at most as many placements as jobs waited or were made to
    wait, and one step more finds nothing to do. Over all instants no job is preempted more often than the policy
    allows. Nobody leaves for whom they made leave at the same instant.
    """
    policy = replace(policy, preemption=terms, outlook=False)
    state, now_s, asked, told = State(), 100, dict[str, Ask](), dict[str, int]()
    events: list[Event] = [PoolSet(pool("p0", nodes=4)), PoolSet(pool("p1", nodes=2))]
    events.append(QuotasSet(data.draw(trees([("centre-p0", GPU), ("centre-p1", GPU)]))))
    for crowd in crowds:
        for nodes, chips, priority, tenant, preemptible in crowd:
            new = ask(
                f"j{len(asked):03d}", num_nodes=nodes, variants=(variant(chips),), priority=priority,
                tenant_id=tenant, preemptible=preemptible, walltime_s=900,
            )  # fmt: skip
            asked[new.job_id] = new
            events.append(JobQueued(new, now_s))
        older = sum(job.placed for job in state.jobs.values())
        waiting = len(asked) - older
        steps, pairs, decisions = 0, set[tuple[str, str]](), list[Decision]()
        while events or any(isinstance(d, Placed | Preempted) for d in decisions):
            decisions = step(state, policy, now_s, events)
            steps += 1
            leaving = [d for d in decisions if isinstance(d, Preempted)]
            events = []
            for one in leaving:
                assert (one.for_job_id, one.job_id) not in pairs
                pairs.add((one.job_id, one.for_job_id))
                told[one.job_id] = told.get(one.job_id, 0) + 1
                asked[one.job_id] = replace(asked[one.job_id], attempt=one.attempt + 1, preemptions=told[one.job_id])
                events += [AttemptEnded(one.job_id, one.attempt), JobQueued(asked[one.job_id], now_s)]
        assert policy.preemption is not None
        assert len(pairs) <= older
        assert steps <= waiting + 2 * older + 1
        assert all(count <= policy.preemption.max_preemptions for count in told.values())
        assert not [d for d in step(state, policy, now_s, []) if isinstance(d, Placed | Preempted)]
        state.validate()
        now_s += pass_s
