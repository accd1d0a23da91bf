"""`suanwang settlement`: batches that pay centres and reimburse tenants, from the proposal to the payment."""

from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import Due, HeldBack, Proposal, SettlementBatch, SettlementLine

settlement_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
PROPOSE_HELP = with_examples(
    _("Make the batches of a closed month: one per centre, one per tenant that is reimbursed (administrator)."),
    "suanwang settlement propose --period 2026-11 --key propose-2026-11",
)
LIST_HELP = with_examples(
    _("List batches, the oldest first: those that pay you or your centres; for auditors and administrators, all."),
    "suanwang settlement list --period 2026-11",
)
SHOW_HELP = with_examples(
    _("Show one batch: its lines, what each funder owes for it, and who did what with it."),
    "suanwang settlement show S-2026-11-east",
)
APPROVE_HELP = with_examples(
    _("Approve batches that another administrator proposed."),
    "suanwang settlement approve S-2026-11-east R-2026-11-acme",
)
REJECT_HELP = with_examples(
    _("Reject a batch that is not paid (administrator): its lines are free for the next proposal."),
    'suanwang settlement reject S-2026-11-east --reason "the account of the centre has changed"',
)
PAY_HELP = with_examples(
    _("Pay approved batches, each once (administrator)."), "suanwang settlement pay S-2026-11-east R-2026-11-acme"
)
DUES_HELP = with_examples(
    _("What programmes, and each of their funders, owe for batches (officers: of their own agency)."),
    "suanwang settlement dues --period 2026-11",
)
Batches = Annotated[list[str], typer.Argument(metavar="BATCH...", help=_("Ids of batches, like S-2026-11-east."))]
Batch = Annotated[str, typer.Argument(metavar="BATCH", help=_("Id of a batch, like S-2026-11-east."))]
Month = Annotated[str, typer.Option("--period", metavar="MONTH", help=_("A month like 2026-11."))]
OfMonth = Annotated[str | None, typer.Option("--period", metavar="MONTH", help=_("Of this month alone."))]
KeyOption = Annotated[str | None, typer.Option("--key", help=_("The same key again does nothing twice."))]


@hub_command(settlement_app, "propose", help=PROPOSE_HELP)
async def propose(session: Session, period: Month, key: KeyOption = None) -> None:
    found = await session.hub.propose_settlement(period, key=key)
    session.screen.show(found, lambda: proposal_view(found))


@hub_command(settlement_app, "list", help=LIST_HELP)
async def list_batches(session: Session, period: OfMonth = None) -> None:
    found = await session.hub.settlements(period)
    session.screen.show(found, lambda: batch_table(found))


@hub_command(settlement_app, "dues", help=DUES_HELP)
async def list_dues(session: Session, period: OfMonth = None) -> None:
    found = await session.hub.dues(period)
    session.screen.show(found, lambda: due_table(found))


@hub_command(settlement_app, "show", help=SHOW_HELP)
async def show(session: Session, batch: Batch) -> None:
    found = await session.hub.settlement(batch)
    session.screen.show(found, lambda: batch_view(found))


@hub_command(settlement_app, "approve", help=APPROVE_HELP)
async def approve(session: Session, batches: Batches, key: KeyOption = None) -> None:
    found = [await session.hub.approve_settlement(one, key=_key_of(key, one)) for one in batches]
    session.screen.show(found, lambda: batch_table(found))


@hub_command(settlement_app, "reject", help=REJECT_HELP)
async def reject(
    session: Session,
    batch: Batch,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=_("Why; it stays with the batch."))],
    key: KeyOption = None,
) -> None:
    found = await session.hub.reject_settlement(batch, reason, key=key)
    session.screen.show(found, lambda: batch_table([found]))


@hub_command(settlement_app, "pay", help=PAY_HELP)
async def pay(session: Session, batches: Batches, key: KeyOption = None) -> None:
    found = [await session.hub.pay_settlement(one, key=_key_of(key, one)) for one in batches]
    session.screen.show(found, lambda: batch_table(found))


def _key_of(key: str | None, batch: str) -> str | None:
    """A key is of one call; one for several batches is one for each."""
    return None if key is None else f"{key}/{batch}"


def batch_table(found: "list[SettlementBatch]") -> "RenderableType":
    amounts = (_("from tenants"), _("from programmes"), _("in all"))
    columns = (_("batch"), _("payee"), _("kind"), _("state"), _("lines"), *amounts, _("borne by"))
    made = table("", columns, right=(_("lines"), *amounts), wrap=(_("borne by"),))
    for one in found:
        fen = (one.cash_fen, one.total_fen - one.cash_fen, one.total_fen)
        shown = (plain(one.id), plain(one.payee), word(one.kind), word(one.state), str(one.line_count))
        made.add_row(*shown, *map(money, fen), plain(borne_by(one)))
    return made


