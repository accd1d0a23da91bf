"""`suanwang token`: who may speak for whom."""

from typing import Annotated, Literal

import typer

from suanwang.cli.options import read_with, with_examples
from suanwang.cli.profile import Profile, write_profile
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.settings import read_settings
from suanwang.units import duration_s

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
    "suanwang token issue --organisation zgc-org --role centre_agent --centre zgc > zgc.token",
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
) -> None:
    from suanwang.domain.tenant import Role
    from suanwang.wire import NewToken

    issued = await session.hub.issue_token(
        NewToken(organisation_id=organisation, role=Role(role), centre_id=centre, label=label, valid_for_s=valid_for)
    )
    session.screen.note(_("token {token} of {organisation}").format(token=issued.token_id, organisation=organisation))
    if save_profile is None:
        session.screen.show(issued, lambda: issued.secret)
        return
    path = write_profile(read_settings().home, save_profile, Profile(session.profile.url, issued.secret))
    text = _("stored as profile {profile} in {path}").format(profile=save_profile, path=path)
    session.screen.show({"token_id": issued.token_id, "profile": save_profile, "path": str(path)}, lambda: text)


@hub_command(token_app, "revoke", help=_("End a token at once."))
async def revoke(
    session: Session, token: Annotated[str, typer.Argument(metavar="TOKEN", help=_("Id of a token."))]
) -> None:
    await session.hub.revoke_token(token)
    session.screen.show({"revoked": token}, lambda: _("token {token} is revoked").format(token=token))
