"""`suanwang period` and `suanwang statement`."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from suanwang.wire import CentreStatement, PeriodLine, Statement, StatementLine

period_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="MONTH", help=_("A month like 2026-11."))]
PeriodOption = Annotated[str, typer.Option("--period", metavar="MONTH", help=_("A month like 2026-11."))]
CLOSE_HELP = with_examples(
    _("Close a month that is over, for ever (administrator of the network). The first one takes in all before it."),
    "suanwang period close 2026-11",
)
STATEMENT_HELP = with_examples(
    _("What a tenant was charged in a month, line by line; with --centres, what centres earned in it."),
    "suanwang statement --period 2026-11",
    "suanwang statement --period 2026-11 --csv november.csv",
    "suanwang statement --period 2026-11 --all --csv november.csv",
    "suanwang statement --period 2026-11 --centres",
)
COLUMNS = (
    *("key", "kind", "subject_id", "name", "project", "attempt", "centre_id", "sku", "chip_id", "quantity", "unit"),
    *("unit_fen", "from_s", "until_s", "amount_fen", "voucher_fen", "cash_fen", "voucher_id", "reason"),
    *("dispute", "corrects"),
)


@hub_command(period_app, "list", help=_("List the closed months, and the next with what is in it so far."))
async def list_periods(session: Session) -> None:
    found = await session.hub.periods()
    session.screen.show(found, lambda: period_table(found))


@hub_command(period_app, "show", help=_("Show one month, closed or not."))
async def show(session: Session, month: Name) -> None:
    found = await session.hub.period(month)
    session.screen.show(found, lambda: period_table([found]))


@hub_command(period_app, "close", help=CLOSE_HELP)
async def close(
    session: Session,
    month: Name,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again closes nothing twice."))] = None,
) -> None:
    found = await session.hub.close_period(month, key=key)
    session.screen.show(found, lambda: period_table([found]))


def add_statement(app: typer.Typer) -> None:
    @hub_command(app, "statement", help=STATEMENT_HELP)
    async def statement(
        session: Session,
        period: PeriodOption,
        organisation: Annotated[
            str | None, typer.Option("--organisation", metavar="ID", help=_("Whose, for auditors and administrators."))
        ] = None,
        everybody: Annotated[
            bool, typer.Option("--all", help=_("Of all tenants, a line each (auditors and administrators)."))
        ] = False,
        centres: Annotated[bool, typer.Option("--centres", help=_("Of centres, in place of a tenant."))] = False,
        csv: Annotated[
            Path | None, typer.Option("--csv", metavar="FILE", help=_("Write the lines to this file, as CSV."))
        ] = None,
    ) -> None:
        if centres:
            if csv is not None or organisation is not None or everybody:
                raise typer.BadParameter(_("--centres stands alone"))
            earned = await session.hub.centre_statements(period)
            session.screen.show(earned, lambda: earnings_table(earned))
            return
        if everybody:
            if organisation is not None:
                raise typer.BadParameter(_("--all or --organisation, not both"))
            all_of_them = (await session.hub.bill(period)).statements
            if csv is not None:
                write_lines(all_of_them, csv)
            session.screen.show(all_of_them, lambda: statements_table(all_of_them))
            return
        found = await session.hub.statement(period, organisation)
        if csv is not None:
            write_lines([found], csv)
        session.screen.show(found, lambda: statement_view(found))


def write_lines(found: "list[Statement]", file: Path) -> None:
    """Raises InvalidInput if the file cannot be written."""
    from suanwang.cli.export import write_text
    from suanwang.export.cells import cell, csv_text

    rows = [
        {"organisation_id": cell(one.organisation_id)} | {name: cell(value) for name, value in _values(line)}
        for one in found
        for line in one.lines
    ]
    write_text(file, csv_text(("organisation_id", *COLUMNS), rows))


def _values(line: "StatementLine") -> "Iterator[tuple[str, object]]":
    """Numbers stay what they are, also negative ones."""
    for name in COLUMNS:
        value = getattr(line, name)
        if value is not None:
            yield name, " ".join(value) if isinstance(value, tuple) else value


def period_table(found: "list[PeriodLine]") -> "RenderableType":
    amounts = (_("charged"), _("refunded"), _("repaid by programmes"))
    made = table("", (_("month"), _("from"), _("until"), _("closed"), *amounts), right=amounts)
    for one in found:
        closed = instant(one.closed_s) if one.closed_s is not None else NOTHING
        fen = (one.charged_fen, one.refunded_fen, one.redeemed_fen)
        made.add_row(one.name, instant(one.start_s), instant(one.end_s), closed, *map(money, fen))
    return made


def statements_table(found: "list[Statement]") -> "RenderableType":
    amounts = (_("charged"), _("refunded"), _("by voucher"), _("in cash"), _("repaid by programmes"))
    made = table("", (_("tenant"), _("name"), _("invoice"), *amounts), right=amounts, wrap=(_("name"),))
    for one in found:
        fen = (one.charged_fen, one.refunded_fen, one.voucher_fen, one.cash_fen, one.redeemed_fen)
        made.add_row(plain(one.organisation_id), plain(one.name), one.invoice or NOTHING, *map(money, fen))
    return made


def statement_view(found: "Statement") -> "RenderableType":
    from rich.console import Group

    amounts = (_("amount"), _("by voucher"), _("in cash"))
    project = (_("project"),) if any(line.project for line in found.lines) else ()
    named = (_("kind"), _("name"), *project, _("attempt"), _("centre"))
    columns = (*named, _("quantity"), _("unit"), *amounts, _("reason"))
    made = table("", columns, right=(_("quantity"), *amounts), wrap=(_("reason"),))
    for line in found.lines:
        fen = (line.amount_fen, line.voucher_fen, line.cash_fen)
        made.add_row(
            word(line.kind),
            plain(line.name),
            *(plain(line.project or NOTHING) for _one in project),
            str(line.attempt or NOTHING),
            plain(line.centre_id),
            _shown(line.quantity),
            word(line.unit),
            *map(money, fen),
            plain(_remark(line)) or NOTHING,
        )
    rows = [
        (_("tenant"), f"{found.name} ({found.organisation_id})"),
        (_("month"), found.period.name),
        (_("invoice"), found.invoice or _("none: the month is not closed, or nothing was charged")),
        (_("charged"), money(found.charged_fen)),
        (_("refunded"), money(found.refunded_fen)),
        (_("by voucher"), money(found.voucher_fen)),
        (_("in cash"), money(found.cash_fen)),
        (_("repaid by programmes"), money(found.redeemed_fen)),
    ]
    return Group(made, pairs(rows))


def _remark(line: "StatementLine") -> str:
    """Why something was given back; of a charge, that it is disputed; of both, in which dispute."""
    text = _("dispute {number}, not answered") if line.kind == "charge" else _("dispute {number}")
    said = text.format(number=line.dispute) if line.dispute is not None else ""
    return "; ".join(part for part in (said, line.reason) if part)


def _shown(quantity: str) -> str:
    """To three places, as far as a reader asks."""
    return NOTHING if quantity == "0" else f"{round(Decimal(quantity), 3):f}"


def earnings_table(found: "list[CentreStatement]") -> "RenderableType":
    amounts = (_("charged"), _("refunded"), _("paid"), _("owed at its end"))
    made = table("", (_("centre"), _("of"), *amounts, _("borne by")), right=amounts, wrap=(_("borne by"),))
    for one in found:
        for earning in one.earnings:
            fen = (earning.charged_fen, earning.refunded_fen, earning.paid_fen, earning.owed_fen)
            split = ", ".join(f"{level} {money(part)}" for level, part in earning.split.items())
            made.add_row(one.centre_id, earning.programme_id or _("tenants"), *map(money, fen), split or NOTHING)
    return made
