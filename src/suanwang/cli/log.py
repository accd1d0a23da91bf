"""A job's output as it stands, or as it grows."""

import asyncio
import sys

from suanwang.cli.screen import write_json
from suanwang.cli.session import Session
from suanwang.domain.job import ENDED_STATES
from suanwang.errors import NotFound, Unreachable
from suanwang.i18n import _
from suanwang.wire import Log

LOOK_EVERY_S = 0.5


async def print_log(session: Session, job: str, attempt: int | None, *, follow: bool) -> None:
    """Print from the beginning; with `follow` until the job is over, through all attempts that come.

    Raises NotFound if there is no such job, Unreachable if its centre is silent and nobody follows.
    """
    texts: list[str] = []
    last: Log | None = None
    offset = 0
    while True:
        piece = await _next_piece(session, job, attempt, offset, follow=follow)
        if piece is None:
            break
        if last is not None and piece.attempt != last.attempt:
            session.screen.note(_("attempt {number} begins").format(number=piece.attempt))
            if piece.offset:  # read from where the one before ended
                last, offset = piece, 0
                continue
        _write(session, piece.text, texts)
        last, offset = piece, piece.next_offset
        if not follow and (not piece.text or piece.ended):
            break
        if piece.ended and (attempt is not None or await _is_over(session, job)):
            break
        if not piece.text:
            await asyncio.sleep(LOOK_EVERY_S)
    if session.screen.as_json:
        write_json(
            {
                "job": job,
                "attempt": last.attempt if last else attempt,
                "next_offset": offset,
                "ended": bool(last and last.ended),
                "text": "".join(texts),
            }
        )


async def _next_piece(session: Session, job: str, attempt: int | None, offset: int, *, follow: bool) -> Log | None:
    """A piece of the log; with `follow`, wait for an attempt to begin and for a silent centre. None: it never began."""
    told = False
    while True:
        try:
            return await session.hub.log(job, offset=offset, attempt=attempt)
        except NotFound:
            if not follow:
                raise
            if await _is_over(session, job):  # raises NotFound if there is no such job
                return None
        except Unreachable as error:
            if not follow:
                raise
            if not told:
                session.screen.note(error.message)
                told = True
        await asyncio.sleep(LOOK_EVERY_S)


async def _is_over(session: Session, job: str) -> bool:
    return (await session.hub.job(job)).state in ENDED_STATES


def _write(session: Session, text: str, texts: list[str]) -> None:
    if session.screen.as_json:
        texts.append(text)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
