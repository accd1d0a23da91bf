"""What every message may hold: fields that are known, reasons, and how the hub is."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What comes from outside: a field that is not known is refused, never dropped."""


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """Of a hub that answers."""

    status: str
    release: str
    brain: str
    """`awake`; `starting`: it reads the records and decides nothing yet; `standby`: another hub decides."""
    events_held_back_s: int
    """For how long new events wait for the oldest transaction of the whole PostgreSQL cluster; a moment is normal."""
