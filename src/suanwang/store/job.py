"""Jobs: what was asked for, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from suanwang.domain.job import JobSpec, JobState
from suanwang.errors import Conflict, NotFound
from suanwang.store.answer import reused_key
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("job")


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    tenant_id: str
    spec: JobSpec
    estimate_fen: int
    """The most that one attempt can cost, which is what is held."""
    voucher_id: UUID | None
    voucher_centres: tuple[str, ...] = ()
    """Where the voucher pays for it, whatever becomes of lists and centres while it waits and runs."""
    project_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    id: UUID
    number: int
    tenant_id: str
    name: str
    spec_json: str
    state: JobState
    attempts: int
    recoveries: int
    restarts: int
    estimate_fen: int
    voucher_id: UUID | None
    voucher_centres: tuple[str, ...]
    charged_fen: int
    voucher_fen: int
    submitted_s: int
    queued_s: int
    settled: bool
    project_id: UUID | None

    @property
    def spec(self) -> JobSpec:
        """Read only where it is asked for: most of what happens to a job does not need it."""
        return from_json(self.spec_json, JobSpec)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A job's new state with the reason that people are shown."""

    job: JobRecord
    state: JobState
    reason: dict[str, object]
    ended_s: int | None = None
    queued_s: int | None = None
    recoveries: int = 0
    restarts: int = 0


async def insert(tx: Connection, jobs: list[NewJob], now_s: int) -> dict[UUID, int]:
    """The number of each job: numbers rise in the order of the list.

    Raises Conflict if one is there: its key was used so long ago that the answer is forgotten.
    """
    # One array of many jobs mostly repeats one spec: encode each distinct object once.
    encoded: dict[int, str] = {}
    specs = [encoded.get(id(job.spec)) or encoded.setdefault(id(job.spec), to_json(job.spec)) for job in jobs]
    try:
        rows = await tx.fetch(
            _SQL["insert_jobs"],
            now_s,
            [job.id for job in jobs],
            [job.tenant_id for job in jobs],
            [job.spec.name for job in jobs],
            specs,
            [job.estimate_fen for job in jobs],
            [job.voucher_id for job in jobs],
            [",".join(job.voucher_centres) for job in jobs],
            [job.project_id for job in jobs],
        )
    except asyncpg.UniqueViolationError as error:
        raise reused_key() from error
    return {row["id"]: row["number"] for row in rows}


async def lock(tx: Connection, job_ids: list[UUID]) -> dict[UUID, JobRecord]:
    """Jobs in id order, so that two flows never wait for each other in a ring. Unknown ids are absent."""
    return {row["id"]: _record(row) for row in await tx.fetch(_SQL["jobs_for_update"], job_ids)}


async def set_states(tx: Connection, changes: list[StateChange]) -> None:
    if not changes:
        return
    await tx.execute(
        _SQL["set_states"],
        [change.job.id for change in changes],
        [change.state for change in changes],
        [to_json(change.reason) for change in changes],
        [change.ended_s for change in changes],
        [change.queued_s for change in changes],
        [change.recoveries for change in changes],
        [change.restarts for change in changes],
    )


async def place(tx: Connection, placed: list[tuple[UUID, int, str]]) -> None:
    """(job, attempt, reason as JSON) of jobs that were queued."""
    ids, attempts, reasons = ([p[i] for p in placed] for i in range(3))
    await tx.execute(_SQL["place"], ids, attempts, reasons)


async def set_reasons(tx: Connection, reasons: list[tuple[UUID, str]]) -> None:
    if reasons:
        await tx.execute(_SQL["set_reasons"], [job_id for job_id, _ in reasons], [reason for _, reason in reasons])


async def live(tx: Connection) -> list[JobRecord]:
    """Every job that has not ended, in the order of submission."""
    return [_record(row) for row in await tx.fetch(_SQL["queued_or_live"])]


async def count_live(tx: Connection, tenant_ids: list[str]) -> dict[str, int]:
    """Tenant -> jobs that are not over; a tenant without any is absent."""
    return {row["tenant_id"]: row["jobs"] for row in await tx.fetch(_SQL["count_live"], tenant_ids)}


async def count_in(tx: Connection, new: Mapping[str, int]) -> None:
    """Tenant -> jobs that came. Last of all: who settles jobs holds balances before it counts them out."""
    await tx.execute(_SQL["count_in"], list(new), list(new.values()))


async def job(tx: Connection, job_id: UUID) -> Row:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["job"], job_id)
    if row is None:
        raise NotFound(f"no job {job_id}", job=str(job_id))
    return row


async def find(tx: Connection, tenant_id: str | None, reference: str) -> UUID:
    """A job by id, number, name, or a start of its id of six characters or more.

    Raises NotFound; Conflict (AMBIGUOUS) with the newest candidates if a name or a start fits several.
    """
    rows = await tx.fetch(_SQL["find"], tenant_id, reference)
    if not rows:
        raise NotFound(f"no job {reference}", job=reference)
    if len(rows) > 1:
        candidates = [
            {"number": row["number"], "job_id": str(row["id"]), "name": row["name"], "state": row["state"]}
            for row in rows
        ]
        numbers = ", ".join(str(row["number"]) for row in rows)
        raise Conflict(
            f"{rows[0]['together']} jobs answer to {reference}; say one by its number or id, the newest are: {numbers}",
            code="AMBIGUOUS",
            job=reference,
            count=rows[0]["together"],
            candidates=candidates,
        )
    found: UUID = rows[0]["id"]
    return found


async def listed(
    tx: Connection,
    tenant_id: str | None,
    states: list[str] | None,
    before: int | None,
    limit: int,
    centre_ids: list[str] | None = None,
) -> list[Row]:
    return await tx.fetch(_SQL["list"], tenant_id, states, before, limit, centre_ids)


async def count_states(
    tx: Connection, tenant_id: str | None = None, centre_ids: list[str] | None = None
) -> dict[str, int]:
    return {row["state"]: row["jobs"] for row in await tx.fetch(_SQL["count_states"], tenant_id, centre_ids)}


async def settle(tx: Connection, job_ids: list[UUID]) -> None:
    """Nothing is to come for these jobs: they are live no more."""
    await tx.execute(_SQL["settle"], job_ids)


async def add_charges(tx: Connection, charges: list[tuple[UUID, int, int]]) -> None:
    """(job, amount, voucher part) per charge; several of one job are summed first."""
    total: dict[UUID, tuple[int, int]] = {}
    for job_id, amount_fen, voucher_fen in charges:
        before = total.get(job_id, (0, 0))
        total[job_id] = (before[0] + amount_fen, before[1] + voucher_fen)
    ids = list(total)
    await tx.execute(_SQL["add_charges"], ids, [total[i][0] for i in ids], [total[i][1] for i in ids])


def _record(row: Row) -> JobRecord:
    return JobRecord(
        row["id"],
        row["number"],
        row["tenant_id"],
        row["name"],
        row["spec"],
        JobState(row["state"]),
        row["attempts"],
        row["recoveries"],
        row["restarts"],
        row["estimate_fen"],
        row["voucher_id"],
        tuple(row["voucher_centres"]),
        row["charged_fen"],
        row["voucher_fen"],
        row["submitted_s"],
        row["queued_s"],
        row["settled"],
        row["project_id"],
    )
