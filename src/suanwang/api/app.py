"""The HTTP application of a hub."""

from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from suanwang import __version__
from suanwang.api import (
    agent,
    bill,
    calendar,
    dispute,
    job,
    network,
    order,
    period,
    project,
    provider,
    settlement,
    voucher,
)
from suanwang.api.access import PUBLIC, Doorkeeper, guard, require_declared
from suanwang.api.problems import HANDLERS
from suanwang.control.daemon import Hub

MAX_BODY_BYTES = 16 * 2**20
ROOMS = (network, calendar, job, dispute, order, agent, voucher, provider, settlement, bill, period, project)
DESCRIBED: list[Any] = [route for room in ROOMS for route in room.ROUTES]


@get("/openapi.json", opt={"may": PUBLIC}, media_type="application/vnd.oai.openapi+json", sync_to_thread=True)
def openapi() -> bytes:
    """What the hub understands, as an OpenAPI document."""
    return _description()


@cache
def _description() -> bytes:
    """Written by an application that nobody calls: the framework's own routes for it answer any path, in HTML."""
    config = OpenAPIConfig(
        title="Suanwang",
        version=__version__,
        description="Many independent AI computing centres as one utility. Errors are RFC 9457 problem documents.",
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"token": []}],
    )
    return msgspec.json.encode(Litestar(DESCRIBED, openapi_config=config).openapi_schema.to_schema())


def create_app(hub: Hub) -> Litestar:
    """Raises RuntimeError if an endpoint does not say who may call it."""
    app = Litestar(
        route_handlers=[openapi, *DESCRIBED],
        guards=[guard],
        exception_handlers=HANDLERS,
        state=State({"hub": hub, "doorkeeper": Doorkeeper()}),
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
    )
    require_declared(app)
    return app
