"""Attempts: where a job was placed, what was seen of it, what it used and what was charged for that."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from suanwang.domain.job import Cause, Phase
from suanwang.domain.metering import Interval
from suanwang.protocol import Checkpoint, Progress
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("attempt")
Key: TypeAlias = tuple[UUID, int]
"""(job, number)."""


@dataclass(frozen=True, slots=True)
class NewAttempt:
    job_id: UUID
    number: int
    centre_id: str
    pool_id: str
    variant: int
    node_names: tuple[str, ...]
    chips: int
    walltime_s: int
    expected_end_s: int
    decision: str
    """The placement with its reasons, as JSON."""
    resume_from: Checkpoint | None
    preemptible: bool = False


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    job_id: UUID
    number: int
    centre_id: str
    pool_id: str
    variant: int
    chips: int
    fen_per_chip_hour: int
    bills_lost_work: bool
    phase: Phase
    cause: Cause | None
    sequence: int
    wanted: str
    started_s: int | None
    observed_s: int | None
    ended_s: int | None
    checkpoint: Checkpoint | None
    metered_until_s: int | None
    charged_until_s: int | None
    charged_chip_s: int
    charged_fen: int
    settled: bool
    walltime_s: int
    placed_s: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What a report adds to an attempt, already judged by the flow that took it."""

    key: tuple[UUID, int]
    phase: Phase
    cause: Cause | None
    sequence: int
    started_s: int | None
    observed_s: int
    ended_s: int | None
    exit_code: int | None
    signal: int | None
    detail: str
    progress: Progress | None
    checkpoint: Checkpoint | None
    metered_until_s: int | None


@dataclass(frozen=True, slots=True)
class NewCharge:
    key: tuple[UUID, int]
    interval: Interval
    chip_s: int
    kept: bool
    fen_per_chip_hour: int
    amount_fen: int
    voucher_fen: int
    cash_fen: int
    tenant_id: str
    centre_id: str
    voucher_id: UUID | None
    transaction_id: UUID | None


@dataclass(frozen=True, slots=True)
class ChargedUntil:
    """How far an attempt is charged; `settled` once nothing can follow."""

    key: tuple[UUID, int]
    until_s: int | None
    chip_s: int
    amount_fen: int
    settled: bool


async def insert(tx: Connection, attempts: list[NewAttempt], now_s: int) -> None:
    """The price is frozen from the pool's offer as it is now."""
    a = attempts
    await tx.execute(
        _SQL["insert_attempts"],
        now_s,
        [x.job_id for x in a],
        [x.number for x in a],
        [x.centre_id for x in a],
        [x.pool_id for x in a],
        [x.variant for x in a],
        ["\n".join(x.node_names) for x in a],
        [x.chips for x in a],
        [x.walltime_s for x in a],
        [x.expected_end_s for x in a],
        [x.decision for x in a],
        [x.resume_from and to_json(x.resume_from) for x in a],
        [x.preemptible for x in a],
    )


async def lock(tx: Connection, keys: list[tuple[UUID, int]]) -> dict[tuple[UUID, int], AttemptRecord]:
    """Attempts by (job, number), locked in that order. Unknown ones are absent."""
    rows = await tx.fetch(_SQL["lock"], [job_id for job_id, _ in keys], [number for _, number in keys])
    return {(row["job_id"], row["number"]): _record(row) for row in rows}


async def apply(tx: Connection, observed: list[Observed], now_s: int) -> None:
    if not observed:
        return
    o = observed
    await tx.execute(
        _SQL["apply_reports"],
        [x.key[0] for x in o],
        [x.key[1] for x in o],
        [x.phase for x in o],
        [x.cause for x in o],
        [x.sequence for x in o],
        [x.started_s for x in o],
        [x.observed_s for x in o],
        [x.ended_s for x in o],
        [x.exit_code for x in o],
        [x.signal for x in o],
        [x.detail for x in o],
        [x.progress and to_json(x.progress) for x in o],
        [x.checkpoint and to_json(x.checkpoint) for x in o],
        [x.metered_until_s for x in o],
        now_s,
    )


async def insert_usage(tx: Connection, usage: list[tuple[tuple[UUID, int], Interval, int]], now_s: int) -> None:
    """(attempt, interval, chips) each; the database refuses intervals that overlap."""
    if not usage:
        return
    await tx.execute(
        _SQL["insert_usage"],
        [key[0] for key, _, _ in usage],
        [key[1] for key, _, _ in usage],
        [interval.from_s for _, interval, _ in usage],
        [interval.until_s for _, interval, _ in usage],
        [chips for _, _, chips in usage],
        now_s,
    )


