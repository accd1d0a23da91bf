"""Who leaves for whom, one promise at a time."""

from typing import Any

import pytest

from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Decision, Placed, Preempted, Waiting
from suanwang.domain.scheduling.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    PlacementRefused,
    PoolDrained,
    PoolSet,
)
from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput
from tests.domain.scheduling.workloads import ask, pool, queued, variant

POLICY = Policy(preemption=Preemption(min_run_s=0))


def of(decisions: list[Decision]) -> dict[str, str]:
    """job -> where it was placed (pool:node,node), for whom it leaves, or the code of its waiting."""
    told = {}
    for d in decisions:
        match d:
            case Placed():
                told[d.job_id] = f"{d.pool_id}:{','.join(d.node_names)}"
            case Preempted():
                told[d.job_id] = f"leaves for {d.for_job_id}"
            case Waiting():
                told[d.job_id] = d.reason.code
    return told


def spot(job_id: str, chips: int = 4, **more: Any) -> JobQueued:
    """A preemptible job of one node that runs long."""
    return queued(job_id, **{"variants": (variant(chips),), "walltime_s": 100, "preemptible": True, **more})


def urgent(job_id: str = "urgent", chips: int = 4, **more: Any) -> JobQueued:
    return queued(job_id, **{"variants": (variant(chips),), "priority": 5, **more})


def running(*jobs: JobQueued, policy: Policy = POLICY, nodes: int = 2) -> State:
    """A pool of nodes with four chips each, and jobs that run there since 0."""
    state = State()
    told = step(state, policy, 0, [PoolSet(pool(nodes=nodes)), *jobs])
    assert all(isinstance(d, Placed) for d in told)
    return state


def test_a_higher_priority_takes_the_place_and_starts_when_they_are_gone() -> None:
    state = running(spot("a"), spot("b"))
    assert of(step(state, POLICY, 5, [urgent(num_nodes=2)])) == {
        "urgent": "WAITS_FOR_VICTIMS",
        "a": "leaves for urgent",
        "b": "leaves for urgent",
    }
    assert step(state, POLICY, 7, []) == []
    assert set(of(step(state, POLICY, 8, [AttemptEnded("a", 1), spot("a", attempt=2, preemptions=1)]))) == {"a"}
    told = step(state, POLICY, 9, [AttemptEnded("b", 1), spot("b", attempt=2, preemptions=1)])
    assert of(told) == {"urgent": "p:n0,n1", "b": "WAITS_FOR_CHIPS"}
    state.validate()


def test_a_decision_says_why_these() -> None:
    state = running(spot("a", checkpoint_every_s=7), spot("b"))
    told = step(state, POLICY, 10, [urgent()])
    assert isinstance(told[1], Preempted)
    assert (told[1].job_id, told[1].attempt, told[1].reason.code) == ("a", 1, "HIGHER_PRIORITY")
    assert told[1].reason.facts == {
        "for_job_id": "urgent",
        "pool_id": "p",
        "priority": 0,
        "for_priority": 5,
        "lost_s": 3,
        "victims": 1,
        "victims_lost_chip_s": 12,
        "considered": 2,
        "preemptions": 1,
    }


def test_the_lowest_priority_leaves_first_then_who_loses_least() -> None:
    crowd = [spot("low", priority=1), spot("lower", checkpoint_every_s=4), spot("lowest", checkpoint_every_s=5)]
    state = running(*crowd, nodes=3)
    told = [of(step(state, POLICY, 5, [urgent(f"u{i}")])) for i in range(3)]
    assert told == [
        {"u0": "WAITS_FOR_VICTIMS", "lowest": "leaves for u0"},
        {"u1": "WAITS_FOR_VICTIMS", "lower": "leaves for u1"},
        {"u2": "WAITS_FOR_VICTIMS", "low": "leaves for u2"},
    ]


def test_nobody_leaves_in_vain() -> None:
    """One chip is free beside a; what c leaves next to it is enough, so that the cheaper b may stay after all."""
    state = running(spot("a", 2), spot("b", 2, num_nodes=1), spot("c", 3, priority=1))
    assert of(step(state, POLICY, 5, [urgent(chips=4)]))["urgent"] == "WAITS_FOR_VICTIMS"
    state = running(spot("a", 2), spot("c", 3, priority=1))
    assert of(step(state, POLICY, 5, [urgent(chips=3)])) == {"urgent": "WAITS_FOR_VICTIMS", "a": "leaves for urgent"}


def test_what_they_leave_is_kept_from_everybody_else() -> None:
    state = running(spot("a", 2), spot("b", 2), spot("c", 4))
    step(state, POLICY, 5, [urgent(priority=5, chips=4)])
    crowd = [urgent("higher", priority=9, chips=2, walltime_s=2)]
    told = step(state, POLICY, 6, [AttemptEnded("a", 1), *crowd])
    assert of(told) == {"higher": "WAITS_FOR_VICTIMS", "c": "leaves for higher"}
    assert of(step(state, POLICY, 7, [AttemptEnded("b", 1)])) == {"urgent": "p:n0"}


