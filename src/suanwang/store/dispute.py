"""Disputes: what somebody says is wrong with a charge, and what was answered."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("dispute")


@dataclass(frozen=True, slots=True)
class DisputeRecord:
    """`answer` is None while nobody answered; `refunded_fen` is 0 unless the answer was a refund."""

    id: UUID
    number: int
    job_id: UUID
    job_number: int
    job_name: str
    tenant_id: str
    attempt: int
    centre_id: str
    organisation_id: str
    reason: str
    opened_s: int
    answer: str | None
    answered_s: int | None
    refunded_fen: int


async def insert(
    tx: Connection,
    dispute_id: UUID,
    job_id: UUID,
    attempt: int,
    organisation_id: str,
    reason: str,
    actor: str,
    now_s: int,
) -> int:
    """Returns its number."""
    return int(await tx.fetchval(_SQL["insert"], dispute_id, job_id, attempt, organisation_id, reason, actor, now_s))


async def insert_answer(
    tx: Connection, dispute: DisputeRecord, refund_number: int | None, reason: str, actor: str, now_s: int
) -> None:
    await tx.execute(_SQL["insert_answer"], dispute.id, dispute.job_id, refund_number, reason, actor, now_s)


async def disputes(
    tx: Connection, *, organisation_id: str | None = None, number: int | None = None, job_id: UUID | None = None
) -> list[DisputeRecord]:
    """The newest first. `organisation_id`: of that tenant, or of the centres of that organisation."""
    return [DisputeRecord(**row) for row in await tx.fetch(_SQL["disputes"], organisation_id, number, job_id)]
