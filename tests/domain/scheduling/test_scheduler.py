"""What the scheduler promises, one promise at a time."""

from dataclasses import replace
from typing import Any

import pytest

from suanwang.domain.job import Objective
from suanwang.domain.scheduling.decisions import BookingAnswer, Decision, Placed, Waiting, WindowAnswer
from suanwang.domain.scheduling.events import (
    AttemptEnded,
    AttemptRestored,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    PlacementRefused,
    PoolDrained,
    PoolSeen,
    PoolSet,
)
from suanwang.domain.scheduling.policy import CONSERVATIVE, STRICT_FIFO, Policy
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput
from suanwang.units import SECONDS_PER_HOUR
from tests.domain.scheduling.workloads import GPU, NPU, ask, placed, pool, queued, variant

EASY = Policy(order="fcfs")


def of(decisions: list[Decision]) -> dict[str, str]:
    """job -> where it was placed (pool:node,node), or the code of its waiting."""
    return {
        d.job_id: f"{d.pool_id}:{','.join(d.node_names)}" if isinstance(d, Placed) else d.reason.code
        for d in decisions
        if not isinstance(d, BookingAnswer | WindowAnswer)
    }


def wide(job_id: str, nodes: int = 2, chips: int = 4, **more: Any) -> JobQueued:
    return queued(job_id, num_nodes=nodes, variants=(variant(chips),), **more)


def narrow(job_id: str, chips: int = 1, **more: Any) -> JobQueued:
    return queued(job_id, variants=(variant(chips),), **more)


# --- nodes ---


@pytest.mark.parametrize(("placement", "expected"), [("best_fit", "p:n1"), ("first_fit", "p:n0")])
def test_placement_takes_the_fullest_node_that_fits_or_the_first(placement: Any, expected: str) -> None:
    state, policy = State(), Policy(order="fcfs", placement=placement)
    step(state, policy, 0, [PoolSet(pool()), narrow("a", 1), narrow("b", 3)])
    step(state, policy, 0, [narrow("c", 3)])
    step(state, policy, 1, [AttemptEnded("b", 1)])  # a alone on n0, c on n1
    assert of(step(state, policy, 2, [narrow("d", 1)])) == {"d": expected}
    state.validate()


def test_ties_go_to_the_node_that_comes_first() -> None:
    decisions = step(State(), EASY, 0, [PoolSet(pool(names=["z", "y", "x"])), narrow("a", 4), wide("b", 2)])
    assert of(decisions) == {"a": "p:z", "b": "p:y,x"}


def test_a_gang_has_distinct_nodes() -> None:
    decisions = step(State(), EASY, 0, [PoolSet(pool(nodes=1, chips=8)), wide("gang", nodes=2, chips=4)])
    assert of(decisions) == {"gang": "NO_POOL_FITS"}
    assert isinstance(decisions[0], Waiting)
    assert decisions[0].outlook[0].reason.code == "TOO_FEW_NODES"


def test_cpus_are_counted_if_they_are_asked_for() -> None:
    state, half = State(), (variant(1, cpus_per_node=10),)
    events: list[Event] = [
        PoolSet(pool(nodes=1, cpus=16)),
        queued("a", variants=half),
        queued("b", variants=half),
        narrow("c"),
    ]
    assert of(step(state, EASY, 0, events)) == {"a": "p:n0", "b": "WAITS_FOR_CHIPS", "c": "p:n0"}
    assert of(step(state, EASY, 5, [AttemptEnded("a", 1)])) == {"b": "p:n0"}
    state.validate()


# --- queue and reservations ---


def blocked_head(policy: Policy, *behind: JobQueued) -> dict[str, str]:
    """Two nodes of four chips; one is taken until 10, so the job that wants both waits; others come behind it."""
    state = State()
    return of(step(state, policy, 0, [PoolSet(pool()), narrow("a1", 4), wide("b-head"), *behind]))


