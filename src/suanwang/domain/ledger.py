"""Accounts, transfers and transactions: double entry in integer fen, balanced by construction.

A transfer takes an amount from one account and gives it to another within one asset, so nothing can be made or lost.
Assets keep money apart that must not mix: `CNY` is cash, `CNY@<programme>` is the value of one voucher programme.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from uuid import UUID, uuid5

CASH = "CNY"
NAMESPACE = UUID("5a57616e-7761-5e67-8e57-0c0de0b00c01")
"""Root of all identities that are derived from a business key."""


def programme_asset(programme_id: str) -> str:
    return f"{CASH}@{programme_id}"


def identity(*parts: object) -> UUID:
    """The same business key gives the same id, so a repeated call meets its own first effect."""
    return uuid5(NAMESPACE, "/".join(str(part) for part in parts))


class AccountKind(StrEnum):
    BANK = "bank"
    """The outside world."""
    BUDGET = "budget"
    """A programme's money that is not granted yet."""
    VOUCHER = "voucher"
    """What a tenant can still use of a voucher."""
    TENANT_CASH = "cash"
    """A tenant's prepaid money."""
    HOLD = "hold"
    """Value of one source that is set aside for one job."""
    PAYABLE = "payable"
    """Owed to a centre; the asset tells the voucher part from the cash part."""
    REIMBURSABLE = "reimbursable"
    """Owed to a tenant by a programme that pays after the use."""
    EXPIRED = "expired"
    CLAWED_BACK = "clawed_back"
    FEE = "fee"


LIMITED_KINDS = frozenset({AccountKind.BUDGET, AccountKind.VOUCHER, AccountKind.TENANT_CASH, AccountKind.HOLD})
"""Never below zero. The other kinds are open ends: only appended to, never locked."""


@dataclass(frozen=True, slots=True)
class Account:
    kind: AccountKind
    owner: str
    asset: str
    job_id: str | None = None
    key: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        key = f"{self.kind}:{self.owner}:{self.asset}" + (f":{self.job_id}" if self.job_id else "")
        object.__setattr__(self, "key", key)

    @property
    def limited(self) -> bool:
        return self.kind in LIMITED_KINDS


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount_fen` > 0 from `debit` to `credit`, both of one asset."""

    debit: Account
    credit: Account
    amount_fen: int

    def __post_init__(self) -> None:
        if self.amount_fen <= 0:
            raise ValueError(f"a transfer moves more than nothing, not {self.amount_fen}")
        if self.debit.asset != self.credit.asset:
            raise ValueError(f"a transfer stays inside one asset, not {self.debit.asset} -> {self.credit.asset}")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One business event of the book. `subject` is what it is about: a job, claim, programme or batch."""

    id: UUID
    kind: str
    subject: str
    transfers: tuple[Transfer, ...]
    effective_s: int
    actor: str

    @property
    def total_fen(self) -> int:
        return sum(transfer.amount_fen for transfer in self.transfers)

    @property
    def sha256(self) -> bytes:
        """Of everything that must be equal when the same id comes again (not the actor's clock)."""
        lines = [self.kind, self.subject]
        lines += [f"{t.debit.key}>{t.credit.key}:{t.amount_fen}" for t in self.transfers]
        return sha256("\n".join(lines).encode()).digest()


def clawed_back(programme_id: str) -> Account:
    return Account(AccountKind.CLAWED_BACK, programme_id, programme_asset(programme_id))


def bank(asset: str) -> Account:
    return Account(AccountKind.BANK, "clearing", asset)


def budget(programme_id: str) -> Account:
    return Account(AccountKind.BUDGET, programme_id, programme_asset(programme_id))


def voucher_account(voucher_id: str, programme_id: str) -> Account:
    return Account(AccountKind.VOUCHER, voucher_id, programme_asset(programme_id))


def tenant_cash(tenant_id: str) -> Account:
    return Account(AccountKind.TENANT_CASH, tenant_id, CASH)


def hold_on(source: Account, job_id: str) -> Account:
    """Where value of `source` waits for one job."""
    return Account(AccountKind.HOLD, f"{source.kind}/{source.owner}", source.asset, job_id)


def payable(centre_id: str, asset: str) -> Account:
    return Account(AccountKind.PAYABLE, centre_id, asset)


def reimbursable(tenant_id: str, programme_id: str) -> Account:
    return Account(AccountKind.REIMBURSABLE, tenant_id, programme_asset(programme_id))


def expired(programme_id: str) -> Account:
    return Account(AccountKind.EXPIRED, programme_id, programme_asset(programme_id))
