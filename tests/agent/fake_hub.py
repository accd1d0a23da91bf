"""A hub for the agent's tests: it keeps the contract of the protocol in memory, in this process or across a socket."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from suanwang.agent.drivers.driver import AttemptKey
from suanwang.domain.job import Phase
from suanwang.errors import NotFound, Unreachable
from suanwang.protocol import (
    LogChunk,
    LogRequest,
    RefusedReport,
    Report,
    RunOrder,
    StopOrder,
    SyncReply,
    SyncRequest,
)


class FakeHub:
    """Orders with rising versions, reports applied once, blobs by digest; and a line that may be cut."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.orders: list[RunOrder | StopOrder] = []
        self.reports: dict[AttemptKey, list[Report]] = {}
        self.requests: list[SyncRequest] = []
        self.blobs: dict[str, bytes] = {}
        self.log_requests: list[LogRequest] = []
        self.chunks: dict[str, LogChunk] = {}
        self.refusals: dict[AttemptKey, str] = {}
        self.silent = False
        self.loses_replies = 0
        """So many of the next syncs take effect without an answer."""
        self.refuses_blobs = False
        self.repeats_orders = False
        """Every reply carries all orders."""

    # What a test says and asks

    def order(self, order: RunOrder | StopOrder) -> AttemptKey:
        with self.changed:
            version = 1 + max((known.version for known in self.orders), default=0)
            self.orders.append(replace(order, version=version))
            self.changed.notify_all()
        return AttemptKey(order.job_id, order.attempt)

    def stop(self, key: AttemptKey) -> None:
        self.order(StopOrder(job_id=key.job_id, attempt=key.attempt, version=0))

    def ask_log(self, key: AttemptKey, offset: int, limit: int) -> str:
        with self.changed:
            request_id = f"log-{len(self.log_requests)}-{offset}"
            asked = LogRequest(
                request_id=request_id, job_id=key.job_id, attempt=key.attempt, offset=offset, limit=limit
            )
            self.log_requests.append(asked)
            self.changed.notify_all()
        return request_id

    def last(self, key: AttemptKey) -> Report | None:
        with self.changed:
            reports = self.reports.get(key)
            return reports[-1] if reports else None

    def end(self, key: AttemptKey) -> Report | None:
        """The report of the end, once it is there."""
        last = self.last(key)
        return last if last is not None and last.phase is Phase.ENDED else None

    # The hub's side of the contract

    def exchange(self, request: SyncRequest) -> SyncReply:
        with self.changed:
            refused = self._receive(request)
            self.changed.wait_for(lambda: self._news(request.version), timeout=request.wait_s)
            return self._reply(request, refused)

    def _receive(self, request: SyncRequest) -> tuple[RefusedReport, ...]:
        self._be_reachable()
        self.requests.append(request)
        refused = tuple(no for no in map(self._take, request.reports) if no is not None)
        for chunk in request.log_chunks:
            self.chunks[chunk.request_id] = chunk
        if self.loses_replies:
            self.loses_replies -= 1
            raise Unreachable("the answer was lost")
        return refused

    def _reply(self, request: SyncRequest, refused: tuple[RefusedReport, ...]) -> SyncReply:
        self._be_reachable()
        return SyncReply(
            now_s=request.now_s,
            version=max((order.version for order in self.orders), default=0),
            orders=tuple(order for order in self.orders if self.repeats_orders or order.version > request.version),
            refused=refused,
            log_requests=tuple(one for one in self.log_requests if one.request_id not in self.chunks),
            poll_s=1,
        )

    def _news(self, version: int) -> bool:
        return any(order.version > version for order in self.orders) or len(self.log_requests) > len(self.chunks)

    def _take(self, report: Report) -> RefusedReport | None:
        key = AttemptKey(report.job_id, report.attempt)
        if key in self.refusals:
            return RefusedReport(
                job_id=key.job_id, attempt=key.attempt, sequence=report.sequence, code=self.refusals[key], detail="no"
            )
        known = self.reports.setdefault(key, [])
        if not known or known[-1].sequence < report.sequence:
            known.append(report)
        return None

    def _be_reachable(self) -> None:
        if self.silent:
            raise Unreachable("nobody answers")

    def keep(self, body: bytes) -> str:
        self._be_reachable()
        if self.refuses_blobs:
            raise Unreachable("no answer to an upload")
        digest = sha256(body).hexdigest()
        self.blobs[digest] = body
        return digest

    def give(self, digest: str) -> bytes:
        self._be_reachable()
        if digest not in self.blobs:
            raise NotFound("no such blob", sha256=digest)
        return self.blobs[digest]

    # suanwang.agent.hub.Hub

    async def sync(self, request: SyncRequest) -> SyncReply:
        with self.changed:
            refused = self._receive(request)
        for _ in range(request.wait_s * 50):
            if self._news(request.version):
                break
            await asyncio.sleep(0.02)
        with self.changed:
            return self._reply(request, refused)

    async def get_blob(self, sha256: str) -> bytes:
        return self.give(sha256)

    async def put_blob(self, body: bytes) -> str:
        return self.keep(body)


class HubSocket:
    """A FakeHub for agents in other processes: one call for each connection to a Unix socket."""

    def __init__(self, hub: FakeHub, path: Path) -> None:
        self._hub = hub
        self._path = str(path)
        self._listener = Listener(self._path, "AF_UNIX", backlog=64)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._open = False
        with suppress(OSError), Client(self._path, "AF_UNIX"):
            pass
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while self._open:
            connection = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Any) -> None:
        calls: dict[str, Callable[[Any], Any]] = {
            "sync": self._hub.exchange,
            "get_blob": self._hub.give,
            "put_blob": self._hub.keep,
        }
        with connection, suppress(EOFError, OSError):  # The agent may have been killed.
            name, argument = connection.recv()
            try:
                connection.send((True, calls[name](argument)))
            except (Unreachable, NotFound) as error:
                connection.send((False, (type(error), error.message)))


class RemoteHub:
    """The agent's end of a HubSocket."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    async def sync(self, request: SyncRequest) -> SyncReply:
        reply: SyncReply = await asyncio.to_thread(self._call, "sync", request)
        return reply

    async def get_blob(self, sha256: str) -> bytes:
        body: bytes = await asyncio.to_thread(self._call, "get_blob", sha256)
        return body

    async def put_blob(self, body: bytes) -> str:
        digest: str = await asyncio.to_thread(self._call, "put_blob", body)
        return digest

    def _call(self, name: str, argument: Any) -> Any:
        try:
            with Client(self._path, "AF_UNIX") as connection:
                connection.send((name, argument))
                holds, answer = connection.recv()
        except (OSError, EOFError) as error:
            raise Unreachable("the hub's socket does not answer") from error
        if not holds:
            kind, message = answer
            raise kind(message)
        return answer