async def want_stop(tx: Connection, keys: list[tuple[UUID, int]]) -> None:
    await tx.execute(_SQL["want_stop"], [job_id for job_id, _ in keys], [number for _, number in keys])


async def order_stop(tx: Connection, keys: list[tuple[UUID, int]]) -> None:
    """The same, also of those that were told before or are over for the hub."""
    await tx.execute(_SQL["order_stop"], [job_id for job_id, _ in keys], [number for _, number in keys])


async def mark_over(tx: Connection, keys: list[tuple[UUID, int]], now_s: int) -> list[tuple[UUID, int]]:
    """Abandoned attempts whose agent says that they are over; returns those of which that is news."""
    rows = await tx.fetch(_SQL["mark_over"], [job_id for job_id, _ in keys], [number for _, number in keys], now_s)
    return [(row["job_id"], row["number"]) for row in rows]


async def not_over(tx: Connection, centre_id: str) -> list[int]:
    """Numbers of the jobs of which an abandoned attempt may still run at a centre."""
    return [row["number"] for row in await tx.fetch(_SQL["not_over"], centre_id)]


async def live_at(tx: Connection, centre_id: str) -> list[tuple[UUID, int]]:
    return [(row["job_id"], row["number"]) for row in await tx.fetch(_SQL["live_at"], centre_id)]


async def waiting_for_checkpoint(tx: Connection, centre_id: str) -> list[UUID]:
    """Queued jobs with a checkpoint that was made at a centre and never uploaded."""
    return [row["job_id"] for row in await tx.fetch(_SQL["waiting_for_checkpoint"], centre_id)]


async def orders_since(tx: Connection, centre_id: str, version: int) -> list[Row]:
    """Attempts of a centre, live or abandoned and not known to be over, whose order changed in or after that
    transaction and is visible for certain."""
    return await tx.fetch(_SQL["orders_since"], centre_id, str(version))


async def live(tx: Connection) -> list[Row]:
    return await tx.fetch(_SQL["live"])


async def preemptions(tx: Connection, job_ids: list[UUID]) -> dict[UUID, int]:
    """Job -> attempts of it that made room for others; a job without any is absent."""
    if not job_ids:
        return {}
    return {row["job_id"]: row["preemptions"] for row in await tx.fetch(_SQL["preemptions"], job_ids)}


async def of_job(tx: Connection, job_id: UUID) -> list[Row]:
    return await tx.fetch(_SQL["of_job"], job_id)


async def usage_of_job(tx: Connection, job_id: UUID) -> list[Row]:
    return await tx.fetch(_SQL["usage_of_job"], job_id)


async def charges_of_job(tx: Connection, job_id: UUID) -> list[Row]:
    return await tx.fetch(_SQL["charges_of_job"], job_id)


async def insert_charges(tx: Connection, charges: list[NewCharge], now_s: int) -> None:
    if not charges:
        return
    c = charges
    await tx.execute(
        _SQL["insert_charges"],
        [x.key[0] for x in c],
        [x.key[1] for x in c],
        [x.interval.from_s for x in c],
        [x.interval.until_s for x in c],
        [x.chip_s for x in c],
        [x.kept for x in c],
        [x.fen_per_chip_hour for x in c],
        [x.amount_fen for x in c],
        [x.voucher_fen for x in c],
        [x.cash_fen for x in c],
        [x.tenant_id for x in c],
        [x.centre_id for x in c],
        [x.voucher_id for x in c],
        [x.transaction_id for x in c],
        [x.interval.until_s for x in c],
        now_s,
    )


async def mark_charged(tx: Connection, marks: list[ChargedUntil]) -> None:
    m = marks
    await tx.execute(
        _SQL["mark_charged"],
        [x.key[0] for x in m],
        [x.key[1] for x in m],
        [x.until_s for x in m],
        [x.chip_s for x in m],
        [x.amount_fen for x in m],
        [x.settled for x in m],
    )


def _record(row: Row) -> AttemptRecord:
    return AttemptRecord(
        row["job_id"],
        row["number"],
        row["centre_id"],
        row["pool_id"],
        row["variant"],
        row["chips"],
        row["fen_per_chip_hour"],
        row["bills_lost_work"],
        Phase(row["phase"]),
        row["cause"] and Cause(row["cause"]),
        row["sequence"],
        row["wanted"],
        row["started_s"],
        row["observed_s"],
        row["ended_s"],
        row["checkpoint"] and from_json(row["checkpoint"], Checkpoint),
        row["metered_until_s"],
        row["charged_until_s"],
        row["charged_chip_s"],
        row["charged_fen"],
        row["settled"],
        row["walltime_s"],
        row["placed_s"],
    )
