"""Load generator: tenants who submit jobs as fast as the hub answers. A process of its own.

    python -m benchmarks.submitters < orders.json > result.json

Every connection sends its next call when the last one is answered (a closed loop). Each call has an idempotency key of
its own, so each is a durable write of its own.
"""

import asyncio
import sys
import time
from collections import Counter
from uuid import uuid4

import msgspec
import uvloop

from benchmarks.rawhttp import Line, open_line, post


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. It ends after `seconds`, or after `jobs`, whichever is given."""

    port: int
    tokens: list[str]
    """Of the tenants; the connections take turns."""
    connections: int
    body: str
    jobs_per_call: int
    seconds: float | None = None
    jobs: int | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. Instants are of the machine's monotonic clock, which all processes share."""

    jobs: int
    began: float
    ended: float
    refused: dict[str, int]
    latencies_ms: list[float]
    """Median and 95th percentile of one call."""

    @property
    def jobs_per_s(self) -> float:
        return self.jobs / (self.ended - self.began)


class Submitters:
    def __init__(self, load: Load) -> None:
        self.load = load
        self.calls_left = None if load.jobs is None else load.jobs // load.jobs_per_call
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.working = 0
        self.done = asyncio.Event()
        self.run = uuid4().hex
        self.number = 0

    async def go(self) -> Sent:
        load = self.load
        lines = [await open_line(load.port) for _ in range(load.connections)]
        began = time.monotonic()
        self.until = None if load.seconds is None else began + load.seconds
        self.working = len(lines)
        for number, line in enumerate(lines):
            self._next(line, load.tokens[number % len(load.tokens)])
        await self.done.wait()
        ended = time.monotonic()
        for line in lines:
            line.close()
        self.latencies.sort()
        marks = [self.latencies[int(len(self.latencies) * part)] * 1e3 for part in (0.5, 0.95)]
        return Sent(
            jobs=self.accepted * load.jobs_per_call,
            began=began,
            ended=ended,
            refused=dict(self.refused),
            latencies_ms=marks,
        )

    def _next(self, line: Line, token: str) -> None:
        sent_at = time.monotonic()
        if (self.until is not None and sent_at >= self.until) or self.calls_left == 0:
            self._stop()
            return
        if self.calls_left is not None:
            self.calls_left -= 1
        self.number += 1

        def answered(status: int, body: bytes) -> None:
            self.latencies.append(time.monotonic() - sent_at)
            if status == 201:
                self.accepted += 1
            else:
                self.refused[f"{status} {body[:300].decode()}"] += 1
            self._next(line, token)

        request = post("/v1/jobs", token, self.load.body.encode(), f"{self.run}-{self.number}")
        line.send(request, answered, self._lost)

    def _lost(self) -> None:
        self.refused["connection lost"] += 1
        self._stop()

    def _stop(self) -> None:
        self.working -= 1
        if self.working == 0:
            self.done.set()


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)

    async def go() -> Sent:
        return await Submitters(load).go()

    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(go())))


if __name__ == "__main__":
    main()
