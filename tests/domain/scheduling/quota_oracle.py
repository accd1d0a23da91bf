"""Quotas, written to be obvious: everything is counted anew for every question."""

from dataclasses import dataclass
from fractions import Fraction

from suanwang.domain.scheduling.quotas import Quota, QuotaTree

ROOT = ""


@dataclass
class Use:
    """Chips that count now."""

    tenant_id: str
    pool_id: str
    chips: Fraction


@dataclass
class QuotaOracle:
    """One (centre, chip) of a tree, and who uses how much of it."""

    tree: QuotaTree
    resource: tuple[str, str]
    uses: list[Use]

    # --- the tree ---

    def parent(self, branch: str) -> str:
        return next((b.parent or ROOT for b in self.tree.branches if b.id == branch), ROOT)

    def children(self, branch: str) -> list[str]:
        return [b.id for b in self.tree.branches if (b.parent or ROOT) == branch]

    def path(self, branch: str) -> list[str]:
        """A branch and all above it but the root."""
        return [] if branch == ROOT else [branch, *self.path(self.parent(branch))]

    def stated(self, branch: str) -> Quota:
        quotas = next((b.quotas for b in self.tree.branches if b.id == branch), ())
        if branch == ROOT:
            quotas = self.tree.quotas
        found = [quota for quota in quotas if (quota.centre_id, quota.chip_id) == self.resource]
        return found[0] if found else Quota(*self.resource, 0)

    # --- what there is ---

    def nominal(self, branch: str) -> int:
        return self.stated(branch).nominal_chips + sum(
            self.nominal(child) - self.unlent(child) for child in self.children(branch)
        )

    def unlent(self, branch: str) -> int:
        lend = self.stated(branch).lend_chips
        return 0 if lend is None else max(0, self.nominal(branch) - lend)

    def used(self, branch: str) -> Fraction:
        listed = {b.id for b in self.tree.branches}
        own = sum((use.chips for use in self.uses if use.tenant_id == branch), Fraction(0))
        if branch == ROOT:
            own = sum((use.chips for use in self.uses if use.tenant_id not in listed), Fraction(0))
        return own + sum((self.drawn(child) for child in self.children(branch)), Fraction(0))

    def drawn(self, branch: str) -> Fraction:
        """What it uses beyond what it does not lend."""
        return max(Fraction(0), self.used(branch) - self.unlent(branch))

    def room(self, branch: str, top: str = ROOT) -> Fraction:
        """How much more, with nothing above `top`."""
        if branch == top:
            return self.nominal(top) - self.used(top)
        own = max(Fraction(0), self.unlent(branch) - self.used(branch))
        from_above = self.room(self.parent(branch), top)
        borrow = self.stated(branch).borrow_chips
        if borrow is not None:
            from_above = min(from_above, self.nominal(branch) - self.unlent(branch) - self.drawn(branch) + borrow)
        return own + from_above

    # --- questions ---

    def standing(self, tenant_id: str, chips: Fraction) -> str:
        if self.room(tenant_id) >= chips:
            return "open"
        own = any(self.room(tenant_id, top) >= chips for top in self.path(tenant_id))
        return "lent" if own else "over"

    def below_meeting(self, tenant_id: str, other_id: str) -> list[str]:
        """Branches of the first that are not above the second."""
        return [branch for branch in self.path(tenant_id) if branch not in self.path(other_id)]

    def borrows(self, tenant_id: str, from_id: str) -> bool:
        """Whether a tenant is over its quota on every level up to where it meets another."""
        return all(self.used(branch) > self.nominal(branch) for branch in self.below_meeting(tenant_id, from_id))

    def is_own(self, tenant_id: str, against_id: str, chips: Fraction) -> bool:
        """Whether so many chips more belong to the highest branch that a tenant does not share with another."""
        below = self.below_meeting(tenant_id, against_id)
        return bool(below) and self.room(tenant_id, below[-1]) >= chips
