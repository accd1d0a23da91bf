"""`suanwang replay`: a recorded workload through the scheduler of the network, in virtual time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import Screen, console
from suanwang.cli.session import JsonOption, errors_told
from suanwang.errors import Failed, InvalidInput
from suanwang.i18n import _, language, speaking

if TYPE_CHECKING:
    from suanwang.replay.study import Study

OrderName = Literal["fcfs", "sjf", "priority", "f1", "deadline", "wfp3", "unicef", "fair_share", "multi_factor"]
PlacementName = Literal["best_fit", "first_fit", "packing", "clustering", "dot_product", "best_fit_weighted"]
"""What a log is enough for: all but `given`, which needs scores, and `fgd`, which needs typical jobs."""
MOST_NAMED = 8
FormatName = Literal["swf", "openb", "philly", "gavel", "parquet"]
HELP = with_examples(
    _(
        "Replay recorded workloads: the jobs of one or more logs, in virtual time, through the scheduler that the live "
        "network uses. Reads the Standard Workload Format, Philly, Gavel, openb and our own Parquet form."
    ),
    "suanwang replay SDSC-SP2.swf.gz --policy easy",
    "suanwang replay jobs.parquet --network network.yaml --compare isolated --report page.html",
    "suanwang replay philly.csv.gz --since 2017-10-01 --until 2017-12-15 --load 0.8 --out schedule.parquet",
    after=_("Without --network every log (or every centre named in it) becomes a centre of its own."),
)


def replay(
    traces: Annotated[
        list[Path],
        typer.Argument(metavar="TRACE...", exists=True, dir_okay=False, help=_("Logs, plain or packed by gzip.")),
    ],
    network: Annotated[
        Path | None,
        typer.Option("--network", metavar="FILE", exists=True, dir_okay=False, help=_("Network file (YAML).")),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="NAME|FILE",
            help=_("fifo, easy (the default), conservative, sjf, priority, or a YAML file of a policy's fields."),
        ),
    ] = None,
    order: Annotated[OrderName | None, typer.Option("--order", help=_("Order of the queue."))] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", min=0, help=_("How many waiting jobs of each pool hold a reservation; 0: strict FIFO.")
        ),
    ] = None,
    placement: Annotated[PlacementName | None, typer.Option("--placement", help=_("How nodes are chosen."))] = None,
    compare: Annotated[
        Literal["isolated"] | None,
        typer.Option("--compare", help=_("isolated: also every centre alone with its own jobs, side by side.")),
    ] = None,
    chips: Annotated[
        int | None, typer.Option("--chips", min=1, help=_("Without a network file: chips of each centre."))
    ] = None,
    load: Annotated[
        float | None,
        typer.Option(
            "--load",
            min=0.01,
            max=10,
            help=_("Size of each centre: mean demand as a share of it; 0.8 where the log does not tell its size."),
        ),
    ] = None,
    chips_per_node: Annotated[
        int | None,
        typer.Option(
            "--chips-per-node",
            min=0,
            max=1_024,
            help=_("Lay processors out on nodes of this size; 0: only count them."),
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help=_("Jobs from this date, or this time after the start.")),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help=_("Jobs before this date, or time after the start."))
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help=_("The first so many jobs."))] = None,
    format: Annotated[
        FormatName | None, typer.Option("--format", help=_("Format of the logs; else found by their content."))
    ] = None,
    usable: Annotated[
        str | None,
        typer.Option("--usable", metavar="RULE", help=_("Which rows count: a rule of the format, see the reference.")),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help=_("Pass over rows that cannot be read, and count them."))
    ] = False,
    align: Annotated[
        Literal["start", "clock"],
        typer.Option("--align", help=_("Several logs: begin them together, or each at its own date.")),
    ] = "start",
    exact: Annotated[
        bool, typer.Option("--exact", help=_("Jobs ask for the time that they will take, not what the log says."))
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", dir_okay=False, help=_("Write all jobs with their starts (Parquet).")),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE.html", dir_okay=False, help=_("Write one HTML page with plots and tables.")
        ),
    ] = None,
    lang: Annotated[
        Literal["en", "zh"] | None, typer.Option("--lang", help=_("Language of tables and page; else that of LANG."))
    ] = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    with errors_told(screen), speaking(lang or language()):
        with packages_of_replay():
            from suanwang.replay.policyfile import choose_policy
            from suanwang.replay.study import read_study
        _check_size(network, chips, load)
        _check_outputs((*traces, *([network] if network else ()), *([Path(policy)] if policy else ())), out, report)
        name, chosen = choose_policy(policy, order=order, depth=depth, placement=placement)
        study = read_study(
            traces,
            format=format,
            align=align,
            network=network,
            chips=chips,
            load=load,
            since=since,
            until=until,
            limit=limit,
            exact=exact,
            usable=usable,
            chips_per_node=chips_per_node,
            skip_bad=skip_bad or None,
        )
        tell_strangers(screen, study, chosen)
        choices = {
            "since": since,
            "until": until,
            "limit": limit,
            "exact": exact,
            "usable": usable,
            "format": format,
            "chips_per_node": chips_per_node,
            "skip_bad": skip_bad,
            "compare": compare,
            "chips": chips,
            "align": align if len(traces) > 1 else None,
            "load": load,
        }
        told = Told(out=out, report=report, files=(*traces, *([network] if network else ())), choices=choices)
        _run(screen, study, name, chosen, compare == "isolated", told)


def _check_size(network: Path | None, chips: int | None, load: float | None) -> None:
    """A size that is said and would not count is a mistake of somebody. Raises InvalidInput."""
    for name, value in (("--chips", chips), ("--load", load)):
        if value is not None and network is not None:
            raise InvalidInput(name, value, "nothing: the network file says how large centres are")
    if chips is not None and load is not None:
        raise InvalidInput("--load", load, "nothing: --chips says how large centres are")


def _check_outputs(inputs: tuple[Path, ...], out: Path | None, report: Path | None) -> None:
    """What is written must not be what is read. Raises InvalidInput."""
    for name, written in (("--out", out), ("--report", report)):
        for read in inputs:
            if written is not None and read.exists() and written.exists() and written.samefile(read):
                raise InvalidInput(name, str(written), f"a file of its own: {read} is read")
    if out is not None and report is not None and out.resolve() == report.resolve():
        raise InvalidInput("--report", str(report), "another file than --out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Files to write, and what a page says of where its numbers come from."""

    out: Path | None
    report: Path | None
    files: tuple[Path, ...]
    choices: Mapping[str, object]


