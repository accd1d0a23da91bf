"""`suanwang dispute`: what somebody says is wrong with a charge, and what was answered."""

from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import positive_fen, read_with, with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import DisputeLine

dispute_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
OPEN_HELP = with_examples(
    _("Say that what an attempt of a job was charged is wrong: its tenant may, and the centre that ran it."),
    'suanwang dispute open 12 --reason "the node was half as fast as it should be"',
)
RESOLVE_HELP = with_examples(
    _("Answer a dispute, once and for ever (network administrator): give something back, or nothing; and say why."),
    'suanwang dispute resolve 3 --refund 3.50 --reason "the fan of the node had failed"',
    'suanwang dispute resolve 4 --reject --reason "the log shows that the data came late"',
)


@hub_command(dispute_app, "open", help=OPEN_HELP)
async def open_dispute(
    session: Session,
    job: Annotated[str, typer.Argument(metavar="JOB", help=_("Number, name, id or start of the id of a job."))],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=_("What is wrong; both sides read it."))],
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=1, help=_("Of which attempt, where several were charged.")),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again opens nothing twice."))] = None,
) -> None:
    made = await session.hub.open_dispute(job, reason, attempt, key=key)
    text = _("dispute {number} of attempt {attempt} of {job} is open")
    session.screen.show(made, lambda: plain(text.format(number=made.number, attempt=made.attempt, job=made.job_name)))


@hub_command(dispute_app, "list", help=_("List disputes, the newest first: of your own jobs, or of your centres."))
async def list_disputes(session: Session) -> None:
    found = await session.hub.disputes()
    session.screen.show(found, lambda: dispute_table(found))


@hub_command(dispute_app, "resolve", help=RESOLVE_HELP)
async def resolve(
    session: Session,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help=_("Number of the dispute."))],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=_("Why; both sides read it."))],
    refund: Annotated[
        int | None,
        typer.Option("--refund", metavar="YUAN", parser=read_with(positive_fen), help=_("How much, in yuan.")),
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help=_("Give nothing back."))] = False,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again gives nothing back twice."))] = None,
) -> None:
    if (refund is None) != reject:
        raise typer.BadParameter(_("either --refund or --reject"))
    made = await session.hub.resolve_dispute(number, refund or 0, reason, key=key)
    text = _("dispute {number} is answered: {amount} yuan given back")
    session.screen.show(made, lambda: plain(text.format(number=made.number, amount=money(made.refunded_fen))))


def dispute_table(found: "list[DisputeLine]") -> "RenderableType":
    columns = (_("number"), _("job"), _("attempt"), _("centre"), _("by"), _("opened"), _("reason"), _("answer"))
    made = table("", (*columns, _("given back")), right=(_("given back"),), wrap=(_("reason"), _("answer")))
    for one in found:
        made.add_row(
            str(one.number),
            plain(one.job_name),
            str(one.attempt),
            plain(one.centre_id),
            plain(one.organisation_id),
            instant(one.opened_s),
            plain(one.reason),
            NOTHING if one.answer is None else plain(one.answer),
            NOTHING if one.answer is None else money(one.refunded_fen),
        )
    return made
