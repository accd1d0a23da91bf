"""How functions are compiled, and how what was kept on disk is known to be of this source.

Only entries are kept on disk. The compiler keeps an entry while the file of that entry is as it was, and does not see
that a function which it calls, in another file, became another. So an entry is stamped with all files of the kernel.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast
from zlib import crc32

from numba import njit, types
from numba.core.registry import CPUDispatcher

from suanwang import units
from suanwang.domain.scheduling.kernel.linking import EntryCompiler, PartCompiler

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = {"error_model": "numpy", "_nrt": False}


def stamp(files: Iterable[Path]) -> int:
    """Of their contents, in the order of their paths."""
    found = 0
    for file in sorted(files):
        found = crc32(file.read_bytes(), found)
    return found


_STAMP = stamp([*Path(__file__).parent.glob("*.py"), Path(units.__file__)])


class _Part(CPUDispatcher):  # type: ignore[misc]
    """One copy for all numbers: the compiler makes another of a function for every number that stands in a call."""

    def get_call_template(self, args: Iterable[Any], kws: dict[str, Any]) -> Any:
        plain_kws = {name: types.unliteral(kind) for name, kind in kws.items()}
        return super().get_call_template([types.unliteral(kind) for kind in args], plain_kws)


def _part(function: F, **options: Any) -> F:
    options |= {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_OPTIONS}
    return cast(F, _Part(function, targetoptions=options, pipeline_class=PartCompiler))


def compiled(function: F) -> F:
    """A part of entries, never called from Python."""
    return _part(function)


def inlined(function: F) -> F:
    """A small part that is copied into its callers, whatever the compiler thinks of it."""
    return _part(function, forceinline=True)


def entry(function: F) -> F:
    """Called from Python, kept on disk."""
    dispatcher = njit(cache=True, pipeline_class=EntryCompiler, **_OPTIONS)(function)
    # Private, and the one place where the compiler has its stamp; a release without it fails here, at once.
    kept = dispatcher._cache._cache_file
    kept._source_stamp = (kept._source_stamp, _STAMP)
    return cast(F, dispatcher)
