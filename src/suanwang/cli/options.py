"""Options that several commands have, and how their texts are read. A text that cannot be read is an error of use."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.units import duration_s, fen_of_yuan

T = TypeVar("T")


def with_examples(sentence: str, *lines: str, after: str = "") -> str:
    """A help text with commands to copy, which are the same in every language."""
    examples = "\n".join(f"  {line}" for line in lines)
    return "\n\n".join(filter(None, (sentence, f"\b\n{examples}", after)))


def read_with(reader: Callable[[str], T]) -> Callable[[str], T]:
    """A reader of ours as typer wants it: what it refuses is an error of use."""

    def read(text: str) -> T:
        try:
            return reader(text)
        except InvalidInput as error:
            raise typer.BadParameter(error.facts["allowed"]) from None

    return read


def pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE`. Raises InvalidInput."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InvalidInput("pair", text, _("NAME=VALUE"))
    return name, value


def instant_s(text: str) -> int:
    """An instant as people write it: a date and time (of this place, where it names no offset), or `+2h` from now.

    Raises InvalidInput.
    """
    if text.startswith("+"):
        return int(time.time()) + duration_s(text[1:])
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        allowed = _("a date and time like 2026-12-01T08:00 or 2026-12-01T08:00+08:00, or +2h from now")
        raise InvalidInput("instant", text, allowed) from None


def read_pairs(texts: list[str] | None) -> list[tuple[str, str]]:
    """All of `NAME=VALUE`."""
    return [read_with(pair)(text) for text in texts or ()]


def positive_fen(text: str) -> int:
    """Yuan -> fen, more than nothing. Raises InvalidInput."""
    amount_fen = fen_of_yuan(text)
    if amount_fen <= 0:
        raise InvalidInput("amount", text, _("more than 0 yuan"))
    return amount_fen


def fen_or_nothing(text: str) -> int:
    """Yuan -> fen, 0 or more. Raises InvalidInput."""
    amount_fen = fen_of_yuan(text)
    if amount_fen < 0:
        raise InvalidInput("amount", text, _("0 or more yuan"))
    return amount_fen


ObjectiveName = Literal["cheapest", "soonest", "balanced"]
UseName = Literal["training", "inference", "application"]

TaskFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=_("Task file (SkyPilot)."))]
Reference = Annotated[str, typer.Argument(metavar="JOB", help=_("Id, start of the id, number or name of a job."))]
GiveUpReason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help=_("Why; it is kept, and shown to the owners of the jobs."))
]
Yuan = Annotated[
    int, typer.Argument(metavar="YUAN", parser=read_with(positive_fen), help=_("Amount in yuan, like 1200 or 0.05."))
]
DecidedYuan = Annotated[
    int,
    typer.Argument(metavar="YUAN", parser=read_with(fen_or_nothing), help=_("Amount in yuan; 0 refuses the claim.")),
]
Walltime = Annotated[
    int | None,
    typer.Option(
        "--walltime",
        metavar="TIME",
        parser=read_with(duration_s),
        help=_("Time limit of one attempt, like 2h or 1h30m."),
    ),
]
From = Annotated[
    int,
    typer.Option("--from", metavar="TIME", parser=read_with(instant_s), help=_("Begin, like 2026-12-01T08:00 or +2h.")),
]
Until = Annotated[
    int, typer.Option("--until", metavar="TIME", parser=read_with(instant_s), help=_("End, which is not part of it."))
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME=VALUE",
        help=_("Environment variable of the job; can be given again."),
        show_default=False,
    ),
]
ObjectiveOption = Annotated[
    ObjectiveName | None, typer.Option("--objective", help=_("What matters most when centres are compared."))
]
VoucherOption = Annotated[
    str | None,
    typer.Option("--voucher", metavar="ID|none", help=_("Voucher to pay with; by default the first that ends.")),
]
ProjectOption = Annotated[
    str | None,
    typer.Option("--project", metavar="NAME", help=_("Project whose budget the job draws on.")),
]
MaxCost = Annotated[
    int | None,
    typer.Option(
        "--max-cost",
        metavar="YUAN",
        parser=read_with(fen_or_nothing),
        help=_("The most that the job may cost, over all its attempts."),
    ),
]
UseOption = Annotated[UseName | None, typer.Option("--use", help=_("What the compute is for, as voucher rules ask."))]
