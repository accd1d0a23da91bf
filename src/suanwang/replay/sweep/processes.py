"""Runs on this machine: a process for each core, which gets the study once and then one run after the other."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from signal import SIG_BLOCK, SIG_IGN, SIG_SETMASK, SIGINT, pthread_sigmask, signal
from threading import Thread

from suanwang.i18n import _
from suanwang.replay.sweep.plan import Run
from suanwang.replay.sweep.play import Ground, Line, failed, play

THREADS_OF_POLARS = "POLARS_MAX_THREADS"
PATIENCE_S = 5
Workers = dict[Connection, tuple[BaseProcess, Run]]
"""Of every process that has a run: our end of its pipe, and which."""


def on_processes(ground: Ground, runs: Sequence[Run], count: int) -> Iterator[Line]:
    """The lines of all runs, as they end. A process that is killed takes its run with it, and no other."""
    waiting = deque(runs)
    workers: Workers = {}
    try:
        while waiting and len(workers) < count:
            _start(workers, ground, waiting.popleft())
        while workers:
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)  # noqa: S101 - nothing else was given to it
                process, run = workers.pop(connection)
                try:
                    line = connection.recv()
                except (EOFError, OSError):
                    process.join()
                    line = failed(run, _("its process ended with code {code}").format(code=process.exitcode))
                    connection.close()
                    if waiting:
                        _start(workers, ground, waiting.popleft())
                else:
                    _go_on(workers, connection, process, waiting)
                yield line
    finally:
        _stop(workers)


def _start(workers: Workers, ground: Ground, run: Run) -> None:
    context = get_context("spawn")  # a fork would copy the threads' locks of polars, but not its threads
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, ground), daemon=True)
    with _children_without_interrupts():
        process.start()
    theirs.close()
    ours.send(run)
    workers[ours] = process, run


def _go_on(
    workers: Workers,
    connection: Connection,
    process: BaseProcess,
    waiting: deque[Run],
) -> None:
    """The next run, or the end."""
    if not waiting:
        connection.close()
        process.join()
        return
    run = waiting.popleft()
    workers[connection] = process, run
    try:
        connection.send(run)
    except OSError:
        pass  # it has just died: the next `wait` finds that out


@contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Ctrl-C goes to all processes of a terminal; only the first one answers it. Each has one core, so one thread."""
    resource_tracker.ensure_running()  # lets interrupts through again when the first process is started
    before = pthread_sigmask(SIG_BLOCK, {SIGINT})
    threads = os.environ.get(THREADS_OF_POLARS)
    os.environ[THREADS_OF_POLARS] = threads or "1"
    try:
        yield
    finally:
        if threads is None:
            del os.environ[THREADS_OF_POLARS]
        pthread_sigmask(SIG_SETMASK, before)


def _stop(workers: Workers) -> None:
    for process, _run in workers.values():
        process.terminate()
    for connection, (process, _run) in workers.items():
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()
            process.join()
        connection.close()


def _work(connection: Connection, ground: Ground) -> None:
    signal(SIGINT, SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            run = connection.recv()
        except EOFError:
            return
        connection.send(play(ground, run))


def _end_with_parent() -> None:
    """Whoever is killed outright leaves nobody computing for no one."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
