"""Runs on a Ray cluster: each is a task. A worker fetches the study once and keeps it.

The nodes need suanwang[replay] of the same version; logs and files need to be here alone.
"""

import logging
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from suanwang.errors import Unreachable
from suanwang.i18n import _
from suanwang.replay.sweep.plan import Run
from suanwang.replay.sweep.play import Ground, Line, failed, play

PATIENCE_S = 10
AHEAD = 2
"""Tasks handed in for each CPU of the cluster: none is idle, and few are lost when somebody stops."""
_kept: dict[str, Ground] = {}
"""Of a worker: the study that it fetched last, by the id of the object."""


def on_ray(ground: Ground, runs: Sequence[Run], address: str) -> Iterator[Line]:
    """The lines of all runs, as they end. Raises Unreachable: there is no cluster at the address."""
    import ray

    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as broken:
        reason = str(broken).splitlines()[0]
        told = _("no Ray cluster at {address}: {reason}; if it asks for a token, set RAY_AUTH_MODE=token")
        raise Unreachable(told.format(address=address, reason=reason)) from None
    pending: dict[Any, Run] = {}
    try:
        held = [ray.put(ground)]  # in a list: Ray would fetch a bare reference again for every task
        task = ray.remote(num_cpus=1)(_play_there)
        waiting = deque(runs)
        cpus: float = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
        most = max(AHEAD, AHEAD * int(cpus))
        while waiting or pending:
            while waiting and len(pending) < most:
                run = waiting.popleft()
                pending[task.remote(held, held[0].hex(), run)] = run
            ended, _others = ray.wait(list(pending), num_returns=1)
            for reference in ended:
                run = pending.pop(reference)
                try:
                    line = ray.get(reference)
                except ray.exceptions.RayError as broken:
                    line = failed(run, str(broken).strip().splitlines()[-1])
                yield line
    finally:
        ray.shutdown()  # ends our tasks too; to cancel one while it ends can crash Ray 2.60


def _knock(address: str) -> None:
    """Raises OSError at once where nobody listens: Ray would try for minutes."""
    host, sign, port = address.rpartition("://")[2].rpartition(":")
    if sign and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S).close()


def _play_there(held: list[Any], name: str, run: Run) -> Line:
    if name not in _kept:
        import ray

        _kept.clear()
        _kept[name] = ray.get(held[0])
    return play(_kept[name], run)
