"""The scheduler's memory: tables of whole numbers, one row of the matrix per field (struct of arrays).

`t.nodes[NODE.free_chips, node]` is one number; `t.nodes[NODE.free_chips]` is a column in one piece of memory. -1 means
"none" wherever a number names a place in another table.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.kernel.addresses import by_address

Array = npt.NDArray[np.int64]

NEVER = 2**62
"""Later than every time and dearer than every price."""
MEMO_SIZE = 4_096
MAX_SIZES = 4_096
MAX_POOLS_IN_BITS = 62
MAX_SHARED_CHIPS = 63
"""Chips are told apart, and may be shared, on nodes with at most so many: they are the bits of one number."""
TIE_WORDS = 5
"""Ties are broken by `Ask.arrival`, then by the first 32 bytes of the id, then by the order of queueing."""


class SizeColumns(NamedTuple):
    """Numbers of the state as a whole."""

    pools: int = 0
    queued: int = 1
    claims: int = 2
    """Claims in use or on the free list: those beyond were never used."""
    free_claim: int = 3
    """Head of the free list."""
    holds: int = 4
    demands: int = 5
    """Profiles that are kept per pool."""
    evicted: int = 6
    """Profiles given up for another since the start."""
    order: int = 7
    backfill: int = 8
    fresh: int = 9
    """Jobs that came and have no place in the queue yet."""
    gone: int = 10
    """Jobs that left the queue and are still in it."""
    moves: int = 11
    """Passes begun and jobs placed: what is free changes with it."""
    stale: int = 12
    """1 if `BRIEF.where` of jobs that wait must be worked out anew: a pool changed, opened or shut."""
    placement: int = 13
    most_chips: int = 14
    """Of a node of all pools, as `most_cpus`."""
    most_cpus: int = 15
    now_s: int = 16
    """Time of the step: what happens in it is charged as of now."""
    half_life_s: int = 17
    """0: usage is not counted; -1: no policy was heard yet."""
    min_gap: int = 18
    """Of priorities, for preemption; 0: nobody preempts. Its other limits follow."""
    max_preemptions: int = 19
    max_victims: int = 20
    min_run_s: int = 21
    resources: int = 22
    """Distinct (centre, chip) with a quota."""
    charges: int = 23
    """How often the use of a quota changed, or a promise was broken: it fences vain searches."""
    passes: int = 24
    promises: int = 25
    kept_holds: int = 26
    """This pass: the first so many holds are of promises."""
    preempted: int = 27
    """This pass: how many attempts were told to leave."""
    branches: int = 28
    most_milli: int = 29
    """Thousandths of chips of the largest pool."""
    closures: int = 30
    """How much stands in calendars: windows of pools, and nodes in bookings and windows. 0: there is nothing to ask."""
    owned_pools: int = 31
    """Pools whose own tenants go first."""
    owner_holds: int = 32
    """This pass: the holds up to this one, from `kept_holds` on, are of those who go first."""
    eased: int = 33
    """Passes begun and reservations given up: who could not start may since."""


class PoolColumns(NamedTuple):
    """`node`, `level`, `bits`, `shape`: where the pool's part of other tables begins; `nodes`, ...: how long it is."""

    centre: int = 0
    fen_per_chip_hour: int = 1
    max_walltime_s: int = 2
    seen: int = 3
    drained: int = 4
    node: int = 5
    nodes: int = 6
    level: int = 7
    levels: int = 8
    bits: int = 9
    words: int = 10
    shape: int = 11
    shapes: int = 12
    in_order: int = 13
    """The i-th pool by id: ties between pools do not depend on who joined first."""
    changes: int = 14
    """How often a node's claims changed."""
    version: int = 15
    """Rises with everything that can change a start: it fences the memo."""
    next_demand: int = 16
    held: int = 17
    """This pass: first node with a hold."""
    first_hold_s: int = 18
    """This pass: earliest start of a hold."""
    holders: int = 19
    """This pass: jobs with a reservation."""
    not_before_s: int = 20
    """This pass, strict FIFO: nobody overtakes the job that waits here."""
    resource: int = 21
    """The quota that its chips count on, or -1."""
    preemptible: int = 22
    """Attempts here that may be told to leave and were not."""
    tried_pass: int = 23
    """The last search for victims that found none, in vain again for whoever asks as much with as little right."""
    tried_charges: int = 24
    tried_branch: int = 25
    tried_priority: int = 26
    tried_chips: int = 27
    tried_cpus: int = 28
    tried_milli: int = 29
    tried_memory_mib: int = 30
    tried_nodes: int = 31
    tried_walltime_s: int = 32
    first_closure_s: int = 33
    """This pass: earliest start of a booking or window of one of its nodes that is not over."""
    window: int = 34
    """First of the windows of the whole pool, by start, and in `windows` how many."""
    windows: int = 35
    cabinet: int = 36
    """First of its cabinets, and in `cabinets` how many: none if no node names one."""
    cabinets: int = 37
    preemptible_fen_per_chip_hour: int = 38
    """Of jobs that may be told to leave."""


