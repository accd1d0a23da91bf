"""Who takes part: organisations, tokens, centres with their pools, bookings and maintenance."""

from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import field as default

from suanwang.domain.ratecard import NETWORK_TIMEZONE, RateCard
from suanwang.domain.tenant import OrganisationKind, Role
from suanwang.wire.order import NewProduct
from suanwang.wire.request import Reason, Request


class NewOrganisation(Request, frozen=True, kw_only=True):
    id: str
    name: str
    kind: OrganisationKind
    facts: dict[str, Any] = default(default_factory=dict)


class NewToken(Request, frozen=True, kw_only=True):
    organisation_id: str
    role: Role
    centre_id: str | None = None
    label: str = ""
    valid_for_s: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token_id: str
    secret: str
    """Shown this once; the hub keeps only its hash."""


@dataclass(frozen=True, slots=True)
class TokenLine:
    """Without its secret, which nobody has but its owner."""

    token_id: str
    organisation_id: str
    role: Role
    centre_id: str | None
    label: str
    created_s: int
    expires_s: int | None
    revoked_s: int | None
    issued_by: str
    """The token that issued it; empty: nobody recorded it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for."""

    token_id: str
    organisation_id: str
    role: Role
    centre_id: str | None
    hub_release: str


class NewTopUp(Request, frozen=True, kw_only=True):
    tenant_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant's money at a glance."""

    tenant_id: str
    cash_fen: int
    """Free; holds are already taken off."""
    held_fen: int
    """For jobs and orders."""
    vouchers_fen: int
    owed_to_tenant_fen: int


class NewNodes(Request, frozen=True, kw_only=True):
    name: str
    chips: int
    cpus: int = 1
    memory_gib: int | None = None
    cabinet: str = ""


class NewRate(Request, frozen=True, kw_only=True):
    """A price at a time of the week. Days count from Monday, 0; times are minutes of the day on the centre's clocks."""

    days: tuple[int, ...]
    from_min: int
    until_min: int
    fen_per_chip_hour: int
    preemptible_fen_per_chip_hour: int | None = None


class NewPool(Request, frozen=True, kw_only=True):
    id: str
    chip: str
    nodes: tuple[NewNodes, ...]
    fen_per_chip_hour: int
    max_walltime_s: int
    bills_lost_work: bool = False
    own_tenants_first: tuple[str, ...] = ()
    preemptible_fen_per_chip_hour: int | None = None
    rates: tuple[NewRate, ...] = ()


class NewCentre(Request, frozen=True, kw_only=True):
    """A centre with its offer, as its file describes it."""

    id: str
    organisation_id: str
    name: str
    name_zh: str
    city: str
    latitude: float
    longitude: float
    provider: dict[str, Any] = default(default_factory=dict)
    timezone: str = NETWORK_TIMEZONE
    """Of the times in rates."""
    pools: tuple[NewPool, ...]
    products: tuple[NewProduct, ...] = ()


class NewBooking(Request, frozen=True, kw_only=True):
    """Whole nodes for the jobs of some tenants in [start_s, end_s)."""

    id: str
    pool_id: str
    start_s: int
    end_s: int
    tenants: tuple[str, ...]
    num_nodes: int | None = None
    """None: all nodes of the pool."""
    within: Literal["pool", "cabinet"] = "pool"


class NewMaintenance(Request, frozen=True, kw_only=True):
    """Nobody runs on these nodes, or on any of the pool, in [start_s, end_s)."""

    id: str
    pool_id: str
    start_s: int
    end_s: int
    node_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookingLine:
    id: str
    centre_id: str
    pool_id: str
    start_s: int
    end_s: int
    tenants: list[str]
    num_nodes: int | None
    within: str
    state: str
    """asked: not answered yet; confirmed, refused, removed."""
    node_names: list[str]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class MaintenanceLine:
    id: str
    centre_id: str
    pool_id: str
    start_s: int
    end_s: int
    node_names: list[str]
    """Empty: the whole pool."""
    removed: bool
    reason: Reason | None
    """What was in its way when it was announced; None: not answered yet."""


@dataclass(frozen=True, slots=True)
class PoolLine:
    id: str
    chip_id: str
    nodes: int
    chips: int
    used_chips: int
    live_attempts: int
    fen_per_chip_hour: int
    """In force now, as the price of jobs that may be told to leave."""
    max_walltime_s: int
    preemptible_fen_per_chip_hour: int | None = None
    rate_card: RateCard | None = None
    until_s: int | None = None
    """With a rate card: until when the prices are in force, at least."""


@dataclass(frozen=True, slots=True)
class CentreLine:
    id: str
    name: str
    name_zh: str
    city: str
    latitude: float
    longitude: float
    organisation_id: str
    state: str
    """seen, unseen (silent: nothing else is known), lost (given up by the network), drained"""
    seen_s: int | None
    agent_release: str
    driver: str
    pools: list[PoolLine]
    warnings: list[Reason] = field(default_factory=list)
    """Where what the agent finds differs from what the centre offers."""
    lost_s: int | None = None
    """Declared lost then."""


class GivingUp(Request, frozen=True, kw_only=True):
    """A centre, or the attempt of a job at a silent centre, is given up, for a reason that is kept."""

    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How many attempts were abandoned, and in which states their jobs are now."""

    centre_id: str
    attempts: int
    states: dict[str, int]
