"""What people and programs say to the hub over HTTP, and what it answers. JSON in the shape of these types.

Amounts are fen, instants are Unix seconds, shares are basis points. A `reason` is a stable code with its facts.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct
from msgspec import field as default

from suanwang.domain.job import JobSpec, JobState, Objective, Phase
from suanwang.domain.tenant import OrganisationKind, Role


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
    """`awake`, or `starting`: it reads the records and decides nothing yet."""
    events_held_back_s: int
    """For how long new events wait for the oldest transaction of the whole PostgreSQL cluster; a moment is normal."""


# Jobs ----------------------------------------------------------------------------------------------------------------


class JobRequest(Request, frozen=True, kw_only=True):
    """One job, or `count` equal ones: a SkyPilot task file as text (`task`), or a `spec`; exactly one of the two."""

    task: str | None = None
    spec: dict[str, Any] | None = None
    """A `JobSpec` as JSON; see `msgspec.to_builtins`."""
    count: int = 1
    name: str | None = None
    walltime_s: int | None = None
    envs: dict[str, str] = default(default_factory=dict)
    workdir_sha256: str | None = None
    """Archive (tar.gz, uploaded before) that stands for a local `workdir`."""
    objective: Objective | None = None
    voucher: str | None = None
    max_cost_fen: int | None = None
    use: str | None = None
    priority: int | None = None


class Submission(Request, frozen=True, kw_only=True):
    """All of these jobs, or none."""

    jobs: tuple[JobRequest, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the hub assumed or ignored while reading a task file."""

    code: str
    field: str
    message: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    job_id: str
    name: str
    estimate_fen: int
    """The most that one attempt can cost: what is held."""
    voucher_hold_fen: int
    cash_hold_fen: int
    voucher_id: str | None


@dataclass(frozen=True, slots=True)
class Submitted:
    jobs: list[SubmittedJob]
    notices: list[Notice]


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One centre's answer. `finish_s` is the latest finish: start plus the whole walltime, which `price_fen` covers."""

    centre_id: str
    centre_name: str
    centre_name_zh: str
    city: str
    pool_id: str
    chip_id: str
    accepted: bool
    reason: Reason
    variant: int | None = None
    start_s: int | None = None
    finish_s: int | None = None
    price_fen: int | None = None
    voucher_fen: int | None = None
    own_fen: int | None = None
    """What the tenant bears in the end: price less voucher part."""


@dataclass(frozen=True, slots=True)
class Quote:
    job_name: str
    walltime_s: int
    quoted_s: int
    lines: list[QuoteLine]
    notices: list[Notice]
    voucher_id: str | None
    voucher_flow: str | None
    """`offset`: the tenant never pays the voucher part; `reimburse`: it pays first and the programme repays it."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One row of a job list. `unseen`: its centre is silent; the job is as it was last seen."""

    id: str
    number: int
    name: str
    tenant_id: str
    state: JobState
    attempts: int
    centre_id: str | None
    pool_id: str | None
    phase: Phase | None
    unseen: bool
    submitted_s: int
    started_s: int | None
    ended_s: int | None
    estimate_fen: int
    charged_fen: int
    voucher_fen: int
    reason: Reason
    progress: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class JobList:
    jobs: list[JobLine]
    states: dict[str, int]
    """How many jobs are in each state, over all pages."""
    next_before: int | None
    """Pass as `before` to get the next page."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge. Lost work stands on a line of 0 fen with `kept` false."""

    from_s: int
    until_s: int
    chip_s: int
    kept: bool
    fen_per_chip_hour: int
    amount_fen: int
    voucher_fen: int
    cash_fen: int
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class UsageLine:
    from_s: int
    until_s: int
    chips: int


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt: where, why there, what was seen, what it used and cost."""

    number: int
    centre_id: str
    pool_id: str
    chip_id: str
    node_names: list[str]
    chips: int
    fen_per_chip_hour: int
    phase: Phase
    unseen: bool
    cause: str | None
    exit_code: int | None
    signal: int | None
    detail: str
    placed_s: int
    expected_end_s: int
    started_s: int | None
    observed_s: int | None
    ended_s: int | None
    progress: dict[str, Any] | None
    checkpoint: dict[str, Any] | None
    resume_from: dict[str, Any] | None
    decision: dict[str, Any]
    """The placement as the brain decided it: reason and the outlook of every pool."""
    usage: list[UsageLine]
    charges: list[ChargeLine]
    lost_chip_s: int
    charged_chip_s: int
    charged_fen: int
    running_fen: int
    """What the attempt has used and not been charged for yet, at its price; an indication, not a charge."""


@dataclass(frozen=True, slots=True)
class TransferLine:
    """One movement of the book that concerns a job."""

    transaction_id: str
    kind: str
    debit: str
    credit: str
    amount_fen: int
    effective_s: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything about one job, from what was asked to the last fen."""

    id: str
    number: int
    name: str
    tenant_id: str
    state: JobState
    settled: bool
    reason: Reason
    spec: JobSpec
    submitted_s: int
    ended_s: int | None
    estimate_fen: int
    charged_fen: int
    voucher_id: str | None
    voucher_fen: int
    """Borne by a voucher: taken at the charge (offset), or repaid to the tenant (reimburse)."""
    voucher_flow: str | None
    programme_id: str | None
    """Of the voucher that the job pays with."""
    repaid_fen: int
    """Of `voucher_fen`: what the tenant has paid first, and the programme owes it for that since the job's end."""
    cash_fen: int
    """Borne by the tenant in the end."""
    attempts: list[AttemptLine]
    transfers: list[TransferLine]


