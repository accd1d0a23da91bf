"""Billing periods, statements, disputes."""

from dataclasses import dataclass

from suanwang.wire.request import Request


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """A billing period. One that is not closed shows what is in it so far."""

    name: str
    start_s: int
    end_s: int
    closed: bool
    transactions: int
    charged_fen: int
    refunded_fen: int
    redeemed_fen: int
    """What programmes repay to tenants."""
    last_seal: int | None = None
    closed_s: int | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A charge of one attempt at one price, of one service order (`kind` order), or a refund with negative amounts and
    no quantity.

    amount_fen = voucher_fen + cash_fen.
    """

    key: str
    """Of this line alone, and always the same."""
    kind: str
    subject_id: str
    """Of the job, or of the order."""
    name: str
    attempt: int
    """0: of an order."""
    centre_id: str
    sku: str
    """The pool, or the product."""
    chip_id: str
    unit: str
    unit_fen: int
    quantity: str
    """In units, a decimal to twelve places; amounts are of the exact quantity, rounded up once."""
    from_s: int
    until_s: int
    amount_fen: int
    voucher_fen: int
    cash_fen: int
    voucher_id: str | None = None
    programme_id: str | None = None
    reason: str = ""
    corrects_earlier: bool = False
    """A refund of what was charged in a period that was closed before."""
    corrects: tuple[str, ...] = ()
    """Of a refund: the keys of the lines that it is about, with the month that each was billed in."""
    dispute: int | None = None
    """Of a charge: the one that is open on it, and keeps it out of the settlement. Of a refund: the one it answers."""
    project: str | None = None
    """Of the tenant; orders have none."""


class NewDispute(Request, frozen=True, kw_only=True):
    """What is wrong with a charge."""

    reason: str
    attempt: int | None = None
    """May be left out where only one attempt was charged."""


class DisputeAnswer(Request, frozen=True, kw_only=True):
    """What is given back (0: nothing), and why."""

    reason: str
    refund_fen: int = 0


@dataclass(frozen=True, slots=True)
class DisputeLine:
    """`organisation_id` says that the charge of an attempt is wrong. `answer` is None until it is answered."""

    number: int
    job_id: str
    job_number: int
    job_name: str
    tenant_id: str
    attempt: int
    centre_id: str
    organisation_id: str
    reason: str
    opened_s: int
    answer: str | None
    answered_s: int | None
    refunded_fen: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a tenant was charged in one period. `invoice` is its number once the period is closed."""

    period: PeriodLine
    organisation_id: str
    name: str
    invoice: str | None
    lines: list[StatementLine]
    charged_fen: int
    refunded_fen: int
    voucher_fen: int
    """Of charges less refunds: what vouchers took off."""
    cash_fen: int
    """The rest: what the invoice says is to pay."""
    redeemed_fen: int
    """What programmes repay afterwards."""


@dataclass(frozen=True, slots=True)
class Earning:
    """What a centre has of one asset: cash, or the money of one programme.

    `split`: by the level of government, if its rules share the programme's cost (method of the largest remainder).
    """

    programme_id: str | None
    charged_fen: int
    refunded_fen: int
    paid_fen: int
    owed_fen: int
    """At the end of the period, from all periods."""
    split: dict[str, int]


@dataclass(frozen=True, slots=True)
class CentreStatement:
    period: PeriodLine
    centre_id: str
    earnings: list[Earning]
    lines: list[StatementLine]


@dataclass(frozen=True, slots=True)
class BilledVoucher:
    """A voucher that lines of a bill name, as it is now."""

    id: str
    programme_id: str
    tenant_id: str
    rules_sha256: str
    rate_bp: int | None
    granted_fen: int
    available_fen: int
    valid_from_s: int
    valid_to_s: int | None
    created_s: int


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything of one period, for exports."""

    period: PeriodLine
    statements: list[Statement]
    vouchers: list[BilledVoucher]
