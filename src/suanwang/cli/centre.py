"""`suanwang centre`: list, show, add, drain, resume, declare-lost, rejoin."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.joblines import counts_line
from suanwang.cli.options import GiveUpReason, with_examples
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.domain.ratecard import WEEKDAYS
from suanwang.errors import NotFound
from suanwang.i18n import _, named
from suanwang.units import MINUTES_PER_HOUR
from suanwang.words import NOTHING, duration, instant, money, say, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.domain.ratecard import Rate
    from suanwang.wire import CentreLine

CentreId = Annotated[str, typer.Argument(metavar="CENTRE", help=_("Id of a centre."))]

centre_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ADD_HELP = with_examples(
    _("Let a centre join with its offer, or change the offer of one that is there."),
    'suanwang organisation add zgc-org --name "Zhongguancun" --kind centre',
    "suanwang centre add zgc.yaml --organisation zgc-org",
)

LOST_HELP = with_examples(
    _("Give up a silent centre that will not come back: its jobs recover elsewhere, those being cancelled are over."),
    'suanwang centre declare-lost zgc --reason "the building burnt down"',
    after=_("What its agent says later of these attempts is refused; it gets no jobs before `suanwang centre rejoin`."),
)


@hub_command(centre_app, "list", help=_("List all centres with their pools, prices and what is taken."))
async def list_centres(session: Session) -> None:
    centres = await session.hub.centres()
    session.screen.show(centres, lambda: centre_table(centres))


@hub_command(centre_app, "show", help=_("Show one centre."))
async def show(session: Session, centre: CentreId) -> None:
    found = next((one for one in await session.hub.centres() if one.id == centre), None)
    if found is None:
        raise NotFound(_("no centre {centre}").format(centre=centre), centre=centre)
    session.screen.show(found, lambda: centre_view(found))


@hub_command(centre_app, "add", help=ADD_HELP)
async def add(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=_("The centre's file."))],
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", metavar="ID", help=_("Who runs it; else the file's, or the operator's own.")),
    ] = None,
) -> None:
    from suanwang.centrefile import read_centre_file
    from suanwang.cli.request import text_of
    from suanwang.domain.tenant import Role

    if organisation is None:
        who = await session.hub.me()
        organisation = who.organisation_id if who.role is Role.CENTRE_OPERATOR else None
    new = read_centre_file(text_of(file), organisation_id=organisation)
    joined = await session.hub.join_centre(new)
    chips = sum(node.chips for pool in new.pools for node in pool.nodes)
    sentence = _("{centre} is changed: it offers {pools} pools and {chips} chips")
    if joined:
        sentence = _("{centre} has joined with {pools} pools and {chips} chips; it is unseen until its agent calls")
    text = sentence.format(centre=named(new.name, new.name_zh), pools=len(new.pools), chips=chips)
    session.screen.show(new, lambda: plain(text))


@hub_command(centre_app, "drain", help=_("Give a centre no new jobs; those that are there run on."))
async def drain(session: Session, centre: CentreId) -> None:
    await session.hub.drain(centre)
    text = _("{centre} is drained: it takes no new jobs, those that are there run on").format(centre=centre)
    session.screen.show({"centre": centre, "drained": True}, lambda: plain(text))


@hub_command(centre_app, "resume", help=_("Let a drained centre take new jobs again."))
async def resume(session: Session, centre: CentreId) -> None:
    await session.hub.resume(centre)
    text = _("{centre} takes new jobs again").format(centre=centre)
    session.screen.show({"centre": centre, "drained": False}, lambda: plain(text))


@hub_command(centre_app, "declare-lost", help=LOST_HELP)
async def declare_lost(session: Session, centre: CentreId, reason: GiveUpReason) -> None:
    given_up = await session.hub.declare_lost(centre, reason)
    sentence = _("{centre} is declared lost; attempts given up: {count}").format(centre=centre, count=given_up.attempts)
    lines = [
        sentence,
        *([_("their jobs: {states}").format(states=counts_line(given_up.states))] if given_up.states else []),
    ]
    session.screen.show(given_up, lambda: plain("\n".join(lines)))


@hub_command(centre_app, "rejoin", help=_("Take up a lost centre again: it gets jobs as soon as its agent calls."))
async def rejoin(session: Session, centre: CentreId) -> None:
    await session.hub.rejoin(centre)
    text = _("{centre} is taken up again; it is unseen until its agent calls").format(centre=centre)
    session.screen.show({"centre": centre, "rejoined": True}, lambda: plain(text))


def centre_table(centres: "Sequence[CentreLine]") -> "RenderableType":
    numbers = (_("nodes"), _("chips"), _("taken"), _("per chip-hour"))
    columns = (
        _("centre"),
        _("name"),
        _("city"),
        _("state"),
        _("pool"),
        _("chip"),
        *numbers,
        _("longest job"),
    )
    made = table("", columns, right=numbers, wrap=(_("name"), _("city")))
    for centre in centres:
        first = [centre.id, plain(named(centre.name, centre.name_zh)), plain(centre.city), word(centre.state)]
        for pool in centre.pools:
            made.add_row(
                *first,
                pool.id,
                pool.chip_id,
                str(pool.nodes),
                str(pool.chips),
                str(pool.used_chips),
                prices_line(pool.fen_per_chip_hour, pool.preemptible_fen_per_chip_hour),
                duration(pool.max_walltime_s),
                style="dim" if centre.state != "seen" else "",
            )
            first = ["", "", "", ""]
    return made


def prices_line(fen: int, preemptible_fen: int | None) -> str:
    """The price, and that of jobs that may be told to leave where it is another."""
    if preemptible_fen is None:
        return money(fen)
    return _("{price} (preemptible {preemptible})").format(price=money(fen), preemptible=money(preemptible_fen))


def rate_times(rate: "Rate") -> str:
    days = ", ".join(word(WEEKDAYS[day]) for day in rate.days)
    begin, end = (
        f"{minute // MINUTES_PER_HOUR:02d}:{minute % MINUTES_PER_HOUR:02d}"
        for minute in (rate.from_min, rate.until_min)
    )
    return f"{days} {begin}-{end}"


def centre_view(centre: "CentreLine") -> "RenderableType":
    from rich.console import Group

    head = pairs(
        [
            (_("centre"), centre.id),
            (_("name"), named(centre.name, centre.name_zh)),
            (_("city"), f"{centre.city} ({centre.latitude:.3f}, {centre.longitude:.3f})"),
            (_("organisation"), centre.organisation_id),
            (_("state"), word(centre.state)),
            (_("last seen"), instant(centre.seen_s)),
            *([(_("declared lost at"), instant(centre.lost_s))] if centre.lost_s is not None else []),
            (_("agent"), centre.agent_release or NOTHING),
            (_("driver"), centre.driver or NOTHING),
        ]
    )
    rates = [
        plain(
            _("{pool}, {times} ({zone}): {price} yuan per chip-hour").format(
                pool=pool.id,
                times=rate_times(rate),
                zone=pool.rate_card.timezone,
                price=prices_line(rate.prices.fen_per_chip_hour, rate.prices.preemptible_fen),
            )
        )
        for pool in centre.pools
        if pool.rate_card is not None
        for rate in pool.rate_card.rates
    ]
    warnings = [plain(_("warning: {text}").format(text=say(one))) for one in centre.warnings]
    return Group(head, centre_table([centre]), *rates, *warnings)
