"""`suanwang settle` and `suanwang prove`."""

from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import REFUSED, Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import Proofs, Settlement

SHOWN_CONTRADICTIONS = 5
SETTLE_HELP = with_examples(
    _("Show what is owed to centres and tenants, from posted charges alone; --pay pays it as one batch."),
    "suanwang settle",
    "suanwang settle --pay --key 2025-03",
)
PROVE_HELP = _("Check every statement that the records must not contradict; exit code 1 if one does not hold.")


def add_bill(app: typer.Typer) -> None:
    @hub_command(app, "settle", help=SETTLE_HELP)
    async def settle(
        session: Session,
        pay: Annotated[bool, typer.Option("--pay", help=_("Pay it now."))] = False,
        key: Annotated[str | None, typer.Option("--key", help=_("The same key again pays nothing twice."))] = None,
    ) -> None:
        if key is not None and not pay:
            raise typer.BadParameter(_("--key belongs to --pay"))
        settlement = await (session.hub.settle(key=key) if pay else session.hub.owed())
        session.screen.show(settlement, lambda: settlement_table(settlement))

    @hub_command(app, "prove", help=PROVE_HELP)
    async def prove(session: Session) -> None:
        proofs = await session.hub.prove()
        session.screen.show(proofs, lambda: proof_table(proofs))
        if not proofs.hold:
            raise typer.Exit(REFUSED)


def settlement_table(found: "Settlement") -> "RenderableType":
    from rich.console import Group

    amounts = (_("from tenants"), _("from programmes"), _("in all"))
    title = _("paid in this batch") if found.paid else _("owed and not paid yet")
    made = table(title, (_("payee"), _("kind"), *amounts, _("programmes")), right=amounts, wrap=(_("programmes"),))
    total_fen = 0
    for payment in found.payments:
        voucher_fen = sum(payment.voucher_fen.values())
        total_fen += payment.cash_fen + voucher_fen
        programmes = ", ".join(f"{name} {money(fen)}" for name, fen in sorted(payment.voucher_fen.items()))
        amounts_fen = (payment.cash_fen, voucher_fen, payment.cash_fen + voucher_fen)
        made.add_row(plain(payment.payee), word(payment.kind), *map(money, amounts_fen), programmes or NOTHING)
    sentence = _("in all {amount} yuan to {count} payees")
    return Group(made, sentence.format(amount=money(total_fen), count=len(found.payments)))


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
