"""A write that comes again with its key happens once, whatever came in between."""

from typing import Any

import httpx
import pytest

from suanwang.domain.tenant import Role
from tests.api.conftest import Served

NEW_TOKEN = {"organisation_id": "acme", "role": "tenant_member"}


async def tokens(served: Served) -> list[dict[str, Any]]:
    async with served.net.db.transaction() as tx:
        return [dict(row) for row in await tx.fetch("select id::text, revoked_s from token order by id")]


async def send(client: httpx.AsyncClient, method: str, path: str, key: str, body: object = None) -> httpx.Response:
    return await client.request(method, path, json=body, headers={"idempotency-key": key})


async def test_a_token_asked_for_twice_is_issued_once_and_its_secret_is_nowhere(served: Served) -> None:
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        first = await send(admin, "POST", "/v1/tokens", "k", NEW_TOKEN)
        assert first.status_code == 201, first.text
        issued, before = first.json(), await tokens(served)
        again = await send(admin, "POST", "/v1/tokens", "k", NEW_TOKEN)
        assert (again.status_code, again.json()["code"]) == (409, "SECRET_SHOWN_ONCE")
        assert again.json()["facts"]["token"] == issued["token_id"]
        other = await send(admin, "POST", "/v1/tokens", "k", {**NEW_TOKEN, "role": "tenant_admin"})
        assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert await tokens(served) == before
    async with served.net.db.transaction() as tx:
        answers = "\n".join(row["body"] or "" for row in await tx.fetch("select body::text as body from answer"))
    assert issued["token_id"] in answers
    assert issued["secret"] not in answers


async def test_a_token_is_revoked_once_and_the_same_call_says_so_again(served: Served) -> None:
    async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
        token_id = (await send(admin, "POST", "/v1/tokens", "k", NEW_TOKEN)).json()["token_id"]
        path = f"/v1/tokens/{token_id}"
        answers = [await send(admin, "DELETE", path, "revoke") for _ in range(2)]
        assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"revoked": token_id})] * 2
        assert (await send(admin, "DELETE", path, "another")).status_code == 404
        assert (await admin.delete(path)).status_code == 422


@pytest.mark.parametrize("role", [Role.CENTRE_OPERATOR, Role.NETWORK_ADMIN])
async def test_a_drain_that_comes_late_again_does_not_drain_what_was_resumed(served: Served, role: Role) -> None:
    async def state() -> str:
        async with served.client(None) as anybody:
            lines = {line["id"]: line["state"] for line in (await anybody.get("/v1/centres")).json()}
        return str(lines["east"])

    await served.net.sync(served.net.centres["east"])
    async with served.client(served.secrets[role]) as operator:
        first = await send(operator, "POST", "/v1/centres/east/drain", "drain")
        assert await state() == "drained"
        await send(operator, "POST", "/v1/centres/east/resume", "resume")
        assert await state() == "seen"
        again = await send(operator, "POST", "/v1/centres/east/drain", "drain")
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert await state() == "seen"
        wrong = await send(operator, "POST", "/v1/centres/east/resume", "drain")
        assert wrong.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
