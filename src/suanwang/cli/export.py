"""`suanwang export`: the records in forms that other programs read."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.prove import FileOption, opened_text
from suanwang.cli.screen import Screen, pairs
from suanwang.cli.session import JsonOption, ProfileOption, Session, errors_told, hub_command, run_with_hub
from suanwang.errors import InvalidInput, Refused
from suanwang.i18n import _

export_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
BEANCOUNT_HELP = with_examples(
    _("Write the whole book as a Beancount ledger, every balance asserted: `bean-check` adds it up once more."),
    "suanwang export beancount --out book.beancount",
    "suanwang export beancount --file book.jsonl --out book.beancount",
)
FOCUS_HELP = with_examples(
    _("Write a month's bill as the four data sets of FOCUS 1.4, in CSV (administrator or auditor of the network)."),
    "suanwang export focus --period 2026-11 --out DIR",
)
AUDIT_HELP = with_examples(
    _("Write what an auditor needs to follow every fen without the network: the sealed book and all batches."),
    "suanwang export audit --out DIR",
    "suanwang trace train --in DIR",
)
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help=_("Where to write it; standard output if left out."))
]


@export_app.command("beancount", help=BEANCOUNT_HELP)
def beancount_command(
    file: FileOption = None, out: OutOption = None, profile: ProfileOption = None, json: JsonOption = False
) -> None:
    screen = Screen(json)

    async def fetch(session: Session) -> None:
        write_beancount(screen, [line async for line in session.hub.read_book()], out)

    if file is None:
        run_with_hub(fetch, profile, json)
        return
    with errors_told(screen), opened_text(file) as lines:
        write_beancount(screen, list(lines), out)


def write_beancount(screen: Screen, lines: list[str], out: Path | None) -> None:
    """Raises Refused for a book that is not the one that was sealed, InvalidInput for a part of one."""
    from suanwang.domain.seal import verify
    from suanwang.export.beancount import beancount

    found = verify(lines)
    if not found.holds:
        raise Refused("this is not the book that was sealed; see `suanwang prove --file BOOK`", code="BOOK_BROKEN")
    if not found.from_the_beginning:
        raise InvalidInput("book", f"from seal {found.first_seal} on", _("a book from the first seal on"))
    text = "".join(f"{line}\n" for line in beancount(lines))
    if out is None:
        sys.stdout.write(text)
        return
    write_text(out, text)
    answer = {"file": str(out), "transactions": found.transactions, "accounts": len(found.balances)}
    sentence = _("{transactions} transactions over {accounts} accounts written to {file}")
    screen.show(answer, lambda: sentence.format(**answer))


@hub_command(export_app, "focus", help=FOCUS_HELP)
async def focus_command(
    session: Session,
    period: Annotated[str, typer.Option("--period", metavar="MONTH", help=_("A month like 2026-11."))],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help=_("Folder to write the files to."))],
) -> None:
    from suanwang.export.focus import FILES, focus

    bill = await session.hub.bill(period)
    files = focus(bill, int(time.time()))
    write_folder(out, files, FILES)
    answer = {"folder": str(out), "closed": bill.period.closed, "files": sorted(files)}
    session.screen.show(answer, lambda: pairs([(_("written"), str(out / name)) for name in sorted(files)]))


@hub_command(export_app, "audit", help=AUDIT_HELP)
async def audit_command(
    session: Session,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help=_("Folder to write the files to."))],
) -> None:
    import msgspec

    from suanwang.cli.trace import BATCHES, BOOK, fetch_folder

    found, lines = await fetch_folder(session)
    batches = [msgspec.json.encode(one).decode() for one in found]
    files = {BATCHES: "".join(f"{line}\n" for line in batches), BOOK: "".join(f"{line}\n" for line in lines)}
    write_folder(out, files, frozenset(files))
    answer = {"folder": str(out), "lines": len(lines), "batches": len(batches), "files": sorted(files)}
    session.screen.show(answer, lambda: pairs([(_("written"), str(out / name)) for name in sorted(files)]))


def write_folder(folder: Path, files: dict[str, str], known: frozenset[str]) -> None:
    """Every file is there whole, or not at all; of the names that an export knows none is left of an earlier one.

    Other files of the folder stay. Raises InvalidInput.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / f".{name}.new", text)
        for name in files:
            (folder / f".{name}.new").replace(folder / name)
        for name in known - files.keys():
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput("folder", str(folder), _("a folder that can be written")) from error


def write_text(file: Path, text: str) -> None:
    """Raises InvalidInput."""
    try:
        file.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise InvalidInput("file", str(file), _("a file that can be written")) from error
