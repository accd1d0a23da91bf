"""The main job of the network, for real, on one machine.

A hub with its own database, three centres, a voucher, a day of somebody's cluster in a minute, two accidents, and the
books at the end.

    script/demo             with live progress
    script/demo --json      the receipt, the settlement and the proofs as one JSON document
    script/demo --keep      leaves the network running and says where

Nothing here is special: the hub, the agents and the calls are those of any installation.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live
from show import outcome, picture, scaled_prices
from story import Outcome, Story

from suanwang.errors import SuanwangError
from suanwang.i18n import _
from suanwang.testing.processes import Processes

screen = Console(stderr=True)
REPORT_WIDTH = 120


def main() -> int:
    options = _options()
    home = Path(options.home or tempfile.mkdtemp(prefix="suanwang-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)  # the database runs as another user when we are root
    processes = Processes(home)
    keep = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = asyncio.run(_play(processes))
        _tell(found, json=options.json)
        keep = options.keep
        return 0 if found.good else 1
    except KeyboardInterrupt:
        screen.print(_("stopped; everything that was started is ended"))
        return 130
    except (SuanwangError, TimeoutError) as error:
        screen.print(f"error: {error}", style="red", markup=False)
        screen.print(_("the logs are in {folder}").format(folder=home / "logs"))
        options.home = home
        return 1
    finally:
        if keep:
            _say_where(processes)
        else:
            processes.stop()
            if options.home is None:
                shutil.rmtree(home, ignore_errors=True)


def _options() -> argparse.Namespace:
    about = _("One job and one voucher, through a real network.")
    parser = argparse.ArgumentParser(prog="script/demo", description=about)
    parser.add_argument("--json", action="store_true", help=_("print the final receipt, settlement and proofs as JSON"))
    parser.add_argument("--keep", action="store_true", help=_("leave the network running and print its address"))
    parser.add_argument("--home", help=_("folder for the database and logs (default: a temporary one)"))
    return parser.parse_args()


async def _play(processes: Processes) -> Outcome:
    began = time.monotonic()
    story = Story(processes, lambda line: _say(story, line, began))
    try:
        if not screen.is_terminal:
            return await story.run()
        with Live(console=screen, get_renderable=lambda: picture(story.picture, time.monotonic() - began)):
            return await story.run()
    except* SuanwangError as errors:
        raise errors.exceptions[0] from None
    finally:
        await story.close()


def _say(story: Story, line: str, began: float) -> None:
    said = f"{time.monotonic() - began:6.1f} s  {line}"
    story.picture.said.append(said)
    if not screen.is_terminal:
        screen.print(said, markup=False, highlight=False)


def _tell(found: Outcome, *, json: bool) -> None:
    if json:
        document = {
            "good": found.good,
            "receipt": found.receipt,
            "claim": found.claim,
            "quote": found.quote,
            "settlement": found.settlement,
            "proofs": found.proofs,
            "starts": found.starts,
            "unseen_was_shown": found.unseen_was_shown,
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
        return
    wide = Console(width=None if sys.stdout.isatty() else REPORT_WIDTH)
    wide.print(outcome(found))


def _say_where(processes: Processes) -> None:
    pids = " ".join(str(process.pid) for process in processes.running.values())
    screen.print(_("the network runs on at {url}").format(url=processes.url))
    screen.print(_("go on as the start-up (or as `agency`, or `default`, the network's administrator):"), markup=False)
    for line in (
        f"export SUANWANG_HOME={processes.home} SUANWANG_PROFILE=startup PATH={Path(sys.executable).parent}:$PATH",
        "cd examples/demo/digits",
        "suanwang submit task.yaml --env PYTHON=$(command -v python) --wait",
    ):
        screen.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    screen.print(scaled_prices(), markup=False)
    screen.print(_("end it with: kill {pids}").format(pids=pids))


if __name__ == "__main__":
    sys.exit(main())