@dataclass(frozen=True, slots=True)
class EventLine:
    seq: int
    at_s: int
    kind: str
    attempt: int | None
    centre_id: str | None
    actor: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Log:
    """A piece of a job's output from `offset`; read on from `offset + len(text in bytes)` = `next_offset`."""

    attempt: int
    offset: int
    next_offset: int
    text: str
    ended: bool


# Network -------------------------------------------------------------------------------------------------------------


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
    vouchers_fen: int
    owed_to_tenant_fen: int


class NewNodes(Request, frozen=True, kw_only=True):
    name: str
    chips: int
    cpus: int = 1
    memory_gib: int | None = None
    cabinet: str = ""


class NewPool(Request, frozen=True, kw_only=True):
    id: str
    chip: str
    nodes: tuple[NewNodes, ...]
    fen_per_chip_hour: int
    max_walltime_s: int
    bills_lost_work: bool = False
    own_tenants_first: tuple[str, ...] = ()


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
    pools: tuple[NewPool, ...]


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
    max_walltime_s: int


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
    """seen, unseen (silent: nothing else is known), drained"""
    seen_s: int | None
    agent_release: str
    driver: str
    pools: list[PoolLine]
    warnings: list[Reason] = field(default_factory=list)
    """Where what the agent finds differs from what the centre offers."""


# Vouchers ------------------------------------------------------------------------------------------------------------


class NewProgramme(Request, frozen=True, kw_only=True):
    """A rules file as text; `rules_id` picks one of a file of many."""

    rules: str
    rules_id: str | None = None
    automatic_limit_fen: int = 0
    """Claims are granted at once while a tenant's sum of a year is not above this; then an officer decides."""


class NewFunding(Request, frozen=True, kw_only=True):
    amount_fen: int


@dataclass(frozen=True, slots=True)
class ProgrammeLine:
    id: str
    name_zh: str
    issuer_zh: str
    agency_id: str
    rules_sha256: str
    flow: str
    automatic_limit_fen: int
    budget_left_fen: int
    granted_fen: int
    not_enforced: list[str]
    """Rules that stand on paper alone."""


class NewListing(Request, frozen=True, kw_only=True):
    """A centre on a list of an agency's rules, or off it. Without `agency_id`: the officer's own."""

    list: str
    centre_id: str
    listed: bool = True
    agency_id: str | None = None


class ContractPart(Request, frozen=True, kw_only=True):
    kind: str
    amount_fen: int


class NewClaim(Request, frozen=True, kw_only=True):
    """A tenant asks a programme for a voucher for one contract. Without `centres`: every centre of the network."""

    programme_id: str
    contract_id: str
    signed_on: str
    term_days: int
    parts: tuple[ContractPart, ...]
    uses: tuple[str, ...] = ("training",)
    centres: tuple[str, ...] = ()
    facts: dict[str, Any] = default(default_factory=dict)
    """What the rules ask of the contract beyond this, such as chip_domestic."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The decision with everything behind it."""

    claim_id: str
    programme_id: str
    state: str
    assessed_fen: int
    granted_fen: int
    base_fen: int
    rate_bp: int
    limits_hit: list[str]
    refusals: list[Reason]
    advice: list[Reason]
    """The smallest change that would turn each refusal or lift each limit."""
    rules_sha256: str
    voucher_id: str | None
    centres: list[str]
    """Where the voucher can be used: the centres that the rules accept as providers."""
    refused_centres: dict[str, list[Reason]]


class Decision(Request, frozen=True, kw_only=True):
    """An officer's decision on a claim: never above the assessed amount; 0 refuses."""

    amount_fen: int


@dataclass(frozen=True, slots=True)
class VoucherLine:
    id: str
    programme_id: str
    tenant_id: str
    granted_fen: int
    available_fen: int
    held_fen: int
    used_fen: int
    expired_fen: int
    label: str
    flow: str
    rate_bp: int
    valid_from_s: int
    valid_to_s: int | None
    centres: list[str]


# Bills and proofs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payment:
    """One payee of a settlement. `cash_fen` comes from tenants' charges, `voucher_fen` from programmes (id -> fen)."""

    payee: str
    kind: str
    """centre or tenant"""
    cash_fen: int
    voucher_fen: dict[str, int]


@dataclass(frozen=True, slots=True)
class Settlement:
    payments: list[Payment]
    paid: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement, and up to 20 records that contradict it."""

    name: str
    statement: str
    holds: bool
    contradictions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Proofs:
    at_s: int
    hold: bool
    proofs: list[Proof]
    counts: dict[str, int]
    """How many records were looked at."""
