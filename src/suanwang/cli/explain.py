"""Why a job is where it is: the decisions of the brain and what became of them, put together from the records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType

from suanwang.cli.receipt import end_of
from suanwang.cli.screen import plain, table
from suanwang.domain.job import ENDED_STATES, JobState
from suanwang.i18n import _, named
from suanwang.wire import AttemptLine, CentreLine, EventLine, Reason, Receipt
from suanwang.words import NOTHING, moment, money, say, word


@dataclass(frozen=True, slots=True)
class PoolView:
    """What one pool could do when it was looked at. `chosen`: the job was placed there."""

    pool_id: str
    centre: str
    chip_id: str
    chosen: bool
    feasible: bool
    reason: Reason
    start_s: int | None
    finish_s: int | None
    price_fen: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """One decision: placed (`attempt` is its number) or waiting (None), why, and every pool's outlook."""

    attempt: int | None
    reason: Reason
    pools: list[PoolView]


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt, and why it ended."""

    attempt: int
    centre: str
    pool_id: str
    placed_s: int
    started_s: int | None
    ended_s: int | None
    why_there: Reason
    end: str
    resumed_from_step: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    number: int
    id: str
    name: str
    state: JobState
    reason: Reason
    submitted_s: int
    last_look: Look | None
    history: list[Step] = field(default_factory=list)


def explanation(receipt: Receipt, events: Sequence[EventLine], centres: Sequence[CentreLine]) -> Explanation:
    """From the receipt, the job's events and the centres as they are now."""
    names = {centre.id: named(centre.name, centre.name_zh) for centre in centres}
    pools = {pool.id: (names[centre.id], pool.chip_id) for centre in centres for pool in centre.pools}
    return Explanation(
        receipt.number,
        receipt.id,
        receipt.name,
        receipt.state,
        receipt.reason,
        receipt.submitted_s,
        _last_look(receipt, events, pools),
        [_step(attempt, names) for attempt in receipt.attempts],
    )


def _last_look(receipt: Receipt, events: Sequence[EventLine], pools: Mapping[str, tuple[str, str]]) -> Look | None:
    """Of a job that waits: why it was not placed at the last look; else the decision behind its last attempt."""
    waits = [event.body for event in events if event.kind == "job_waiting"]
    if receipt.state is JobState.QUEUED:
        return _look(None, waits[-1], None, pools) if waits else None
    if not receipt.attempts:
        return None
    last = receipt.attempts[-1]
    return _look(last.number, last.decision, last.pool_id, pools)


def _look(
    attempt: int | None, decision: Mapping[str, Any], chosen: str | None, pools: Mapping[str, tuple[str, str]]
) -> Look:
    views = []
    for outlook in decision.get("outlook") or ():
        centre, chip_id = pools.get(outlook["pool_id"], (NOTHING, NOTHING))
        views.append(
            PoolView(
                outlook["pool_id"],
                centre,
                chip_id,
                outlook["pool_id"] == chosen,
                outlook["feasible"],
                reason_of(outlook["reason"]),
                outlook["start_s"],
                outlook["finish_s"],
                outlook["price_fen"],
            )
        )
    return Look(attempt, reason_of(decision.get("reason")), views)


def reason_of(found: Mapping[str, Any] | None) -> Reason:
    """A reason out of stored JSON."""
    return Reason(str((found or {}).get("code") or ""), dict((found or {}).get("facts") or {}))


def _step(attempt: AttemptLine, names: Mapping[str, str]) -> Step:
    resumed = attempt.resume_from or {}
    return Step(
        attempt.number,
        names.get(attempt.centre_id, attempt.centre_id),
        attempt.pool_id,
        attempt.placed_s,
        attempt.started_s,
        attempt.ended_s,
        reason_of(attempt.decision.get("reason")),
        end_of(attempt),
        resumed.get("step"),
    )


def explanation_view(found: Explanation) -> RenderableType:
    parts: list[RenderableType] = []
    head = _("job {number}, {name}: {state}").format(number=found.number, name=found.name, state=word(found.state))
    parts.append(f"[bold]{plain(head)}[/bold]")
    if sentence := say(found.reason):
        parts.append(plain(sentence))
    look = found.last_look
    if look is not None:
        parts += _look_view(look, found.submitted_s)
    elif found.state not in ENDED_STATES:
        parts.append(_("The scheduler has not looked at it yet."))
    if found.history:
        parts.append(_history(found.history, found.submitted_s))
    return Group(*parts)


def _look_view(look: Look, near_s: int) -> list[RenderableType]:
    if look.attempt is None:
        title = _("why not yet: every pool at the last look")
    else:
        why = _("why here (attempt {number}): {reason}")
        title = why.format(number=look.attempt, reason=say(look.reason) or NOTHING)
    columns = ("", _("centre"), _("chip"), _("answer"), _("expected start"), _("price"))
    made = table(plain(title), columns, right=(_("price"),), wrap=(_("centre"), _("answer")))
    for pool in look.pools:
        made.add_row(
            "★" if pool.chosen else "",
            plain(pool.centre),
            pool.chip_id,
            plain(say(pool.reason)),
            moment(pool.start_s, near_s),
            money(pool.price_fen),
            style="" if pool.feasible else "dim",
        )
    if look.pools:
        return [made]
    return [plain(title)]


def _history(steps: Sequence[Step], near_s: int) -> RenderableType:
    columns = (_("attempt"), _("centre"), _("why there"), _("placed"), _("started"), _("ended"), _("how it ended"))
    made = table(_("history"), columns, right=(_("attempt"),), wrap=(_("centre"), _("why there"), _("how it ended")))
    for step in steps:
        resumed = step.resumed_from_step
        goes_on = "" if resumed is None else _("; goes on from step {step}").format(step=resumed)
        made.add_row(
            str(step.attempt),
            plain(step.centre),
            plain(say(step.why_there) + goes_on),
            moment(step.placed_s, near_s),
            moment(step.started_s, near_s),
            moment(step.ended_s, near_s),
            plain(step.end),
        )
    return made
