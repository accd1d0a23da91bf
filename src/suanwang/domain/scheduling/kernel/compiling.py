"""How functions are compiled, and how what was kept on disk is known to be of this source.

Only entries are kept on disk. The compiler keeps an entry while the file of that entry is as it was, and does not see
that a function which it calls, in another file, became another. So an entry is stamped with all files of the kernel.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast
from zlib import crc32

from numba import njit

from suanwang import units

F = TypeVar("F", bound=Callable[..., Any])


def stamp(files: Iterable[Path]) -> int:
    """Of their contents, in the order of their paths."""
    found = 0
    for file in sorted(files):
        found = crc32(file.read_bytes(), found)
    return found


_STAMP = stamp([*Path(__file__).parent.glob("*.py"), Path(units.__file__)])


def compiled(function: F) -> F:
    """A part of entries, never called from Python."""
    return cast(F, njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)(function))


def inlined(function: F) -> F:
    """A part that is copied into its callers: the tables are many words to hand over, more than a small part does."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}
    return cast(F, njit(forceinline=True, **options)(function))


def entry(function: F) -> F:
    """Called from Python, kept on disk."""
    dispatcher = njit(cache=True, error_model="numpy", _nrt=False)(function)
    # Private, and the one place where the compiler has its stamp; a release without it fails here, at once.
    kept = dispatcher._cache._cache_file
    kept._source_stamp = (kept._source_stamp, _STAMP)
    return cast(F, dispatcher)
