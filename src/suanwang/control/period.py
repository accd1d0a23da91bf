"""Billing periods: calendar months, closed by the administrator one after the other, and never opened again.

A closed period is what had happened before its end and was sealed when it was closed. What comes to light later keeps
its own time and is billed in the next one, so the figures of a closed period are the same whenever they are added up.
"""

import asyncio
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from suanwang.control import seal
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict, InvalidInput
from suanwang.store import answer, event
from suanwang.store import period as periods
from suanwang.store import seal as seals
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.period import EVERY_SEAL, PeriodRecord, Span, Totals
from suanwang.wire import PeriodLine

_NAME = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_MONTHS_PER_YEAR = 12
SEAL_TRIES, SEAL_PAUSE_S = 20, 0.1


def bounds_s(name: str, zone: str) -> tuple[int, int]:
    """First second of a month like 2026-11, and of the one after it. Raises InvalidInput."""
    found = _NAME.fullmatch(name)
    if found is None or not 1970 <= int(found[1]) < 9999:
        raise InvalidInput("period", name, "a month like 2026-11")
    year, month = int(found[1]), int(found[2])
    later = (year + month // _MONTHS_PER_YEAR, month % _MONTHS_PER_YEAR + 1)
    return _midnight_s(year, month, zone), _midnight_s(*later, zone)


def name_at(at_s: int, zone: str) -> str:
    """The month of an instant."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(_zone(zone)).strftime("%Y-%m")


def _midnight_s(year: int, month: int, zone: str) -> int:
    return int(datetime(year, month, 1, tzinfo=_zone(zone)).timestamp())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("SUANWANG_BILLING_ZONE", name, "a time zone like Asia/Shanghai") from None


async def listed(tx: Connection, zone: str, now_s: int) -> list[PeriodLine]:
    """The closed ones in their order, and the one that is to be closed next, with what is in it so far."""
    closed = await periods.periods(tx)
    name = name_at(closed[-1].end_s if closed else now_s, zone)
    following, _ = await find(tx, name, zone)
    if not closed:  # the first one takes in all before it, so it is the last month, if there is something of then
        last, _ = await find(tx, name_at(following.start_s - 1, zone), zone)
        following = last if last.transactions else following
    return [line_of(one) for one in closed] + [following]


async def find(tx: Connection, name: str, zone: str) -> tuple[PeriodLine, Span]:
    """A period, closed or not, and what is in it. Raises InvalidInput."""
    closed = await periods.periods(tx)
    for number, one in enumerate(closed):
        if one.name == name:
            return line_of(one), _span(one.end_s, one.last_seal, closed[:number])
    start_s, end_s = bounds_s(name, zone)
    span = _span(end_s, EVERY_SEAL, closed)
    if closed and start_s > closed[-1].end_s:
        # Not the next one: what is before its start will be in those between.
        span = Span(end_s, EVERY_SEAL, start_s, EVERY_SEAL)
    return _line(name, start_s, end_s, await periods.totals(tx, span)), span


def _span(end_s: int, last_seal: int, before: list[PeriodRecord]) -> Span:
    return Span(end_s, last_seal, before[-1].end_s, before[-1].last_seal) if before else Span(end_s, last_seal)


async def close(db: Database, actor: Actor, name: str, zone: str, call: Call, now_s: int) -> PeriodLine:
    """Close a month that is over. The first one takes in everything before it.

    Raises InvalidInput, Conflict (closed already, not the next one, not over; the book cannot be sealed yet).
    """
    await _seal_until(db, bounds_s(name, zone)[1], now_s)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, PeriodLine, now_s)
        if repeated is not None:
            return repeated
        await periods.lock(tx)
        # No seal is made meanwhile: what is in the period is what this transaction sees.
        await seals.lock(tx)
        closed = await periods.periods(tx)
        start_s, end_s = _next_bounds_s(name, zone, closed, now_s)
        if await periods.unsealed_before(tx, end_s):
            raise Conflict(
                "a transaction of the database has gone on since before the last entries of this period: they cannot "
                "be sealed yet; try again",
                code="BOOK_NOT_SEALED",
                period=name,
            )
        newest, _ = await seals.last(tx)
        last_seal = newest.number if newest else 0
        totals = await periods.totals(tx, _span(end_s, last_seal, closed))
        made = PeriodRecord(name, start_s, end_s, last_seal, totals, now_s, actor.token_id)
        await periods.insert(tx, made)
        line = line_of(made)
        await event.append(tx, now_s, actor.token_id, [NewEvent("period_closed", body=line)])
        await answer.remember(tx, call, line)
    return line


async def _seal_until(db: Database, end_s: int, now_s: int) -> None:
    """Seal all entries of before an instant. What others have not ended yet holds them back, mostly for a moment."""
    for _ in range(SEAL_TRIES):
        await seal.seal_all(db, now_s)
        async with db.transaction() as tx:
            if not await periods.unsealed_before(tx, end_s):
                return
        await asyncio.sleep(SEAL_PAUSE_S)


def _next_bounds_s(name: str, zone: str, closed: list[PeriodRecord], now_s: int) -> tuple[int, int]:
    start_s, end_s = bounds_s(name, zone)
    if any(one.name == name for one in closed):
        raise Conflict("a closed period never opens again", code="PERIOD_CLOSED", period=name)
    if closed and start_s != closed[-1].end_s:
        following = name_at(closed[-1].end_s, zone)
        raise Conflict("periods are closed in their order", code="PERIOD_NOT_NEXT", period=name, next=following)
    if now_s < end_s:
        raise Conflict("this period is not over", code="PERIOD_NOT_OVER", period=name)
    return start_s, end_s


async def contradictions(tx: Connection, limit: int) -> list[dict[str, object]]:
    """Closed periods with a gap between them, or whose figures are not those of the book or of the records any more."""
    found: list[dict[str, object]] = []
    closed = await periods.periods(tx)
    for number, one in enumerate(closed):
        before = closed[:number]
        if before and (one.start_s != before[-1].end_s or one.last_seal < before[-1].last_seal):
            found.append({"period": one.name, "is": "not after the one before it"})
        span = _span(one.end_s, one.last_seal, before)
        booked = await periods.totals(tx, span)
        if booked != one.totals:
            found.append({"period": one.name, "is": "not what the book says", **_differing(one.totals, booked)})
        charged_fen = sum(row["amount_fen"] for row in await periods.charges(tx, span, None, None))
        charged_fen += sum(row["amount_fen"] for row in await periods.orders(tx, span, None, None))
        refunded_fen = sum(row["amount_fen"] for row in await periods.refunds(tx, span, None, None, one.name))
        if (charged_fen, refunded_fen) != (booked.charged_fen, booked.refunded_fen):
            found.append({"period": one.name, "is": "not what the lines add up to", "charged_fen": charged_fen})
    return found[:limit]


def _differing(closed: Totals, booked: Totals) -> dict[str, object]:
    return {
        name: f"{getattr(closed, name)} -> {getattr(booked, name)}"
        for name in Totals.__slots__
        if getattr(closed, name) != getattr(booked, name)
    }


def line_of(record: PeriodRecord) -> PeriodLine:
    return _line(record.name, record.start_s, record.end_s, record.totals, record)


def _line(name: str, start_s: int, end_s: int, of: Totals, closed: PeriodRecord | None = None) -> PeriodLine:
    return PeriodLine(
        name,
        start_s,
        end_s,
        closed is not None,
        of.transactions,
        of.charged_fen,
        of.refunded_fen,
        of.redeemed_fen,
        closed.last_seal if closed else None,
        closed.closed_s if closed else None,
    )
