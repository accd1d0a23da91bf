"""Bookings and maintenance windows of centres, and what the brain said of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from suanwang.domain.job import Within
from suanwang.domain.scheduling.calendar import Booking, Window
from suanwang.domain.scheduling.decisions import Reason
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("calendar")


class BookingState(StrEnum):
    ASKED = "asked"
    """The brain has not answered yet."""
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class BookingRecord:
    booking: Booking
    centre_id: str
    organisation_id: str
    """Who runs the centre."""
    state: BookingState
    node_names: tuple[str, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class WindowRecord:
    window: Window
    centre_id: str
    organisation_id: str
    removed: bool
    reason: Reason | None
    """What was in its way when it was announced."""


async def insert_booking(tx: Connection, new: Booking, now_s: int) -> bool:
    """False if the id was used before."""
    tenants = sorted(new.tenants)
    done: str = await tx.execute(
        _SQL["insert_booking"], new.id, new.pool_id, new.start_s, new.end_s, tenants, new.num_nodes, new.within, now_s
    )
    return done.endswith(" 1")


async def remove_booking(tx: Connection, booking_id: str) -> bool:
    """False if it is refused or removed already."""
    return await tx.fetchrow(_SQL["remove_booking"], booking_id) is not None


async def answer_booking(
    tx: Connection, booking_id: str, confirmed: bool, node_names: tuple[str, ...], reason: Reason
) -> None:
    """Nothing if it was removed meanwhile."""
    await tx.execute(_SQL["answer_booking"], booking_id, confirmed, list(node_names), to_json(reason))


async def bookings(tx: Connection, ends_after_s: int, booking_id: str | None = None) -> list[BookingRecord]:
    return [_booking(row) for row in await tx.fetch(_SQL["bookings"], ends_after_s, booking_id)]


async def insert_window(tx: Connection, new: Window, now_s: int) -> bool:
    """False if the id was used before."""
    names = list(new.node_names)
    done: str = await tx.execute(_SQL["insert_maintenance"], new.id, new.pool_id, new.start_s, new.end_s, names, now_s)
    return done.endswith(" 1")


async def remove_window(tx: Connection, window_id: str) -> bool:
    """False if it is removed already."""
    return await tx.fetchrow(_SQL["remove_maintenance"], window_id) is not None


async def answer_window(tx: Connection, window_id: str, reason: Reason) -> None:
    await tx.execute(_SQL["answer_maintenance"], window_id, to_json(reason))


async def windows(tx: Connection, ends_after_s: int, window_id: str | None = None) -> list[WindowRecord]:
    return [_window(row) for row in await tx.fetch(_SQL["maintenance"], ends_after_s, window_id)]


def _booking(row: Row) -> BookingRecord:
    return BookingRecord(
        Booking(
            id=row["id"],
            pool_id=row["pool_id"],
            start_s=row["start_s"],
            end_s=row["end_s"],
            tenants=frozenset(row["tenants"]),
            num_nodes=row["num_nodes"],
            within=cast(Within, row["within"]),
        ),
        row["centre_id"],
        row["organisation_id"],
        BookingState(row["state"]),
        tuple(row["node_names"]),
        None if row["reason"] is None else from_json(row["reason"], Reason),
    )


def _window(row: Row) -> WindowRecord:
    names = tuple(row["node_names"])
    return WindowRecord(
        Window(id=row["id"], pool_id=row["pool_id"], start_s=row["start_s"], end_s=row["end_s"], node_names=names),
        row["centre_id"],
        row["organisation_id"],
        row["removed"],
        None if row["reason"] is None else from_json(row["reason"], Reason),
    )