@pytest.mark.parametrize(
    ("depth", "walltime_s", "expected"),
    [
        (STRICT_FIFO, 5, "WAITS_BEHIND_OTHERS"),
        (1, 10, "p:n1"),
        (1, 11, "WAITS_BEHIND_OTHERS"),
        (CONSERVATIVE, 10, "p:n1"),
    ],
)
def test_who_may_overtake_a_job_that_waits(depth: int, walltime_s: int, expected: str) -> None:
    told = blocked_head(Policy(order="fcfs", reservation_depth=depth), narrow("c-short", walltime_s=walltime_s))
    assert told == {"a1": "p:n0", "b-head": "WAITS_FOR_CHIPS", "c-short": expected}


@pytest.mark.parametrize(("depth", "expected"), [(1, "p:n1"), (2, "WAITS_BEHIND_OTHERS")])
def test_depth_decides_how_many_are_protected(depth: int, expected: str) -> None:
    """The head leaves chips beside it from 10 to 20; the next needs all from 20 on, so a long job would delay it."""
    policy = Policy(order="fcfs", reservation_depth=depth)
    waiting = [wide("b-head", nodes=3, chips=2), wide("c-next", nodes=3, chips=4)]
    crowd: list[Event] = [PoolSet(pool(nodes=3)), narrow("a1", 4), *waiting, narrow("d-long", walltime_s=30)]
    assert of(step(State(), policy, 0, crowd))["d-long"] == expected


def test_a_wide_job_does_not_starve() -> None:
    """Narrow jobs arrive every second and would always fill the pool; the wide one starts when it was first told."""
    state, story = State(), {}
    decisions = step(state, EASY, 0, [PoolSet(pool()), *(narrow(f"a{i}", walltime_s=7 + i) for i in range(8))])
    decisions = step(state, EASY, 1, [wide("wide", submitted_s=1)])
    assert isinstance(decisions[0], Waiting)
    told_s = decisions[0].reason.facts["expected_start_s"]
    running = {f"a{i}": 7 + i for i in range(8)}
    for now_s in range(2, 40):
        over = [job_id for job_id, end_s in running.items() if end_s <= now_s]
        arrival = narrow(f"n{now_s}", submitted_s=now_s, walltime_s=4 + now_s % 5)
        for decision in placed(step(state, EASY, now_s, [*(AttemptEnded(j, 1) for j in over), arrival])).values():
            running[decision.job_id] = decision.expected_end_s
            story[decision.job_id] = now_s
        for job_id in over:
            del running[job_id]
    assert story["wide"] == told_s == 14
    assert len(story) > 10


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("fcfs", ["early", "short", "urgent"]),
        ("sjf", ["short", "early", "urgent"]),
        ("priority", ["urgent", "early", "short"]),
    ],
)
def test_the_queue_has_the_policys_order_even_if_the_policy_changes(order: Any, expected: list[str]) -> None:
    state = State()
    crowd = [
        narrow("urgent", submitted_s=3, priority=5, walltime_s=12),
        narrow("short", submitted_s=2, walltime_s=5),
        narrow("early", submitted_s=1),
    ]
    step(state, EASY, 5, [PoolSet(pool(nodes=1, chips=1)), narrow("first"), *crowd])
    assert list(placed(step(state, EASY, 6, []))) == []
    policy = Policy(order=order)
    told: list[str] = []
    for now_s, last in zip((20, 40, 60), ["first", *expected], strict=False):
        told += placed(step(state, policy, now_s, [AttemptEnded(last, 1)]))
        state.validate()
    assert told == expected


def test_ties_are_broken_by_the_number_then_by_the_id_not_by_the_order_of_events() -> None:
    decisions = step(State(), EASY, 0, [PoolSet(pool(nodes=1, chips=1)), narrow("b"), narrow("a")])
    assert list(placed(decisions)) == ["a"]
    numbered = [narrow("a", arrival=12), narrow("c", arrival=11), narrow("b", arrival=11)]
    decisions = step(State(), EASY, 0, [PoolSet(pool(nodes=1, chips=1)), *numbered])
    assert list(placed(decisions)) == ["b"]


def test_a_stable_queue_says_nothing() -> None:
    state = State()
    assert len(step(state, EASY, 0, [PoolSet(pool()), wide("a"), wide("b"), wide("c")])) == 3
    assert step(state, EASY, 1, []) == []
    assert of(step(state, EASY, 2, [PoolSeen("p", False)])) == {"b": "NO_POOL_OPEN", "c": "NO_POOL_OPEN"}
    assert step(state, EASY, 3, []) == []


