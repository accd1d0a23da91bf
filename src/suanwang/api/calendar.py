"""Bookings and maintenance of centres."""

from typing import Any

from litestar import Request, delete, get, post

from suanwang.api.access import JOB_READERS, OPERATORS, OVERSIGHT, call_of, hub_of
from suanwang.control import calendar
from suanwang.domain.scheduling import decisions
from suanwang.domain.scheduling.calendar import Booking, Window
from suanwang.domain.tenant import Actor
from suanwang.store.calendar import BookingRecord, WindowRecord
from suanwang.wire import BookingLine, MaintenanceLine, NewBooking, NewMaintenance, Reason


@post("/v1/bookings", opt={"may": OPERATORS}, status_code=201)
async def book(request: Request[Actor, Any, Any], data: NewBooking) -> dict[str, str]:
    """Ask for whole nodes for the jobs of some tenants; the list says what became of it."""
    hub = hub_of(request)
    new = Booking(
        id=data.id,
        pool_id=data.pool_id,
        start_s=data.start_s,
        end_s=data.end_s,
        tenants=frozenset(data.tenants),
        num_nodes=data.num_nodes,
        within=data.within,
    )
    await calendar.book(hub.db, request.user, new, await call_of(request), hub.clock())
    hub.news.set()
    return {"id": data.id}


@get("/v1/bookings", opt={"may": JOB_READERS})
async def list_bookings(request: Request[Actor, Any, Any], past: bool = False) -> list[BookingLine]:
    """What is open to a tenant, or at an operator's centres, by start; those that are over only with `past`."""
    hub = hub_of(request)
    return [_booking(one) for one in await calendar.bookings(hub.db, request.user, -1 if past else hub.clock())]


@delete("/v1/bookings/{booking_id:str}", opt={"may": OPERATORS}, status_code=200)
async def unbook(request: Request[Actor, Any, Any], booking_id: str) -> dict[str, str]:
    """Free at once; jobs that run in it run on."""
    hub = hub_of(request)
    await calendar.unbook(hub.db, request.user, booking_id, await call_of(request), hub.clock())
    hub.news.set()
    return {"id": booking_id}


@post("/v1/maintenance", opt={"may": OPERATORS}, status_code=201)
async def plan_maintenance(request: Request[Actor, Any, Any], data: NewMaintenance) -> dict[str, str]:
    """Nobody starts who would run into it; the list says who runs in its way."""
    hub = hub_of(request)
    new = Window(id=data.id, pool_id=data.pool_id, start_s=data.start_s, end_s=data.end_s, node_names=data.node_names)
    await calendar.plan_maintenance(hub.db, request.user, new, await call_of(request), hub.clock())
    hub.news.set()
    return {"id": data.id}


@get("/v1/maintenance", opt={"may": OPERATORS | OVERSIGHT})
async def list_maintenance(request: Request[Actor, Any, Any], past: bool = False) -> list[MaintenanceLine]:
    """What is planned, by start; what is over only with `past`."""
    hub = hub_of(request)
    return [_window(one) for one in await calendar.maintenance(hub.db, request.user, -1 if past else hub.clock())]


@delete("/v1/maintenance/{window_id:str}", opt={"may": OPERATORS}, status_code=200)
async def cancel_maintenance(request: Request[Actor, Any, Any], window_id: str) -> dict[str, str]:
    hub = hub_of(request)
    await calendar.cancel_maintenance(hub.db, request.user, window_id, await call_of(request), hub.clock())
    hub.news.set()
    return {"id": window_id}


def _booking(record: BookingRecord) -> BookingLine:
    b = record.booking
    return BookingLine(
        b.id,
        record.centre_id,
        b.pool_id,
        b.start_s,
        b.end_s,
        sorted(b.tenants),
        b.num_nodes,
        b.within,
        record.state,
        list(record.node_names),
        _reason(record.reason),
    )


def _window(record: WindowRecord) -> MaintenanceLine:
    w = record.window
    return MaintenanceLine(
        w.id,
        record.centre_id,
        w.pool_id,
        w.start_s,
        w.end_s,
        list(w.node_names),
        record.removed,
        _reason(record.reason),
    )


def _reason(told: decisions.Reason | None) -> Reason | None:
    return None if told is None else Reason(told.code, dict(told.facts))


ROUTES = [book, list_bookings, unbook, plan_maintenance, list_maintenance, cancel_maintenance]
