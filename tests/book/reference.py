"""The book once more, in memory and in its own words: what `domain.movements` and `store.posting` are compared with.

Nothing of the book's own code is used here: accounts are names, movements are lists of (from, to, fen).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

Leg = tuple[str, str, int]
LIMITED = ("budget:", "voucher:", "cash:", "hold:")


def bank(asset: str) -> str:
    return f"bank:clearing:{asset}"


def money(programme: str) -> str:
    return f"CNY@{programme}"


def budget(programme: str) -> str:
    return f"budget:{programme}:{money(programme)}"


def voucher(voucher_id: str, programme: str) -> str:
    return f"voucher:{voucher_id}:{money(programme)}"


def cash(tenant: str) -> str:
    return f"cash:{tenant}:CNY"


def held(job: str, tenant: str) -> str:
    return f"hold:cash/{tenant}:CNY:{job}"


def voucher_held(job: str, voucher_id: str, programme: str) -> str:
    return f"hold:voucher/{voucher_id}:{money(programme)}:{job}"


def owed(centre: str, asset: str) -> str:
    return f"payable:{centre}:{asset}"


def owed_back(tenant: str, programme: str) -> str:
    return f"reimbursable:{tenant}:{money(programme)}"


def taken(programme: str) -> str:
    return f"clawed_back:{programme}:{money(programme)}"


def gone(programme: str) -> str:
    return f"expired:{programme}:{money(programme)}"


@dataclass(slots=True)
class Reference:
    """`fen` by account; every movement says how it went: applied, repeated, conflict, refused or nothing."""

    fen: Counter[str] = field(default_factory=Counter)
    recorded: dict[tuple[object, ...], tuple[Leg, ...]] = field(default_factory=dict)

    def move(self, key: tuple[object, ...], *legs: Leg) -> str:
        moved = tuple(leg for leg in legs if leg[2])
        if not moved:
            return "nothing"
        if key in self.recorded:
            return "repeated" if self.recorded[key] == moved else "conflict"
        after = Counter(self.fen)
        for source, target, fen in moved:
            after[source] -= fen
            after[target] += fen
        touched = {account for leg in moved for account in leg[:2]}
        if any(after[account] < 0 for account in touched if account.startswith(LIMITED)):
            return "refused"
        self.recorded[key] = moved
        self.fen = after
        return "applied"

    def top_up(self, tenant: str, fen: int, key: str) -> str:
        return self.move(("top_up", tenant, key), (bank("CNY"), cash(tenant), fen))

    def fund(self, programme: str, fen: int, key: str) -> str:
        return self.move(("fund", programme, key), (bank(money(programme)), budget(programme), fen))

    def grant(self, voucher_id: str, programme: str, claim: str, fen: int) -> str:
        return self.move(("grant", claim), (budget(programme), voucher(voucher_id, programme), fen))

    def hold(self, tenant: str, job: str, attempt: int, cash_fen: int, source: tuple[str, str], fen: int) -> str:
        return self.move(
            ("hold", job, attempt),
            (voucher(*source), voucher_held(job, *source), fen),
            (cash(tenant), held(job, tenant), cash_fen),
        )

    def release(self, tenant: str, job: str, cash_fen: int, source: tuple[str, str], fen: int) -> str:
        return self.move(
            ("release", job),
            (held(job, tenant), cash(tenant), cash_fen),
            (voucher_held(job, *source), voucher(*source), fen),
        )

    def charge(
        self,
        tenant: str,
        job: str,
        attempt: int,
        from_s: int,
        centre: str,
        cash_fen: int,
        source: tuple[str, str],
        fen: int,
    ) -> str:
        return self.move(
            ("charge", job, attempt, from_s),
            (voucher_held(job, *source), owed(centre, money(source[1])), fen),
            (held(job, tenant), owed(centre, "CNY"), cash_fen),
        )

    def refund(
        self,
        tenant: str,
        job: str,
        number: int,
        centre: str,
        fen: int,
        source: tuple[str, str],
        voucher_fen: int,
        offset: bool,
        ended: bool,
        repaid_fen: int,
    ) -> str:
        programme = source[1]
        target = budget(programme) if ended else voucher(*source)
        giver = owed(centre, money(programme)) if offset else owed_back(tenant, programme)
        cash_fen = fen - voucher_fen if offset else fen
        returned = (taken(programme), owed_back(tenant, programme), repaid_fen)
        in_cash = (owed(centre, "CNY"), cash(tenant), cash_fen)
        return self.move(("refund", job, number), (giver, target, voucher_fen), returned, in_cash)

    def redeem(self, tenant: str, job: str, source: tuple[str, str], fen: int) -> str:
        return self.move(("redeem", job), (voucher_held(job, *source), owed_back(tenant, source[1]), fen))

    def expire(self, source: tuple[str, str], fen: int, returns: bool, at_s: int) -> str:
        programme = source[1]
        legs = [(voucher(*source), gone(programme), fen)]
        if returns:
            legs.append((gone(programme), budget(programme), fen))
        return self.move(("expire", source[0], at_s, fen), *legs)

    def claw_back(self, source: tuple[str, str], number: int, fen: int) -> str:
        key = ("claw_back", source[0]) if number == 1 else ("claw_back", source[0], number)
        return self.move(key, (voucher(*source), taken(source[1]), fen))

    def set_off(self, tenant: str, source: tuple[str, str], before_fen: int, fen: int) -> str:
        return self.move(("repay", source[0], before_fen), (owed_back(tenant, source[1]), taken(source[1]), fen))

    def repay(self, source: tuple[str, str], before_fen: int, fen: int) -> str:
        return self.move(("repay", source[0], before_fen), (bank(money(source[1])), taken(source[1]), fen))

    def pay_centre(self, centre: str, amounts: Mapping[str, int], batch: str) -> str:
        legs = [(owed(centre, asset), bank(asset), fen) for asset, fen in sorted(amounts.items())]
        return self.move(("pay_centre", batch, centre), *legs)

    def pay_tenant(self, tenant: str, amounts: Mapping[str, int], batch: str) -> str:
        legs = [(owed_back(tenant, p), bank(money(p)), fen) for p, fen in sorted(amounts.items())]
        return self.move(("pay_tenant", batch, tenant), *legs)


def voucher_identity(legs: list[Leg], voucher_id: str) -> tuple[int, int]:
    """Granted, and available + held + used + expired + taken back, of one voucher by its transfers alone."""
    own, waits, sinks = f"voucher:{voucher_id}:", f"hold:voucher/{voucher_id}:", ("payable:", "reimbursable:")
    places: Counter[str] = Counter()
    for source, target, fen in legs:
        places["granted"] += fen * (source.startswith("budget:") and target.startswith(own))
        places["available"] += fen * (target.startswith(own) - source.startswith(own))
        places["held"] += fen * (target.startswith(waits) - source.startswith(waits))
        places["used"] += fen * (source.startswith(waits) and target.startswith(sinks))
        places["used"] -= fen * (source.startswith(sinks) and target.startswith(own))
        places["expired"] += fen * (source.startswith(own) and target.startswith("expired:"))
        places["taken"] += fen * (source.startswith(own) and target.startswith("clawed_back:"))
    return places["granted"], places.total() - places["granted"]


def programme_identity(balances: Mapping[str, int], programme: str) -> tuple[int, int]:
    """Paid in less paid out, and what the programme's other accounts hold."""
    own = {key: fen for key, fen in balances.items() if key.split(":")[2] == money(programme)}
    return -own.pop(bank(money(programme)), 0), sum(own.values())
