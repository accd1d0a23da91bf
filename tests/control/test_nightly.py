"""Every night the hub proves its own records, and says what it found."""

import json

import asyncpg
import pytest

from suanwang.catalogue import read_catalogue
from suanwang.control.daemon import Hub, next_night_s, prove_tonight
from suanwang.testing.network import SmallNetwork
from tests.control.test_periods import ZONE, at_s


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2023-11-14T00:30", "2023-11-14T03:00"),
        ("2023-11-14T03:00", "2023-11-15T03:00"),
        ("2023-12-31T12:00", "2024-01-01T03:00"),
    ],
)
def test_it_is_due_at_three(now: str, due: str) -> None:
    assert next_night_s(at_s(now), ZONE) == at_s(due)


async def test_what_it_finds_is_told(net: SmallNetwork, caplog: pytest.LogCaptureFixture) -> None:
    await net.add_tenant("acme", 100)
    hub = Hub(net.db, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    await prove_tonight(hub)
    owner = await asyncpg.connect(net.db.url)
    await owner.execute("set session_replication_role = replica")
    await owner.execute("update balance set amount_fen = amount_fen + 1")
    await prove_tonight(hub)
    rows = await owner.fetch("select body from event where kind = 'proved' order by seq")
    await owner.close()
    good, bad = (json.loads(row["body"]) for row in rows)
    assert good == {"hold": True, "broken": []}
    assert bad == {"hold": False, "broken": ["balances_replay"]}
    assert "balances_replay" in caplog.text
