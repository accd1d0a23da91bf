"""The demonstration on a terminal: while it runs, and when it is over."""

from datetime import UTC, datetime

from rich.console import Group
from rich.table import Table
from story import Outcome, Picture

from suanwang.cli.receipt import who_bears
from suanwang.i18n import _
from suanwang.units import SECONDS_PER_HOUR, yuan
from suanwang.wire import AttemptLine, JobLine
from suanwang.words import say, say_code, word

LAST_SAID = 8


def picture(seen: Picture, elapsed_s: float) -> Group:
    """Centres, jobs, the training job, and what was said last."""
    centres = Table(title=_("Suanwang, {seconds:.0f} s").format(seconds=elapsed_s), title_justify="left", expand=False)
    for name in (_("centre"), _("state"), _("chips"), _("taken"), _("yuan per chip-second")):
        centres.add_column(name, justify="right" if name in (_("chips"), _("taken")) else "left")
    for centre in seen.centres:
        for pool in centre.pools:
            style = "red" if centre.state == "unseen" else ""
            cells = (f"{centre.id} · {pool.chip_id}", word(centre.state), str(pool.chips), str(pool.used_chips))
            centres.add_row(*cells, yuan(pool.fen_per_chip_hour // SECONDS_PER_HOUR), style=style)
    jobs = Table.grid(padding=(0, 2))
    if seen.jobs is not None:
        jobs.add_row(
            _("jobs"), "  ".join(f"{word(state)} {count}" for state, count in sorted(seen.jobs.states.items()))
        )
    if seen.training is not None and seen.training.attempts:
        jobs.add_row(_("training"), _attempt_in_short(seen.training.attempts[-1]))
    lines = Table.grid()
    for line in seen.said[-LAST_SAID:]:
        lines.add_row(line)
    return Group(centres, jobs, lines)


def _attempt_in_short(attempt: AttemptLine) -> str:
    progress = attempt.progress or {}
    metrics = progress.get("metrics") or {}
    shown = " ".join(f"{name} {value:.3f}" for name, value in sorted(metrics.items()))
    step = f"{progress.get('step', 0)}/{progress.get('total_steps', '?')}"
    text = _("attempt {number} at {centre}, {phase}, step {step}").format(
        number=attempt.number, centre=attempt.centre_id, phase=word(attempt.phase), step=step
    )
    return f"{text} {shown}"


def outcome(found: Outcome) -> Group:
    """The claim, the quote, the receipt, the settlement and the proofs."""
    return Group(
        _claim(found), _quote(found), scaled_prices(), _receipt(found), _jobs(found), _settlement(found), _proofs(found)
    )


def _table(title: str, *columns: str, right: tuple[int, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i in right else "left", overflow="fold")
    return table


def _claim(found: Outcome) -> Table:
    claim = found.claim
    table = _table(_("1 · The voucher claim"), _("what"), _("answer"))
    table.add_row(_("programme"), claim.programme_id)
    table.add_row(_("eligible part of the contract, yuan"), yuan(claim.base_fen))
    table.add_row(_("rate"), f"{claim.rate_bp / 100:g} %")
    table.add_row(_("granted, yuan"), f"{yuan(claim.granted_fen)} ({word(claim.state)})")
    table.add_row(_("usable at"), ", ".join(claim.centres))
    for centre_id, reasons in claim.refused_centres.items():
        table.add_row(_("not at {centre}").format(centre=centre_id), "; ".join(say(reason) for reason in reasons))
    return table


def _quote(found: Outcome) -> Table:
    table = _table(
        _("2 · The quote for the training job (walltime {seconds} s)").format(seconds=found.quote.walltime_s),
        _("centre"),
        _("chip"),
        _("answer"),
        _("start"),
        _("latest finish"),
        _("price"),
        _("voucher"),
        _("own"),
        right=(5, 6, 7),
    )
    for line in found.quote.lines:
        table.add_row(
            line.centre_id,
            line.chip_id,
            _("accepted") if line.accepted else say(line.reason),
            _clock(line.start_s),
            _clock(line.finish_s),
            _money(line.price_fen),
            _money(line.voucher_fen),
            _money(line.own_fen),
        )
    return table


def scaled_prices() -> str:
    """Beside every place where a price per hour of the demonstration's network can be seen."""
    return _(
        "Prices: a second here stands for an hour, so a chip-second costs what a centre's file asks for a chip-hour. "
        "Read 75,960 yuan per chip-hour as 21.10."
    )


def _receipt(found: Outcome) -> Group:
    receipt = found.receipt
    table = _table(
        _("3 · Receipt of job {number}, {name}: {state}").format(
            number=receipt.number, name=receipt.name, state=word(receipt.state)
        ),
        _("attempt"),
        _("centre"),
        _("why there"),
        _("end"),
        _("used"),
        _("billed chip-s"),
        _("lost chip-s"),
        _("charged"),
        right=(0, 4, 5, 6, 7),
    )
    for attempt in receipt.attempts:
        used_s = sum(line.until_s - line.from_s for line in attempt.usage)
        reason = say_code(attempt.decision["reason"]["code"], attempt.decision["reason"]["facts"])
        resumed = attempt.resume_from and _(" from step {step}").format(step=attempt.resume_from["step"])
        table.add_row(
            str(attempt.number),
            f"{attempt.centre_id} ({attempt.chip_id})",
            f"{reason}{resumed or ''}",
            word(attempt.cause or attempt.phase),
            f"{used_s} s",
            str(attempt.charged_chip_s),
            str(attempt.lost_chip_s),
            yuan(attempt.charged_fen),
        )
    sums = Table.grid(padding=(0, 2))
    rows = [(_("held at first"), yuan(receipt.estimate_fen)), (_("charged"), yuan(receipt.charged_fen))]
    for name, amount in [*rows, *who_bears(receipt)]:
        sums.add_row(name, amount)
    return Group(table, sums)


def _jobs(found: Outcome) -> Table:
    placed: dict[str, list[JobLine]] = {}
    for job in found.jobs.jobs:
        placed.setdefault(job.centre_id or "-", []).append(job)
    columns = (_("centre"), _("jobs"), _("attempts"), _("charged"))
    table = _table(_("4 · All jobs, by their last centre"), *columns, right=(1, 2, 3))
    for centre_id, jobs in sorted(placed.items()):
        charged = yuan(sum(job.charged_fen for job in jobs))
        table.add_row(centre_id, str(len(jobs)), str(sum(job.attempts for job in jobs)), charged)
    return table


def _settlement(found: Outcome) -> Table:
    table = _table(_("5 · Settlement"), _("payee"), _("from tenants"), _("from programmes"), right=(1, 2))
    for payment in found.settlement.payments:
        vouchers = ", ".join(f"{yuan(fen)} ({name})" for name, fen in payment.voucher_fen.items())
        table.add_row(f"{word(payment.kind)} {payment.payee}", yuan(payment.cash_fen), vouchers or "-")
    return table


def _proofs(found: Outcome) -> Table:
    table = _table(_("6 · Proofs"), "", _("statement"))
    for proof in found.proofs.proofs:
        table.add_row("✓" if proof.holds else "✗", _(proof.statement), style="" if proof.holds else "red")
    once = all(times == 1 for times in found.starts.values())
    counted = _("no process was started twice ({count} counted)").format(count=len(found.starts))
    table.add_row("✓" if once else "✗", counted)
    table.add_row("✓" if found.unseen_was_shown else "✗", _("the silent centre was shown as unseen"))
    return table


def _clock(at_s: int | None) -> str:
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).astimezone().strftime("%H:%M:%S")


def _money(amount_fen: int | None) -> str:
    return "-" if amount_fen is None else yuan(amount_fen)
