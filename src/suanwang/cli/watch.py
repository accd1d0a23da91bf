"""Live tables: look again and again, show what changed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from suanwang.cli.screen import console
from suanwang.cli.session import Session
from suanwang.errors import Unreachable
from suanwang.i18n import _
from suanwang.words import say, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import JobLine

LOOK_EVERY_S = 1.0
PAGE = 1_000
SHOWN = 20


async def follow(session: Session, job_ids: list[str]) -> "list[JobLine]":
    """Look at these jobs until all are over. A hub that is silent for a while is waited for."""
    from suanwang.cli.job import job_table
    from suanwang.domain.job import ENDED_STATES

    wanted, said = set(job_ids), dict[str, str]()
    with _live(session) as update:
        while True:
            lines = await _patiently(session, lambda: find_lines(session, wanted))
            if update is not None:
                update(job_table(sorted(lines, key=lambda line: line.state in ENDED_STATES)[:SHOWN], _counts(lines)))
            else:
                _tell_changes(session, lines, said)
            if len(lines) == len(wanted) and all(line.state in ENDED_STATES for line in lines):
                return lines
            await asyncio.sleep(LOOK_EVERY_S)


async def find_lines(session: Session, wanted: set[str]) -> "list[JobLine]":
    """The lines of some jobs, which are the newest or nearly so, in the order of submission."""
    found: list[JobLine] = []
    before = None
    while len(found) < len(wanted):
        page = await session.hub.jobs(limit=PAGE, before=before)
        found += [line for line in page.jobs if line.id in wanted]
        before = page.next_before
        if before is None:
            break
    return sorted(found, key=lambda line: line.number)


async def _patiently(session: Session, look: "Callable[[], Awaitable[list[JobLine]]]") -> "list[JobLine]":
    while True:
        try:
            return await look()
        except Unreachable as error:
            session.screen.note(error.message)
            await asyncio.sleep(LOOK_EVERY_S)


def _counts(lines: "list[JobLine]") -> str:
    counts = Counter(line.state for line in lines)
    return "  ".join(f"{word(state)} {count}" for state, count in sorted(counts.items()))


def _tell_changes(session: Session, lines: "list[JobLine]", said: dict[str, str]) -> None:
    for line in lines:
        sentence = f"{line.name} ({line.number}): {word(line.state)}, {say(line.reason)}".rstrip(", ")
        if said.get(line.id) != sentence:
            said[line.id] = sentence
            session.screen.note(sentence)


class _live:  # noqa: N801 - a context, used as one
    """A live table on stderr for whoever watches a terminal; None for everybody else."""

    def __init__(self, session: Session) -> None:
        self._on = session.screen.live

    def __enter__(self) -> "Callable[[RenderableType], None] | None":
        if not self._on:
            return None
        from rich.live import Live

        self._view = Live(console=console(stderr=True), transient=True, refresh_per_second=4)
        self._view.start()
        return lambda shown: self._view.update(shown)

    def __exit__(self, *_error: object) -> None:
        if self._on:
            self._view.stop()


async def keep_showing(session: Session, look: "Callable[[], Awaitable[RenderableType]]") -> None:
    """Until Ctrl-C."""
    session.screen.note(_("Ctrl-C ends the view"))
    with _live(session) as update:
        while True:
            shown = await look()
            if update is None:
                console().print(shown)
            else:
                update(shown)
            await asyncio.sleep(LOOK_EVERY_S)
