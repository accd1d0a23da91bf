"""Budgets of a tenant's projects: what a month may cost, and of which shares of it people want to hear.

Amounts are gross: what jobs cost before vouchers. A voucher ends and is shared by all projects of a tenant, so what a
project costs after vouchers would depend on which of them submitted first.
"""

import re
from dataclasses import dataclass

from suanwang.errors import InvalidInput, Refused
from suanwang.units import yuan

DEFAULT_ALERT_PERCENT = (50, 80, 100)
MAX_THRESHOLDS = 10
MAX_PERCENT = 1_000
MAX_TITLE_LENGTH = 128
MAX_BUDGET_FEN = 10**15
_PERCENT = 100  # house: the meaning of the word
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """Of every month. `fen` None: no budget. `hard`: what does not fit is refused; else alerts are all."""

    fen: int | None = None
    hard: bool = False
    alert_percent: tuple[int, ...] = DEFAULT_ALERT_PERCENT


def check_name(name: str, field: str = "project") -> None:
    """Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(field, name, "the name of a project: 1 to 63 lower-case letters, digits and dashes")


def check_title(title: str) -> None:
    """Raises InvalidInput."""
    if not 1 <= len(title) <= MAX_TITLE_LENGTH or not title.isprintable():
        raise InvalidInput("title", title, "1 to 128 printable characters")


def check_budget(budget: Budget) -> None:
    """Raises InvalidInput."""
    if budget.fen is None and budget.hard:
        raise InvalidInput("hard", budget.hard, "a hard stop needs a budget")
    if budget.fen is not None and not 0 <= budget.fen <= MAX_BUDGET_FEN:
        raise InvalidInput("budget_fen", budget.fen, f"0 to {MAX_BUDGET_FEN} fen")
    percents = budget.alert_percent
    if len(set(percents)) != len(percents) or len(percents) > MAX_THRESHOLDS:
        raise InvalidInput("alert_percent", list(percents), f"at most {MAX_THRESHOLDS} different percentages")
    for percent in percents:
        if not 1 <= percent <= MAX_PERCENT:
            raise InvalidInput("alert_percent", percent, f"1 to {MAX_PERCENT} percent of the budget")


def passed_percent(budget: Budget, spent_fen: int) -> list[int]:
    """Thresholds that are reached by what was charged. What is only held may still come back and raises no alert."""
    if budget.fen is None or spent_fen <= 0:
        return []
    return sorted(percent for percent in budget.alert_percent if spent_fen * _PERCENT >= percent * budget.fen)


def has_room(budget: Budget, spent_fen: int, held_fen: int, asked_fen: int) -> bool:
    return budget.fen is None or not budget.hard or spent_fen + held_fen + asked_fen <= budget.fen


def require_room(name: str, budget: Budget, spent_fen: int, held_fen: int, asked_fen: int) -> None:
    """Raises Refused (BUDGET_EXCEEDED)."""
    if has_room(budget, spent_fen, held_fen, asked_fen):
        return
    budget_fen = budget.fen or 0
    raise Refused(
        f"project {name} has a budget of {yuan(budget_fen)} yuan for this month: {yuan(spent_fen)} are spent, "
        f"{yuan(held_fen)} held, {yuan(asked_fen)} asked; raise the budget, ask for less walltime, or wait for jobs "
        "to end",
        code="BUDGET_EXCEEDED",
        project=name,
        budget_fen=budget_fen,
        spent_fen=spent_fen,
        held_fen=held_fen,
        asked_fen=asked_fen,
    )
