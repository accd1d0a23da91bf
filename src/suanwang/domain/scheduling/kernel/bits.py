"""Sets of nodes and of chips: a bit for each."""
# mypy: warn-return-any=False
# An element of a table is an integer, which the types of arrays do not tell.

from typing import Any

import numpy as np

from suanwang.domain.scheduling.kernel.columns import MAX_SHARED_CHIPS
from suanwang.domain.scheduling.kernel.compiling import inlined

_MAGIC = np.uint64(0x03F79D71B4CB0A89)  # a de Bruijn sequence: the top six bits of (1 << i) * _MAGIC differ for every i
_BIT = np.zeros(64, np.int64)
_BIT[[((1 << i) * int(_MAGIC) % 2**64) >> 58 for i in range(64)]] = np.arange(64)
ZERO, ONE, _TOP = np.uint64(0), np.uint64(1), np.uint64(58)


@inlined
def lowest_bit(word: np.uint64) -> Any:
    return _BIT[np.int64(((word & (~word + ONE)) * _MAGIC) >> _TOP)]


@inlined
def first_chip(chips: int) -> Any:
    """The lowest chip of a set that is not empty."""
    return lowest_bit(np.uint64(chips))


@inlined
def all_chips(count: int) -> int:
    """The set of so many chips; the empty set if they are too many to be told apart."""
    if count <= 0 or count > MAX_SHARED_CHIPS:
        return 0
    return (1 << count) - 1


@inlined
def lowest_chips(chips: int, count: int) -> int:
    """So many chips of the set, the lowest ones; all of them if it has fewer."""
    rest = chips
    for _ in range(count):
        rest &= rest - 1
    return chips & ~rest
