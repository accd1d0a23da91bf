"""What each event means for the state."""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from suanwang.domain.scheduling.calendar import (
    BookingRemoved,
    BookingRestored,
    BookingSet,
    WindowRemoved,
    WindowRestored,
    WindowSet,
)
from suanwang.domain.scheduling.events import (
    AttemptEnded,
    AttemptLeaving,
    AttemptRestored,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    NodesPromised,
    PlacementRefused,
    PoolDrained,
    PoolSeen,
    PoolSet,
    QuotasSet,
    UsageKnown,
)
from suanwang.domain.scheduling.kernel.columns import POOL
from suanwang.domain.scheduling.state import State


def _on_pool_set(state: State, event: PoolSet) -> None:
    state.set_pool(event.pool)


def _on_pool_seen(state: State, event: PoolSeen) -> None:
    state.set_mark(event.pool_id, POOL.seen, event.seen)


def _on_pool_drained(state: State, event: PoolDrained) -> None:
    state.set_mark(event.pool_id, POOL.drained, event.drained)


def _on_queued(state: State, event: JobQueued) -> None:
    job = state.jobs.get(event.ask.job_id)
    if job is not None:
        if event.ask.attempt <= job.attempt:
            return
        state.forget(job)
    state.enqueue(event.ask, event.ask.attempt)


def _on_withdrawn(state: State, event: JobWithdrawn) -> None:
    job = state.jobs.get(event.job_id)
    if job is not None and job.placed:
        job.withdrawn = True
    elif job is not None:
        state.forget(job)


def _on_started(state: State, event: AttemptStarted) -> None:
    job = state.placed_attempt(event.job_id, event.attempt)
    if job is not None:
        state.restart_clock(job, event.at_s)


def _on_ended(state: State, event: AttemptEnded) -> None:
    job = state.placed_attempt(event.job_id, event.attempt)
    if job is not None:
        state.forget(job)


def _on_restored(state: State, event: AttemptRestored) -> None:
    job = state.jobs.get(event.ask.job_id)
    if job is not None:
        if event.attempt < job.attempt or (event.attempt == job.attempt and job.placed):
            return
        state.forget(job)
    state.restore(event)


def _on_refused(state: State, event: PlacementRefused) -> None:
    job = state.placed_attempt(event.job_id, event.attempt)
    if job is not None:
        state.release_refused(job)


def _on_leaving(state: State, event: AttemptLeaving) -> None:
    job = state.placed_attempt(event.job_id, event.attempt)
    if job is not None:
        state.mark_leaving(job, event.at_s)


def _on_promised(state: State, event: NodesPromised) -> None:
    state.promise(event)


def _on_quotas_set(state: State, event: QuotasSet) -> None:
    state.set_quotas(event.tree)


def _on_usage_known(state: State, event: UsageKnown) -> None:
    state.know_usage(event)


_ON: MappingProxyType[type, Callable[[State, Any], None]] = MappingProxyType(
    {
        PoolSet: _on_pool_set,
        PoolSeen: _on_pool_seen,
        PoolDrained: _on_pool_drained,
        JobQueued: _on_queued,
        JobWithdrawn: _on_withdrawn,
        AttemptStarted: _on_started,
        AttemptEnded: _on_ended,
        AttemptRestored: _on_restored,
        PlacementRefused: _on_refused,
        AttemptLeaving: _on_leaving,
        NodesPromised: _on_promised,
        QuotasSet: _on_quotas_set,
        UsageKnown: _on_usage_known,
        BookingSet: lambda state, event: state.calendar.ask(event.booking),
        BookingRemoved: lambda state, event: state.calendar.remove_booking(event.booking_id),
        BookingRestored: lambda state, event: state.calendar.confirm(event.booking, event.node_names),
        WindowSet: lambda state, event: state.calendar.announce(event.window),
        WindowRemoved: lambda state, event: state.calendar.remove_window(event.window_id),
        WindowRestored: lambda state, event: state.calendar.set_window(event.window),
    }
)


def apply_events(state: State, events: Sequence[Event]) -> None:
    """Advance the state. Events of unknown jobs and older attempts change nothing; an unknown pool is a KeyError."""
    for event in events:
        _ON[type(event)](state, event)
    state.flush()
