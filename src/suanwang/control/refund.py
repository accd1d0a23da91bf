"""What was charged wrongly goes back to exactly where it came from: to the voucher its part, the rest to the account.

A charge is never changed. The centre is owed less, or owes: a later settlement pays so much less.
"""

from uuid import UUID

from suanwang.control import project
from suanwang.domain import movements
from suanwang.domain.movements import VoucherSource
from suanwang.domain.tenant import Actor
from suanwang.domain.voucher import has_ended
from suanwang.errors import Conflict, InvalidInput, NotFound
from suanwang.store import answer, event, ledger, voucher
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store import refund as refunds
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database, Row
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord
from suanwang.store.posting import post
from suanwang.store.refund import RefundRecord
from suanwang.store.voucher import VoucherRecord
from suanwang.wire import NewRefund, RefundLine

MAX_REASON_LENGTH = 500


async def refund(db: Database, actor: Actor, job_id: UUID, new: NewRefund, call: Call, now_s: int) -> RefundLine:
    """Give back a part of what one attempt of a job was charged.

    Raises NotFound, Conflict (the job is not settled), InvalidInput (attempt, amount, reason).
    """
    reason = read_reason(new.reason)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, RefundLine, now_s)
        if repeated is not None:
            return repeated
        line = await give_back(tx, actor, job_id, new.attempt, new.amount_fen, reason, now_s)
        await answer.remember(tx, call, line)
    return line


def read_reason(text: str) -> str:
    """Raises InvalidInput."""
    reason = text.strip()
    if not 1 <= len(reason) <= MAX_REASON_LENGTH or not reason.isprintable():
        raise InvalidInput("reason", text, f"1 to {MAX_REASON_LENGTH} printable characters")
    return reason


async def give_back(
    tx: Connection, actor: Actor, job_id: UUID, asked: int | None, amount_fen: int, reason: str, now_s: int
) -> RefundLine:
    """The refund itself, within a flow. `asked`: the attempt, if it was said. Raises as `refund`."""
    record = (await jobs.lock(tx, [job_id])).get(job_id)
    if record is None:
        raise NotFound(f"no job {job_id}", job=str(job_id))
    if not record.settled:
        raise Conflict("refunds are for jobs that are over", code="JOB_NOT_SETTLED", state=record.state)
    charges = await attempts.charges_of_job(tx, job_id)
    before = await refunds.of_job(tx, job_id)
    attempt, centre_id = charged_attempt(charges, asked)
    _check_amount(amount_fen, charges, before, attempt)
    used = (await voucher.by_ids(tx, [record.voucher_id])).get(record.voucher_id) if record.voucher_id else None
    borne_fen = await _borne_fen(tx, record, used, charges, attempt)
    voucher_fen = _in_proportion(borne_fen, charges, before, attempt, amount_fen)
    clawed_fen = 0 if used is None else await _repaid_fen(tx, used, voucher_fen)
    transaction = movements.refund(
        record.tenant_id,
        str(job_id),
        len(before) + 1,
        centre_id,
        amount_fen,
        None if used is None else VoucherSource(str(used.id), used.programme_id),
        voucher_fen,
        offset=used is not None and used.terms.flow == "offset",
        ended=used is not None and has_ended(used.terms, now_s),
        at_s=now_s,
        actor=actor.token_id,
        repaid_fen=clawed_fen,
    )
    await project.refunded(tx, record, amount_fen, now_s)
    await post(tx, [transaction], now_s)
    made = RefundRecord(
        len(before) + 1, attempt, amount_fen, voucher_fen, reason, actor.token_id, transaction.id, now_s
    )
    await refunds.insert(tx, job_id, made)
    line = line_of(made)
    await event.append(tx, now_s, actor.token_id, [NewEvent("refunded", str(job_id), attempt, centre_id, line)])
    return line


def line_of(record: RefundRecord) -> RefundLine:
    return RefundLine(
        record.number,
        record.attempt,
        record.amount_fen,
        record.voucher_fen,
        record.reason,
        record.recorded_s,
        str(record.transaction_id),
    )


def charged_attempt(charges: list[Row], asked: int | None) -> tuple[int, str]:
    """The attempt that is meant, and its centre. Raises InvalidInput."""
    charged = {row["attempt"]: row["centre_id"] for row in charges if row["amount_fen"]}
    number = next(iter(charged)) if asked is None and len(charged) == 1 else asked
    if number is None or number not in charged:
        allowed = ", ".join(map(str, charged)) or "nothing was charged"
        raise InvalidInput("attempt", asked, f"one that was charged: {allowed}")
    return number, charged[number]


def _check_amount(amount_fen: int, charges: list[Row], before: list[RefundRecord], attempt: int) -> None:
    left_fen = sum(row["amount_fen"] for row in charges if row["attempt"] == attempt)
    left_fen -= sum(one.amount_fen for one in before if one.attempt == attempt)
    if not 0 < amount_fen <= left_fen:
        raise InvalidInput("amount_fen", amount_fen, f"1 to {left_fen} fen: what is charged and not given back")


async def _borne_fen(
    tx: Connection, record: JobRecord, used: VoucherRecord | None, charges: list[Row], attempt: int
) -> int:
    """What the voucher bears of one attempt: taken off at the charge, or repaid to the tenant since."""
    if used is None:
        return 0
    if used.terms.flow == "offset":
        return sum(int(row["voucher_fen"]) for row in charges if row["attempt"] == attempt)
    paying = [row for row in charges if row["centre_id"] in record.voucher_centres]
    before_fen = sum(int(row["amount_fen"]) for row in paying if row["attempt"] < attempt)
    until_fen = before_fen + sum(int(row["amount_fen"]) for row in paying if row["attempt"] == attempt)
    all_fen = sum(int(row["amount_fen"]) for row in paying)
    repaid_fen = await voucher.repaid_fen(tx, record.id)
    # As the difference of two sums, so that the parts of all attempts are the whole.
    return (repaid_fen * until_fen // all_fen - repaid_fen * before_fen // all_fen) if all_fen else 0


async def _repaid_fen(tx: Connection, used: VoucherRecord, voucher_fen: int) -> int:
    """Of a voucher that was clawed back: the part that its tenant has repaid. What it has not comes first."""
    if used.id not in await voucher.claw_backs(tx, [used.id]):
        return 0
    await voucher.lock_programme(tx, used.programme_id)  # against a repayment at the same moment
    places = (await ledger.voucher_places(tx, [used.id]))[used.id]
    return int(max(0, voucher_fen - (places["used_fen"] - places["clawed_back_fen"])))


def _in_proportion(
    borne_fen: int, charges: list[Row], before: list[RefundRecord], attempt: int, amount_fen: int
) -> int:
    """The voucher's part of a refund, as the difference of its parts of all refunds before and after."""
    charged_fen = sum(int(row["amount_fen"]) for row in charges if row["attempt"] == attempt)
    earlier = [one for one in before if one.attempt == attempt]
    after_fen = borne_fen * (sum(one.amount_fen for one in earlier) + amount_fen) // charged_fen
    return after_fen - sum(one.voucher_fen for one in earlier)
