"""Who is behind a call, and who may make it.

Every endpoint carries `may`, the roles that may call it, or PUBLIC. The app refuses to start with an endpoint that does
not say. A guard runs before anything of the body is read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler

from suanwang.control.daemon import Hub
from suanwang.domain.tenant import ALL_ROLES, OVERSIGHT_ROLES, TENANT_ROLES, Actor, Role
from suanwang.errors import InvalidInput, NotAllowed, Unauthenticated
from suanwang.store import organisation
from suanwang.store.answer import Call

PUBLIC: frozenset[Role] = frozenset()
ANYBODY = ALL_ROLES
TENANTS = TENANT_ROLES
TENANT_ADMINS = frozenset({Role.TENANT_ADMIN})
TENANTS_AND_OVERSIGHT = TENANT_ROLES | OVERSIGHT_ROLES
ADMIN = frozenset({Role.NETWORK_ADMIN})
OFFICER = frozenset({Role.PROGRAMME_OFFICER})
LIST_KEEPERS = OFFICER | ADMIN
AGENT = frozenset({Role.CENTRE_AGENT})
OPERATORS = frozenset({Role.CENTRE_OPERATOR, Role.NETWORK_ADMIN})
OVERSIGHT = OVERSIGHT_ROLES
TOKEN_ISSUERS = frozenset({Role.NETWORK_ADMIN, Role.TENANT_ADMIN, Role.CENTRE_OPERATOR})
VOUCHER_READERS = TENANTS_AND_OVERSIGHT | OFFICER
BATCH_READERS = TENANTS_AND_OVERSIGHT | {Role.CENTRE_OPERATOR}
JOB_READERS = TENANTS_AND_OVERSIGHT | {Role.CENTRE_OPERATOR}

REMEMBERED_FOR_S = 5
"""How long a token's actor is remembered; a revoked token works at most so much longer at another hub process."""
MAX_REMEMBERED = 10_000
MAX_KEY_LENGTH = 200


@dataclass(slots=True)
class Doorkeeper:
    """Tokens seen a moment ago, so that not every call asks the database."""

    known: dict[bytes, tuple[int, Actor]] = field(default_factory=dict)

    def forget(self) -> None:
        self.known.clear()

    async def actor(self, hub: Hub, authorization: str | None) -> Actor:
        """Raises Unauthenticated."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("send a token: `Authorization: Bearer ...`", code="TOKEN_MISSING")
        digest = sha256(secret.strip().encode()).digest()
        now_s = hub.clock()
        at_s, actor = self.known.get(digest, (0, None))
        if actor is not None and 0 <= now_s - at_s < REMEMBERED_FOR_S:
            return actor
        async with hub.db.transaction() as tx:
            found = await organisation.actor_of_secret(tx, secret.strip(), now_s)
        if found is None:
            self.known.pop(digest, None)
            raise Unauthenticated("this token is not known, has ended or was revoked", code="TOKEN_REFUSED")
        if len(self.known) >= MAX_REMEMBERED:
            self.known.clear()
        self.known[digest] = (now_s, found)
        return found


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Before every endpoint: an actor with one of its roles, unless it is public."""
    may: frozenset[Role] | None = handler.opt.get("may")
    if may is None:  # the framework's own answers, such as OPTIONS
        raise MethodNotAllowedException
    if not may:
        return
    state = connection.app.state
    actor = await state.doorkeeper.actor(state.hub, connection.headers.get("authorization"))
    if actor.role not in may:
        raise NotAllowed(
            f"a {actor.role} may not do this; it takes {', '.join(sorted(may))}", role=actor.role, may=sorted(may)
        )
    connection.scope["user"] = actor


def endpoints(app: Litestar) -> Iterable[tuple[str, str, BaseRouteHandler]]:
    """(method, path, handler) of everything that answers."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            for method in sorted(getattr(handler, "http_methods", ())):
                if method != "OPTIONS":
                    yield method, route.path, handler


def require_declared(app: Litestar) -> None:
    """Raises RuntimeError naming an endpoint that does not say who may call it."""
    for method, path, handler in endpoints(app):
        if "may" not in handler.opt:
            raise RuntimeError(f"{method} {path} does not say who may call it")


def hub_of(request: Request[Any, Any, Any]) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


async def call_of(request: Request[Actor, Any, Any]) -> Call:
    """The idempotency key of a write with the digest of what was asked. Raises InvalidInput."""
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            "Idempotency-Key", key, f"a header of 1 to {MAX_KEY_LENGTH} characters, new for every new request"
        )
    asked = b"\0".join([request.method.encode(), request.url.path.encode(), await request.body()])
    return Call(request.user.organisation_id, key, sha256(asked).digest())
