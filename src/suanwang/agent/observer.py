"""The agent's eyes and hands at the centre: look by the driver, reconcile, write down, act."""

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from suanwang.agent.attempt import NEEDS_NO_CHECKPOINT, Attempt, Wanted, begun, closed, noted, progressed
from suanwang.agent.drivers.driver import BAD_JOB, AttemptKey, Observation
from suanwang.agent.hub import fetch_materials
from suanwang.agent.memory import MIN_PAUSE_S, Memory, backoff_s, clock_s
from suanwang.agent.progress import ProgressSlice
from suanwang.agent.reconcile import Action, Adopt, Close, Look, Note, Start, Stop, reconcile
from suanwang.agent.upload import UPLOADS, Uploads
from suanwang.domain.job import Cause, Phase
from suanwang.errors import Failed, Refused

log = logging.getLogger("suanwang.agent")

STARTS_AT_ONCE = 8
STOP_AGAIN_S = 5.0
LEAK_AFTER_S = 60.0
"""An attempt that outlives a stop for so long is shown as possibly leaked."""
LAST_UPLOAD_PATIENCE_S = 20.0
"""An end waits so long for the upload of the last checkpoint, so that the next attempt can resume from it."""
MAX_PROGRESS_READS = 64
OF_THE_JOB = frozenset({BAD_JOB, "BAD_ARCHIVE"})
"""Refusals that no other centre would spare the job: it ends with the reason, and no centre is to blame."""
BLOBS = "blobs"


