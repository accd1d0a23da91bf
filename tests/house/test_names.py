"""One term, one meaning: words that say nothing are no names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import SOURCE, modules, nodes, place

BANNED = {
    "manager", "service", "helper", "util", "utils", "common", "base", "misc", "handler", "processor", "info", "data",
    "impl", "wrapper",
}  # fmt: skip
ALSO_PLURAL = BANNED | {f"{word}s" for word in BANNED}
PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def words_of(name: str) -> set[str]:
    """`HTTPDataReader` and `http_data_reader` -> http, data, reader."""
    return {piece.lower() for piece in PIECES.findall(name)}


def names(path: Path) -> Iterator[tuple[str, str]]:
    """(name, place) of the module, its folder, its classes and its functions."""
    relative = path.relative_to(SOURCE)
    for part in (*relative.parent.parts, relative.stem):
        yield part, place(path)
    for node in nodes(path):
        if isinstance(node, NAMED):
            yield node.name, place(path, node)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("HTTPDataReader", {"http", "data", "reader"}),
        ("get_database_url", {"get", "database", "url"}),
        ("_Base", {"base"}),
    ],
)
def test_names_are_split_into_words(name: str, words: set[str]) -> None:
    assert words_of(name) == words


def test_no_name_has_a_banned_word() -> None:
    wrong = [f"{where} {name}" for path in modules() for name, where in names(path) if words_of(name) & ALSO_PLURAL]
    assert not wrong


def test_no_pieces_of_the_rule_book_are_missing() -> None:
    """The rule looks at something: the tree was found."""
    assert SOURCE / "units.py" in modules()
