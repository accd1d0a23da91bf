"""A whole network as processes of this machine: one hub, one agent for each centre; for demonstrations and tests."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from suanwang.errors import Failed
from suanwang.store import embedded

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 15.0
UNSEEN_AFTER_S = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Processes:
    """What was started, by name. Output goes to `home/logs`."""

    home: Path
    port: int = field(default_factory=free_port)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self, name: str, *arguments: str, **environment: str) -> None:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        with (self.home / "logs" / f"{name}.log").open("ab") as output:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "suanwang", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "SUANWANG_HOME": str(self.home), "OMP_NUM_THREADS": "1", **environment},
                start_new_session=True,  # Ctrl-C is for this program, which then ends the others in order
            )

    async def start_hub(self) -> None:
        """Returns once it answers; the administrator's profile is then in `home/profiles`."""
        self._start("hub", "up", "--port", str(self.port), SUANWANG_UNSEEN_AFTER_S=str(UNSEEN_AFTER_S))
        async with httpx.AsyncClient(base_url=self.url) as client, asyncio.timeout(START_PATIENCE_S):
            while not await self._answers(client):
                self._require_alive("hub")
                await asyncio.sleep(0.1)

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        profile = self.home / "profiles" / "default.json"
        try:
            return (await client.get("/health")).is_success and await asyncio.to_thread(profile.exists)
        except httpx.HTTPError:
            return False

    def admin_token(self) -> str:
        """Of the first administrator, as `suanwang up` stored it."""
        text = (self.home / "profiles" / "default.json").read_bytes()
        token: str = msgspec.json.decode(text, type=dict[str, str])["token"]
        return token

    def start_agent(self, centre_id: str, centre_file: Path, token_file: Path) -> None:
        self._start(
            f"agent-{centre_id}",
            "agent",
            "--centre",
            str(centre_file),
            "--url",
            self.url,
            "--token-file",
            str(token_file),
            "--state",
            str(self.home / "centres" / centre_id),
        )

    def kill(self, name: str) -> None:
        """`hub` or `agent-<centre>`, as a power cut would: no good-bye."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def database_pid(self) -> int | None:
        """The embedded server's first process."""
        return embedded.running(self.home / "database")

    def _require_alive(self, name: str) -> None:
        code = self.running[name].poll()
        if code is not None:
            log = (self.home / "logs" / f"{name}.log").read_text("utf-8", "replace")[-2_000:]
            raise Failed(f"{name} ended with {code}:\n{log}", code="PROCESS_ENDED")

    def stop(self) -> None:
        """Agents first, then the hub, which stops its database; and the jobs, which would outlive both."""
        for name in sorted(self.running, key=lambda name: name == "hub"):
            process = self.running[name]
            process.terminate()
            try:
                process.wait(STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()
        for pid in self.jobs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def jobs(self) -> list[int]:
        """Processes of jobs that the agents of this network started, by the mark that they carry."""
        mark = f"SUANWANG_RUN_FOLDER={self.home}/".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                marks = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if any(variable.startswith(mark) for variable in marks):
                found.append(int(entry.name))
        return found


def worker_of(job_id: str, attempt: int, word: str) -> int | None:
    """The process of an attempt whose command line holds `word`, found by the mark that the agent puts on it."""
    marks = {f"SUANWANG_JOB_ID={job_id}".encode(), f"SUANWANG_ATTEMPT={attempt}".encode()}
    for entry in Path("/proc").iterdir():
        try:
            marked = entry.name.isdigit() and marks <= set((entry / "environ").read_bytes().split(b"\0"))
            if marked and word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                return int(entry.name)
        except OSError:
            continue
    return None


def kill_worker(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
