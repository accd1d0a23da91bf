"""`suanwang up`: a whole hub in this process."""

import asyncio
import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.profile import DEFAULT_PROFILE, Profile, profile_file, write_profile
from suanwang.cli.screen import Screen, write_json
from suanwang.cli.session import JsonOption, run
from suanwang.errors import Failed
from suanwang.i18n import _
from suanwang.settings import Settings, read_settings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - told apart, not bound
HELP = with_examples(
    _(
        "Start a hub: database, scheduler and HTTP, until Ctrl-C. Without --database-url it starts its own PostgreSQL "
        "in the home folder. At the very first start it makes the network's administrator and stores the profile "
        "`default`."
    ),
    "suanwang up",
    "suanwang up --port 7800 --home /var/lib/suanwang",
    "suanwang up --database-url postgresql://suanwang@db.example.org/suanwang",
    "suanwang up --new-administrator",
)


def up(
    home: Annotated[Path | None, typer.Option("--home", help=_("Folder of database and profiles."))] = None,
    database_url: Annotated[
        str | None, typer.Option("--database-url", metavar="URL", help=_("Another PostgreSQL (16 or newer)."))
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help=_("Address to listen on."))] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65_535, help=_("Port to listen on."))] = None,
    new_administrator: Annotated[
        bool,
        typer.Option(
            "--new-administrator", help=_("Issue another administrator's token and store it as the profile `default`.")
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    given = {"HOME": home, "DATABASE_URL": database_url, "HOST": host, "PORT": port}
    said = {f"SUANWANG_{name}": str(value) for name, value in given.items() if value is not None}

    async def at_work() -> None:
        settings = read_settings({**os.environ, **said})
        task = asyncio.current_task()
        stopped = False

        def stop() -> None:
            nonlocal stopped
            stopped = True
            if task is not None:
                task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        try:
            await _hub_of(settings, screen, new_administrator)
        except asyncio.CancelledError:
            if not stopped:
                raise
        finally:
            screen.note(_("the hub has ended"))

    run(at_work(), screen, _fast_loop())


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop, which comes with the hub's packages and halves what a round trip to the database costs."""
    try:
        loop: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None  # the hub's other packages are missing too, which is told later
    return loop


async def _hub_of(settings: Settings, screen: Screen, new_administrator: bool) -> None:
    # By name, not by an import statement: the command line is whole without the hub's packages, and the contract that
    # it never imports store, control or api holds for everything else.
    try:
        serve: Any = importlib.import_module("suanwang.api.serve")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("suanwang"):
            raise  # a bug of ours, not a package that is missing
        raise Failed(
            _("the hub's packages are not installed here ({name}); install suanwang[hub]").format(name=error.name),
            code="HUB_NOT_INSTALLED",
        ) from error
    log_to_stderr()
    screen.note(_("starting the hub; its files are in {folder}").format(folder=settings.home))

    kept: list[Path] = []

    def keep(url: str, secret: str) -> None:
        kept.append(store_admin(settings.home, Profile(reachable(url), secret)))

    def ready(url: str) -> None:
        _tell(screen, reachable(url), kept[0] if kept else None)

    await serve.run_hub(settings, keep=keep, ready=ready, new_administrator=new_administrator)


def log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def reachable(url: str) -> str:
    """The address for clients on this machine: nobody can call `everywhere`."""
    for host in EVERYWHERE:
        url = url.replace(f"//{host}:", "//127.0.0.1:")
    return url


def _tell(screen: Screen, url: str, stored: Path | None) -> None:
    if screen.as_json:
        write_json({"url": url, "profile": None if stored is None else str(stored)})
        return
    screen.say(_("Suanwang is up at {url}").format(url=url))
    if stored is not None:
        screen.say(_("The administrator's profile is stored in {path} (keep it safe).").format(path=stored))
    screen.say(_("Go on in another terminal: `suanwang whoami`, `suanwang organisation add`, `suanwang centre add`."))


def store_admin(home: Path, profile: Profile) -> Path:
    """The profile `default` of a hub that was just founded; an older one is kept beside it."""
    path = profile_file(home, DEFAULT_PROFILE)
    if path.exists():
        path.replace(profile_file(home, f"{DEFAULT_PROFILE}-before"))
    return write_profile(home, DEFAULT_PROFILE, profile)
