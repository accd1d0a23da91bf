"""Programmes, claims and vouchers. How much a voucher is worth now is in the book, not here."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg

from suanwang.domain.voucher import VoucherTerms
from suanwang.errors import NotFound
from suanwang.store.answer import reused_key
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("voucher")


@dataclass(frozen=True, slots=True)
class VoucherRecord:
    """`available_fen` is the balance of the voucher's account: what no job holds yet."""

    id: UUID
    programme_id: str
    tenant_id: str
    claim_id: UUID
    terms: VoucherTerms
    granted_fen: int
    valid_from_s: int
    valid_to_s: int | None
    asked_centres: tuple[str, ...]
    """Centres of its contract; empty: whichever the rules accept."""
    available_fen: int
    centre_ids: tuple[str, ...] = ()
    """Where it pays now: `control.providers` says so, and fills it."""


@dataclass(frozen=True, slots=True)
class ClawBack:
    """A voucher that was taken back: what it still had, and what its tenant was asked to repay. `number`: from 1."""

    voucher_id: UUID
    number: int
    taken_fen: int
    owed_fen: int
    reason: str
    actor: str
    at_s: int


@dataclass(frozen=True, slots=True)
class NewClaim:
    id: UUID
    programme_id: str
    tenant_id: str
    state: str
    contract_id: str
    contract: Any
    centre_ids: list[str]
    """Those that the rules accept on the day of the claim."""
    asked_centres: tuple[str, ...]
    inputs: Any
    assessment: Any
    assessed_fen: int
    decided_fen: int | None
    decided_by: str | None
    decided_s: int | None


async def insert_programme(
    tx: Connection,
    programme_id: str,
    agency_id: str,
    rules: Any,
    rules_sha256: str,
    automatic_limit_fen: int,
    now_s: int,
) -> bool:
    """False if the id is taken."""
    done: str = await tx.execute(
        _SQL["insert_programme"], programme_id, agency_id, to_json(rules), rules_sha256, automatic_limit_fen, now_s
    )
    return done.endswith(" 1")


async def programme(tx: Connection, programme_id: str) -> Row:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["programme"], programme_id)
    if row is None:
        raise NotFound(f"no programme {programme_id}", programme=programme_id)
    return row


async def programmes(tx: Connection) -> list[Row]:
    return await tx.fetch(_SQL["programmes"])


async def programmes_of(tx: Connection, programme_ids: list[str]) -> list[Row]:
    """Id, agency and rules of these."""
    return await tx.fetch(_SQL["programmes_of"], programme_ids)


async def lock_programme(tx: Connection, programme_id: str) -> None:
    """Claims of one programme are decided one after the other: they share its budget and caps."""
    await tx.execute(_SQL["lock_programme"], programme_id)


async def granted_to(tx: Connection, programme_id: str, tenant_id: str, year_from_s: int) -> Row:
    """Sums of what was granted to a tenant (this year, in all), and on which contracts and wholes of split ones."""
    return (await tx.fetch(_SQL["granted_to"], programme_id, tenant_id, year_from_s))[0]


async def insert_claim(tx: Connection, claim: NewClaim, now_s: int) -> None:
    """Raises Conflict if it is there: its key was used so long ago that the answer is forgotten."""
    c = claim
    try:
        await tx.execute(
            _SQL["insert_claim"],
            c.id,
            c.programme_id,
            c.tenant_id,
            c.state,
            c.contract_id,
            to_json(c.contract),
            c.centre_ids,
            to_json(c.inputs),
            to_json(c.assessment),
            c.assessed_fen,
            c.decided_fen,
            c.decided_by,
            now_s,
            c.decided_s,
            c.asked_centres,
        )
    except asyncpg.UniqueViolationError as error:
        raise reused_key() from error


async def lock_claim(tx: Connection, claim_id: UUID) -> Row:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["lock_claim"], claim_id)
    if row is None:
        raise NotFound(f"no claim {claim_id}", claim=str(claim_id))
    return row


async def decide_claim(tx: Connection, claim_id: UUID, state: str, decided_fen: int, actor: str, now_s: int) -> None:
    await tx.execute(_SQL["decide_claim"], claim_id, state, decided_fen, actor, now_s)


async def claims(tx: Connection, tenant_id: str | None, programme_id: str | None, agency_id: str | None) -> list[Row]:
    return await tx.fetch(_SQL["claims"], tenant_id, programme_id, agency_id)


