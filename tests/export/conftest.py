from collections.abc import AsyncIterator

import pytest

from suanwang.store import db
from suanwang.store.migrate import migrate
from suanwang.testing.network import SmallNetwork


@pytest.fixture
async def net(database_url: str) -> AsyncIterator[SmallNetwork]:
    await migrate(database_url)
    database = await db.connect(database_url)
    small = SmallNetwork(database)
    await small.found()
    yield small
    await database.close()
