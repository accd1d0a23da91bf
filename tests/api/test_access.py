"""Who may call what: every endpoint, with every role and with none."""

from itertools import product

import pytest
from litestar import Litestar, get

from suanwang.api.access import endpoints, require_declared
from suanwang.domain.tenant import Role
from tests.api.conftest import Served

# Who may call what, written down here a second time on purpose: +, let in; ., refused for the role.
# A new endpoint needs a line, and a changed declaration has to be changed here too.
TABLE = """
method path                             nobody member admin operator agent officer auditor network
GET    /health                          +      +      +     +        +     +       +       +
GET    /openapi.json                    +      +      +     +        +     +       +       +
GET    /v1/centres                      +      +      +     +        +     +       +       +
GET    /v1/me                           .      +      +     +        +     +       +       +
GET    /v1/programmes                   .      +      +     +        +     +       +       +
POST   /v1/organisations                .      .      .     .        .     .       .       +
POST   /v1/tokens                       .      .      +     +        .     .       .       +
GET    /v1/tokens                       .      .      .     .        .     .       +       +
DELETE /v1/tokens/{token_id}            .      .      .     .        .     .       .       +
POST   /v1/top-ups                      .      .      .     .        .     .       .       +
GET    /v1/account                      .      +      +     .        .     .       .       .
POST   /v1/centres                      .      .      .     +        .     .       .       +
POST   /v1/centres/{centre_id}/drain    .      .      .     +        .     .       .       +
POST   /v1/centres/{centre_id}/resume   .      .      .     +        .     .       .       +
POST   /v1/centres/{centre_id}/lost     .      .      .     .        .     .       .       +
POST   /v1/centres/{centre_id}/rejoin   .      .      .     +        .     .       .       +
GET    /v1/products                     +      +      +     +        +     +       +       +
POST   /v1/orders                       .      +      +     .        .     .       .       .
GET    /v1/orders                       .      +      +     +        +     .       +       +
GET    /v1/orders/{reference}           .      +      +     +        +     .       +       +
POST   /v1/orders/{reference}/close     .      +      +     .        .     .       .       .
POST   /v1/agent/{centre_id}/orders/{reference}/uses . . .  .        +     .       .       .
POST   /v1/bookings                     .      .      .     +        .     .       .       +
GET    /v1/bookings                     .      +      +     +        .     .       +       +
DELETE /v1/bookings/{booking_id}        .      .      .     +        .     .       .       +
POST   /v1/maintenance                  .      .      .     +        .     .       .       +
GET    /v1/maintenance                  .      .      .     +        .     .       +       +
DELETE /v1/maintenance/{window_id}      .      .      .     +        .     .       .       +
POST   /v1/quotes                       .      +      +     .        .     .       .       .
POST   /v1/jobs                         .      +      +     .        .     .       .       .
GET    /v1/jobs                         .      +      +     +        .     .       +       +
GET    /v1/jobs/{reference}             .      +      +     .        .     .       +       +
GET    /v1/jobs/{reference}/events      .      +      +     .        .     .       +       +
GET    /v1/jobs/{reference}/log         .      +      +     .        .     .       +       +
POST   /v1/jobs/{reference}/cancel      .      +      +     .        .     .       .       .
POST   /v1/jobs/{reference}/abandon     .      .      .     .        .     .       .       +
POST   /v1/jobs/{reference}/refunds     .      .      .     .        .     .       .       +
POST   /v1/agent/{centre_id}/sync       .      .      .     .        +     .       .       .
PUT    /v1/blobs                        .      +      +     .        +     .       .       .
GET    /v1/blobs/{sha256_hex}           .      +      +     .        +     .       .       .
POST   /v1/programmes                   .      .      .     .        .     +       .       .
POST   /v1/programmes/{programme_id}/fundings . .    .     .        .     +       .       .
POST   /v1/provider-lists               .      .      .     .        .     +       .       +
GET    /v1/provider-lists               .      +      +     +        +     +       +       +
POST   /v1/claims                       .      +      +     .        .     .       .       .
GET    /v1/claims                       .      +      +     .        .     +       +       +
POST   /v1/claims/{claim_id}/decision   .      .      .     .        .     +       .       .
POST   /v1/vouchers/{voucher_id}/claw-back  .  .      .     .        .     +       .       .
POST   /v1/vouchers/{voucher_id}/repayments .  .      .     .        .     +       .       .
GET    /v1/vouchers                     .      +      +     .        .     +       +       +
GET    /v1/settlement                   .      .      .     .        .     .       +       +
POST   /v1/settlements                  .      .      .     .        .     .       .       +
GET    /v1/settlements                  .      +      +     +        .     .       +       +
GET    /v1/dues                         .      .      .     .        .     +       +       +
GET    /v1/settlements/{batch_id}       .      +      +     +        .     .       +       +
POST   /v1/settlements/{batch_id}/approve .    .      .     .        .     .       .       +
POST   /v1/settlements/{batch_id}/reject .     .      .     .        .     .       .       +
POST   /v1/settlements/{batch_id}/pay   .      .      .     .        .     .       .       +
POST   /v1/periods/{period_name}/settlements . .      .     .        .     .       .       +
GET    /v1/proofs                       .      .      .     .        .     .       +       +
GET    /v1/seals                        +      +      +     +        +     +       +       +
GET    /v1/book                         .      .      .     .        .     .       +       +
POST   /v1/jobs/{reference}/disputes    .      +      +     +        .     .       .       .
GET    /v1/disputes                     .      +      +     +        .     .       +       +
POST   /v1/disputes/{reference}/answer  .      .      .     .        .     .       .       +
POST   /v1/projects                     .      .      +     .        .     .       .       .
GET    /v1/projects                     .      +      +     .        .     .       +       +
GET    /v1/projects/{project_name}       .      +      +     .        .     .       .       .
POST   /v1/projects/{project_name}/budget .      .      +     .        .     .       .       .
GET    /v1/project-alerts               .      +      +     .        .     .       +       +
GET    /v1/periods                      .      .      .     .        .     .       +       +
GET    /v1/periods/{period_name}        .      .      .     .        .     .       +       +
POST   /v1/periods/{period_name}/close  .      .      .     .        .     .       .       +
GET    /v1/periods/{period_name}/statement .   +      +     .        .     .       +       +
GET    /v1/periods/{period_name}/centres .     .      .     +        .     .       +       +
GET    /v1/periods/{period_name}/bill   .      .      .     .        .     .       +       +
"""
COLUMNS: dict[str, Role | None] = {
    "nobody": None,
    "member": Role.TENANT_MEMBER,
    "admin": Role.TENANT_ADMIN,
    "operator": Role.CENTRE_OPERATOR,
    "agent": Role.CENTRE_AGENT,
    "officer": Role.PROGRAMME_OFFICER,
    "auditor": Role.AUDITOR,
    "network": Role.NETWORK_ADMIN,
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "SUANWANG")
FILLED = {
    "{reference}": "no-such-job",
    "{token_id}": "00000000-0000-0000-0000-000000000000",
    "{centre_id}": "east",
    "{sha256_hex}": "0" * 64,
    "{programme_id}": "no-such-programme",
    "{booking_id}": "no-such-booking",
    "{period_name}": "no-such-period",
    "{batch_id}": "no-such-batch",
    "{project_name}": "no-such-project",
    "{window_id}": "no-such-maintenance",
    "{claim_id}": "00000000-0000-0000-0000-000000000000",
    "{voucher_id}": "00000000-0000-0000-0000-000000000000",
}


