"""What a programme repays of a job that is over (flow `reimburse`): of posted charges, by the voucher's own rules."""

from typing import Any

from suanwang.domain.ledger import reimbursable
from suanwang.domain.voucher import (
    Applicant,
    History,
    Limit,
    Programme,
    Redemption,
    day_of,
    entity_caps_fen,
    redeem,
    start_of_day_s,
    year_window,
)
from suanwang.rulesfile import programme_of
from suanwang.store import attempt as attempts
from suanwang.store import event, ledger, voucher
from suanwang.store.db import Connection, from_json
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord
from suanwang.store.voucher import VoucherRecord


async def redeemed(
    tx: Connection, job: JobRecord, used: VoucherRecord, held_fen: int, taken_fen: int, now_s: int
) -> int:
    """Fen of posted charges that the programme repays, out of what the job holds of its voucher.

    What caps of the rules leave unpaid goes back to the voucher, and the trace says why. `taken_fen`: what this
    transaction is about to redeem for others of this tenant in this programme.
    """
    bill_fen = sum(
        row["charged_fen"] for row in await attempts.of_job(tx, job.id) if row["centre_id"] in job.voucher_centres
    )
    if not bill_fen or not held_fen:
        return 0
    basis = await voucher.redemption_basis(tx, used.claim_id)
    programme = programme_of(from_json(basis["rules"], dict[str, Any]))
    applicant = from_json(basis["applicant"], Applicant)
    # Charges are posted from the tenant's cash, so they are paid.
    request = Redemption(
        on_s=now_s, voucher_left_fen=held_fen, bill_fen=bill_fen, paid=True, set_aside_s=job.submitted_s
    )
    history = await _history(tx, programme, applicant, job.tenant_id, taken_fen, now_s)
    found = redeem(programme, used.terms, applicant, request, history)
    if found.refusals or not {Limit.PER_ENTITY_YEAR, Limit.PER_ENTITY_TOTAL}.isdisjoint(found.limits_hit):
        body = {"fen": found.amount_fen, "limits": found.limits_hit, "refusals": found.refusals}
        await event.append(tx, now_s, "network", [NewEvent("redemption_limited", str(job.id), body=body)])
    return found.amount_fen


async def _history(
    tx: Connection, programme: Programme, applicant: Applicant, tenant_id: str, taken_fen: int, now_s: int
) -> History:
    """What was redeemed before, if caps count it, with what this transaction is about to redeem (`taken_fen`)."""
    if not programme.caps.counts_redemptions or entity_caps_fen(programme, applicant) == (None, None):
        return History()
    await voucher.lock_redemptions(tx, programme.id, tenant_id)
    year_from = year_window(programme.caps.year_basis, day_of(now_s))[0]
    account = reimbursable(tenant_id, programme.id)
    year_fen, total_fen = await ledger.redeemed_fen(tx, account, start_of_day_s(year_from))
    return History(redeemed_year_fen=year_fen + taken_fen, redeemed_total_fen=total_fen + taken_fen)