def borne_by(batch: "SettlementBatch") -> str:
    """Each programme with its funders, or alone."""
    found = []
    for programme, fen in sorted(batch.voucher_fen.items()):
        levels = batch.funders.get(programme, {})
        found.append(
            f"{programme} {', '.join(f'{level} {money(part)}' for level, part in levels.items()) or money(fen)}"
        )
    return "; ".join(found) or NOTHING


def due_table(found: "list[Due]") -> "RenderableType":
    """Every funder's batches, and what they come to."""
    columns = (_("programme"), _("funder"), _("batch"), _("payee"), _("state"), _("amount"))
    made = table("", columns, right=(_("amount"),))
    by_funder: dict[tuple[str, str], list[Due]] = {}
    for one in found:
        by_funder.setdefault((one.programme_id, one.level or NOTHING), []).append(one)
    for (programme, level), dues in sorted(by_funder.items()):
        for one in dues:
            batch = (plain(one.batch_id), plain(one.payee), word(one.state))
            made.add_row(plain(programme), plain(level), *batch, money(one.amount_fen))
        total = money(sum(one.amount_fen for one in dues))
        made.add_row(plain(programme), plain(level), _("in all"), "", "", total, style="bold", end_section=True)
    return made


def proposal_view(found: "Proposal") -> "RenderableType":
    from rich.console import Group

    if not found.batches and not found.held_back:
        return _("nothing is open: there is no batch to make")
    return Group(batch_table(found.batches), *([held_table(found.held_back)] if found.held_back else []))


def held_table(found: "list[HeldBack]") -> "RenderableType":
    columns = (_("payee"), _("kind"), _("of"), _("lines"), _("amount"), _("why"))
    made = table(_("held back"), columns, right=(_("lines"), _("amount")), wrap=(_("why"),))
    for one in found:
        disputes = ", ".join(map(str, one.disputes))
        why = _("disputed ({disputes})").format(disputes=disputes) if disputes else _("less than nothing, so it waits")
        source = one.programme_id or _("tenants")
        made.add_row(plain(one.payee), word(one.kind), plain(source), str(one.line_count), money(one.amount_fen), why)
    return made


def batch_view(found: "SettlementBatch") -> "RenderableType":
    from rich.console import Group

    rows = [
        (_("batch"), found.id),
        (_("month"), found.period),
        (_("payee"), f"{found.payee} ({word(found.kind)})"),
        (_("state"), word(found.state)),
        (_("in all"), money(found.total_fen)),
        (_("in cash"), money(found.cash_fen)),
        *((programme, money(fen)) for programme, fen in sorted(found.voucher_fen.items())),
        *(
            (f"{programme}: {level}", money(fen))
            for programme, levels in sorted(found.funders.items())
            for level, fen in levels.items()
        ),
        (_("SHA-256 of its lines"), found.lines_sha256),
        *((word(step.state), _said(step.at_s, step.actor, step.reason)) for step in found.steps),
    ]
    return Group(line_table(found.lines), pairs(rows))


def _said(at_s: int, actor: str, reason: str) -> str:
    return "  ".join(part for part in (instant(at_s), actor, reason) if part)


def line_table(lines: "list[SettlementLine]") -> "RenderableType":
    """What belongs together on one row: all charges of an attempt from one source; refunds each for itself."""
    rows: dict[tuple[object, ...], list[SettlementLine]] = {}
    for line in lines:
        alone = line.transaction_id if line.kind == "refund" else ""
        rows.setdefault((line.kind, line.subject_id, line.attempt, line.programme_id, alone), []).append(line)
    columns = (_("kind"), _("name"), _("attempt"), _("of"), _("tenant"), _("lines"), _("amount"), _("reason"))
    made = table("", columns, right=(_("lines"), _("amount")), wrap=(_("reason"),))
    for together in rows.values():
        one = together[0]
        corrects = _("corrects {batches}").format(batches=", ".join(one.corrects)) if one.corrects else ""
        dispute = _("dispute {number}").format(number=one.dispute) if one.dispute else ""
        made.add_row(
            word(one.kind),
            plain(one.name or one.subject_id),
            str(one.attempt or NOTHING),
            plain(one.programme_id or _("tenants")),
            plain(one.tenant_id or NOTHING),
            str(len(together)),
            money(sum(line.amount_fen for line in together)),
            plain("; ".join(part for part in (dispute, one.reason, corrects) if part)) or NOTHING,
        )
    return made
