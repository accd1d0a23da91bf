"""A bill as FOCUS 1.4: another's checker accepts it, finds what was altered, and the sums are those of the book."""

import csv
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from suanwang.control import period, project, statement
from suanwang.domain.job import Cause
from suanwang.export.cells import text_cell
from suanwang.export.focus import focus
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.wire import Bill, NewProject
from tests.control.test_orders import GIB, STORAGE, TOKENS, TRANSFER, Shop
from tests.control.test_periods import NOVEMBER, ZONE, at_s, close
from tests.control.test_refunds import charged, give_back
from tests.control.test_story import assert_proofs

TOOL = Path(sys.executable).with_name("focus-toolkit")
SETS = ("cost-and-usage", "contract-commitment", "billing-period", "invoice-detail")
SUPPORTS = ("--supports", "SupportsUnitPricing", "--supports", "SupportsMultiplePricingCategories")


async def bill_of(net: SmallNetwork, name: str) -> Bill:
    async with net.db.transaction(snapshot=True) as tx:
        return await statement.of_all(tx, name, ZONE)


def written(bill: Bill, folder: Path, now_s: int) -> dict[str, list[dict[str, str]]]:
    for name, text in focus(bill, now_s).items():
        (folder / name).write_text(text, "utf-8")
    texts = {name: (folder / f"{name}.csv").read_text("utf-8") for name in there(folder)}
    return {name: list(csv.DictReader(text.splitlines())) for name, text in texts.items()}


def there(folder: Path) -> list[str]:
    return [name for name in SETS if (folder / f"{name}.csv").exists()]


def checked(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOL, *words], check=False, capture_output=True, text=True, timeout=120)


def problems(folder: Path) -> list[str]:
    found = []
    for name in there(folder):
        supports = SUPPORTS if name == "cost-and-usage" else ()
        done = checked("validate", "--dataset", name, *supports, str(folder / f"{name}.csv"))
        found += [done.stdout + done.stderr] if done.returncode else []
    done = checked("validate-bundle", "--directory", str(folder))
    return found + ([done.stdout + done.stderr] if done.returncode else [])


def assert_adds_up(found: dict[str, list[dict[str, str]]], bill: Bill) -> None:
    """Per invoice and category; in all as the statements and as the book."""
    sums: dict[tuple[str, str], Decimal] = {}
    for row in found["cost-and-usage"]:
        key = row["InvoiceId"], row["ChargeCategory"]
        sums[key] = sums.get(key, Decimal(0)) + Decimal(row["BilledCost"])
        assert row["EffectiveCost"] == row["BilledCost"]
        if row["PricingQuantity"]:
            assert Decimal(row["ListCost"]) == Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
            assert abs(Decimal(row["BilledCost"]) - Decimal(row["ListCost"])) < Decimal("0.01")
        if row["ChargeCategory"] == "Credit":
            assert len({row[f"{kind}Cost"] for kind in ("Billed", "Effective", "List", "Contracted")}) == 1
    details = {(row["InvoiceId"], row["ChargeCategory"]): Decimal(row["BilledCost"]) for row in found["invoice-detail"]}
    assert details == sums
    to_pay_fen = sum(one.cash_fen for one in bill.statements)
    assert sum(sums.values()) * 100 == to_pay_fen
    used_fen = sum(fen for (_, category), fen in sums.items() if category == "Usage") * 100
    assert used_fen == bill.period.charged_fen - bill.period.refunded_fen


@pytest.mark.timeout(120)
async def test_a_closed_month_and_the_one_that_corrects_it_are_accepted(net: SmallNetwork, tmp_path: Path) -> None:
    _, job = await charged(net, "offset")
    await give_back(net, job, 1)
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    bill = await bill_of(net, NOVEMBER)
    found = written(bill, tmp_path, net.now_s)
    assert problems(tmp_path) == []
    assert_adds_up(found, bill)
    classes = [(row["ChargeCategory"], row["BilledCost"], row["ChargeClass"]) for row in found["cost-and-usage"]]
    assert classes == [("Usage", "10.01", ""), ("Credit", "-5.00", ""), ("Usage", "-0.01", "")]
    assert found["billing-period"][0]["BillingPeriodStatus"] == "Closed"
    charge, _, correction = found["cost-and-usage"]
    assert correction["x_CorrectionOf"] == correction["x_Corrects"] == charge["x_ChargeKey"]

    await give_back(net, job, 500)
    bill = await bill_of(net, "2023-12")
    (tmp_path / "open").mkdir()
    found = written(bill, tmp_path / "open", net.now_s)
    assert problems(tmp_path / "open") == []
    assert_adds_up(found, bill)
    classes = [(row["ChargeCategory"], row["BilledCost"], row["ChargeClass"]) for row in found["cost-and-usage"]]
    assert classes == [("Usage", "-5.00", "Correction"), ("Credit", "2.50", "Correction")]
    later = found["cost-and-usage"][0]
    assert (later["x_CorrectionOf"], later["x_Corrects"]) == ("", charge["x_ChargeKey"])
    assert (await period.close(net.db, ADMIN, "2023-12", ZONE, net.call(ADMIN), at_s("2024-01-01"))).refunded_fen == 500


