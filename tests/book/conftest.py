"""A database with our tables, for tests that run loops or processes of their own."""

import pytest

from suanwang.store.migrate import migrate


@pytest.fixture
async def book_url(database_url: str) -> str:
    """The URL of a database with an empty book."""
    await migrate(database_url)
    return database_url