def test_what_is_overdue_ends_soon_and_not_in_the_past() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("late", walltime_s=10)])
    decisions = step(state, EASY, 500, [wide("next")])
    assert decisions[0].reason.facts["expected_start_s"] == 501
    assert of(step(state, EASY, 501, [])) == {}
    assert of(step(state, EASY, 502, [AttemptEnded("late", 1)])) == {"next": "p:n0,n1"}


# --- objectives ---

TWO_POOLS: list[Event] = [PoolSet(pool("cheap", fen_per_chip_s=1)), PoolSet(pool("dear", fen_per_chip_s=3))]


@pytest.mark.parametrize(
    ("objective", "busy_s", "expected"),
    [
        (Objective.CHEAPEST, 0, "cheap"),
        (Objective.CHEAPEST, 900, "waits"),
        (Objective.SOONEST, 0, "cheap"),
        (Objective.SOONEST, 1, "dear"),
        (Objective.BALANCED, 0, "cheap"),
        (Objective.BALANCED, 19, "waits"),  # 19 s of waiting weigh as 19 s of the chips: 10 + 19 < 30
        (Objective.BALANCED, 20, "dear"),  # 10 + 20 = 30: the tie goes to the earlier start
        (Objective.BALANCED, 21, "dear"),
    ],
)
def test_objectives_weigh_price_and_waiting(objective: Objective, busy_s: int, expected: str) -> None:
    state = State()
    busy = [wide("busy", walltime_s=busy_s, objective=Objective.CHEAPEST)] if busy_s else []
    step(state, EASY, 0, [*TWO_POOLS, *busy])
    told = of(step(state, EASY, 0, [wide("job", objective=objective, walltime_s=10)]))["job"]
    assert told == ("WAITS_FOR_CHIPS" if expected == "waits" else f"{expected}:n0,n1")


def test_an_earlier_variant_wins_whatever_the_price_if_the_order_is_a_preference() -> None:
    pools = [PoolSet(pool("gpu", fen_per_chip_s=9)), PoolSet(pool("npu", chip_id=NPU))]
    ways = (variant(1, GPU), variant(1, NPU))
    for ordered, expected in ((True, "gpu:n0"), (False, "npu:n0")):
        one = queued("a", variants=ways, ordered=ordered, objective=Objective.CHEAPEST)
        assert of(step(State(), EASY, 0, [*pools, one])) == {"a": expected}
    state = State()
    step(state, EASY, 0, [*pools, PoolDrained("gpu", True)])
    assert of(step(state, EASY, 0, [queued("a", variants=ways, ordered=True)])) == {"a": "npu:n0"}