async def insert_voucher(
    tx: Connection,
    voucher_id: UUID,
    tenant_id: str,
    claim_id: UUID,
    terms: VoucherTerms,
    granted_fen: int,
    valid_from_s: int,
    valid_to_s: int | None,
) -> None:
    await tx.execute(
        _SQL["insert_voucher"],
        voucher_id,
        terms.programme_id,
        tenant_id,
        claim_id,
        to_json(terms),
        granted_fen,
        valid_from_s,
        valid_to_s,
        valid_from_s,
    )


async def vouchers(tx: Connection, tenant_id: str | None, agency_id: str | None = None) -> list[VoucherRecord]:
    """In the order in which they end, which is the order in which they are used."""
    return [_record(row) for row in await tx.fetch(_SQL["vouchers"], tenant_id, agency_id)]


async def of_tenants(tx: Connection, tenant_ids: list[str]) -> list[VoucherRecord]:
    """Of some tenants, in the order in which they end."""
    return [_record(row) for row in await tx.fetch(_SQL["vouchers_of_tenants"], tenant_ids)]


async def by_ids(tx: Connection, voucher_ids: list[UUID]) -> dict[UUID, VoucherRecord]:
    if not voucher_ids:
        return {}
    return {row["id"]: _record(row) for row in await tx.fetch(_SQL["vouchers_by_id"], voucher_ids)}


async def repaid_fen(tx: Connection, job_id: UUID) -> int:
    """What the voucher of a job repays its tenant, as the book has it."""
    return int(await tx.fetchval(_SQL["repaid"], job_id))


async def ended_with_value(tx: Connection, now_s: int) -> list[Row]:
    """Vouchers past their end, and those that their one bill has ended, as far as something is left of them.

    One look after the other, until the transaction ends: two that see the same value would tell of it twice.
    """
    await tx.execute(_SQL["lock_ends"])
    return await tx.fetch(_SQL["ended_with_value"], now_s)


async def claimed_by_others(tx: Connection, programme_id: str, tenant_id: str, signed_on: str) -> list[str]:
    """Contracts of that day that others were granted a claim for."""
    return [row["contract_id"] for row in await tx.fetch(_SQL["claimed_by_others"], programme_id, tenant_id, signed_on)]


async def granted_since_fen(tx: Connection, programme_id: str, from_s: int) -> int:
    return int(await tx.fetchval(_SQL["granted_since"], programme_id, from_s))


async def redemption_basis(tx: Connection, claim_id: UUID) -> Row:
    """The rules that a claim was granted under, and the applicant as it was assessed."""
    return (await tx.fetch(_SQL["redemption_basis"], claim_id))[0]


async def lock_redemptions(tx: Connection, programme_id: str, tenant_id: str) -> None:
    """One after the other, until the transaction ends: they share a cap."""
    await tx.execute(_SQL["lock_redemptions"], f"{programme_id}/{tenant_id}")


def _record(row: Row) -> VoucherRecord:
    return VoucherRecord(
        row["id"],
        row["programme_id"],
        row["tenant_id"],
        row["claim_id"],
        terms_until(row),
        row["granted_fen"],
        row["valid_from_s"],
        row["valid_to_s"],
        tuple(row["asked_centres"]),
        row["available_fen"],
    )


def terms_until(row: Row) -> VoucherTerms:
    """The terms of a voucher, which ends when it is clawed back."""
    return replace(from_json(row["terms"], VoucherTerms), valid_to_s=row["valid_to_s"])


async def insert_claw_back(tx: Connection, made: ClawBack) -> None:
    await tx.execute(
        _SQL["insert_claw_back"],
        made.voucher_id,
        made.number,
        made.taken_fen,
        made.owed_fen,
        made.reason,
        made.actor,
        made.at_s,
    )


async def claw_backs(tx: Connection, voucher_ids: list[UUID]) -> dict[UUID, ClawBack]:
    """Of those of these vouchers that were clawed back: all that was taken and asked for, in one."""
    return {row["voucher_id"]: ClawBack(**row) for row in await tx.fetch(_SQL["claw_backs"], voucher_ids)}


async def granted_in_all_fen(tx: Connection, programme_id: str) -> int:
    return int(await tx.fetchval(_SQL["granted_in_all"], programme_id))
