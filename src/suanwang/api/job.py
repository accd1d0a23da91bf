"""Quotes, jobs, their logs and receipts."""

import asyncio
from dataclasses import fields
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, get, post
from litestar.params import Parameter

from suanwang.api.access import ADMIN, JOB_READERS, TENANTS, TENANTS_AND_OVERSIGHT, call_of, hub_of
from suanwang.api.receipt import read_receipt
from suanwang.control import lost, refund, submit
from suanwang.control import quote as quotes
from suanwang.domain.centre import Catalogue
from suanwang.domain.job import MAX_COUNT, JobSpec, JobState, Phase, Variant
from suanwang.domain.tenant import Actor, Role, may_see_tenant
from suanwang.errors import InvalidInput, NotFound, Unreachable
from suanwang.protocol import LogRequest
from suanwang.store import attempt as attempts
from suanwang.store import centre, event
from suanwang.store import job as jobs
from suanwang.store.db import Connection, Row, from_json
from suanwang.taskfile import TaskOverrides, read_task
from suanwang.wire import (
    EventLine,
    GivenUp,
    GivingUp,
    JobLine,
    JobList,
    JobRequest,
    Log,
    NewRefund,
    Notice,
    Quote,
    Reason,
    Receipt,
    RefundLine,
    Submission,
    Submitted,
)

LOG_WAIT_S = 15.0
MAX_LISTED = 1_000
MAX_LOG_OFFSET = 2**53
SPEC_FIELDS = frozenset(item.name for item in fields(JobSpec))
VARIANT_FIELDS = frozenset(item.name for item in fields(Variant))


def read_request(request: JobRequest, catalogue: Catalogue) -> tuple[JobSpec, list[Notice]]:
    """The spec of a job request, and what was assumed while reading it. Raises InvalidInput, TaskRefused."""
    if (request.task is None) == (request.spec is None):
        raise InvalidInput("task, spec", None, "exactly one of the two")
    if not 1 <= request.count <= MAX_COUNT:
        raise InvalidInput("count", request.count, f"1 to {MAX_COUNT}")
    if request.spec is not None:
        return _read_spec(request.spec), []
    overrides = TaskOverrides(
        name=request.name,
        walltime_s=request.walltime_s,
        envs=request.envs,
        workdir_sha256=request.workdir_sha256,
        objective=request.objective,
        voucher=request.voucher,
        project=request.project,
        max_cost_fen=request.max_cost_fen,
        use=request.use,
        priority=request.priority,
    )
    reading = read_task(request.task or "", overrides=overrides)
    for variant in reading.spec.variants:
        catalogue.matching(variant.chip, "resources.accelerators")
    return reading.spec, list(reading.notices)


def _read_spec(raw: dict[str, Any]) -> JobSpec:
    _require_known(raw, SPEC_FIELDS, "spec")
    for i, variant in enumerate(raw.get("variants") or ()):
        if isinstance(variant, dict):
            _require_known(variant, VARIANT_FIELDS, f"spec.variants[{i}]")
    try:
        return msgspec.convert(raw, JobSpec)
    except msgspec.ValidationError as error:
        raise InvalidInput("spec", str(error), "the types of a job spec") from None


def _require_known(raw: dict[str, Any], known: frozenset[str], path: str) -> None:
    for name, value in raw.items():
        if name not in known:
            raise InvalidInput(f"{path}.{name}", value, f"known are {', '.join(sorted(known))}")


@post("/v1/quotes", opt={"may": TENANTS}, status_code=200)
async def quote(request: Request[Actor, Any, Any], data: JobRequest) -> Quote:
    """What every centre would take for a job, when, and why not where not. Changes nothing."""
    hub = hub_of(request)
    spec, notices = read_request(data, hub.catalogue)
    return await quotes.quote(hub, request.user.organisation_id, spec, notices, hub.clock())


