"""One centre's agent that runs nothing: `FakeCentre` over real HTTP, with the two lines of a real agent.

    python -m benchmarks.fakeagent PORT CENTRE_ID TOKEN

One line holds the long poll for orders, the other reports at once. Writes one JSON line for each exchange that brought
the hub news. A line on its input ends everything that runs.
"""

import asyncio
import sys
import time
from dataclasses import replace

import msgspec
import uvloop

from benchmarks.rawhttp import Line, open_line, post
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import RunOrder, SyncReply, SyncRequest
from suanwang.testing.centre import FakeCentre

WAIT_S = 20
FOREVER_S = 10**9


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub knows now. `at`: of the machine's monotonic clock, which all processes share."""

    at: float
    running: int
    ended: int
    started: list[str]
    """Jobs whose start was taken in this exchange."""


def _run_on(_: RunOrder) -> tuple[int, Cause]:
    return FOREVER_S, Cause.SUCCEEDED


class FakeAgent:
    def __init__(self, centre: FakeCentre, port: int, path: str, token: str) -> None:
        self.centre, self.port, self.path, self.token = centre, port, path, token
        self.running: set[str] = set()
        self.ended = 0
        self.news = asyncio.Event()
        self.decoder = msgspec.json.Decoder(SyncReply)

    async def watch(self, line: Line) -> None:
        while True:
            await self._exchange(line, replace(self.centre.request(int(time.time()), wait_s=WAIT_S), reports=()))

    async def report(self, line: Line) -> None:
        while True:
            await self.news.wait()
            self.news.clear()
            while self.centre.outbox:
                if line.closed:
                    line = await open_line(self.port)
                request = self.centre.request(int(time.time()))
                await self._exchange(line, request)
                self._tell(request)

    async def _exchange(self, line: Line, request: SyncRequest) -> None:
        status, body = await line.call(post(self.path, self.token, msgspec.json.encode(request)))
        if status != 200:
            raise RuntimeError(f"the hub answered {status}: {body[:500].decode()}")
        self.centre.take(request, self.decoder.decode(body), int(time.time()))
        if self.centre.refused:
            raise RuntimeError(f"the hub refused reports: {self.centre.refused[:3]}")
        if self.centre.outbox:
            self.news.set()

    def _tell(self, request: SyncRequest) -> None:
        started = [report.job_id for report in request.reports if report.phase is Phase.RUNNING]
        over = [report.job_id for report in request.reports if report.phase is Phase.ENDED]
        self.running.update(started)
        self.running.difference_update(over)
        self.ended += len(over)
        told = Told(at=time.monotonic(), running=len(self.running), ended=self.ended, started=started)
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()

    def end_all(self) -> None:
        for key in self.centre.live:
            self.centre.end(key, int(time.time()), Cause.SUCCEEDED)
        self.news.set()


async def work(port: int, centre_id: str, token: str) -> None:
    agent = FakeAgent(FakeCentre(centre_id, run_s=_run_on), port, f"/v1/agent/{centre_id}/sync", token)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(agent.watch(await open_line(port)))]
        work.append(tasks.create_task(agent.report(await open_line(port))))
        while await orders.readline():
            agent.end_all()
        for task in work:
            task.cancel()


if __name__ == "__main__":
    uvloop.run(work(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
