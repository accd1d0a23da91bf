"""One job as its tenant sees it, put together from the records."""

from typing import Any
from uuid import UUID

from suanwang.control import refund, seal
from suanwang.domain.job import JobSpec, JobState, Phase
from suanwang.domain.rating import estimate_fen
from suanwang.store import attempt as attempts
from suanwang.store import ledger
from suanwang.store import refund as refunds
from suanwang.store import voucher as vouchers
from suanwang.store.db import Connection, Row, from_json
from suanwang.wire import AttemptLine, ChargeLine, Reason, Receipt, TransferLine, UsageLine


async def read_receipt(tx: Connection, row: Row, now_s: int) -> Receipt:
    """`row` is a row of `store.job.job`."""
    job_id: UUID = row["id"]
    usage: dict[int, list[UsageLine]] = {}
    for u in await attempts.usage_of_job(tx, job_id):
        usage.setdefault(u["attempt"], []).append(UsageLine(u["from_s"], u["until_s"], u["chips"]))
    charges: dict[int, list[ChargeLine]] = {}
    for c in await attempts.charges_of_job(tx, job_id):
        charges.setdefault(c["attempt"], []).append(_charge(c))
    lines = [
        _attempt(a, usage.get(a["number"], []), charges.get(a["number"], []), now_s)
        for a in await attempts.of_job(tx, job_id)
    ]
    transfers = [
        TransferLine(str(t["id"]), t["kind"], t["debit"], t["credit"], t["amount_fen"], t["effective_s"])
        for t in await ledger.transfers_of(tx, str(job_id))
    ]
    redeemed_fen = sum(t.amount_fen for t in transfers if t.kind == "redeem")
    voucher_fen = row["voucher_fen"] + redeemed_fen
    used = (await vouchers.by_ids(tx, [row["voucher_id"]])).get(row["voucher_id"]) if row["voucher_id"] else None
    reason = from_json(row["reason"], dict[str, Any])
    return Receipt(
        id=str(job_id),
        number=row["number"],
        name=row["name"],
        tenant_id=row["tenant_id"],
        state=JobState(row["state"]),
        settled=row["settled"],
        reason=Reason(reason.get("code", ""), reason.get("facts", {})),
        spec=from_json(row["spec"], JobSpec),
        submitted_s=row["submitted_s"],
        ended_s=row["ended_s"],
        estimate_fen=row["estimate_fen"],
        charged_fen=row["charged_fen"],
        voucher_id=row["voucher_id"] and str(row["voucher_id"]),
        voucher_fen=voucher_fen,
        voucher_flow=None if used is None else used.terms.flow,
        programme_id=None if used is None else used.programme_id,
        repaid_fen=redeemed_fen,
        cash_fen=row["charged_fen"] - voucher_fen,
        attempts=lines,
        transfers=transfers,
        evidence=await seal.evidence(tx, {UUID(line.transaction_id) for line in transfers}),
        refunds=[refund.line_of(one) for one in await refunds.of_job(tx, job_id)],
    )


def _charge(row: Row) -> ChargeLine:
    return ChargeLine(
        row["from_s"],
        row["until_s"],
        row["chip_s"],
        row["kept"],
        row["fen_per_chip_hour"],
        row["amount_fen"],
        row["voucher_fen"],
        row["cash_fen"],
        row["transaction_id"] and str(row["transaction_id"]),
    )


def _attempt(row: Row, usage: list[UsageLine], charges: list[ChargeLine], now_s: int) -> AttemptLine:
    ended = row["phase"] == Phase.ENDED
    return AttemptLine(
        number=row["number"],
        centre_id=row["centre_id"],
        pool_id=row["pool_id"],
        chip_id=row["chip_id"],
        node_names=list(row["node_names"]),
        chips=row["chips"],
        fen_per_chip_hour=row["fen_per_chip_hour"],
        phase=Phase(row["phase"]),
        unseen=bool(row["unseen"]) and not ended,
        cause=row["cause"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        detail=row["detail"],
        placed_s=row["placed_s"],
        expected_end_s=row["expected_end_s"],
        started_s=row["started_s"],
        observed_s=row["observed_s"],
        ended_s=row["ended_s"],
        progress=_json(row["progress"]),
        checkpoint=_json(row["checkpoint"]),
        resume_from=_json(row["resume_from"]),
        decision=from_json(row["decision"], dict[str, Any]),
        usage=usage,
        charges=charges,
        lost_chip_s=sum(line.chip_s for line in charges if not line.kept),
        charged_chip_s=row["charged_chip_s"],
        charged_fen=row["charged_fen"],
        running_fen=0 if ended else _running_fen(row, now_s),
    )


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else from_json(text, dict[str, Any])


def _running_fen(row: Row, now_s: int) -> int:
    """At the attempt's price, for the time that its centre is known to have seen it running, less what is charged."""
    if row["started_s"] is None:
        return 0
    seen_s = max(row["observed_s"] or 0, min(row["unchanged_s"] or 0, now_s))
    used_s = max(0, min(seen_s, row["started_s"] + row["walltime_s"]) - row["started_s"])
    charged_fen: int = row["charged_fen"]
    return max(0, estimate_fen(row["fen_per_chip_hour"], row["chips"], used_s) - charged_fen)
