"""Programmes, claims and vouchers."""

from typing import Any

from litestar import Request, get, post

from suanwang.api.access import ANYBODY, OFFICER, TENANTS, VOUCHER_READERS, call_of, hub_of
from suanwang.api.network import parse_id
from suanwang.control import clawback
from suanwang.control import voucher as flows
from suanwang.control.providers import read_providers
from suanwang.domain.ledger import budget
from suanwang.domain.tenant import Actor, Role
from suanwang.domain.voucher import VoucherAmounts, label
from suanwang.rulesfile import programme_of
from suanwang.store import ledger, voucher
from suanwang.store.db import Connection, Row, from_json
from suanwang.store.voucher import ClawBack, VoucherRecord
from suanwang.wire import (
    ClaimAnswer,
    ClawBackLine,
    Decision,
    NewClaim,
    NewClawBack,
    NewFunding,
    NewProgramme,
    NewRepayment,
    ProgrammeLine,
    VoucherLine,
)


@post("/v1/programmes", opt={"may": OFFICER}, status_code=201)
async def add_programme(request: Request[Actor, Any, Any], data: NewProgramme) -> ProgrammeLine:
    """A rules file becomes a programme of the officer's agency."""
    hub = hub_of(request)
    programme_id = await flows.add_programme(hub.db, request.user, data, await call_of(request), hub.clock())
    async with hub.db.transaction(snapshot=True) as tx:
        return await _programme(tx, await voucher.programme(tx, programme_id))


@get("/v1/programmes", opt={"may": ANYBODY})
async def list_programmes(request: Request[Actor, Any, Any]) -> list[ProgrammeLine]:
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [await _programme(tx, row) for row in await voucher.programmes(tx)]


async def _programme(tx: Connection, row: Row) -> ProgrammeLine:
    programme = programme_of(from_json(row["rules"], dict[str, Any]))
    return ProgrammeLine(
        id=row["id"],
        name_zh=programme.name_zh or programme.id,
        issuer_zh=programme.issuer_zh or "",
        agency_id=row["agency_id"],
        rules_sha256=row["rules_sha256"],
        flow=programme.redemption.flow,
        automatic_limit_fen=row["automatic_limit_fen"],
        budget_left_fen=await ledger.balance_fen(tx, budget(row["id"])),
        granted_fen=await voucher.granted_in_all_fen(tx, row["id"]),
    )


@post("/v1/programmes/{programme_id:str}/fundings", opt={"may": OFFICER}, status_code=201)
async def fund(request: Request[Actor, Any, Any], programme_id: str, data: NewFunding) -> dict[str, int]:
    """Money that the agency paid in becomes the programme's budget."""
    hub = hub_of(request)
    await flows.fund(hub.db, request.user, programme_id, data.amount_fen, await call_of(request), hub.clock())
    return {"amount_fen": data.amount_fen}


@post("/v1/claims", opt={"may": TENANTS}, status_code=201)
async def claim(request: Request[Actor, Any, Any], data: NewClaim) -> ClaimAnswer:
    """The rules answer at once, with the amount, what cut it, every refusal, and what would change the answer."""
    hub = hub_of(request)
    return await flows.claim(hub.db, request.user, data, await call_of(request), hub.clock())


@get("/v1/claims", opt={"may": VOUCHER_READERS})
async def list_claims(request: Request[Actor, Any, Any]) -> list[ClaimAnswer]:
    """A tenant sees its own, an officer those of its agency's programmes, oversight all. Newest first."""
    tenant_id, agency_id = _scope(request.user)
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [_claim(row) for row in await voucher.claims(tx, tenant_id, None, agency_id)]


def _scope(actor: Actor) -> tuple[str | None, str | None]:
    tenant_id = actor.organisation_id if actor.role in TENANTS else None
    agency_id = actor.organisation_id if actor.role is Role.PROGRAMME_OFFICER else None
    return tenant_id, agency_id


