"""YAML from strangers: bounded in size, depth and expansion, one document, JSON values only.

A small YAML file can hide billions of nodes behind aliases, a stack overflow behind brackets, or minutes of work
behind one number. So the stream of parse events is measured first, and only a text within the bounds is built.
Anchors, aliases and merge keys work, as far as what they expand to stays within the bounds.
"""

import math
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from suanwang.errors import InvalidInput

MAX_DEPTH = 64
MAX_NODES = 100_000
"""Scalars, lists and mappings together, counting what every alias expands to."""
MAX_NUMBER_LENGTH = 64
"""Characters of one number; YAML's base-60 numbers take quadratic time."""

_TAG = "tag:yaml.org,2002:"
_NUMBER_TAGS = frozenset({_TAG + "int", _TAG + "float"})
_JSON_TAGS = _NUMBER_TAGS | {_TAG + name for name in ("null", "bool", "str", "seq", "map", "merge")}


def _json_resolvers() -> dict[str, list[tuple[str, Any]]]:
    """The loader's resolvers without those of types that JSON does not have: a plain date stays the text it is."""
    known: dict[str, list[tuple[str, Any]]] = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [(tag, pattern) for tag, pattern in pairs if tag in _JSON_TAGS] for first, pairs in known.items()}


_Loader: type[yaml.SafeLoader] = type(
    "_Loader",
    (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
    {"yaml_implicit_resolvers": _json_resolvers()},
)


def load_yaml(text: str, *, max_bytes: int) -> object:
    """The one document of `text` as None, bool, int, float, str, list and dict. An empty text is None.

    Raises InvalidInput, with `line N` as its field where YAML tells the line: not YAML, more than `max_bytes` of UTF-8,
    too deep, too many nodes, a key twice, a key that is not a scalar, a value that JSON does not know (tags, infinity),
    several documents.
    """
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as broken:
        raise InvalidInput("text", f"character {broken.start}", "text that UTF-8 can carry") from None
    if size_bytes > max_bytes:
        raise InvalidInput("text", f"{size_bytes} bytes", f"at most {max_bytes} bytes")
    try:
        _measure(text)
        return _build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        allowed = _advice(error.context or "", error.problem or "")
        raise InvalidInput(_line(mark), error.problem, f"YAML: {allowed}") from None
    except yaml.YAMLError as error:
        raise InvalidInput("text", str(error).splitlines()[0], "printable text in YAML") from None


def _advice(context: str, problem: str) -> str:
    """What to do about YAML's own words, where they do not say it."""
    if "alias" in context or "anchor" in context:
        return "* and & at the beginning have a meaning in YAML; put such a text in quotes"
    if "cannot start any token" in problem:
        return "a text that begins with @, %, ` or a tab goes in quotes"
    return context or "one well-formed document"


def _line(mark: Any) -> str:
    return "text" if mark is None else f"line {mark.line + 1}"


def _measure(text: str) -> None:
    """Walk the events without building anything; refuse what is too deep or expands to too much."""
    sizes = [0]
    """Expanded nodes of each collection that is open; the first entry is the document."""
    anchors: list[str | None] = []
    size_of_anchor: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, CollectionStartEvent):
            anchors.append(event.anchor)
            sizes.append(1)
            if len(anchors) > MAX_DEPTH:
                raise InvalidInput(_line(event.start_mark), f"depth {len(anchors)}", f"at most {MAX_DEPTH} levels")
        elif isinstance(event, CollectionEndEvent):
            size, anchor = sizes.pop(), anchors.pop()
            if anchor is not None:
                size_of_anchor[anchor] = size
            sizes[-1] += size
        elif isinstance(event, ScalarEvent):
            if event.anchor is not None:
                size_of_anchor[event.anchor] = 1
            sizes[-1] += 1
        elif isinstance(event, AliasEvent):
            if event.anchor not in size_of_anchor:  # unknown, or still open: an endless loop
                raise InvalidInput(_line(event.start_mark), f"*{event.anchor}", _alias_advice(event.anchor))
            sizes[-1] += size_of_anchor[event.anchor]
        if sum(sizes) > MAX_NODES:
            raise InvalidInput(
                _line(event.start_mark), f"{sum(sizes)} nodes", f"at most {MAX_NODES} nodes, aliases expanded"
            )


def _alias_advice(anchor: str | None) -> str:
    return (
        f"YAML takes it for a reference to a part marked &{anchor}, which does not stand complete before this line; "
        "put a text that begins with * in quotes"
    )


def _build(text: str) -> object:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check(loader, root, set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check(loader: yaml.SafeLoader, node: Node, seen: set[int]) -> None:
    """Refuse what JSON does not know, numbers that are too long, and keys that come twice."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if node.tag not in _JSON_TAGS:
        raise InvalidInput(_line(node.start_mark), node.tag, "plain values, lists and mappings; no tags")
    if isinstance(node, ScalarNode):
        _check_scalar(loader, node)
    elif isinstance(node, SequenceNode):
        for entry in node.value:
            _check(loader, entry, seen)
    elif isinstance(node, MappingNode):
        keys: set[object] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise InvalidInput(_line(key_node.start_mark), "a collection as a key", "keys that are plain values")
            key = _check_scalar(loader, key_node)
            if key in keys:
                raise InvalidInput(_line(key_node.start_mark), key_node.value, "every key once")
            keys.add(key)
            _check(loader, value_node, seen)


def _check_scalar(loader: yaml.SafeLoader, node: ScalarNode) -> object:
    """The value of a scalar, which must be what its tag says."""
    if node.tag not in _JSON_TAGS:
        raise InvalidInput(_line(node.start_mark), node.tag, "plain values; no tags")
    if node.tag == _TAG + "merge":
        return "<<"
    if node.tag in _NUMBER_TAGS and len(node.value) > MAX_NUMBER_LENGTH:
        raise InvalidInput(_line(node.start_mark), node.value, f"numbers of at most {MAX_NUMBER_LENGTH} characters")
    try:
        value: object = loader.construct_object(node)
    except (ValueError, KeyError, IndexError):
        raise InvalidInput(_line(node.start_mark), node.value, f"a value of its tag {node.tag}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(_line(node.start_mark), node.value, "a finite number")
    return value
