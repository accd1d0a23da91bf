"""`suanwang product` and `suanwang order`: what centres sell besides chip-hours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.options import From, Until, positive_fen, read_with, with_examples
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import REFUSED, Session, hub_command
from suanwang.i18n import _
from suanwang.words import instant, money, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import OrderLine, OrderReceipt, ProductLine, UseLine

product_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
order_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

CREATE_HELP = with_examples(
    _("Order a product of a centre. As much as the limit says is held, and use is paid from that."),
    "suanwang order create zgc llm-tokens --limit-yuan 100",
    "suanwang order create zgc storage --limit-yuan 20 --renew",
)
REPORT_HELP = with_examples(
    _("Report use of an order (agent of the centre): it is charged at once."),
    "suanwang order report 7 --from 2026-12-01T08:00 --until 2026-12-01T09:00 --quantity 1500000",
    after=_("The same report again changes nothing. What the order does not cover is refused, and ends the order."),
)
CLOSE_HELP = with_examples(
    _("Close an order: what is still held for it is free again, and no use is taken any more."),
    "suanwang order close 7",
)
OrderReference = Annotated[str, typer.Argument(metavar="ORDER", help=_("Number, id or start of the id of an order."))]


@hub_command(product_app, "list", help=_("List what centres sell besides chip-hours."))
async def list_products(session: Session) -> None:
    products = await session.hub.products()
    session.screen.show(products, lambda: product_table(products))


@hub_command(order_app, "create", help=CREATE_HELP)
async def create(
    session: Session,
    centre: Annotated[str, typer.Argument(metavar="CENTRE", help=_("Id of a centre."))],
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help=_("Id of one of its products."))],
    limit_yuan: Annotated[
        int,
        typer.Option(
            "--limit-yuan", metavar="YUAN", parser=read_with(positive_fen), help=_("What is held at a time, in yuan.")
        ),
    ],
    renew: Annotated[
        bool, typer.Option("--renew", help=_("Hold as much again whenever it is used up, while there is cash."))
    ] = False,
) -> None:
    from suanwang.wire import NewOrder

    new = NewOrder(centre_id=centre, product_id=product, limit_fen=limit_yuan, renews=renew)
    order = await session.hub.create_order(new)
    text = _("order {number}: {amount} yuan are held for {product} of {centre}").format(
        number=order.number, amount=money(order.held_fen), product=order.product.name, centre=centre
    )
    session.screen.show(order, lambda: plain(text))


@hub_command(order_app, "list", help=_("List orders: your own, or those at your centre."))
async def list_orders(session: Session) -> None:
    orders = await session.hub.orders()
    session.screen.show(orders, lambda: order_table(orders))


@hub_command(order_app, "show", help=_("Show one order with its use, its charges and what moved in the book."))
async def show(session: Session, order: OrderReference) -> None:
    receipt = await session.hub.order(order)
    session.screen.show(receipt, lambda: receipt_view(receipt))


@hub_command(order_app, "report", help=REPORT_HELP)
async def report(
    session: Session,
    order: OrderReference,
    begin: From,
    until: Until,
    quantity: Annotated[
        int, typer.Option("--quantity", metavar="N", help=_("In bytes, tokens or seconds; of storage what was kept."))
    ],
    key: Annotated[
        str | None, typer.Option("--key", help=_("Name of the report; by default made of order, times and quantity."))
    ] = None,
) -> None:
    from suanwang.errors import InvalidInput
    from suanwang.wire import NewUse

    me = await session.hub.me()
    if me.centre_id is None:
        raise InvalidInput("centre", None, "the id of the centre: this token speaks for none")
    found = await session.hub.order(order)
    name = key or f"use/{found.order.id}/{begin}/{until}/{quantity}"
    new = NewUse(from_s=begin, until_s=until, quantity=quantity)
    line = await session.hub.report_use(me.centre_id, found.order.id, new, key=name)
    text = _("{amount} yuan charged to order {number}").format(amount=money(line.amount_fen), number=found.order.number)
    if line.reason is not None:
        refused = _("what is held for it is used up: {refused} are refused, and it takes no more use")
        text = f"{text}; {refused.format(refused=line.refused)}"
    session.screen.show(line, lambda: plain(text))
    if line.reason is not None:
        raise typer.Exit(REFUSED)


@hub_command(order_app, "close", help=CLOSE_HELP)
async def close(session: Session, order: OrderReference) -> None:
    closed = await session.hub.close_order(order)
    text = _("order {number} is closed; {amount} yuan were charged").format(
        number=closed.number, amount=money(closed.charged_fen)
    )
    session.screen.show(closed, lambda: plain(text))


def price_text(product: "ProductLine") -> str:
    if product.per == 1:
        return _("{price} per {unit}").format(price=money(product.fen), unit=word(product.unit))
    return _("{price} for {count} x {unit}").format(
        price=money(product.fen), count=product.per, unit=word(product.unit)
    )


def product_table(products: "Sequence[ProductLine]") -> "RenderableType":
    made = table("", (_("centre"), _("product"), _("name"), _("price in yuan"), _("counted in")), wrap=(_("name"),))
    for one in products:
        made.add_row(one.centre_id, one.id, plain(one.name), price_text(one), word(one.counted_in))
    return made


def order_table(orders: "Sequence[OrderLine]") -> "RenderableType":
    amounts = (_("held"), _("charged"))
    columns = (_("order"), _("tenant"), _("centre"), _("product"), _("state"), _("from"), *amounts)
    made = table("", columns, right=amounts)
    for one in orders:
        where = (one.tenant_id, one.product.centre_id, one.product.id, word(one.state), instant(one.created_s))
        made.add_row(str(one.number), *where, money(one.held_fen), money(one.charged_fen))
    return made


def receipt_view(receipt: "OrderReceipt") -> "RenderableType":
    from rich.console import Group

    order = receipt.order
    head = pairs(
        [
            (_("order"), f"{order.number} ({order.id})"),
            (_("tenant"), order.tenant_id),
            (_("centre"), order.product.centre_id),
            (_("product"), f"{order.product.id}, {order.product.name}"),
            (_("price in yuan"), price_text(order.product)),
            (_("state"), word(order.state)),
            (_("limit"), money(order.limit_fen)),
            (_("renewed"), _("yes") if order.renews else _("no")),
            (_("holds taken"), str(order.holds)),
            (_("held"), money(order.held_fen)),
            (_("charged"), money(order.charged_fen)),
        ]
    )
    return Group(head, use_table(receipt.uses, word(order.product.counted_in)), transfer_table(receipt))


def use_table(uses: "Sequence[UseLine]", counted_in: str) -> "RenderableType":
    numbers = (counted_in, _("refused"), _("amount"))
    made = table(_("used"), (_("from"), _("until"), *numbers), right=numbers)
    for one in uses:
        refused = one.refused if one.reason is not None else ""
        made.add_row(instant(one.from_s), instant(one.until_s), str(one.quantity), refused, money(one.amount_fen))
    return made


def transfer_table(receipt: "OrderReceipt") -> "RenderableType":
    columns = (_("kind"), _("from account"), _("to account"), _("amount"))
    made = table(_("transfers in the book"), columns, right=(_("amount"),), wrap=(_("from account"), _("to account")))
    for line in receipt.transfers:
        made.add_row(word(line.kind), plain(line.debit), plain(line.credit), money(line.amount_fen))
    return made
