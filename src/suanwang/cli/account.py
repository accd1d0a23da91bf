"""`suanwang account`: a tenant's money."""

from typing import Annotated

import typer

from suanwang.cli.options import Yuan
from suanwang.cli.screen import pairs, plain
from suanwang.cli.session import JsonOption, ProfileOption, Session, hub_command, run_with_hub
from suanwang.i18n import _
from suanwang.words import money

account_app = typer.Typer(rich_markup_mode=None)


@account_app.callback(invoke_without_command=True)
def account(context: typer.Context, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """`suanwang account` alone shows it."""
    if context.invoked_subcommand is None:
        run_with_hub(show, profile, json)


@hub_command(account_app, "show", help=_("Show what is free, held, and still to come, in yuan."))
async def show(session: Session) -> None:
    account = await session.hub.account()
    session.screen.show(
        account,
        lambda: pairs(
            [
                (_("tenant"), account.tenant_id),
                (_("free cash"), money(account.cash_fen)),
                (_("held for jobs and orders"), money(account.held_fen)),
                (_("vouchers"), money(account.vouchers_fen)),
                (_("owed by programmes"), money(account.owed_to_tenant_fen)),
            ]
        ),
    )


@hub_command(account_app, "top-up", help=_("Book money that a tenant has paid in (administrator of the network)."))
async def top_up(
    session: Session, tenant: Annotated[str, typer.Argument(metavar="TENANT", help=_("Id of a tenant."))], yuan: Yuan
) -> None:
    from suanwang.wire import NewTopUp

    await session.hub.top_up(NewTopUp(tenant_id=tenant, amount_fen=yuan))
    text = _("{amount} yuan paid in for {tenant}").format(amount=money(yuan), tenant=tenant)
    session.screen.show({"tenant_id": tenant, "amount_fen": yuan}, lambda: plain(text))
