"""Billing periods and statements."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ADMIN, OPERATORS, OVERSIGHT, TENANTS_AND_OVERSIGHT, call_of, hub_of
from suanwang.control import period, statement
from suanwang.domain.tenant import OVERSIGHT_ROLES, Actor
from suanwang.errors import InvalidInput, NotAllowed
from suanwang.wire import Bill, CentreStatement, PeriodLine, Statement


@get("/v1/periods", opt={"may": OVERSIGHT})
async def list_periods(request: Request[Actor, Any, Any]) -> list[PeriodLine]:
    """The closed periods in their order, and the next one with what is in it so far."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        return await period.listed(tx, hub.billing_zone, hub.clock())


@get("/v1/periods/{period_name:str}", opt={"may": OVERSIGHT})
async def show_period(request: Request[Actor, Any, Any], period_name: str) -> PeriodLine:
    """One period, closed or not."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        return (await period.find(tx, period_name, hub.billing_zone))[0]


@post("/v1/periods/{period_name:str}/close", opt={"may": ADMIN}, status_code=201)
async def close_period(request: Request[Actor, Any, Any], period_name: str) -> PeriodLine:
    """Closes a month that is over, for ever. Periods are closed in their order; the first takes in all before it."""
    hub = hub_of(request)
    call = await call_of(request)
    return await period.close(hub.db, request.user, period_name, hub.billing_zone, call, hub.clock())


@get("/v1/periods/{period_name:str}/statement", opt={"may": TENANTS_AND_OVERSIGHT})
async def tenant_statement(
    request: Request[Actor, Any, Any], period_name: str, organisation: str | None = None
) -> Statement:
    """What a tenant was charged in a period: its own; the network's oversight names whose (`bill` has all)."""
    hub, actor = hub_of(request), request.user
    if actor.role not in OVERSIGHT_ROLES:
        if organisation not in (None, actor.organisation_id):
            raise NotAllowed("a statement is for its own tenant", organisation=organisation)
        organisation = actor.organisation_id
    elif organisation is None:
        raise InvalidInput("organisation", None, "the id of a tenant")
    async with hub.db.transaction(snapshot=True) as tx:
        whole = await statement.of_tenant(tx, period_name, organisation, hub.billing_zone)
        return whole if actor.role in OVERSIGHT_ROLES else statement.for_tenant(whole)


@get("/v1/periods/{period_name:str}/centres", opt={"may": OPERATORS | OVERSIGHT})
async def centre_statements(request: Request[Actor, Any, Any], period_name: str) -> list[CentreStatement]:
    """What centres earned in a period: those of one's own organisation; for the network's oversight, all."""
    hub, actor = hub_of(request), request.user
    owner = None if actor.role in OVERSIGHT_ROLES else actor.organisation_id
    async with hub.db.transaction(snapshot=True) as tx:
        return await statement.of_centres(tx, period_name, owner, hub.billing_zone)


@get("/v1/periods/{period_name:str}/bill", opt={"may": OVERSIGHT})
async def whole_bill(request: Request[Actor, Any, Any], period_name: str) -> Bill:
    """All statements of a period and the vouchers that they name, for exports."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        return await statement.of_all(tx, period_name, hub.billing_zone)


ROUTES = [list_periods, show_period, close_period, tenant_statement, centre_statements, whole_bill]
