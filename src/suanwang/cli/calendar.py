"""`suanwang booking` and `suanwang maintenance`: add, list, remove."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from suanwang.cli.options import From, Until, with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, say, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import BookingLine, MaintenanceLine

Line = TypeVar("Line", "BookingLine", "MaintenanceLine")

ANSWER_PATIENCE_S, ANSWER_PAUSE_S = 15.0, 0.2
SHOWN_NODES = 4

booking_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
maintenance_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

BOOK_HELP = with_examples(
    _("Book whole nodes of a pool for the jobs of some tenants, which name the booking in their task file."),
    "suanwang booking add ml-course --pool zgc-a100 --from 2026-12-01T08:00 --until 2026-12-01T12:00 "
    "--tenant qinghe --nodes 2",
)
MAINTAIN_HELP = with_examples(
    _("Plan maintenance: no job starts that would run into it; those that run there run on."),
    "suanwang maintenance add chiller --pool zgc-a100 --from +2h --until +4h --node a1 --node a2",
)

Name = Annotated[str, typer.Argument(metavar="ID", help=_("A name of its own in the whole network."))]
PoolOption = Annotated[str, typer.Option("--pool", metavar="POOL", help=_("Id of the pool."))]
Past = Annotated[bool, typer.Option("--past", help=_("Also what is over."))]
TenantsOption = Annotated[
    list[str], typer.Option("--tenant", metavar="ID", help=_("A tenant whose jobs may run in it; can be given again."))
]
NodesOption = Annotated[
    int | None, typer.Option("--nodes", metavar="N", min=1, help=_("So many whole nodes; all of the pool if left out."))
]
WithinOption = Annotated[Literal["pool", "cabinet"], typer.Option("--within", help=_("How near to each other."))]
NodeNames = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="NAME", help=_("A node; can be given again; the whole pool if left out.")),
]


@hub_command(booking_app, "add", help=BOOK_HELP)
async def book(
    session: Session,
    name: Name,
    pool: PoolOption,
    start: From,
    end: Until,
    tenant: TenantsOption,
    nodes: NodesOption = None,
    within: WithinOption = "pool",
) -> None:
    from suanwang.wire import NewBooking

    new = NewBooking(
        id=name, pool_id=pool, start_s=start, end_s=end, tenants=tuple(tenant), num_nodes=nodes, within=within
    )
    await session.hub.book(new)
    line = await _answered(session.hub.bookings, name)
    session.screen.show(line, lambda: booking_table([line] if line else []))
    if line is None or line.state != "confirmed":
        raise typer.Exit(1)


@hub_command(booking_app, "list", help=_("List bookings, by their begin: a tenant's those that are open to it."))
async def list_bookings(session: Session, past: Past = False) -> None:
    lines = await session.hub.bookings(past)
    session.screen.show(lines, lambda: booking_table(lines))


@hub_command(booking_app, "remove", help=_("Remove a booking: its nodes are free at once, jobs in it run on."))
async def unbook(session: Session, name: Name) -> None:
    await session.hub.unbook(name)
    text = _("booking {name} is removed").format(name=name)
    session.screen.show({"id": name, "state": "removed"}, lambda: plain(text))


@hub_command(maintenance_app, "add", help=MAINTAIN_HELP)
async def plan(session: Session, name: Name, pool: PoolOption, start: From, end: Until, node: NodeNames = None) -> None:
    from suanwang.wire import NewMaintenance

    new = NewMaintenance(id=name, pool_id=pool, start_s=start, end_s=end, node_names=tuple(node or ()))
    await session.hub.plan_maintenance(new)
    line = await _answered(session.hub.maintenance, name)
    session.screen.show(line, lambda: maintenance_table([line] if line else []))


@hub_command(maintenance_app, "list", help=_("List planned maintenance, by its begin, and what runs in its way."))
async def list_maintenance(session: Session, past: Past = False) -> None:
    lines = await session.hub.maintenance(past)
    session.screen.show(lines, lambda: maintenance_table(lines))


@hub_command(maintenance_app, "remove", help=_("Cancel maintenance."))
async def cancel(session: Session, name: Name) -> None:
    await session.hub.cancel_maintenance(name)
    text = _("maintenance {name} is cancelled").format(name=name)
    session.screen.show({"id": name, "removed": True}, lambda: plain(text))


async def _answered(lines: Callable[[], Awaitable[list[Line]]], name: str) -> Line | None:
    """What the brain said of it: in general a moment later; as it is if that takes long."""
    found: Line | None = None
    for _again in range(round(ANSWER_PATIENCE_S / ANSWER_PAUSE_S)):
        found = next((line for line in await lines() if line.id == name), None)
        if found is not None and found.reason is not None:
            break
        await asyncio.sleep(ANSWER_PAUSE_S)
    return found


def booking_table(lines: "Sequence[BookingLine]") -> "RenderableType":
    columns = (_("booking"), _("pool"), _("from"), _("until"), _("tenants"), _("nodes"), _("state"), _("reason"))
    made = table("", columns, wrap=(_("tenants"), _("nodes"), _("reason")))
    for line in lines:
        wanted = str(line.num_nodes) if line.num_nodes else _("all")
        made.add_row(
            line.id,
            line.pool_id,
            instant(line.start_s),
            instant(line.end_s),
            ", ".join(line.tenants),
            plain(_nodes(line.node_names) if line.node_names else wanted),
            word(line.state),
            plain(say(line.reason) if line.reason else NOTHING),
        )
    return made


def maintenance_table(lines: "Sequence[MaintenanceLine]") -> "RenderableType":
    columns = (_("maintenance"), _("pool"), _("from"), _("until"), _("nodes"), _("state"), _("in its way"))
    made = table("", columns, wrap=(_("nodes"), _("in its way")))
    for line in lines:
        running = line.reason.facts.get("running", []) if line.reason else []
        until_s = max((job["expected_end_s"] for job in running), default=None)
        jobs = _("{jobs} jobs, at most until {end_s}").format(jobs=len(running), end_s=instant(until_s))
        made.add_row(
            line.id,
            line.pool_id,
            instant(line.start_s),
            instant(line.end_s),
            plain(_nodes(line.node_names) if line.node_names else _("all")),
            word("removed" if line.removed else "planned"),
            plain(jobs if running else NOTHING),
        )
    return made


def _nodes(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NODES
    shown = ", ".join(names[:SHOWN_NODES])
    return _("{nodes} and {more} more").format(nodes=shown, more=more) if more > 0 else shown
