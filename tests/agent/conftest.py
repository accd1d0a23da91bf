"""Agents for tests, and the promise that no test leaves a process behind."""

import asyncio
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
    """End what a failed test left running under its folder; a passed one leaves nothing."""
    yield
    left = {
        folder.name: processes
        for folder in tmp_path.glob("**/runs/*")
        if (processes := runner.processes_of(folder.resolve()))
    }
    for processes in left.values():
        runner.send_signal(processes, 9)
    assert not left, f"processes stay behind: {left}"
