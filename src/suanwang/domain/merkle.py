"""Merkle trees over a list of texts: one hash stands for all of them, in their order.

Hashes and shapes are those of RFC 9162 (Certificate Transparency 2.0), sections 2.1.1 and 2.1.3, with SHA-256.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

_LEAF, _NODE = b"\x00", b"\x01"
"""Apart, so that no node can be passed off as a leaf."""


def leaf_sha256(text: bytes) -> bytes:
    return sha256(_LEAF + text).digest()


def _above(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Of the hashes of the leaves, in order; of none, the hash of nothing."""
    level = list(leaves)
    if not level:
        return sha256().digest()
    while len(level) > 1:
        level = _next(level)
    return level[0]


def _next(level: list[bytes]) -> list[bytes]:
    above = [_above(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return above + level[len(above) * 2 :]  # the odd one rises as it is


def path(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The siblings on the way from a leaf to the root: what the holder of that leaf alone needs to find the root."""
    if not 0 <= place < len(leaves):
        raise ValueError(f"no leaf {place} among {len(leaves)}")
    level, siblings = list(leaves), []
    while len(level) > 1:
        if place ^ 1 < len(level):
            siblings.append(level[place ^ 1])
        level, place = _next(level), place // 2
    return siblings


def climb(leaf: bytes, place: int, count: int, siblings: Sequence[bytes]) -> bytes | None:
    """The root that a leaf at `place` of `count` leads to by its path; None if the path does not fit the tree."""
    if not 0 <= place < count:
        return None
    found, last, left = leaf, count - 1, list(siblings)
    while last > 0:
        if place ^ 1 <= last:
            if not left:
                return None
            sibling = left.pop(0)
            found = _above(sibling, found) if place % 2 else _above(found, sibling)
        place, last = place // 2, last // 2
    return None if left else found
