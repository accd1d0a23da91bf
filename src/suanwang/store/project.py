"""Projects: budgets, running totals of what is held and spent, alerts."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.domain.project import Budget
from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("project")


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    id: UUID
    tenant_id: str
    name: str
    title: str
    zone: str
    budget: Budget
    held_fen: int
    created_s: int


@dataclass(frozen=True, slots=True)
class AlertRecord:
    tenant_id: str
    name: str
    month: str
    percent: int
    budget_fen: int
    spent_fen: int
    raised_s: int


async def insert(tx: Connection, new: ProjectRecord, actor: str) -> bool:
    """False if the tenant has one of this name."""
    of = new.budget
    terms = (new.title, new.zone, of.fen, of.hard, list(of.alert_percent))
    done: str = await tx.execute(_SQL["insert"], new.id, new.tenant_id, new.name, *terms, new.created_s, actor)
    return done.endswith(" 1")


async def projects(tx: Connection, tenant_id: str | None, name: str | None = None) -> list[ProjectRecord]:
    return [_record(row) for row in await tx.fetch(_SQL["projects"], tenant_id, name)]


async def ids(tx: Connection, named: list[tuple[str, str]]) -> list[UUID]:
    """Of (tenant, name); unknown ones are absent."""
    tenants, names = [tenant for tenant, _ in named], [name for _, name in named]
    return [row["id"] for row in await tx.fetch(_SQL["ids"], tenants, names)]


async def lock(tx: Connection, project_ids: list[UUID]) -> dict[UUID, ProjectRecord]:
    """After organisations and jobs, before accounts, and all of a transaction at once: nobody waits in a ring."""
    return {row["id"]: _record(row) for row in await tx.fetch(_SQL["lock"], project_ids)} if project_ids else {}


async def spent_fen(tx: Connection, months: dict[UUID, str]) -> dict[UUID, int]:
    """What was spent in one month of each."""
    rows = await tx.fetch(_SQL["spent"], list(months), list(months.values())) if months else []
    found = {row["project_id"]: row["spent_fen"] for row in rows}
    return {project_id: found.get(project_id, 0) for project_id in months}


async def months(tx: Connection, project_id: UUID) -> list[tuple[str, int]]:
    """(month, fen spent), the newest first."""
    return [(row["month"], row["spent_fen"]) for row in await tx.fetch(_SQL["months"], project_id)]


async def set_budget(tx: Connection, project_id: UUID, budget: Budget) -> None:
    await tx.execute(_SQL["set_budget"], project_id, budget.fen, budget.hard, list(budget.alert_percent))


async def hold(tx: Connection, jobs: dict[UUID, int]) -> None:
    """Job -> fen that are held more. The projects are locked by the caller, here and below."""
    await tx.execute(_SQL["hold"], list(jobs), list(jobs.values()))


async def draw(tx: Connection, jobs: dict[UUID, int]) -> None:
    """Job -> fen that were charged and so are held no more."""
    await tx.execute(_SQL["draw"], list(jobs), list(jobs.values()))


async def release(tx: Connection, job_ids: list[UUID]) -> None:
    await tx.execute(_SQL["release"], job_ids)


async def held_fen(tx: Connection, job_id: UUID) -> int:
    return int(await tx.fetchval(_SQL["held"], job_id))


async def spend(tx: Connection, project_id: UUID, month: str, amount_fen: int) -> int:
    """Returns what is spent in the month then. A refund is below zero."""
    return int(await tx.fetchval(_SQL["spend"], project_id, month, amount_fen))


async def raise_alerts(
    tx: Connection, of: ProjectRecord, month: str, percents: list[int], spent: int, now_s: int
) -> list[int]:
    """Those that were not raised in this month before."""
    rows = await tx.fetch(_SQL["raise_alerts"], of.id, month, percents, of.budget.fen, spent, now_s)
    return [row["percent"] for row in rows]


async def alerts(
    tx: Connection, tenant_id: str | None, name: str | None = None, limit: int = 1_000
) -> list[AlertRecord]:
    """The newest first."""
    return [AlertRecord(**row) for row in await tx.fetch(_SQL["alerts"], tenant_id, name, limit)]


def _record(row: Row) -> ProjectRecord:
    return ProjectRecord(
        row["id"],
        row["tenant_id"],
        row["name"],
        row["title"],
        row["zone"],
        Budget(row["budget_fen"], row["hard"], tuple(row["alert_percent"])),
        row["held_fen"],
        row["created_s"],
    )