@post("/v1/jobs", opt={"may": TENANTS}, status_code=201)
async def submit_jobs(request: Request[Actor, Any, Any], data: Submission) -> Submitted:
    """All of these jobs, or none, in one transaction; their value is held at once."""
    hub = hub_of(request)
    specs: list[JobSpec] = []
    notices: list[Notice] = []
    for item in data.jobs:
        spec, found = read_request(item, hub.catalogue)
        if any(notice.code == "LOCAL_WORKDIR" for notice in found):
            allowed = "a folder that was uploaded: pack it, PUT it to /v1/blobs and send its SHA-256 as workdir_sha256"
            raise InvalidInput("workdir", "a local path", allowed, code="LOCAL_WORKDIR")
        specs += [spec] * item.count
        notices += found
        if len(specs) > MAX_COUNT:
            raise InvalidInput("jobs", len(specs), f"at most {MAX_COUNT} jobs in one call")
    submitted = await hub.submissions.submit(submit.Submission(request.user, specs, await call_of(request)))
    return Submitted(submitted, notices[:100])


@get("/v1/jobs", opt={"may": JOB_READERS})
async def list_jobs(
    request: Request[Actor, Any, Any],
    # Litestar names query parameters after the arguments; `state` is its own word.
    states: Annotated[list[JobState] | None, Parameter(query="state")] = None,
    before: int | None = None,
    limit: Annotated[int, Parameter(ge=1, le=MAX_LISTED)] = 100,
    centre_id: Annotated[str | None, Parameter(query="centre")] = None,
) -> JobList:
    """Newest first. A tenant sees its own, a centre's operator those at its centres, oversight all."""
    actor = request.user
    tenant_id = actor.organisation_id if actor.role in TENANTS else None
    centre_ids = None if centre_id is None else [centre_id]
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        if actor.role is Role.CENTRE_OPERATOR:
            centre_ids = await _own_centres(tx, actor, centre_id)
        rows = await jobs.listed(
            tx, tenant_id, [str(s) for s in states] if states else None, before, limit + 1, centre_ids
        )
        counted = await jobs.count_states(tx, tenant_id, centre_ids)
    more = rows[limit - 1]["number"] if len(rows) > limit else None
    return JobList([_line(row) for row in rows[:limit]], counted, more)


async def _own_centres(tx: Connection, actor: Actor, centre_id: str | None) -> list[str]:
    """All centres of an operator's organisation, or the one that is asked for. Raises NotFound."""
    own = [one.centre.id for one in await centre.centres(tx) if one.organisation_id == actor.organisation_id]
    if centre_id is None:
        return own
    if centre_id not in own:
        raise NotFound(f"no centre {centre_id} of yours", centre=centre_id)
    return [centre_id]


def _line(row: Row) -> JobLine:
    return JobLine(
        id=str(row["id"]),
        number=row["number"],
        name=row["name"],
        tenant_id=row["tenant_id"],
        state=JobState(row["state"]),
        attempts=row["attempts"],
        centre_id=row["centre_id"],
        pool_id=row["pool_id"],
        phase=row["phase"] and Phase(row["phase"]),
        unseen=bool(row["unseen"]) and row["phase"] != Phase.ENDED,
        submitted_s=row["submitted_s"],
        started_s=row["started_s"],
        ended_s=row["ended_s"],
        estimate_fen=row["estimate_fen"],
        charged_fen=row["charged_fen"],
        voucher_fen=row["voucher_fen"],
        reason=reason_of(row["reason"]),
        progress=row["progress"] and from_json(row["progress"], dict[str, Any]),
    )


def reason_of(text: str) -> Reason:
    found = from_json(text, dict[str, Any])
    return Reason(found.get("code", ""), found.get("facts", {}))


async def find_job(tx: Connection, actor: Actor, reference: str) -> Row:
    """A job that the actor may see; anybody else's does not exist for it. Raises NotFound."""
    tenant_id = actor.organisation_id if actor.role in TENANTS else None
    row = await jobs.job(tx, await jobs.find(tx, tenant_id, reference))
    if not may_see_tenant(actor, row["tenant_id"]):
        raise NotFound(f"no job {reference}", job=reference)
    return row


