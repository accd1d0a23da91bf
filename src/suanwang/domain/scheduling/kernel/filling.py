"""Jobs that come one by one and never go: how full does a network get?

Every job takes the node with the highest score, the first in a given order on a tie, or is turned away. The scores are
those of the live pass (`scores`), the chips and the accounts are too. What makes it fast: scores are kept per kind of
job and brought up to date, when a job of that kind comes, for the nodes that changed since the one before; nodes that
nobody has touched are judged once per likeness; nodes that changed are a list, the newest first, so that each is judged
once however often it changed; and a bound on the scores of every block of nodes is kept, put right where it is met.
"""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.kernel.addresses import by_address
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


@by_address
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
    """[kind, block]: no score of the block is higher."""
    seen: Array
    """[kind]: how many changes its scores know of; -1: it never came."""
    touched: Array
    """[place]: its last change; -1: none."""
    older: Array
    newer: Array
    """[place]: the neighbours in the list of places that changed, in the order of their last change."""


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


@compiled
def _look_again(t: Tables, board: Board, newest: int, kind: int, accepts: int, want: Want) -> None:
    """At the places that changed since the kind was last here. Nothing ever comes free: what did not fit never will."""
    place, seen = newest, board.seen[kind]
    while place != NOWHERE and board.touched[place] >= seen:
        if board.scores[kind, place] != NO_FIT:
            scored = _judge(t, board.node[place], accepts, want)
            board.scores[kind, place] = scored
            board.best[kind, place // BLOCK] = max(board.best[kind, place // BLOCK], scored)
        place = board.older[place]


@compiled
def _place_of_best(board: Board, kind: int) -> int:
    """The first block of the highest bound has the place, unless the bound is too high: then it is put right."""
    places, scores, bounds = board.node.shape[0], board.scores[kind], board.best[kind]
    while True:
        best, block = NO_FIT, 0
        for other in range(bounds.shape[0]):
            if bounds[other] > best:
                best, block = bounds[other], other
        if best == NO_FIT:
            return NOWHERE
        first, last = block * BLOCK, min((block + 1) * BLOCK, places)
        highest = scores[first]
        for place in range(first, last):
            if scores[place] == best:
                return place
            highest = max(highest, scores[place])
        bounds[block] = highest


@inlined
def _note_change(board: Board, newest: int, place: int, change: int) -> None:
    """The place becomes the newest of the list of those that changed."""
    if place != newest:
        if board.touched[place] != NOWHERE:
            newer, older = board.newer[place], board.older[place]
            board.older[newer] = older
            if older != NOWHERE:
                board.newer[older] = newer
        board.older[place] = newest
        if newest != NOWHERE:
            board.newer[newest] = place
    board.touched[place] = change


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
    changes, newest, drawn = 0, NOWHERE, t.size[SIZE.placement] == PLACEMENT.drawn
    for i in range(arrivals.shape[0]):
        kind = arrivals[i]
        accepts = kinds[KIND.accepts, kind]
        want = _want_of(kinds, kind)
        if board.seen[kind] < 0:
            _first_look(t, board, kind, accepts, want)
        else:
            _look_again(t, board, newest, kind, accepts, want)
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
        _note_change(board, newest, place, changes)
        newest = place
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
