"""How parts become one piece of machine code: once, in the entry that calls them.

Left alone, the compiler makes every function ready to run: it links in what that one calls, optimises all of it, and
turns it into machine code. A part is never run by itself, so that would be done over and over for the same code, on
every level from the smallest part up to the entry. Here a part ends as the compiler's intermediate code, and an entry
links all its parts, those of its parts too, and has them optimised together. They are internal to it then, and may be
inlined or dropped.
"""

from typing import Any

from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """Code of one part, without what it calls."""

    def finalize(self) -> None:
        self._final_module.verify()
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """Not of one's own: several entries may want it, and each copies what it links."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.external:
                function.linkage = "linkonce_odr"
        return self._final_module

    def get_pointer_to_function(self, name: str) -> int:
        """None: it is nowhere yet."""
        return 0

    @property
    def codegen(self) -> "_Part":
        return self

    def set_env(self, name: str, env: Any) -> None:
        """It has none: only code that raises errors looks there."""


class _Entry(JITCodeLibrary):  # type: ignore[misc]
    """Code of an entry and of all its parts."""

    def add_linking_library(self, library: Any) -> None:
        if library in self._linking_libraries:
            return
        super().add_linking_library(library)
        if isinstance(library, _Part):
            for called in library._linking_libraries:
                self.add_linking_library(called)

    def finalize(self) -> None:
        self._own = {function.name for function in self._final_module.functions if not function.is_declaration}
        super().finalize()

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.name not in self._own:
                function.linkage = "private"
        super()._optimize_final_module()


class _Compiler(Compiler):  # type: ignore[misc]
    """The compiler as it is, with another library to write to."""

    kind: type[JITCodeLibrary]

    def _compile_core(self) -> Any:
        if self.state.library is None:
            self.state.library = self.kind(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
            self.state.library.enable_object_caching()
        return super()._compile_core()


class PartCompiler(_Compiler):
    kind = _Part


class EntryCompiler(_Compiler):
    kind = _Entry
