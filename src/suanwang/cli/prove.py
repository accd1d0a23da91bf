"""`suanwang prove`: the hub's own proofs, and what anybody can check of the book without the hub."""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from suanwang.cli.options import instant_s, read_with, with_examples
from suanwang.cli.screen import Screen, pairs, plain, table
from suanwang.cli.session import REFUSED, JsonOption, ProfileOption, Session, errors_told, run_with_hub
from suanwang.errors import InvalidInput
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money, say_code

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.cli.evidence import ReceiptCheck
    from suanwang.domain.seal import Verified
    from suanwang.wire import Proofs

SHOWN_CONTRADICTIONS = 5
HELP = with_examples(
    _("Check every statement that the records must not contradict; exit code 1 if one does not hold."),
    _("suanwang prove                                       the hub checks its records"),
    _("suanwang prove --from 2026-11-01 --to 2026-12-01     check the sealed book of a month yourself"),
    _("suanwang prove --from 2026-01-01 --save book.jsonl   ... and keep it"),
    _("suanwang prove --file book.jsonl                     check a kept book, without any hub"),
    _("suanwang prove --receipt receipt.json                check a receipt (`job show NAME --json`), without any hub"),
)
FromOption = Annotated[
    int | None,
    typer.Option("--from", metavar="TIME", parser=read_with(instant_s), help=_("Of the book, from this time on.")),
]
ToOption = Annotated[
    int | None,
    typer.Option("--to", metavar="TIME", parser=read_with(instant_s), help=_("Up to this time, which is not in it.")),
]
SaveOption = Annotated[
    Path | None, typer.Option("--save", metavar="FILE", help=_("Keep the book that is checked in this file."))
]
FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help=_("Check a book that was kept; `-` is standard input."))
]
ReceiptOption = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help=_("Check a receipt that was kept; `-` is standard input.")),
]