class NodeColumns(NamedTuple):
    pool: int = 0
    chips: int = 1
    cpus: int = 2
    free_chips: int = 3
    """Wholly free ones. Below zero only if the node shrank under its allocations."""
    free_cpus: int = 4
    claim: int = 5
    hold: int = 6
    held_next: int = 7
    memory_mib: int = 8
    free_memory_mib: int = 9
    chip: int = 10
    """First of its chips in `left`."""
    whole: int = 11
    """Which of its chips are wholly free, and on which there are shares: a bit for each."""
    shared: int = 12
    sizes: int = 13
    """Which numbers of chips its jobs have (bit 0: a share); -1: not known, see `scores.sizes_on`."""
    closure: int = 14
    """First of the bookings and windows that it is in."""
    cabinet: int = 15
    """-1 if the pool has none."""


class ShapeColumns(NamedTuple):
    """Distinct sizes of a pool's nodes."""

    chips: int = 0
    cpus: int = 1
    memory_mib: int = 2
    nodes: int = 3


class ClaimColumns(NamedTuple):
    """An allocation's part on one node. `next` and `before`: on the node, by expected end; `sibling`: of the job."""

    node: int = 0
    job: int = 1
    next: int = 2
    before: int = 3
    sibling: int = 4
    chips: int = 5
    """Which chips of the node: a bit for each. 0: on chips that are gone, or are not told apart."""


class JobColumns(NamedTuple):
    """A job, queued or placed. From `pool` on: its allocation, if it has one."""

    nodes: int = 0
    walltime_s: int = 1
    priority: int = 2
    submitted_s: int = 3
    objective: int = 4
    ordered: int = 5
    row: int = 6
    """First of its variants."""
    rows: int = 7
    only_centre: int = 8
    max_cost_fen: int = 9
    said: int = 10
    """The reason of the last answer while it waits, and the pool where it had a reservation then."""
    said_pool: int = 11
    pool: int = 12
    variant: int = 13
    chips: int = 14
    """Per node, as `cpus`, `milli` and `memory_mib`."""
    cpus: int = 15
    end_s: int = 16
    claim: int = 17
    milli: int = 18
    memory_mib: int = 19
    tie: int = 20
    """First of the words of its id."""
    arrival: int = 20 + TIE_WORDS
    waits: int = 21 + TIE_WORDS
    """1 while it is in the queue."""
    branch: int = 22 + TIE_WORDS
    preemptible: int = 23 + TIE_WORDS
    preemptions: int = 24 + TIE_WORDS
    """How often it was preempted before."""
    checkpoint_every_s: int = 25 + TIE_WORDS
    leaving: int = 26 + TIE_WORDS
    """1: told to leave; its chips are as good as free, its quota is."""
    trial: int = 27 + TIE_WORDS
    """During a search: the right by which it is taken (see RIGHT), or -1."""
    kept_end_s: int = 28 + TIE_WORDS
    """During a search: its expected end, if it is not taken after all."""
    promised_pool: int = 29 + TIE_WORDS
    """Where others leave for it."""
    promised_row: int = 30 + TIE_WORDS
    owed_pool: int = 31 + TIE_WORDS
    """This pass: where its quota is counted although it does not run yet."""
    owed_row: int = 32 + TIE_WORDS
    deadline_s: int = 33 + TIE_WORDS
    """NEVER if it has none."""
    in_cabinet: int = 34 + TIE_WORDS
    """1 if all its nodes must be of one cabinet."""
    owner: int = 35 + TIE_WORDS
    """Its tenant among those who go first at some pool, or -1."""
    admitted: int = 36 + TIE_WORDS
    """Whether the booking that it names is open to its tenant."""


class BriefColumns(NamedTuple):
    """What a pass must know of a waiting job to go by it, in one piece of memory per job."""

    told: int = 0
    """1 if the last word was that it waits for its turn: what else there is to say of it is news."""
    where: int = 1
    """A bit for every pool to which it would go; 0 if that is not known in bits."""
    size: int = 2
    """Which of `sizes` it asks for; -1 if it has several variants."""
    walltime_s: int = 3


class SizeOfJob(NamedTuple):
    """A demand that jobs share: per node, and nodes. `free`: the pools that have it free now, looked at in `seen`.
    `barred` and on, for as many pools as there are bits: the least walltime that could not start there, since
    `eased`."""

    chips: int = 0
    cpus: int = 1
    milli: int = 2
    memory_mib: int = 3
    nodes: int = 4
    seen: int = 5
    free: int = 6
    eased: int = 7
    barred: int = 8


