"""Projects of a tenant: their budgets, and what holds, charges and refunds do to them as they are made.

What is held has no month of its own: at the end of a month it moves on to the next with its job. What is charged or
given back counts in the month in which that is done. So `spent + held` of a hard budget never passes it by a submit.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from suanwang.control.period import name_at
from suanwang.domain.ledger import identity
from suanwang.domain.project import (
    Budget,
    check_budget,
    check_name,
    check_title,
    has_room,
    passed_percent,
    require_room,
)
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict, NotFound
from suanwang.store import answer, event
from suanwang.store import project as projects
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord
from suanwang.store.project import AlertRecord, ProjectRecord
from suanwang.wire import NewBudget, NewProject, ProjectAlert, ProjectLine


@dataclass(slots=True)
class Room:
    """A project as a submit finds it, drawn down job by job."""

    record: ProjectRecord
    spent_fen: int
    held_fen: int

    def take(self, asked_fen: int) -> None:
        """Raises Refused (BUDGET_EXCEEDED)."""
        require_room(self.record.name, self.record.budget, self.spent_fen, self.held_fen, asked_fen)
        self.held_fen += asked_fen


Rooms = dict[tuple[str, str], Room]


async def rooms(tx: Connection, named: Iterable[tuple[str, str]], now_s: int) -> Rooms:
    """(tenant, name) -> a project, locked to the end of the transaction. Unknown ones are absent."""
    wanted = sorted(set(named))
    if not wanted:
        return {}
    locked = await projects.lock(tx, await projects.ids(tx, wanted))
    return await _with_spent(tx, locked.values(), now_s)


async def seen(tx: Connection, tenant_id: str, name: str, now_s: int) -> Room:
    """Without a lock. Raises NotFound."""
    found = await _with_spent(tx, await projects.projects(tx, tenant_id, name), now_s)
    if not found:
        raise no_project(name)
    return found[tenant_id, name]


async def _with_spent(tx: Connection, records: Iterable[ProjectRecord], now_s: int) -> Rooms:
    found = {one.id: one for one in records}
    spent = await projects.spent_fen(tx, {key: name_at(now_s, one.zone) for key, one in found.items()})
    return {(one.tenant_id, one.name): Room(one, spent[key], one.held_fen) for key, one in found.items()}


def no_project(name: str) -> NotFound:
    return NotFound(f"no project {name} of yours", code="NO_PROJECT", project=name)


async def lock_of(tx: Connection, records: Iterable[JobRecord]) -> None:
    """The projects of some jobs, before anything is posted for them."""
    await projects.lock(tx, sorted({one.project_id for one in records if one.project_id is not None}))


async def hold_again(tx: Connection, record: JobRecord, limit_fen: int, now_s: int) -> bool:
    """Bring what the project holds for a job up to the price of another attempt. False: a hard budget has no room."""
    if record.project_id is None:
        return True
    locked = (await projects.lock(tx, [record.project_id]))[record.project_id]
    month = {locked.id: name_at(now_s, locked.zone)}
    spent = (await projects.spent_fen(tx, month))[locked.id]
    more_fen = max(0, limit_fen - await projects.held_fen(tx, record.id))
    if more_fen and not has_room(locked.budget, spent, locked.held_fen, more_fen):
        return False
    await projects.hold(tx, {record.id: more_fen})
    return True


async def charged(tx: Connection, amounts: Iterable[tuple[JobRecord, int]], now_s: int) -> None:
    """Charges were made: held no more, spent now, and people hear of it."""
    by_job: Counter[UUID] = Counter()
    by_project: defaultdict[UUID, int] = defaultdict(int)
    for record, amount_fen in amounts:
        if record.project_id is not None and amount_fen:
            by_job[record.id] += amount_fen
            by_project[record.project_id] += amount_fen
    if by_project:
        locked = await projects.lock(tx, sorted(by_project))
        await projects.draw(tx, dict(by_job))
        for key in sorted(by_project):
            await _spend(tx, locked[key], by_project[key], now_s)


async def released(tx: Connection, records: Iterable[JobRecord]) -> None:
    """Jobs are over: nothing is held for them any more."""
    over = [one for one in records if one.project_id is not None]
    if over:
        await lock_of(tx, over)
        await projects.release(tx, [one.id for one in over])


async def refunded(tx: Connection, record: JobRecord, amount_fen: int, now_s: int) -> None:
    """The month in which it is given back has so much more."""
    if record.project_id is not None:
        locked = await projects.lock(tx, [record.project_id])
        await _spend(tx, locked[record.project_id], -amount_fen, now_s)


async def _spend(tx: Connection, of: ProjectRecord, amount_fen: int, now_s: int) -> None:
    month = name_at(now_s, of.zone)
    await _alert(tx, of, month, await projects.spend(tx, of.id, month, amount_fen), now_s)


async def _alert(tx: Connection, of: ProjectRecord, month: str, spent_fen: int, now_s: int) -> None:
    """Each threshold at most once a month: its row and its event come together."""
    passed = passed_percent(of.budget, spent_fen)
    if not passed:
        return
    raised = await projects.raise_alerts(tx, of, month, passed, spent_fen, now_s)
    news = [AlertRecord(of.tenant_id, of.name, month, one, of.budget.fen or 0, spent_fen, now_s) for one in raised]
    await event.append(tx, now_s, "network", [NewEvent("budget_alert", body=alert_of(one)) for one in news])


async def add(db: Database, actor: Actor, new: NewProject, zone: str, call: Call, now_s: int) -> ProjectLine:
    """Raises InvalidInput, Conflict (the name is taken)."""
    check_name(new.name, "name")
    title = new.title or new.name
    check_title(title)
    budget = _budget(new)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ProjectLine, now_s)
        if repeated is not None:
            return repeated
        tenant_id = actor.organisation_id
        key = identity("project", tenant_id, new.name)
        made = ProjectRecord(key, tenant_id, new.name, title, zone, budget, 0, now_s)
        if not await projects.insert(tx, made, actor.token_id):
            raise Conflict(f"there is a project {new.name} already", code="PROJECT_TAKEN", project=new.name)
        line = await line_of(tx, made, now_s)
        await event.append(tx, now_s, actor.token_id, [NewEvent("project_added", body=line)])
        await answer.remember(tx, call, line)
    return line


async def set_budget(db: Database, actor: Actor, name: str, new: NewBudget, call: Call, now_s: int) -> ProjectLine:
    """From now on; what is held and spent stays. Raises InvalidInput, NotFound."""
    budget = _budget(new)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ProjectLine, now_s)
        if repeated is not None:
            return repeated
        room = (await rooms(tx, [(actor.organisation_id, name)], now_s)).get((actor.organisation_id, name))
        if room is None:
            raise no_project(name)
        await projects.set_budget(tx, room.record.id, budget)
        after = replace(room.record, budget=budget)
        line = await line_of(tx, after, now_s)
        await event.append(tx, now_s, actor.token_id, [NewEvent("project_budget", body=line)])
        await _alert(tx, after, line.month, line.spent_fen, now_s)
        await answer.remember(tx, call, line)
    return line


def _budget(new: NewProject | NewBudget) -> Budget:
    budget = Budget(new.budget_fen, new.hard, tuple(new.alert_percent))
    check_budget(budget)
    return replace(budget, alert_percent=tuple(sorted(budget.alert_percent)))


async def line_of(tx: Connection, record: ProjectRecord, now_s: int) -> ProjectLine:
    month = name_at(now_s, record.zone)
    spent_fen = (await projects.spent_fen(tx, {record.id: month}))[record.id]
    of = record.budget
    left_fen = None if of.fen is None else of.fen - spent_fen - record.held_fen
    terms = (of.fen, of.hard, list(of.alert_percent))
    return ProjectLine(
        record.name,
        record.title,
        record.tenant_id,
        *terms,
        month,
        spent_fen,
        record.held_fen,
        left_fen,
        dict(await projects.months(tx, record.id)),
    )


def alert_of(record: AlertRecord) -> ProjectAlert:
    return ProjectAlert(
        record.name,
        record.tenant_id,
        record.month,
        record.percent,
        record.budget_fen,
        record.spent_fen,
        record.raised_s,
    )
