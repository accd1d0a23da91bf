"""The project's own files and syntax trees, for the rules of the house."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "suanwang"
EXCEPTION = re.compile(r"#\s*house: \S")
"""A line with `# house: <reason>` is excepted from the rules that look at lines."""
NOT_OURS = {".venv", ".git", "__pycache__", "var", "dist", "node_modules"}


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(SOURCE.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def excepted_lines(path: Path) -> frozenset[int]:
    return frozenset(n for n, line in enumerate(path.read_text().splitlines(), 1) if EXCEPTION.search(line))


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line}"


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of a module that is not on an excepted line."""
    for node in ast.walk(tree(path)):
        if getattr(node, "lineno", 0) not in excepted_lines(path):
            yield node


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git tracks or would track; in a copy without git, all but what a checkout never has."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=False,
        capture_output=True,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not _is_left_out(p.relative_to(ROOT))]
    return tuple(sorted(p for p in found if p.is_file()))


def _is_left_out(path: Path) -> bool:
    return any(part in NOT_OURS or part.endswith("_cache") for part in path.parts)
