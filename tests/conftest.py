"""What tests of all layers share: one embedded PostgreSQL server per test process, one empty database per test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from suanwang.store import embedded

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
"""Tests of what survives a crash start servers of their own (tests/store/test_embedded.py)."""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a path short enough for sockets, which the database's system user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="sw-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server that lives as long as this test process; other processes have their own."""
    folder = Path(tempfile.mkdtemp(prefix="sw-", dir="/tmp"))
    try:
        yield embedded.start(folder, settings=NOT_DURABLE)
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a new, empty database, dropped after the test together with its connections."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.replace("/postgres?", f"/{name}?")
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
