"""How a command runs: who speaks to which hub, what is printed, and which exit code an error has.

    @hub_command(app, "show", help=_("Show one job."))
    async def show(session: Session, reference: Reference) -> None:
        receipt = await session.hub.job(reference)
        session.screen.show(receipt, lambda: tables.receipt(receipt))

Every such command also takes --profile and --json.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from suanwang.cli.profile import Profile, choose_profile
from suanwang.cli.screen import Screen, write_error
from suanwang.errors import SuanwangError, Unreachable
from suanwang.i18n import _
from suanwang.settings import read_settings

if TYPE_CHECKING:
    from suanwang.client import Client

REFUSED, USAGE, UNREACHABLE, INTERRUPTED = 1, 2, 3, 130
"""Exit codes; 0 is success."""

P = ParamSpec("P")

ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help=_("Profile to use; also SUANWANG_PROFILE."), show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help=_("Print one JSON document instead of tables."))]


@dataclass(frozen=True, slots=True)
class Session:
    """One command at work."""

    hub: "Client"
    screen: Screen
    profile: Profile


def hub_command(
    app: typer.Typer, name: str, *, help: str
) -> Callable[[Callable[Concatenate[Session, P], Awaitable[None]]], Callable[Concatenate[Session, P], Awaitable[None]]]:
    """Make a coroutine function a command that speaks to the hub of the chosen profile."""

    def register(
        function: Callable[Concatenate[Session, P], Awaitable[None]],
    ) -> Callable[Concatenate[Session, P], Awaitable[None]]:
        def command(*, profile: ProfileOption = None, json: JsonOption = False, **options: Any) -> None:
            run_with_hub(lambda session: function(session, **options), profile, json)  # type: ignore[call-arg]  # `_adopt`

        _adopt(command, function, name)
        app.command(name, help=help)(command)
        return function

    return register


def run_with_hub(work: Callable[[Session], Awaitable[None]], profile: str | None, as_json: bool) -> None:
    """Run a coroutine function with a session of the chosen profile, to its end."""
    screen = Screen(as_json)

    async def at_work() -> None:
        # httpx takes a quarter of a second to import: not for --help
        from suanwang.client import Client

        chosen = current_profile(profile)
        async with Client(chosen.url, chosen.token) as hub:
            await work(Session(hub, screen, chosen))

    run(at_work(), screen)


def _adopt(command: Callable[..., None], function: Callable[..., Any], name: str) -> None:
    """Give `command` the options of `function` (without its session) beside its own: typer reads the signature."""
    of_function = inspect.signature(function, eval_str=True).parameters
    of_command = inspect.signature(command, eval_str=True).parameters
    options = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in list(of_function.values())[1:]]
    own = [one for one in of_command.values() if one.kind is inspect.Parameter.KEYWORD_ONLY]
    every = [*options, *own]
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in every}
    command.__name__ = name


def current_profile(name: str | None) -> Profile:
    """Raises Refused if there is none."""
    settings = read_settings()
    return choose_profile(settings.home, name, os.environ, f"http://{settings.host}:{settings.port}")


def run(
    work: Coroutine[Any, Any, None],
    screen: Screen,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a coroutine of a command to its end."""
    with errors_told(screen), asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(work)


@contextmanager
def errors_told(screen: Screen) -> Iterator[None]:
    """Errors of ours become a line on stderr and an exit code, never a traceback."""
    try:
        yield
    except SuanwangError as error:
        raise _told(error, screen) from None
    except BaseExceptionGroup as group:
        ours = _one_of_ours(group)
        if ours is None:
            raise
        raise _told(ours, screen) from None
    except KeyboardInterrupt:
        screen.note(_("interrupted"))
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read has seen enough; nothing more can be said, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(REFUSED) from None


def _told(error: SuanwangError, screen: Screen) -> typer.Exit:
    write_error(error, as_json=screen.as_json)
    return typer.Exit(UNREACHABLE if isinstance(error, Unreachable) else REFUSED)


def _one_of_ours(group: BaseExceptionGroup[BaseException]) -> SuanwangError | None:
    """The first error of a group of tasks, if nothing but errors of ours is in it."""
    ours, others = group.split(SuanwangError)
    if ours is None or others is not None:
        return None
    leaf: SuanwangError | BaseExceptionGroup[SuanwangError] = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
