"""`suanwang reproduce`: published tables of other people, computed by the scheduler of the network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.replay import packages_of_replay
from suanwang.cli.screen import Screen, console, table
from suanwang.cli.session import JsonOption, errors_told
from suanwang.i18n import _

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.replay.reproduce.figure import Figure
    from suanwang.replay.reproduce.openb import Point

reproduce_app = typer.Typer(
    help=with_examples(
        _("Compute a published table, and show each figure beside the published one."),
        "suanwang reproduce whole-log --data traces",
        "suanwang reproduce rlscheduler --data traces --log lublin_256",
        "suanwang reproduce openb --data traces --workload default --seed 42",
        after=_("A folder of data has swf/ and openb/, as docs/reference/reproduce.md says."),
    ),
    no_args_is_help=True,
)

DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", exists=True, file_okay=False, help=_("Folder with swf/ and openb/."))
]
LogsOption = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="NAME", help=_("A log of swf/, or a path; may be given again.")),
]
SHOWN_PERCENT = (100, 130)
"""Of the points of a curve, those that the paper's table has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure as programs read it."""

    of: tuple[str, ...]
    computed: float
    expected: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A table that came out. `largest_difference` None: nothing could be compared."""

    table: str
    figures: tuple[Line, ...]
    largest_difference: float | None


@dataclass(frozen=True, slots=True)
class CurvesAnswer:
    table: str
    points: tuple[dict[str, object], ...]
    largest_differences: dict[str, float]
    """Policy -> its largest difference over all points; of Random, that of the mean over seeds."""


@reproduce_app.command(
    "whole-log",
    help=with_examples(
        _("Whole recorded logs under strict FIFO and EASY: waits, slowdowns, utilisation, makespan."),
        "suanwang reproduce whole-log --data traces --log HPC2N --policy EASY",
    ),
)
def whole_log_command(
    data: DataOption,
    log: LogsOption = None,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help=_("FIFO or EASY; both unless one is named."))
    ] = None,
    capacity: Annotated[
        int | None,
        typer.Option("--capacity", min=1, help=_("Processors; else the published ones, or those of the log's header.")),
    ] = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    with errors_told(screen), packages_of_replay():
        from suanwang.replay.reproduce.whole_log import DEPTHS, whole_log

        with _spinner(screen) as told:
            figures = whole_log(data, log or (), policy or tuple(DEPTHS), capacity, told)
        _show(screen, "whole-log", figures, (_("log"), _("policy"), _("figure")))


@reproduce_app.command(
    "rlscheduler",
    help=with_examples(
        _("RLScheduler (SC 2020), Table V: mean bounded slowdown of queue orders over windows of a log."),
        "suanwang reproduce rlscheduler --data traces",
        "suanwang reproduce rlscheduler --data traces --log HPC2N --start 0 --start 5000 --order SJF",
    ),
)
def rlscheduler_command(
    data: DataOption,
    log: LogsOption = None,
    order: Annotated[
        list[str] | None, typer.Option("--order", help=_("FCFS, WFP3, UNI, SJF or F1; all unless some are named."))
    ] = None,
    start: Annotated[
        list[int] | None,
        typer.Option("--start", min=0, help=_("Where a window begins; the paper's ten unless some are given.")),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help=_("Jobs of a window."))] = 1_024,
    backfill: Annotated[
        list[str] | None, typer.Option("--backfill", help=_("yes or no; both unless one is named."))
    ] = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    with errors_told(screen), packages_of_replay():
        from suanwang.replay.reproduce.rlscheduler import BACKFILL, ORDERS, STARTS, rlscheduler

        with _spinner(screen) as told:
            figures = rlscheduler(
                data, log or (), order or ORDERS, start or STARTS, jobs, backfill or tuple(BACKFILL), told
            )
        _show(screen, "rlscheduler", figures, (_("log"), _("backfill"), _("job order")))


@reproduce_app.command(
    "openb",
    help=with_examples(
        _("Beware of Fragmentation (USENIX ATC 2023): GPU allocation of six placements as a cluster fills up."),
        "suanwang reproduce openb --data traces",
        "suanwang reproduce openb --data traces --workload default --seed 42 --policy FGD --json",
    ),
)
def openb_command(
    data: DataOption,
    workload: Annotated[
        list[str] | None,
        typer.Option("--workload", help=_("A list of pods of openb/, like default; all unless named.")),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option("--seed", help=_("All that have an order unless named."))] = None,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help=_("FGD, BestFit, ...; all six unless some are named."))
    ] = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    with errors_told(screen), packages_of_replay():
        from suanwang.replay.reproduce.openb import POLICIES, largest_differences, reproduce

        points = []
        with _spinner(screen) as told:
            for point in reproduce(data / "openb", workload or (), seed or (), policy or POLICIES):
                if point.k == 0:
                    told(f"{point.workload} {point.seed} {point.policy}")
                points.append(point)
        answer = CurvesAnswer("openb", tuple(asdict(point) for point in points), largest_differences(points))
        screen.show(answer, lambda: _curves(points, answer.largest_differences))


@contextmanager
def _spinner(screen: Screen) -> Iterator[Callable[[str], None]]:
    """What is computed at present, where somebody watches."""
    if not screen.live:
        yield lambda _what: None
        return
    with console(stderr=True).status("") as status:
        yield status.update


def _show(screen: Screen, name: str, figures: Sequence["Figure"], words: tuple[str, ...]) -> None:
    from suanwang.replay.reproduce.figure import largest_difference

    lines = tuple(Line(one.of, one.computed, one.expected, one.difference) for one in figures)
    answer = Answer(name, lines, largest_difference(figures))
    screen.show(answer, lambda: _render(figures, answer, words))


def _render(figures: Sequence["Figure"], answer: Answer, words: tuple[str, ...]) -> "RenderableType":
    numbers = (_("computed"), _("published"), _("difference"))
    made = table("", (*words, *numbers), right=numbers)
    for one in figures:
        made.add_row(*one.of, *(_number(value, one.decimals) for value in (one.computed, one.expected, one.difference)))
    made.caption = _largest(answer.largest_difference)
    return made


def _curves(points: Sequence["Point"], largest: dict[str, float]) -> "RenderableType":
    """The means over seeds at the points that the paper shows, and the largest difference of any point."""
    numbers = [f"{_('computed')} {k} %" for k in SHOWN_PERCENT] + [f"{_('published')} {k} %" for k in SHOWN_PERCENT]
    made = table("", (_("workload"), _("policy"), *numbers), right=tuple(numbers))
    groups: dict[tuple[str, str], dict[int, list[Point]]] = {}
    for point in points:
        groups.setdefault((point.workload, point.policy), {}).setdefault(point.k, []).append(point)
    for (workload, policy), curve in groups.items():
        shown = [curve.get(k, []) for k in SHOWN_PERCENT]
        computed = [_mean([one.computed for one in each]) for each in shown]
        expected = [_mean([one.expected for one in each if one.expected is not None]) for each in shown]
        made.add_row(workload, policy, *(_number(value, 2) for value in (*computed, *expected)))
    made.caption = "\n".join(f"{policy}: {_largest(value)}" for policy, value in largest.items()) or _largest(None)
    return made


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"


def _largest(difference: float | None) -> str:
    if difference is None:
        return _("nothing published to compare with")
    return _("largest difference: {difference}").format(difference=f"{difference:g}")
