"""Bookings, windows, cabinets and own tenants: the compiled scheduler and the obvious one agree, and small cases by
hand."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.calendar import (
    Booking,
    BookingRemoved,
    BookingSet,
    CalendarEvent,
    Window,
    WindowRemoved,
    WindowSet,
)
from suanwang.domain.scheduling.decisions import BookingAnswer, Decision, Placed, Waiting, WindowAnswer
from suanwang.domain.scheduling.events import Ask, AttemptEnded, Event, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput
from tests.domain.scheduling.oracle import Oracle, differences
from tests.domain.scheduling.test_oracle import LONG
from tests.domain.scheduling.test_tenants import TENANTS, TenantStory, still_live, strict_policies
from tests.domain.scheduling.workloads import ask, asks, outlook_facts, placed, policies, pool, queued, variant

NAMES = ("a", "b", "c", "d")
BOOKINGS, WINDOWS = ("b1", "b2", "b3"), ("w1", "w2")


def cabinets(*names: str, **more: Any) -> Pool:
    plain = pool(nodes=len(names), **more)
    return replace(plain, nodes=tuple(replace(n, cabinet=c) for n, c in zip(plain.nodes, names, strict=True)))


@dataclass
class CalendarStory(TenantStory):
    """A story in which centres book nodes, plan windows, name cabinets and put their own tenants first."""

    booked: dict[str, str] = field(default_factory=dict)
    """booking -> its pool, of all that were ever asked for."""

    def some_pool(self, pool_id: str) -> Pool:
        plain = super().some_pool(pool_id)
        if not self.data.draw(st.integers(0, 2)):
            return plain
        cabinets = st.sampled_from(["", "x", "x", "y"])
        nodes = tuple(replace(node, cabinet=self.data.draw(cabinets)) for node in plain.nodes)
        owners = self.data.draw(st.sampled_from([(), (), ("t1",), ("t2", "t3")]))
        return replace(plain, nodes=nodes, offer=replace(plain.offer, own_tenants_first=owners))

    def next_events(self, live: dict[str, Placed], asked: dict[str, Ask], pool_ids: list[str]) -> list[Event]:
        events = super().next_events(live, asked, pool_ids)
        for _ in range(self.data.draw(st.sampled_from([0, 1, 1, 2]))):
            events.append(self.about_the_calendar(pool_ids))
        return events

    def about_the_calendar(self, pool_ids: list[str]) -> CalendarEvent:
        kind = self.data.draw(st.sampled_from(["book", "book", "book", "window", "window", "cancel", "unplan"]))
        pool_id = self.data.draw(st.sampled_from(pool_ids))
        start_s = self.now_s + self.data.draw(st.sampled_from([-2, 0, 0, 1, 3, 8]))
        end_s = start_s + self.data.draw(st.sampled_from([1, 4, 9, 15]))
        if kind == "book":
            booking_id = self.data.draw(st.sampled_from(BOOKINGS))
            self.booked[booking_id] = pool_id
            return BookingSet(
                Booking(
                    id=booking_id,
                    pool_id=pool_id,
                    start_s=start_s,
                    end_s=end_s,
                    tenants=self.data.draw(st.sampled_from([frozenset({"t1"}), frozenset(TENANTS)])),
                    num_nodes=self.data.draw(st.sampled_from([None, 1, 1, 2, 3])),
                    within=self.data.draw(st.sampled_from(["pool", "pool", "cabinet"])),
                )
            )
        if kind == "window":
            names = self.data.draw(st.sampled_from([(), (), ("a",), ("b", "c"), ("d", "nobody")]))
            window_id = self.data.draw(st.sampled_from(WINDOWS))
            return WindowSet(Window(id=window_id, pool_id=pool_id, start_s=start_s, end_s=end_s, node_names=names))
        if kind == "cancel":
            return BookingRemoved(self.data.draw(st.sampled_from(BOOKINGS)))
        return WindowRemoved(self.data.draw(st.sampled_from(WINDOWS)))

    def coloured(self, plain: Ask) -> Ask:
        coloured = super().coloured(plain)
        if coloured.within == "pool" and not self.data.draw(st.integers(0, 2)):
            coloured = replace(coloured, within="cabinet")
        if not self.data.draw(st.integers(0, 3)):
            coloured = replace(
                coloured, booking_id=self.data.draw(st.sampled_from(BOOKINGS)), walltime_s=plain.walltime_s
            )
        return coloured


@LONG
@given(st.data(), st.one_of(policies, strict_policies))
def test_every_decision_is_the_oracles(data: st.DataObject, policy: Policy) -> None:
    state, oracle, story = State(), Oracle(), CalendarStory(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for _ in range(7):
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


def answered(decisions: list[Decision]) -> list[BookingAnswer | WindowAnswer]:
    """But for lost nodes, of which a state that was built anew tells once more."""
    found = [d for d in decisions if isinstance(d, BookingAnswer | WindowAnswer)]
    return [d for d in found if d.reason.code not in ("BOOKING_LOST_NODES", "BOOKING_NODES_ARE_BACK")]


@LONG
@given(st.data(), st.one_of(policies, strict_policies))
def test_a_state_built_anew_knows_the_calendar(data: st.DataObject, policy: Policy) -> None:
    state, rebuilt, oracle, story = State(), State(), Oracle(), CalendarStory(data)
    live: dict[str, Placed] = {}
    asked: dict[str, Ask] = {}
    events = story.opening()
    pool_ids = [event.pool.id for event in events if isinstance(event, PoolSet)]
    for turn in range(6):
        events += story.next_events(live, asked, pool_ids)
        if turn == 3:
            apply_events(rebuilt, list(state.events()))
            rebuilt.validate()
        decisions = step(state, policy, story.now_s, events)
        if turn >= 3:
            again = step(rebuilt, policy, story.now_s, events)
            assert answered(again) == answered(decisions)
            assert placed(again) == placed(decisions)
        oracle.step(policy, story.now_s, events)
        live = still_live(live | placed(decisions), oracle)
        story.hear(decisions)
        story.leaving = {job_id: told for job_id, told in story.leaving.items() if job_id in live}
        events = []
    assert list(rebuilt.events()) == list(state.events())


jobs = st.tuples(
    st.sampled_from([1, 1, 2, 3]),  # nodes
    st.sampled_from([1, 2, 4]),  # chips per node
    st.sampled_from([1, 3, 5, 12]),  # walltime
    st.sampled_from([0, 0, 5]),  # priority
    st.sampled_from(TENANTS),
    st.sampled_from(["pool", "pool", "cabinet"]),
    st.sampled_from([None, None, "b1", "b2"]),
    st.booleans(),  # preemptible
)
plans = st.tuples(
    st.sampled_from(["b1", "b2", "b3", "w1", "w2"]),
    st.sampled_from([0, 0, 2, 6]),  # seconds until it begins
    st.sampled_from([3, 8, 20]),  # seconds that it lasts
    st.sampled_from([1, 2, 3]),  # nodes
)
bursts = st.tuples(st.lists(jobs, max_size=7), st.lists(plans, max_size=2), st.integers(0, 5), st.booleans())
owners = st.sampled_from([(), ("t1",), ("t2", "t3")])


@settings(LONG, max_examples=250)
@given(st.lists(bursts, min_size=2, max_size=6), strict_policies, st.lists(owners, min_size=1, max_size=2))
def test_a_crowd_before_a_full_calendar(
    story: list[tuple[list[Any], list[Any], int, bool]], policy: Policy, who_first: list[tuple[str, ...]]
) -> None:
    """Everything fits everywhere, so that the calendar, cabinets and who goes first are all that matters."""
    state, oracle, now_s, count = State(), Oracle(), 100, 0
    events: list[Event] = []
    for number, first in enumerate(who_first):
        room = cabinets("x", "y", "x", "y", "", pool_id=f"p{number}", cpus=0)
        events.append(PoolSet(replace(room, offer=replace(room.offer, own_tenants_first=first))))
    asked: dict[str, Ask] = {}
    for crowd, calendar, seconds, slow in story:
        for name, in_s, lasts_s, nodes in calendar:
            start_s, pool_id = now_s + in_s, f"p{nodes % len(who_first)}"
            times: dict[str, Any] = {"id": name, "pool_id": pool_id, "start_s": start_s, "end_s": start_s + lasts_s}
            if name.startswith("w"):
                names = tuple(f"n{at}" for at in range(nodes)) if nodes < 3 else ()
                events.append(WindowSet(Window(**times, node_names=names)))
            else:
                events.append(BookingSet(Booking(**times, tenants=frozenset(TENANTS[1:]), num_nodes=nodes)))
        for num_nodes, chips, walltime_s, priority, tenant, within, booking_id, preemptible in crowd:
            count += 1
            job_id = f"j{count:03d}"
            asked[job_id] = ask(
                job_id, num_nodes=num_nodes, walltime_s=walltime_s, variants=(variant(chips),), priority=priority,
                tenant_id=tenant, preemptible=preemptible, within=within, booking_id=booking_id,
            )  # fmt: skip
            events.append(JobQueued(asked[job_id], now_s))
        decisions = step(state, policy, now_s, events)
        assert differences(decisions, oracle.step(policy, now_s, events)) == []
        state.validate()
        wanted = ask("new", num_nodes=2, walltime_s=4, tenant_id="t3", submitted_s=now_s - count % 2, within="cabinet")
        assert outlook_facts(quote(state, policy, now_s, wanted)) == oracle.quote(policy, now_s, wanted)
        now_s += seconds
        events = []
        for job_id, attempt in sorted(oracle.placed.items()):
            if attempt.leaving and not (slow and count % 2):
                again = replace(asked[job_id], attempt=attempt.number + 1, preemptions=asked[job_id].preemptions + 1)
                asked[job_id] = again
                events += [AttemptEnded(job_id, attempt.number), JobQueued(again, now_s)]
            elif attempt.end_s <= now_s and not attempt.leaving and not (slow and count % 3 == 0):
                events.append(AttemptEnded(job_id, attempt.number))


# --- small cases ---


def waiting(decisions: list[Decision]) -> dict[str, Waiting]:
    return {d.job_id: d for d in decisions if isinstance(d, Waiting)}


def booking(**more: Any) -> Booking:
    plain: dict[str, Any] = {"id": "course", "pool_id": "p", "start_s": 120, "end_s": 150, "tenants": frozenset({"t1"})}
    return Booking(**{**plain, **more})


def answers(decisions: list[Decision]) -> list[tuple[str, bool, str, tuple[str, ...]]]:
    return [(d.booking_id, d.confirmed, d.reason.code, d.node_names) for d in decisions if isinstance(d, BookingAnswer)]


def test_a_course_has_its_nodes_in_its_hours_and_others_stay_out() -> None:
    state, policy = State(), Policy()
    told = step(state, policy, 100, [PoolSet(pool(nodes=2)), BookingSet(booking(num_nodes=1))])
    assert answers(told) == [("course", True, "BOOKING_CONFIRMED", ("n0",))]
    whole = (variant(4),)
    events: list[Event] = [
        queued("short", walltime_s=20, variants=whole),
        queued("long", walltime_s=21, variants=whole),
        queued("third", walltime_s=21, variants=whole),
        queued("student", walltime_s=10, variants=whole, booking_id="course"),
        queued("stranger", walltime_s=10, variants=whole, booking_id="course", tenant_id="t2"),
        queued("dreamer", walltime_s=10, variants=whole, booking_id="another"),
        queued("overlong", walltime_s=31, variants=whole, booking_id="course"),
    ]
    told = step(state, Policy(reservation_depth=9), 100, events)
    assert {job_id: d.node_names for job_id, d in placed(told).items()} == {"short": ("n0",), "long": ("n1",)}
    codes = {job_id: (d.reason.code, d.outlook[0].reason.code) for job_id, d in waiting(told).items()}
    assert codes == {
        "third": ("WAITS_FOR_CHIPS", "FITS"),
        "student": ("WAITS_FOR_BOOKING", "FITS"),
        "stranger": ("NO_POOL_OPEN", "BOOKING_NOT_OPEN_TO_TENANT"),
        "dreamer": ("NO_POOL_OPEN", "BOOKING_UNKNOWN"),
        "overlong": ("NO_POOL_OPEN", "BOOKING_HAS_NO_ROOM"),
    }
    assert waiting(told)["student"].reason.facts["booking_start_s"] == 120
    told = step(state, policy, 120, [AttemptEnded("short", 1)])
    assert {job_id: d.node_names for job_id, d in placed(told).items()} == {"student": ("n0",)}


def test_a_booking_says_what_is_in_its_way_and_when_it_could_be() -> None:
    state, policy = State(), Policy()
    step(state, policy, 100, [PoolSet(pool(nodes=1)), queued("running", walltime_s=40)])
    told = step(state, policy, 101, [BookingSet(booking())])
    assert answers(told) == [("course", False, "BOOKING_HAS_NO_ROOM_THEN", ())]
    facts = told[0].reason.facts
    assert facts == {"jobs": ["running"], "bookings": [], "windows": [], "earliest_start_s": 140}
    told = step(
        state, policy, 102, [BookingSet(booking(start_s=140, end_s=150)), BookingSet(booking(id="demo", start_s=145))]
    )
    assert answers(told) == [
        ("course", True, "BOOKING_CONFIRMED", ("n0",)),
        ("demo", False, "BOOKING_HAS_NO_ROOM_THEN", ()),
    ]
    assert answers(step(state, policy, 103, [BookingSet(booking(id="vast", num_nodes=2))])) == [
        ("vast", False, "TOO_FEW_NODES", ())
    ]


def test_a_node_that_goes_takes_its_booking_along_and_brings_it_back() -> None:
    state, policy = State(), Policy()
    step(state, policy, 100, [PoolSet(pool(nodes=2)), BookingSet(booking())])
    assert answers(step(state, policy, 101, [PoolSet(pool(nodes=1))])) == [
        ("course", True, "BOOKING_LOST_NODES", ("n0",))
    ]
    assert answers(step(state, policy, 102, [PoolSet(pool(nodes=2))])) == [
        ("course", True, "BOOKING_NODES_ARE_BACK", ("n0", "n1"))
    ]


def test_nothing_starts_that_would_reach_into_a_window() -> None:
    state, policy = State(), Policy()
    window = Window(id="w", pool_id="p", start_s=110, end_s=130)
    told = step(state, policy, 100, [PoolSet(pool(nodes=1)), queued("runs", walltime_s=11)])
    assert set(placed(told)) == {"runs"}
    told = step(state, policy, 100, [WindowSet(window), queued("in", walltime_s=10), queued("over", walltime_s=11)])
    assert told[0].reason.facts["running"] == [{"job_id": "runs", "expected_end_s": 111}]
    assert set(placed(told)) == {"in"}
    assert waiting(told)["over"].reason.code == "WAITS_FOR_WINDOW"
    assert waiting(told)["over"].reason.facts["expected_start_s"] == 130
    assert set(placed(step(state, policy, 129, []))) == set()
    assert set(placed(step(state, policy, 130, []))) == {"over"}


def test_a_gang_is_in_one_cabinet_if_it_must_and_in_few_if_it_can() -> None:
    state, policy, whole = State(), Policy(reservation_depth=9), (variant(4),)
    room = cabinets("x", "y", "x", "y", "y", "")
    told = step(state, policy, 100, [PoolSet(room), queued("loose", num_nodes=2, variants=whole)])
    assert placed(told)["loose"].node_names == ("n0", "n2")  # the smallest cabinet that has enough
    events: list[Event] = [
        queued("first", num_nodes=2, variants=whole, within="cabinet"),
        queued("next", num_nodes=2, variants=whole, within="cabinet", walltime_s=3),
        queued("huge", num_nodes=4, variants=whole, within="cabinet"),
    ]
    told = step(state, policy, 101, events)
    assert placed(told)["first"].node_names == ("n1", "n3")
    # Two nodes are free, but not of one cabinet.
    assert waiting(told)["next"].reason.code == "WAITS_BEHIND_OTHERS"
    assert waiting(told)["next"].reason.facts["expected_start_s"] == 110
    refused = waiting(told)["huge"].outlook[0].reason
    assert (refused.code, refused.facts) == ("NO_CABINET_FITS", {"largest_cabinet": 3, "wanted_nodes": 4})


def test_own_tenants_go_first_at_their_pool_and_nowhere_else() -> None:
    own, other = pool("own", nodes=1), pool("other", nodes=1)
    own = replace(own, offer=replace(own.offer, own_tenants_first=("t2",)))
    state, policy, whole = State(), Policy(), (variant(4),)
    pinned = (variant(4, centre="centre-own"),)
    events: list[Event] = [
        PoolSet(own),
        PoolSet(other),
        queued("early", submitted_s=1, variants=pinned),
        queued("free", submitted_s=2, variants=whole),
        queued("owner", submitted_s=3, variants=pinned, tenant_id="t2"),
    ]
    told = step(state, policy, 100, events)
    assert {job_id: d.pool_id for job_id, d in placed(told).items()} == {"owner": "own", "free": "other"}
    assert waiting(told)["early"].reason.code == "WAITS_BEHIND_OWNER"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: booking(start_s=5, end_s=5), "start_s, end_s"),
        (lambda: booking(tenants=frozenset()), "tenants"),
        (lambda: booking(num_nodes=0), "num_nodes"),
        (lambda: booking(within="room"), "within"),
        (lambda: Window(id="w", pool_id="p", start_s=-1, end_s=5), "start_s, end_s"),
        (lambda: queued("j", within="city"), "within"),
    ],
)
def test_what_makes_no_sense_is_named(make: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()
    assert refused.value.facts["field"] == field
