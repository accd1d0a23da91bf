"""What `suanwang replay` answers: one document for programs, tables for people."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from suanwang.cli.screen import pairs, plain, table
from suanwang.i18n import _
from suanwang.units import SECONDS_PER_HOUR
from suanwang.words import NOTHING, duration, money

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from suanwang.replay.run import Run
    from suanwang.replay.study import Study

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A replay in numbers; times in seconds, money in fen, energy in kWh."""

    network: str
    policy: Row
    traces: list[Row]
    summary: Row
    refused: dict[str, int]
    unfinished: dict[str, int]
    pools: list[Row]
    homes: list[Row]
    isolated: Row | None
    compared: list[Row] | None


def answer_of(
    study: "Study",
    run: "Run",
    policy_name: str,
    jobs: "pl.DataFrame",
    tried: "pl.DataFrame",
    alone: "pl.DataFrame | None",
    compared: "pl.DataFrame | None",
) -> Answer:
    from suanwang.replay.measures import by_home, by_pool, refused_by_reason, summary, unfinished_by_reason

    traces = [
        {
            "name": one.name,
            "format": one.format,
            "rows": one.rows,
            "left_out": dict(one.left_out),
            "bad_rows": one.bad_rows,
            "ignored_columns": list(one.ignored),
            "jobs": len(one.frame),
            "header": list(one.header),
        }
        for one in study.traces
    ]
    fields = {name: value for name, value in asdict(run.policy).items() if name not in ("outlook", "quote_ahead")}
    return Answer(
        network=run.name,
        policy={"name": policy_name, **fields},
        traces=traces,
        summary=summary(jobs, run),
        refused=refused_by_reason(jobs),
        unfinished=unfinished_by_reason(jobs),
        pools=by_pool(tried, run).to_dicts(),
        homes=by_home(jobs).to_dicts(),
        isolated=None if alone is None else _isolated(alone, run),
        compared=None if compared is None else compared.to_dicts(),
    )


def _isolated(alone: "pl.DataFrame", run: "Run") -> Row:
    from suanwang.replay.measures import refused_by_reason, summary, unfinished_by_reason

    reasons = {"refused_by_reason": refused_by_reason(alone), "unfinished_by_reason": unfinished_by_reason(alone)}
    return {**summary(alone, run), **reasons}


def render(answer: Answer) -> "RenderableType":
    from rich.console import Group

    parts: list[RenderableType] = [_head(answer), _totals(answer), _pools(answer)]
    if answer.compared is not None:
        parts.append(_compared(answer.compared))
    elif len(answer.homes) > 1:
        parts.append(_homes(answer))
    return Group(*parts, *_below(answer))


def _head(answer: Answer) -> "RenderableType":
    policy = answer.policy
    depth = policy["reservation_depth"]
    terms = _("{name}: order {order}, reservations {depth}, {placement}")
    shown = terms.format(name=policy["name"], order=policy["order"], depth=depth, placement=policy["placement"])
    return pairs([(_("network"), answer.network), (_("policy"), shown)])


def _totals(answer: Answer) -> "RenderableType":
    lines = [(_("one network") if answer.isolated else _("all jobs"), answer.summary)]
    if answer.isolated:
        lines.insert(0, (_("every centre alone"), answer.isolated))
    made_room = any(line["preemptions"] for _name, line in lines)
    stuck = any(line["unfinished"] for _name, line in lines)
    names = (
        "",
        _("jobs"),
        _("refused"),
        *([_("never end")] if stuck else []),
        *_wait_names(),
        _("utilisation"),
        _("makespan"),
        _("fairness"),
        _("cost"),
    )
    names += (_("preemptions"), _("lost chip hours")) if made_room else ()
    made = table("", names, right=names[1:])
    for name, line in lines:
        made.add_row(
            name,
            _count(line["jobs"]),
            _count(line["refused"]),
            *([_count(line["unfinished"])] if stuck else []),
            *_waits(line, ""),
            _percent(line["utilisation"]),
            _time(line["makespan_s"]),
            _decimal(line["fairness"], 3),
            money(line["cost_fen"]),
            *(_losses(line) if made_room else ()),
        )
    return made


def _losses(line: Row) -> tuple[str, str]:
    """How often an attempt made room for another job, and the work that its last checkpoint did not save."""
    return _count(line["preemptions"]), _decimal(line["lost_chip_s"] / SECONDS_PER_HOUR, 1)


