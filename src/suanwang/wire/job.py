"""Jobs: what a tenant asks, what it is quoted, and everything about one job up to its receipt."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from msgspec import field as default

from suanwang.domain.job import JobSpec, JobState, Objective, Phase
from suanwang.wire.request import Reason, Request


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
    project: str | None = None
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
    fen_per_chip_hour: int | None = None
    """The price that this assumes: the one in force at the start, which an attempt keeps to its end."""
    price_until_s: int | None = None
    """Where prices change with the time: until when it must have started to have this one."""


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
class Evidence:
    """That one transaction is in the book: `line` is a leaf, `path` leads from its `place` to the root of a seal."""

    line: str
    place: int
    path: list[str]
    seal: str


class NewRefund(Request, frozen=True, kw_only=True):
    """A part of what one attempt was charged is given back, for a reason that is kept."""

    amount_fen: int
    reason: str
    attempt: int | None = None
    """May be left out where only one attempt was charged."""


@dataclass(frozen=True, slots=True)
class RefundLine:
    """The `number`-th refund of a job; `voucher_fen` of it went back to the voucher, or to its programme."""

    number: int
    attempt: int
    amount_fen: int
    voucher_fen: int
    reason: str
    at_s: int
    transaction_id: str


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
    evidence: list[Evidence]
    """Of the transfers' transactions, as far as they are sealed."""
    refunds: list[RefundLine]
    """Given back since; the amounts above are as they were charged."""


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
