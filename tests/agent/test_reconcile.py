"""Desired against observed, without a driver: the table, and what holds whatever is seen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.agent.attempt import Attempt, Wanted, begun, closed, noted, ordered, progressed, told_again
from suanwang.agent.drivers.driver import AttemptKey, Observation
from suanwang.agent.progress import CheckpointMark, ProgressSlice
from suanwang.agent.reconcile import Action, Adopt, Close, Look, Note, Start, Stop, reconcile
from suanwang.domain.job import Cause, Phase
from suanwang.protocol import Progress, Report, RunOrder, StopOrder
from tests.agent.place import run_order

KEY = AttemptKey("job", 1)
NEW = ordered(None, run_order("job"), 1)
BEGUN = begun(NEW, 100)
RUNNING = Observation(phase=Phase.RUNNING, started_s=101)
ENDED = Observation(phase=Phase.ENDED, started_s=101, ended_s=105, cause=Cause.SUCCEEDED, exit_code=0)
UNKNOWN = Observation(phase=Phase.UNKNOWN, detail="?")
SEEN = noted(BEGUN, RUNNING, 102)
OVER = noted(SEEN, ENDED, 106)
STOP = StopOrder(job_id="job", attempt=1, version=2)


@pytest.mark.parametrize(
    ("attempt", "seen", "actions"),
    [
        (NEW, None, [Start(KEY)]),
        (BEGUN, None, [Start(KEY)]),  # A driver starts once at most.
        (SEEN, None, [Look(KEY)]),
        (NEW, RUNNING, [Note(KEY, RUNNING)]),
        (SEEN, UNKNOWN, [Note(KEY, UNKNOWN)]),
        (SEEN, ENDED, [Note(KEY, ENDED)]),
        (ordered(NEW, STOP, 1), None, [Close(KEY)]),
        (ordered(BEGUN, STOP, 1), None, [Stop(KEY), Look(KEY)]),
        (ordered(SEEN, STOP, 1), RUNNING, [Note(KEY, RUNNING), Stop(KEY)]),
        (ordered(SEEN, STOP, 1), ENDED, [Note(KEY, ENDED)]),
        (ordered(None, STOP, 1), None, [Stop(KEY), Look(KEY)]),  # This journal need not be the first.
        (OVER, None, []),
        (OVER, RUNNING, []),
    ],
)
def test_one_attempt(attempt: Attempt, seen: Observation | None, actions: list[Action]) -> None:
    assert reconcile({KEY: attempt}, {} if seen is None else {KEY: seen}) == actions


def test_a_stranger_is_adopted() -> None:
    assert reconcile({}, {KEY: RUNNING}) == [Adopt(KEY, RUNNING)]


def test_a_newer_attempt_starts_after_the_end_of_the_older() -> None:
    newer = ordered(None, run_order("job", attempt=2), 2)
    assert reconcile({KEY: SEEN, newer.key: newer}, {KEY: RUNNING}) == [Note(KEY, RUNNING), Stop(KEY)]
    assert reconcile({KEY: BEGUN, newer.key: newer}, {}) == [Stop(KEY), Look(KEY)]
    assert reconcile({KEY: NEW, newer.key: newer}, {}) == [Close(KEY), Start(newer.key)]
    assert reconcile({KEY: OVER, newer.key: newer}, {KEY: ENDED}) == [Start(newer.key)]


observations = st.sampled_from([RUNNING, ENDED, UNKNOWN, Observation(phase=Phase.STARTING)])
keys = st.builds(AttemptKey, st.sampled_from(["a", "b"]), st.integers(1, 3))
attempts = st.sampled_from([NEW, BEGUN, SEEN, OVER, *(ordered(one, STOP, 1) for one in (None, NEW, BEGUN, SEEN))])


@given(st.dictionaries(keys, attempts), st.dictionaries(keys, observations))
def test_what_holds_whatever_is_seen(
    desired: dict[AttemptKey, Attempt], observed: dict[AttemptKey, Observation]
) -> None:
    desired = {key: replace(attempt, key=key) for key, attempt in desired.items()}
    actions = reconcile(desired, observed)
    assert len(set(actions)) == len(actions)
    for action in actions:
        attempt = desired.get(action.key)
        if isinstance(action, Start):
            assert attempt is not None
            assert attempt.wanted is Wanted.RUN
            assert not attempt.confirmed
            assert action.key not in observed
            older = [one for key, one in desired.items() if key.job_id == action.key.job_id and key < action.key]
            assert all(one.ended or (one.begun_s is None and one.order is not None) for one in older)
            assert not any(key.job_id == action.key.job_id and key > action.key for key in desired)
        if isinstance(action, Close):
            assert attempt is not None
            assert attempt.begun_s is None
            assert action.key not in observed
        if attempt is not None:
            assert not attempt.ended
    # One start at a time for each job, and nothing that was seen goes unnoticed.
    started = [action.key.job_id for action in actions if isinstance(action, Start)]
    assert len(set(started)) == len(started)
    noticed = {action.key for action in actions if isinstance(action, (Note, Adopt))}
    assert noticed == {key for key in observed if key not in desired or not desired[key].ended}


@given(st.lists(st.sampled_from([RUNNING, ENDED, UNKNOWN, replace(ENDED, cause=Cause.FAILED), "stop", "run", "taken"])))
def test_reports_rise_and_nothing_follows_an_end(story: list[Observation | str]) -> None:
    attempt, now_s = NEW, 200
    reports: list[Report] = []
    for line in story:
        now_s += 1
        if line == "taken":
            attempt = replace(attempt, taken=attempt.sequence)
        elif isinstance(line, str):
            attempt = ordered(attempt, STOP if line == "stop" else run_order("job"), 1)
        else:
            attempt = noted(attempt, line, now_s)
        if attempt.report is not None and (not reports or attempt.report != reports[-1]):
            reports.append(attempt.report)
    numbers = [report.sequence for report in reports]
    assert numbers == sorted(set(numbers))
    ends = [report for report in reports if report.phase is Phase.ENDED]
    assert len({(end.cause, end.ended_s) for end in ends}) <= 1
    assert reports[len(reports) - len(ends) :] == ends
    seen = [report.started_s for report in reports if report.started_s is not None]
    assert len(set(seen)) <= 1
    assert attempt.wanted is Wanted.RUN or "stop" in story


def test_orders_are_judged_by_the_newest_attempt() -> None:
    assert ordered(None, run_order("job", attempt=2), 2).wanted is Wanted.RUN
    assert ordered(None, run_order("job", attempt=1), 2).wanted is Wanted.STOP
    stopped = ordered(None, STOP, 1)
    order: RunOrder = run_order("job")
    assert ordered(stopped, order, 1).wanted is Wanted.STOP
    assert ordered(OVER, order, 1) == OVER  # Its end is on the way.
    taken = replace(OVER, taken=OVER.sequence)
    assert ordered(taken, order, 1) == told_again(taken)
    assert told_again(taken).unsent


def test_an_attempt_that_vanished_ends_as_last_seen() -> None:
    assert SEEN.report is not None
    lost = closed(SEEN, 900, "gone").report
    assert lost is not None
    assert (lost.cause, lost.started_s, lost.ended_s) == (Cause.NODE_FAILED, 101, SEEN.report.observed_s)
    stopped = closed(ordered(BEGUN, STOP, 1), 900, "gone").report
    assert stopped is not None
    assert (stopped.cause, stopped.started_s, stopped.ended_s) == (Cause.CANCELLED, None, 900)


def test_progress_waits_its_turn_and_travels_with_other_news() -> None:
    first = ProgressSlice(10, Progress(step=1, at_s=103))
    attempt = progressed(SEEN, first, 103, 5.0)
    assert attempt.report == SEEN.report
    assert progressed(attempt, ProgressSlice(10), 107, 5.0).report != SEEN.report
    mark = CheckpointMark(step=1, at_s=103)
    end = noted(progressed(attempt, ProgressSlice(20, checkpoint=mark), 104, 5.0), ENDED, 106)
    assert end.report is not None
    assert end.report.progress == first.progress
    assert end.mark is None
