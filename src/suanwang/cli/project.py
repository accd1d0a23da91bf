"""`suanwang project`: budgets of a tenant's projects, and alerts as they are used up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import fen_or_nothing, read_with, with_examples
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import ProjectAlert, ProjectLine

project_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ADD_HELP = with_examples(
    _("Add a project to your organisation, with a budget for every month or without."),
    "suanwang project add vision",
    "suanwang project add vision --title 'Vision team' --budget-yuan 5000 --hard --alert 50 --alert 90",
    after=_("Budgets count what jobs cost before vouchers. Without --hard nothing is refused, there are only alerts."),
)
BUDGET_HELP = with_examples(
    _("Set a project's budget anew, from now on; what is spent and held stays."),
    "suanwang project budget vision --budget-yuan 8000 --hard",
    "suanwang project budget vision",
    after=_("Without --budget-yuan the project has no budget any more."),
)
Name = Annotated[str, typer.Argument(metavar="PROJECT", help=_("Name of a project."))]
BudgetYuan = Annotated[
    int | None,
    typer.Option(
        "--budget-yuan", metavar="YUAN", parser=read_with(fen_or_nothing), help=_("Budget of every month, in yuan.")
    ),
]
Hard = Annotated[bool, typer.Option("--hard", help=_("Refuse jobs that do not fit into the budget."))]
Alert = Annotated[
    list[int] | None,
    typer.Option(
        "--alert",
        metavar="PERCENT",
        help=_("Alert once so much of the budget is spent; can be given again. By default 50, 80 and 100."),
        show_default=False,
    ),
]


@hub_command(project_app, "add", help=ADD_HELP)
async def add(
    session: Session,
    name: Name,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help=_("What people read; by default the name."))
    ] = "",
    budget_yuan: BudgetYuan = None,
    hard: Hard = False,
    alert: Alert = None,
) -> None:
    from suanwang.domain.project import DEFAULT_ALERT_PERCENT
    from suanwang.wire import NewProject

    percents = tuple(alert or DEFAULT_ALERT_PERCENT)
    new = NewProject(name=name, title=title, budget_fen=budget_yuan, hard=hard, alert_percent=percents)
    made = await session.hub.add_project(new)
    session.screen.show(made, lambda: project_view(made))


@hub_command(project_app, "list", help=_("List projects with what this month spent and holds, in yuan."))
async def list_projects(session: Session) -> None:
    lines = await session.hub.projects()
    session.screen.show(lines, lambda: project_table(lines))


@hub_command(project_app, "show", help=_("Show one project: its budget, and what every month spent."))
async def show(session: Session, name: Name) -> None:
    line = await session.hub.project(name)
    session.screen.show(line, lambda: project_view(line))


@hub_command(project_app, "budget", help=BUDGET_HELP)
async def budget(
    session: Session, name: Name, budget_yuan: BudgetYuan = None, hard: Hard = False, alert: Alert = None
) -> None:
    from suanwang.domain.project import DEFAULT_ALERT_PERCENT
    from suanwang.wire import NewBudget

    percents = tuple(alert or DEFAULT_ALERT_PERCENT)
    new = NewBudget(budget_fen=budget_yuan, hard=hard, alert_percent=percents)
    line = await session.hub.set_budget(name, new)
    session.screen.show(line, lambda: project_view(line))


@hub_command(project_app, "alerts", help=_("List alerts: which share of a budget was spent when, the newest first."))
async def alerts(session: Session) -> None:
    found = await session.hub.project_alerts()
    session.screen.show(found, lambda: alert_table(found))


def _kind(line: "ProjectLine") -> str:
    if line.budget_fen is None:
        return NOTHING
    return _("hard stop") if line.hard else _("alert only")


def _money(fen: int | None) -> str:
    return NOTHING if fen is None else money(fen)


def project_table(lines: "Sequence[ProjectLine]") -> "RenderableType":
    amounts = (_("budget"), _("spent"), _("held"), _("left"))
    made = table("", (_("project"), _("title"), _("month"), *amounts, _("limit")), right=amounts, wrap=(_("title"),))
    for line in lines:
        values = (line.budget_fen, line.spent_fen, line.held_fen, line.left_fen)
        made.add_row(line.name, plain(line.title), line.month, *map(_money, values), _kind(line))
    return made


def project_view(line: "ProjectLine") -> "RenderableType":
    rows: list[tuple[str, object]] = [
        (_("project"), line.name),
        (_("title"), line.title),
        (_("budget"), _money(line.budget_fen)),
        (_("limit"), _kind(line)),
        (_("alerts at"), ", ".join(f"{percent} %" for percent in line.alert_percent)),
        (_("month"), line.month),
        (_("spent"), money(line.spent_fen)),
        (_("held"), money(line.held_fen)),
        (_("left"), _money(line.left_fen)),
    ]
    rows += [(month, money(fen)) for month, fen in line.months.items() if month != line.month]
    return pairs(rows)


def alert_table(found: "Sequence[ProjectAlert]") -> "RenderableType":
    amounts = (_("spent"), _("budget"))
    made = table("", (_("project"), _("month"), _("share"), *amounts, _("at")), right=(*amounts, _("share")))
    for one in found:
        share = f"{one.percent} %"
        made.add_row(one.project, one.month, share, money(one.spent_fen), money(one.budget_fen), instant(one.raised_s))
    return made
