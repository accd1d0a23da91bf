"""`suanwang submit`: one job or thousands, all of them or none."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.joblines import job_table
from suanwang.cli.options import (
    Env,
    MaxCost,
    ObjectiveOption,
    ProjectOption,
    UseOption,
    VoucherOption,
    Walltime,
    read_pairs,
    with_examples,
)
from suanwang.cli.quote import notice_lines
from suanwang.cli.screen import Screen, console, pairs, plain, print_whole, table
from suanwang.cli.session import REFUSED, Session, hub_command
from suanwang.i18n import _, ngettext
from suanwang.words import duration, money

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.cli.request import Wanted
    from suanwang.taskfile import TaskOverrides
    from suanwang.wire import JobLine, Submitted

SHOWN = 20
"""Jobs that are named one by one."""
HELP = with_examples(
    _("Submit jobs: all of them or none. Their value is held until they are over."),
    "suanwang submit task.yaml",
    "suanwang submit task.yaml --wait",
    "suanwang submit a.yaml b.yaml --count 10 --max-cost 500",
    "suanwang submit --many jobs.jsonl --key nightly-2025-03-31",
    after=_("A relative workdir is meant from the current folder; .git, .venv and __pycache__ are not uploaded."),
)


def add_submit(app: typer.Typer) -> None:
    @hub_command(app, "submit", help=HELP)
    async def submit(
        session: Session,
        files: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="[FILE]...", exists=True, dir_okay=False, help=_("Task files (SkyPilot)."), show_default=False
            ),
        ] = None,
        walltime: Walltime = None,
        env: Env = None,
        objective: ObjectiveOption = None,
        voucher: VoucherOption = None,
        project: ProjectOption = None,
        max_cost: MaxCost = None,
        use: UseOption = None,
        count: Annotated[int, typer.Option("--count", min=1, max=10_000, help=_("So many equal jobs per file."))] = 1,
        many: Annotated[
            Path | None,
            typer.Option(
                "--many", metavar="FILE", exists=True, dir_okay=False, help=_("JSON lines, one JobRequest each.")
            ),
        ] = None,
        key: Annotated[str | None, typer.Option("--key", help=_("The same key again submits nothing twice."))] = None,
        wait: Annotated[bool, typer.Option("--wait", help=_("Watch the jobs until they are over."))] = False,
        check: Annotated[bool, typer.Option("--check", help=_("Only read the files; submit nothing."))] = False,
    ) -> None:
        from suanwang.cli.request import overrides_of, read_many, request_of

        if not files and not many:
            raise typer.BadParameter(_("name a task file, or a file of many jobs with --many"))
        said = overrides_of(
            walltime_s=walltime,
            env=read_pairs(env),
            objective=objective,
            voucher=voucher,
            project=project,
            max_cost_fen=max_cost,
            use=use,
        )
        if check:
            check_files(session.screen, files or [], said)
            return
        wanted = [request_of(path, said, count=count) for path in files or ()]
        wanted += read_many(many) if many else []
        await _submit(session, wanted, key, wait=wait)


async def _submit(session: Session, wanted: "list[Wanted]", key: str | None, *, wait: bool) -> None:
    from suanwang.wire import Submission

    ready = await upload_workdirs(session, wanted)
    submitted = await session.hub.submit(Submission(jobs=tuple(one.request for one in ready)), key=key)
    if not wait:
        session.screen.show(submitted, lambda: submitted_table(submitted))
        return
    if not session.screen.as_json:
        print_whole(console(), submitted_table(submitted, how_to_watch=False))
    lines = await watch_to_the_end(session, [job.job_id for job in submitted.jobs])
    session.screen.show({"submitted": submitted, "jobs": lines}, lambda: job_table(lines[:SHOWN]))
    failed = [line for line in lines if line.state != "succeeded"]
    if failed:
        sentence = ngettext("{count} job did not succeed", "{count} jobs did not succeed", len(failed))
        session.screen.note(sentence.format(count=len(failed)))
        raise typer.Exit(REFUSED)


async def upload_workdirs(session: Session, wanted: "list[Wanted]") -> "list[Wanted]":
    """Every local folder goes up once; who asks for it gets its digest."""
    from suanwang.cli.request import pack_folder, with_workdir

    folders = sorted({one.workdir for one in wanted if one.workdir is not None})
    digests: dict[Path, str] = {}
    with _progress(session.screen, len(folders)) as done:
        for folder in folders:
            archive = await asyncio.to_thread(pack_folder, folder)
            digests[folder] = await session.hub.put_blob(archive)
            sentence = _("workdir {folder} uploaded ({size} KiB)")
            done(sentence.format(folder=folder.resolve(), size=-(-len(archive) // 1024)))
    return [one if one.workdir is None else with_workdir(one, digests[one.workdir]) for one in wanted]


@contextmanager
def _progress(screen: Screen, total: int) -> Iterator[Callable[[str], None]]:
    """A bar for people who watch, if there is more than a moment to wait. Gives a function that notes each step."""
    if not screen.live or total < 2:
        yield screen.note
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(_("uploading"), total=total)

        def done(sentence: str) -> None:  # above the bar, through its own console
            bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True, style="dim")
            bar.advance(task)

        yield done


def submitted_table(answer: "Submitted", *, how_to_watch: bool = True) -> "RenderableType":
    from rich.console import Group

    amounts = (_("held at most"), _("by voucher"), _("in cash"))
    made = table(_("submitted"), (_("job"), _("name"), *amounts), right=amounts, wrap=(_("name"),))
    for job in answer.jobs[:SHOWN]:
        held = (money(job.estimate_fen), money(job.voucher_hold_fen), money(job.cash_hold_fen))
        made.add_row(job.job_id[:8], plain(job.name), *held)
    below = notice_lines(answer.notices)
    if len(answer.jobs) > SHOWN:
        cash_fen = sum(job.cash_hold_fen for job in answer.jobs)
        sentence = _("… {count} jobs in all, {amount} yuan held in cash")
        below.insert(0, sentence.format(count=len(answer.jobs), amount=money(cash_fen)))
    if how_to_watch:
        sentence = _("Watch: `suanwang job list --watch`; one job: `suanwang job show {job}`")
        below.append(sentence.format(job=answer.jobs[0].job_id[:8]))
    return Group(made, *below)


def check_files(screen: Screen, files: list[Path], said: "TaskOverrides") -> None:
    """What the task files say, read here, without a hub. Raises TaskRefused."""
    from rich.console import Group

    from suanwang.cli.request import read_file, summary

    readings = [(path, read_file(path, said)) for path in files]
    answer = [{"file": str(path), "spec": reading.spec, "notices": reading.notices} for path, reading in readings]

    def shown() -> "RenderableType":
        parts: list[Any] = []
        for path, reading in readings:
            spec = reading.spec
            parts.append(
                pairs(
                    [
                        (_("file"), path),
                        (_("job"), spec.name),
                        (_("asks for"), summary(spec)),
                        (_("time limit"), duration(spec.walltime_s)),
                    ]
                )
            )
            parts += notice_lines(list(reading.notices))
        return Group(*parts, _("The files can be submitted."))

    screen.show(answer, shown)


async def watch_to_the_end(session: Session, job_ids: list[str]) -> "list[JobLine]":
    """Show the jobs until all are over; Ctrl-C detaches, and the jobs go on."""
    from suanwang.cli.watch import follow

    try:
        return await follow(session, job_ids)
    except asyncio.CancelledError:
        sentence = _("detached; the jobs go on. `suanwang job show {job}` shows them, `suanwang job cancel` ends one.")
        session.screen.note(sentence.format(job=job_ids[0][:8]))
        raise
