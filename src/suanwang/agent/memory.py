"""What the agent's loops share: the attempts in memory, always behind the journal on disk."""

import asyncio
import random
import time
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any

from suanwang.agent.attempt import Attempt
from suanwang.agent.config import AgentConfig
from suanwang.agent.drivers.driver import AttemptKey, Driver
from suanwang.agent.hub import Hub
from suanwang.agent.journal import Journal
from suanwang.protocol import PoolReport, RunOrder, StopOrder

MIN_PAUSE_S = 0.05
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0


class Memory:
    """Whoever changes `attempts` holds `changing`, so that nothing is decided on what another is about to change."""

    def __init__(
        self, config: AgentConfig, hub: Hub, driver: Driver, journal: Journal, tasks: asyncio.TaskGroup
    ) -> None:
        self.config, self.hub, self.driver, self.journal = config, hub, driver, journal
        self.version = journal.version
        self.attempts: dict[AttemptKey, Attempt] = {attempt.key: attempt for attempt in journal.load()}
        self.changing = asyncio.Lock()
        self.look_now, self.report_now = asyncio.Event(), asyncio.Event()
        self.seen_s: int | None = None
        """The last instant at which the driver saw; everything seen then is in `attempts`."""
        self.inventory: tuple[PoolReport, ...] | None = None
        self._tasks = tasks
        self._announce(self.attempts.values())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Work beside the loops. An error that it does not expect ends the agent; jobs run on."""
        self._tasks.create_task(work)

    def unsent(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts.values() if attempt.unsent]

    async def change(self, attempts: Iterable[Attempt]) -> None:
        """Write attempts to the journal, then to memory. To be called while holding `changing`."""
        rows = [attempt for attempt in attempts if attempt != self.attempts.get(attempt.key)]
        await asyncio.to_thread(self.journal.save, [row for row in rows if _matters(self.attempts.get(row.key), row)])
        self._announce(rows)

    async def take(
        self, attempts: dict[AttemptKey, Attempt], orders: tuple[RunOrder | StopOrder, ...], version: int
    ) -> None:
        """Write attempts, orders and the version that the orders lead to. To be called while holding `changing`."""
        if attempts or orders or version != self.version:
            ordered = await asyncio.to_thread(self.journal.take, attempts.values(), orders, version)
            self.version = version
            self._announce({**attempts, **ordered}.values())

    async def forget(self, keys: Iterable[AttemptKey]) -> None:
        """Drop attempts that were cleaned up. To be called while holding `changing`."""
        gone = [key for key in keys if not self.attempts[key].unsent]
        await asyncio.to_thread(self.journal.forget, gone)
        for key in gone:
            del self.attempts[key]

    def _announce(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self.attempts[attempt.key] = attempt
            if attempt.unsent:
                self.report_now.set()


def _matters(before: Attempt | None, after: Attempt) -> bool:
    """Whether a change is worth a write: progress that was read can be read again."""
    if before is None:
        return True
    return replace(after, progress_offset=before.progress_offset, progress=before.progress) != before


def backoff_s(failures: int) -> float:
    """Doubling, and different for every agent, so that a returning hub is not met by all at once."""
    return min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)


def clock_s() -> int:
    return int(time.time())
