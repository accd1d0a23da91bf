"""The pages of the finance office and of its auditor: every command is run as it stands there, on a small network.

Real are the database, the hub's HTTP, the command line and the book; centres are virtual, and so is the time, because a
month must be over before it is closed.
"""

import asyncio
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from suanwang.api.app import create_app
from suanwang.catalogue import read_catalogue
from suanwang.cli.profile import Profile, write_profile
from suanwang.control import voucher
from suanwang.control.daemon import Hub
from suanwang.domain.job import Cause
from suanwang.domain.tenant import Actor
from suanwang.i18n import speaking
from suanwang.store import db
from suanwang.store.migrate import migrate
from suanwang.testing.network import SmallNetwork, job_spec
from suanwang.testing.processes import free_port
from suanwang.units import fen_of_yuan
from suanwang.wire import ContractPart, NewClaim, NewProgramme
from suanwang.words import word
from tests.control.test_periods import at_s
from tests.docs.test_commands import ROOT, blocks

MONTH, TRAIL = "docs/how-to/close-a-month.md", "docs/how-to/follow-a-fen.md"
SILENT = "http://127.0.0.1:9"
"""Nobody listens there."""
RULES = """
id: trial
budget: {co_funding: [{level: city, share_bp: 6000}, {level: district, share_bp: 4000}]}
rates: [{when: {}, rate_max_bp: 5000}]
redemption: {flow: offset, after_payment: false}
voucher: {validity_months: 6, share_of_bill_max_bp: 5000}
"""
REPAID = RULES.replace("trial", "repaid").replace("offset", "reimburse").replace("false", "true")


@dataclass
class Office:
    """A network whose November is over, and the folder in which its finance office works."""

    net: SmallNetwork
    folder: Path
    port: int

    async def run(self, script: str, *, online: bool = True) -> str:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SUANWANG_HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
            **({} if online else {"SUANWANG_URL": SILENT}),
        }
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
        return done.stdout

    async def ask(self, command: str) -> object:
        return json.loads(await self.run(f"{command} --json"))


