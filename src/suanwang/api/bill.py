"""Settlement and proofs."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ADMIN, OVERSIGHT, call_of, hub_of
from suanwang.control import prove, settle
from suanwang.domain.tenant import Actor
from suanwang.wire import Proofs, Settlement


@get("/v1/settlement", opt={"may": OVERSIGHT})
async def owed(request: Request[Actor, Any, Any]) -> Settlement:
    """What is owed to centres and tenants now, from posted transfers only."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return Settlement(await settle.owed(tx), paid=False)


@post("/v1/settlements", opt={"may": ADMIN}, status_code=201)
async def pay(request: Request[Actor, Any, Any]) -> Settlement:
    """Pay what is owed, as one batch; the same idempotency key pays nothing twice."""
    hub = hub_of(request)
    payments = await settle.settle(hub.db, request.user, await call_of(request), hub.clock())
    return Settlement(payments, paid=True)


@get("/v1/proofs", opt={"may": OVERSIGHT})
async def proofs(request: Request[Actor, Any, Any]) -> Proofs:
    """Every statement that the records must not contradict, checked now."""
    hub = hub_of(request)
    return await prove.prove(hub.db, hub.clock())


ROUTES = [owed, pay, proofs]
