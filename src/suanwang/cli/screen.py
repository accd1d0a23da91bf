"""What a command prints: one JSON document for programs, or tables and sentences for people."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from suanwang.errors import SuanwangError
from suanwang.i18n import _

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

LEAST_WORDS = 8
"""Characters of a column of words in the narrowest terminal."""
NARROW = 100
WIDEST = 1_000
WIDTH_OF_A_PIPE = 200
"""Columns where there is no terminal to ask: tables are cut by nobody."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Answers go to stdout, everything else (progress, notices, errors) to stderr."""

    as_json: bool = False

    def show(self, answer: Any, render: Callable[[], "RenderableType"]) -> None:
        """The one answer of a command."""
        if self.as_json:
            write_json(answer)
        else:
            print_whole(console(), render())

    def say(self, sentence: str) -> None:
        """A line for people; a program does not get it."""
        if not self.as_json:
            console().print(sentence, markup=False, highlight=False, soft_wrap=True)

    def note(self, sentence: str) -> None:
        """Beside the answer, for people."""
        if not self.as_json:
            console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True, style="dim")

    @property
    def live(self) -> bool:
        """Whether somebody watches a terminal."""
        return not self.as_json and sys.stderr.isatty()

    @property
    def narrow(self) -> bool:
        """Whether a live view has too few columns for a whole table."""
        return self.live and console(stderr=True).width < NARROW


def console(*, stderr: bool = False) -> "Console":
    """A console as wide as its terminal; a pipe is wide enough for every table."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH_OF_A_PIPE
    return Console(file=stream, width=width, highlight=False, emoji=False)


def print_whole(console: "Console", shown: "RenderableType") -> None:
    """Never cut an amount or an id: what does not fit goes on in the terminal's next line."""
    from rich.console import Group
    from rich.table import Table

    unbounded = console.options.update(width=WIDEST, max_width=WIDEST)
    for one in shown.renderables if isinstance(shown, Group) else [shown]:
        for column in one.columns if isinstance(one, Table) else ():
            if column.no_wrap:
                cells = (column.header, *column.cells)
                column.min_width = max(console.measure(cell, options=unbounded).maximum for cell in cells)
    console.width = max(console.width, console.measure(shown, options=unbounded).minimum)
    console.print(shown)


def write_json(answer: Any) -> None:
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(answer, enc_hook=str, order="deterministic"), indent=2).decode()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_error(error: SuanwangError, *, as_json: bool) -> None:
    """`error: message` and what to do next, on stderr; for programs the same with its code, on stdout."""
    from suanwang.cli.advice import next_step
    from suanwang.words import say_error

    if as_json:
        write_json({"error": {"code": error.code, "message": error.message, "facts": error.facts}})
    line = _("error: {message}").format(message=say_error(error.code, error.facts, error.message))
    step = next_step(error)
    sys.stderr.write(f"{line}\n{step}\n" if step else f"{line}\n")


def table(title: str, columns: Sequence[str], right: Sequence[str] = (), wrap: Sequence[str] = ()) -> "Table":
    """An empty table. Columns in `right` hold numbers; those in `wrap` hold words that a narrow terminal folds."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=title or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        if name in wrap:
            made.add_column(name, justify=justify, overflow="fold", min_width=LEAST_WORDS)
        else:
            made.add_column(in_two_lines(name), justify=justify, no_wrap=True)
    return made


def in_two_lines(heading: str) -> str:
    """A heading of several words takes two lines, so that it is hardly wider than what stands below."""
    words = heading.split(" ")
    splits = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return "\n".join(min(splits, key=lambda lines: max(map(len, lines)), default=(heading,)))


def plain(text: object) -> str:
    """Text of others, safe from the console's own markup."""
    from rich.markup import escape

    return escape(str(text))


def pairs(rows: Sequence[tuple[str, object]]) -> "Table":
    """Names and values, one below the other."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, style="bold"), Text(str(value)))
    return grid