@pytest.mark.parametrize(
    ("terms", "wish", "leaves"),
    [
        (Preemption(min_run_s=0), {}, True),
        (None, {}, False),
        (Preemption(min_run_s=0, min_gap=5), {}, True),
        (Preemption(min_run_s=0, min_gap=6), {}, False),
        (Preemption(min_run_s=5), {}, True),
        (Preemption(min_run_s=6), {}, False),
        (Preemption(min_run_s=0, max_preemptions=2), {"preemptions": 1}, True),
        (Preemption(min_run_s=0, max_preemptions=2), {"preemptions": 2}, False),
        (Preemption(min_run_s=0, max_victims=0), {}, False),
        (Preemption(min_run_s=0), {"preemptible": False}, False),
        (Preemption(min_run_s=0), {"priority": 5}, False),
    ],
)
def test_limits(terms: Preemption | None, wish: dict[str, Any], leaves: bool) -> None:
    policy = Policy(preemption=terms)
    state = running(spot("a", **wish), policy=policy, nodes=1)
    assert of(step(state, policy, 5, [urgent()])) == (
        {"urgent": "WAITS_FOR_VICTIMS", "a": "leaves for urgent"} if leaves else {"urgent": "WAITS_FOR_CHIPS"}
    )


def test_who_starts_in_this_very_second_is_safe() -> None:
    state = running(spot("a"), nodes=1)
    assert of(step(state, POLICY, 0, [urgent()])) == {"urgent": "WAITS_FOR_CHIPS"}
    assert of(step(state, POLICY, 1, [])) == {"urgent": "WAITS_FOR_VICTIMS", "a": "leaves for urgent"}


def test_a_reservation_ahead_is_not_delayed_by_who_preempts_behind_it() -> None:
    """The head holds both nodes from 100 on; what would run into that may not have the place before it."""
    crowd = [queued("firm", variants=(variant(4),), walltime_s=100), spot("soft")]
    head = urgent("head", num_nodes=2, priority=9)
    for walltime_s, code in ((80, "WAITS_FOR_VICTIMS"), (200, "WAITS_FOR_CHIPS")):
        state = running(*crowd)
        assert of(step(state, POLICY, 10, [head]))["head"] == "WAITS_FOR_CHIPS"
        assert of(step(state, POLICY, 10, [urgent("behind", walltime_s=walltime_s)]))["behind"] == code


@pytest.mark.parametrize("news", [JobWithdrawn("urgent"), PoolDrained("p", True), PoolSet(pool(names=["n9"]))])
def test_the_promise_goes_with_who_needs_it_or_with_the_place(news: Event) -> None:
    state = running(spot("a"), nodes=1)
    step(state, POLICY, 5, [urgent()])
    told = of(step(state, POLICY, 6, [news]))
    assert not [event for event in state.events() if type(event).__name__ == "NodesPromised"]
    assert state.jobs["a"].placed  # it was told to leave, and is waited for
    state.validate()
    ends: list[Event] = [AttemptEnded("a", 1), PoolDrained("p", False), spot("next", submitted_s=9)]
    told |= of(step(state, POLICY, 7, ends))
    assert "p:" in told.get("urgent", told["next"])
    state.validate()


def test_who_starts_elsewhere_needs_the_promise_no_more() -> None:
    state = running(spot("a"), nodes=1)
    step(state, POLICY, 5, [urgent()])
    assert of(step(state, POLICY, 6, [PoolSet(pool("q", 1))])) == {"urgent": "q:n0"}
    assert of(step(state, POLICY, 7, [AttemptEnded("a", 1), spot("next")])) == {"next": "p:n0"}
    state.validate()


def test_older_attempts_and_late_starts_change_nothing_for_who_leaves() -> None:
    state = running(spot("a"), nodes=1)
    step(state, POLICY, 5, [urgent()])
    before = list(state.events())
    assert step(state, POLICY, 6, [AttemptEnded("a", 0), AttemptStarted("a", 1, 6), AttemptStarted("a", 2, 6)]) == []
    assert list(state.events()) == before


def test_a_placement_that_is_refused_while_it_leaves_waits_again_and_is_whole() -> None:
    state = running(spot("a"), nodes=1)
    step(state, POLICY, 5, [urgent()])
    told = of(step(state, POLICY, 6, [PlacementRefused("a", 1, "JOB_CHANGED")]))
    assert told == {"urgent": "p:n0", "a": "WAITS_FOR_CHIPS"}
    assert of(step(state, POLICY, 20, [AttemptEnded("urgent", 1)])) == {"a": "p:n0"}
    assert of(step(state, POLICY, 25, [urgent("again")]))["a"] == "leaves for again"
    state.validate()


def test_a_state_built_anew_knows_what_is_pending() -> None:
    state, rebuilt = running(spot("a"), spot("b")), State()
    step(state, POLICY, 5, [urgent(num_nodes=2)])
    apply_events(rebuilt, list(state.events()))
    rebuilt.validate()
    assert list(rebuilt.events()) == list(state.events())
    ends: list[Event] = [AttemptEnded("a", 1), AttemptEnded("b", 1), urgent("rival", priority=9)]
    assert of(step(rebuilt, POLICY, 6, ends)) == of(step(state, POLICY, 6, ends))
    assert rebuilt.jobs["urgent"].placed


def test_a_quote_knows_what_is_promised() -> None:
    state = running(spot("a"), nodes=1)
    step(state, POLICY, 5, [urgent(walltime_s=10)])
    (other,) = quote(state, POLICY, 6, ask("q", variants=(variant(4),), priority=9))
    (mine,) = quote(state, POLICY, 6, urgent(walltime_s=10).ask)
    assert (other.start_s, mine.start_s) == (17, 7)


@pytest.mark.parametrize(
    "wrong", [{"min_gap": 0}, {"max_preemptions": -1}, {"max_victims": -1}, {"min_run_s": -1}], ids=str
)
def test_impossible_limits_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        Preemption(**wrong)
    with pytest.raises(InvalidInput):
        ask("a", preemptions=-1)
    with pytest.raises(InvalidInput):
        ask("a", checkpoint_every_s=-1)
    with pytest.raises(InvalidInput):
        Policy(usage_half_life_s=-1)
