"""The command `suanwang`: what there is, and where it is found. Nothing heavy is imported before a command needs it."""

import gettext
import os
import sys
from typing import Annotated

import typer

from suanwang import __version__
from suanwang.cli.account import account_app
from suanwang.cli.agent import HELP as AGENT_HELP
from suanwang.cli.agent import agent
from suanwang.cli.bill import add_bill
from suanwang.cli.calendar import booking_app, maintenance_app
from suanwang.cli.centre import centre_app
from suanwang.cli.dispute import dispute_app
from suanwang.cli.export import export_app
from suanwang.cli.group import TopCommand
from suanwang.cli.job import job_app
from suanwang.cli.login import LOGIN_HELP, add_whoami, login
from suanwang.cli.options import with_examples
from suanwang.cli.order import order_app, product_app
from suanwang.cli.organisation import organisation_app
from suanwang.cli.period import add_statement, period_app
from suanwang.cli.programme import programme_app
from suanwang.cli.project import project_app
from suanwang.cli.prove import HELP as PROVE_HELP
from suanwang.cli.prove import prove
from suanwang.cli.provider import provider_app
from suanwang.cli.quote import add_quote
from suanwang.cli.replay import HELP as REPLAY_HELP
from suanwang.cli.replay import replay
from suanwang.cli.reproduce import reproduce_app
from suanwang.cli.settlement import settlement_app
from suanwang.cli.submit import add_submit
from suanwang.cli.sweep import HELP as SWEEP_HELP
from suanwang.cli.sweep import sweep
from suanwang.cli.token import token_app
from suanwang.cli.trace import HELP as TRACE_HELP
from suanwang.cli.trace import trace
from suanwang.cli.up import HELP as UP_HELP
from suanwang.cli.up import up
from suanwang.cli.voucher import voucher_app
from suanwang.i18n import DOMAIN, LOCALE_FOLDER, _, language

HELP = with_examples(
    _("Suanwang: many AI computing centres as one utility."),
    _("suanwang up                          start a hub here"),
    _("suanwang quote task.yaml             ask every centre for a price"),
    _("suanwang submit task.yaml --wait     run it and watch"),
    _("suanwang job show NAME               the receipt"),
    after=_(
        "Exit codes: 0 done, 1 refused or failed, 2 wrong use, 3 the hub does not answer, 130 interrupted. "
        "SUANWANG_LANG=zh_CN speaks Chinese."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"suanwang {__version__}")
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help=_("Print the version."))
    ] = False,
) -> None:
    """Options before any command."""


def make_app() -> typer.Typer:
    """All commands, in the order in which people meet them."""
    app = typer.Typer(
        name="suanwang",
        cls=TopCommand,
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback(help=HELP)(_top)
    app.command("up", help=UP_HELP)(up)
    app.command("agent", help=AGENT_HELP)(agent)
    app.command("login", help=LOGIN_HELP)(login)
    add_whoami(app)
    add_quote(app)
    add_submit(app)
    app.add_typer(job_app, name="job", help=_("Jobs: list, show, logs, cancel, abandon, explain."))
    app.add_typer(centre_app, name="centre", help=_("Centres: list, show, add, drain, resume, declare-lost, rejoin."))
    app.add_typer(product_app, name="product", help=_("What centres sell besides chip-hours: list."))
    app.add_typer(order_app, name="order", help=_("Orders of products: create, list, show, report, close."))
    app.add_typer(booking_app, name="booking", help=_("Nodes booked for some tenants: add, list, remove."))
    app.add_typer(maintenance_app, name="maintenance", help=_("Maintenance of pools and nodes: add, list, remove."))
    app.add_typer(organisation_app, name="organisation", help=_("Organisations of the network: add."))
    app.add_typer(token_app, name="token", help=_("Tokens: issue, revoke."))
    app.add_typer(account_app, name="account", help=_("A tenant's money: show, top-up."))
    app.add_typer(programme_app, name="programme", help=_("Voucher programmes: add, list, fund."))
    app.add_typer(provider_app, name="provider-list", help=_("Lists that programmes name: add, remove, show."))
    app.add_typer(voucher_app, name="voucher", help=_("Vouchers: list, claim, claims, decide."))
    add_bill(app)
    app.add_typer(
        settlement_app, name="settlement", help=_("Settlement: propose, list, dues, show, approve, reject, pay.")
    )
    app.add_typer(project_app, name="project", help=_("Projects: add, list, show, budget, alerts."))
    app.add_typer(dispute_app, name="dispute", help=_("Disputes over charges: open, list, resolve."))
    app.add_typer(period_app, name="period", help=_("Billing periods: list, show, close."))
    add_statement(app)
    app.command("prove", help=PROVE_HELP)(prove)
    app.command("trace", help=TRACE_HELP)(trace)
    app.add_typer(export_app, name="export", help=_("The records for other programs: beancount, focus, audit."))
    app.command("replay", help=REPLAY_HELP)(replay)
    app.command("sweep", help=SWEEP_HELP)(sweep)
    app.add_typer(reproduce_app, name="reproduce")
    return app


def speak_to_users() -> None:
    """Have typer's own words (Options, Commands, ...) come from our catalogue, in our language."""
    gettext.bindtextdomain(DOMAIN, LOCALE_FOLDER)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language()  # what `gettext` asks first
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Chinese shows question marks, not a traceback


def main() -> None:
    speak_to_users()
    make_app()()