def prove(
    begin: FromOption = None,
    end: ToOption = None,
    save: SaveOption = None,
    file: FileOption = None,
    receipt: ReceiptOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    of_book = begin is not None or end is not None or save is not None
    if (file is not None) + (receipt is not None) + of_book > 1:
        raise typer.BadParameter(_("one of: --from/--to/--save, --file, --receipt"))
    if file is not None:
        with errors_told(screen), opened_text(file) as lines:
            _show_book(screen, _verified(lines))
    elif receipt is not None:
        with errors_told(screen), opened_text(receipt) as text:
            _show_receipt(screen, text.read())
    elif of_book:
        run_with_hub(lambda session: _fetch_and_verify(session, begin, end, save), profile, json)
    else:
        run_with_hub(_ask_the_hub, profile, json)


async def _ask_the_hub(session: Session) -> None:
    proofs = await session.hub.prove()
    session.screen.show(proofs, lambda: proof_table(proofs))
    if not proofs.hold:
        raise typer.Exit(REFUSED)


async def _fetch_and_verify(session: Session, begin: int | None, end: int | None, save: Path | None) -> None:
    lines = [line async for line in _counted(session, session.hub.read_book(begin, end))]
    if save is not None:
        _keep(save, lines)
        session.screen.note(_("{count} lines kept in {file}").format(count=len(lines), file=save))
    _show_book(session.screen, _verified(lines))


def _keep(file: Path, lines: list[str]) -> None:
    try:
        file.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")
    except OSError as error:
        raise InvalidInput("file", str(file), _("a file that can be written")) from error


async def _counted(session: Session, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same lines, while somebody who watches a terminal sees how many came."""
    if not session.screen.live:
        async for line in lines:
            yield line
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from suanwang.cli.screen import console

    columns = (SpinnerColumn(), TextColumn("{task.completed} {task.description}"))
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(_("lines of the book"), total=None)
        async for line in lines:
            progress.advance(task)
            yield line


@contextmanager
def opened_text(file: Path) -> Iterator[TextIO]:
    """A file, or standard input for `-`. Raises InvalidInput."""
    if str(file) == "-":
        yield sys.stdin
        return
    try:
        with file.open(encoding="utf-8", newline="\n") as opened:
            yield opened
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("file", str(file), _("a file of text that can be read")) from error


def _verified(lines: Iterable[str]) -> "Verified":
    from suanwang.domain.seal import verify

    return verify(lines)


def _show_book(screen: Screen, found: "Verified") -> None:
    screen.show(_book_answer(found), lambda: book_view(found))
    if not found.holds:
        raise typer.Exit(REFUSED)


def _book_answer(found: "Verified") -> dict[str, Any]:
    last = found.last_seal
    return {
        "holds": found.holds,
        "seals": found.seals,
        "transactions": found.transactions,
        "transfers": found.transfers,
        "records": found.records,
        "from_the_beginning": found.from_the_beginning,
        "last_seal": last and {"number": last.number, "sealed_s": last.sealed_s, "sha256": last.sha256.hex()},
        "wrong": found.wrong,
        "balances": found.balances,
    }


def book_view(found: "Verified") -> "RenderableType":
    from rich.console import Group

    last = found.last_seal
    looked_at = _("{transactions} transactions, {transfers} transfers, {records} records, {seals} seals").format(
        transactions=found.transactions, transfers=found.transfers, records=found.records, seals=found.seals
    )
    rows = [(_("looked at"), looked_at)]
    if last is not None:
        rows.append((_("last seal"), f"{last.number}, {instant(last.sealed_s)}"))
        rows.append((_("its SHA-256"), last.sha256.hex()))
    if found.from_the_beginning:
        rows.append((_("begins with"), _("the first seal: balances are whole")))
    elif found.first_seal is not None:
        rows.append(
            (_("begins with"), _("seal {number}: what was before is not in it").format(number=found.first_seal))
        )
    if found.holds:
        return Group(pairs(rows), _("✓ the book is whole: sealed as it stands here, and every transaction balances"))
    made = table(
        _("✗ this is not the book that was sealed"), (_("line"), _("what is wrong")), wrap=(_("what is wrong"),)
    )
    for one in found.wrong:
        made.add_row(str(one.line), plain(say_code(one.code, one.facts)))
    return Group(pairs(rows), made)


def _show_receipt(screen: Screen, text: str) -> None:
    from suanwang.cli.evidence import check_receipt

    found = check_receipt(text)
    screen.show(found, lambda: receipt_check_view(found))
    if not found.holds:
        raise typer.Exit(REFUSED)


def receipt_check_view(found: "ReceiptCheck") -> "RenderableType":
    from rich.console import Group

    rows = [
        (_("job"), f"{found.name} ({found.job_id})"),
        (_("charged"), money(found.charged_fen)),
        (_("in the book"), _("{sealed} of {all} transactions are sealed").format(sealed=found.sealed, all=found.all)),
        (_("seals"), "\n".join(f"{seal.number}  {seal.sha256}" for seal in found.seals) or NOTHING),
    ]
    if not found.holds:
        made = table(_("✗ this receipt is not what the book says"), (_("what is wrong"),), wrap=(_("what is wrong"),))
        for what in found.wrong:
            made.add_row(plain(what))
        return Group(pairs(rows), made)
    told = _("✓ the receipt agrees with the book; `suanwang prove --file BOOK` checks the book up to these seals")
    return Group(pairs(rows), told)


def proof_table(found: "Proofs") -> "RenderableType":
    from rich.console import Group

    made = table("", ("", _("statement"), _("contradicted by")), wrap=(_("statement"), _("contradicted by")))
    for proof in found.proofs:
        shown = [_record(record) for record in proof.contradictions[:SHOWN_CONTRADICTIONS]]
        more = len(proof.contradictions) - len(shown)
        if more > 0:
            shown.append(_("… and {count} more").format(count=more))
        mark = "✓" if proof.holds else "✗"
        made.add_row(mark, plain(_(proof.statement)), plain("\n".join(shown)), style="" if proof.holds else "red")
    held = sum(proof.holds for proof in found.proofs)
    looked_at = ", ".join(f"{name} {count}" for name, count in sorted(found.counts.items()))
    sentence = _("{held} of {all} statements hold; looked at: {records}")
    return Group(made, plain(sentence.format(held=held, all=len(found.proofs), records=looked_at)))


def _record(record: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.items())
