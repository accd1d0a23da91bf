"""What a finance office sees of a month: tables and a file, from a real bill."""

import csv
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from suanwang.cli.period import earnings_table, period_table, statement_view, write_lines
from suanwang.control import period, statement
from suanwang.testing.network import SmallNetwork
from tests.control.test_periods import NOVEMBER, ZONE, at_s, close, tenant_statement
from tests.control.test_refunds import charged, give_back


def shown(what: RenderableType) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(what)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


async def test_a_month_as_it_is_shown_and_written(net: SmallNetwork, tmp_path: Path) -> None:
    _, job = await charged(net, "offset")
    await give_back(net, job, 1)
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    async with net.db.transaction(snapshot=True) as tx:
        listed = await period.listed(tx, ZONE, net.now_s)
        earned = await statement.of_centres(tx, NOVEMBER, None, ZONE)
    assert [(one.name, one.closed) for one in listed] == [(NOVEMBER, True), ("2023-12", False)]
    assert "10.01" in shown(period_table(listed))
    found = await tenant_statement(net, NOVEMBER)
    text = shown(statement_view(found))
    assert "SW-2023-11-acme" in text
    assert "the node was slow" in text
    assert "5.00" in shown(earnings_table(earned))
    write_lines(found, tmp_path / "lines.csv")
    rows = list(csv.DictReader((tmp_path / "lines.csv").read_text("utf-8").splitlines()))
    assert [(row["kind"], row["amount_fen"]) for row in rows] == [("charge", "1001"), ("refund", "-1")]
