"""Jobs that come one by one and never go: how full does a network get?

Every job takes the node with the highest score, the first in a given order on a tie, or is turned away. The scores are
those of the live pass (`scores`), the chips and the accounts are too. What makes it fast: scores are kept per kind of
job and brought up to date, when a job of that kind comes, for the nodes that changed since the one before; nodes that
nobody has touched are judged once per likeness; and the best of every block of nodes is kept as well.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.kernel.bits import first_chip
from suanwang.domain.scheduling.kernel.codes import PLACEMENT
from suanwang.domain.scheduling.kernel.columns import (
    NO_BOOKING,
    NODE,
    SIZE,
    Array,
    Tables,
    Want,
)
from suanwang.domain.scheduling.kernel.compiling import compiled, entry, inlined
from suanwang.domain.scheduling.kernel.holds import fits_now
from suanwang.domain.scheduling.kernel.nodes import occupy
from suanwang.domain.scheduling.kernel.scores import choose_chips, score
from suanwang.domain.scheduling.kernel.shares import left_on

BLOCK = 32
"""Nodes of a block."""
NO_FIT = -1
_UNKNOWN = -2
NOWHERE = -1


class Kinds(NamedTuple):
    """Fields of a kind of job; `accepts`: a row of `matches`."""

    accepts: int = 0
    chips: int = 1
    cpus: int = 2
    milli: int = 3
    memory_mib: int = 4


class Board(NamedTuple):
    """Scores and what they need to be kept. Places are nodes in the order that breaks ties."""

    node: Array
    """[place]"""
    likeness: Array
    """[place]: places of the same number had equal nodes at the start."""
    alike: npt.NDArray[np.int8]
    """[likeness]: the score of an untouched node, for one kind at a time."""
    scores: npt.NDArray[np.int8]
    """[kind, place]"""
    best: npt.NDArray[np.int8]
    """[kind, block]: the highest score."""
    seen: Array
    """[kind]: how many changes its scores know of; -1: it never came."""
    changed: Array
    """The places that changed, one after the other."""
    touched: Array
    """[place]: its last change; -1: none."""


KIND = Kinds()


@inlined
def _judge(t: Tables, node: int, accepts: int, want: Want) -> int:
    if not fits_now(t, node, want) or t.matches[accepts, t.nodes[NODE.pool, node]] == 0:
        return NO_FIT
    return score(t, node, want, 0)


@compiled
def _first_look(t: Tables, board: Board, kind: int, accepts: int, want: Want) -> None:
    board.alike[:] = _UNKNOWN
    for place in range(board.node.shape[0]):
        like = board.likeness[place]
        if board.touched[place] >= 0:
            scored = _judge(t, board.node[place], accepts, want)
        else:
            if board.alike[like] == _UNKNOWN:
                board.alike[like] = _judge(t, board.node[place], accepts, want)
            scored = board.alike[like]
        board.scores[kind, place] = scored
        if place % BLOCK == 0 or scored > board.best[kind, place // BLOCK]:
            board.best[kind, place // BLOCK] = scored


@inlined
def _look_again(board: Board, kind: int, place: int, scored: int) -> None:
    before, block = board.scores[kind, place], place // BLOCK
    if scored == before:
        return
    board.scores[kind, place] = scored
    best = board.best[kind, block]
    if scored >= best:
        board.best[kind, block] = scored
    elif before == best:
        best = scored
        for other in range(block * BLOCK, min((block + 1) * BLOCK, board.node.shape[0])):
            best = max(best, board.scores[kind, other])
        board.best[kind, block] = best


@inlined
def _place_of_best(board: Board, kind: int) -> int:
    best, block = NO_FIT, NOWHERE
    for other in range(board.best.shape[1]):
        if board.best[kind, other] > best:
            best, block = board.best[kind, other], other
    if block == NOWHERE:
        return NOWHERE
    place = block * BLOCK
    while board.scores[kind, place] != best:
        place += 1
    return place


@compiled
def _place_by_lot(board: Board, kind: int, draw: int) -> int:
    """The draw says which of the nodes that fit, counted round and round."""
    fitting = 0
    for place in range(board.node.shape[0]):
        fitting += board.scores[kind, place] != NO_FIT
    if fitting == 0:
        return NOWHERE
    passed = draw % fitting
    place = -1
    while passed >= 0:
        place += 1
        passed -= board.scores[kind, place] != NO_FIT
    return place


@compiled
def _chip_by_lot(t: Tables, node: int, want: Want, draw: int) -> int:
    """The draw says which of the chips that have room for the share."""
    fitting, shared = t.nodes[NODE.whole, node], t.nodes[NODE.shared, node]
    count = max(0, t.nodes[NODE.free_chips, node])
    while shared != 0:
        if left_on(t, node, first_chip(shared)) >= want.milli:
            fitting |= shared & -shared
            count += 1
        shared &= shared - 1
    for _ in range(draw % count):
        fitting &= fitting - 1
    return fitting & -fitting


@compiled
def _want_of(kinds: Array, kind: int) -> Want:
    return Want(
        kinds[KIND.chips, kind],
        kinds[KIND.cpus, kind],
        kinds[KIND.milli, kind],
        kinds[KIND.memory_mib, kind],
        NO_BOOKING,
    )


@entry
def fill_up(t: Tables, board: Board, kinds: Array, arrivals: Array, draws: Array, picked: Array) -> int:
    """Place jobs in the order of their arrival. Returns how many found a place.

    `kinds`: [field, kind]; `arrivals`: the kind of every job; `draws`: a number for every job where the placement is
    drawn; `picked`: [node or -1, chips] of every job.
    """
    changes, drawn = 0, t.size[SIZE.placement] == PLACEMENT.drawn
    for i in range(arrivals.shape[0]):
        kind = arrivals[i]
        accepts = kinds[KIND.accepts, kind]
        want = _want_of(kinds, kind)
        if board.seen[kind] < 0:
            _first_look(t, board, kind, accepts, want)
        else:
            for change in range(board.seen[kind], changes):
                place = board.changed[change]
                if board.touched[place] == change:
                    _look_again(board, kind, place, _judge(t, board.node[place], accepts, want))
        board.seen[kind] = changes
        place = _place_by_lot(board, kind, draws[i] & 0x7FFFFFFF) if drawn else _place_of_best(board, kind)
        picked[0, i], picked[1, i] = NOWHERE, 0
        if place == NOWHERE:
            continue
        node = board.node[place]
        by_lot = drawn and want.milli > 0
        chips = _chip_by_lot(t, node, want, draws[i] >> 31) if by_lot else choose_chips(t, node, want, 0)
        occupy(t, node, want, chips)
        picked[0, i], picked[1, i] = node, chips
        board.changed[changes], board.touched[place] = place, changes
        changes += 1
    return changes


@entry
def fill_up_anew(t: Tables, board: Board, kinds: Array, arrivals: Array, picked: Array) -> int:
    """The same by judging every node for every job: what keeping scores is measured against."""
    placed = 0
    for i in range(arrivals.shape[0]):
        kind = arrivals[i]
        want = _want_of(kinds, kind)
        best, node = NO_FIT, NOWHERE
        for place in range(board.node.shape[0]):
            scored = _judge(t, board.node[place], kinds[KIND.accepts, kind], want)
            if scored > best:
                best, node = scored, board.node[place]
        picked[0, i], picked[1, i] = node, 0
        if node != NOWHERE:
            picked[1, i] = choose_chips(t, node, want, 0)
            occupy(t, node, want, picked[1, i])
            placed += 1
    return placed