def _claim(row: Row) -> ClaimAnswer:
    stored = from_json(row["assessment"], flows.StoredAssessment)
    granted = row["state"] == "granted"
    return flows.claim_answer(
        row["id"],
        row["programme_id"],
        row["state"],
        stored.found,
        list(row["centre_ids"]),
        stored.refused_centres,
        flows.voucher_of_claim(row["id"]) if granted else None,
        row["decided_fen"] if granted else 0,
    )


@post("/v1/claims/{claim_id:str}/decision", opt={"may": OFFICER}, status_code=200)
async def decide(request: Request[Actor, Any, Any], claim_id: str, data: Decision) -> ClaimAnswer:
    """Any amount up to the assessed one; 0 refuses."""
    hub = hub_of(request)
    claim_uuid = parse_id(claim_id, "claim")
    call = await call_of(request)
    return await flows.decide(hub.db, request.user, claim_uuid, data.amount_fen, call, hub.clock())


@get("/v1/vouchers", opt={"may": VOUCHER_READERS})
async def list_vouchers(request: Request[Actor, Any, Any]) -> list[VoucherLine]:
    """Where the value of each voucher is. In the order in which they end."""
    tenant_id, agency_id = _scope(request.user)
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        records = await (await read_providers(tx)).with_centres(tx, await voucher.vouchers(tx, tenant_id, agency_id))
        ids = [record.id for record in records]
        places, claw_backs = await ledger.voucher_places(tx, ids), await voucher.claw_backs(tx, ids)
    return [_voucher(record, places[record.id], claw_backs.get(record.id)) for record in records]


@post("/v1/vouchers/{voucher_id:str}/claw-back", opt={"may": OFFICER}, status_code=201)
async def claw_back(request: Request[Actor, Any, Any], voucher_id: str, data: NewClawBack) -> ClawBackLine:
    """The voucher ends at once; what it paid wrongly its tenant owes until it repays."""
    hub, call = hub_of(request), await call_of(request)
    return await clawback.claw_back(hub.db, request.user, parse_id(voucher_id, "voucher"), data, call, hub.clock())


@post("/v1/vouchers/{voucher_id:str}/repayments", opt={"may": OFFICER}, status_code=201)
async def repay(request: Request[Actor, Any, Any], voucher_id: str, data: NewRepayment) -> ClawBackLine:
    """What the agency has got back of what a tenant owes."""
    hub, call = hub_of(request), await call_of(request)
    return await clawback.repay(hub.db, request.user, parse_id(voucher_id, "voucher"), data, call, hub.clock())


def _voucher(record: VoucherRecord, places: Row, clawed: ClawBack | None) -> VoucherLine:
    amounts = VoucherAmounts(
        granted_fen=record.granted_fen,
        available_fen=record.available_fen,
        held_fen=places["held_fen"],
        used_fen=places["used_fen"] - places["clawed_back_fen"],
        expired_fen=places["expired_fen"],
        revoked_fen=places["revoked_fen"],
        clawed_back_fen=places["clawed_back_fen"],
    )
    return VoucherLine(
        id=str(record.id),
        programme_id=record.programme_id,
        tenant_id=record.tenant_id,
        granted_fen=amounts.granted_fen,
        available_fen=amounts.available_fen,
        held_fen=amounts.held_fen,
        used_fen=amounts.used_fen,
        expired_fen=amounts.expired_fen,
        revoked_fen=amounts.revoked_fen,
        clawed_back_fen=amounts.clawed_back_fen,
        owed_fen=0 if clawed is None else max(0, min(clawed.owed_fen, places["used_fen"]) - amounts.clawed_back_fen),
        label=label(amounts),
        flow=record.terms.flow,
        rate_bp=record.terms.rate_bp or 0,
        valid_from_s=record.valid_from_s,
        valid_to_s=record.valid_to_s,
        centres=list(record.centre_ids),
    )


ROUTES = [add_programme, list_programmes, fund, claim, list_claims, decide, list_vouchers, claw_back, repay]
