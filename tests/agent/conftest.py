"""Agents for tests, and the promise that no test leaves a process behind."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from suanwang.agent.drivers import runner
from suanwang.agent.drivers.driver import Driver
from suanwang.agent.loop import run_agent
from tests.agent.fake_hub import FakeHub
from tests.agent.place import agent_config

RunningAgent = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def running_agent(tmp_path: Path, hub: FakeHub) -> RunningAgent:
    """`async with running_agent(state="a", **settings):` an agent works meanwhile, and ends cleanly."""

    @asynccontextmanager
    async def running(state: str = "state", driver: Driver | None = None, **settings: Any) -> AsyncIterator[None]:
        stop = asyncio.Event()
        agent = asyncio.create_task(
            run_agent(agent_config(tmp_path / state, **settings), hub, stop=stop, driver=driver)
        )
        try:
            yield
        finally:
            stop.set()
            await agent

    return running


@pytest.fixture(autouse=True)
def no_process_stays(tmp_path: Path) -> Iterator[None]:
    """A passed test leaves nothing running under its folder; what a failed one left is ended."""
    yield
    give_up_at = time.monotonic() + 3.0
    while left := {pid for folder in tmp_path.glob("**/runs/*") for pid in runner.processes_of(folder.resolve())}:
        if time.monotonic() > give_up_at:
            commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in left]
            runner.send_signal(left, signal.SIGKILL)
            pytest.fail(f"processes stay behind: {commands}")
        time.sleep(0.02)
