"""The HTTP application of a hub."""

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from suanwang import __version__
from suanwang.api import agent, bill, job, network, voucher
from suanwang.api.access import PUBLIC, Doorkeeper, guard, require_declared
from suanwang.api.problems import HANDLERS
from suanwang.control.daemon import Hub

MAX_BODY_BYTES = 16 * 2**20
ROUTES = [*network.ROUTES, *job.ROUTES, *agent.ROUTES, *voucher.ROUTES, *bill.ROUTES]


def create_app(hub: Hub) -> Litestar:
    """Raises RuntimeError if an endpoint does not say who may call it."""
    app = Litestar(
        route_handlers=ROUTES,
        guards=[guard],
        exception_handlers=HANDLERS,
        state=State({"hub": hub, "doorkeeper": Doorkeeper()}),
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="Suanwang",
            version=__version__,
            # The document alone: pages that show it load their parts from elsewhere.
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            openapi_router=Router(path="/", route_handlers=[], opt={"may": PUBLIC}),
            description="Many independent AI computing centres as one utility. Errors are RFC 9457 problem documents.",
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"token": []}],
        ),
    )
    require_declared(app)
    return app
