"""What is free on a node and yet of no use to typical jobs, and how a job changes it.

The sum over typical jobs of frequency times unusable thousandths is looked up in tables of partial sums. Where the
answer is so near to the bound between two scores that the order of additions decides, it is added up job by job in the
order of the published program.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from math import exp

from suanwang.domain.scheduling.kernel.bits import first_chip
from suanwang.domain.scheduling.kernel.columns import NODE, Tables, Want
from suanwang.domain.scheduling.kernel.compiling import compiled, inlined
from suanwang.domain.scheduling.kernel.shares import left_on
from suanwang.units import MILLI_PER_CHIP

NEAR = 1e-6
"""Far more than what rounding adds up to, far less than what distinct changes differ by."""
SCALE = 1_000.0
"""A change of so many thousandths is the unit of the sigmoid."""


@inlined
def _rank_of_cpus(t: Tables, cpus: int) -> int:
    rank = 0  # counted, not searched for: the list is short, and the compiler does it without branches
    for i in range(t.typical.cpus.shape[0]):
        rank += t.typical.cpus[i] <= cpus
    return rank


@inlined
def _useful(t: Tables, pool: int, rank: int, left: int) -> float:
    """Of a chip with so much left: frequency times thousandths that jobs with one chip or less can use."""
    return left * t.typical.single[pool, rank, t.typical.milli_rank[left]]


@inlined
def _useful_whole(t: Tables, pool: int, rank: int, whole: int) -> float:
    gang = t.typical.gang[pool, rank, min(whole, t.typical.gang.shape[2] - 1)]
    return whole * (_useful(t, pool, rank, MILLI_PER_CHIP) + MILLI_PER_CHIP * gang)


@inlined
def change(t: Tables, node: int, want: Want, chip: int) -> float:
    """How many thousandths fewer are fragments when the job is on the node; `chip`: of a share."""
    pool, whole, cpus = t.nodes[NODE.pool, node], max(0, t.nodes[NODE.free_chips, node]), t.nodes[NODE.free_cpus, node]
    before = _rank_of_cpus(t, cpus)
    after = _rank_of_cpus(t, cpus - want.cpus) if want.cpus > 0 else before
    opened = want.milli > 0 and (t.nodes[NODE.whole, node] >> chip) & 1 == 1
    gained = _useful_whole(t, pool, after, whole - want.chips - opened) - _useful_whole(t, pool, before, whole)
    if want.milli > 0:
        left = MILLI_PER_CHIP if opened else left_on(t, node, chip)
        gained += _useful(t, pool, after, left - want.milli)
        if not opened:
            gained -= _useful(t, pool, after, left)
    shared = t.nodes[NODE.shared, node] if before != after else 0
    while shared != 0:
        left = left_on(t, node, first_chip(shared))
        gained += _useful(t, pool, after, left) - _useful(t, pool, before, left)
        shared &= shared - 1
    return gained + (want.chips * MILLI_PER_CHIP + want.milli) * t.typical.total


@compiled
def fragments(t: Tables, node: int, cpus: int, whole: int, chip: int, milli: int) -> float:
    """What is free and of no use, added up in the order of the published program: by what a typical job lacks (CPUs and
    chips, chips, CPUs), then typical jobs without chips (enough CPUs, too few), then other kinds of chip.

    With so many whole chips, and a share of `milli` taken from `chip` if it is not -1 (a wholly free one then is not
    among the whole ones).
    """
    pool, all_shared = t.nodes[NODE.pool, node], t.nodes[NODE.shared, node]
    if chip >= 0:
        all_shared |= 1 << chip
    free, shared = whole * MILLI_PER_CHIP, all_shared
    while shared != 0:
        free += _left(t, node, first_chip(shared), chip, milli)
        shared &= shared - 1
    lacks_both = lacks_chips = lacks_cpus = without = without_cpus = other_kind = 0.0
    for i in range(t.typical.jobs.shape[0]):
        want_cpus, want_milli, chips, kind = t.typical.jobs[i]
        frequency = t.typical.frequencies[i]
        if chips == 0:
            if cpus >= want_cpus:
                without += frequency * free
            else:
                without_cpus += frequency * free
            continue
        if t.matches[kind, pool] == 0:
            other_kind += frequency * free
            continue
        enough, rest, shared = whole, 0, all_shared
        while shared != 0:
            left = _left(t, node, first_chip(shared), chip, milli)
            if left >= want_milli:
                enough += 1
            else:
                rest += left
            shared &= shared - 1
        if cpus >= want_cpus:
            lacks_chips += frequency * (rest if enough >= chips else free)
        elif enough >= chips:
            lacks_cpus += frequency * free
        else:
            lacks_both += frequency * free
    return ((((lacks_both + lacks_chips) + lacks_cpus) + without) + without_cpus) + other_kind


@compiled
def _left(t: Tables, node: int, chip: int, taken: int, milli: int) -> int:
    return left_on(t, node, chip) - (milli if chip == taken else 0)


@inlined
def score_of(t: Tables, fewer: float) -> int:
    """100 times the sigmoid of a change, rounded down; by the bounds, from a straight line through the middle on."""
    bounds = t.typical.bounds
    score = int(max(0.0, min(100.0, 50.0 + fewer / 40.0)))
    while bounds[score] > fewer:
        score -= 1
    while bounds[score + 1] <= fewer:
        score += 1
    return score


@inlined
def is_near(t: Tables, fewer: float, score: int) -> bool:
    """Whether the order of additions may decide if a change has this score, the one below or the one above."""
    bounds = t.typical.bounds
    return fewer - bounds[score] < NEAR or bounds[score + 1] - fewer < NEAR


@inlined
def changes_nothing(t: Tables, node: int, want: Want) -> bool:
    """Whether a job without chips leaves a node as useful as it was to every typical job."""
    cpus = t.nodes[NODE.free_cpus, node]
    idle = t.nodes[NODE.free_chips, node] <= 0 and t.nodes[NODE.shared, node] == 0
    return idle or _rank_of_cpus(t, cpus) == _rank_of_cpus(t, cpus - want.cpus)


@compiled
def exact_score(t: Tables, node: int, want: Want, chip: int) -> int:
    """The score as the published program adds it up."""
    whole, cpus = max(0, t.nodes[NODE.free_chips, node]), t.nodes[NODE.free_cpus, node]
    before = fragments(t, node, cpus, whole, -1, 0)
    opened = chip >= 0 and (t.nodes[NODE.whole, node] >> chip) & 1 == 1
    after = fragments(t, node, cpus - want.cpus, whole - want.chips - opened, chip, want.milli)
    return int(100.0 * (1.0 / (1.0 + exp(-(before - after) / SCALE))))
