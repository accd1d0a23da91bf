"""`suanwang agent`: what runs at a centre, beside its scheduler."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.profile import check_token, check_url
from suanwang.cli.screen import Screen, write_json
from suanwang.cli.session import JsonOption, ProfileOption, current_profile, run
from suanwang.cli.up import log_to_stderr
from suanwang.errors import Unauthenticated
from suanwang.i18n import _

if TYPE_CHECKING:
    from suanwang.client import Client
    from suanwang.protocol import SyncReply, SyncRequest

HELP = with_examples(
    _("Run a centre's agent, until Ctrl-C. It only calls out; jobs run on when it ends."),
    "suanwang token issue --organisation zgc-org --role centre_agent --centre zgc --out zgc.token",
    "suanwang agent --centre zgc.yaml --token-file zgc.token --url http://hub:7700",
)


@dataclass(frozen=True, slots=True)
class CentreHub:
    """One centre's line to its hub, as the agent wants it."""

    client: "Client"
    centre_id: str

    async def sync(self, request: "SyncRequest") -> "SyncReply":
        return await self.client.sync(self.centre_id, request)

    async def get_blob(self, sha256: str) -> bytes:
        return await self.client.get_blob(sha256)

    async def put_blob(self, body: bytes) -> str:
        return await self.client.put_blob(body)


def agent(
    centre: Annotated[Path, typer.Option("--centre", exists=True, dir_okay=False, help=_("The centre's file."))],
    token_file: Annotated[
        Path | None, typer.Option("--token-file", exists=True, dir_okay=False, help=_("File that holds the token."))
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help=_("Address of the hub; else the profile's."))] = None,
    state: Annotated[Path | None, typer.Option("--state", help=_("Folder of the agent's journal and runs."))] = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)

    async def at_work() -> None:
        # Only an agent needs these; every other command starts faster without them.
        from suanwang.agent.config import read_agent_config
        from suanwang.agent.loop import run_agent, stop_on_signals
        from suanwang.centrefile import load_centre_file
        from suanwang.client import Client

        config = read_agent_config(load_centre_file(centre.read_text("utf-8")), state_dir=state)
        hub_url, token = _line(url, token_file, profile)
        log_to_stderr()
        stop = asyncio.Event()
        stop_on_signals(stop)
        if screen.as_json:
            write_json({"centre": config.centre_id, "url": hub_url, "state": str(config.state_dir)})
        sentence = _("the agent of {centre} works for {url}; Ctrl-C ends it, its jobs run on")
        screen.say(sentence.format(centre=config.centre_id, url=hub_url))
        async with Client(hub_url, token) as client:
            await run_agent(config, CentreHub(client, config.centre_id), stop=stop)

    run(at_work(), screen)


def _line(url: str | None, token_file: Path | None, profile: str | None) -> tuple[str, str]:
    """Where the hub is, and the token. Raises Unauthenticated if there is none, Refused for an unknown profile."""
    token = check_token(token_file.read_text("utf-8", "replace").strip(), "--token-file") if token_file else None
    if url is not None:
        check_url(url, "--url")
    if url is None or token is None:
        chosen = current_profile(profile)
        url, token = url or chosen.url, token or chosen.token
    if not token:
        raise Unauthenticated(_("an agent needs a token; give it with --token-file"), code="TOKEN_MISSING")
    return url, token
