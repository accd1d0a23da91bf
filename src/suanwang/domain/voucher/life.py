"""The life of claims and of a voucher's amounts."""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from suanwang.errors import Conflict, InsufficientValue, InvalidInput, ProofFailed


class ClaimState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ClaimStep(StrEnum):
    SUBMIT = "submit"
    VERIFY = "verify"
    GRANT = "grant"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


CLAIM_TRANSITIONS: MappingProxyType[tuple[ClaimState, ClaimStep], ClaimState] = MappingProxyType(
    {
        (ClaimState.DRAFT, ClaimStep.SUBMIT): ClaimState.SUBMITTED,
        (ClaimState.DRAFT, ClaimStep.WITHDRAW): ClaimState.WITHDRAWN,
        (ClaimState.SUBMITTED, ClaimStep.VERIFY): ClaimState.VERIFIED,
        (ClaimState.SUBMITTED, ClaimStep.WITHDRAW): ClaimState.WITHDRAWN,
        (ClaimState.VERIFIED, ClaimStep.GRANT): ClaimState.GRANTED,
        (ClaimState.VERIFIED, ClaimStep.REFUSE): ClaimState.REFUSED,
        (ClaimState.VERIFIED, ClaimStep.WITHDRAW): ClaimState.WITHDRAWN,
    }
)


def claim_after(state: ClaimState, step: ClaimStep) -> ClaimState:
    """The state of a claim after a step. Raises Conflict if the step is not possible in that state."""
    try:
        return CLAIM_TRANSITIONS[state, step]
    except KeyError:
        raise Conflict(f"a claim that is {state} cannot {step}", state=state, step=step) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherAmounts:
    """Where the value of one voucher is. A voucher is divisible, so these amounts are its state."""

    granted_fen: int
    available_fen: int = 0
    held_fen: int = 0
    used_fen: int = 0
    expired_fen: int = 0
    revoked_fen: int = 0
    clawed_back_fen: int = 0

    def check(self) -> None:
        """Raises ProofFailed unless granted = available + held + used + expired + revoked + clawed back, all >= 0."""
        places = {name: getattr(self, name) for name in PLACES}
        if min(places.values()) < 0 or self.granted_fen != sum(places.values()):
            raise ProofFailed("a voucher's amounts do not add up", granted_fen=self.granted_fen, **places)


PLACES = ("available_fen", "held_fen", "used_fen", "expired_fen", "revoked_fen", "clawed_back_fen")


class VoucherMove(StrEnum):
    HOLD = "hold"
    RELEASE = "release"
    CHARGE = "charge"
    REFUND = "refund"
    REFUND_AFTER_END = "refund_after_end"
    EXPIRE = "expire"
    REVOKE = "revoke"
    CLAW_BACK = "claw_back"


VOUCHER_MOVES: MappingProxyType[VoucherMove, tuple[str, str]] = MappingProxyType(
    {
        VoucherMove.HOLD: ("available_fen", "held_fen"),
        VoucherMove.RELEASE: ("held_fen", "available_fen"),
        VoucherMove.CHARGE: ("held_fen", "used_fen"),
        VoucherMove.REFUND: ("used_fen", "available_fen"),
        VoucherMove.REFUND_AFTER_END: ("used_fen", "expired_fen"),
        VoucherMove.EXPIRE: ("available_fen", "expired_fen"),
        VoucherMove.REVOKE: ("available_fen", "revoked_fen"),
        VoucherMove.CLAW_BACK: ("used_fen", "clawed_back_fen"),
    }
)
"""From where to where. A hold taken before the end may still be charged after it, so EXPIRE leaves held value alone."""


def moved(amounts: VoucherAmounts, move: VoucherMove, amount_fen: int) -> VoucherAmounts:
    """The amounts after a move. Raises InvalidInput below 1 fen, InsufficientValue if the source has less."""
    if amount_fen <= 0:
        raise InvalidInput("amount_fen", amount_fen, "1 fen or more")
    source, target = VOUCHER_MOVES[move]
    available_fen: int = getattr(amounts, source)
    if available_fen < amount_fen:
        raise InsufficientValue(f"{move} needs more than there is", source=source, now=available_fen, needed=amount_fen)
    return replace(amounts, **{source: available_fen - amount_fen, target: getattr(amounts, target) + amount_fen})


class VoucherLabel(StrEnum):
    """One word for people; the first that fits."""

    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    REVOKED = "revoked"


def label(amounts: VoucherAmounts) -> VoucherLabel:
    """Something left: active; else some of it was used: exhausted; else some ran out: expired; else revoked."""
    if amounts.available_fen or amounts.held_fen:
        return VoucherLabel.ACTIVE
    if amounts.used_fen:
        return VoucherLabel.EXHAUSTED
    return VoucherLabel.EXPIRED if amounts.expired_fen else VoucherLabel.REVOKED
