"""The compiled scheduler and the obvious one agree on everything they say, in random stories of a network."""

from copy import deepcopy

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import Ask, AttemptEnded, Event, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from tests.domain.scheduling.oracle import Oracle, differences
from tests.domain.scheduling.workloads import Story, ask, asks, outlook_facts, placed, policies, pool, queued, variant

STEPS = 8
LONG = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@LONG
@given(st.data(), policies)
def test_every_decision_is_the_oracles(data: st.DataObject, policy: Policy) -> None:
    state, oracle, story = State(), Oracle(), Story(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(STEPS):
        events += story.next_events(live, asked, pool_ids)
        decisions = step(state, policy, story.now_s, events)
        assert differences(decisions, oracle.step(policy, story.now_s, events)) == []
        state.validate()
        live = {job_id: d for job_id, d in (live | placed(decisions)).items() if job_id in oracle.placed}
        events = []


@LONG
@given(st.data(), policies)
def test_every_quote_is_the_oracles_and_changes_nothing(data: st.DataObject, policy: Policy) -> None:
    state, oracle, story = State(), Oracle(), Story(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(3):
        events += story.next_events(live, asked, pool_ids)
        decisions = step(state, policy, story.now_s, events)
        oracle.step(policy, story.now_s, events)
        live |= placed(decisions)
        live = {job_id: d for job_id, d in live.items() if job_id in oracle.placed}
        events = []
    before = list(state.events())
    waiting = [job.ask for job in state.queue()]
    again = bool(waiting) and data.draw(st.booleans())
    wanted = data.draw(st.sampled_from(waiting)) if again else data.draw(asks("new", story.now_s))
    told = quote(state, policy, story.now_s, wanted)
    assert outlook_facts(told) == oracle.quote(policy, story.now_s, wanted)
    assert list(state.events()) == before
    state.validate()
    assert quote(state, policy, story.now_s, wanted) == told


@LONG
@given(st.data(), policies)
def test_a_state_built_anew_decides_as_the_one_before(data: st.DataObject, policy: Policy) -> None:
    state, story = State(), Story(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(3):
        events += story.next_events(live, asked, pool_ids)
        live |= placed(step(state, policy, story.now_s, events))
        live = {job_id: d for job_id, d in live.items() if job_id in state.jobs and state.jobs[job_id].placed}
        events = []
    copied, rebuilt = deepcopy(state), State()
    apply_events(rebuilt, list(state.events()))
    rebuilt.validate()
    for _ in range(3):
        events = story.next_events(live, asked, pool_ids)
        decisions = step(state, policy, story.now_s, events)
        assert step(copied, policy, story.now_s, events) == decisions
        assert placed(step(rebuilt, policy, story.now_s, events)) == placed(decisions)
        live |= placed(decisions)
        live = {job_id: d for job_id, d in live.items() if job_id in state.jobs and state.jobs[job_id].placed}
        rebuilt.validate()
    assert list(rebuilt.events()) == list(copied.events()) == list(state.events())


sizes = st.tuples(
    st.sampled_from([1, 1, 2, 3]),  # nodes
    st.sampled_from([1, 2, 2, 3, 4]),  # chips per node
    st.sampled_from([1, 2, 4, 7, 12]),  # walltime
    st.sampled_from([0, 0, 3]),  # CPUs per node
    st.booleans(),  # priority
)
bursts = st.tuples(
    st.lists(sizes, max_size=9),
    st.integers(1, 5),  # seconds until the next
    st.lists(st.integers(0, 30), max_size=3),  # who ends early
)


@settings(LONG, max_examples=250)
@given(st.lists(bursts, min_size=2, max_size=6), policies, st.sampled_from([1, 1, 2]))
def test_a_crowd_before_one_kind_of_pool(
    story: list[tuple[list[tuple[int, int, int, int, bool]], int, list[int]]], policy: Policy, pool_count: int
) -> None:
    """Everything fits everywhere, so that all that matters is who waits, who holds and who overtakes."""
    state, oracle, now_s, jobs = State(), Oracle(), 100, 0
    events: list[Event] = [PoolSet(pool(f"p{i}", nodes=4, chips=4, cpus=8)) for i in range(pool_count)]
    for crowd, seconds, early in story:
        for num_nodes, chips, walltime_s, cpus, urgent in crowd:
            jobs += 1
            one = (variant(chips, cpus_per_node=cpus),)
            events.append(
                queued(f"j{jobs:03d}", num_nodes=num_nodes, walltime_s=walltime_s, variants=one, priority=int(urgent))
            )
        decisions = step(state, policy, now_s, events)
        assert differences(decisions, oracle.step(policy, now_s, events)) == []
        state.validate()
        now_s += seconds
        wanted = ask("zz", num_nodes=2, variants=(variant(2),), walltime_s=3)
        assert outlook_facts(quote(state, policy, now_s, wanted)) == oracle.quote(policy, now_s, wanted)
        running = sorted(oracle.placed)
        over = {job_id for job_id in running if oracle.placed[job_id].end_s <= now_s}
        over |= {running[i % len(running)] for i in early if running}
        late = {job_id for job_id in over if int(job_id[1:]) % 3 == 0}  # does not end when it should
        events = [AttemptEnded(job_id, 1) for job_id in sorted(over - late)]


share_sizes = st.tuples(
    st.sampled_from([1, 1, 1, 2]),  # nodes
    st.sampled_from([250, 400, 500, 500, 600, 1_000, 2_000, 3_000]),  # thousandths of chips per node
    st.sampled_from([1, 2, 4, 7, 12]),  # walltime
    st.sampled_from([0, 0, 0, 20]),  # memory per node
    st.booleans(),  # priority
)
share_bursts = st.tuples(
    st.lists(share_sizes, min_size=1, max_size=12),
    st.integers(1, 4),  # seconds until the next
    st.lists(st.integers(0, 30), max_size=3),  # who ends early
)


STALE_TIMES: list[tuple[list[tuple[int, int, int, int, bool]], int, list[int]]] = [
    (
        [
            (1, 250, 1, 0, False),
            (1, 250, 4, 0, False),
            (1, 250, 4, 0, False),
            (1, 400, 4, 0, False),
            (1, 400, 4, 0, False),
            (1, 1000, 4, 0, False),
            (1, 1000, 4, 0, False),
        ],
        1,
        [],
    ),
    (
        [
            (1, 250, 1, 0, False),
            (1, 250, 1, 0, False),
            (1, 250, 1, 0, False),
            (1, 250, 1, 0, False),
            (1, 250, 1, 0, False),
            (1, 250, 1, 0, False),
            (1, 1000, 1, 0, False),
            (2, 400, 2, 0, False),
            (1, 250, 1, 0, False),
        ],
        1,
        [],
    ),
]
"""A time that was looked up while a reservation stood was kept as if it would stand for ever."""


@settings(LONG, max_examples=60)
@example(STALE_TIMES, Policy(order="sjf", reserve_ahead=1, reservation_depth=1, quote_ahead=2), 1)
@given(st.lists(share_bursts, min_size=2, max_size=5), policies, st.sampled_from([1, 1, 2]))
def test_a_crowd_that_shares_chips(
    story: list[tuple[list[tuple[int, int, int, int, bool]], int, list[int]]], policy: Policy, pool_count: int
) -> None:
    """Few chips and many shares: who joins whom, which chip is opened for whom, and when the next can start."""
    state, oracle, now_s, jobs = State(), Oracle(), 100, 0
    events: list[Event] = [PoolSet(pool(f"p{i}", nodes=2, chips=3, cpus=8, memory_mib=50)) for i in range(pool_count)]
    for crowd, seconds, early in story:
        for num_nodes, milli, walltime_s, memory_mib, urgent in crowd:
            jobs += 1
            size = {"chip_milli": milli} if milli < 1_000 else {}
            one = (variant(max(1, milli // 1_000), memory_mib_per_node=memory_mib, **size),)
            events.append(
                queued(f"j{jobs:03d}", num_nodes=num_nodes, walltime_s=walltime_s, variants=one, priority=int(urgent))
            )
        decisions = step(state, policy, now_s, events)
        assert differences(decisions, oracle.step(policy, now_s, events)) == []
        state.validate()
        now_s += seconds
        wanted = ask("zz", variants=(variant(chip_milli=500),), walltime_s=3)
        assert outlook_facts(quote(state, policy, now_s, wanted)) == oracle.quote(policy, now_s, wanted)
        running = sorted(oracle.placed)
        over = {job_id for job_id in running if oracle.placed[job_id].end_s <= now_s}
        over |= {running[i % len(running)] for i in early if running}
        late = {job_id for job_id in over if int(job_id[1:]) % 3 == 0}  # does not end when it should
        events = [AttemptEnded(job_id, 1) for job_id in sorted(over - late)]
