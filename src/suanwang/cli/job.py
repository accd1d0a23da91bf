"""`suanwang job`: list, show, logs, cancel, abandon, refund, explain."""

from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.joblines import counts_line, job_table
from suanwang.cli.options import GiveUpReason, Reference, positive_fen, read_with, with_examples
from suanwang.cli.screen import plain
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

StateName = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help=_("Only jobs in this state (queued, placed, running, …); can be given again."),
        show_default=False,
    ),
]

job_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
LIST_HELP = with_examples(
    _("List jobs, newest first."),
    "suanwang job list --state running --state queued",
    "suanwang job list --watch",
)
LOGS_HELP = with_examples(
    _("Print a job's output, fetched from its centre."),
    "suanwang job logs 12",
    "suanwang job logs 12 -f",
    "suanwang job logs 12 --attempt 1",
)
SHOW_HELP = _("Show a job and its receipt: what it asked for, its attempts, usage, charges, and who bears them.")
EXPLAIN_HELP = _("Say in words why a job is where it is, why not elsewhere, and why not yet.")
CANCEL_HELP = _("Cancel a job. A waiting job ends at once; a running one when its centre confirms.")

REFUND_HELP = with_examples(
    _("Give back a part of what a job that is over was charged, to exactly where it came from."),
    'suanwang job refund 12 --amount 3.50 --reason "the node was slow"',
)
ABANDON_HELP = with_examples(
    _("Give up the attempt of a job at a silent centre: it recovers elsewhere, or is cancelled if it was asked to be."),
    'suanwang job abandon 12 --reason "the node is gone for weeks"',
)


@hub_command(job_app, "list", help=LIST_HELP)
async def list_jobs(
    session: Session,
    state: StateName = None,
    centre: Annotated[str | None, typer.Option("--centre", metavar="ID", help=_("Only jobs at this centre."))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help=_("At most so many."))] = 20,
    watch: Annotated[bool, typer.Option("--watch", help=_("Look again every second, until Ctrl-C."))] = False,
) -> None:
    from suanwang.cli.watch import keep_showing
    from suanwang.domain.job import JobState

    if watch and session.screen.as_json:
        raise typer.BadParameter(_("--watch is for people, --json for programs"))
    states = tuple(state or ())
    for name in states:
        if name not in list(JobState):
            raise typer.BadParameter(_("states are {states}").format(states=", ".join(JobState)))

    async def look() -> "RenderableType":
        found = await session.hub.jobs(states=states, centre=centre, limit=limit)
        return job_table(found.jobs, counts_line(found.states), narrow=session.screen.narrow)

    if watch:
        await keep_showing(session, look)
    answer = await session.hub.jobs(states=states, centre=centre, limit=limit)
    session.screen.show(answer, lambda: job_table(answer.jobs, counts_line(answer.states)))


@hub_command(job_app, "show", help=SHOW_HELP)
async def show(session: Session, job: Reference) -> None:
    from suanwang.cli.receipt import receipt_view

    receipt = await session.hub.job(job)
    session.screen.show(receipt, lambda: receipt_view(receipt))


@hub_command(job_app, "logs", help=LOGS_HELP)
async def logs(
    session: Session,
    job: Reference,
    follow: Annotated[bool, typer.Option("-f", "--follow", help=_("Read on until the job is over."))] = False,
    attempt: Annotated[int | None, typer.Option("--attempt", min=1, help=_("Of this attempt; else the last."))] = None,
) -> None:
    from suanwang.cli.log import print_log

    await print_log(session, job, attempt, follow=follow)


@hub_command(job_app, "cancel", help=CANCEL_HELP)
async def cancel(session: Session, job: Reference) -> None:
    state = await session.hub.cancel(job)
    sentence = _("job {job}: {state}").format(job=job, state=word(state))
    session.screen.show({"job": job, "state": state}, lambda: plain(sentence))


@hub_command(job_app, "abandon", help=ABANDON_HELP)
async def abandon(session: Session, job: Reference, reason: GiveUpReason) -> None:
    given_up = await session.hub.abandon(job, reason)
    sentence = _("job {job}: {state}").format(job=job, state=counts_line(given_up.states))
    session.screen.show(given_up, lambda: plain(sentence))


@hub_command(job_app, "refund", help=REFUND_HELP)
async def give_back(
    session: Session,
    job: Reference,
    amount: Annotated[
        int,
        typer.Option("--amount", metavar="YUAN", parser=read_with(positive_fen), help=_("How much, in yuan.")),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=_("Why; it is kept with the refund."))],
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=1, help=_("Of which attempt, where several were charged.")),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again gives nothing back twice."))] = None,
) -> None:
    made = await session.hub.refund(job, amount, reason, attempt, key=key)
    sentence = _("{amount} yuan given back, {voucher} of it to the voucher").format(
        amount=money(made.amount_fen), voucher=money(made.voucher_fen)
    )
    session.screen.show(made, lambda: plain(sentence))


@hub_command(job_app, "explain", help=EXPLAIN_HELP)
async def explain(session: Session, job: Reference) -> None:
    from suanwang.cli.explain import explanation, explanation_view

    receipt = await session.hub.job(job)
    answer = explanation(receipt, await session.hub.job_events(receipt.id), await session.hub.centres())
    session.screen.show(answer, lambda: explanation_view(answer))
