"""Files that fit in a head, that say what they are, and that speak of the project alone."""

import ast
import re
from pathlib import Path

from tests.house.source import EXCEPTION, modules, place, tracked_files, tree

MAX_LINES = 600
REGISTRIES = ("pypi", "python(?:hosted)", "npmjs", "yarnpkg", "crates", "conda", "docker", "quay", "ghcr", "gcr")
REGISTRY_HOST = re.compile(
    rf"\b(?:[\w-]+\.)*(?:{'|'.join(REGISTRIES)})\.(?:org|io|com|pkg\.dev)\b|https?://[^\s/]*/simple\b"
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home)/[\w.]")
HERE = "tests/house/test_files.py"


def test_no_source_file_is_longer_than_a_head() -> None:
    long = {place(path): count for path in modules() if (count := path.read_text().count("\n")) > MAX_LINES}
    assert not long


def test_every_module_says_what_it_is() -> None:
    silent = [place(path) for path in modules() if path.read_text().strip() and not ast.get_docstring(tree(path))]
    assert not silent


def test_patterns_see_what_they_are_for() -> None:
    assert REGISTRY_HOST.search("from https://files." + "{}hosted.org/x".format("python"))
    assert REGISTRY_HOST.search("https://mirror.example" + "/simple")
    assert not REGISTRY_HOST.search("https://hub.example/jobs")
    assert MACHINE_PATH.search("cd /" + "work/x")
    assert not MACHINE_PATH.search("$HOME/work/x, https://hub.example/home")


def test_no_file_names_a_registry_or_a_machine() -> None:
    wrong = [
        f"{place(path)}:{number} {line.strip()[:80]}"
        for path in tracked_files()
        if place(path) != HERE
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (REGISTRY_HOST.search(line) or MACHINE_PATH.search(line)) and not EXCEPTION.search(line)
    ]
    assert not wrong


def text_of(path: Path) -> str:
    """The text of a file; empty for pictures and archives."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
