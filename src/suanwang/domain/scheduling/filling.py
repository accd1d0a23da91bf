"""How full pools get when jobs come one by one and never go: the placement alone, without time and queue."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suanwang.domain.scheduling.events import AskVariant
from suanwang.domain.scheduling.kernel import entries
from suanwang.domain.scheduling.kernel.codes import PLACEMENT
from suanwang.domain.scheduling.kernel.columns import NODE, SIZE, Array
from suanwang.domain.scheduling.kernel.filling import BLOCK, NO_FIT, Board
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import set_placement
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of every job, in the order of arrival."""

    nodes: Array
    """Index of the node among those of all pools, in the order in which pools joined; -1: no node had room."""
    chips: Array
    """Which chips of the node, a bit for each (`state.chips_in`)."""
    placed: int


def fill_up(
    state: State,
    policy: Policy,
    kinds: Sequence[AskVariant],
    arrivals: Array,
    order: Array,
    draws: Array | None = None,
    *,
    anew: bool = False,
) -> Filled:
    """Place jobs on one node each, in the order of their arrival, on the node with the highest score.

    `arrivals`: an index of `kinds` for every job; `order`: all nodes, the one that wins a tie first; `draws`: a
    number of 0 or more for every job decides among the nodes that fit, instead of the policy's placement. `anew`: judge
    all nodes for every job instead of keeping scores; the answer is the same. The state's pools are filled: use a new
    state for every run. Raises InvalidInput.
    """
    state.flush()
    set_placement(state, policy)
    count = state.tables.nodes.shape[1]
    if sorted(order.tolist()) != list(range(count)):
        raise InvalidInput("order", len(order), f"each of {count} nodes once")
    if len(arrivals) and not 0 <= int(arrivals.min()) <= int(arrivals.max()) < len(kinds):
        raise InvalidInput("arrivals", int(arrivals.max()), f"an index of {len(kinds)} kinds of jobs")
    if draws is not None:
        if len(draws) != len(arrivals) or (len(draws) and int(draws.min()) < 0):
            raise InvalidInput("draws", len(draws), f"a number of 0 or more for each of {len(arrivals)} jobs")
        state.tables.size[SIZE.placement] = PLACEMENT.drawn
    rows = np.array([_row(state, kind) for kind in kinds], np.int64).reshape(-1, 5).T.copy()
    picked = np.empty((2, len(arrivals)), np.int64)
    board = _board(state, order, len(kinds))
    if anew:
        placed = entries.fill_up_anew(state.tables, board, rows, arrivals, picked)
    else:
        lots = np.zeros(0, np.int64) if draws is None else draws
        placed = entries.fill_up(state.tables, board, rows, arrivals, lots, picked)
    return Filled(picked[0], picked[1], placed)


def _row(state: State, kind: AskVariant) -> tuple[int, ...]:
    accepts = state.kind_number(kind.chip_ids)
    return accepts, kind.whole_chips, kind.cpus_per_node, kind.share_milli, kind.memory_mib_per_node


def _board(state: State, order: Array, kinds: int) -> Board:
    t, nodes = state.tables, len(order)
    what_matters = [NODE.pool, NODE.chips, NODE.cpus, NODE.memory_mib, NODE.free_chips, NODE.free_cpus]
    used = np.where(t.nodes[NODE.claim] >= 0, np.arange(nodes), -1)
    _, likeness = np.unique(np.vstack([t.nodes[what_matters], used]), axis=1, return_inverse=True)
    return Board(
        node=order.astype(np.int64),
        likeness=likeness.reshape(-1)[order].astype(np.int64),
        alike=np.empty(nodes, np.int8),
        scores=_scores(kinds, nodes),
        best=_scores(kinds, -(-nodes // BLOCK)),
        seen=np.full(kinds, -1, np.int64),
        touched=np.full(nodes, -1, np.int64),
        older=np.full(nodes, -1, np.int64),
        newer=np.full(nodes, -1, np.int64),
    )


def _scores(kinds: int, length: int) -> npt.NDArray[np.int8]:
    return np.full((kinds, length), NO_FIT, np.int8)
