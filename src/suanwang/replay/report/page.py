"""The page: one HTML file with its plots, its words and the program that draws them, which asks nobody for anything.

Names come from logs of strangers. They reach the page as text that Jinja escapes, and as JSON in which nothing can end
a script. The page's policy lets the scripts run whose sums it names, and nothing be fetched.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from suanwang.errors import Failed
from suanwang.i18n import CHINESE, _, language
from suanwang.replay.measures import jain, refused_by_reason, summary, unfinished_by_reason
from suanwang.replay.refusal import say_refusal, say_unfinished
from suanwang.replay.report.figure import Figure, Table, count, decimal, percent, time
from suanwang.replay.report.gains import centre_gains, tenant_gains
from suanwang.replay.report.gantt import gantt
from suanwang.replay.report.ran import facts
from suanwang.replay.report.use import use
from suanwang.replay.report.waits import waits
from suanwang.replay.report.worth import cost, energy, fairness
from suanwang.replay.run import Run
from suanwang.replay.study import Study
from suanwang.words import money

ECHARTS = "assets/echarts/echarts.min.js"


def page(
    study: Study,
    run: Run,
    policy_name: str,
    jobs: pl.DataFrame,
    tried: pl.DataFrame,
    alone: pl.DataFrame | None,
    *,
    sums: Mapping[str, str],
    choices: Mapping[str, object],
) -> str:
    """The page in the language spoken. The same arguments make the same page. `tried`: the `attempts` of the
    jobs. `alone`: jobs of every centre alone."""
    return rendered(
        run.name,
        figures=figures_of(run, jobs, tried, alone),
        facts=facts(study, run, policy_name, sums, choices),
        totals=totals(run, jobs, alone),
        notes=notes(jobs),
    )


def figures_of(run: Run, jobs: pl.DataFrame, tried: pl.DataFrame, alone: pl.DataFrame | None) -> list[Figure]:
    """In their order on the page."""
    first_s, last_s, end_s = jobs.select(
        pl.col("submitted_s").min(), pl.col("submitted_s").max().alias("last"), pl.col("end_s").max()
    ).row(0)
    joined = [] if alone is None else [centre_gains(jobs, alone), tenant_gains(jobs, alone)]
    return [
        waits(jobs, alone),
        use(tried, run, first_s, end_s or last_s),
        gantt(jobs, tried, run),
        *joined,
        fairness(jobs, jain(jobs)),
        cost(tried, run),
        energy(tried, run),
    ]


def totals(run: Run, jobs: pl.DataFrame, alone: pl.DataFrame | None) -> Table:
    """All jobs together; first with every centre alone, if that was run."""
    sides = [(_("one network") if alone is not None else _("all jobs"), jobs)]
    if alone is not None:
        sides.insert(0, (_("every centre alone"), alone))
    columns = (
        "", _("jobs"), _("refused"), _("never end"), _("mean wait"), _("median wait"), _("p95 wait"),
        _("mean slowdown"), _("utilisation"), _("makespan"), _("fairness"), _("cost"), _("kWh"),
    )  # fmt: skip
    rows = []
    for name, side in sides:
        line = summary(side, run)
        rows.append(
            (
                name,
                count(line["jobs"]),
                count(line["refused"]),
                count(line["unfinished"]),
                *(time(line[f"{what}_wait_s"]) for what in ("mean", "median", "p95")),
                decimal(line["mean_bounded_slowdown"], 2),
                percent(line["utilisation"]),
                time(line["makespan_s"]),
                decimal(line["fairness"], 3),
                money(line["cost_fen"]),
                decimal(line["energy_kwh"], 1),
            )
        )
    return Table(columns, rows)


def notes(jobs: pl.DataFrame) -> list[str]:
    """Which jobs have no end, and why."""
    never, stuck = _("{count} jobs never run here: {reason}"), _("{count} jobs never end here: {reason}")
    refused, unfinished = refused_by_reason(jobs).items(), unfinished_by_reason(jobs).items()
    return [
        *(never.format(count=count(number), reason=say_refusal(code)) for code, number in refused),
        *(stuck.format(count=count(number), reason=say_unfinished(code)) for code, number in unfinished),
    ]


def rendered(
    name: str, *, figures: Sequence[Figure], facts: Sequence[tuple[str, str]], totals: Table, notes: Sequence[str]
) -> str:
    """Everything inline: the program of the plots, ours, the style, and the figures as JSON."""
    scripts = [_inline(ECHARTS), _inline("replay/report/static/report.js")]
    style = _inline("replay/report/static/report.css")
    drawn = {
        "language": "ZH" if language() == CHINESE else "EN",
        "words": {"wait": _("wait"), "ran": _("run time"), "chips": _("chips"), "tenant": _("tenant")},
        "figures": {one.id: one.option for one in figures if one.option is not None},
    }
    environment = Environment(
        loader=PackageLoader("suanwang.replay.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = _
    return environment.get_template("report.html").render(
        language="zh-CN" if language() == CHINESE else "en",
        policy=_content_policy(scripts, style),
        name=name,
        figures=figures,
        drawn=drawn,
        facts=facts,
        totals=totals,
        notes=notes,
        scripts=[Markup(text) for text in scripts],  # noqa: S704 - files of ours, not of a log
        style=Markup(style),  # noqa: S704
    )


def _inline(name: str) -> str:
    return files("suanwang").joinpath(name).read_text("utf-8")


def _content_policy(scripts: Sequence[str], style: str) -> str:
    """What the browser lets the page do: run these scripts, use this style; no fetching, framing or sending at all."""
    allowed = " ".join(_sum(text) for text in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_sum(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _sum(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def write_page(text: str, path: Path) -> None:
    """Under another name first: whoever looks sees all of it or nothing."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    except OSError as broken:
        raise Failed(_("{path} cannot be written: {reason}").format(path=path, reason=broken.strerror)) from None
    finally:
        part.unlink(missing_ok=True)
