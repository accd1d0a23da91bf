"""`suanwang sweep`: many replays of the same logs, on all cores or on a Ray cluster, that can be taken up again.

A command of its own beside `replay`: it answers with means over seeds where that answers with one schedule, and it
leaves a folder behind, which belongs to it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.replay import FormatName, bar, packages_of_replay, tell_strangers
from suanwang.cli.screen import Screen
from suanwang.cli.session import INTERRUPTED, REFUSED, JsonOption, errors_told
from suanwang.errors import Failed, InvalidInput
from suanwang.i18n import _
from suanwang.units import duration_s

if TYPE_CHECKING:
    from suanwang.replay.sweep.plan import Grid, Run
    from suanwang.replay.sweep.play import Ground, Line

EngineName = Literal["processes", "ray"]
HELP = with_examples(
    _(
        "Replay the same logs many times: every policy with every choice of parameters, on the log itself or on logs "
        "that seeds draw from its blocks. Started again with the same folder, it runs what is missing."
    ),
    "suanwang sweep jobs.parquet --policy easy --policy sjf --seeds 0..9 --out results",
    "suanwang sweep jobs.parquet --set load=0.8,0.9,1.0 --set reservation_depth=1,8 --seeds 0..9 --out results",
    "suanwang sweep jobs.parquet --network network.yaml --plan plan.yaml --out results --json",
    "suanwang sweep jobs.parquet --plan plan.yaml --out results --engine ray --address 10.0.0.5:6379",
    after=_("Parameters: load, chips, pace, exact, order, backfill, reservation_depth, reserve_ahead, placement."),
)


def sweep(
    traces: Annotated[
        list[Path],
        typer.Argument(metavar="TRACE...", exists=True, dir_okay=False, help=_("Logs, plain or packed by gzip.")),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", file_okay=False, help=_("Folder of the results.")),
    ],
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", metavar="FILE", exists=True, dir_okay=False, help=_("YAML file with policies, seeds and set.")
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME|FILE", help=_("A policy, as replay has it; may be given again.")),
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE,...", help=_("Values of a parameter; may be given again.")),
    ] = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option("--seeds", metavar="FROM..TO", help=_("Seeds, like 0..9 or 1,2,5; none: the log as recorded.")),
    ] = None,
    block: Annotated[
        str, typer.Option("--block", metavar="TIME", help=_("What seeds draw: stretches of the log of this length."))
    ] = "1d",
    network: Annotated[
        Path | None,
        typer.Option("--network", metavar="FILE", exists=True, dir_okay=False, help=_("Network file (YAML).")),
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
    chips_per_node: Annotated[
        int | None,
        typer.Option(
            "--chips-per-node",
            min=0,
            max=1_024,
            help=_("Lay processors out on nodes of this size; 0: only count them."),
        ),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help=_("processes: the cores of this machine; ray: a Ray cluster."))
    ] = "processes",
    address: Annotated[
        str, typer.Option("--address", metavar="ADDR", help=_("Of the Ray cluster; auto: the one of this machine."))
    ] = "auto",
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="N", min=1, help=_("How many processes; else one for each core."))
    ] = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    with errors_told(screen):
        with packages_of_replay():
            from suanwang.replay.study import read_study
            from suanwang.replay.sweep.plan import read_grid
            from suanwang.replay.sweep.play import Ground
            from suanwang.replay.sweep.resample import blocks_of
        grid = read_grid(plan, policies=policy or (), seeds=seeds or (), values=set or ())
        runs = grid.runs()
        fixed = sorted({name for name, _values in grid.values} & {"load", "chips"}) if network else []
        if fixed:
            raise InvalidInput("set", ", ".join(fixed), "pace, where a network file says how large centres are")
        study = read_study(
            traces,
            format=format,
            network=network,
            since=since,
            until=until,
            limit=limit,
            usable=usable,
            chips_per_node=chips_per_node,
        )
        for _name, one in grid.policies:
            tell_strangers(screen, study, one)
        ground = Ground(study=study, block_s=duration_s(block, "block"))
        if any(run.seed is not None for run in runs):
            blocks_of(study.frame, ground.block_s)  # before workers start
        _sweep(screen, ground, grid, runs, out, Engine(engine, address, jobs or len(os.sched_getaffinity(0))))


@dataclass(frozen=True, slots=True)
class Engine:
    name: EngineName
    address: str
    processes: int

    def lines(self, ground: "Ground", runs: "Sequence[Run]") -> "Iterator[Line]":
        if self.name == "processes":
            from suanwang.replay.sweep.processes import on_processes

            return on_processes(ground, runs, self.processes)
        try:
            import ray  # noqa: F401
        except ModuleNotFoundError:
            raise Failed(
                _("Ray is not installed here; install suanwang[replay,ray]"), code="REPLAY_NOT_INSTALLED"
            ) from None
        from suanwang.replay.sweep.cluster import on_ray

        return on_ray(ground, runs, self.address)


def _sweep(screen: Screen, ground: "Ground", grid: "Grid", runs: "Sequence[Run]", out: Path, engine: Engine) -> None:
    from suanwang.cli.sweeptables import Answer, render
    from suanwang.replay.sweep.digest import described
    from suanwang.replay.sweep.estimate import summaries
    from suanwang.replay.sweep.folder import opened

    failures: list[Line] = []
    with opened(out, described(ground, grid)) as folder:
        missing = [run for run in runs if run.number not in folder.done]
        if len(missing) < len(runs):
            screen.note(_("{count} of {total} runs are there already").format(
                count=len(runs) - len(missing), total=len(runs)
            ))  # fmt: skip
        try:
            with bar(screen, _("sweep"), len(runs)) as told, closing(engine.lines(ground, missing)) as lines:  # type: ignore[type-var]
                for line in lines:
                    if "error" in line:
                        failures.append(line)
                    else:
                        folder.append(line)
                    told(len(folder.done) + len(failures))
        except KeyboardInterrupt:
            left = _("interrupted: {count} of {total} runs are in {folder}; the same command goes on from there")
            screen.note(left.format(count=folder.count(), total=len(runs), folder=out))
            raise typer.Exit(INTERRUPTED) from None
        done = [folder.done[number] for number in sorted(folder.done)]
    failures.sort(key=lambda line: int(line["run"]))
    answer = Answer(runs=len(runs), summaries=summaries(done), lines=done, failed=failures)
    screen.show(answer, lambda: render(answer))
    screen.note(_("{count} runs are in {path}").format(count=len(done), path=out))
    if failures:
        raise typer.Exit(REFUSED)
