"""New usage is rated and charged, and a job that is over gives back what it did not use.

Called inside the transaction of the flow that learnt the news, so a report, its usage, its charges and the end of the
hold are one story: all of it happened, or none.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from suanwang.control import project
from suanwang.control.redemption import redeemed
from suanwang.domain import movements
from suanwang.domain.ledger import CASH, Transaction, programme_asset
from suanwang.domain.metering import billable
from suanwang.domain.movements import VoucherSource
from suanwang.domain.rating import charge_fen
from suanwang.domain.voucher import Flow, share_of_bill_bp, voucher_share_fen
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store import ledger, voucher
from suanwang.store.attempt import AttemptRecord, ChargedUntil, NewCharge
from suanwang.store.db import Connection
from suanwang.store.job import JobRecord
from suanwang.store.posting import post
from suanwang.store.voucher import VoucherRecord
from suanwang.units import BASIS_POINTS

ACTOR = "network"


@dataclass(slots=True)
class Purse:
    """What a job has on hold, as its charges are worked out."""

    job: JobRecord
    voucher: VoucherRecord | None
    cash_fen: int
    voucher_fen: int

    @property
    def source(self) -> VoucherSource | None:
        if self.voucher is None:
            return None
        return VoucherSource(str(self.voucher.id), self.voucher.programme_id)


async def open_purses(tx: Connection, records: Iterable[JobRecord]) -> dict[UUID, Purse]:
    """The holds of some jobs, which must be locked by the caller."""
    found = {record.id: record for record in records}
    await project.lock_of(tx, found.values())
    vouchers = await voucher.by_ids(tx, sorted({r.voucher_id for r in found.values() if r.voucher_id}))
    held = await ledger.held_fen(tx, list(found))
    purses = {}
    for job_id, record in found.items():
        used = vouchers[record.voucher_id] if record.voucher_id else None
        amounts = held.get(job_id, {})
        voucher_fen = amounts.get(programme_asset(used.terms.programme_id), 0) if used else 0
        purses[job_id] = Purse(record, used, amounts.get(CASH, 0), voucher_fen)
    return purses


def affordable_fen(purse: Purse, centre_id: str) -> int:
    """The most that an attempt at a centre may cost, so that a charge always fits into the hold.

    With a voucher that bears the share s of a bill, up to v: the largest x with x - min(floor(s x), v) <= cash.
    """
    used = purse.voucher
    if used is None or used.terms.flow != "offset" or centre_id not in purse.job.voucher_centres:
        return purse.cash_fen
    own_bp = BASIS_POINTS - share_of_bill_bp(used.terms)
    covered_fen = purse.cash_fen + purse.voucher_fen
    return covered_fen if own_bp == 0 else min(covered_fen, purse.cash_fen * BASIS_POINTS // own_bp)


async def charge(tx: Connection, purses: dict[UUID, Purse], seen: Iterable[AttemptRecord], now_s: int) -> None:
    """Charge what these attempts (locked, with their newest facts) can be charged for by now."""
    charges: list[NewCharge] = []
    marks: list[ChargedUntil] = []
    transactions: list[Transaction] = []
    for attempt in seen:
        if not attempt.settled:
            _charge_attempt(purses[attempt.job_id], attempt, charges, marks, transactions)
    await post(tx, transactions, now_s)
    await attempts.insert_charges(tx, charges, now_s)
    await attempts.mark_charged(tx, marks)
    await jobs.add_charges(tx, [(c.key[0], c.amount_fen, c.voucher_fen) for c in charges if c.amount_fen])
    await project.charged(tx, [(purses[c.key[0]].job, c.amount_fen) for c in charges], now_s)


def _charge_attempt(
    purse: Purse,
    attempt: AttemptRecord,
    charges: list[NewCharge],
    marks: list[ChargedUntil],
    transactions: list[Transaction],
) -> None:
    key = (attempt.job_id, attempt.number)
    chip_s, amount_fen, until_s = attempt.charged_chip_s, attempt.charged_fen, attempt.charged_until_s
    for line in billable(
        started_s=attempt.started_s,
        charged_until_s=attempt.charged_until_s,
        metered_until_s=attempt.metered_until_s,
        kept_until_s=attempt.checkpoint.kept_until_s if attempt.checkpoint else None,
        cause=attempt.cause,
        bills_lost_work=attempt.bills_lost_work,
        walltime_s=attempt.walltime_s,
    ):
        line_chip_s = line.interval.length_s * attempt.chips
        line_fen = voucher_fen = 0
        if line.kept:
            line_fen = charge_fen(attempt.fen_per_chip_hour, chip_s, chip_s + line_chip_s)
            voucher_fen = _voucher_part_fen(purse, attempt.centre_id, amount_fen, line_fen)
            chip_s += line_chip_s
            amount_fen += line_fen
        cash_fen = line_fen - voucher_fen
        transaction = None
        if line_fen:
            transaction = movements.charge(
                purse.job.tenant_id,
                str(attempt.job_id),
                attempt.number,
                line.interval.from_s,
                attempt.centre_id,
                cash_fen,
                purse.source,
                voucher_fen,
                line.interval.until_s,
                ACTOR,
            )
            transactions.append(transaction)
            purse.cash_fen -= cash_fen
            purse.voucher_fen -= voucher_fen
        charges.append(
            NewCharge(
                key,
                line.interval,
                line_chip_s,
                line.kept,
                attempt.fen_per_chip_hour,
                line_fen,
                voucher_fen,
                cash_fen,
                purse.job.tenant_id,
                attempt.centre_id,
                purse.voucher.id if purse.voucher and voucher_fen else None,
                transaction.id if transaction else None,
            )
        )
        until_s = line.interval.until_s
    marks.append(ChargedUntil(key, until_s, chip_s, amount_fen, attempt.cause is not None))


def _voucher_part_fen(purse: Purse, centre_id: str, before_fen: int, line_fen: int) -> int:
    """The voucher's part of a line, as the difference of its parts of the whole before and after: fen never drift."""
    used = purse.voucher
    if used is None or used.terms.flow != "offset" or centre_id not in purse.job.voucher_centres:
        return 0
    whole_fen = purse.job.estimate_fen + before_fen + line_fen
    before = voucher_share_fen(used.terms, before_fen, whole_fen)
    after = voucher_share_fen(used.terms, before_fen + line_fen, whole_fen)
    return min(after - before, purse.voucher_fen)


async def close(tx: Connection, purses: Iterable[Purse], now_s: int) -> None:
    """Jobs that are over and charged to the last second: redeem what the programme repays, give back the rest."""
    transactions = []
    closing = list(purses)
    taken_fen: Counter[tuple[str, str]] = Counter()
    for purse in closing:
        tenant_id, job_id, used = purse.job.tenant_id, str(purse.job.id), purse.voucher
        if used is not None and purse.source is not None and used.terms.flow is Flow.REIMBURSE:
            place = (tenant_id, used.programme_id)
            redeemed_fen = await redeemed(tx, purse.job, used, purse.voucher_fen, taken_fen[place], now_s)
            taken_fen[place] += redeemed_fen
            if redeemed_fen:
                transactions.append(movements.redeem(tenant_id, job_id, purse.source, redeemed_fen, now_s, ACTOR))
                purse.voucher_fen -= redeemed_fen
        transactions.append(
            movements.release(tenant_id, job_id, purse.cash_fen, purse.source, purse.voucher_fen, now_s, ACTOR)
        )
    await post(tx, transactions, now_s)
    await project.released(tx, [purse.job for purse in closing])
    await jobs.settle(tx, [purse.job.id for purse in closing])
