"""Shares of a chip: which chip has room for one, now and later.

Whole chips are counted, shared ones are told apart. A reservation of a share has a label: the chip that it joins, or a
number of its own for a chip that is opened when it starts. A share fits where its label has enough left in every second
and, in the seconds in which nobody else is on that chip, where a whole one is free to be opened.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

from suanwang.domain.scheduling.kernel.bits import first_chip
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    HOLD,
    JOB,
    NEVER,
    NODE,
    SIZE,
    Tables,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, inlined
from suanwang.units import MILLI_PER_CHIP

FIRST_LABEL = 64
"""Labels below are chips."""
NO_LABEL = -1


@inlined
def left_on(t: Tables, node: int, chip: int) -> int:
    return t.left[t.nodes[NODE.chip, node] + chip]


@inlined
def has_room(t: Tables, node: int, milli: int) -> bool:
    """Whether a chip of the node has so much left now, reservations aside."""
    if t.nodes[NODE.free_chips, node] > 0 and t.nodes[NODE.whole, node] != 0:
        return True
    shared = t.nodes[NODE.shared, node] if t.nodes[NODE.free_chips, node] >= 0 else 0
    while shared != 0:
        if left_on(t, node, first_chip(shared)) >= milli:
            return True
        shared &= shared - 1
    return False


@compiled
def empties(t: Tables, claim: int) -> int:
    """How many chips are wholly free again when a claim without whole chips ends, after those before it on the node."""
    if t.jobs[JOB.milli, t.claims[CLAIM.job, claim]] == 0:
        return 0
    chips = t.claims[CLAIM.chips, claim]
    later = t.claims[CLAIM.next, claim] if chips != 0 else -1
    while later >= 0:
        if t.claims[CLAIM.chips, later] == chips:
            return 0
        later = t.claims[CLAIM.next, later]
    return 1


@compiled
def opens(t: Tables, node: int, hold: int, at_s: int, claim: int) -> int:
    """1 if a reservation of a share needs a chip on which nobody else is at that time; `claim`: first that is left."""
    label = t.holds[HOLD.label, hold]
    while label < FIRST_LABEL and claim >= 0:
        if t.claims[CLAIM.chips, claim] == 1 << label:
            return 0
        claim = t.claims[CLAIM.next, claim]
    other = t.nodes[NODE.hold, node]
    while other != hold:
        if t.holds[HOLD.label, other] == label and t.holds[HOLD.start_s, other] <= at_s < t.holds[HOLD.end_s, other]:
            return 0
        other = t.holds[HOLD.next, other]
    return 1


@compiled
def free_at(t: Tables, node: int, at_s: int, now_s: int) -> Any:
    """(whole chips, CPUs, memory) of a node that are free at a time, holds counted. What is overdue ends just after
    now."""
    chips, cpus, memory_mib = (
        t.nodes[NODE.free_chips, node],
        t.nodes[NODE.free_cpus, node],
        t.nodes[NODE.free_memory_mib, node],
    )
    claim = t.nodes[NODE.claim, node]
    while claim >= 0 and max(t.jobs[JOB.end_s, t.claims[CLAIM.job, claim]], now_s + 1) <= at_s:
        job = t.claims[CLAIM.job, claim]
        whole = t.jobs[JOB.chips, job]
        chips += whole if whole > 0 else empties(t, claim)
        cpus += t.jobs[JOB.cpus, job]
        memory_mib += t.jobs[JOB.memory_mib, job]
        claim = t.claims[CLAIM.next, claim]
    hold = t.nodes[NODE.hold, node]
    while hold >= 0:
        if t.holds[HOLD.start_s, hold] <= at_s < t.holds[HOLD.end_s, hold]:
            chips -= t.holds[HOLD.chips, hold]
            cpus -= t.holds[HOLD.cpus, hold]
            memory_mib -= t.holds[HOLD.memory_mib, hold]
            if t.holds[HOLD.milli, hold] > 0:
                chips -= opens(t, node, hold, at_s, claim)
        hold = t.holds[HOLD.next, hold]
    return chips, cpus, memory_mib


@compiled
def _chip_at(t: Tables, node: int, chip: int, at_s: int, now_s: int) -> Any:
    """(thousandths left, whether somebody is on it) of a chip at a time, reservations aside."""
    left, used, claim = MILLI_PER_CHIP, False, t.nodes[NODE.claim, node]
    while claim >= 0:
        job = t.claims[CLAIM.job, claim]
        if t.claims[CLAIM.chips, claim] == 1 << chip and max(t.jobs[JOB.end_s, job], now_s + 1) > at_s:
            left, used = left - t.jobs[JOB.milli, job], True
        claim = t.claims[CLAIM.next, claim]
    return left, used


@compiled
def label_at(t: Tables, node: int, label: int, at_s: int, now_s: int) -> Any:
    """(thousandths left, whether somebody is on it) of a labelled chip at a time."""
    left, used = MILLI_PER_CHIP, False
    if 0 <= label < FIRST_LABEL:
        left, used = _chip_at(t, node, label, at_s, now_s)
    hold = t.nodes[NODE.hold, node]
    while hold >= 0:
        if (
            t.holds[HOLD.milli, hold] > 0
            and t.holds[HOLD.label, hold] == label
            and t.holds[HOLD.start_s, hold] <= at_s < t.holds[HOLD.end_s, hold]
        ):
            left, used = left - t.holds[HOLD.milli, hold], True
        hold = t.holds[HOLD.next, hold]
    return left, used


@compiled
def has_room_at(t: Tables, node: int, milli: int, at_s: int) -> bool:
    """Whether a chip that is shared now has so much left when what ends until then has ended; reservations aside, since
    what is kept of it outlives them."""
    shared = t.nodes[NODE.shared, node]
    while shared != 0:
        left, used = _chip_at(t, node, first_chip(shared), at_s, -NEVER)
        if used and left >= milli:
            return True
        shared &= shared - 1
    return False


@compiled
def _has_room_at(t: Tables, node: int, label: int, milli: int, at_s: int, now_s: int) -> bool:
    left, used = label_at(t, node, label, at_s, now_s)
    return left >= milli and (used or free_at(t, node, at_s, now_s)[0] > 0)


@compiled
def label_fits(t: Tables, node: int, label: int, milli: int, from_s: int, until_s: int, now_s: int) -> bool:
    """Whether a labelled chip has room from one time until another. Only the start of a hold can spoil it later."""
    fits = _has_room_at(t, node, label, milli, from_s, now_s)
    hold = t.nodes[NODE.hold, node]
    while fits and hold >= 0:
        if from_s < t.holds[HOLD.start_s, hold] < until_s:
            fits = _has_room_at(t, node, label, milli, t.holds[HOLD.start_s, hold], now_s)
        hold = t.holds[HOLD.next, hold]
    return fits


@compiled
def find_label(t: Tables, node: int, milli: int, from_s: int, until_s: int, now_s: int) -> int:
    """The label with the least left at the start that fits, the lowest on a tie, a new one last; NO_LABEL if none."""
    best, best_left = NO_LABEL, MILLI_PER_CHIP + 1
    shared, hold = t.nodes[NODE.shared, node], t.nodes[NODE.hold, node]
    while shared != 0 or hold >= 0:
        if shared != 0:
            label = first_chip(shared)
            shared &= shared - 1
        else:
            label = t.holds[HOLD.label, hold] if t.holds[HOLD.milli, hold] > 0 else NO_LABEL
            hold = t.holds[HOLD.next, hold]
        if label == NO_LABEL or not label_fits(t, node, label, milli, from_s, until_s, now_s):
            continue
        left, _ = label_at(t, node, label, from_s, now_s)
        if left < best_left or (left == best_left and label < best):
            best, best_left = label, left
    if best == NO_LABEL and label_fits(t, node, NO_LABEL, milli, from_s, until_s, now_s):
        return FIRST_LABEL + t.size[SIZE.holds]
    return best


@compiled
def open_label(t: Tables, node: int, milli: int, until_s: int) -> int:
    """The label on a chip that nobody is on yet that a share can have from now on: the lowest one, else a new one."""
    best, hold = NEVER, t.nodes[NODE.hold, node]
    while hold >= 0:
        label = t.holds[HOLD.label, hold]
        joinable = t.holds[HOLD.milli, hold] > 0 and FIRST_LABEL <= label < best
        if joinable and label_fits(t, node, label, milli, -NEVER, until_s, -NEVER):
            best = label
        hold = t.holds[HOLD.next, hold]
    if best < NEVER:
        return best
    new = label_fits(t, node, NO_LABEL, milli, -NEVER, until_s, -NEVER)
    return FIRST_LABEL + t.size[SIZE.holds] if new else NO_LABEL


@inlined
def joins(t: Tables, node: int, chip: int, milli: int, until_s: int) -> bool:
    """Whether a share that starts now can go to this shared chip."""
    if left_on(t, node, chip) < milli:
        return False
    return t.nodes[NODE.hold, node] < 0 or label_fits(t, node, chip, milli, -NEVER, until_s, -NEVER)


@inlined
def chip_to_open(t: Tables, node: int, milli: int, until_s: int) -> int:
    """The first wholly free chip, as a set, if a share that starts now can have one; else the empty set."""
    if t.nodes[NODE.free_chips, node] <= 0:
        return 0
    if t.nodes[NODE.hold, node] >= 0 and open_label(t, node, milli, until_s) == NO_LABEL:
        return 0
    return t.nodes[NODE.whole, node] & -t.nodes[NODE.whole, node]


@inlined
def fullest_chip(t: Tables, node: int, milli: int, until_s: int) -> int:
    """The chip of a share that starts now, as a set: the one with the least left that has room, the first on a tie,
    else the first wholly free one; the empty set if there is none."""
    best, best_left, shared = 0, MILLI_PER_CHIP + 1, t.nodes[NODE.shared, node]
    while shared != 0:
        chip = first_chip(shared)
        if left_on(t, node, chip) < best_left and joins(t, node, chip, milli, until_s):
            best, best_left = 1 << chip, left_on(t, node, chip)
        shared &= shared - 1
    return best if best != 0 else chip_to_open(t, node, milli, until_s)


@compiled
def relabel(t: Tables, node: int, label: int, chip: int) -> None:
    """The chip that reservations were going to open is opened by a job before them."""
    hold = t.nodes[NODE.hold, node]
    while hold >= 0:
        if t.holds[HOLD.label, hold] == label and t.holds[HOLD.milli, hold] > 0:
            t.holds[HOLD.label, hold] = chip
        hold = t.holds[HOLD.next, hold]
