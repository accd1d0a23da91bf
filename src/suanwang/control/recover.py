"""A job whose attempt ended before its time goes on: value is held again, and the job is queued from its checkpoint."""

from dataclasses import replace

from suanwang.control import meter, project
from suanwang.control.report import Seen
from suanwang.control.schedule import QueuedBody, ask_again, last_checkpoint, left_to_spend_fen
from suanwang.domain import job as job_rules
from suanwang.domain import movements
from suanwang.domain.centre import Catalogue
from suanwang.domain.job import CENTRE_CAUSES, COMPUTE_KIND, Cause, JobState, JobStep
from suanwang.domain.ledger import CASH, programme_asset
from suanwang.domain.voucher import usable
from suanwang.errors import InsufficientValue
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store import ledger
from suanwang.store.db import Connection
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord, StateChange
from suanwang.store.posting import post


async def recover(
    tx: Connection,
    catalogue: Catalogue,
    record: JobRecord,
    one: Seen,
    reason: dict[str, object],
    now_s: int,
) -> tuple[StateChange, NewEvent]:
    """Queue the next attempt, from the last checkpoint, once its value is held; without it the job has failed."""
    record = replace(record, charged_fen=(await jobs.lock(tx, [record.id]))[record.id].charged_fen)
    lacking = await _hold_again(tx, record, now_s)
    if lacking is not None:
        reason = {"code": lacking, "facts": {"after": reason["code"], "max_cost_fen": record.spec.max_cost_fen}}
        news = NewEvent("job_ended", str(record.id), one.now.number, body={"state": JobState.FAILED, **reason})
        return changed(record, job_rules.after(record.state, JobStep.FAIL), reason, ended_s=now_s), news
    checkpoint, centre_id = one.now.checkpoint, one.now.centre_id
    if checkpoint is None or one.now.cause is Cause.ABANDONED:  # what lies there alone is given up with it
        checkpoint, found_at = await last_checkpoint(tx, record.id)
        centre_id = found_at or centre_id
    # A checkpoint that was not uploaded cannot travel.
    stuck = checkpoint is not None and checkpoint.blob_sha256 is None
    preemptions = (await attempts.preemptions(tx, [record.id])).get(record.id, 0) if record.spec.preemptible else 0
    ask = ask_again(record, catalogue, record.attempts + 1, centre_id if stuck else None, preemptions)
    news = NewEvent("job_recovered", str(record.id), record.attempts + 1, body=QueuedBody(ask, checkpoint))
    by_centre = one.now.cause in CENTRE_CAUSES
    change = StateChange(
        record,
        job_rules.after(record.state, JobStep.RECOVER),
        {"code": "RECOVERING", "facts": {"after": reason, "from_step": checkpoint.step if checkpoint else None}},
        queued_s=now_s,
        recoveries=record.recoveries + (by_centre and not one.made_room),
        restarts=record.restarts + (not by_centre),
    )
    return change, news


async def _hold_again(tx: Connection, record: JobRecord, now_s: int) -> str | None:
    """Bring a job's hold back to what another attempt can cost: as at first, within what is left to spend.

    Returns the code of what is lacking, if something is.
    """
    limit_fen = left_to_spend_fen(record)
    if limit_fen <= 0 < record.estimate_fen:
        return "COST_LIMIT_REACHED"
    # First, so that nothing is held for a job that ends here.
    if not await project.hold_again(tx, record, limit_fen, now_s):
        return "NO_BUDGET_LEFT"
    purse = (await meter.open_purses(tx, [record]))[record.id]
    first = await ledger.held_first_fen(tx, record.id)
    voucher_fen = _from_voucher_fen(purse, record, first, now_s)
    # Cash alone will do as well: the voucher's value may be taken by another job at this very moment.
    for from_voucher_fen in dict.fromkeys((voucher_fen, 0)):
        short_fen = sum(first.values()) - first.get(CASH, 0) - purse.voucher_fen - from_voucher_fen
        cash_fen = min(first.get(CASH, 0) + max(0, short_fen), limit_fen) - purse.cash_fen
        hold = movements.hold(
            record.tenant_id,
            str(record.id),
            record.attempts + 1,
            max(0, cash_fen),
            purse.source,
            from_voucher_fen,
            now_s,
            meter.ACTOR,
        )
        try:
            async with tx.transaction():
                await post(tx, [hold], now_s)
        except InsufficientValue:
            continue
        return None
    return "INSUFFICIENT_VALUE"


def _from_voucher_fen(purse: meter.Purse, record: JobRecord, first: dict[str, int], now_s: int) -> int:
    """What the job's voucher can give for another attempt: up to what it gave at first, if it still pays at all."""
    used = purse.voucher
    if used is None or usable(used.terms, on_s=now_s, use=record.spec.use, kind=COMPUTE_KIND) is not None:
        return 0
    gave_fen = first.get(programme_asset(used.programme_id), 0)
    return min(max(0, gave_fen - purse.voucher_fen), used.available_fen)


def changed(record: JobRecord, state: JobState, reason: dict[str, object], ended_s: int | None = None) -> StateChange:
    """A job in another state, with its counts as they are."""
    return StateChange(record, state, reason, ended_s, recoveries=record.recoveries, restarts=record.restarts)
