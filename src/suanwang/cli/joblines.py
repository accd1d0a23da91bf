"""Jobs as rows of a table."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from suanwang.cli.screen import plain, table
from suanwang.i18n import _
from suanwang.words import NOTHING, moment, money, say, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import JobLine


def counts_line(states: Mapping[str, int]) -> str:
    """`running 3  queued 12`"""
    return "  ".join(f"{word(state)} {count}" for state, count in sorted(states.items()))


def job_table(lines: "Sequence[JobLine]", below: str = "", *, narrow: bool = False) -> "RenderableType":
    """`narrow`: for a live view in a small terminal, which is cut at its edge, the columns that say most."""
    from rich.console import Group

    left = (_("no."), _("name"), _("state"), _("centre"))
    middle = () if narrow else (_("step"), _("submitted"), _("charged"))
    made = table("", (*left, *middle, _("why")), right=(_("no."), _("charged")), wrap=(_("name"), _("why")))
    for line in lines:
        numbers = (step_of(line.progress), moment(line.submitted_s, int(time.time())), money(line.charged_fen))
        made.add_row(
            str(line.number),
            plain(line.name),
            state_of(line),
            line.centre_id or NOTHING,
            *(() if narrow else numbers),
            plain(say(line.reason)),
        )
    return Group(made, *([below] if below else []))


def state_of(line: "JobLine") -> str:
    """The state, and whether it is only the last that was seen of it."""
    return f"{word(line.state)} ({word('unseen')})" if line.unseen else word(line.state)


def step_of(progress: dict[str, object] | None) -> str:
    """`340/1500`"""
    if not progress:
        return NOTHING
    total = progress.get("total_steps")
    return f"{progress.get('step')}/{total}" if total else f"{progress.get('step')}"
