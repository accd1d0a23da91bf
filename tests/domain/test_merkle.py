"""The tree against its definition in RFC 9162, written out as it stands there."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.domain.merkle import climb, leaf_sha256, path, root


def defined_root(texts: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1."""
    if not texts:
        return sha256().digest()
    if len(texts) == 1:
        return sha256(b"\x00" + texts[0]).digest()
    k = 1
    while 2 * k < len(texts):
        k *= 2
    return sha256(b"\x01" + defined_root(texts[:k]) + defined_root(texts[k:])).digest()


def defined_path(place: int, texts: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1."""
    if len(texts) == 1:
        return []
    k = 1
    while 2 * k < len(texts):
        k *= 2
    if place < k:
        return [*defined_path(place, texts[:k]), defined_root(texts[k:])]
    return [*defined_path(place - k, texts[k:]), defined_root(texts[:k])]


@pytest.mark.parametrize("count", range(20))
def test_root_and_paths_are_those_of_the_standard(count: int) -> None:
    texts = [bytes([i]) * i for i in range(count)]
    leaves = [leaf_sha256(text) for text in texts]
    assert root(leaves) == defined_root(texts)
    for place in range(count):
        assert path(leaves, place) == defined_path(place, texts)
        assert climb(leaves[place], place, count, path(leaves, place)) == root(leaves)


@given(st.integers(1, 200), st.data())
def test_a_path_fits_no_other_leaf_place_or_tree(count: int, data: st.DataObject) -> None:
    leaves = [leaf_sha256(str(i).encode()) for i in range(count)]
    place = data.draw(st.integers(0, count - 1))
    way, top = path(leaves, place), root(leaves)
    assert climb(leaf_sha256(b"another"), place, count, way) != top
    other = data.draw(st.integers(-1, count))
    assert (climb(leaves[place], other, count, way) == top) == (other == place)
    assert climb(leaves[place], place, count, [*way, bytes(32)]) is None
    if way:
        assert climb(leaves[place], place, count, way[:-1]) is None
        spoilt = data.draw(st.integers(0, len(way) - 1))
        assert climb(leaves[place], place, count, [*way[:spoilt], bytes(32), *way[spoilt + 1 :]]) != top


def test_there_is_no_path_from_nowhere() -> None:
    with pytest.raises(ValueError, match="no leaf 3 among 3"):
        path([bytes(32)] * 3, 3)