def _run(screen: Screen, study: "Study", name: str, policy: Any, isolated: bool, told: Told) -> None:
    import polars as pl

    from suanwang.cli.replaytables import Answer, answer_of, render
    from suanwang.replay.compare import gains, run_isolated, run_on
    from suanwang.replay.measures import attempts, outcome
    from suanwang.replay.traces.parquet import write_parquet

    network, frame = study.network, study.frame
    with bar(screen, _("replay"), len(frame)) as ended:
        run = run_on(network, frame, policy, study.epoch_s, ended)
    tried = attempts(run, network)
    jobs = outcome(run, tried)
    compared: pl.DataFrame | None = None
    alone: pl.DataFrame | None = None
    if isolated:
        with bar(screen, _("every centre alone"), len(frame)) as ended:
            alone = pl.concat([one.jobs for one in run_isolated(network, frame, policy, study.epoch_s, ended)])
        compared = gains(alone, jobs)
    if told.out is not None:
        write_parquet(jobs, told.out, epoch_s=study.epoch_s)
    if told.report is not None:
        from suanwang.replay.report.page import page, write_page
        from suanwang.replay.report.ran import sha256_of

        sums = {path.name: sha256_of(path) for path in told.files}
        write_page(page(study, run, name, jobs, tried, alone, sums=sums, choices=told.choices), told.report)
    answer: Answer = answer_of(study, run, name, jobs, tried, alone, compared)
    screen.show(answer, lambda: render(answer))
    if told.out is not None:
        screen.note(_("{count} jobs with their starts are in {path}").format(count=len(jobs), path=told.out))
    if told.report is not None:
        screen.note(_("the page is {path}; open it in a browser").format(path=told.report))


def tell_strangers(screen: Screen, study: "Study", policy: Any) -> None:
    """Raises InvalidInput: the policy is of chips that the network does not have."""
    from suanwang.replay.study import check_policy

    strangers = check_policy(study, policy)
    if strangers:
        said = _("no job here is of {tenants}, which the policy names; tenants here are {known}")
        known = sorted(study.frame["tenant"].unique().to_list())
        shown = ", ".join(known[:MOST_NAMED]) + (", ..." if len(known) > MOST_NAMED else "")
        screen.note(said.format(tenants=", ".join(strangers[:MOST_NAMED]), known=shown))


@contextmanager
def packages_of_replay() -> Iterator[None]:
    """The command line is whole without the packages of replay."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("suanwang"):
            raise  # a bug of ours, not a package that is missing
        raise Failed(
            _("the packages of replay are not installed here ({name}); install suanwang[replay]").format(
                name=error.name
            ),
            code="REPLAY_NOT_INSTALLED",
        ) from error


@contextmanager
def bar(screen: Screen, what: str, jobs: int) -> Iterator[Callable[[int], None]]:
    """A bar of what has ended, where somebody watches; it leaves no trace."""
    if not screen.live:
        yield lambda _ended: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=jobs)
        yield lambda ended: progress.update(task, completed=ended)
