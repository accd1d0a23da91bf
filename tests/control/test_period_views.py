"""What a finance office sees of a month: tables and a file, from a real bill."""

import csv
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from suanwang.cli.period import earnings_table, period_table, statement_view, statements_table, write_lines
from suanwang.control import period, statement
from suanwang.testing.network import SmallNetwork
from suanwang.wire import PeriodLine, Statement
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
    write_lines([found], tmp_path / "lines.csv")
    rows = list(csv.DictReader((tmp_path / "lines.csv").read_text("utf-8").splitlines()))
    assert [(row["kind"], row["amount_fen"]) for row in rows] == [("charge", "1001"), ("refund", "-1")]


async def test_before_the_first_closing_the_month_that_is_over_is_the_next(net: SmallNetwork) -> None:
    await charged(net, "offset")
    async with net.db.transaction(snapshot=True) as tx:
        during = await period.listed(tx, ZONE, net.now_s)
        after = await period.listed(tx, ZONE, at_s("2023-12-05"))
    assert [one.name for one in during] == [one.name for one in after] == [NOVEMBER]


def test_everybody_is_a_line() -> None:
    line = PeriodLine(NOVEMBER, 0, 1, True, 1, 1, 0, 0)
    found = [Statement(line, name, name.title(), None, [], 1_234, 0, 0, 1_234, 0) for name in ("acme", "beta")]
    text = shown(statements_table(found))
    assert text.count("12.34") == 4
    assert "Beta" in text
