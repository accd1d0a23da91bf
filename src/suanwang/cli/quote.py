"""`suanwang quote`: what every centre would take for a job."""

from typing import TYPE_CHECKING

import typer

from suanwang.cli.options import (
    Env,
    MaxCost,
    ObjectiveOption,
    ProjectOption,
    TaskFile,
    UseOption,
    VoucherOption,
    Walltime,
    read_pairs,
    with_examples,
)
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _, named
from suanwang.words import duration, moment, money, say, say_notice, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import Notice, Quote, QuoteLine

BEST = "★"
HELP = with_examples(
    _("Ask every centre for a price. Nothing is held or promised."),
    "suanwang quote task.yaml",
    "suanwang quote task.yaml --walltime 2h --objective cheapest --env STEPS=100",
)


NEVER = 2**62
"""Where a start cannot be foreseen."""


def add_quote(app: typer.Typer) -> None:
    @hub_command(app, "quote", help=HELP)
    async def quote(
        session: Session,
        file: TaskFile,
        walltime: Walltime = None,
        env: Env = None,
        objective: ObjectiveOption = None,
        voucher: VoucherOption = None,
        project: ProjectOption = None,
        max_cost: MaxCost = None,
        use: UseOption = None,
    ) -> None:
        from suanwang.cli.request import overrides_of, request_of

        said = overrides_of(
            walltime_s=walltime,
            env=read_pairs(env),
            objective=objective,
            voucher=voucher,
            project=project,
            max_cost_fen=max_cost,
            use=use,
        )
        answer = await session.hub.quote(request_of(file, said).request)
        session.screen.show(answer, lambda: quote_table(answer, objective))


def best_line(lines: "list[QuoteLine]", objective: str | None) -> "QuoteLine | None":
    """Of the centres that accept: the soonest start if that was asked for, else the least that the tenant bears."""
    accepted = [line for line in lines if line.accepted]
    if objective == "soonest":
        return min(accepted, key=lambda line: (line.start_s or NEVER, line.own_fen or 0), default=None)
    return min(accepted, key=lambda line: (line.own_fen or 0, line.start_s or NEVER), default=None)


def quote_table(answer: "Quote", objective: str | None = None) -> "RenderableType":
    from rich.console import Group

    title = _("quote for {job}, time limit {walltime}").format(
        job=plain(answer.job_name), walltime=duration(answer.walltime_s)
    )
    money_columns = (_("price"), _("voucher"), _("own share"))
    columns = ("", _("centre"), _("chip"), _("expected start"), _("latest finish"), *money_columns)
    made = table(title, columns, right=money_columns, wrap=(_("centre"),))
    best = best_line(answer.lines, objective)
    for line in answer.lines:
        made.add_row(*_row(line, line is best, answer.quoted_s), style="" if line.accepted else "dim")
    return Group(made, *(line for line in _below(answer, best, objective)))


def _row(line: "QuoteLine", best: bool, now_s: int) -> list[str]:
    return [
        BEST if best else "",
        plain(named(line.centre_name, line.centre_name_zh)),
        line.chip_id,
        moment(line.start_s, now_s) if line.accepted else _("refused"),
        moment(line.finish_s, now_s),
        money(line.price_fen),
        money(line.voucher_fen),
        money(line.own_fen),
    ]


def _below(answer: "Quote", best: "QuoteLine | None", objective: str | None) -> list[str]:
    refused = [line for line in answer.lines if not line.accepted or line.start_s is None]
    found = [plain(f"{named(line.centre_name, line.centre_name_zh)}: {say(line.reason)}") for line in refused]
    if best is None:
        found.append(_("No centre accepts this job as it is."))
    elif objective == "soonest":
        found.append(_("{mark} the soonest start").format(mark=BEST))
    else:
        found.append(_("{mark} the least to bear yourself").format(mark=BEST))
    found.append(_("Amounts in yuan, for the whole time limit; only what is really used is charged."))
    found += [
        plain(
            _("{centre}: at {price} yuan per chip-hour, if it starts before {until}").format(
                centre=named(line.centre_name, line.centre_name_zh),
                price=money(line.fen_per_chip_hour),
                until=moment(line.price_until_s, answer.quoted_s),
            )
        )
        for line in answer.lines
        if line.accepted and line.price_until_s is not None
    ]
    if answer.voucher_id is not None:
        sentence = _("voucher {voucher}: {flow}")
        found.append(sentence.format(voucher=answer.voucher_id[:8], flow=word(answer.voucher_flow)))
    return [*found, *notice_lines(answer.notices)]


def notice_lines(notices: "list[Notice]") -> list[str]:
    return [
        plain(_("notice: {text}").format(text=say_notice(one.code, one.field, one.message, one.facts)))
        for one in notices
    ]