def expected() -> dict[tuple[str, str], dict[Role | None, bool]]:
    """(method, path) -> role -> whether it is let in."""
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    assert head[2:] == list(COLUMNS)
    found = {}
    for method, path, *cells in lines:
        assert len(cells) == len(COLUMNS), path
        found[method, path] = {role: cell == "+" for role, cell in zip(COLUMNS.values(), cells, strict=True)}
    assert set(COLUMNS.values()) == {None, *Role}
    return found


def served_endpoints(app: Litestar) -> set[tuple[str, str]]:
    """What the framework really routes, whatever is declared: every method of every path, without its own OPTIONS."""
    return {
        (method, route.path.replace(":str}", "}"))
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }


def filled(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    assert "{" not in path, path
    return path


def test_every_endpoint_has_a_line_in_the_table(served: Served) -> None:
    assert served_endpoints(served.app) == set(expected())


@pytest.mark.parametrize("column", COLUMNS)
async def test_every_endpoint_with_every_role_and_with_none(served: Served, column: str) -> None:
    role = COLUMNS[column]
    async with served.client(served.secrets[role] if role else None) as client:
        for (method, path), allowed in expected().items():
            answer = await client.request(method, filled(path))
            what = f"{method} {path} as {column}: {answer.status_code} {answer.text[:200]}"
            if allowed[role]:
                # Let in: what follows is about the empty call, never about the role.
                assert answer.status_code in (200, 400, 404, 422), what
                continue
            assert answer.status_code == (401 if role is None else 403), what
            assert answer.headers["content-type"] == "application/problem+json", what
            assert answer.json()["code"] == ("TOKEN_MISSING" if role is None else "NOT_ALLOWED"), what
            if role is None:
                assert answer.headers["www-authenticate"] == "Bearer", what


@pytest.mark.parametrize("column", ["nobody", "member", "network"])
async def test_every_other_method_of_every_path_is_refused(served: Served, column: str) -> None:
    """Also HEAD and OPTIONS: nothing is learned by a method that nobody thought of."""
    role = COLUMNS[column]
    known = set(expected())
    async with served.client(served.secrets[role] if role else None) as client:
        for path in {path for _, path in known}:
            for method in METHODS:
                if (method, path) in known:
                    continue
                answer = await client.request(method, filled(path))
                what = f"{method} {path} as {column}: {answer.status_code} {answer.text[:200]}"
                assert answer.status_code == 405, what
                assert answer.headers["content-type"] == "application/problem+json", what
                assert method == "HEAD" or answer.json()["code"] == "METHOD_NOT_ALLOWED", what


UNKNOWN_PATHS = ["/", "/v1", "/v1/", "/v2/jobs", "/v1/jobs/a/b", "/v1/agent", "/v1/agent/east", "/V1/jobs", "/docs"]
UNKNOWN_PATHS += ["/openapi.yaml", "/schema", "/metrics", "/v1/tokens/x/y", "/health/x", "/openapi.json/x"]


async def test_unknown_paths_are_not_found(served: Served) -> None:
    for role in (None, Role.NETWORK_ADMIN):
        async with served.client(served.secrets[role] if role else None) as client:
            for method, path in product(METHODS, UNKNOWN_PATHS):
                answer = await client.request(method, path)
                what = f"{method} {path} as {role}: {answer.status_code} {answer.text[:200]}"
                assert answer.status_code == 404, what
                assert answer.headers["content-type"] == "application/problem+json", what
                assert method == "HEAD" or answer.json()["code"] == "NOT_FOUND", what


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
