"""YAML from strangers: what is read, and what is refused, with the line."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from suanwang.boundedyaml import MAX_DEPTH, MAX_NODES, load_yaml
from suanwang.errors import InvalidInput

MAX_BYTES = 2**20


def load(text: str) -> object:
    return load_yaml(text, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("a: 1\nb: [1, 2.5, null, true, x]\n", {"a": 1, "b": [1, 2.5, None, True, "x"]}),
        ("on: 2023-09-01\n", {True: "2023-09-01"}),
        ("published: 2023-10\nat: 2023-09-01T00:00:00Z", {"published": "2023-10", "at": "2023-09-01T00:00:00Z"}),
        ("sign: =\n", {"sign": "="}),
        ("name: 算力券\n", {"name": "算力券"}),
        ("a: &x {k: 1}\nb: *x\n", {"a": {"k": 1}, "b": {"k": 1}}),
        ("a: &x {k: 1, m: 2}\nb: {<<: *x, m: 3}\n", {"a": {"k": 1, "m": 2}, "b": {"k": 1, "m": 3}}),
        ("run: |\n  echo a: b\n  exit\n", {"run": "echo a: b\nexit\n"}),
        ("1: a\n'1': b\n", {1: "a", "1": "b"}),
        ("{}", {}),
    ],
)
def test_reads(text: str, value: object) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("a: 1\nb: [1, 2\n", "line 3"),
        ("a: 1\n\tb: 2\n", "line 2"),
        ("a: 1\nb: 2\na: 3\n", "line 3"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4"),
        ("1: a\n0x1: b\n", "line 2"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1"),
        ("a: !!binary aGk=\n", "line 1"),
        ("a: !!set {x, y}\n", "line 1"),
        ("a: !!timestamp 2023-01-01\n", "line 1"),
        ("a: !!int x\n", "line 1"),
        ("a: !!int ''\n", "line 1"),
        ("a: !!bool maybe\n", "line 1"),
        ("a: .inf\n", "line 1"),
        ("\na: .nan\n", "line 2"),
        ("? [a, b]\n: 1\n", "line 1"),
        ("a: *nowhere\n", "line 1"),
        ("a: &x [*x]\n", "line 1"),
        ("a: &x 1\nb: &x [2]\n", "line 2"),
        ("a: {<<: 1}\n", "line 1"),
        ("a: " + "1:" * 40 + "1\n", "line 1"),
        ("a: " + "9" * 65 + "\n", "line 1"),
        ("a: \0\n", "text"),
        ("a: \udc80\n", "text"),
        ("a: \x07\n", "text"),
    ],
)
def test_refuses_with_the_line(text: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load(text)
    assert refusal.value.facts["field"] == field


@pytest.mark.parametrize("text", ["run: *.py", "run: *all", "a: &x [*x]", "a: &", "run: '@x'\nb: @x", "c: `ls`"])
def test_what_begins_with_a_sign_of_yaml_is_told_to_go_in_quotes(text: str) -> None:
    with pytest.raises(InvalidInput, match="in quotes"):
        load(text)


def test_size_is_counted_in_bytes() -> None:
    assert load_yaml("算力", max_bytes=6) == "算力"
    with pytest.raises(InvalidInput, match="6 bytes"):
        load_yaml("算力", max_bytes=5)


def test_depth_is_bounded() -> None:
    assert load("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    with pytest.raises(InvalidInput, match="at most 64 levels"):
        load("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_BYTES,
        "- " * (MAX_BYTES // 2),
        "{a: " * (MAX_BYTES // 4),
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20)),
        "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 20)),
        "a: " + "1:" * (MAX_BYTES // 2 - 10) + "1",
        "a: 0x" + "f" * (MAX_BYTES - 10),
        "[" + "1," * (MAX_NODES + 1) + "]",
    ],
    ids=["brackets", "dashes", "braces", "aliases", "merges", "base 60", "long number", "many nodes"],
)
def test_bombs_are_refused_quickly(text: str) -> None:
    before_s = time.process_time()
    with pytest.raises(InvalidInput):
        load(text)
    assert time.process_time() - before_s < 5


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_reads_back_what_yaml_writes(value: object) -> None:
    assert load(yaml.safe_dump(value, allow_unicode=False)) == value


@given(st.text(alphabet="abc019:-[]{}&*<!?|>#'\"\n\t ,.%@~é=", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        load(text)
    except InvalidInput as refusal:
        field = refusal.facts["field"]
    else:
        return
    assert field == "text" or field.startswith("line ")