class RowColumns(NamedTuple):
    """One variant of a job. `kind`: which set of chips will do (a row of `matches`). A share of a chip has no `chips`
    but `milli` thousandths of one, a whole number of chips no `milli`."""

    kind: int = 0
    chips: int = 1
    cpus: int = 2
    centre: int = 3
    max_fen_per_hour: int = 4
    milli: int = 5
    memory_mib: int = 6
    booking: int = 7
    """The booking that it runs in, or -1."""


class HoldColumns(NamedTuple):
    """A reservation's part on one node, in one pass."""

    start_s: int = 0
    end_s: int = 1
    chips: int = 2
    cpus: int = 3
    next: int = 4
    milli: int = 5
    memory_mib: int = 6
    label: int = 7
    """Of a share: its chip, or a number of its own for a chip that will be opened then."""
    node: int = 8
    job: int = 9


class ClosureColumns(NamedTuple):
    """A node that the calendar keeps for a booking, or, `booking` -1, for nobody."""

    node: int = 0
    start_s: int = 1
    end_s: int = 2
    booking: int = 3
    next: int = 4
    """Of the same node."""


class WindowColumns(NamedTuple):
    """A window of a whole pool."""

    start_s: int = 0
    end_s: int = 1


class BookingColumns(NamedTuple):
    """A confirmed booking; `pool` is -1 if there is none, or none any more, by that number."""

    pool: int = 0
    start_s: int = 1
    end_s: int = 2
    holders: int = 3
    """This pass: jobs in it with a reservation."""
    not_before_s: int = 4
    """This pass, strict FIFO: no job in it overtakes the one that waits."""


class CabinetColumns(NamedTuple):
    """Nodes with fast links among them: so many from `node` on in `by_cabinet`. The rest is scratch of one choice."""

    node: int = 0
    nodes: int = 1
    fitting: int = 2
    touched: int = 3
    quota: int = 4


class BranchColumns(NamedTuple):
    """A tenant, or a group of them. The root is branch 0."""

    parent: int = 0
    shares: int = 1
    children_shares: int = 2
    """As of the last `weigh`."""
    milli: int = 3
    """Thousandths of chips that run now."""
    since_s: int = 4
    """`spent` is as of then."""
    in_order: int = 5
    """The i-th branch by id: sums do not depend on who came first."""
    listed: int = 6
    """1: named in the tree; 0: a tenant directly under the root, which counts among siblings once it used something."""


class LimitColumns(NamedTuple):
    """What a branch has of a resource, in thousandths of chips."""

    nominal: int = 0
    """Its own and what its children lend each other."""
    unlent: int = 1
    """The part of it that nobody outside may use."""
    borrow: int = 2
    """What it may use beyond: NEVER is as much as there is."""
    used: int = 3


class PromiseColumns(NamedTuple):
    """A node that is kept for a job until those who leave it are gone."""

    job: int = 0
    node: int = 1


class PreemptedColumns(NamedTuple):
    """An attempt that was told to leave in this pass. `considered`: how many could have been taken."""

    job: int = 0
    preemptor: int = 1
    right: int = 2
    lost_s: int = 3
    victims: int = 4
    lost_milli_s: int = 5
    """Of all victims of the same preemptor."""
    considered: int = 6


class DemandColumns(NamedTuple):
    """What a kept profile is for, and the pool's `changes` that it has seen."""

    chips: int = 0
    cpus: int = 1
    changes: int = 2
    milli: int = 3
    memory_mib: int = 4


class MemoColumns(NamedTuple):
    """A remembered start; everything before `start_s` is the question."""

    pool: int = 0
    version: int = 1
    chips: int = 2
    cpus: int = 3
    nodes: int = 4
    walltime_s: int = 5
    milli: int = 6
    memory_mib: int = 7
    start_s: int = 8


class OpColumns(NamedTuple):
    """An operation on the tables: what `kind`, then its arguments; `first`, `nodes`: a stretch of the list of nodes."""

    kind: int = 0
    job: int = 1
    pool: int = 2
    row: int = 3
    end_s: int = 4
    first: int = 5
    nodes: int = 6


class AnswerColumns(NamedTuple):
    """What a pass says of a job. `picked`: where its nodes begin; `ahead`: jobs before it that wait."""

    job: int = 0
    code: int = 1
    pool: int = 2
    variant: int = 3
    start_s: int = 4
    price_fen: int = 5
    picked: int = 6
    ahead: int = 7


