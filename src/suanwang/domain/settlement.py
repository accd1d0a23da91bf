"""Settlement batches: which lines of the book are paid to one payee together, and what may be done with a batch.

A line is what one transaction moved on one account of a payee: a charge, a refund, a repayment. A batch is proposed,
approved by another person, and paid; or rejected, and its lines are free for the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from suanwang.domain.ledger import CASH, AccountKind

CENTRE, TENANT = "centre", "tenant"
KIND_OF_ACCOUNT = {AccountKind.PAYABLE: CENTRE, AccountKind.REIMBURSABLE: TENANT}
INITIAL = {CENTRE: "S", TENANT: "R"}
"""Settlement of a centre, reimbursement of a tenant."""

PROPOSED, APPROVED, PAID, REJECTED = "proposed", "approved", "paid", "rejected"
NEXT = {PROPOSED: frozenset({APPROVED, REJECTED}), APPROVED: frozenset({PAID, REJECTED})}
"""What a batch can become; what is paid or rejected stays so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is owed by one transaction on one account of a payee; less than nothing where something was given back.

    `turn`: how often it is in a batch with this time. `dispute`: one that is open on it.
    """

    transaction_id: str
    account_id: int
    account: str
    kind: str
    payee: str
    asset: str
    amount_fen: int
    turn: int
    dispute: int | None


@dataclass(frozen=True, slots=True)
class HeldEntries:
    """What stays out of a batch, of one account: for open disputes, or because it comes to less than nothing."""

    kind: str
    payee: str
    asset: str
    amount_fen: int
    lines: int
    disputes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """(kind, payee) -> the lines of one batch; and what waits."""

    batches: dict[tuple[str, str], list[Entry]]
    held_back: list[HeldEntries]


def gather(entries: Iterable[Entry]) -> Gathered:
    """One batch per payee. An account whose open lines come to less than nothing waits as a whole: its payee was paid,
    and then gave back, so a later batch pays so much less."""
    accounts: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        accounts.setdefault((entry.kind, entry.payee, entry.asset), []).append(entry)
    found = Gathered({}, [])
    for (kind, payee, asset), every in sorted(accounts.items()):
        disputed = [entry for entry in every if entry.dispute is not None]
        free = [entry for entry in every if entry.dispute is None]
        if disputed:
            found.held_back.append(_held(kind, payee, asset, disputed))
        if sum(entry.amount_fen for entry in free) < 0:
            found.held_back.append(_held(kind, payee, asset, free))
        elif free:
            found.batches.setdefault((kind, payee), []).extend(free)
    return found


def _held(kind: str, payee: str, asset: str, entries: list[Entry]) -> HeldEntries:
    disputes = tuple(sorted({entry.dispute for entry in entries if entry.dispute is not None}))
    return HeldEntries(kind, payee, asset, sum(entry.amount_fen for entry in entries), len(entries), disputes)


def batch_id(kind: str, period: str, payee: str, number: int) -> str:
    """S-2026-11-east; of the second batch of that month and payee S-2026-11-east.2."""
    return f"{INITIAL[kind]}-{period}-{payee}" + (f".{number}" if number > 1 else "")


def amounts_fen(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sum by asset of (asset, fen); without assets that come to nothing."""
    found: dict[str, int] = {}
    for asset, fen in lines:
        found[asset] = found.get(asset, 0) + fen
    return {asset: fen for asset, fen in sorted(found.items()) if fen}


def lines_sha256(lines: Iterable[tuple[str, str, int]]) -> bytes:
    """Over (transaction, account, fen), in the order of their texts: what a payment of the batch is for."""
    texts = sorted(f"{transaction} {account} {fen}\n" for transaction, account, fen in lines)
    return sha256("".join(texts).encode()).digest()


def programme_of_asset(asset: str) -> str | None:
    """None: cash."""
    return None if asset == CASH else asset.partition("@")[2]
