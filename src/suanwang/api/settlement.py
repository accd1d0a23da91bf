"""Settlement: what is owed, and the batches in which it is paid."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ADMIN, BATCH_READERS, OFFICER, OVERSIGHT, call_of, hub_of
from suanwang.control import period as periods
from suanwang.control import settle, settlement
from suanwang.domain.tenant import OVERSIGHT_ROLES, Actor
from suanwang.wire import Due, Proposal, Rejection, Settlement, SettlementBatch


@get("/v1/settlement", opt={"may": OVERSIGHT})
async def owed(request: Request[Actor, Any, Any]) -> Settlement:
    """What is owed to centres and tenants now, from posted transfers only."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return Settlement(await settle.owed(tx), paid=False)


@post("/v1/settlements", opt={"may": ADMIN}, status_code=201)
async def pay_at_once(request: Request[Actor, Any, Any]) -> Settlement:
    """Pay what is owed, where no month was ever closed; the same idempotency key pays nothing twice."""
    hub = hub_of(request)
    call = await call_of(request)
    payments = await settle.settle(hub.db, request.user, call, hub.clock(), hub.billing_zone)
    return Settlement(payments, paid=True)


@post("/v1/periods/{period_name:str}/settlements", opt={"may": ADMIN}, status_code=201)
async def propose_batches(request: Request[Actor, Any, Any], period_name: str) -> Proposal:
    """Batches of a closed month: one per centre, one per tenant that is reimbursed."""
    hub = hub_of(request)
    call = await call_of(request)
    return await settlement.propose(hub.db, request.user, period_name, hub.billing_zone, call, hub.clock())


@get("/v1/settlements", opt={"may": BATCH_READERS})
async def list_batches(request: Request[Actor, Any, Any], period: str | None = None) -> list[SettlementBatch]:
    """Without lines, the oldest first: those that pay oneself or one's centres; for the network's oversight, all."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return await settlement.read(tx, period=_month(request, period), organisation_id=_whose(request.user))


@get("/v1/settlements/{batch_id:str}", opt={"may": BATCH_READERS})
async def show_batch(request: Request[Actor, Any, Any], batch_id: str) -> SettlementBatch:
    """One batch, line by line."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return await settlement.find(tx, batch_id, _whose(request.user))


@post("/v1/settlements/{batch_id:str}/approve", opt={"may": ADMIN}, status_code=201)
async def approve_batch(request: Request[Actor, Any, Any], batch_id: str) -> SettlementBatch:
    """Approves a batch that another person proposed."""
    hub = hub_of(request)
    return await settlement.approve(hub.db, request.user, batch_id, await call_of(request), hub.clock())


@post("/v1/settlements/{batch_id:str}/reject", opt={"may": ADMIN}, status_code=201)
async def reject_batch(request: Request[Actor, Any, Any], batch_id: str, data: Rejection) -> SettlementBatch:
    """Rejects a batch that is not paid: its lines are free for the next one."""
    hub = hub_of(request)
    return await settlement.reject(hub.db, request.user, batch_id, data, await call_of(request), hub.clock())


@post("/v1/settlements/{batch_id:str}/pay", opt={"may": ADMIN}, status_code=201)
async def pay_batch(request: Request[Actor, Any, Any], batch_id: str) -> SettlementBatch:
    """Pays a batch that is approved, once."""
    hub = hub_of(request)
    return await settlement.pay(hub.db, request.user, batch_id, await call_of(request), hub.clock())


@get("/v1/dues", opt={"may": OFFICER | OVERSIGHT})
async def list_dues(request: Request[Actor, Any, Any], period: str | None = None) -> list[Due]:
    """What programmes and their funders owe for batches: those of the officer's agency; for oversight, all."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return await settlement.dues(tx, _month(request, period), _whose(request.user))


def _month(request: Request[Actor, Any, Any], name: str | None) -> str | None:
    """Raises InvalidInput: a month that there cannot be is not one without batches."""
    if name is not None:
        periods.bounds_s(name, hub_of(request).billing_zone)
    return name


def _whose(actor: Actor) -> str | None:
    return None if actor.role in OVERSIGHT_ROLES else actor.organisation_id


ROUTES = [
    owed,
    pay_at_once,
    propose_batches,
    list_batches,
    show_batch,
    approve_batch,
    reject_batch,
    pay_batch,
    list_dues,
]
