"""Settlement batches: what is paid to one centre or tenant together, line by line."""

from dataclasses import dataclass

from suanwang.wire.request import Request


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """What one transaction of the book is owed for, from one source. Less than nothing: something was given back."""

    transaction_id: str
    account: str
    """As the book has it."""
    programme_id: str | None
    """Whose money; None: the tenant's own."""
    amount_fen: int
    kind: str
    """charge, charge_order, refund, redeem, or a payment of before there were batches."""
    subject_id: str
    """Of the job, or of the order."""
    name: str
    attempt: int
    tenant_id: str | None
    effective_s: int
    reason: str = ""
    dispute: int | None = None
    """The one that a refund answered."""
    corrects: tuple[str, ...] = ()
    """Of a refund: the batches that the charges were in."""


@dataclass(frozen=True, slots=True)
class SettlementStep:
    """`transaction_id`: the payment in the book; none where the lines come to nothing."""

    state: str
    actor: str
    at_s: int
    reason: str = ""
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class SettlementBatch:
    """`kind`: centre, or tenant (a reimbursement). `lines` is empty in a list of batches."""

    id: str
    period: str
    kind: str
    payee: str
    state: str
    at_once: bool
    total_fen: int
    cash_fen: int
    voucher_fen: dict[str, int]
    """Programme -> fen."""
    funders: dict[str, dict[str, int]]
    """Programme -> level -> what it owes for this batch; a programme that one body pays is not in it."""
    line_count: int
    lines_sha256: str
    """Of the lines; the payment in the book names it."""
    steps: list[SettlementStep]
    lines: list[SettlementLine]


@dataclass(frozen=True, slots=True)
class Due:
    """What a programme owes for a batch; where several bodies fund it, what one of them (`level`) does."""

    programme_id: str
    level: str | None
    batch_id: str
    period: str
    kind: str
    payee: str
    state: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Lines of one source that wait: for an answer to disputes, or because together they are less than nothing."""

    kind: str
    payee: str
    programme_id: str | None
    amount_fen: int
    line_count: int
    disputes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The batches that were made, and what stays out of them."""

    batches: list[SettlementBatch]
    held_back: list[HeldBack]


class Rejection(Request, frozen=True, kw_only=True):
    """Why a batch is not paid as it is."""

    reason: str
