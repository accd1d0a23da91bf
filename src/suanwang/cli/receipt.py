"""One job with everything that it used and cost."""

import re

from rich.console import Group, RenderableType

from suanwang.cli.screen import pairs, plain, table
from suanwang.i18n import _
from suanwang.wire import AttemptLine, Receipt
from suanwang.words import NOTHING, duration, instant, moment, money, say, word

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def receipt_view(receipt: Receipt) -> RenderableType:
    """The receipt 账单凭据: what was asked, attempts, usage and charges, who bears them, what moved in the book."""
    parts: list[RenderableType] = [_head(receipt), _attempts(receipt)]
    if any(attempt.charges for attempt in receipt.attempts):
        parts.append(_charges(receipt))
    parts.append(_sums(receipt))
    if receipt.refunds:
        parts.append(_refunds(receipt))
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
    numbers = (_("no."), _("used"), _("chip-s"), _("charged"))
    columns = (_("no."), _("centre"), _("chip"), _("started"), _("ended"), *numbers[1:], _("how it ended"))
    made = table(_("attempts"), columns, right=numbers, wrap=(_("how it ended"), _("chip-s")))
    for attempt in receipt.attempts:
        lost = _("{count} lost").format(count=attempt.lost_chip_s)
        made.add_row(
            str(attempt.number),
            attempt.centre_id,
            f"{attempt.chips} {attempt.chip_id}",
            moment(attempt.started_s, receipt.submitted_s),
            moment(attempt.ended_s, receipt.submitted_s),
            duration(sum(line.until_s - line.from_s for line in attempt.usage)),
            f"{attempt.charged_chip_s} + {lost}" if attempt.lost_chip_s else str(attempt.charged_chip_s),
            money(attempt.charged_fen),
            plain(end_of(attempt)),
        )
    return made


def end_of(attempt: AttemptLine) -> str:
    """`killed from outside, signal 9: detail`; of an attempt that is not over, what it does."""
    if attempt.cause is None:
        return word("unseen" if attempt.unseen else attempt.phase)
    parts = [word(attempt.cause)]
    if attempt.exit_code:
        parts.append(_("exit code {code}").format(code=attempt.exit_code))
    if attempt.signal:
        parts.append(_("signal {number}").format(number=attempt.signal))
    return ", ".join(parts) + (f": {attempt.detail}" if attempt.detail else "")


def _charges(receipt: Receipt) -> RenderableType:
    numbers = (_("chip-s"), _("per chip-hour"), _("amount"), _("voucher"), _("cash"))
    columns = (_("attempt"), _("from"), _("until"), *numbers, _("kept"))
    made = table(_("charges"), columns, right=numbers, wrap=(_("kept"),))
    for attempt in receipt.attempts:
        for line in attempt.charges:
            made.add_row(
                str(attempt.number),
                moment(line.from_s, receipt.submitted_s),
                moment(line.until_s, receipt.submitted_s),
                str(line.chip_s),
                money(line.fen_per_chip_hour),
                money(line.amount_fen),
                money(line.voucher_fen),
                money(line.cash_fen),
                _("yes") if line.kept else _("lost, not charged"),
                style="" if line.kept else "dim",
            )
    return made


def _sums(receipt: Receipt) -> RenderableType:
    running_fen = sum(attempt.running_fen for attempt in receipt.attempts)
    rows = [
        (_("held at most"), money(receipt.estimate_fen)),
        (_("charged"), money(receipt.charged_fen)),
        *who_bears(receipt),
        (_("settled"), _("yes") if receipt.settled else _("no, the rest of the hold stands until the job is over")),
    ]
    if running_fen:
        rows.insert(2, (_("used, not charged yet"), money(running_fen)))
    if receipt.voucher_id:
        rows.append((_("voucher"), receipt.voucher_id))
    if receipt.spec.project:
        rows.append((_("project"), receipt.spec.project))
    return pairs(rows)


def who_bears(receipt: Receipt) -> list[tuple[str, str]]:
    """How a charge is borne: a voucher takes its part off the bill, or its programme repays what was paid first."""
    if receipt.voucher_flow != "reimburse":
        return [(_("voucher part"), money(receipt.voucher_fen)), (_("cash part"), money(receipt.cash_fen))]
    repaid = money(receipt.repaid_fen) if receipt.settled else _("reckoned when the job is over")
    return [
        (_("paid in cash first"), money(receipt.cash_fen + receipt.repaid_fen)),
        (_("repaid by programme {programme}").format(programme=receipt.programme_id), repaid),
        (_("borne in the end"), money(receipt.cash_fen)),
    ]


def _refunds(receipt: Receipt) -> RenderableType:
    numbers = (_("amount"), _("voucher"))
    columns = (_("attempt"), _("when"), *numbers, _("why"))
    made = table(_("given back since"), columns, right=numbers, wrap=(_("why"),))
    for line in receipt.refunds:
        made.add_row(
            str(line.attempt),
            moment(line.at_s, receipt.submitted_s),
            money(line.amount_fen),
            money(line.voucher_fen),
            plain(line.reason),
        )
    return made


def _transfers(receipt: Receipt) -> RenderableType:
    columns = (_("when"), _("movement"), _("from account"), _("to account"), _("amount"), _("transaction"))
    made = table(_("transfers in the book"), columns, right=(_("amount"),), wrap=(_("from account"), _("to account")))
    for line in receipt.transfers:
        made.add_row(
            moment(line.effective_s, receipt.submitted_s),
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
