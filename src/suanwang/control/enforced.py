"""Which rules the network can keep. A programme with a rule that nothing here enforces is refused by the rule's name.

What people do outside (documents, review stages, audits, the period of settlement) is kept in the rules and has no part
in any amount, so it is accepted as it is.
"""

from collections.abc import Iterator

from suanwang.domain.voucher import Flow, OnExhausted, Programme
from suanwang.errors import InvalidInput


def require_enforced(programme: Programme) -> None:
    """Raises InvalidInput (RULE_NOT_ENFORCED) naming the first rule that would stand on paper alone."""
    for rule, value, allowed in _not_enforced(programme):
        raise InvalidInput(rule, value, allowed, code="RULE_NOT_ENFORCED")


def _not_enforced(programme: Programme) -> Iterator[tuple[str, object, str]]:
    """(rule, what it says, what can be enforced)."""
    funds, gifts, offset = programme.budget, programme.incentives, programme.redemption.flow is Flow.OFFSET
    if funds.on_exhausted is not OnExhausted.FIRST_COME:
        yield "budget.on_exhausted", funds.on_exhausted, "first_come: no claim is kept waiting for a budget yet"
    if funds.carry_over:
        yield "budget.carry_over", True, "false: fund the programme with what is left of the year before"
    if programme.voucher.transferable:
        yield "voucher.transferable", True, "false: vouchers are not passed on yet"
    if offset and programme.redemption.after_payment:
        allowed = "false: with flow offset a voucher pays its part of a bill as it arises"
        yield "redemption.after_payment", True, allowed
    if offset and programme.caps.counts_redemptions:
        yield "caps.counts", programme.caps.counts, "claims: with flow offset redemptions are not capped yet"
    for name in ("points", "rebate_voucher", "validity_extension_months"):
        value = getattr(gifts, name)
        if value:
            yield f"incentives.{name}", str(value), "none: rewards are not given yet"
