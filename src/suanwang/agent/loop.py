"""The agent at work: three loops over one memory.

    watch    long-polls the hub for orders                                              exchange
    report   sends what is new at once                                                  exchange
    look     asks the driver what there is, reconciles, writes down, acts               observer

What to do is decided by `attempt` and `reconcile`, which are pure. Whatever is slow (driver, disk) runs in threads.
Jobs are never ended by the end of the agent, and a new agent takes them over from the journal.
"""

import asyncio
import logging
import signal

from suanwang.agent.config import AgentConfig
from suanwang.agent.drivers.driver import Driver
from suanwang.agent.drivers.local import LocalDriver
from suanwang.agent.exchange import Exchange
from suanwang.agent.hub import Hub
from suanwang.agent.journal import Journal
from suanwang.agent.memory import MIN_PAUSE_S, Memory, clock_s
from suanwang.agent.observer import Observer
from suanwang.errors import Failed, InvalidInput, Refused

log = logging.getLogger("suanwang.agent")

HOUSEKEEPING_S = 60.0
FAREWELL_S = 5.0


async def run_agent(config: AgentConfig, hub: Hub, *, stop: asyncio.Event, driver: Driver | None = None) -> None:
    """Work until `stop` is set; jobs run on. `driver`: another one than the centre file names.

    Raises Conflict if another agent works with the same state folder.
    """
    with Journal(config.state_dir) as journal:
        await _run(config, hub, driver or make_driver(config), journal, stop)


def make_driver(config: AgentConfig) -> Driver:
    """The driver that the centre file names. Raises InvalidInput."""
    if config.driver == LocalDriver.name:
        return LocalDriver(
            config.state_dir, config.centre_id, config.pools, grace_s=config.grace_s, warn_s=config.warn_s
        )
    raise InvalidInput("driver", config.driver, f"one of: {LocalDriver.name}")


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`. To be called inside the running loop of the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


class _Stopped(Exception):
    """The way out of the task group."""


async def _run(config: AgentConfig, hub: Hub, driver: Driver, journal: Journal, stop: asyncio.Event) -> None:
    tasks = asyncio.TaskGroup()
    memory = Memory(config, hub, driver, journal, tasks)
    exchange, observer = Exchange(memory), Observer(memory)
    await _probe(memory)
    log.info("the agent of %s works with %d attempts", config.centre_id, len(memory.attempts))
    try:
        async with tasks:
            for work in (exchange.watch(), exchange.report(), observer.look_often(), _keep_house(memory, observer)):
                memory.spawn(work)
            await stop.wait()
            raise _Stopped
    except* _Stopped:
        log.info("the agent of %s ends; its jobs run on", config.centre_id)
    finally:
        observer.close()
    try:
        async with asyncio.timeout(FAREWELL_S):
            await exchange.once(0)
    except (Failed, Refused, TimeoutError):
        pass  # The journal keeps what was not sent.


async def _keep_house(memory: Memory, observer: Observer) -> None:
    pause_s = min(HOUSEKEEPING_S, max(MIN_PAUSE_S, memory.config.keep_runs_s))
    while True:
        await asyncio.sleep(pause_s)
        await _probe(memory)
        await observer.clean(clock_s() - memory.config.keep_runs_s)


async def _probe(memory: Memory) -> None:
    try:
        memory.inventory = await asyncio.to_thread(memory.driver.probe)
    except (Failed, OSError) as error:
        log.warning("cannot see the centre's nodes: %s", error)