@pytest.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    await migrate(database_url)
    database = await db.connect(database_url)
    net = SmallNetwork(database, now_s=at_s("2026-11-10"))
    await net.found()
    await november(net)
    net.now_s = at_s("2026-12-02")
    hub = Hub(database, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    office = Office(net, tmp_path, free_port())
    url = f"http://127.0.0.1:{office.port}"
    server = Server(create_app(hub), port=office.port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    write_profile(tmp_path / "home", "default", Profile(url, "secret-of-the-first-administrator"))
    await office.run("until suanwang whoami; do sleep 0.2; done")
    await office.run("suanwang token issue --organisation acme --role tenant_admin --save-profile acme")
    yield office
    server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
    await serving
    await database.close()


async def november(net: SmallNetwork) -> None:
    """Three jobs of 10.01 yuan: two of acme half on a voucher of `trial`, one of beta that `repaid` repays by half."""
    acme, beta = [await net.add_tenant(one, 10_000, {"legal_person": True}) for one in ("acme", "beta")]
    east = await net.add_centre("east")
    east.run_s = lambda order: (3_601, Cause.SUCCEEDED)
    officer = await net.add_agency("agency")
    for rules, programme, tenant in ((RULES, "trial", acme), (REPAID, "repaid", beta)):
        new = NewProgramme(rules=rules, automatic_limit_fen=10**8)
        await voucher.add_programme(net.db, officer, new, net.call(officer), net.now_s)
        await voucher.fund(net.db, officer, programme, 10**6, net.call(officer), net.now_s)
        part = ContractPart(kind="intelligent", amount_fen=100_000)
        claim = NewClaim(programme_id=programme, contract_id="C", signed_on="2026-11-01", term_days=9, parts=(part,))
        await voucher.claim(net.db, tenant, claim, net.call(tenant), net.now_s)
    await net.turn()
    for tenant, name in ((acme, "train"), (acme, "probe"), (beta, "course")):
        await run(net, tenant, name)


async def run(net: SmallNetwork, tenant: Actor, name: str) -> None:
    await net.submit(tenant, job_spec(name, walltime_s=7_200))
    await net.turn()
    await net.turn(3_601)


def told_on(page: str) -> list[tuple[str, ...]]:
    """The rows of the table of transfers."""
    text = (ROOT / page).read_text("utf-8").partition("| what | from | to |")[2]
    found = re.findall(r"^\|(.*)\|(.*)\|(.*)\|(.*)\|(.*)\|$", text, re.MULTILINE)
    rows = [tuple(cell.strip() for cell in row) for row in found]
    return [row for row in rows if "---" not in row[0]]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_month_is_closed_and_a_fen_followed_by_the_book_of_the_pages(office: Office) -> None:
    (office.folder / "bill").mkdir()
    stale = [office.folder / "bill" / name for name in ("contract-commitment.csv", "notes.txt")]
    for file in stale:
        file.write_text("of another month")
    told = await office.run("\n".join(blocks(MONTH)))
    for said in ("SW-2026-11-acme", "dispute 1, not answered", "city 3.00, district 2.00", "disputed (1)"):
        assert said in told, said
    proofs = re.search(r"(\d+) of (\d+) statements hold", told)
    assert proofs is not None
    assert proofs[1] == proofs[2]

    batches = {one["id"]: one for one in await office.ask("suanwang settlement list")}  # type: ignore[attr-defined]
    assert {name: (one["state"], one["cash_fen"], one["voucher_fen"]) for name, one in batches.items()} == {
        "S-2026-11-east": ("paid", 501 + 1_001, {"trial": 500}),
        "R-2026-11-beta": ("rejected", 0, {"repaid": 500}),
        "S-2026-11-east.2": ("paid", 501, {"trial": 500}),
        "R-2026-11-beta.2": ("paid", 0, {"repaid": 500}),
    }
    assert batches["R-2026-11-beta.2"]["funders"] == {"repaid": {"city": 300, "district": 200}}
    dues = [
        (one["programme_id"], one["level"], one["batch_id"], one["amount_fen"])
        for one in await office.ask("suanwang settlement dues --period 2026-11")  # type: ignore[attr-defined]
    ]
    shares = [("city", 300), ("district", 200)]
    assert dues == [
        *(("repaid", level, "R-2026-11-beta.2", fen) for level, fen in shares),
        *(("trial", level, batch, fen) for batch in ("S-2026-11-east", "S-2026-11-east.2") for level, fen in shares),
    ]
    steps = batches["S-2026-11-east"]["steps"]
    assert steps[0]["actor"] != steps[1]["actor"]
    assert (await office.ask("suanwang settle"))["payments"] == []  # type: ignore[index]

    vouchers = list(csv.DictReader(stale[0].read_text("utf-8").splitlines()))
    assert [row["ContractId"] for row in vouchers] == ["trial"]
    assert stale[1].read_text() == "of another month"
    (december,) = (await office.ask("suanwang statement --period 2026-12 --profile acme"))["lines"]  # type: ignore[index]
    assert (december["amount_fen"], december["dispute"], december["corrects_earlier"]) == (-350, 1, True)
    lines = list(csv.DictReader((office.folder / "acme.csv").read_text("utf-8").splitlines()))
    assert december["corrects"] == [row["key"] for row in lines if row["name"] == "probe"]

    first, *offline = blocks(TRAIL)
    await office.run(first)
    told = await office.run("\n".join(offline), online=False)
    assert "✓ the book is as it was sealed, and every batch and payment is what its lines say" in told
    found = json.loads(await office.run("suanwang trace trial --in audit --json", online=False))
    with speaking("en"):
        transfers = [
            (
                word(one["kind"]),
                *(one[end].split(":")[0] for end in ("source", "target")),
                one["amount_fen"],
                one["batch"],
            )
            for one in found["steps"]
        ]
    assert transfers == [(*row[:3], fen_of_yuan(row[3]), row[4] or None) for row in told_on(TRAIL)]
    assert found["open_fen"] == {"payable:east:CNY@trial": -174}

    # A batch of the folder that says another amount is found, and named.
    file = office.folder / "audit" / "settlements.jsonl"
    file.write_text(file.read_text("utf-8").replace('"city":300', '"city":301', 1), "utf-8")
    refused = await office.run("suanwang trace train --in audit && exit 1 || test $? = 1", online=False)
    assert "owe 5.01 yuan" in refused


async def test_an_export_takes_the_place_of_an_earlier_one_whole(office: Office) -> None:
    """No voucher took anything off in October: its folder has no file of vouchers, whatever was there before."""
    folder = office.folder / "bill"
    folder.mkdir()
    (folder / "contract-commitment.csv").write_text("stale")
    await office.run("suanwang export focus --period 2026-10 --out bill")
    assert sorted(path.name for path in folder.iterdir()) == ["billing-period.csv"]
