"""Programmes, claims and vouchers."""

from dataclasses import dataclass
from typing import Any

from msgspec import field as default

from suanwang.wire.request import Reason, Request


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


class NewClawBack(Request, frozen=True, kw_only=True):
    """A voucher is taken back, for a reason that is kept."""

    reason: str
    used_fen: int = 0
    """What its tenant shall repay of what it paid."""


class NewRepayment(Request, frozen=True, kw_only=True):
    """What a tenant has repaid for a voucher that was clawed back."""

    amount_fen: int


@dataclass(frozen=True, slots=True)
class ClawBackLine:
    voucher_id: str
    programme_id: str
    tenant_id: str
    taken_fen: int
    """What no job held, taken at once."""
    owed_fen: int
    """What the tenant was asked to repay."""
    repaid_fen: int
    reason: str
    at_s: int


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
    revoked_fen: int
    """Taken back by the agency before it was used."""
    clawed_back_fen: int
    """Repaid by the tenant of what was used."""
    owed_fen: int
    """Still to be repaid."""
    label: str
    flow: str
    rate_bp: int
    valid_from_s: int
    valid_to_s: int | None
    centres: list[str]
