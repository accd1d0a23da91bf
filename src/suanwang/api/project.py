"""Projects of a tenant, their budgets and alerts."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import TENANT_ADMINS, TENANTS, TENANTS_AND_OVERSIGHT, call_of, hub_of
from suanwang.control import project as flows
from suanwang.domain.tenant import Actor
from suanwang.store import project as projects
from suanwang.wire import NewBudget, NewProject, ProjectAlert, ProjectLine


@post("/v1/projects", opt={"may": TENANT_ADMINS}, status_code=201)
async def add(request: Request[Actor, Any, Any], data: NewProject) -> ProjectLine:
    hub = hub_of(request)
    return await flows.add(hub.db, request.user, data, hub.billing_zone, await call_of(request), hub.clock())


@get("/v1/projects", opt={"may": TENANTS_AND_OVERSIGHT})
async def list_projects(request: Request[Actor, Any, Any]) -> list[ProjectLine]:
    """A tenant sees its own, oversight all; with what is spent and held in the month that is now."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        return [await flows.line_of(tx, one, hub.clock()) for one in await projects.projects(tx, _of(request.user))]


@get("/v1/projects/{project_name:str}", opt={"may": TENANTS})
async def show(request: Request[Actor, Any, Any], project_name: str) -> ProjectLine:
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        room = await flows.seen(tx, request.user.organisation_id, project_name, hub.clock())
        return await flows.line_of(tx, room.record, hub.clock())


@post("/v1/projects/{project_name:str}/budget", opt={"may": TENANT_ADMINS}, status_code=200)
async def set_budget(request: Request[Actor, Any, Any], project_name: str, data: NewBudget) -> ProjectLine:
    """What is held and spent stays; a budget below that refuses the next submit."""
    hub = hub_of(request)
    return await flows.set_budget(hub.db, request.user, project_name, data, await call_of(request), hub.clock())


@get("/v1/project-alerts", opt={"may": TENANTS_AND_OVERSIGHT})
async def list_alerts(request: Request[Actor, Any, Any]) -> list[ProjectAlert]:
    """The newest first."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [flows.alert_of(one) for one in await projects.alerts(tx, _of(request.user))]


def _of(actor: Actor) -> str | None:
    return actor.organisation_id if actor.role in TENANTS else None


ROUTES = [add, list_projects, show, set_budget, list_alerts]
