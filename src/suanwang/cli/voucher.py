"""`suanwang voucher`: claims 申领 and vouchers 算力券."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from suanwang.cli.options import (
    DecidedYuan,
    UseName,
    Yuan,
    fen_or_nothing,
    positive_fen,
    read_pairs,
    read_with,
    with_examples,
)
from suanwang.cli.screen import pairs, plain, table
from suanwang.cli.session import REFUSED, Session, hub_command
from suanwang.i18n import _
from suanwang.words import NOTHING, instant, money, rate, say, word

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suanwang.wire import ClaimAnswer, ClawBackLine, VoucherLine

voucher_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
CLAW_BACK_HELP = with_examples(
    _("Take a voucher back: it ends, what no job holds is taken, and --used is asked back."),
    'suanwang voucher claw-back 0d0be1a0-5c5a-5d4e-9d0c-5f3b6a2c7e11 --reason "the contract was cancelled"',
    'suanwang voucher claw-back 0d0be1a0-5c5a-5d4e-9d0c-5f3b6a2c7e11 --reason "used for mining" --used 1200',
)
CLAIM_HELP = with_examples(
    _("Claim a voucher for a contract. The rules answer at once, with every reason."),
    "suanwang voucher claim beijing-2023 --contract C-17 --signed-on 2025-03-31 --term-days 90 --amount 10000",
    "suanwang voucher claim beijing-2023 --contract C-18 --signed-on 2025-03-31 --term-days 90 \\",
    "    --part intelligent=10000 --part storage=500 --centre zgc",
)


@hub_command(voucher_app, "list", help=_("List vouchers and where their value is, in yuan."))
async def list_vouchers(session: Session) -> None:
    lines = await session.hub.vouchers()
    session.screen.show(lines, lambda: voucher_table(lines))


@hub_command(voucher_app, "claim", help=CLAIM_HELP)
async def claim(
    session: Session,
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME", help=_("Id of a programme."))],
    contract: Annotated[str, typer.Option("--contract", metavar="ID", help=_("Number of the contract."))],
    signed_on: Annotated[str, typer.Option("--signed-on", metavar="DATE", help=_("Date of the contract, 2025-03-31."))],
    term_days: Annotated[int, typer.Option("--term-days", min=1, help=_("Days that the contract runs."))],
    amount: Annotated[
        int | None,
        typer.Option(
            "--amount",
            metavar="YUAN",
            parser=read_with(positive_fen),
            help=_("Amount of the contract, if all of it is intelligent computing."),
        ),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            metavar="KIND=YUAN",
            help=_("A part of the contract (intelligent, storage, …)."),
            show_default=False,
        ),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="USE",
            help=_("What the compute is for: training (by default), inference, application."),
            show_default=False,
        ),
    ] = None,
    centre: Annotated[
        list[str] | None,
        typer.Option("--centre", metavar="ID", help=_("Centres of the contract; by default all."), show_default=False),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            "--fact", metavar="NAME=VALUE", help=_("What else the rules ask of the contract."), show_default=False
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again claims nothing twice."))] = None,
) -> None:
    from suanwang.boundedyaml import load_yaml
    from suanwang.wire import ContractPart, NewClaim

    for one in use or ():
        if one not in get_args(UseName):
            raise typer.BadParameter(_("uses are {uses}").format(uses=", ".join(get_args(UseName))))
    parts = [(kind, read_with(positive_fen)(text)) for kind, text in read_pairs(part)]
    if (amount is None) == (not parts):
        raise typer.BadParameter(_("give --amount, or one --part or more"))
    if amount is not None:
        parts = [("intelligent", amount)]
    new = NewClaim(
        programme_id=programme,
        contract_id=contract,
        signed_on=signed_on,
        term_days=term_days,
        parts=tuple(ContractPart(kind=kind, amount_fen=amount_fen) for kind, amount_fen in parts),
        uses=tuple(use or ("training",)),
        centres=tuple(centre or ()),
        facts={name: load_yaml(text, max_bytes=1_000) for name, text in read_pairs(fact)},
    )
    answer = await session.hub.claim(new, key=key)
    session.screen.show(answer, lambda: claim_view(answer))
    if answer.state == "refused":
        raise typer.Exit(REFUSED)


@hub_command(voucher_app, "claims", help=_("List claims: your own, or those of your agency's programmes."))
async def claims(session: Session) -> None:
    answers = await session.hub.claims()
    session.screen.show(answers, lambda: claim_table(answers))


@hub_command(voucher_app, "decide", help=_("Decide a claim that waits: up to what was assessed; 0 refuses."))
async def decide(
    session: Session,
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help=_("Id of a claim."))],
    yuan: DecidedYuan,
) -> None:
    answer = await session.hub.decide(claim, yuan)
    session.screen.show(answer, lambda: claim_view(answer))


@hub_command(voucher_app, "claw-back", help=CLAW_BACK_HELP)
async def claw_back(
    session: Session,
    voucher: Annotated[str, typer.Argument(metavar="VOUCHER", help=_("Id of a voucher."))],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=_("Why; it is kept."))],
    used: Annotated[
        int | None,
        typer.Option(
            "--used",
            metavar="YUAN",
            parser=read_with(fen_or_nothing),
            help=_("What the tenant shall repay of what the voucher paid."),
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again does nothing twice."))] = None,
) -> None:
    line = await session.hub.claw_back(voucher, reason, used or 0, key=key)
    session.screen.show(line, lambda: claw_back_view(line))


@hub_command(voucher_app, "repaid", help=_("Book what a tenant has repaid for a voucher that was clawed back."))
async def repaid(
    session: Session,
    voucher: Annotated[str, typer.Argument(metavar="VOUCHER", help=_("Id of a voucher."))],
    yuan: Yuan,
    key: Annotated[str | None, typer.Option("--key", help=_("The same key again does nothing twice."))] = None,
) -> None:
    line = await session.hub.repay(voucher, yuan, key=key)
    session.screen.show(line, lambda: claw_back_view(line))


def claw_back_view(line: "ClawBackLine") -> "RenderableType":
    return pairs(
        [
            (_("voucher"), line.voucher_id),
            (_("programme"), line.programme_id),
            (_("tenant"), line.tenant_id),
            (_("taken back"), money(line.taken_fen)),
            (_("to be repaid"), money(line.owed_fen)),
            (_("repaid"), money(line.repaid_fen)),
            (_("why"), plain(line.reason)),
            (_("at"), instant(line.at_s)),
        ],
    )


def voucher_table(lines: "Sequence[VoucherLine]") -> "RenderableType":
    amounts = (_("granted"), _("available"), _("held"), _("used"), _("expired"), _("taken back"), _("to be repaid"))
    columns = (
        _("voucher"),
        _("programme"),
        _("tenant"),
        _("state"),
        _("rate"),
        _("money"),
        *amounts,
        _("until"),
        _("centres"),
    )
    made = table("", columns, right=(*amounts, _("rate")), wrap=(_("programme"), _("money"), _("centres"), _("until")))
    for line in lines:
        values = (line.granted_fen, line.available_fen, line.held_fen, line.used_fen, line.expired_fen)
        taken_back = (line.revoked_fen + line.clawed_back_fen, line.owed_fen)
        made.add_row(
            line.id,
            line.programme_id,
            line.tenant_id,
            word(line.label),
            rate(line.rate_bp),
            word(line.flow),
            *map(money, values + taken_back),
            instant(line.valid_to_s),
            ", ".join(line.centres),
        )
    return made


def claim_table(answers: "Sequence[ClaimAnswer]") -> "RenderableType":
    amounts = (_("assessed"), _("granted"))
    columns = (_("claim"), _("programme"), _("state"), *amounts, _("why"))
    made = table("", columns, right=amounts, wrap=(_("programme"), _("why")))
    for answer in answers:
        made.add_row(
            answer.claim_id,
            answer.programme_id,
            word(answer.state),
            money(answer.assessed_fen),
            money(answer.granted_fen),
            plain("; ".join(say(refusal) for refusal in answer.refusals)),
        )
    return made


def claim_view(answer: "ClaimAnswer") -> "RenderableType":
    """The answer with everything behind it: what it is made of, what cut it, what would change it."""
    rows: list[tuple[str, object]] = [
        (_("claim"), answer.claim_id),
        (_("programme"), answer.programme_id),
        (_("state"), word(answer.state)),
        (_("eligible part"), money(answer.base_fen)),
        (_("rate"), rate(answer.rate_bp)),
        (_("assessed"), money(answer.assessed_fen)),
        (_("granted"), money(answer.granted_fen)),
        (_("voucher"), answer.voucher_id or NOTHING),
    ]
    rows += [(_("cut by"), word(limit)) for limit in answer.limits_hit]
    rows += [(_("refused"), say(refusal)) for refusal in answer.refusals]
    rows += [(_("advice"), say(advice)) for advice in answer.advice]
    rows.append((_("usable at"), ", ".join(answer.centres) or NOTHING))
    for centre_id, reasons in answer.refused_centres.items():
        label = _("not at {centre}").format(centre=centre_id)
        rows.append((label, "; ".join(say(reason) for reason in reasons)))
    return pairs(rows)
