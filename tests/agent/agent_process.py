"""An agent in a process of its own: `python -m tests.agent.agent_process <state folder> <hub socket>`."""

import asyncio
import logging
import sys
from pathlib import Path

from suanwang.agent.loop import run_agent, stop_on_signals
from tests.agent.fake_hub import RemoteHub
from tests.agent.place import agent_config


async def main(state_dir: Path, hub_socket: Path) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await run_agent(agent_config(state_dir), RemoteHub(hub_socket), stop=stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
