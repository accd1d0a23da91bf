"""What a hub says about itself to whoever watches it."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from httpx import AsyncClient

from suanwang.control import daemon
from suanwang.domain.tenant import Role
from tests.api.conftest import Served


async def test_events_that_wait_for_somebody_elses_transaction_are_shown_and_told(
    served: Served, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        assert (await admin.get("/health")).json()["status"] == "up"
        await until(lambda: held_back_s(admin, 0))
        stranger = await asyncpg.connect(postgres_url)  # another database of the same cluster
        try:
            await stranger.execute("begin; select pg_current_xact_id()")
            new = {"id": "late", "name": "Late", "kind": "tenant"}
            added = await admin.post("/v1/organisations", json=new, headers={"idempotency-key": "k"})
            assert added.status_code == 201
            assert not await daemon.tell_if_held_back(served.hub)  # a moment is normal
            served.net.now_s += 35
            assert await held_back_s(admin, 35)
            pid = stranger.get_server_pid()

            async def stranger_is_told() -> bool:
                assert await daemon.tell_if_held_back(served.hub)
                return f"process {pid} in database postgres" in caplog.text

            await until(stranger_is_told)
            assert "events of the last 35 s are held back by" in caplog.text
            await stranger.execute("rollback")
            await until(lambda: held_back_s(admin, 0))
        finally:
            await stranger.close()


async def held_back_s(admin: AsyncClient, expected: int) -> bool:
    return bool((await admin.get("/health")).json()["events_held_back_s"] == expected)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """The server's own upkeep (autovacuum) may be the oldest transaction for a moment."""
    async with asyncio.timeout(30):
        while True:
            if await true():
                return
            await asyncio.sleep(0.05)
