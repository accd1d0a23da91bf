"""How functions are compiled, and how what was kept on disk is known to be of this source.

Only entries are kept on disk: the compiler renews its cache when the file of an entry changes, not when a function that
it calls does. A fingerprint of every compiled function and column, frozen into one more entry, shows a stale cache.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast
from zlib import crc32

from numba import njit

from suanwang.domain.scheduling.kernel import columns

F = TypeVar("F", bound=Callable[..., Any])

_entries: list[Any] = []
_source: list[object] = [value for name, value in sorted(vars(columns).items()) if isinstance(value, int | tuple)]


def _note(function: Callable[..., Any]) -> None:
    code = function.__code__
    _source.append((function.__qualname__, code.co_code, code.co_names, [repr(c) for c in code.co_consts]))


def compiled(function: F) -> F:
    """A part of entries, never called from Python."""
    _note(function)
    return cast(F, njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)(function))


def inlined(function: F) -> F:
    """A part that is copied into its callers: the tables are many words to hand over, more than a small part does."""
    _note(function)
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}
    return cast(F, njit(forceinline=True, **options)(function))


def entry(function: F) -> F:
    """Called from Python, kept on disk."""
    _note(function)
    dispatcher = njit(cache=True, error_model="numpy", _nrt=False)(function)
    _entries.append(dispatcher)
    return cast(F, dispatcher)


def fingerprint() -> int:
    """Of everything compiled so far."""
    return crc32(repr(_source).encode())


def forget_stale(kept_fingerprint: int, present_fingerprint: int) -> None:
    """Compile all entries anew if they were kept from another source."""
    if kept_fingerprint != present_fingerprint:
        for dispatcher in _entries:
            dispatcher.recompile()
