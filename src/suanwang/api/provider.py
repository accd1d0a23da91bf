"""The lists of providers that agencies keep, and that the rules of their programmes name."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ANYBODY, LIST_KEEPERS, call_of, hub_of
from suanwang.control import providers
from suanwang.domain.tenant import Actor
from suanwang.domain.voucher import Listing
from suanwang.store import provider
from suanwang.wire import NewListing


@post("/v1/provider-lists", opt={"may": LIST_KEEPERS}, status_code=200)
async def change_list(request: Request[Actor, Any, Any], data: NewListing) -> dict[str, bool]:
    """A centre is on a list from now on, or off it."""
    hub = hub_of(request)
    return {"changed": await providers.change_list(hub.db, request.user, data, await call_of(request), hub.clock())}


@get("/v1/provider-lists", opt={"may": ANYBODY})
async def list_providers(request: Request[Actor, Any, Any], past: bool = False) -> list[Listing]:
    """Who is on which list since when, and by whom; those that are off it again only with `past`."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return await provider.listings(tx, past=past)


ROUTES = [change_list, list_providers]
