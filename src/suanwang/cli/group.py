"""The command at the top. With --json, wrong use is told as every other error is: a document, and exit code 2."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from suanwang.cli.screen import write_error
from suanwang.errors import Refused

JSON_OPTION = "--json"


class TopCommand(TyperGroup):
    """What a program reads from stdout is JSON, also if it misspelt an option."""

    def main(  # type: ignore[override]  # what nobody gives by place is passed on by name
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        standalone = extra.pop("standalone_mode", True)
        if not standalone or not asks_for_json(words):
            return super().main(words, prog_name, standalone_mode=standalone, **extra)
        try:
            code = super().main(words, prog_name, standalone_mode=False, **extra)
        except typer.Abort:
            sys.exit(1)
        except Exception as error:
            if not is_wrong_use(error):
                raise
            write_error(wrong_use(error), as_json=True)
            sys.exit(getattr(error, "exit_code", 2))
        sys.exit(code if isinstance(code, int) else 0)


def asks_for_json(words: list[str]) -> bool:
    """What stands behind `--` is no option."""
    return JSON_OPTION in (words[: words.index("--")] if "--" in words else words)


def is_wrong_use(error: Exception) -> bool:
    """What typer raises while it reads a command line; its class has another home in every release."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def wrong_use(error: Any) -> Refused:
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    facts = {
        "command": context.command_path if context is not None else None,
        "parameter": parameter.name if parameter is not None else getattr(error, "option_name", None),
    }
    return Refused(error.format_message(), code="WRONG_USE", **facts)
