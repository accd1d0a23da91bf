"""Statements: what a tenant was charged in a period, and what a centre earned in it, line by line."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from suanwang.control import period
from suanwang.domain.ledger import CASH
from suanwang.domain.rating import quantity
from suanwang.domain.voucher import VoucherTerms, co_funding_split
from suanwang.errors import NotFound
from suanwang.rulesfile import programme_of
from suanwang.store import period as periods
from suanwang.store import voucher
from suanwang.store.db import Connection, Row, from_json
from suanwang.store.period import Span
from suanwang.units import SECONDS_PER_HOUR
from suanwang.wire import Bill, BilledVoucher, CentreStatement, Earning, PeriodLine, Statement, StatementLine

CHIP_HOUR = "chip-hour"


async def of_tenant(tx: Connection, name: str, tenant_id: str, zone: str) -> Statement:
    """Raises InvalidInput (period), NotFound (tenant)."""
    line, span = await period.find(tx, name, zone)
    names = await periods.names(tx, [tenant_id])
    if tenant_id not in names:
        raise NotFound(f"no organisation {tenant_id}", organisation=tenant_id)
    redeemed = await periods.redeemed_fen(tx, span, tenant_id)
    lines = await _lines(tx, line, span, tenant_id, None)
    return _statement(line, tenant_id, names[tenant_id], [one for _, one in lines], redeemed.get(tenant_id, 0))


async def of_all(tx: Connection, name: str, zone: str) -> Bill:
    """Every tenant that has a line in the period, with the vouchers that the lines name. Raises InvalidInput."""
    line, span = await period.find(tx, name, zone)
    by_tenant: dict[str, list[StatementLine]] = {}
    for tenant_id, one in await _lines(tx, line, span, None, None):
        by_tenant.setdefault(tenant_id, []).append(one)
    redeemed = await periods.redeemed_fen(tx, span, None)
    tenants = sorted({*by_tenant, *redeemed})
    names = await periods.names(tx, tenants)
    statements = [_statement(line, t, names[t], by_tenant.get(t, []), redeemed.get(t, 0)) for t in tenants]
    used = sorted({UUID(one.voucher_id) for lines in by_tenant.values() for one in lines if one.voucher_id})
    return Bill(line, statements, [_voucher(row) for row in await periods.vouchers(tx, used)])


async def of_centres(tx: Connection, name: str, organisation_id: str | None, zone: str) -> list[CentreStatement]:
    """Of the centres of one organisation, or of all. Raises InvalidInput."""
    line, span = await period.find(tx, name, zone)
    if organisation_id is not None:  # the totals of the whole network are not a centre's to know
        line = replace(line, transactions=0, charged_fen=0, refunded_fen=0, redeemed_fen=0)
    centre_ids = None if organisation_id is None else await periods.centres_of(tx, organisation_id)
    earnings: dict[str, list[Earning]] = {}
    for row in await periods.earned(tx, span, centre_ids):
        earnings.setdefault(row["centre_id"], []).append(await _earning(tx, row))
    by_centre: dict[str, list[StatementLine]] = {}
    for _, one in await _lines(tx, line, span, None, centre_ids):
        by_centre.setdefault(one.centre_id, []).append(one)
    return [CentreStatement(line, one, earnings.get(one, []), by_centre.get(one, [])) for one in sorted(earnings)]


def for_tenant(whole: Statement) -> Statement:
    """Without the totals of the whole network, which are not a tenant's to know."""
    own = replace(
        whole.period,
        transactions=0,
        charged_fen=whole.charged_fen,
        refunded_fen=whole.refunded_fen,
        redeemed_fen=whole.redeemed_fen,
    )
    return replace(whole, period=own)


def invoice_number(name: str, tenant_id: str) -> str:
    """One per period and tenant, so the same however often it is asked for."""
    return f"SW-{name}-{tenant_id}"


async def _earning(tx: Connection, row: Row) -> Earning:
    programme_id = None if row["asset"] == CASH else row["asset"].partition("@")[2]
    split: dict[str, int] = {}
    if programme_id is not None:
        rules = (await voucher.programme(tx, programme_id))["rules"]
        programme = programme_of(from_json(rules, dict[str, Any]))
        split = dict(co_funding_split(programme, row["charged_fen"] - row["refunded_fen"]))
    return Earning(programme_id, row["charged_fen"], row["refunded_fen"], row["paid_fen"], row["owed_fen"], split)


