"""What `suanwang sweep` answers people: means over seeds with their intervals, and what failed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suanwang.cli.screen import plain, table
from suanwang.i18n import _
from suanwang.words import NOTHING, duration, money

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.replay.sweep.estimate import Estimate, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A sweep: means over seeds, every run, and what failed."""

    runs: int
    summaries: "list[Summary]"
    lines: list[dict[str, Any]]
    failed: list[dict[str, Any]]


Shown = Callable[[float], str]


def render(answer: Answer) -> "RenderableType":
    from rich.console import Group

    parts: list[RenderableType] = [_means(answer.summaries)]
    if any(one.runs > 1 for one in answer.summaries):
        parts.append(
            _("± is half of the confidence interval of the mean over seeds (Student's t, {percent})").format(
                percent="95 %"
            )
        )
    parts += [
        plain(
            _("run {run} failed: {parameters}: {message}").format(
                run=line["run"], parameters=_parameters(line), message=line["error"]["message"]
            )
        )
        for line in answer.failed
    ]
    return Group(*parts)


def _parameters(line: dict[str, Any]) -> str:
    seed = [] if line["seed"] is None else [f"{_('seed')} {line['seed']}"]
    return ", ".join([line["policy"], *(f"{name}={_value(value)}" for name, value in line["set"].items()), *seed])


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _means(summaries: "list[Summary]") -> "RenderableType":
    columns: dict[str, tuple[str, Shown]] = {
        "refused": (_("refused"), _number(0)),
        "unfinished": (_("never end"), _number(0)),
        "mean_wait_s": (_("mean wait"), _time),
        "p95_wait_s": (_("p95 wait"), _time),
        "mean_bounded_slowdown": (_("mean slowdown"), _number(2)),
        "utilisation": (_("utilisation"), _percent),
        "fairness": (_("fairness"), _number(3)),
        "cost_fen": (_("cost"), _money),
        "energy_kwh": (_("kWh"), _number(1)),
    }
    if not any(one.measures["unfinished"] and one.measures["unfinished"].mean for one in summaries):
        del columns["unfinished"]
    named = list(summaries[0].set) if summaries else []
    numbers = tuple(name for name, _shown in columns.values())
    made = table("", (_("policy"), *named, _("runs"), *numbers), right=(*named, _("runs"), *numbers))
    for one in summaries:
        cells = (_cell(one.measures[name], shown) for name, (_name, shown) in columns.items())
        made.add_row(plain(one.policy), *(_value(one.set[name]) for name in named), str(one.runs), *cells)
    return made


def _cell(found: "Estimate | None", shown: Shown) -> str:
    if found is None:
        return NOTHING
    return shown(found.mean) if found.half_width is None else f"{shown(found.mean)} ± {shown(found.half_width)}"


def _number(digits: int) -> Shown:
    return lambda value: f"{value:,.{digits}f}"


def _time(length_s: float) -> str:
    return duration(round(length_s))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _money(amount_fen: float) -> str:
    return money(round(amount_fen))