def _pools(answer: Answer) -> "RenderableType":
    numbers = (_("chips"), _("jobs run"), _("utilisation"), _("cost"), _("kWh"), _("kg CO2"))
    made = table(_("where they ran"), (_("centre"), _("pool"), _("chip"), *numbers), right=numbers)
    for line in answer.pools:
        made.add_row(
            plain(line["centre"]),
            plain(line["pool"]),
            plain(line["chip"]),
            _count(line["chips"]),
            _count(line["jobs"]),
            _percent(line["utilisation"]),
            money(line["cost_fen"]),
            _decimal(line["energy_kwh"], 1),
            _decimal(line["carbon_kg"], 1),
        )
    return made


def _homes(answer: Answer) -> "RenderableType":
    numbers = (_("jobs"), _("refused"), _("ran elsewhere"), *_wait_names())
    made = table(_("where they came from"), (_("centre"), *numbers), right=numbers)
    for line in answer.homes:
        counts = (_count(line["jobs"]), _count(line["refused"]), _count(line["ran_elsewhere"]))
        made.add_row(plain(line["home"]), *counts, *_waits(line, ""))
    return made


def _compared(lines: list[Row]) -> "RenderableType":
    kinds = (
        _("mean wait alone"), _("mean wait in network"), _("mean turnaround alone"), _("mean turnaround in network"),
    )  # fmt: skip
    numbers = (_("jobs"), _("refused alone"), _("ran elsewhere"), *kinds, _("slowdown alone"), _("slowdown in network"))
    made = table(_("who gains, who loses"), (_("centre"), *numbers, _("change"), ""), right=(*numbers, _("change")))
    for line in lines:
        change = line["gain"]
        made.add_row(
            plain(line["home"]),
            _count(line["jobs"]),
            _count(line["alone_refused"]),
            _count(line["network_ran_elsewhere"]),
            *(_time(line[f"{side}_mean_{what}_s"]) for what in ("wait", "turnaround") for side in ("alone", "network")),
            *(_decimal(line[f"{side}_mean_bounded_slowdown"], 2) for side in ("alone", "network")),
            NOTHING if change is None else f"{-100 * change:+.1f} %",
            {"gains": _("gains"), "loses": _("loses"), "same": _("same")}[line["verdict"]],
        )
    return made


def _below(answer: Answer) -> list[str]:
    """Who did not run, and what of the logs was not read."""
    from suanwang.replay.refusal import say_refusal, say_unfinished
    from suanwang.replay.traces.trace import DONOR

    found = [
        plain(_("{count} jobs never run here: {reason}").format(count=_count(count), reason=say_refusal(code)))
        for code, count in answer.refused.items()
    ]
    found += [
        plain(_("{count} jobs never end here: {reason}").format(count=_count(count), reason=say_unfinished(code)))
        for code, count in answer.unfinished.items()
    ]
    for trace in answer.traces:
        found += [plain(f"{trace['name']}: {line}") for line in trace["header"] if line.startswith(DONOR)]
        for rule, count in trace["left_out"].items():
            if count:
                sentence = _("{trace}: {count} of {rows} rows do not count by its rule {rule}")
                rows = _count(trace["rows"])
                found.append(plain(sentence.format(trace=trace["name"], count=_count(count), rows=rows, rule=rule)))
        if trace["ignored_columns"]:
            sentence = _("{trace}: columns that mean nothing here: {columns}")
            found.append(plain(sentence.format(trace=trace["name"], columns=", ".join(trace["ignored_columns"]))))
        if trace["bad_rows"]:
            sentence = _("{trace}: {count} bad rows were passed over")
            found.append(plain(sentence.format(trace=trace["name"], count=_count(trace["bad_rows"]))))
    return found


def _wait_names() -> tuple[str, ...]:
    return (_("mean wait"), _("median wait"), _("p95 wait"), _("mean slowdown"))


def _waits(line: Row, side: str) -> tuple[str, ...]:
    times = (_time(line[f"{side}{name}_wait_s"]) for name in ("mean", "median", "p95"))
    return (*times, _decimal(line[f"{side}mean_bounded_slowdown"], 2))


def _count(number: int) -> str:
    return f"{number:,}"


def _time(length_s: float | None) -> str:
    return NOTHING if length_s is None else duration(round(length_s))


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"


def _decimal(number: float | None, digits: int) -> str:
    return NOTHING if number is None else f"{number:,.{digits}f}"