class Observer:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._uploads = Uploads(memory)
        self._looking = asyncio.Lock()
        self._starters = ThreadPoolExecutor(STARTS_AT_ONCE, thread_name_prefix="start")
        self._starting: set[AttemptKey] = set()
        # By attempt, on the steady clock; forgotten with the agent.
        self._retry: dict[AttemptKey, tuple[int, float, float]] = {}
        self._stop_asked: dict[AttemptKey, tuple[float, float]] = {}
        self._absent_since: dict[AttemptKey, float] = {}
        self._ending_since: dict[AttemptKey, float] = {}

    def close(self) -> None:
        self._starters.shutdown(wait=False, cancel_futures=True)

    async def look_often(self) -> None:
        memory = self._memory
        while True:
            memory.look_now.clear()
            try:
                await self.look()
            except (Failed, OSError) as error:
                log.warning("cannot see what runs: %s", error)
            await asyncio.sleep(MIN_PAUSE_S)
            # Not `wait_for`: where both come at once, it lets a result win over the end of the agent (Python 3.11).
            with suppress(TimeoutError):
                async with asyncio.timeout(memory.config.poll_s):
                    await memory.look_now.wait()

    async def look(self) -> None:
        """One look and what follows. Raises Failed or OSError when the driver cannot see; then nothing follows."""
        memory = self._memory
        async with self._looking:
            seen_s = clock_s()
            observed = await asyncio.to_thread(memory.driver.observe)
            read = await asyncio.to_thread(self._read_progress, observed, seen_s)
            async with memory.changing:
                actions = [action for action in reconcile(memory.attempts, observed) if self._is_due(action)]
                after = [self._decided(action, read, seen_s) for action in actions]
                await memory.change([attempt for attempt in after if attempt is not None])
                if not self._ending_since:
                    memory.seen_s = seen_s
            for action in actions:
                await self._act(action)
        self._uploads.begin()

    def _is_due(self, action: Action) -> bool:
        now = time.monotonic()
        if isinstance(action, Start):
            _, _, not_before = self._retry.get(action.key, (0, 0.0, 0.0))
            return action.key not in self._starting and now >= not_before
        if isinstance(action, Stop):
            _, last = self._stop_asked.get(action.key, (0.0, now - STOP_AGAIN_S))
            return now - last >= STOP_AGAIN_S
        return not isinstance(action, Look) or action.key not in self._starting

    def _decided(self, action: Action, read: Mapping[AttemptKey, ProgressSlice], now_s: int) -> Attempt | None:
        """What an action means for the attempt's row."""
        if isinstance(action, Adopt):
            log.info("found attempt %s, which the journal does not know", action.key)
            return noted(Attempt(key=action.key, wanted=Wanted.RUN), action.seen, now_s)
        attempt = self._memory.attempts[action.key]
        if isinstance(action, Note):
            self._absent_since.pop(action.key, None)
            if action.key in read:
                attempt = progressed(attempt, read[action.key], now_s, self._memory.config.progress_s)
            if self._waits_for_upload(attempt, action.seen):
                return attempt
            return noted(attempt, self._with_alarm(action), now_s)
        if isinstance(action, Start):
            return begun(attempt, now_s)
        if isinstance(action, Close):
            return closed(attempt, now_s, "stopped before it started")
        return None

    def _waits_for_upload(self, attempt: Attempt, seen: Observation) -> bool:
        """Whether an end is held back until the last checkpoint is safe."""
        if seen.phase is Phase.ENDED and attempt.mark is not None and seen.cause not in NEEDS_NO_CHECKPOINT:
            now = time.monotonic()
            if now - self._ending_since.setdefault(attempt.key, now) < LAST_UPLOAD_PATIENCE_S:
                return True
        self._ending_since.pop(attempt.key, None)
        return False

    def _with_alarm(self, action: Note) -> Observation:
        now = time.monotonic()
        first, _ = self._stop_asked.get(action.key, (now, now))
        if action.seen.phase is Phase.ENDED or now - first < LEAK_AFTER_S:
            return action.seen
        return replace(action.seen, detail="told to stop and still alive: it may hold its chips in vain")

    async def _act(self, action: Action) -> None:
        if isinstance(action, Start):
            self._starting.add(action.key)
            self._memory.spawn(self._start(action.key))
        elif isinstance(action, Stop):
            await self._stop(action.key)
        elif isinstance(action, Look):
            await self._look_again(action.key)
        elif self._memory.attempts[action.key].ended:
            for memory in (self._retry, self._stop_asked, self._absent_since):
                memory.pop(action.key, None)

    async def _start(self, key: AttemptKey) -> None:
        memory = self._memory
        order = memory.attempts[key].order
        try:
            if order is None:
                raise Refused("an attempt without an order", code="NO_ORDER")
            materials = await fetch_materials(memory.hub, memory.config.state_dir / BLOBS, order)
            await asyncio.get_running_loop().run_in_executor(self._starters, memory.driver.start, order, materials)
        except Refused as no:
            await self._give_up(key, Cause.SETUP_FAILED if no.code in OF_THE_JOB else Cause.NEVER_STARTED, str(no))
        except (Failed, OSError) as error:
            log.warning("attempt %s cannot be started: %s", key, error)
            now = time.monotonic()
            tries, first, _ = self._retry.get(key, (0, now, now))
            self._retry[key] = (tries + 1, first, now + backoff_s(tries))
            if now - first >= memory.config.start_patience_s:
                await self._give_up(key, Cause.NEVER_STARTED, str(error))
        finally:
            self._starting.discard(key)
            memory.look_now.set()

    async def _give_up(self, key: AttemptKey, cause: Cause, why: str) -> None:
        """It is reported as ended once the driver confirms that it does not exist."""
        async with self._memory.changing:
            attempt = self._memory.attempts[key]
            await self._memory.change([replace(attempt, gave_up=cause, why=why, wanted=Wanted.STOP)])

    async def _stop(self, key: AttemptKey) -> None:
        now = time.monotonic()
        first, _ = self._stop_asked.get(key, (now, now))
        self._stop_asked[key] = (first, now)
        try:
            await asyncio.to_thread(self._memory.driver.stop, key)
            self._memory.look_now.set()
        except (Failed, Refused, OSError) as error:
            log.warning("attempt %s cannot be stopped: %s", key, error)

    async def _look_again(self, key: AttemptKey) -> None:
        """The driver did not show it: it is lost once the second source does not know it either, and for long."""
        memory = self._memory
        try:
            seen = await asyncio.to_thread(memory.driver.find, key)
        except Refused:
            seen = None  # No such attempt can be here.
        except (Failed, OSError) as error:
            log.warning("cannot look for attempt %s: %s", key, error)
            return
        now = time.monotonic()
        async with memory.changing:
            attempt = memory.attempts[key]
            if seen is not None:
                self._absent_since.pop(key, None)
                await memory.change([noted(attempt, seen, clock_s())])
            elif now - self._absent_since.setdefault(key, now) >= memory.config.lost_after_s:
                del self._absent_since[key]
                why = "neither the scheduler nor its records know it any more"
                await memory.change([closed(attempt, clock_s(), why)])

    def _read_progress(self, observed: Mapping[AttemptKey, Observation], now_s: int) -> dict[AttemptKey, ProgressSlice]:
        """New progress lines of all that runs; of what has ended, all that is left. In a thread."""
        read = {}
        for key, seen in observed.items():
            attempt = self._memory.attempts.get(key)
            if attempt is None or attempt.ended or seen.phase not in (Phase.RUNNING, Phase.ENDED):
                continue
            reads = MAX_PROGRESS_READS if seen.phase is Phase.ENDED else 1
            try:
                read[key] = self._read_one(key, attempt.progress_offset, now_s, reads)
            except (Failed, OSError) as error:
                log.warning("the progress of %s cannot be read: %s", key, error)
        return read

    def _read_one(self, key: AttemptKey, offset: int, now_s: int, reads: int) -> ProgressSlice:
        known = ProgressSlice(offset)
        for _ in range(reads):
            more = self._memory.driver.read_progress(key, known.offset, now_s)
            if more.offset == known.offset:
                break
            progress, checkpoint = more.progress or known.progress, more.checkpoint or known.checkpoint
            known = ProgressSlice(more.offset, progress, checkpoint)
        return known

    async def clean(self, before_s: int) -> None:
        """Forget attempts that ended before an instant, once the hub has taken their end, and archives as old."""
        memory = self._memory
        async with self._looking:
            gone = []
            for key in [key for key, attempt in memory.attempts.items() if _is_old(attempt, before_s)]:
                try:
                    await asyncio.to_thread(memory.driver.forget, key)
                    gone.append(key)
                except (Failed, Refused, OSError) as error:
                    log.warning("attempt %s cannot be cleaned up: %s", key, error)
            async with memory.changing:
                await memory.forget(gone)
        for name in (BLOBS, UPLOADS):
            await asyncio.to_thread(_remove_older, memory.config.state_dir / name, before_s)


def _remove_older(folder: Path, before_s: int) -> None:
    for path in folder.iterdir() if folder.exists() else ():
        if path.stat().st_mtime < before_s:
            path.unlink(missing_ok=True)


def _is_old(attempt: Attempt, before_s: int) -> bool:
    report = attempt.report
    return report is not None and attempt.ended and not attempt.unsent and (report.ended_s or 0) <= before_s
