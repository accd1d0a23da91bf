"""What is allowed instead can be said in Chinese, whoever raised it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from suanwang.allowed import ALLOWED, is_known, say_allowed
from suanwang.errors import InvalidInput
from suanwang.i18n import speaking
from suanwang.words import say_error

SOURCE = Path(__file__).parents[2] / "src/suanwang"
OF_TENANTS = (
    "api",
    "control",
    "taskfile",
    "domain/job.py",
    "domain/centre.py",
    "centrefile.py",
    "boundedyaml.py",
    "units.py",
)


def raised() -> Iterator[tuple[str, str]]:
    """What is allowed instead, with every number 7 and every text x, by file."""
    for place in OF_TENANTS:
        path = SOURCE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidInput" and len(node.args) > 2:
                    yield from ((text, file.name) for text in texts(node.args[2]))


def texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(one.value) if isinstance(one, ast.Constant) else filled(one) for one in node.values)]
    return []


def filled(node: ast.expr) -> str:
    return "; did you mean x?" if isinstance(node, ast.FormattedValue) and ast.unparse(node.value) == "hint" else "7"


def test_every_sentence_of_what_tenants_and_centres_write_is_known() -> None:
    found = list(raised())
    assert len(found) > 100
    assert {(text, file) for text, file in found if not is_known(text)} == set()


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ("1 to 10000", "1 到 10000"),
        ("1 to 31622400 seconds", "1 到 31622400 秒"),
        ("one of a, b; did you mean a?", "a, b 之一；是否想写 a？"),
        ("at most 9; put more in the workdir", "最多 9；更多内容请放入工作目录"),
        ("the count once: {A100: 8} or {A100:8}", "数量只写一次：{A100: 8} 或 {A100:8}"),
        ("something that a newer hub asks for, 1 to 3", "something that a newer hub asks for, 1 to 3"),
    ],
)
def test_the_whole_sentence_is_chinese(allowed: str, said: str) -> None:
    error = InvalidInput("num_nodes", -3, allowed)
    with speaking("zh"):
        assert say_error(error.code, error.facts, error.message) == f"num_nodes：不允许 -3；{said}"
    with speaking("en"):
        assert say_error(error.code, error.facts, error.message) == str(error)


def test_every_known_sentence_has_a_translation_that_it_fills_in() -> None:
    with speaking("zh"):
        for template in ALLOWED:
            filled = template.replace("{least}", "1").replace("{most}", "2").format_map(Anything())
            said = say_allowed(filled)
            assert said != filled
            assert "{least}" not in said


class Anything(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def test_amounts_are_said_in_yuan() -> None:
    error = InvalidInput("used_fen", 120_000, "0 to 250 fen: what the voucher has paid and is not asked for")
    with speaking("en"):
        said = say_error(error.code, error.facts, error.message)
        assert "1,200.00 is not allowed; 0.00 to 2.50 yuan: what the voucher has paid" in said
    with speaking("zh"):
        said = say_error(error.code, error.facts, error.message)
        assert "不允许 1,200.00；0.00 至 2.50 元：" in said
