"""`suanwang login` and `suanwang whoami`."""

import sys
from typing import Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.profile import DEFAULT_PROFILE, Profile, check_token, check_url, write_profile
from suanwang.cli.screen import Screen, pairs
from suanwang.cli.session import JsonOption, Session, hub_command, run
from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.settings import read_settings
from suanwang.words import NOTHING, word

LOGIN_HELP = with_examples(
    _("Store a hub's address and a token as a profile. The token is read from standard input."),
    "suanwang login --url http://hub:7700 --token-stdin < token.txt",
    "suanwang login --url http://hub:7700 --token-stdin --profile agency < agency.txt",
)


def login(
    url: Annotated[str, typer.Option("--url", help=_("Address of the hub, like http://127.0.0.1:7700."))],
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help=_("Read the token from standard input."))] = False,
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help=_("Name of the profile to store."))
    ] = DEFAULT_PROFILE,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)

    async def at_work() -> None:
        from suanwang.client import Client

        check_url(url)
        token = _read_token(token_stdin)
        async with Client(url, token) as hub:
            who = await hub.me()
        path = write_profile(read_settings().home, profile, Profile(url, token))
        answer = {"profile": profile, "path": str(path), "url": url, "identity": who}
        sentence = _("profile {profile}: {role} of {organisation} at {url}")
        text = sentence.format(profile=profile, role=word(who.role), organisation=who.organisation_id, url=url)
        screen.show(answer, lambda: text)

    run(at_work(), screen)


def _read_token(from_stdin: bool) -> str:
    """Never from the command line, where every user of the machine could read it. Raises InvalidInput."""
    token = (sys.stdin.readline() if from_stdin else typer.prompt(_("token"), hide_input=True, err=True)).strip()
    if not token:
        raise InvalidInput("token", "…", _("the token on the first line of standard input"))
    return check_token(token)


def add_whoami(app: typer.Typer) -> None:
    @hub_command(app, "whoami", help=_("Show who the profile's token speaks for."))
    async def whoami(session: Session) -> None:
        who = await session.hub.me()
        session.screen.show(
            who,
            lambda: pairs(
                [
                    (_("organisation"), who.organisation_id),
                    (_("role"), word(who.role)),
                    (_("centre"), who.centre_id or NOTHING),
                    (_("token"), who.token_id),
                    (_("hub"), f"{session.profile.url} ({who.hub_release})"),
                ]
            ),
        )
