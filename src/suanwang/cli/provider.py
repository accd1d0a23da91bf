"""`suanwang provider-list`: which centres stand on the lists 白名单 that voucher programmes name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.domain.voucher import Listing

provider_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
ADD_HELP = with_examples(
    _("Put a centre on a list of your agency that the rules of its programmes name."),
    "suanwang provider-list add partners zgc",
)
REMOVE_HELP = with_examples(
    _("Take a centre off a list: no new job is paid there by voucher; those that hold its value go on."),
    "suanwang provider-list remove partners zgc",
)

ListName = Annotated[str, typer.Argument(metavar="LIST", help=_("Name of the list, as the rules write it."))]
CentreId = Annotated[str, typer.Argument(metavar="CENTRE", help=_("Id of a centre."))]
AgencyOption = Annotated[
    str | None, typer.Option("--agency", metavar="ID", help=_("Whose list (administrator of the network)."))
]


@hub_command(provider_app, "add", help=ADD_HELP)
async def add(session: Session, name: ListName, centre: CentreId, agency: AgencyOption = None) -> None:
    sentence = _("{centre} is on the list {list} from now on")
    await _change(session, name, centre, agency, True, sentence)


@hub_command(provider_app, "remove", help=REMOVE_HELP)
async def remove(session: Session, name: ListName, centre: CentreId, agency: AgencyOption = None) -> None:
    sentence = _("{centre} is off the list {list} from now on")
    await _change(session, name, centre, agency, False, sentence)


async def _change(session: Session, name: str, centre: str, agency: str | None, listed: bool, sentence: str) -> None:
    from suanwang.wire import NewListing

    new = NewListing(list=name, centre_id=centre, listed=listed, agency_id=agency)
    changed = await session.hub.change_list(new)
    said = sentence if changed else _("nothing changes: so it was already ({list}, {centre})")
    text = said.format(centre=centre, list=name)
    session.screen.show({"list": name, "centre": centre, "listed": listed, "changed": changed}, lambda: plain(text))


@hub_command(provider_app, "show", help=_("Show who is on the lists, since when and by whom."))
async def show(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="LIST", help=_("Only this list."))] = None,
    past: Annotated[bool, typer.Option("--past", help=_("Also who is off them again."))] = False,
) -> None:
    lines = [line for line in await session.hub.provider_lists(past) if name in (None, line.list)]
    session.screen.show(lines, lambda: listing_table(lines))


def listing_table(lines: "Sequence[Listing]") -> "RenderableType":
    columns = (_("agency"), _("list"), _("centre"), _("from"), _("added by"), _("until"), _("removed by"))
    made = table("", columns, wrap=(_("list"), _("added by"), _("removed by")))
    for line in lines:
        made.add_row(
            line.agency_id,
            plain(line.list),
            line.centre_id,
            instant(line.from_s),
            line.added_by,
            instant(line.to_s),
            line.removed_by or NOTHING,
        )
    return made
