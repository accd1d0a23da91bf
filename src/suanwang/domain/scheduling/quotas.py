"""Who may use how much: a tree of groups and tenants, as data."""

from dataclasses import dataclass

from suanwang.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Quota:
    """Chips of one model at one centre. A group's are added to what its children lend each other."""

    centre_id: str
    chip_id: str
    nominal_chips: int
    """What is its own: used when wanted, lent while not."""
    borrow_chips: int | None = None
    """How much more it may use of what others do not; None: as much as there is."""
    lend_chips: int | None = None
    """How much of its own others may use; None: all that it does not use itself."""

    def __post_init__(self) -> None:
        for name in ("nominal_chips", "borrow_chips", "lend_chips"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidInput(name, value, "0 or more")


@dataclass(frozen=True, slots=True)
class Branch:
    """A tenant (its id is the tenant's) or a group of branches."""

    id: str
    parent: str | None = None
    """The group it is in; None: directly under the root."""
    shares: int = 1
    """Its weight among the branches of the same parent, for fair share."""
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotaTree:
    """All quotas of a network. A (centre, chip) that no branch names is not limited.

    A tenant that is not in the tree stands directly under the root: nothing is its own, and it borrows what there is.
    """

    branches: tuple[Branch, ...] = ()
    quotas: tuple[Quota, ...] = ()
    """Of the root itself: chips that are nobody's own, for all to borrow."""

    def __post_init__(self) -> None:
        ids = [branch.id for branch in self.branches]
        if len(ids) != len(set(ids)) or "" in ids:
            raise InvalidInput("branches", sorted(ids), "distinct ids that are not empty")
        parent = {branch.id: branch.parent for branch in self.branches}
        for branch in self.branches:
            if branch.parent is not None and branch.parent not in parent:
                raise InvalidInput(f"branches.{branch.id}.parent", branch.parent, "a branch of the tree")
            if branch.shares < 0:
                raise InvalidInput(f"branches.{branch.id}.shares", branch.shares, "0 or more")
            _check_quotas(branch.id, branch.quotas)
            above, steps = branch.parent, 0
            while above is not None:
                above, steps = parent[above], steps + 1
                if steps >= MAX_DEPTH:
                    raise InvalidInput(f"branches.{branch.id}", branch.parent, f"no circle, at most {MAX_DEPTH} levels")
        _check_quotas("root", self.quotas)

    def resources(self) -> list[tuple[str, str]]:
        """Every (centre, chip) that is limited, in order."""
        quotas = [*self.quotas, *(quota for branch in self.branches for quota in branch.quotas)]
        return sorted({(quota.centre_id, quota.chip_id) for quota in quotas})


MAX_DEPTH = 32


def _check_quotas(branch_id: str, quotas: tuple[Quota, ...]) -> None:
    named = [(quota.centre_id, quota.chip_id) for quota in quotas]
    if len(named) != len(set(named)):
        raise InvalidInput(f"branches.{branch_id}.quotas", named, "one quota for a chip at a centre")
