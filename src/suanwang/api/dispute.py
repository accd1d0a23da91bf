"""Disputes over charges."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ADMIN, JOB_READERS, TENANTS, call_of, hub_of
from suanwang.api.job import find_job
from suanwang.control import dispute
from suanwang.domain.tenant import OVERSIGHT_ROLES, Actor, Role
from suanwang.errors import NotFound
from suanwang.store import dispute as disputes
from suanwang.store import job as jobs
from suanwang.wire import DisputeAnswer, DisputeLine, NewDispute

MAX_DIGITS = 18


@post("/v1/jobs/{reference:str}/disputes", opt={"may": TENANTS | {Role.CENTRE_OPERATOR}}, status_code=201)
async def open_dispute(request: Request[Actor, Any, Any], reference: str, data: NewDispute) -> DisputeLine:
    """Says that what an attempt was charged is wrong: its tenant may, and the centre that ran it."""
    hub, actor = hub_of(request), request.user
    async with hub.db.transaction(snapshot=True) as tx:
        if actor.role is Role.CENTRE_OPERATOR:
            job_id = await jobs.find(tx, None, reference)
        else:
            job_id = (await find_job(tx, actor, reference))["id"]
    return await dispute.open_dispute(hub.db, actor, job_id, data, await call_of(request), hub.clock())


@get("/v1/disputes", opt={"may": JOB_READERS})
async def list_disputes(request: Request[Actor, Any, Any]) -> list[DisputeLine]:
    """The newest first: of one's own jobs or centres; for the network's oversight, all."""
    actor = request.user
    owner = None if actor.role in OVERSIGHT_ROLES else actor.organisation_id
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [dispute.line_of(one) for one in await disputes.disputes(tx, organisation_id=owner)]


@post("/v1/disputes/{reference:str}/answer", opt={"may": ADMIN}, status_code=201)
async def answer_dispute(request: Request[Actor, Any, Any], reference: str, data: DisputeAnswer) -> DisputeLine:
    """Answers the dispute of this number, once: gives back so much or nothing, and says why."""
    hub = hub_of(request)
    if not (reference.isascii() and reference.isdigit() and len(reference) <= MAX_DIGITS):
        raise NotFound(f"no dispute {reference}", code="NO_DISPUTE", dispute=reference)
    number = int(reference)
    return await dispute.resolve(hub.db, request.user, number, data, await call_of(request), hub.clock())


ROUTES = [open_dispute, list_disputes, answer_dispute]
