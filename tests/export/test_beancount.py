"""The book in Beancount: its own checker adds it up, and finds what was altered."""

import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from suanwang.control import order, seal, settle, voucher
from suanwang.control.prove import prove
from suanwang.domain import movements
from suanwang.domain.job import Cause
from suanwang.domain.ledger import CASH
from suanwang.domain.product import Product, Unit
from suanwang.domain.seal import verify
from suanwang.domain.tenant import Actor, Role
from suanwang.export.beancount import beancount
from suanwang.store.posting import post
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.wire import NewOrder, NewUse
from tests.control.test_paying import FACTS, grant

BEAN_CHECK = Path(sys.executable).with_name("bean-check")


def checked(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "book.beancount").write_text(text, "utf-8")
    return subprocess.run(
        [BEAN_CHECK, "--no-cache", str(folder / "book.beancount")],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


async def book(net: SmallNetwork) -> list[str]:
    """Vouchers of two programmes in both flows, a job that failed and one that ran, what expired, a settlement."""
    tenant = await net.add_tenant("acme", 10**6, FACTS)
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_801, Cause.FAILED if order.job_name == "fails" else Cause.SUCCEEDED)
    for programme_id in ("a-programme-with-a-very-long-name-2025", "a-programme-with-a-very-long-name-2026"):
        await grant(net, tenant, programme_id, "east", 700, 1)
    await net.turn()
    await net.submit(tenant, job_spec("runs", chips=2), job_spec("fails"), job_spec("runs-too"))
    await net.turn()
    await net.turn(3_600)
    await net.offer("east", products=(Product("tokens", "Tokens", Unit.MILLION_TOKENS, 250),))
    new = NewOrder(centre_id="east", product_id="tokens", limit_fen=1_000)
    bought = UUID(await order.create_order(net.db, tenant, new, net.call(tenant), net.now_s))
    net.now_s += 60
    use = NewUse(from_s=net.now_s - 60, until_s=net.now_s, quantity=10**6)
    await order.report_use(
        net.db, Actor("agent", "east-org", Role.CENTRE_AGENT, "east"), "east", bought, use, "k", net.now_s
    )
    await settle.settle(net.db, ADMIN, net.call(ADMIN), net.now_s)
    net.now_s += 100 * 86_400
    await voucher.expire_vouchers(net.db, net.now_s)
    async with net.db.transaction() as tx:  # ids that differ in nothing that a name of Beancount may hold
        odd = [movements.top_up(name, 3, "k", net.now_s, 'a "quoted" \\ actor') for name in ("a_b", "a/b", "a-b")]
        await post(tx, odd, net.now_s)
    await seal.seal_all(net.db, net.now_s)
    assert (await prove(net.db, net.now_s)).hold
    return [line async for line in seal.export(net.db, 0, 2**40)]


async def test_bean_check_accepts_the_whole_book(net: SmallNetwork, tmp_path: Path) -> None:
    lines = await book(net)
    text = "\n".join(beancount(lines)) + "\n"
    done = checked(text, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = verify(lines)
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \* ", text, re.MULTILINE)) == found.transactions > 10
    assert len(re.findall(r"^\d{4}-\d\d-\d\d balance ", text, re.MULTILINE)) == len(found.balances)
    owed = re.findall(r"balance Liabilities:Payable:East:CNY +(\S+) (\S+)$", text, re.MULTILINE)
    assert owed == [("0.00", CASH)]
    assert len(set(re.findall(r" (CNY\S*)$", text, re.MULTILINE))) == 3


@pytest.mark.parametrize("place", range(3))
async def test_bean_check_finds_an_altered_fen(net: SmallNetwork, tmp_path: Path, place: int) -> None:
    text = "\n".join(beancount(await book(net))) + "\n"
    amounts = list(re.finditer(r"^  Liabilities:\S+  (-?\d+\.\d)(\d) ", text, re.MULTILINE))
    spoilt = amounts[place * (len(amounts) - 1) // 2]
    digit = str((int(spoilt[2]) + 1) % 10)
    done = checked(text[: spoilt.start(2)] + digit + text[spoilt.end(2) :], tmp_path)
    assert done.returncode == 1


def test_an_empty_book_is_an_empty_ledger(tmp_path: Path) -> None:
    assert checked("\n".join(beancount([])), tmp_path).returncode == 0