def test_who_may_be_told_to_leave_pays_the_price_for_that() -> None:
    offer = replace(pool().offer, preemptible_fen_per_chip_hour=SECONDS_PER_HOUR // 2)
    state = State()
    jobs = [queued("a"), queued("b", preemptible=True)]
    decisions = step(state, EASY, 0, [PoolSet(replace(pool(), offer=offer)), *jobs])
    told = {one.job_id: one for one in decisions if isinstance(one, Placed)}
    assert {job_id: one.price_fen for job_id, one in told.items()} == {"a": 10, "b": 5}
    prices = {job_id: one.outlook[0].reason.facts["fen_per_chip_hour"] for job_id, one in told.items()}
    assert prices == {"a": SECONDS_PER_HOUR, "b": SECONDS_PER_HOUR // 2}


# --- what a pool cannot do ---

REFUSALS: list[tuple[str, dict[str, Any], dict[str, object]]] = [
    ("CHIP_MISMATCH", {"variants": (variant(1, NPU),)}, {"chip": GPU, "wanted": [NPU]}),
    (
        "NODE_TOO_SMALL",
        {"variants": (variant(5),)},
        {"chips_per_node": 4, "cpus_per_node": 16, "wanted_chips_per_node": 5, "wanted_cpus_per_node": 0},
    ),
    (
        "NODE_TOO_SMALL",
        {"variants": (variant(1, cpus_per_node=17),)},
        {"chips_per_node": 4, "cpus_per_node": 16, "wanted_chips_per_node": 1, "wanted_cpus_per_node": 17},
    ),
    ("TOO_FEW_NODES", {"num_nodes": 3}, {"fitting_nodes": 2, "wanted_nodes": 3}),
    ("WALLTIME_OVER_LIMIT", {"walltime_s": 1_001}, {"max_walltime_s": 1_000, "wanted_walltime_s": 1_001}),
    (
        "OTHER_CENTRE_PINNED",
        {"variants": (variant(centre="elsewhere"),)},
        {"centre": "centre-p", "wanted": "elsewhere"},
    ),
    ("CHECKPOINT_ELSEWHERE", {"only_centre": "elsewhere"}, {"centre": "centre-p", "checkpoint": "elsewhere"}),
    (
        "PRICE_OVER_LIMIT",
        {"num_nodes": 2, "variants": (variant(max_fen_per_hour=2 * SECONDS_PER_HOUR - 1),)},
        {"fen_per_hour": 2 * SECONDS_PER_HOUR, "max_fen_per_hour": 2 * SECONDS_PER_HOUR - 1},
    ),
    ("COST_OVER_BUDGET", {"max_cost_fen": 9}, {"price_fen": 10, "max_cost_fen": 9}),
]


@pytest.mark.parametrize(("code", "wish", "facts"), REFUSALS)
def test_a_pool_that_cannot_says_why_with_both_sides(code: str, wish: dict[str, Any], facts: dict[str, object]) -> None:
    (decision,) = step(State(), EASY, 0, [PoolSet(pool()), queued("a", **wish)])
    assert isinstance(decision, Waiting)
    (outlook,) = decision.outlook
    assert decision.reason.code == "NO_POOL_FITS"
    assert (outlook.feasible, outlook.start_s, outlook.finish_s, outlook.price_fen) == (False, None, None, None)
    assert (outlook.reason.code, outlook.reason.facts) == (code, facts)


def test_limits_are_inclusive() -> None:
    wish = {
        "num_nodes": 2,
        "walltime_s": 1_000,
        "max_cost_fen": 8_000,
        "only_centre": "centre-p",
        "variants": (variant(4, centre="centre-p", cpus_per_node=16, max_fen_per_hour=8 * SECONDS_PER_HOUR),),
    }
    (decision,) = step(State(), EASY, 0, [PoolSet(pool()), queued("a", **wish)])
    assert isinstance(decision, Placed)
    assert (decision.price_fen, decision.expected_end_s) == (8_000, 1_000)


def test_the_variant_that_came_furthest_is_shown() -> None:
    ways = (variant(1, NPU), variant(1, max_fen_per_hour=1), variant(9))
    (decision,) = step(State(), EASY, 0, [PoolSet(pool()), queued("a", variants=ways)])
    assert isinstance(decision, Waiting)
    assert (decision.outlook[0].variant, decision.outlook[0].reason.code) == (1, "PRICE_OVER_LIMIT")


def test_a_placement_carries_the_outlook_of_every_pool() -> None:
    state = State()
    crowd: list[Event] = [PoolSet(pool("npu", chip_id=NPU)), PoolSet(pool("off")), PoolDrained("off", True)]
    step(state, EASY, 0, [*TWO_POOLS, *crowd, wide("busy", objective=Objective.CHEAPEST)])
    (decision,) = step(state, EASY, 4, [wide("a", walltime_s=20)])
    assert isinstance(decision, Placed)
    told = [(o.pool_id, o.reason.code, o.start_s, o.finish_s, o.price_fen) for o in decision.outlook]
    assert told == [
        ("cheap", "FITS", 10, 30, 160),
        ("dear", "FITS", 4, 24, 480),
        ("npu", "CHIP_MISMATCH", None, None, None),
        ("off", "POOL_DRAINED", None, None, 160),
    ]
    assert (decision.reason.code, decision.reason.facts["fitting_pools"]) == ("SOONEST_START", 2)


def test_a_replay_may_do_without_outlooks() -> None:
    events: list[Event] = [*TWO_POOLS, wide("a"), wide("b"), wide("c"), narrow("d", 9)]
    told, brief = (step(State(), Policy(outlook=outlook), 0, [*events]) for outlook in (True, False))
    assert of(told) == of(brief)
    assert [d.outlook for d in brief if isinstance(d, Placed | Waiting)] == [()] * 4


# --- pools that come, go, grow and shrink ---


def test_cannot_see_is_not_dead() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a")])
    assert of(step(state, EASY, 1, [PoolSeen("p", False), wide("b")])) == {"b": "NO_POOL_OPEN"}
    assert state.jobs["a"].placed
    assert quote(state, EASY, 1, ask("q"))[0].reason.code == "POOL_UNSEEN"
    assert of(step(state, EASY, 2, [AttemptEnded("a", 1)])) == {}
    assert of(step(state, EASY, 3, [PoolSeen("p", True)])) == {"b": "p:n0,n1"}


def test_a_drained_pool_gets_nothing_new() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), narrow("a"), PoolDrained("p", True)])
    assert of(step(state, EASY, 1, [narrow("b")])) == {"b": "NO_POOL_OPEN"}
    assert of(step(state, EASY, 2, [PoolDrained("p", False)])) == {"a": "p:n0", "b": "p:n0"}


