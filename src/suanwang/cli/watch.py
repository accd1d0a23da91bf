"""Live tables: look again and again, show what changed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from suanwang.cli.joblines import counts_line, job_table
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
    from suanwang.domain.job import ENDED_STATES

    wanted, said = set(job_ids), dict[str, str]()
    with _live(session) as update:
        while True:
            lines = await _patiently(session, lambda: find_lines(session, wanted))
            if update is not None:
                update(
                    job_table(
                        sorted(lines, key=lambda line: line.state in ENDED_STATES)[:SHOWN],
                        counts_line(Counter(line.state for line in lines)),
                        narrow=session.screen.narrow,
                    )
                )
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


def _tell_changes(session: Session, lines: "list[JobLine]", said: dict[str, str]) -> None:
    for line in lines:
        sentence = f"{line.name} ({line.number}): {word(line.state)}, {say(line.reason)}".rstrip(", ")
        if said.get(line.id) != sentence:
            said[line.id] = sentence
            session.screen.note(sentence)


@contextmanager
def _live(session: Session) -> "Iterator[Callable[[RenderableType], None] | None]":
    """A live table on stderr for whoever watches a terminal; None for everybody else."""
    if not session.screen.live:
        yield None
        return
    from rich.live import Live

    with Live(console=console(stderr=True), transient=True, refresh_per_second=4) as view:
        yield view.update


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
