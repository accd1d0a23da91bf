"""The journal: what it was told before a crash it knows afterwards, and it knows an order again."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from suanwang.agent.attempt import Attempt, Wanted, begun, noted
from suanwang.agent.drivers.driver import AttemptKey, Observation
from suanwang.agent.journal import FILE_NAME, Journal
from suanwang.agent.progress import CheckpointMark
from suanwang.domain.job import BlobWorkdir, Cause, GitWorkdir, Phase
from suanwang.errors import Conflict, Failed
from suanwang.protocol import Checkpoint, Progress, StopOrder
from tests.agent.place import run_order

ENDED = Observation(phase=Phase.ENDED, started_s=1, ended_s=2, cause=Cause.SUCCEEDED, exit_code=0)
SAVED = Checkpoint(step=7, kept_until_s=9, size_bytes=10, blob_sha256="ab")


@pytest.mark.parametrize("workdir", [None, BlobWorkdir("ab"), GitWorkdir("https://example.org/r.git", "main")])
def test_everything_comes_back(tmp_path: Path, workdir: BlobWorkdir | GitWorkdir | None) -> None:
    order = run_order("job", envs={"A": "算网"}, workdir=workdir, resume_from=SAVED, node_names=("a1", "a2"))
    with Journal(tmp_path) as journal:
        agent_id = journal.agent_id
        attempt = journal.take([], [order], 5)[AttemptKey("job", 1)]
        attempt = noted(begun(attempt, 10), Observation(phase=Phase.RUNNING, started_s=11), 12)
        assert attempt.report is not None
        attempt = replace(
            attempt,
            gave_up=Cause.NEVER_STARTED,
            why="why",
            taken=1,
            progress_offset=30,
            mark=CheckpointMark(8, 20, "entry"),
            report=replace(attempt.report, checkpoint=SAVED, progress=Progress(step=8, at_s=20, metrics={"loss": 0.1})),
        )
        journal.save([attempt])
    with Journal(tmp_path) as journal:
        assert journal.agent_id == agent_id
        assert journal.version == 5
        assert journal.load() == [attempt]
        assert attempt.order == order


def test_orders_that_come_again_do_not_run_again(tmp_path: Path) -> None:
    key = AttemptKey("job", 2)
    with Journal(tmp_path) as journal:
        first = journal.take([], [run_order("job", attempt=2)], 1)[key]
        assert journal.take([], [run_order("job", attempt=2)], 2) == {}
        late = journal.take([], [run_order("job", attempt=1)], 3)[AttemptKey("job", 1)]
        assert late.wanted is Wanted.STOP
        over = replace(noted(first, ENDED, 3), taken=99)
        journal.save([over])
        journal.forget([key])
    with Journal(tmp_path) as journal:
        assert [attempt.key for attempt in journal.load()] == [AttemptKey("job", 1)]
        again = journal.take([], [run_order("job", attempt=2)], 4)[key]
        assert again.ended
        assert again.order is None  # The clean-up dropped it, with the secrets in it.
        assert {attempt.key for attempt in journal.load()} == {key, AttemptKey("job", 1)}


def test_a_stop_before_its_run_wins(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        stop = StopOrder(job_id="job", attempt=1, version=1)
        changed = journal.take([], [stop, run_order("job")], 1)
        assert [attempt.wanted for attempt in changed.values()] == [Wanted.STOP]


def test_one_transaction_takes_all_or_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        broken = replace(Attempt(key=AttemptKey("other", 1), wanted=Wanted.RUN), progress_offset=object())  # type: ignore[arg-type]
        with pytest.raises(sqlite3.Error):
            journal.take([Attempt(key=AttemptKey("job", 1), wanted=Wanted.RUN), broken], [], 9)
        assert journal.load() == []
        assert journal.version == 0


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(Conflict, match="another agent works with"):
        Journal(tmp_path)
    with Journal(tmp_path) as journal:
        assert journal.load() == []


def test_another_release_is_not_guessed_at(tmp_path: Path) -> None:
    Journal(tmp_path).__exit__(None, None, None)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(Failed, match="another release"):
        Journal(tmp_path)


def test_a_thousand_orders_are_one_write(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        orders = [run_order(f"job-{number}") for number in range(1_000)]
        began = time.monotonic()
        attempts = journal.take([], orders, 1_000).values()
        journal.save([begun(attempt, 1) for attempt in attempts])
        took_s = time.monotonic() - began
    assert len(attempts) == 1_000
    assert took_s < 1.0, f"{took_s:.2f} s"
