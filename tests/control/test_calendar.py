"""Bookings, maintenance, cabinets and own tenants on a real database in virtual time."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from suanwang.control import calendar
from suanwang.domain.job import Cause
from suanwang.domain.scheduling.calendar import Booking, Window
from suanwang.domain.scheduling.decisions import Reason
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store.calendar import BookingRecord, BookingState, WindowRecord
from suanwang.store.db import from_json
from suanwang.testing.network import ADMIN, START_S, SmallNetwork, job_spec
from tests.control.test_story import assert_proofs

OPERATOR = Actor("operator-east", "east-org", Role.CENTRE_OPERATOR)
STRANGER = Actor("operator-west", "west-org", Role.CENTRE_OPERATOR)


def course(**changes: Any) -> Booking:
    plain: dict[str, Any] = {
        "id": "course",
        "pool_id": "east-pool",
        "start_s": START_S + 100,
        "end_s": START_S + 1_000,
        "tenants": frozenset({"acme"}),
        "num_nodes": 1,
    }
    return Booking(**{**plain, **changes})


def cleaning(**changes: Any) -> Window:
    plain: dict[str, Any] = {"id": "cleaning", "pool_id": "east-pool", "start_s": START_S + 100, "end_s": START_S + 500}
    return Window(**{**plain, **changes})


async def book(net: SmallNetwork, new: Booking, actor: Actor = OPERATOR) -> None:
    await calendar.book(net.db, actor, new, net.call(actor), net.now_s)


async def plan(net: SmallNetwork, new: Window, actor: Actor = OPERATOR) -> None:
    await calendar.plan_maintenance(net.db, actor, new, net.call(actor), net.now_s)


async def booking(net: SmallNetwork, booking_id: str = "course") -> BookingRecord:
    return next(one for one in await calendar.bookings(net.db, ADMIN, -1) if one.booking.id == booking_id)


async def window(net: SmallNetwork) -> WindowRecord:
    return (await calendar.maintenance(net.db, ADMIN, -1))[0]


async def where(net: SmallNetwork, job_id: str) -> list[str] | None:
    """The nodes of a job's first attempt; None while it waits."""
    async with net.db.transaction() as tx:
        found = await attempts.of_job(tx, UUID(job_id))
    return list(found[0]["node_names"]) if found else None


async def why(net: SmallNetwork, job_id: str) -> str:
    async with net.db.transaction() as tx:
        return from_json((await jobs.job(tx, UUID(job_id)))["reason"], Reason).code


@pytest.fixture
async def east(net: SmallNetwork) -> SmallNetwork:
    await net.add_tenant("acme", 10**6)
    await net.add_tenant("other", 10**6)
    centre = await net.add_centre("east", nodes=2, chips=4)
    centre.run_s = lambda order: (order.walltime_s - 1, Cause.SUCCEEDED)
    await net.add_centre("west")
    await net.turn()
    return net


ACME, OTHER = (Actor(f"token-{name}", name, Role.TENANT_ADMIN) for name in ("acme", "other"))
WHOLE = job_spec(chips=4, walltime_s=200)


async def test_a_course_has_its_node_and_everybody_else_stays_out(east: SmallNetwork) -> None:
    await book(east, course())
    assert (await booking(east)).state is BookingState.ASKED
    await east.turn()
    found = await booking(east)
    assert (found.state, found.node_names) == (BookingState.CONFIRMED, ("n0",))
    pinned = replace(WHOLE, variants=(replace(WHOLE.variants[0], centre="east"),))
    (first,) = await east.submit(OTHER, pinned)
    (second,) = await east.submit(OTHER, pinned)
    (student,) = await east.submit(ACME, replace(WHOLE, booking="course"))
    (intruder,) = await east.submit(OTHER, replace(WHOLE, booking="course"))
    await east.turn(1)
    assert [await where(east, one.job_id) for one in (first, second, student, intruder)] == [["n1"], None, None, None]
    assert await why(east, student.job_id) == "WAITS_FOR_BOOKING"
    assert await why(east, intruder.job_id) == "NO_POOL_OPEN"
    east.brain = None  # the hub is started anew, and knows all this from the database
    await east.turn(99)
    assert await where(east, student.job_id) == ["n0"]
    for _ in range(8):
        await east.turn(100)
    assert await where(east, second.job_id) == ["n1"]
    await assert_proofs(east)


async def test_a_booking_that_was_asked_for_is_answered_by_the_next_brain(east: SmallNetwork) -> None:
    await book(east, course())
    await plan(east, cleaning(pool_id="west-pool"), ADMIN)
    east.brain = None
    await east.turn()
    assert (await booking(east)).state is BookingState.CONFIRMED
    answered = (await window(east)).reason
    assert answered is not None
    assert answered.code == "WINDOW_STANDS"


