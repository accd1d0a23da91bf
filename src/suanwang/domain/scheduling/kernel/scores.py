"""How well a node suits a job that starts now: 0 to 100, the highest wins. And which of its chips the job gets.

Fragmentation gradient descent and the others as compared in Weng et al., *Beware of Fragmentation: Scheduling
GPU-Sharing Workloads with Fragmentation Gradient Descent* (USENIX ATC 2023); the sums and roundings of the published
program, so that its table comes out to the last digit. The rules themselves are in the README.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.bits import first_chip, lowest_chips
from suanwang.domain.scheduling.kernel.codes import PLACEMENT
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    JOB,
    NODE,
    SIZE,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, inlined
from suanwang.domain.scheduling.kernel.fragments import NEAR, change, changes_nothing, exact_score, is_near, score_of
from suanwang.domain.scheduling.kernel.shares import chip_to_open, fullest_chip, joins, left_on
from suanwang.units import MILLI_PER_CHIP

HIGHEST, MIDDLE = 100, 50


@inlined
def choose_chips(t: Tables, node: int, want: Want, until_s: int) -> int:
    """The chips of a node for a job that starts now, as a set; empty if they are not told apart, or none has room."""
    if want.milli == 0:
        return lowest_chips(t.nodes[NODE.whole, node], want.chips)
    if t.size[SIZE.placement] == PLACEMENT.fgd:
        return judge_fragments(t, node, want, until_s)[1]
    return fullest_chip(t, node, want.milli, until_s)


@inlined
def score(t: Tables, node: int, want: Want, until_s: int) -> int:
    """Of a node on which the job fits now, by the placement of the policy."""
    placement = t.size[SIZE.placement]
    if placement == PLACEMENT.fgd:
        return judge_fragments(t, node, want, until_s)[0]
    if placement == PLACEMENT.packing:
        return _packing(t, node, want, until_s)
    if placement == PLACEMENT.clustering:
        return _clustering(t, node, want)
    if placement == PLACEMENT.dot_product:
        return _dot_product(t, node, want)
    if placement == PLACEMENT.best_fit_weighted:
        return _best_fit_weighted(t, node, want)
    return 0


@inlined
def judge_fragments(t: Tables, node: int, want: Want, until_s: int) -> Any:
    """(score, chips): the sigmoid of how many thousandths fewer are fragments afterwards. A share goes where its score
    is highest, the first chip on a tie."""
    if want.milli > 0:
        return _judge_chips(t, node, want, until_s)
    if want.chips == 0 and changes_nothing(t, node, want):
        return MIDDLE, 0
    fewer = change(t, node, want, -1)
    scored = score_of(t, fewer)
    if is_near(t, fewer, scored):
        scored = exact_score(t, node, want, -1)
    return scored, lowest_chips(t.nodes[NODE.whole, node], want.chips)


@inlined
def _judge_chips(t: Tables, node: int, want: Want, until_s: int) -> Any:
    best, best_score, shared = -1, -1, t.nodes[NODE.shared, node]
    opened = chip_to_open(t, node, want.milli, until_s)
    rest = shared | opened
    while rest != 0:
        chip = first_chip(rest)
        rest &= rest - 1
        if (opened >> chip) & 1 == 0 and not joins(t, node, chip, want.milli, until_s):
            continue
        fewer = change(t, node, want, chip)
        if best >= 0 and fewer < t.typical.bounds[best_score + 1] - NEAR:
            continue
        scored = score_of(t, fewer)
        if is_near(t, fewer, scored):
            scored = exact_score(t, node, want, chip)
        if scored > best_score:
            best, best_score = chip, scored
    return best_score, 0 if best < 0 else 1 << best


@inlined
def _free_milli(t: Tables, node: int) -> int:
    free, shared = max(0, t.nodes[NODE.free_chips, node]) * MILLI_PER_CHIP, t.nodes[NODE.shared, node]
    while shared != 0:
        free += left_on(t, node, first_chip(shared))
        shared &= shared - 1
    return free


@inlined
def _asked_milli(want: Want) -> int:
    return want.chips * MILLI_PER_CHIP + want.milli


@inlined
def _packing(t: Tables, node: int, want: Want, until_s: int) -> int:
    """Shared chips before whole ones, nodes in use before empty ones."""
    if want.chips == 0 and want.milli == 0:
        return 0
    chips = t.nodes[NODE.chips, node]
    if t.nodes[NODE.free_chips, node] == chips:
        return max(33 - chips, chips)
    opened = want.chips
    if want.milli > 0:
        chip = fullest_chip(t, node, want.milli, until_s)
        if chip & t.nodes[NODE.shared, node]:
            return max(HIGHEST - left_on(t, node, first_chip(chip)) * 100 // MILLI_PER_CHIP // 10, 50)
        opened = 1
    return max(50 - opened, 33)


@compiled
def sizes_on(t: Tables, node: int) -> int:
    """Which numbers of chips the jobs of a node have: a bit for each, bit 0 for a share."""
    if t.nodes[NODE.sizes, node] < 0:
        t.nodes[NODE.sizes, node] = 0
        claim = t.nodes[NODE.claim, node]
        while claim >= 0:
            job = t.claims[CLAIM.job, claim]
            t.nodes[NODE.sizes, node] |= size_bit(t.jobs[JOB.chips, job], t.jobs[JOB.milli, job])
            claim = t.claims[CLAIM.next, claim]
    return t.nodes[NODE.sizes, node]


@inlined
def size_bit(chips: int, milli: int) -> int:
    """Jobs without chips have none; beyond 62 chips all are one size."""
    return 1 << min(chips, 62) if chips + milli > 0 else 0


@inlined
def _clustering(t: Tables, node: int, want: Want) -> int:
    """Jobs of one size together, as Gandiva does."""
    if want.chips == 0 and want.milli == 0:
        return 0
    most, size, sizes = t.size[SIZE.most_chips] * MILLI_PER_CHIP, size_bit(want.chips, want.milli), sizes_on(t, node)
    fullness = 25 * (most - _free_milli(t, node)) // most
    if sizes & size:
        return fullness + (75 if sizes == size else 50)
    return fullness + (25 if sizes == 0 else 0)


@inlined
def _dot_product(t: Tables, node: int, want: Want) -> int:
    """What is free and what is asked for point in different directions (Tetris, with the sign of the paper's table)."""
    chips, cpus = float(t.size[SIZE.most_chips] * MILLI_PER_CHIP), float(max(1, t.size[SIZE.most_cpus]))
    product = t.nodes[NODE.free_cpus, node] / cpus * (want.cpus / cpus)
    product += _free_milli(t, node) / chips * (_asked_milli(want) / chips)
    return int(HIGHEST * (1.0 - product / 2.0))


@inlined
def _best_fit_weighted(t: Tables, node: int, want: Want) -> int:
    """Least is left of CPUs and chips together. (Rescaling to 0 to 100, as the paper's program does, keeps the
    order.)"""
    chips, cpus = float(t.size[SIZE.most_chips] * MILLI_PER_CHIP), float(max(1, t.size[SIZE.most_cpus]))
    rest = 0.5 * ((t.nodes[NODE.free_cpus, node] - want.cpus) / cpus)
    rest += 0.5 * ((_free_milli(t, node) - _asked_milli(want)) / chips)
    return int((1.0 - rest) * HIGHEST)
