"""What numbers in the tables mean: kinds, orders, codes."""

from typing import NamedTuple


class OpKinds(NamedTuple):
    enqueue: int = 0
    dequeue: int = 1
    allocate: int = 2
    release: int = 3
    move_end: int = 4
    rematch: int = 5
    """A pool changed: queued jobs are matched with it again."""
    restore: int = 6
    """Allocate on chips that are told: after the nodes come as many sets of chips, -1 for one that is not told."""
    leave: int = 7
    promise: int = 8


class Orders(NamedTuple):
    fcfs: int = 0
    sjf: int = 1
    priority: int = 2
    f1: int = 3
    given: int = 4
    """By a score that comes with the job."""
    deadline: int = 5
    wfp3: int = 6
    """From here on, scores change with time."""
    unicef: int = 7
    fair_share: int = 8
    """From here on, usage is weighed before."""
    multi_factor: int = 9


class Placements(NamedTuple):
    """From `packing` on by score."""

    best_fit: int = 0
    first_fit: int = 1
    packing: int = 2
    clustering: int = 3
    dot_product: int = 4
    best_fit_weighted: int = 5
    fgd: int = 6
    drawn: int = 7
    """By lots that the caller drew; not for the live pass."""


class Objectives(NamedTuple):
    cheapest: int = 0
    soonest: int = 1
    balanced: int = 2


class Backfills(NamedTuple):
    """Who may overtake a reservation. `beside`: who delays it nowhere; `until`: who ends by its start; `before`: who
    ends before it."""

    beside: int = 0
    until: int = 1
    before: int = 2


class Codes(NamedTuple):
    """Why a pool cannot have a job, in the order of the checks; why not at present; what became of the job."""

    fits: int = 0
    chip_mismatch: int = 1
    node_too_small: int = 2
    node_memory_too_small: int = 3
    too_few_nodes: int = 4
    no_cabinet_fits: int = 5
    walltime_over_limit: int = 6
    other_centre_pinned: int = 7
    checkpoint_elsewhere: int = 8
    price_over_limit: int = 9
    cost_over_budget: int = 10
    booking_elsewhere: int = 11
    pool_unseen: int = 12
    pool_drained: int = 13
    booking_unknown: int = 14
    booking_not_open_to_tenant: int = 15
    booking_has_no_room: int = 16
    over_quota: int = 17
    placed: int = 18
    waits_for_chips: int = 19
    waits_behind_others: int = 20
    waits_for_booking: int = 21
    """The booking that it runs in has not begun."""
    waits_behind_booking: int = 22
    """Nodes that are free are booked for others while it would run."""
    waits_for_window: int = 23
    """It would reach into a maintenance window."""
    waits_behind_owner: int = 24
    """The pool's own tenants go first."""
    no_pool_fits: int = 25
    no_pool_open: int = 26
    waits_for_quota: int = 27
    waits_for_victims: int = 28


class Rights(NamedTuple):
    """Why one job may have the place of another."""

    none: int = 0
    priority: int = 1
    give_back: int = 2


class Standings(NamedTuple):
    """What a tenant's quota says to a job."""

    open: int = 0
    lent: int = 1
    """It is within what is its own, but others use that now."""
    over: int = 2


OP_KIND, ORDER, PLACEMENT, OBJECTIVE, BACKFILL = OpKinds(), Orders(), Placements(), Objectives(), Backfills()
CODE, RIGHT, STANDING = Codes(), Rights(), Standings()
