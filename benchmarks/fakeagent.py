"""One centre's agent that runs nothing: `FakeCentre` over real HTTP, with the long poll of a real agent.

    python -m benchmarks.fakeagent PORT CENTRE_ID TOKEN

Writes one JSON line per exchange that brought news: when (monotonic clock, which all processes share) the hub had
taken the reports, how many attempts run, and which were new. A line on its input ends everything that runs.
"""

import asyncio
import sys
import time

import msgspec
import uvloop

from benchmarks.rawhttp import open_line, post
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import RunOrder, SyncReply
from suanwang.testing.centre import FakeCentre

WAIT_S = 20
FOREVER_S = 10**9


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub knows now."""

    at: float
    running: int
    ended: int
    new: list[str]
    """Jobs whose start was taken in this exchange."""


def _run_on(_: RunOrder) -> tuple[int, Cause]:
    return FOREVER_S, Cause.SUCCEEDED


async def work(port: int, centre_id: str, token: str) -> None:
    centre = FakeCentre(centre_id, run_s=_run_on)
    running: set[str] = set()
    ended = 0
    decoder = msgspec.json.Decoder(SyncReply)
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), lambda: _on_input(ending, loop))
    reports_line, orders_line = await open_line(port), await open_line(port)
    path = f"/v1/agent/{centre_id}/sync"

    async def exchange(wait_s: int) -> None:
        nonlocal ended
        request = centre.request(int(time.time()), wait_s=wait_s)
        line = orders_line if wait_s else reports_line
        status, body = await line.call(post(path, token, msgspec.json.encode(request)))
        if status != 200:
            raise RuntimeError(f"the hub answered {status}: {body[:500].decode()}")
        centre.take(request, decoder.decode(body), int(time.time()))
        if centre.refused:
            raise RuntimeError(f"the hub refused reports: {centre.refused[:3]}")
        started = [report.job_id for report in request.reports if report.phase is Phase.RUNNING]
        over = [report.job_id for report in request.reports if report.phase is Phase.ENDED]
        if started or over:
            running.update(started)
            running.difference_update(over)
            ended += len(over)
            told = Told(at=time.monotonic(), running=len(running), ended=ended, new=started)
            sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
            sys.stdout.buffer.flush()

    while True:
        if ending.is_set():
            ending.clear()
            for key in centre.live:
                centre.end(key, int(time.time()), Cause.SUCCEEDED)
        if centre.outbox:
            await exchange(0)
            continue
        # Like the real agent: a held call is left when there is something to do, and made again afterwards.
        held, told = asyncio.ensure_future(exchange(WAIT_S)), asyncio.ensure_future(ending.wait())
        await asyncio.wait({held, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if held.done():
            held.result()
        else:
            held.cancel()
            orders_line.close()
            orders_line = await open_line(port)


def _on_input(ending: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    if sys.stdin.buffer.raw.read(4096):  # type: ignore[attr-defined]  # raw: there is no more to wait for
        ending.set()
    else:
        loop.remove_reader(sys.stdin.fileno())


if __name__ == "__main__":
    uvloop.run(work(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
