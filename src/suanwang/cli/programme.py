"""`suanwang programme`: the rules and the money of voucher programmes 算力券项目."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import Yuan, fen_or_nothing, read_with, with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import ProgrammeLine

programme_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ADD_HELP = with_examples(
    _("Make a rules file a programme of your agency."),
    "suanwang programme add beijing-2023.yaml --automatic-limit 10000",
    "suanwang programme fund beijing-2023 1000000",
)


@hub_command(programme_app, "add", help=ADD_HELP)
async def add(
    session: Session,
    rules: Annotated[Path, typer.Argument(metavar="RULES", exists=True, dir_okay=False, help=_("Rules as YAML."))],
    rules_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help=_("Which rules, if the file holds several."))
    ] = None,
    automatic_limit: Annotated[
        int,
        typer.Option(
            "--automatic-limit",
            metavar="YUAN",
            parser=read_with(fen_or_nothing),
            help=_("Claims are granted at once up to this sum for a tenant in a year; above, an officer decides."),
        ),
    ] = "0",  # type: ignore[assignment]  # typer gives the default to the parser
) -> None:
    from suanwang.cli.request import text_of
    from suanwang.wire import NewProgramme

    new = NewProgramme(rules=text_of(rules), rules_id=rules_id, automatic_limit_fen=automatic_limit)
    line = await session.hub.add_programme(new)
    session.screen.show(line, lambda: programme_table([line]))


@hub_command(programme_app, "list", help=_("List the programmes of the network."))
async def list_programmes(session: Session) -> None:
    lines = await session.hub.programmes()
    session.screen.show(lines, lambda: programme_table(lines))


@hub_command(programme_app, "fund", help=_("Book money that the agency has paid in for a programme."))
async def fund(
    session: Session,
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME", help=_("Id of a programme."))],
    yuan: Yuan,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again books nothing twice."))] = None,
) -> None:
    await session.hub.fund(programme, yuan, key=key)
    text = _("{amount} yuan paid in for {programme}").format(amount=money(yuan), programme=programme)
    session.screen.show({"programme_id": programme, "amount_fen": yuan}, lambda: plain(text))


def programme_table(lines: "Sequence[ProgrammeLine]") -> "RenderableType":
    amounts = (_("granted at once up to"), _("budget left"), _("granted"))
    columns = (_("programme"), _("name"), _("issuer"), _("agency"), _("money"), *amounts, _("rules"))
    made = table("", columns, right=amounts, wrap=(_("programme"), _("name"), _("issuer"), _("agency"), _("money")))
    for line in lines:
        made.add_row(
            line.id,
            plain(line.name_zh),
            plain(line.issuer_zh),
            line.agency_id,
            word(line.flow),
            money(line.automatic_limit_fen),
            money(line.budget_left_fen),
            money(line.granted_fen),
            line.rules_sha256[:8],
        )
    return made
