"""`suanwang settle`."""

from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import with_examples
from suanwang.cli.screen import plain, table
from suanwang.cli.session import Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import Settlement

SETTLE_HELP = with_examples(
    _(
        "Show what is owed to centres and tenants, from posted charges alone; --pay pays it all at once, "
        "while no month was ever closed (later: `suanwang settlement`)."
    ),
    "suanwang settle",
    "suanwang settle --pay --key 2025-03",
)


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
