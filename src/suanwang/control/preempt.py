"""A job makes room for another: told in one transaction with the decision, known again after a restart.

    decision Preempted -> the attempt is wanted stopped, `attempt_preempted` and `nodes_promised` stand in the trace
    the agent stops it and reports its end as cancelled -> PREEMPTED: work up to its checkpoint is billed, the rest lost
    the job is queued again from its checkpoint; the nodes that it left are kept for the job that they are promised to

Nodes are free once the agent has reported the end, never before. All of it is in the trace and in the attempts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from suanwang.domain.job import JobState
from suanwang.domain.scheduling.decisions import Preempted, Reason
from suanwang.domain.scheduling.events import AttemptLeaving, NodesPromised
from suanwang.domain.scheduling.state import State
from suanwang.store import attempt as attempts
from suanwang.store import event
from suanwang.store import job as jobs
from suanwang.store.attempt import Key
from suanwang.store.db import Connection, from_json
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord, StateChange

TOLD = "attempt_preempted"
PROMISED = "nodes_promised"
MAY_LEAVE = frozenset({JobState.PLACED, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class ToldBody:
    """Body of `attempt_preempted`: for whom, and why this one."""

    for_job_id: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class PromiseBody:
    """Body of `nodes_promised`: what is kept for a job that waits for others to leave."""

    pool_id: str
    variant: int
    node_names: tuple[str, ...]


async def tell_to_leave(
    tx: Connection, told: Iterable[Preempted], locked: Mapping[UUID, JobRecord], centre_of: Mapping[str, str]
) -> list[NewEvent]:
    """Stop the attempts (their jobs are locked) that still run. Who ended or is cancelled meanwhile leaves anyway."""
    changes: list[StateChange] = []
    news: list[NewEvent] = []
    for decision in told:
        record = locked.get(UUID(decision.job_id))
        if record is None or record.state not in MAY_LEAVE or record.attempts != decision.attempt:
            continue
        reason: dict[str, object] = {"code": decision.reason.code, "facts": decision.reason.facts}
        changes.append(
            StateChange(record, record.state, reason, recoveries=record.recoveries, restarts=record.restarts)
        )
        centre_id = centre_of[str(decision.reason.facts["pool_id"])]
        body = ToldBody(decision.for_job_id, decision.reason)
        news.append(NewEvent(TOLD, decision.job_id, decision.attempt, centre_id, body))
    await attempts.want_stop(tx, [(change.job.id, change.job.attempts) for change in changes])
    await jobs.set_states(tx, changes)
    return news


def promises(state: State, told: Iterable[Preempted]) -> list[NewEvent]:
    """What the jobs that others leave for are promised, as the step just left it."""
    receivers = {decision.for_job_id for decision in told}
    if not receivers:
        return []
    return [
        NewEvent(PROMISED, one.job_id, one.attempt, body=PromiseBody(one.pool_id, one.variant, one.node_names))
        for one in state.events()
        if isinstance(one, NodesPromised) and one.job_id in receivers
    ]


async def leaving(tx: Connection) -> list[AttemptLeaving]:
    """Live attempts that were told to leave."""
    return [AttemptLeaving(str(row["job_id"]), row["attempt"], row["at_s"]) for row in await event.leaving(tx, TOLD)]


async def promised(tx: Connection) -> list[NodesPromised]:
    """What waiting jobs were promised last, in order. What can no longer be kept, the step forgets."""
    found = []
    for row in await event.promised(tx, PROMISED):
        body = from_json(row["body"], PromiseBody)
        found.append(NodesPromised(str(row["job_id"]), row["attempt"], body.pool_id, body.variant, body.node_names))
    return found


async def who_was_told(tx: Connection, keys: Iterable[Key]) -> set[Key]:
    """Which of these attempts were told to leave for another job."""
    return await event.told(tx, TOLD, list(keys))