def test_a_pool_that_joins_or_changes_is_seen_by_those_who_wait() -> None:
    state = State()
    assert of(step(state, EASY, 0, [wide("a", nodes=3)])) == {"a": "NO_POOL_FITS"}
    assert of(step(state, EASY, 1, [PoolSet(pool(nodes=2))])) == {}
    assert of(step(state, EASY, 2, [PoolSet(pool(nodes=3))])) == {"a": "p:n0,n1,n2"}
    dearer = pool(nodes=3, fen_per_chip_s=5)
    assert of(step(state, EASY, 3, [PoolSet(dearer), AttemptEnded("a", 1), narrow("b")])) == {"b": "p:n0"}
    assert quote(state, EASY, 3, ask("q"))[0].price_fen == 50
    state.validate()


def test_allocations_stay_on_nodes_that_vanish_or_shrink() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool(nodes=3)), wide("a", nodes=3)])
    smaller = pool(names=["n2", "n9"], chips=2)
    assert of(step(state, EASY, 1, [PoolSet(smaller), narrow("b", 2), narrow("c", 1)])) == {
        "b": "p:n9",
        "c": "WAITS_FOR_CHIPS",
    }
    assert state.node_names_of(state.jobs["a"]) == ("n2", "n0", "n1")
    state.validate()
    assert of(step(state, EASY, 2, [AttemptEnded("a", 1)])) == {"c": "p:n2"}
    state.validate()


# --- attempts ---


def test_a_refused_placement_is_undone_and_the_job_waits_again() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a", submitted_s=-9), wide("b")])
    decisions = step(state, EASY, 1, [PlacementRefused("a", 1, "INSUFFICIENT_VALUE")])
    assert of(decisions) == {"a": "p:n0,n1"}
    refused: list[Event] = [PlacementRefused("a", 1, "INSUFFICIENT_VALUE"), JobWithdrawn("a")]
    assert of(step(state, EASY, 2, refused)) == {"b": "p:n0,n1"}
    assert "a" not in state.jobs
    state.validate()


def test_a_job_withdrawn_between_decision_and_refusal_does_not_come_back() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a")])
    assert step(state, EASY, 1, [JobWithdrawn("a")]) == []
    assert state.jobs["a"].placed
    assert step(state, EASY, 2, [PlacementRefused("a", 1, "CONFLICT")]) == []
    assert state.jobs == {}
    assert of(step(state, EASY, 3, [wide("b")])) == {"b": "p:n0,n1"}


def test_events_of_other_attempts_change_nothing() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a", attempt=2)])
    before = list(state.events())
    stale: list[Event] = [
        AttemptEnded("a", 1),
        AttemptEnded("a", 3),
        AttemptStarted("a", 1, 99),
        PlacementRefused("a", 1, "X"),
    ]
    unknown: list[Event] = [
        AttemptEnded("x", 1),
        AttemptStarted("x", 1, 5),
        JobWithdrawn("x"),
        PlacementRefused("x", 1, "X"),
    ]
    again = [wide("a", attempt=1), wide("a", attempt=2)]
    assert step(state, EASY, 1, [*stale, *unknown, *again]) == []
    assert list(state.events()) == before