async def test_a_booking_is_refused_with_what_is_in_its_way_and_free_when_it_is_removed(east: SmallNetwork) -> None:
    await book(east, course(num_nodes=None))
    await book(east, course(id="demo"))
    await east.turn()
    refused = await booking(east, "demo")
    assert refused.state is BookingState.REFUSED
    assert refused.reason is not None
    assert refused.reason.facts["bookings"] == ["course"]
    assert refused.reason.facts["earliest_start_s"] == START_S + 1_000
    await calendar.unbook(east.db, OPERATOR, "course", east.call(OPERATOR), east.now_s)
    await book(east, course(id="again"))
    await east.turn()
    assert (await booking(east, "course")).state is BookingState.REMOVED
    assert (await booking(east, "again")).state is BookingState.CONFIRMED


async def test_nothing_starts_that_would_run_into_maintenance(east: SmallNetwork) -> None:
    pinned = replace(WHOLE, variants=(replace(WHOLE.variants[0], centre="east"),))
    (runs,) = await east.submit(ACME, pinned)
    await east.turn(1)
    await plan(east, cleaning())
    (late,) = await east.submit(ACME, pinned)
    (short,) = await east.submit(ACME, replace(pinned, walltime_s=90))
    await east.turn(1)
    answered = (await window(east)).reason
    assert answered is not None
    assert answered.facts["running"] == [{"job_id": runs.job_id, "expected_end_s": START_S + 201}]
    assert await why(east, late.job_id) == "WAITS_FOR_WINDOW"
    assert await where(east, short.job_id) == ["n1"]
    await calendar.cancel_maintenance(east.db, OPERATOR, "cleaning", east.call(OPERATOR), east.now_s)
    await east.turn(300)
    assert await where(east, late.job_id) is not None


async def test_own_tenants_go_first_and_a_gang_can_ask_for_one_cabinet(east: SmallNetwork) -> None:
    await east.offer("east", nodes=3, chips=4, own_tenants_first=("acme",), cabinets=("a", "b", "b"))
    pinned = replace(WHOLE, variants=(replace(WHOLE.variants[0], centre="east"),))
    gang = replace(pinned, num_nodes=2, within="cabinet")
    (early,) = await east.submit(OTHER, replace(gang, walltime_s=100))
    east.now_s += 1
    (own,) = await east.submit(ACME, gang)
    await east.turn()
    assert await where(east, own.job_id) == ["n1", "n2"]
    assert await why(east, early.job_id) == "WAITS_BEHIND_OWNER"


async def test_who_sees_what(east: SmallNetwork) -> None:
    await book(east, course())
    await plan(east, cleaning(start_s=START_S + 2_000, end_s=START_S + 3_000))
    seen = {
        actor.token_id: len(await calendar.bookings(east.db, actor, -1)) for actor in (OPERATOR, STRANGER, ACME, OTHER)
    }
    assert seen == {"operator-east": 1, "operator-west": 0, "token-acme": 1, "token-other": 0}
    assert [len(await calendar.maintenance(east.db, one, -1)) for one in (OPERATOR, STRANGER, ADMIN)] == [1, 0, 1]
    assert await calendar.bookings(east.db, OPERATOR, START_S + 1_000) == []


@pytest.mark.parametrize(
    ("change", "actor", "error"),
    [
        ({"pool_id": "nowhere"}, OPERATOR, NotFound),
        ({}, STRANGER, NotAllowed),
        ({"num_nodes": 3}, OPERATOR, InvalidInput),
        ({"tenants": frozenset({"nobody"})}, OPERATOR, NotFound),
        ({"tenants": frozenset({"west-org"})}, OPERATOR, InvalidInput),
        ({"start_s": 1, "end_s": START_S}, OPERATOR, InvalidInput),
        ({"id": "No Name"}, OPERATOR, InvalidInput),
        ({"id": "taken"}, OPERATOR, Conflict),
    ],
)
async def test_what_cannot_be_booked_changes_nothing(
    east: SmallNetwork, change: dict[str, Any], actor: Actor, error: type[Exception]
) -> None:
    await book(east, course(id="taken"))
    with pytest.raises(error):
        await book(east, course(**change), actor)
    assert [one.booking.id for one in await calendar.bookings(east.db, ADMIN, -1)] == ["taken"]


@pytest.mark.parametrize(
    ("change", "actor", "error"),
    [
        ({"pool_id": "nowhere"}, OPERATOR, NotFound),
        ({}, STRANGER, NotAllowed),
        ({"node_names": ("n0", "n7")}, OPERATOR, InvalidInput),
        ({"node_names": ("n0", "n1", "n0")}, OPERATOR, InvalidInput),
        ({"start_s": 1, "end_s": START_S}, OPERATOR, InvalidInput),
    ],
)
async def test_what_cannot_be_planned_changes_nothing(
    east: SmallNetwork, change: dict[str, Any], actor: Actor, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await plan(east, cleaning(**change), actor)
    assert await calendar.maintenance(east.db, ADMIN, -1) == []


async def test_the_same_call_again_books_once(east: SmallNetwork) -> None:
    call = east.call(OPERATOR)
    for _ in range(2):
        await calendar.book(east.db, OPERATOR, course(), call, east.now_s)
    assert len(await calendar.bookings(east.db, ADMIN, -1)) == 1
