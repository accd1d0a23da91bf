"""A bill as the four data sets of FOCUS 1.4 (FinOps Open Cost and Usage Specification).

Costs are exact decimals of yuan. A Usage row is billed in whole fen, rounded up once per attempt; its list cost is the
unit price times the quantity, where both are written out in full. What a voucher took off is a Credit. A voucher that
repays afterwards is no part of the bill. A refund has the category of what it gives back, with the opposite sign, and
is a Correction only of what an earlier, closed period had billed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Context, Decimal

from suanwang.domain.rating import QUANTITY_PLACES
from suanwang.export.cells import csv_text, text_cell
from suanwang.units import BASIS_POINTS, iso_utc, yuan
from suanwang.wire import Bill, BilledVoucher, Statement, StatementLine

US = "suanwang"
CURRENCY = "CNY"
_EXACT = Context(prec=60)
_UNITS = {"chip-hour": "Chip-Hours", "gib-month": "GiB-Months", "gib": "GiB", "hour": "Hours"}
"""As FOCUS writes units."""
_PLATFORM = ("AI and Machine Learning", "AI Platforms", "Accelerated computing")
_SERVICES = {
    "gib-month": ("Storage", "Other (Storage)", "Storage"),
    "gib": ("Networking", "Other (Networking)", "Data transfer"),
    "million-tokens": ("AI and Machine Learning", "Generative AI", "Inference"),
    "hour": ("Other", "Other (Other)", "Service"),
}
"""Unit -> category, subcategory and name of what is sold by it; chip-hours are of the platform."""
_FOREVER_S = 253_370_764_800  # house: reason 9999-01-01, for a voucher without an end

_SERVICE = ("ServiceCategory", "ServiceSubcategory", "ServiceName")
COST_AND_USAGE = (
    *("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency"),
    *("BillingAccountId", "BillingAccountName", "BillingPeriodStart", "BillingPeriodEnd"),
    *("ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ChargeClass", "ChargeFrequency", "ChargeDescription"),
    *("PricingCategory", "PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice"),
    *("ConsumedQuantity", "ConsumedUnit", *_SERVICE),
    *("ServiceProviderName", "HostProviderName", "InvoiceIssuerName", "InvoiceId", "InvoiceDetailId"),
    *("RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType"),
    *("SkuId", "SkuPriceId", "SkuMeter", "SkuPriceDetails", "ContractApplied"),
    *("SubAccountId", "SubAccountName", "SubAccountType"),
    *("x_ChargeKey", "x_CorrectionOf", "x_Corrects", "x_Attempt"),
)
CONTRACT_COMMITMENT = (
    *("ContractId", "ContractPeriodStart", "ContractPeriodEnd", "ContractCommitmentId", "ContractCommitmentType"),
    *("ContractCommitmentCategory", "ContractCommitmentBenefitCategory", "ContractCommitmentDiscountPercentage"),
    *("ContractCommitmentLifecycleStatus", "ContractCommitmentCost", "ContractCommitmentQuantity"),
    *("ContractCommitmentUnit", "ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd"),
    *("ContractCommitmentCreated", "ContractCommitmentLastUpdated", "ContractCommitmentDescription"),
    *("ContractCommitmentDurationType", "ContractCommitmentFulfillmentInterval", "ContractCommitmentModel"),
    *("ContractCommitmentOfferCategory", "ContractCommitmentPaymentInterval", "ContractCommitmentPaymentModel"),
    *("ContractCommitmentPaymentUpfrontPercentage", "ContractCommitmentApplicability"),
    *("BillingCurrency", "InvoiceIssuerName", "ServiceProviderName"),
)
BILLING_PERIOD = (
    *("BillingPeriodStart", "BillingPeriodEnd", "BillingPeriodStatus", "BillingPeriodCreated"),
    *("BillingPeriodLastUpdated", "InvoiceIssuerName"),
)
INVOICE_DETAIL = (
    *("InvoiceDetailId", "InvoiceId", "ReferenceInvoiceId", "BilledCost", "BillingAccountId", "BillingCurrency"),
    *("BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "InvoiceDetailCreated", "InvoiceDetailLastUpdated"),
    *("InvoiceDetailDescription", "InvoiceDetailGrain", "InvoiceIssueDate", "InvoiceIssueStatus"),
    *("InvoiceIssuerName", "PaymentDueDate", "PaymentTerms"),
)

FILES = frozenset({"cost-and-usage.csv", "contract-commitment.csv", "billing-period.csv", "invoice-detail.csv"})
"""All that an export may have."""

Cells = dict[str, str]


def focus(bill: Bill, now_s: int) -> dict[str, str]:
    """File name -> CSV text. A data set without a row is left out: one that is empty is none to FOCUS."""
    costs = [cells for statement in bill.statements for cells in _costs(bill, statement)]
    invoices = [cells for statement in bill.statements for cells in _details(bill, statement, now_s)]
    vouchers = [_commitment(voucher, now_s) for voucher in bill.vouchers]
    sets = {
        "cost-and-usage.csv": (COST_AND_USAGE, costs),
        "contract-commitment.csv": (CONTRACT_COMMITMENT, vouchers),
        "billing-period.csv": (BILLING_PERIOD, [_period(bill, now_s)]),
        "invoice-detail.csv": (INVOICE_DETAIL, invoices),
    }
    return {name: csv_text(columns, rows) for name, (columns, rows) in sets.items() if rows}


def _costs(bill: Bill, statement: Statement) -> Iterator[Cells]:
    for line in statement.lines:
        yield _usage(bill, statement, line)
        if line.voucher_fen:
            yield _credit(bill, statement, line)


def _usage(bill: Bill, statement: Statement, line: StatementLine) -> Cells:
    """A charge; or a refund: the same with the opposite sign, for the chip-hours that its amount is the price of."""
    cells = _row(bill, statement, line, "Usage", line.amount_fen)
    cells |= {
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": text_cell(line.reason or _described(line)),
        "x_ChargeKey": line.key,
        # A key that is in this bill; those of earlier months stand in a column of their own.
        "x_CorrectionOf": next((key for key in line.corrects if key.startswith(f"{bill.period.name}/")), ""),
        "x_Corrects": " ".join(line.corrects),
    }
    price, (per, unit) = Decimal(yuan(line.unit_fen)), _unit(line)
    unit = per + _UNITS.get(unit, unit)
    refund, meter = line.kind == "refund", line.sku if line.kind == "order" else "Chip time"
    quantity = _places(Decimal(yuan(line.amount_fen)), price) if refund else Decimal(line.quantity)
    consumed = {} if refund else {"ConsumedQuantity": _plain(quantity), "ConsumedUnit": unit}
    cost = _plain(_EXACT.multiply(price, quantity))
    cells |= {
        "ListCost": cost,
        "ContractedCost": cost,
        "ListUnitPrice": _plain(price),
        "ContractedUnitPrice": _plain(price),
        "PricingCategory": "Standard",
        "PricingQuantity": _plain(quantity),
        "PricingUnit": unit,
        "SkuId": line.sku,
        "SkuPriceId": f"{line.sku}/{line.unit_fen}",
        "SkuMeter": meter,
        "SkuPriceDetails": _json({"x_Chip": line.chip_id} if line.chip_id else {"x_Product": line.sku}),
    }
    return cells | consumed


def _unit(line: StatementLine) -> tuple[str, str]:
    """How many of it the price is for, with a space, or nothing for one; and the unit alone."""
    per, space, unit = line.unit.rpartition(" ")
    return per + space, unit


def _described(line: StatementLine) -> str:
    return line.name if line.kind == "order" else f"{line.name}, attempt {line.attempt}"


def _credit(bill: Bill, statement: Statement, line: StatementLine) -> Cells:
    """What a voucher took off, or with a refund gets back."""
    applied = (line.programme_id or "", line.voucher_id or "", line.voucher_fen)
    return _row(bill, statement, line, "Credit", -line.voucher_fen) | {
        "ChargeFrequency": "One-Time",
        "ChargeDescription": text_cell(f"voucher of {line.programme_id}"),
        "ContractApplied": _applied(*applied),
        "x_ChargeKey": f"{line.key}/voucher",
    }


def _row(bill: Bill, statement: Statement, line: StatementLine, category: str, fen: int) -> Cells:
    cost = yuan(fen)
    invoice = _invoice(bill, statement)
    until_s = line.until_s if line.until_s > line.from_s else line.from_s + 1
    return {
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
        **_of_period(bill),
        "BillingCurrency": CURRENCY,
        "BillingAccountId": statement.organisation_id,
        "BillingAccountName": text_cell(statement.name),
        "ChargePeriodStart": iso_utc(line.from_s),
        "ChargePeriodEnd": iso_utc(until_s),
        "ChargeCategory": category,
        "ChargeClass": "Correction" if line.corrects_earlier else "",
        **dict(zip(_SERVICE, _SERVICES.get(_unit(line)[1], _PLATFORM), strict=True)),
        "ServiceProviderName": US,
        "HostProviderName": line.centre_id,
        "InvoiceIssuerName": US,
        "InvoiceId": invoice,
        "InvoiceDetailId": f"{invoice}/{category}",
        "RegionId": line.centre_id,
        "RegionName": line.centre_id,
        "ResourceId": line.subject_id,
        "ResourceName": text_cell(line.name),
        "ResourceType": "Service order" if line.kind == "order" else "Job",
        "x_Attempt": str(line.attempt or ""),
    } | _project(statement, line)


def _project(statement: Statement, line: StatementLine) -> Cells:
    """A project is an account within that of its tenant."""
    if line.project is None:
        return {}
    named = f"{statement.organisation_id}/{line.project}"
    return {"SubAccountId": named, "SubAccountName": line.project, "SubAccountType": "Project"}


def _details(bill: Bill, statement: Statement, now_s: int) -> Iterator[Cells]:
    """One row per category of an invoice, each the sum of its cost rows."""
    sums: Counter[str] = Counter()
    for line in statement.lines:
        sums["Usage"] += line.amount_fen
        if line.voucher_fen:
            sums["Credit"] -= line.voucher_fen
    invoice, closed_s = _invoice(bill, statement), bill.period.closed_s
    for category in sorted(sums):
        yield {
            **_of_period(bill),
            "InvoiceDetailId": f"{invoice}/{category}",
            "InvoiceId": invoice,
            "ReferenceInvoiceId": invoice,
            "BilledCost": yuan(sums[category]),
            "BillingAccountId": statement.organisation_id,
            "BillingCurrency": CURRENCY,
            "ChargeCategory": category,
            "InvoiceDetailCreated": iso_utc(closed_s or now_s),
            "InvoiceDetailLastUpdated": iso_utc(closed_s or now_s),
            "InvoiceDetailDescription": category,
            "InvoiceDetailGrain": _json({"x_ChargeCategory": category}),
            "InvoiceIssueDate": iso_utc(closed_s) if closed_s else "",
            "InvoiceIssueStatus": "Issued" if closed_s else "Open",
            "InvoiceIssuerName": US,
            "PaymentTerms": "Prepaid",
        }


def _commitment(voucher: BilledVoucher, now_s: int) -> Cells:
    start, end = iso_utc(voucher.valid_from_s), iso_utc(voucher.valid_to_s or _FOREVER_S)
    return {
        "ContractId": voucher.programme_id,
        "ContractPeriodStart": start,
        "ContractPeriodEnd": end,
        "ContractCommitmentId": voucher.id,
        "ContractCommitmentType": "Compute voucher",
        "ContractCommitmentCategory": "Spend",
        "ContractCommitmentBenefitCategory": "Discount",
        "ContractCommitmentDiscountPercentage": _rate(voucher.rate_bp),
        "ContractCommitmentLifecycleStatus": _status(voucher, now_s),
        "ContractCommitmentCost": yuan(voucher.granted_fen),
        "ContractCommitmentPeriodStart": start,
        "ContractCommitmentPeriodEnd": end,
        "ContractCommitmentCreated": iso_utc(voucher.created_s),
        "ContractCommitmentLastUpdated": iso_utc(voucher.created_s),
        "ContractCommitmentDurationType": "12 Months",
        "ContractCommitmentFulfillmentInterval": "Transactional",
        "ContractCommitmentModel": "Continuous",
        "ContractCommitmentOfferCategory": "Public",
        "ContractCommitmentPaymentInterval": "Custom",
        "ContractCommitmentPaymentModel": "No Upfront",
        "ContractCommitmentPaymentUpfrontPercentage": "0",
        "ContractCommitmentApplicability": _json({"IsComplexScope": True, "x_Rule": voucher.rules_sha256}),
        "BillingCurrency": CURRENCY,
        "InvoiceIssuerName": US,
        "ServiceProviderName": US,
    }


def _status(voucher: BilledVoucher, now_s: int) -> str:
    if voucher.valid_to_s is not None and now_s >= voucher.valid_to_s:
        return "Expired"
    return "Active" if voucher.available_fen else "Exhausted"


def _period(bill: Bill, now_s: int) -> Cells:
    at = iso_utc(bill.period.closed_s or now_s)
    return {
        **_of_period(bill),
        "BillingPeriodStatus": "Closed" if bill.period.closed else "Open",
        "BillingPeriodCreated": iso_utc(bill.period.start_s),
        "BillingPeriodLastUpdated": at,
        "InvoiceIssuerName": US,
    }


def _of_period(bill: Bill) -> Cells:
    return {"BillingPeriodStart": iso_utc(bill.period.start_s), "BillingPeriodEnd": iso_utc(bill.period.end_s)}


def _invoice(bill: Bill, statement: Statement) -> str:
    return statement.invoice or f"open-{bill.period.name}-{statement.organisation_id}"


def _applied(programme_id: str, voucher_id: str, fen: int) -> str:
    named = _json({"ContractId": programme_id, "ContractCommitmentId": voucher_id})
    # The number is written as it is, without a float in between.
    return f'{{"Elements":[{named[:-1]},"ContractCommitmentAppliedCost":{yuan(fen)}}}]}}'


def _places(part: Decimal, whole: Decimal) -> Decimal:
    return _EXACT.divide(part, whole).quantize(QUANTITY_PLACES, context=_EXACT)


def _rate(rate_bp: int | None) -> str:
    return "" if rate_bp is None else _plain(Decimal(rate_bp) / BASIS_POINTS)


def _plain(number: Decimal) -> str:
    """Without an exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