@pytest.mark.timeout(120)
async def test_use_that_costs_nothing_is_on_the_bill(net: SmallNetwork, tmp_path: Path) -> None:
    """Half an hour of a free pool, and thirty seconds of which the second and third ten cost no fen of their own."""
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east", fen_per_chip_hour=0)
    await net.turn()
    (free,) = await net.submit(tenant, job_spec(walltime_s=3_600))
    await net.turn()
    await net.turn(1_800)
    await net.offer("east", fen_per_chip_hour=100)
    (cheap,) = await net.submit(tenant, job_spec(walltime_s=3_600))
    await net.turn()
    for step in range(1, 4):
        await net.turn(10)
        east.save((cheap.job_id, 1), step, net.now_s)
        await net.turn()
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    bill = await bill_of(net, NOVEMBER)
    found = written(bill, tmp_path, net.now_s)
    assert problems(tmp_path) == []
    assert_adds_up(found, bill)
    rows = {row["ResourceId"]: (row["BilledCost"], row["PricingQuantity"]) for row in found["cost-and-usage"]}
    assert rows == {free.job_id: ("0.00", "0.5"), cheap.job_id: ("0.01", "0.008333333333")}


@pytest.mark.timeout(120)
async def test_service_orders_are_on_the_bill(net: SmallNetwork, tmp_path: Path) -> None:
    """5 GiB at one fen for 3, 2.5 million tokens at 2.50, and storage that costs less than a fen."""
    shop = Shop(net, await net.add_tenant("acme", 10_000))
    await net.add_centre("east")
    await net.offer("east", products=(TOKENS, STORAGE, TRANSFER))
    for product, amount in (("transfer", 5 * GIB), ("tokens", 2_500_000), ("storage", GIB)):
        await shop.use(await shop.order(product, 2_000), 0, amount)
    net.now_s = at_s("2023-12-01")
    line = await close(net, NOVEMBER)
    assert line.charged_fen == 2 + 625 + 1
    bill = await bill_of(net, NOVEMBER)
    (statement,) = bill.statements
    assert (statement.charged_fen, statement.cash_fen) == (line.charged_fen, line.charged_fen)
    lines = {one.sku: (one.kind, one.unit, one.quantity, one.cash_fen) for one in statement.lines}
    assert lines["transfer"] == ("order", "3 gib", "1.666666666667", 2)
    assert lines["tokens"] == ("order", "million-tokens", "2.5", 625)
    assert lines["storage"][3] == 1
    found = written(bill, tmp_path, net.now_s)
    assert problems(tmp_path) == []
    assert_adds_up(found, bill)
    assert "contract-commitment" not in found
    assert {row["ResourceType"] for row in found["cost-and-usage"]} == {"Service order"}
    sold = {row["SkuId"]: (row["ServiceCategory"], row["PricingUnit"]) for row in found["cost-and-usage"]}
    assert sold["transfer"] == ("Networking", "3 GiB")
    assert sold["storage"] == ("Storage", "GiB-Months")
    assert sold["tokens"] == ("AI and Machine Learning", "million-tokens")
    await assert_proofs(net)


@pytest.mark.timeout(120)
async def test_a_project_is_an_account_of_its_own(net: SmallNetwork, tmp_path: Path) -> None:
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_800, Cause.SUCCEEDED)
    await net.turn()
    await project.add(net.db, tenant, NewProject(name="vision"), ZONE, net.call(tenant), net.now_s)
    (job,) = await net.submit(tenant, replace(job_spec("train"), project="vision"))
    await net.submit(tenant, job_spec("other"))
    for _ in range(3):
        await net.turn(1_800)
    await give_back(net, job, 100)
    bill = await bill_of(net, NOVEMBER)
    (whole,) = bill.statements
    assert [(one.kind, one.name, one.project) for one in whole.lines] == [
        ("charge", "train", "vision"),
        ("charge", "other", None),
        ("refund", "train", "vision"),
    ]
    found = written(bill, tmp_path, net.now_s)
    assert problems(tmp_path) == []
    accounts = [(row["SubAccountId"], row["SubAccountName"], row["SubAccountType"]) for row in found["cost-and-usage"]]
    assert accounts == [("acme/vision", "vision", "Project"), ("", "", ""), ("acme/vision", "vision", "Project")]


@pytest.mark.timeout(120)
async def test_what_was_altered_is_found(net: SmallNetwork, tmp_path: Path) -> None:
    await charged(net, "offset")
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    written(await bill_of(net, NOVEMBER), tmp_path, net.now_s)
    file = tmp_path / "cost-and-usage.csv"
    whole = file.read_text("utf-8")
    for old, new in ((",Usage,", ",Use,"), ("Chip-Hours,10,10", "Chip-Hours,10,11"), ("2023-11-30T", "2023-11-31T")):
        assert old in whole
        file.write_text(whole.replace(old, new), "utf-8")
        assert problems(tmp_path) != []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =1", "\t=1"])
def test_a_cell_is_never_run(text: str) -> None:
    assert text_cell(text) == f"'{text}"
    assert text_cell(f"a{text}") == f"a{text}"
