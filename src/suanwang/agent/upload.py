"""Checkpoints on their way to the hub: packed, sent, reported; again later if that fails, never in a loop's way."""

import asyncio
import logging
import time
from pathlib import Path

from suanwang.agent.archive import TooLarge
from suanwang.agent.attempt import Attempt, kept
from suanwang.agent.drivers.driver import AttemptKey
from suanwang.agent.memory import Memory, clock_s
from suanwang.agent.progress import CheckpointMark
from suanwang.errors import Failed, Refused
from suanwang.protocol import MAX_BLOB_BYTES, Checkpoint

log = logging.getLogger("suanwang.agent")

UPLOADS_AT_ONCE = 2
FIRST_RETRY_S, MAX_RETRY_S = 1.0, 300.0
UPLOADS = "uploads"


class Uploads:
    """The uploads under way, at most one for each attempt."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._slots = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._running: set[AttemptKey] = set()
        self._retry: dict[AttemptKey, tuple[CheckpointMark, int, float]] = {}

    def begin(self) -> None:
        """Start the upload of every checkpoint that waits for one."""
        for key, attempt in self._memory.attempts.items():
            if attempt.mark is not None and not attempt.ended and key not in self._running and self._is_due(attempt):
                self._running.add(key)
                self._memory.spawn(self._upload(attempt, attempt.mark))

    def _is_due(self, attempt: Attempt) -> bool:
        mark, _, not_before = self._retry.get(attempt.key, (None, 0, 0.0))
        return mark != attempt.mark or time.monotonic() >= not_before

    async def _upload(self, attempt: Attempt, mark: CheckpointMark) -> None:
        memory = self._memory
        try:
            async with self._slots:
                checkpoint, final = await self._send(attempt.key, mark)
            self._plan_retry(attempt.key, mark, final)
            async with memory.changing:
                before = memory.attempts.get(attempt.key)
                if before is not None:
                    await memory.change([kept(before, mark, checkpoint, clock_s(), final)])
        finally:
            self._running.discard(attempt.key)
        memory.look_now.set()

    def _plan_retry(self, key: AttemptKey, mark: CheckpointMark, final: bool) -> None:
        known, tries, _ = self._retry.pop(key, (None, 0, 0.0))
        if not final:
            tries = tries + 1 if known == mark else 1
            pause_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(tries - 1, 10))
            self._retry[key] = (mark, tries, time.monotonic() + pause_s)

    async def _send(self, key: AttemptKey, mark: CheckpointMark) -> tuple[Checkpoint | None, bool]:
        """What to report of the checkpoint, and whether that is final. None: nothing to report."""
        memory = self._memory
        archive = memory.config.state_dir / UPLOADS / f"{key}.tar.gz"
        size_bytes = 0
        try:
            size_bytes = await asyncio.to_thread(_pack, memory, key, mark.entry, archive)
            body = await asyncio.to_thread(archive.read_bytes)
            digest = await memory.hub.put_blob(body)
            return _checkpoint(mark, size_bytes, digest), True
        except TooLarge as error:
            return _checkpoint(mark, int(error.facts["size_bytes"]), None), True
        except Refused as no:
            log.warning("the checkpoint of %s at step %d: %s", key, mark.step, no)
            if no.code == "BAD_CHECKPOINT":
                return None, True
            return _checkpoint(mark, size_bytes, None), no.code != "CHANGED"
        except (Failed, OSError) as error:
            log.warning("the checkpoint of %s at step %d is not uploaded yet: %s", key, mark.step, error)
            return _checkpoint(mark, size_bytes, None), False
        finally:
            await asyncio.to_thread(archive.unlink, missing_ok=True)


def _pack(memory: Memory, key: AttemptKey, entry: str | None, archive: Path) -> int:
    archive.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return memory.driver.pack_checkpoint(key, entry, archive, MAX_BLOB_BYTES)


def _checkpoint(mark: CheckpointMark, size_bytes: int, digest: str | None) -> Checkpoint:
    return Checkpoint(step=mark.step, kept_until_s=mark.at_s, size_bytes=size_bytes, blob_sha256=digest)
