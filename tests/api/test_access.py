"""Who may call what: every endpoint, with every role and with none."""

import pytest
from litestar import Litestar, get

from suanwang.api.access import endpoints, require_declared
from suanwang.domain.tenant import Role
from tests.api.conftest import Served

FILLED = {
    "{path:str}": "nothing",
    "{reference:str}": "no-such-job",
    "{token_id:str}": "00000000-0000-0000-0000-000000000000",
    "{centre_id:str}": "east",
    "{sha256_hex:str}": "0" * 64,
    "{programme_id:str}": "no-such-programme",
    "{claim_id:str}": "00000000-0000-0000-0000-000000000000",
}


def filled(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    assert "{" not in path, path
    return path


async def test_every_endpoint_with_every_role_and_with_none(served: Served) -> None:
    seen = 0
    for method, path, handler in endpoints(served.app):
        may: frozenset[Role] = handler.opt["may"]
        for role in (None, *Role):
            async with served.client(served.secrets[role] if role else None) as client:
                answer = await client.request(method, filled(path))
            what = f"{method} {path} as {role}: {answer.status_code} {answer.text[:200]}"
            seen += 1
            if not may:
                assert answer.status_code not in (401, 403, 500), what
            elif role is None:
                assert answer.status_code == 401, what
                assert answer.headers["content-type"] == "application/problem+json", what
                assert answer.headers["www-authenticate"] == "Bearer", what
            elif role not in may:
                assert answer.status_code == 403, what
                assert answer.json()["code"] == "NOT_ALLOWED", what
            else:
                # Let through: what follows is about the empty call, never about the role.
                assert answer.status_code not in (401, 500), what
                assert answer.json().get("facts", {}).get("may") is None if answer.status_code == 403 else True, what
    assert seen > 8 * 25


def test_an_endpoint_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    @get("/open")
    async def forgotten() -> None: ...

    with pytest.raises(RuntimeError, match="/open"):
        require_declared(Litestar([forgotten], openapi_config=None))


BAD_HEADERS = ["", "Bearer", "Bearer ", "Basic abc", "Bearer wrong", "bearer sw_x y", "Bearer \x7f"]


@pytest.mark.parametrize("header", BAD_HEADERS)
async def test_bad_tokens(served: Served, header: str) -> None:
    async with served.client(None) as client:
        answer = await client.get("/v1/me", headers={"authorization": header})
    assert answer.status_code == 401


async def test_a_revoked_token_ends_at_once(served: Served) -> None:
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as member:
        me = (await member.get("/v1/me")).json()
        async with served.client(served.secrets[Role.NETWORK_ADMIN]) as admin:
            assert (
                await admin.delete(f"/v1/tokens/{me['token_id']}", headers={"idempotency-key": "k"})
            ).status_code == 200
        assert (await member.get("/v1/me")).status_code == 401


async def test_openapi_lists_every_endpoint(served: Served) -> None:
    async with served.client(None) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    for method, path, _ in endpoints(served.app):
        if path.startswith("/v1"):
            plain = path.replace(":str}", "}")
            assert method.lower() in document["paths"][plain], path
