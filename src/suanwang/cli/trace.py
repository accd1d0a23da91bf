"""`suanwang trace`: a fen from the budget to the centre and back, in a folder that was exported or on the hub."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.prove import opened_text
from suanwang.cli.screen import Screen, pairs, plain, table
from suanwang.cli.session import REFUSED, JsonOption, ProfileOption, Session, errors_told, run_with_hub
from suanwang.errors import Conflict, InvalidInput, NotFound
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money, say_code, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.export.trail import Trail
    from suanwang.wire import SettlementBatch

BOOK, BATCHES = "book.jsonl", "settlements.jsonl"
TRIES = 5
HELP = with_examples(
    _("Follow value from the budget of a programme to the account of a centre, and back; every step is checked."),
    "suanwang export audit --out DIR",
    "suanwang trace train --in DIR",
    "suanwang trace S-2026-11-east --in DIR",
    after=_("With --in it needs no network. It exits with 1 if anything in the folder contradicts the sealed book."),
)


def trace(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REFERENCE",
            help=_("A programme, voucher, job (id, or name if it is in a batch), order, tenant, centre or batch."),
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Option("--in", metavar="DIR", help=_("What `suanwang export audit` wrote, in place of a hub.")),
    ] = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    screen = Screen(json)
    if folder is not None:
        with errors_told(screen), opened_text(folder / BOOK) as book, opened_text(folder / BATCHES) as batches:
            show_trail(screen, book, read_batches(batches), reference)
        return

    async def fetch(session: Session) -> None:
        batches, lines = await fetch_folder(session)
        show_trail(screen, lines, batches, reference)

    run_with_hub(fetch, profile, json)


async def fetch_folder(session: Session) -> "tuple[list[SettlementBatch], list[str]]":
    """All batches and the book, of one and the same moment: nothing was proposed, approved or paid in between.

    Raises Conflict where there is no such moment.
    """
    batches = await _batches(session)
    for _try in range(TRIES):
        lines = [line async for line in session.hub.read_book()]
        after = await _batches(session)
        if after == batches:
            return batches, lines
        batches = after
    raise Conflict("batches are settled at this very moment; try again", code="TRY_AGAIN")


async def _batches(session: Session) -> "list[SettlementBatch]":
    return [await session.hub.settlement(one.id) for one in await session.hub.settlements()]


def read_batches(lines: Iterable[str]) -> "list[SettlementBatch]":
    """Raises InvalidInput for a line that is none."""
    import msgspec

    from suanwang.wire import SettlementBatch

    try:
        return [msgspec.json.decode(line, type=SettlementBatch) for line in lines if line.strip()]
    except msgspec.DecodeError as error:
        raise InvalidInput("file", BATCHES, _("a line for every batch, as it was exported")) from error


def show_trail(screen: Screen, book: Iterable[str], batches: "list[SettlementBatch]", reference: str) -> None:
    """Raises NotFound."""
    from suanwang.export.trail import Trail, follow, open_folder

    opened = open_folder(book, batches)
    found = follow(opened, reference)
    if found is None:
        if not opened.wrong:
            raise NotFound(f"nothing in the book is about {reference}", code="NOTHING_TO_TRACE", reference=reference)
        found = Trail(reference, [], [], {}, opened.seals, opened.wrong)
    trail = found
    screen.show({**_answer(trail), "holds": trail.holds}, lambda: trail_view(trail))
    if not trail.holds:
        raise typer.Exit(REFUSED)


def _answer(found: "Trail") -> dict[str, object]:
    return {name: getattr(found, name) for name in ("reference", "steps", "batches", "open_fen", "seals", "wrong")}


def trail_view(found: "Trail") -> "RenderableType":
    from rich.console import Group

    from suanwang.cli.settlement import batch_table

    columns = (_("at"), _("what"), _("from account"), _("to account"), _("amount"), _("batch"))
    made = table("", columns, right=(_("amount"),), wrap=(_("from account"), _("to account")))
    for step in found.steps:
        accounts = (plain(step.source), plain(step.target))
        made.add_row(
            instant(step.at_s), word(step.kind), *accounts, money(step.amount_fen), plain(step.batch or NOTHING)
        )
    owed = "\n".join(f"{account} {money(fen)}" for account, fen in found.open_fen.items())
    rows = [(_("owed and not paid yet"), owed or NOTHING), (_("seals"), str(found.seals))]
    if found.holds:
        told: RenderableType = _("✓ the book is as it was sealed, and every batch and payment is what its lines say")
    else:
        wrong = table(_("✗ this does not fit together"), (_("what is wrong"),), wrap=(_("what is wrong"),))
        for one in found.wrong:
            wrong.add_row(plain(say_code(one.code, one.facts)))
        told = wrong
    parts = [made, *([batch_table(found.batches)] if found.batches else []), pairs(rows), told]
    return Group(*parts)
