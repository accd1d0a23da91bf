"""Desired against observed: what to do now. Pure, and the same for every driver.

    wanted   shown by the driver    not shown
    run      note                   never begun, or begun and not yet confirmed: start (a driver starts once at most)
                                    confirmed: look by a second source; it is never started again
    stop     note; stop if alive    never begun: close; else stop and look
    (none)   adopt

A driver that cannot see is not asked here at all: nothing is started and nothing ends on an answer that was not given.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from suanwang.agent.attempt import Attempt, Wanted
from suanwang.agent.drivers.driver import AttemptKey, Observation
from suanwang.domain.job import Phase


@dataclass(frozen=True, slots=True)
class Start:
    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Stop:
    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the second source."""

    key: AttemptKey


@dataclass(frozen=True, slots=True)
class Note:
    """The driver showed it: report what is new."""

    key: AttemptKey
    seen: Observation


@dataclass(frozen=True, slots=True)
class Adopt:
    """The driver shows an attempt that the journal does not know."""

    key: AttemptKey
    seen: Observation


@dataclass(frozen=True, slots=True)
class Close:
    """It never began and never will."""

    key: AttemptKey


Action = Start | Stop | Look | Note | Adopt | Close


def reconcile(desired: Mapping[AttemptKey, Attempt], observed: Mapping[AttemptKey, Observation]) -> list[Action]:
    """What brings the centre nearer to what is wanted; empty once it is there."""
    newest: dict[str, int] = {}
    oldest_alive: dict[str, int] = {}
    for key, attempt in desired.items():
        newest[key.job_id] = max(key.attempt, newest.get(key.job_id, key.attempt))
        if not attempt.ended and _may_exist(attempt):
            oldest_alive[key.job_id] = min(key.attempt, oldest_alive.get(key.job_id, key.attempt))
    actions: list[Action] = [Adopt(key, seen) for key, seen in observed.items() if key not in desired]
    for key, attempt in desired.items():
        if attempt.ended:
            continue
        seen = observed.get(key)
        stop = attempt.wanted is Wanted.STOP or key.attempt < newest[key.job_id]
        if seen is not None:
            actions.append(Note(key, seen))
            if stop and seen.phase is not Phase.ENDED:
                actions.append(Stop(key))
        elif stop:
            actions += [Stop(key), Look(key)] if _may_exist(attempt) else [Close(key)]
        elif attempt.confirmed:
            actions.append(Look(key))
        elif oldest_alive.get(key.job_id, key.attempt) == key.attempt:
            # Otherwise an older attempt of the job may still hold its files and chips.
            actions.append(Start(key))
    return actions


def _may_exist(attempt: Attempt) -> bool:
    """Whether the scheduler may know of it. An attempt without an order was not made known by this journal."""
    return attempt.begun_s is not None or attempt.confirmed or attempt.order is None
