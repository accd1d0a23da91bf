"""Settlement batches: their lines, what each funder owes for them, and what was done with them."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.domain.ledger import AccountKind
from suanwang.domain.settlement import KIND_OF_ACCOUNT, Entry
from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("settlement")


@dataclass(frozen=True, slots=True)
class NewBatch:
    id: str
    period: str
    kind: str
    payee: str
    number: int
    at_once: bool
    total_fen: int
    lines_sha256: bytes
    actor: str
    proposed_s: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one funder of a programme owes for a batch; `place`: the order of the rules."""

    programme_id: str
    place: int
    level: str
    amount_fen: int


async def open_entries(tx: Connection, end_s: int, last_seal: int) -> list[Entry]:
    """What is owed and in no live batch, of transactions before this end that were sealed by then."""
    return [
        Entry(
            str(row["transaction_id"]),
            row["account_id"],
            row["account"],
            KIND_OF_ACCOUNT[AccountKind(row["kind"])],
            row["owner"],
            row["asset"],
            row["amount_fen"],
            row["turn"],
            row["dispute"],
        )
        for row in await tx.fetch(_SQL["open_entries"], end_s, last_seal)
    ]


async def batches_of(tx: Connection, period: str, kind: str, payee: str) -> int:
    """How many there are already."""
    return int(await tx.fetchval(_SQL["batches_of"], period, kind, payee))


async def insert(tx: Connection, new: NewBatch, lines: list[Entry], shares: list[Share]) -> None:
    await tx.execute(
        _SQL["insert"],
        new.id,
        new.period,
        new.kind,
        new.payee,
        new.number,
        new.at_once,
        new.total_fen,
        len(lines),
        new.lines_sha256,
        new.actor,
        new.proposed_s,
    )
    await tx.execute(
        _SQL["insert_lines"],
        new.id,
        [UUID(line.transaction_id) for line in lines],
        [line.account_id for line in lines],
        [line.turn for line in lines],
        [line.amount_fen for line in lines],
    )
    await tx.execute(
        _SQL["insert_shares"],
        new.id,
        [share.programme_id for share in shares],
        [share.place for share in shares],
        [share.level for share in shares],
        [share.amount_fen for share in shares],
    )


async def insert_step(
    tx: Connection, batch_id: str, state: str, reason: str, actor: str, transaction_id: UUID | None, now_s: int
) -> None:
    await tx.execute(_SQL["insert_step"], batch_id, state, reason, actor, transaction_id, now_s)


async def batches(
    tx: Connection, *, batch_id: str | None = None, period: str | None = None, organisation_id: str | None = None
) -> list[Row]:
    """The oldest first. `organisation_id`: those that are paid to it or to its centres."""
    return await tx.fetch(_SQL["batches"], batch_id, period, organisation_id)


async def amounts_fen(tx: Connection, batch_ids: list[str]) -> dict[str, dict[str, int]]:
    """Batch -> asset -> fen."""
    found: dict[str, dict[str, int]] = {}
    for row in await tx.fetch(_SQL["amounts"], batch_ids):
        found.setdefault(row["settlement_id"], {})[row["asset"]] = row["amount_fen"]
    return found


async def shares(tx: Connection, batch_ids: list[str]) -> list[Row]:
    return await tx.fetch(_SQL["shares"], batch_ids)


async def dues(tx: Connection, period: str | None, agency_id: str | None) -> list[Row]:
    """What programmes (of one agency) owe for live batches, by funder where there are several."""
    return await tx.fetch(_SQL["dues"], period, agency_id)


async def steps(tx: Connection, batch_ids: list[str]) -> list[Row]:
    """Without the first one, the proposal, which is the batch itself."""
    return await tx.fetch(_SQL["steps"], batch_ids)


async def disputes(tx: Connection, batch_id: str) -> list[int]:
    """Open on lines of the batch."""
    return [row["number"] for row in await tx.fetch(_SQL["disputes"], batch_id)]


async def lines(tx: Connection, batch_ids: list[str]) -> list[Row]:
    """By batch and time."""
    return await tx.fetch(_SQL["lines"], batch_ids)
