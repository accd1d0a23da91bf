"""Billing periods, and what of the book and of the records is in each."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("period")
EVERY_SEAL = 2**63 - 1
"""Also what is not sealed yet."""


@dataclass(frozen=True, slots=True)
class Span:
    """What decides whether a transaction is in a period: its own bounds, and those of the closed one before it."""

    end_s: int
    last_seal: int
    before_end_s: int = -1
    before_seal: int = -1

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        return self.end_s, self.last_seal, self.before_end_s, self.before_seal


@dataclass(frozen=True, slots=True)
class Totals:
    """Of a period, by the book: charged, refunded, and redeemed in the reimburse flow."""

    transactions: int
    charged_fen: int
    refunded_fen: int
    redeemed_fen: int


@dataclass(frozen=True, slots=True)
class PeriodRecord:
    name: str
    start_s: int
    end_s: int
    last_seal: int
    totals: Totals
    closed_s: int
    actor: str


async def lock(tx: Connection) -> None:
    """One closing at a time: until the transaction ends."""
    await tx.execute(_SQL["lock"])


async def periods(tx: Connection) -> list[PeriodRecord]:
    """The closed ones, the oldest first."""
    return [
        PeriodRecord(
            row["name"], row["start_s"], row["end_s"], row["last_seal"], _totals(row), row["closed_s"], row["actor"]
        )
        for row in await tx.fetch(_SQL["periods"])
    ]


async def unsealed_before(tx: Connection, end_s: int) -> bool:
    """Whether the book has an entry of before an instant that is in no seal."""
    return bool(await tx.fetchval(_SQL["unsealed_before"], end_s))


async def insert(tx: Connection, new: PeriodRecord) -> None:
    of = new.totals
    await tx.execute(
        _SQL["insert"],
        new.name,
        new.start_s,
        new.end_s,
        new.last_seal,
        of.transactions,
        of.charged_fen,
        of.refunded_fen,
        of.redeemed_fen,
        new.closed_s,
        new.actor,
    )


async def totals(tx: Connection, span: Span) -> Totals:
    return _totals((await tx.fetch(_SQL["totals"], *span.bounds))[0])


async def charges(tx: Connection, span: Span, tenant_id: str | None, centre_ids: list[str] | None) -> list[Row]:
    """One row per attempt and price; of one tenant or some centres, if named."""
    return await tx.fetch(_SQL["charges"], *span.bounds, tenant_id, centre_ids)


async def orders(tx: Connection, span: Span, tenant_id: str | None, centre_ids: list[str] | None) -> list[Row]:
    """One row per service order; `size` and `measured` are whole numbers as text, however large."""
    return await tx.fetch(_SQL["orders"], *span.bounds, tenant_id, centre_ids)


async def refunds(
    tx: Connection, span: Span, tenant_id: str | None, centre_ids: list[str] | None, open_name: str
) -> list[Row]:
    """`corrects`: the keys of the lines that the charges are on; `open_name`: the month of what is in no closed one."""
    return await tx.fetch(_SQL["refunds"], *span.bounds, tenant_id, centre_ids, open_name)


async def redeemed_fen(tx: Connection, span: Span, tenant_id: str | None) -> dict[str, int]:
    """Tenant -> what programmes repay it."""
    return {row["tenant_id"]: row["fen"] for row in await tx.fetch(_SQL["redeemed"], *span.bounds, tenant_id)}


async def earned(tx: Connection, span: Span, centre_ids: list[str] | None) -> list[Row]:
    """Of centres, by asset: charged, refunded and paid within the period, owed at its end."""
    return await tx.fetch(_SQL["earned"], *span.bounds, centre_ids)


async def vouchers(tx: Connection, voucher_ids: list[UUID]) -> list[Row]:
    return await tx.fetch(_SQL["vouchers"], voucher_ids)


async def names(tx: Connection, organisation_ids: list[str]) -> dict[str, str]:
    return {row["id"]: row["name"] for row in await tx.fetch(_SQL["names"], organisation_ids)}


async def centres_of(tx: Connection, organisation_id: str) -> list[str]:
    return [row["id"] for row in await tx.fetch(_SQL["centres_of"], organisation_id)]


def _totals(row: Row) -> Totals:
    return Totals(row["transactions"], row["charged_fen"], row["refunded_fen"], row["redeemed_fen"])
