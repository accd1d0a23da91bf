"""Money is exact, conversions have one home, and the domain asks for no time and no chance."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import SOURCE, modules, nodes, place, tree

DOMAIN = SOURCE / "domain"
EXACT_SUFFIXES = ("_fen",)
INEXACT_TYPES = {"float", "Decimal", "Fraction", "Any", "object"}
KERNEL = "scheduling"
"""Struct of arrays and compiled code: types of arrays are numpy's."""

FACTORS = {3_600, 86_400, 1_024**3, 2**30}
FACTORS_IN_ARITHMETIC = FACTORS | {10_000, 1_000_000_000}
ARITHMETIC = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
IMPURE_CALLS = {"now", "utcnow", "today", "fromtimestamp", "uuid1", "uuid4", "uuid6", "uuid7", "open", "print", "input"}


def annotations(module: ast.Module) -> Iterator[tuple[ast.AST, str, ast.expr | None]]:
    """(node, name, annotation) of every argument, field, annotated variable and function's result."""
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node, node.target.id, node.annotation
        elif isinstance(node, ast.arg):
            yield node, node.arg, node.annotation
        elif isinstance(node, ast.FunctionDef):
            yield node, node.name, node.returns


def is_exact(annotation: ast.expr | None) -> bool:
    """Whether the annotation is made of integers, alone or in a container."""
    if annotation is None:
        return False
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return "int" in names and not names & INEXACT_TYPES


def inexact(module: ast.Module) -> list[tuple[ast.AST, str]]:
    """Names of money whose annotation is not an integer."""
    return [
        (node, f"{name}: {'nothing' if annotation is None else ast.unparse(annotation)}")
        for node, name, annotation in annotations(module)
        if name.endswith(EXACT_SUFFIXES) and not is_exact(annotation)
    ]


def value_of(node: ast.AST) -> object:
    """The value of a number, also if it is written as a power: 3600, 2**30, 1024 ** 3."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, power = value_of(node.left), value_of(node.right)
        if isinstance(base, int) and isinstance(power, int) and 0 <= power < 64:
            return base**power
    return None


def conversions(found: Iterator[ast.AST]) -> list[ast.AST]:
    """Conversion factors: 3600, 86400 and 2**30 anywhere, 10000 and 1e9 where they multiply or divide."""
    wrong: list[ast.AST] = []
    for node in found:
        if value_of(node) in FACTORS:
            wrong.append(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC):
            wrong += [side for side in (node.left, node.right) if value_of(side) in FACTORS_IN_ARITHMETIC - FACTORS]
    return wrong


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("x = a * 3600", 1),
        ("WEEK = 7 * 86_400", 1),
        ("b = 1024 ** 3", 1),
        ("s = amount_fen * bp // 10_000", 1),
        ("s = t / 1e9", 1),
        ("MAX_NODES = 10_000", 0),
        ("x = 2 * a + True", 0),
    ],
)
def test_conversions_are_seen(code: str, count: int) -> None:
    assert len(conversions(ast.walk(ast.parse(code)))) == count


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("def charge(amount_fen: float) -> None: ...", 1),
        ("def price_fen(x: int) -> float: ...", 1),
        ("class A:\n    limit_fen: int | None", 0),
        ("def f(a_fen): ...", 1),
        ("limit_fen: int | float = 0", 1),
        ("amounts_fen: dict[str, int | None] = {}", 0),
    ],
)
def test_inexact_money_is_seen(code: str, count: int) -> None:
    assert len(inexact(ast.parse(code))) == count


def test_only_units_converts() -> None:
    wrong = [
        place(path, node) for path in modules() if path != SOURCE / "units.py" for node in conversions(nodes(path))
    ]
    assert not wrong, "use a name of units.py, or say why not: `# house: <reason>`"


def test_money_of_the_domain_is_a_whole_number_of_fen() -> None:
    wrong = [
        f"{place(path, node)} {said}"
        for path in modules()
        if path.is_relative_to(DOMAIN) and KERNEL not in path.relative_to(DOMAIN).parts
        for node, said in inexact(tree(path))
        if not is_excepted(path, node)
    ]
    assert not wrong


def impure_calls(found: Iterator[ast.AST]) -> list[ast.AST]:
    """Calls whose answer is not made of their arguments: `fromtimestamp` without a zone asks the machine."""
    return [
        node
        for node in found
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "attr", getattr(node.func, "id", ""))) in IMPURE_CALLS
        and not (name == "fromtimestamp" and len(node.args) + len(node.keywords) > 1)
    ]


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("datetime.now(UTC)", 1),
        ("date.today()", 1),
        ("uuid4()", 1),
        ("uuid5(space, name)", 0),
        ("datetime.fromtimestamp(at_s)", 1),
        ("datetime.fromtimestamp(at_s, UTC)", 0),
    ],
)
def test_impure_calls_are_seen(code: str, count: int) -> None:
    assert len(impure_calls(ast.walk(ast.parse(code)))) == count


def test_domain_asks_for_no_time_and_no_chance() -> None:
    wrong = [
        place(path, node) for path in modules() if path.is_relative_to(DOMAIN) for node in impure_calls(nodes(path))
    ]
    assert not wrong


def is_excepted(path: Path, node: ast.AST) -> bool:
    return node not in set(nodes(path))
