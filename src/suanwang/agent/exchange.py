"""The agent's line to the hub: everything unsent goes up, orders come down, logs are read on request."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import replace

from suanwang import __version__
from suanwang.agent.attempt import Wanted
from suanwang.agent.drivers.driver import AttemptKey, LogSlice
from suanwang.agent.memory import MIN_PAUSE_S, Memory, backoff_s, clock_s
from suanwang.errors import Failed, Refused
from suanwang.protocol import (
    MAX_LOG_CHUNK_BYTES,
    MAX_REPORTS_PER_SYNC,
    LogChunk,
    LogRequest,
    PoolReport,
    SyncReply,
    SyncRequest,
)

log = logging.getLogger("suanwang.agent")

MAX_WAITING_CHUNKS, CHUNKS_PER_SYNC = 64, 8
STALE = "STALE_ATTEMPT"


class Exchange:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._inventory_known: tuple[PoolReport, ...] | None = None
        self._chunks: deque[LogChunk] = deque(maxlen=MAX_WAITING_CHUNKS)
        self._answering: set[str] = set()

    async def watch(self) -> None:
        """Long-poll for orders."""
        failures = 0
        longest_s = self._memory.config.wait_s
        while True:
            began = time.monotonic()
            wait_s = 0 if self._has_news() else longest_s
            try:
                reply, news = await self.once(wait_s)
            except (Failed, Refused) as error:
                failures = await _back_off(failures, error)
                continue
            failures = 0
            # A hub that held the answer is asked again at once, one that did not is not to be flooded.
            soon = news or wait_s < longest_s
            await asyncio.sleep(MIN_PAUSE_S if soon else max(MIN_PAUSE_S, reply.poll_s - (time.monotonic() - began)))

    async def report(self) -> None:
        """Send what is new at once."""
        failures = 0
        news = self._memory.report_now
        while True:
            await news.wait()
            await asyncio.sleep(MIN_PAUSE_S)  # What belongs together goes together.
            news.clear()
            if not self._has_news():
                continue
            try:
                await self.once(0)
                failures = 0
                again = self._has_news()
            except (Failed, Refused) as error:
                failures = await _back_off(failures, error)
                again = True
            if again:
                news.set()

    async def once(self, wait_s: int) -> tuple[SyncReply, bool]:
        """One sync, and whether its reply brought anything new. Raises Failed, Refused; nothing is lost then."""
        memory = self._memory
        unsent = [attempt.report for attempt in memory.unsent() if attempt.report is not None]
        chunks = [self._chunks.popleft() for _ in range(min(CHUNKS_PER_SYNC, len(self._chunks)))]
        inventory = memory.inventory if memory.inventory != self._inventory_known else None
        request = SyncRequest(
            agent_id=memory.journal.agent_id,
            version=memory.version,
            now_s=clock_s(),
            agent_release=__version__,
            driver=memory.driver.name,
            # "The rest is as last reported" is true only together with all that is to be reported.
            unchanged_s=memory.seen_s if len(unsent) <= MAX_REPORTS_PER_SYNC else None,
            wait_s=wait_s,
            reports=tuple(unsent[:MAX_REPORTS_PER_SYNC]),
            log_chunks=tuple(chunks),
            inventory=inventory,
        )
        try:
            reply = await memory.hub.sync(request)
        except (Failed, Refused):
            self._chunks.extendleft(reversed(chunks))
            raise
        if inventory is not None:
            self._inventory_known = inventory
        return reply, await self._take(request, reply)

    def _has_news(self) -> bool:
        return bool(self._chunks) or bool(self._memory.unsent())

    async def _take(self, request: SyncRequest, reply: SyncReply) -> bool:
        """Orders into the journal, then the version; reports that arrived need not be sent again."""
        memory = self._memory
        async with memory.changing:
            taken = {}
            for report in request.reports:
                attempt = memory.attempts.get(AttemptKey(report.job_id, report.attempt))
                if attempt is not None and attempt.taken < report.sequence:
                    taken[attempt.key] = replace(attempt, taken=report.sequence)
            for no in reply.refused:
                log.warning("the hub refused a report of %s.%s: %s %s", no.job_id, no.attempt, no.code, no.detail)
                attempt = taken.get(AttemptKey(no.job_id, no.attempt))
                # Any other refusal may come of a hub mixed up; an attempt goes on rather than die of that.
                if no.code == STALE and attempt is not None:
                    taken[attempt.key] = replace(attempt, wanted=Wanted.STOP)
            # Two exchanges may overlap; a hub that really went back (a restored copy) is followed.
            went_back = reply.version < request.version
            await memory.take(taken, reply.orders, reply.version if went_back else max(memory.version, reply.version))
        if reply.orders:
            memory.look_now.set()
        fresh = [wanted for wanted in reply.log_requests if wanted.request_id not in self._answering]
        for wanted in fresh:
            self._answering.add(wanted.request_id)
            memory.spawn(self._answer(wanted))
        return bool(fresh) or reply.version != request.version

    async def _answer(self, request: LogRequest) -> None:
        memory = self._memory
        key = AttemptKey(request.job_id, request.attempt)
        attempt = memory.attempts.get(key)
        over = attempt is None or attempt.ended  # Asked first: what is read afterwards is then the whole.
        try:
            limit = min(request.limit, MAX_LOG_CHUNK_BYTES)
            part = await asyncio.to_thread(memory.driver.read_log, key, request.offset, limit)
        except (Failed, Refused, OSError) as error:
            log.warning("the log of %s cannot be read: %s", key, error)
            part = LogSlice(request.offset, 0, "")
        reaches_end = part.offset + len(part.text.encode()) >= part.size
        self._chunks.append(
            LogChunk(
                request_id=request.request_id,
                offset=part.offset,
                size=part.size,
                text=part.text,
                ended=over and reaches_end,
            )
        )
        self._answering.discard(request.request_id)
        memory.report_now.set()


async def _back_off(failures: int, error: Exception) -> int:
    log.warning("the hub does not answer as it should (%d): %s", failures + 1, error)
    await asyncio.sleep(backoff_s(failures))
    return failures + 1
