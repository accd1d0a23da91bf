"""One job with everything that it used and cost."""

import re

from rich.console import Group, RenderableType

from suanwang.cli.screen import pairs, plain, table
from suanwang.i18n import _
from suanwang.wire import AttemptLine, Receipt
from suanwang.words import NOTHING, duration, instant, money, say, word

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def receipt_view(receipt: Receipt) -> RenderableType:
    """The receipt 账单凭据: what was asked, attempts, usage and charges, who bears them, what moved in the book."""
    parts: list[RenderableType] = [_head(receipt), _attempts(receipt)]
    if any(attempt.charges for attempt in receipt.attempts):
        parts.append(_charges(receipt))
    parts.append(_sums(receipt))
    if receipt.transfers:
        parts.append(_transfers(receipt))
    return Group(*parts)


def _head(receipt: Receipt) -> RenderableType:
    from suanwang.cli.request import summary

    spec = receipt.spec
    return pairs(
        [
            (_("job"), f"{receipt.number}  {receipt.name}  ({receipt.id})"),
            (_("tenant"), receipt.tenant_id),
            (_("state"), word(receipt.state)),
            (_("why"), say(receipt.reason) or NOTHING),
            (_("asks for"), summary(spec)),
            (_("time limit"), duration(spec.walltime_s)),
            (_("use"), word(spec.use)),
            (_("submitted"), instant(receipt.submitted_s)),
            (_("ended"), instant(receipt.ended_s)),
        ]
    )


def _attempts(receipt: Receipt) -> RenderableType:
    numbers = (_("no."), _("chips"), _("used"), _("lost chip-s"), _("charged chip-s"), _("charged"))
    columns = (
        _("no."),
        _("centre"),
        _("chip"),
        _("chips"),
        _("state"),
        _("end"),
        _("started"),
        _("ended"),
        _("used"),
        _("lost chip-s"),
        _("charged chip-s"),
        _("charged"),
    )
    made = table(_("attempts"), columns, right=numbers)
    for attempt in receipt.attempts:
        made.add_row(
            str(attempt.number),
            attempt.centre_id,
            attempt.chip_id,
            str(attempt.chips),
            word("unseen") if attempt.unseen else word(attempt.phase),
            plain(end_of(attempt)),
            instant(attempt.started_s),
            instant(attempt.ended_s),
            duration(sum(line.until_s - line.from_s for line in attempt.usage)),
            str(attempt.lost_chip_s),
            str(attempt.charged_chip_s),
            money(attempt.charged_fen),
        )
    return made


def end_of(attempt: AttemptLine) -> str:
    """`killed from outside, signal 9: detail`"""
    if attempt.cause is None:
        return NOTHING
    parts = [word(attempt.cause)]
    if attempt.exit_code:
        parts.append(_("exit code {code}").format(code=attempt.exit_code))
    if attempt.signal:
        parts.append(_("signal {number}").format(number=attempt.signal))
    return ", ".join(parts) + (f": {attempt.detail}" if attempt.detail else "")


def _charges(receipt: Receipt) -> RenderableType:
    amounts = (_("chip-s"), _("per chip-hour"), _("amount"), _("voucher part"), _("cash part"))
    columns = (_("attempt"), _("from"), _("until"), _("chip-s"), _("kept"), *amounts[1:])
    made = table(_("charges"), columns, right=amounts)
    for attempt in receipt.attempts:
        for line in attempt.charges:
            made.add_row(
                str(attempt.number),
                instant(line.from_s),
                instant(line.until_s),
                str(line.chip_s),
                _("yes") if line.kept else _("lost, not charged"),
                money(line.fen_per_chip_hour),
                money(line.amount_fen),
                money(line.voucher_fen),
                money(line.cash_fen),
                style="" if line.kept else "dim",
            )
    return made


def _sums(receipt: Receipt) -> RenderableType:
    running_fen = sum(attempt.running_fen for attempt in receipt.attempts)
    rows = [
        (_("held at most"), money(receipt.estimate_fen)),
        (_("charged"), money(receipt.charged_fen)),
        (_("voucher part"), money(receipt.voucher_fen)),
        (_("cash part"), money(receipt.cash_fen)),
        (_("settled"), _("yes") if receipt.settled else _("no, the rest of the hold stands until the job is over")),
    ]
    if running_fen:
        rows.insert(2, (_("used, not charged yet"), money(running_fen)))
    if receipt.voucher_id:
        rows.append((_("voucher"), receipt.voucher_id))
    return pairs(rows)


def _transfers(receipt: Receipt) -> RenderableType:
    columns = (_("when"), _("movement"), _("from account"), _("to account"), _("amount"), _("transaction"))
    made = table(_("transfers in the book"), columns, right=(_("amount"),))
    for line in receipt.transfers:
        made.add_row(
            instant(line.effective_s),
            word(line.kind),
            plain(_account(line.debit, receipt.id)),
            plain(_account(line.credit, receipt.id)),
            money(line.amount_fen),
            line.transaction_id[:8],
        )
    return made


def _account(key: str, job_id: str) -> str:
    """An account's key without the job that the receipt is about, ids shortened."""
    return _ID.sub(lambda found: found[0][:8], key.removesuffix(f":{job_id}"))
