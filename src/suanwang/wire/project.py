"""Projects of a tenant, their budgets and alerts."""

from dataclasses import dataclass

from suanwang.domain.project import DEFAULT_ALERT_PERCENT
from suanwang.wire.request import Request


class NewBudget(Request, frozen=True, kw_only=True):
    """Of every month, before vouchers. `budget_fen` null: none; `hard`: what does not fit is refused."""

    budget_fen: int | None = None
    hard: bool = False
    alert_percent: tuple[int, ...] = DEFAULT_ALERT_PERCENT


class NewProject(Request, frozen=True, kw_only=True):
    """`name` is what task files say, `title` what people read."""

    name: str
    title: str = ""
    budget_fen: int | None = None
    hard: bool = False
    alert_percent: tuple[int, ...] = DEFAULT_ALERT_PERCENT


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project in the month that is now. `left_fen`: of the budget, less what is spent and held."""

    name: str
    title: str
    tenant_id: str
    budget_fen: int | None
    hard: bool
    alert_percent: list[int]
    month: str
    spent_fen: int
    held_fen: int
    left_fen: int | None
    months: dict[str, int]
    """Month -> fen spent, the newest first."""


@dataclass(frozen=True, slots=True)
class ProjectAlert:
    """So much of a month's budget was spent: told once. Amounts as they were at that moment."""

    project: str
    tenant_id: str
    month: str
    percent: int
    budget_fen: int
    spent_fen: int
    raised_s: int