def test_a_job_that_recovers_comes_again_at_its_old_place() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a", submitted_s=-5), wide("b", submitted_s=-3)])
    decisions = step(state, EASY, 4, [AttemptEnded("a", 1), wide("a", attempt=2, submitted_s=-5)])
    assert [(d.job_id, d.attempt) for d in decisions if isinstance(d, Placed)] == [("a", 2)]
    assert step(state, EASY, 5, [AttemptEnded("a", 1)]) == []


def test_the_clock_of_an_attempt_starts_when_it_starts() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), wide("a")])
    step(state, EASY, 7, [AttemptStarted("a", 1, 6)])
    (decision,) = step(state, EASY, 8, [wide("b")])
    assert decision.reason.facts["expected_start_s"] == 16


def test_an_attempt_is_restored_even_where_the_pool_no_longer_has_its_node() -> None:
    state = State()
    lost = AttemptRestored(ask("a", num_nodes=2, variants=(variant(3),)), 4, "p", 0, ("n1", "gone"), 50)
    assert of(step(state, EASY, 9, [PoolSet(pool()), lost, wide("b")])) == {"b": "WAITS_FOR_CHIPS"}
    assert state.node_names_of(state.jobs["a"]) == ("n1", "gone")
    state.validate()
    assert of(step(state, EASY, 10, [AttemptEnded("a", 3)])) == {}
    assert of(step(state, EASY, 11, [AttemptEnded("a", 4)])) == {"b": "p:n0,n1"}


def test_an_event_of_an_unknown_pool_is_a_bug() -> None:
    with pytest.raises(KeyError):
        step(State(), EASY, 0, [PoolSeen("nowhere", True)])


# --- quotes ---


def test_a_quote_knows_the_queue_in_front_of_it() -> None:
    state = State()
    step(state, EASY, 0, [PoolSet(pool()), *(wide(f"j{i}", submitted_s=-9 + i) for i in range(4))])
    start_s = {
        ahead: quote(state, Policy(order="fcfs", quote_ahead=ahead), 2, wide("q").ask)[0].start_s
        for ahead in (0, 2, 3, 9)
    }
    assert start_s == {0: None, 2: None, 3: 40, 9: 40}
    (unforeseen,) = quote(state, Policy(order="fcfs", quote_ahead=2), 2, wide("q").ask)
    assert (unforeseen.feasible, unforeseen.reason.code, unforeseen.reason.facts) == (
        True,
        "NOT_FORESEEN",
        {"looked_at": 2},
    )
    assert unforeseen.price_fen is not None
    urgent = wide("q", priority=1).ask
    assert quote(state, Policy(order="priority"), 2, urgent)[0].start_s == 10
    assert quote(state, EASY, 2, wide("j2", submitted_s=-7).ask)[0].start_s == 20


def test_a_quote_gives_nobody_the_chips_of_what_is_overdue() -> None:
    """The head waits for an attempt that should have ended; who fits before it is taken to use the other node."""
    state = State()
    crowd = [narrow("a-late", 4), wide("b-head"), narrow("c-short", walltime_s=1)]
    step(state, Policy(order="fcfs", reservation_depth=STRICT_FIFO), 0, [PoolSet(pool()), *crowd])
    (outlook,) = quote(state, EASY, 20, narrow("q", 4, walltime_s=1).ask)
    assert outlook.start_s == 31


def test_a_quote_without_pools_is_empty() -> None:
    assert quote(State(), EASY, 0, ask("q")) == ()
    assert of(step(State(), EASY, 0, [narrow("a")])) == {"a": "NO_POOL_FITS"}


WRONG_ASKS: list[dict[str, Any]] = [{"num_nodes": 0}, {"walltime_s": 0}, {"variants": ()}]
WRONG_POLICIES: list[dict[str, Any]] = [
    {"order": "lifo"},
    {"placement": "worst"},
    {"reservation_depth": -1},
    {"quote_ahead": -1},
]


def test_impossible_asks_and_policies_are_refused() -> None:
    for wrong in WRONG_ASKS:
        with pytest.raises(InvalidInput):
            ask("a", **wrong)
    with pytest.raises(InvalidInput):
        variant(0)
    with pytest.raises(InvalidInput):
        variant(1, cpus_per_node=-1)
    for wrong in WRONG_POLICIES:
        with pytest.raises(InvalidInput):
            Policy(**wrong)