async def _lines(
    tx: Connection, of: PeriodLine, span: Span, tenant_id: str | None, centre_ids: list[str] | None
) -> list[tuple[str, StatementLine]]:
    """(tenant, line): charges of jobs, those of orders, then refunds."""
    charged = [(row["tenant_id"], _charge(of, row)) for row in await periods.charges(tx, span, tenant_id, centre_ids)]
    given = [
        (row["tenant_id"], _refund(row)) for row in await periods.refunds(tx, span, tenant_id, centre_ids, of.name)
    ]
    ordered = [(row["tenant_id"], _order(of, row)) for row in await periods.orders(tx, span, tenant_id, centre_ids)]
    return charged + ordered + given


def _charge(of: PeriodLine, row: Row) -> StatementLine:
    voucher_id = str(row["voucher_id"]) if row["voucher_id"] else None
    key = f"{of.name}/{row['job_id']}/{row['attempt']}/{row['fen_per_chip_hour']}/{voucher_id or 'cash'}"
    return StatementLine(
        key,
        "charge",
        str(row["job_id"]),
        row["job_name"],
        row["attempt"],
        row["centre_id"],
        row["pool_id"],
        row["chip_id"],
        CHIP_HOUR,
        row["fen_per_chip_hour"],
        quantity(row["chip_s"], SECONDS_PER_HOUR),
        row["from_s"],
        row["until_s"],
        row["amount_fen"],
        row["voucher_fen"],
        row["amount_fen"] - row["voucher_fen"],
        voucher_id,
        row["programme_id"],
        dispute=row["dispute"],
        project=row["project"],
    )


def _order(of: PeriodLine, row: Row) -> StatementLine:
    return StatementLine(
        f"{of.name}/order/{row['order_id']}",
        "order",
        str(row["order_id"]),
        row["name"],
        0,
        row["centre_id"],
        row["product_id"],
        "",
        row["unit"] if row["per"] == 1 else f"{row['per']} {row['unit']}",
        row["fen"],
        quantity(int(row["measured"]), int(row["size"])),
        row["from_s"],
        row["until_s"],
        row["amount_fen"],
        0,
        row["amount_fen"],
    )


def _refund(row: Row) -> StatementLine:
    of_voucher = row["voucher_fen"] > 0
    return StatementLine(
        f"refund/{row['job_id']}/{row['number']}",
        "refund",
        str(row["job_id"]),
        row["job_name"],
        row["attempt"],
        row["centre_id"],
        row["pool_id"],
        row["chip_id"],
        CHIP_HOUR,
        row["fen_per_chip_hour"],
        "0",
        row["effective_s"],
        row["effective_s"],
        -row["amount_fen"],
        -row["voucher_fen"],
        row["voucher_fen"] - row["amount_fen"],
        str(row["voucher_id"]) if of_voucher else None,
        row["programme_id"] if of_voucher else None,
        row["reason"],
        not row["same_period"],
        tuple(row["corrects"]),
        row["dispute"],
        row["project"],
    )


def _statement(of: PeriodLine, tenant_id: str, name: str, lines: list[StatementLine], redeemed_fen: int) -> Statement:
    return Statement(
        of,
        tenant_id,
        name,
        invoice_number(of.name, tenant_id) if of.closed and lines else None,
        lines,
        sum(one.amount_fen for one in lines if one.kind != "refund"),
        -sum(one.amount_fen for one in lines if one.kind == "refund"),
        sum(one.voucher_fen for one in lines),
        sum(one.cash_fen for one in lines),
        redeemed_fen,
    )


def _voucher(row: Row) -> BilledVoucher:
    terms = from_json(row["terms"], VoucherTerms)
    return BilledVoucher(
        str(row["id"]),
        row["programme_id"],
        row["tenant_id"],
        terms.rules_sha256,
        terms.rate_bp,
        row["granted_fen"],
        row["available_fen"],
        row["valid_from_s"],
        row["valid_to_s"],
        row["created_s"],
    )
