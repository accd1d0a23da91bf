"""Settlement, proofs, and the seals of the book."""

from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True, slots=True)
class SealLine:
    """A seal of the book as anybody may see and keep it; `line` is what `sha256` is of."""

    number: int
    entries: int
    sealed_s: int
    line: str
    sha256: str