@get("/v1/jobs/{reference:str}", opt={"may": TENANTS_AND_OVERSIGHT})
async def show_job(request: Request[Actor, Any, Any], reference: str) -> Receipt:
    """Everything about one job: by id, start of its id, number or name."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return await read_receipt(tx, await find_job(tx, request.user, reference), hub_of(request).clock())


@get("/v1/jobs/{reference:str}/events", opt={"may": TENANTS_AND_OVERSIGHT})
async def job_events(request: Request[Actor, Any, Any], reference: str) -> list[EventLine]:
    """What happened to a job, in order."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        row = await find_job(tx, request.user, reference)
        return [
            EventLine(e["seq"], e["at_s"], e["kind"], e["attempt"], e["centre_id"], e["actor"], e["body"])
            for e in await event.of_job(tx, row["id"])
        ]


@get("/v1/jobs/{reference:str}/log", opt={"may": TENANTS_AND_OVERSIGHT})
async def read_log(
    request: Request[Actor, Any, Any],
    reference: str,
    offset: Annotated[int, Parameter(ge=0, le=MAX_LOG_OFFSET)] = 0,
    attempt: Annotated[int | None, Parameter(ge=1)] = None,
) -> Log:
    """A piece of a job's output, fetched from its centre now."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        row = await find_job(tx, request.user, reference)
        found = [a for a in await attempts.of_job(tx, row["id"]) if attempt is None or a["number"] == attempt]
    if not found:
        raise NotFound("this job has no such attempt yet; its log begins when it is placed", attempt=attempt)
    centre_id, number = found[-1]["centre_id"], found[-1]["number"]
    wanted = LogRequest(request_id=uuid4().hex, job_id=str(row["id"]), attempt=number, offset=offset)
    answered = hub.logs.ask(centre_id, wanted)
    hub.bell(centre_id).set()
    try:
        async with asyncio.timeout(LOG_WAIT_S):
            chunk = await answered
    except TimeoutError:
        raise Unreachable(
            f"centre {centre_id} does not answer; its log stays there and can be read once it is seen again",
            code="CENTRE_SILENT",
            centre=centre_id,
        ) from None
    finally:
        hub.logs.give_up(centre_id, wanted.request_id)
    return Log(number, chunk.offset, chunk.offset + len(chunk.text.encode()), chunk.text, chunk.ended)


@post("/v1/jobs/{reference:str}/cancel", opt={"may": TENANTS}, status_code=200)
async def cancel(request: Request[Actor, Any, Any], reference: str) -> dict[str, JobState]:
    """Ends a waiting job at once; a placed one is over when its centre confirms."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        job_id: UUID = (await find_job(tx, request.user, reference))["id"]
        last = [row["centre_id"] for row in await attempts.of_job(tx, job_id)][-1:]
    state = await submit.cancel_job(hub.db, request.user, job_id, await call_of(request), hub.clock())
    hub.news.set()
    for centre_id in last:
        hub.bell(centre_id).set()
    return {"state": state}


@post("/v1/jobs/{reference:str}/abandon", opt={"may": ADMIN}, status_code=200)
async def abandon(request: Request[Actor, Any, Any], reference: str, data: GivingUp) -> GivenUp:
    """Gives up a job's attempt at a silent centre: it recovers elsewhere, or is cancelled if it was asked to be."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        job_id: UUID = (await find_job(tx, request.user, reference))["id"]
    call = await call_of(request)
    given_up = await lost.abandon_job(hub.db, hub.catalogue, request.user, job_id, data.reason, call, hub.clock())
    hub.news.set()
    hub.bell(given_up.centre_id).set()
    return given_up


@post("/v1/jobs/{reference:str}/refunds", opt={"may": ADMIN}, status_code=201)
async def give_back(request: Request[Actor, Any, Any], reference: str, data: NewRefund) -> RefundLine:
    """Gives back a part of what one attempt of a job that is over was charged, to exactly where it came from."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        job_id: UUID = (await find_job(tx, request.user, reference))["id"]
    return await refund.refund(hub.db, request.user, job_id, data, await call_of(request), hub.clock())


ROUTES = [quote, submit_jobs, list_jobs, show_job, job_events, read_log, cancel, abandon, give_back]
