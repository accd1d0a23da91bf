"""Reading the book: balances and the transactions behind them."""

from dataclasses import dataclass
from uuid import UUID

from suanwang.domain.ledger import Account, AccountKind, identity
from suanwang.store.db import Connection, Row
from suanwang.store.queries import queries

_SQL = queries("ledger")


@dataclass(frozen=True, slots=True)
class OpenBalance:
    kind: AccountKind
    owner: str
    asset: str
    amount_fen: int


async def balance_fen(tx: Connection, account: Account) -> int:
    """Of a limited account; 0 if it was never opened."""
    return (await balances_fen(tx, [account]))[account.key]


async def balances_fen(tx: Connection, accounts: list[Account]) -> dict[str, int]:
    """Balances of limited accounts by key; 0 where never opened."""
    rows = await tx.fetch(_SQL["balances_by_key"], [account.key for account in accounts])
    return {account.key: 0 for account in accounts} | {row["key"]: row["amount_fen"] for row in rows}


async def held_fen(tx: Connection, job_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """What each job has on hold: job -> asset -> fen."""
    held: dict[UUID, dict[str, int]] = {}
    for row in await tx.fetch(_SQL["job_balances"], job_ids):
        held.setdefault(row["job_id"], {})[row["asset"]] = row["amount_fen"]
    return held


async def held_first_fen(tx: Connection, job_id: UUID) -> dict[str, int]:
    """What a job's first hold took: asset -> fen."""
    rows = await tx.fetch(_SQL["taken_by"], identity("hold", str(job_id), 1))
    return {row["asset"]: row["amount_fen"] for row in rows}


async def open_balances(tx: Connection, *kinds: AccountKind) -> list[OpenBalance]:
    """Of the kinds of account that have no limit and so no balance row: what was added up as it was sealed, and what
    is not sealed yet."""
    rows = await tx.fetch(_SQL["open_balances"], list(kinds))
    return [OpenBalance(AccountKind(r["kind"]), r["owner"], r["asset"], r["amount_fen"]) for r in rows]


async def transfers_of(tx: Connection, subject: str) -> list[Row]:
    return await tx.fetch(_SQL["transactions_of_subject"], subject)


async def redeemed_fen(tx: Connection, account: Account, year_from_s: int) -> tuple[int, int]:
    """What was redeemed into an account: since then, and in all."""
    row = (await tx.fetch(_SQL["redeemed_to"], account.key, year_from_s))[0]
    return row["year_fen"], row["total_fen"]


async def lock_settlement(tx: Connection) -> None:
    """Held until the transaction ends."""
    await tx.execute(_SQL["lock_settlement"])


async def in_no_batch_fen(tx: Connection, account: Account) -> int:
    """What is owed on an account and in no settlement batch that lives."""
    return int(await tx.fetchval(_SQL["in_no_batch"], account.key) or 0)


async def held_cash_fen(tx: Connection, tenant_id: str) -> int:
    """What all jobs of a tenant have on hold of its cash."""
    return int(await tx.fetchval(_SQL["held_cash"], tenant_id))


async def voucher_places(tx: Connection, voucher_ids: list[UUID]) -> dict[UUID, Row]:
    """Where the value of vouchers went: held, used, of it clawed back, expired, revoked (taken back unused)."""
    return {row["id"]: row for row in await tx.fetch(_SQL["voucher_places"], voucher_ids)}