class OutlookColumns(NamedTuple):
    variant: int = 0
    code: int = 1
    start_s: int = 2


class FactorColumns(NamedTuple):
    """Weights of `policy.MultiFactor`, and where its factors are full."""

    age: int = 0
    fair_share: int = 1
    size: int = 2
    priority: int = 3
    age_full_s: int = 4
    priority_full: int = 5


SIZE, POOL, NODE, SHAPE, CLAIM = SizeColumns(), PoolColumns(), NodeColumns(), ShapeColumns(), ClaimColumns()
JOB, ROW, HOLD, DEMAND, MEMO = JobColumns(), RowColumns(), HoldColumns(), DemandColumns(), MemoColumns()
BRIEF, ASKED = BriefColumns(), SizeOfJob()
CLOSURE, WINDOW, BOOKING, CABINET = ClosureColumns(), WindowColumns(), BookingColumns(), CabinetColumns()
OP, ANSWER, OUTLOOK = OpColumns(), AnswerColumns(), OutlookColumns()


NO_BOOKING = -1


class Want(NamedTuple):
    """What a job asks of every node."""

    chips: int
    cpus: int
    milli: int
    memory_mib: int
    booking: int
    """What it must run in, or -1."""


class Typical(NamedTuple):
    """What fragments are measured by: the typical jobs, and tables that give the sums over them at a glance.

    `jobs`: [cpus, milli per chip, chips, kind] in order; a typical job with whole chips has 1,000 milli per chip.
    """

    jobs: Array
    frequencies: npt.NDArray[np.float64]
    cpus: Array
    """The distinct numbers of CPUs, ascending: so many of them are not over a node's free ones."""
    milli_rank: npt.NDArray[np.int16]
    """[milli]: how many of the distinct shares are not over it."""
    single: npt.NDArray[np.float64]
    """[pool, rank of CPUs, rank of milli]: frequency of the jobs with one chip or less that these are enough for."""
    gang: npt.NDArray[np.float64]
    """[pool, rank of CPUs, whole chips]: the same of jobs with several chips."""
    bounds: npt.NDArray[np.float64]
    """[score]: the least change of fragments that has it; at the end one that no change reaches."""
    total: float
    """Sum of all frequencies."""


BRANCH, LIMIT, PROMISE, PREEMPTED = BranchColumns(), LimitColumns(), PromiseColumns(), PreemptedColumns()
FACTOR = FactorColumns()


@by_address
class Tables(NamedTuple):
    """All columns of one state. Everything after `queue` is derived, or of one pass only."""

    size: Array
    pools: Array
    nodes: Array
    shapes: Array
    claims: Array
    jobs: Array
    rows: Array
    matches: Array
    """[kind of chip set, pool]: 1 if the pool's chip is in the set."""
    queue: Array
    """Jobs that wait, in the policy's order."""
    fresh: Array
    """Jobs that came since."""
    scores: npt.NDArray[np.float64]
    """What the policy's order makes of each job: less is first."""
    factors: npt.NDArray[np.float64]
    spare: Array
    """For sorting."""
    brief: Array
    """[job, BRIEF]: row by row, since a pass looks at many jobs and little of each."""
    sizes: Array
    """[size, ASKED and the other pools' `barred`]"""
    prices: Array
    """[row, pool] for the whole walltime."""
    codes: Array
    """[row, pool]: whether the pool can ever run the variant."""
    levels: Array
    """How many nodes of a pool have exactly so many free chips."""
    bits: npt.NDArray[np.uint64]
    """Which nodes these are: per pool and level a bit for every node."""
    demands: Array
    free_from: Array
    """Of every kept demand and node: when the node has it free, reservations aside."""
    times: Array
    """The same, sorted within pool and demand."""
    changed: Array
    """A ring per pool of the nodes whose claims changed."""
    holds: Array
    left: npt.NDArray[np.int16]
    """Of every chip that is told apart: thousandths that no share has taken."""
    typical: Typical
    scratch: Array
    """One number per node, and in `tally` one per level: for one choice of nodes."""
    tally: Array
    memo: Array
    branches: Array
    limits: Array
    """[field, resource, branch]."""
    spent: npt.NDArray[np.float64]
    """Chip-seconds of every branch itself, decayed, as of its `since_s`."""
    weights: npt.NDArray[np.float64]
    """Chip-seconds of every branch and those below it, as of the last `weigh`."""
    promises: Array
    victims: Array
    """One number per job: for one search."""
    preempted: Array
    closures: Array
    windows: Array
    """Of whole pools, by pool and start."""
    bookings: Array
    cabinets: Array
    by_cabinet: Array
    """Nodes by cabinet, in their order within it."""
    owns: Array
    """[owner, pool]: 1 if the tenant goes first there."""
