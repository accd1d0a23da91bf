"""Refunds: what was given back of a job's charges."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("refund")


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """`number` counts the refunds of one job from 1."""

    number: int
    attempt: int
    amount_fen: int
    voucher_fen: int
    reason: str
    actor: str
    transaction_id: UUID
    recorded_s: int


async def of_job(tx: Connection, job_id: UUID) -> list[RefundRecord]:
    return [RefundRecord(**row) for row in await tx.fetch(_SQL["of_job"], job_id)]


async def insert(tx: Connection, job_id: UUID, new: RefundRecord) -> None:
    await tx.execute(
        _SQL["insert"],
        job_id,
        new.number,
        new.attempt,
        new.amount_fen,
        new.voucher_fen,
        new.reason,
        new.actor,
        new.transaction_id,
        new.recorded_s,
    )
