"""`suanwang token`: who may speak for whom."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from suanwang.cli.options import read_with, with_examples
from suanwang.cli.profile import Profile, write_profile
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.settings import read_settings
from suanwang.units import duration_s
from suanwang.words import NOTHING, instant, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import TokenLine

token_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
RoleName = Literal[
    "tenant_member",
    "tenant_admin",
    "centre_operator",
    "centre_agent",
    "programme_officer",
    "auditor",
    "network_admin",
]
ISSUE_HELP = with_examples(
    _("Issue a token for a role of an organisation. The secret is shown this once."),
    "suanwang token issue --organisation acme --role tenant_admin --save-profile acme",
    "suanwang token issue --organisation zgc-org --role centre_agent --centre zgc --out zgc.token",
)


@hub_command(token_app, "issue", help=ISSUE_HELP)
async def issue(
    session: Session,
    organisation: Annotated[str, typer.Option("--organisation", metavar="ID", help=_("Whom it speaks for."))],
    role: Annotated[RoleName, typer.Option("--role", help=_("What it may do."))],
    centre: Annotated[str | None, typer.Option("--centre", metavar="ID", help=_("The centre of an agent."))] = None,
    label: Annotated[str, typer.Option("--label", help=_("A note to know it by."), show_default=False)] = "",
    valid_for: Annotated[
        int | None,
        typer.Option(
            "--valid-for", metavar="TIME", parser=read_with(duration_s), help=_("It ends after this, like 90d.")
        ),
    ] = None,
    save_profile: Annotated[
        str | None, typer.Option("--save-profile", metavar="NAME", help=_("Store it as a profile; do not print it."))
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help=_("Write it to a new file that only you can read; do not print it.")
        ),
    ] = None,
) -> None:
    from suanwang.domain.tenant import Role
    from suanwang.wire import NewToken

    if save_profile is not None and out is not None:
        raise typer.BadParameter(_("--save-profile or --out, not both"))
    # Before a token is issued that could then be stored nowhere.
    place = None if out is None else _new_file(out)
    new = NewToken(organisation_id=organisation, role=Role(role), centre_id=centre, label=label, valid_for_s=valid_for)
    try:
        issued = await session.hub.issue_token(new)
    except BaseException:
        if out is not None:
            out.unlink()
        raise
    session.screen.note(_("token {token} of {organisation}").format(token=issued.token_id, organisation=organisation))
    if place is not None and out is not None:
        with os.fdopen(place, "w", encoding="utf-8") as file:
            file.write(f"{issued.secret}\n")
        text = _("written to {path}, which only you can read").format(path=out)
        session.screen.show({"token_id": issued.token_id, "path": str(out)}, lambda: text)
        return
    if save_profile is None:
        session.screen.show(issued, lambda: issued.secret)
        return
    path = write_profile(read_settings().home, save_profile, Profile(session.profile.url, issued.secret))
    text = _("stored as profile {profile} in {path}").format(profile=save_profile, path=path)
    session.screen.show({"token_id": issued.token_id, "profile": save_profile, "path": str(path)}, lambda: text)


def _new_file(path: Path) -> int:
    """Readable by its owner alone from the first moment. Raises InvalidInput."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidInput("--out", path, _("a new file here ({said})").format(said=error.strerror)) from None


@hub_command(token_app, "list", help=_("List all tokens, with who issued them (administrator or auditor)."))
async def list_tokens(session: Session) -> None:
    found = await session.hub.tokens()
    session.screen.show(found, lambda: token_table(found))


def token_table(found: "list[TokenLine]") -> "RenderableType":
    columns = (_("token"), _("organisation"), _("role"), _("centre"), _("label"), _("issued"), _("by"), _("until"))
    made = table("", columns, wrap=(_("label"),))
    for one in found:
        ends = min((at_s for at_s in (one.expires_s, one.revoked_s) if at_s is not None), default=None)
        made.add_row(
            one.token_id,
            plain(one.organisation_id),
            word(one.role),
            plain(one.centre_id or NOTHING),
            plain(one.label or NOTHING),
            instant(one.created_s),
            plain(one.issued_by or NOTHING),
            NOTHING if ends is None else instant(ends),
        )
    return made


@hub_command(token_app, "revoke", help=_("End a token at once."))
async def revoke(
    session: Session, token: Annotated[str, typer.Argument(metavar="TOKEN", help=_("Id of a token."))]
) -> None:
    await session.hub.revoke_token(token)
    session.screen.show({"revoked": token}, lambda: _("token {token} is revoked").format(token=token))
