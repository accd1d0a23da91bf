"""Programmes and claims: rules become answers, answers become vouchers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from suanwang.control.enforced import require_enforced
from suanwang.control.providers import read_providers
from suanwang.domain import movements
from suanwang.domain.ledger import budget, identity
from suanwang.domain.movements import VoucherSource
from suanwang.domain.tenant import Actor, require_tenant
from suanwang.domain.voucher import (
    Applicant,
    Assessment,
    ClaimState,
    ClaimStep,
    Contract,
    History,
    OnExpiry,
    Outcome,
    Part,
    Programme,
    Provider,
    YearBasis,
    assess,
    claim_after,
    contract_key,
    day_of,
    expire,
    provider_findings,
    rules_json,
    rules_sha256,
    start_of_day_s,
    terms_of,
    year_window,
)
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound, Refused
from suanwang.rulesfile import programme_of, read_programme
from suanwang.store import answer, event, ledger, voucher
from suanwang.store import organisation as organisations
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database, from_json
from suanwang.store.event import NewEvent
from suanwang.store.posting import post
from suanwang.wire import ClaimAnswer, NewClaim, NewProgramme, Reason


async def add_programme(db: Database, actor: Actor, new: NewProgramme, call: Call, now_s: int) -> str:
    """An agency's rules file becomes a programme. Raises InvalidInput naming the path of what is wrong in the file."""
    programme = read_programme(new.rules, new.rules_id)
    require_enforced(programme)
    if new.automatic_limit_fen < 0:
        raise InvalidInput("automatic_limit_fen", new.automatic_limit_fen, "0 or more fen")
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, str, now_s)
        if repeated is not None:
            return repeated
        rules, digest = from_json(rules_json(programme), dict[str, Any]), rules_sha256(programme)
        if not await voucher.insert_programme(
            tx, programme.id, actor.organisation_id, rules, digest, new.automatic_limit_fen, now_s
        ):
            raise Conflict(f"programme {programme.id} exists", code="ID_TAKEN", id=programme.id)
        body = {"programme": programme.id, "rules_sha256": digest}
        await event.append(tx, now_s, actor.token_id, [NewEvent("programme_added", body=body)])
        await answer.remember(tx, call, programme.id)
    return programme.id


async def fund(db: Database, actor: Actor, programme_id: str, amount_fen: int, call: Call, now_s: int) -> None:
    """Money that the agency has paid in becomes the programme's budget."""
    if not 0 < amount_fen < 10**15:
        raise InvalidInput("amount_fen", amount_fen, "more than 0 and less than 10^15 fen")
    async with db.transaction() as tx:
        if await answer.earlier(tx, call, dict[str, str], now_s) is not None:
            return
        await _require_own(tx, actor, programme_id)
        key = f"{actor.organisation_id}/{call.key}"
        await post(tx, [movements.fund(programme_id, amount_fen, key, now_s, actor.token_id)], now_s)
        body = {"programme": programme_id, "fen": amount_fen}
        await event.append(tx, now_s, actor.token_id, [NewEvent("programme_funded", body=body)])
        await answer.remember(tx, call, {})


async def _require_own(tx: Connection, actor: Actor, programme_id: str) -> None:
    if (await voucher.programme(tx, programme_id))["agency_id"] != actor.organisation_id:
        raise NotAllowed("this programme belongs to another agency", programme=programme_id)


async def claim(db: Database, actor: Actor, new: NewClaim, call: Call, now_s: int) -> ClaimAnswer:
    """A tenant claims; the rules answer at once. Up to the programme's automatic limit, which is for all that a tenant
    is granted in a year of the programme, the voucher is granted too.

    Refusals are stored like grants, with the inputs and the version of the rules: the same answer can be given again.
    """
    tenant_id = actor.organisation_id
    require_tenant(actor, tenant_id)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ClaimAnswer, now_s)
        if repeated is not None:
            return repeated
        await voucher.lock_programme(tx, new.programme_id)
        row = await voucher.programme(tx, new.programme_id)
        programme = programme_of(from_json(row["rules"], dict[str, Any]))
        claim_id = identity("claim", tenant_id, call.key)
        case = await _case(tx, programme, row["agency_id"], tenant_id, new, now_s)
        found = assess(programme, case.applicant, case.contract, case.history, on=day_of(now_s))
        given = await _answer(
            tx, programme, claim_id, new, case, found, row["automatic_limit_fen"], tenant_id, actor, now_s
        )
        await answer.remember(tx, call, given)
    return given


@dataclass(frozen=True, slots=True)
class _Case:
    """The facts that a claim is assessed on, as they are stored with it."""

    applicant: Applicant
    contract: Contract
    history: History
    centre_ids: list[str]
    refused_centres: dict[str, list[Reason]]


async def _case(
    tx: Connection, programme: Programme, agency_id: str, tenant_id: str, new: NewClaim, now_s: int
) -> _Case:
    owner = await organisations.organisation(tx, tenant_id)
    applicant = _convert(owner.facts, Applicant, "facts of the organisation")
    providers = await _providers(tx, programme, agency_id, new.centres)
    refused = {
        one.id: [Reason(found.refusal.code, found.refusal.facts) for found in provider_findings(programme, one)]
        for one in providers
    }
    accepted = tuple(one for one in providers if not refused[one.id])
    contract = replace(
        _convert({**new.facts, "id": " ".join(new.contract_id.split()), "parts": []}, Contract, "facts"),
        parts=tuple(Part(part.kind, part.amount_fen) for part in new.parts),
        # A voucher is for the providers that the rules accept; only if there is none, their refusals are the answer.
        providers=accepted or tuple(providers),
        signed_on=_day(new.signed_on),
        term_days=new.term_days,
        uses=new.uses,
    )
    _check_contract(contract)
    history = await _history(tx, programme, tenant_id, contract, now_s)
    refused_centres = {centre_id: reasons for centre_id, reasons in refused.items() if reasons}
    return _Case(applicant, contract, history, [one.id for one in accepted], refused_centres)


async def _history(tx: Connection, programme: Programme, tenant_id: str, contract: Contract, now_s: int) -> History:
    """What was granted before, from the records, and what the book and the year's total say is left of the budget."""
    year_from = year_window(programme.caps.year_basis, day_of(now_s))[0]
    granted = await voucher.granted_to(tx, programme.id, tenant_id, start_of_day_s(year_from))
    left_fen = await ledger.balance_fen(tx, budget(programme.id))
    if programme.budget.annual_total_fen is not None:
        new_year = year_window(YearBasis.NATURAL, day_of(now_s))[0]
        spent_fen = await voucher.granted_since_fen(tx, programme.id, start_of_day_s(new_year))
        left_fen = min(left_fen, programme.budget.annual_total_fen - spent_fen)
    return History(
        claimed_year_fen=granted["year_fen"],
        claimed_total_fen=granted["total_fen"],
        claimed_contracts=tuple(granted["contracts"]),
        programme_left_fen=left_fen,
        other_side_claimed=await _other_side_claimed(tx, programme, tenant_id, contract),
    )


async def _other_side_claimed(tx: Connection, programme: Programme, tenant_id: str, contract: Contract) -> bool:
    """Whether another organisation was granted a claim for a contract of this number and day: the other side of it."""
    if not programme.anti_abuse.both_sides_claim_ban or contract.signed_on is None:
        return False
    others = await voucher.claimed_by_others(tx, programme.id, tenant_id, contract.signed_on.isoformat())
    return contract_key(contract.id) in map(contract_key, others)


def _check_contract(contract: Contract) -> None:
    for field, number in (("contract_id", contract.id), ("facts.split_of", contract.split_of)):
        if number is not None and not (1 <= len(number) <= 200 and contract_key(number).isprintable()):
            raise InvalidInput(field, number, "1 to 200 printable characters")
    if contract.term_days is not None and not 0 < contract.term_days < 36_600:
        raise InvalidInput("term_days", contract.term_days, "1 to 36,599 days")
    if not 1 <= len(contract.parts) <= 100:
        raise InvalidInput("parts", len(contract.parts), "1 to 100 parts")
    for i, part in enumerate(contract.parts):
        if not 0 < part.amount_fen < 10**15:
            raise InvalidInput(f"parts[{i}].amount_fen", part.amount_fen, "more than 0 and less than 10^15 fen")


def _convert(facts: Mapping[str, object], kind: type[Any], where: str) -> Any:
    known = set(kind.__dataclass_fields__)
    unknown = sorted(set(facts) - known)
    if unknown:
        raise InvalidInput(f"{where}.{unknown[0]}", facts[unknown[0]], f"known are {', '.join(sorted(known))}")
    try:
        return msgspec.convert(facts, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(where, str(error), "the types of the programme model") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("signed_on", text, "a date like 2025-03-31") from None


async def _providers(
    tx: Connection, programme: Programme, agency_id: str, centre_ids: tuple[str, ...]
) -> list[Provider]:
    """The centres named in a claim, or all, as the rules of this agency see them."""
    known = await read_providers(tx)
    for centre_id in centre_ids:
        if centre_id not in known.stated:
            raise NotFound(f"no centre {centre_id}", centre=centre_id)
    return [known.provider(programme, agency_id, centre_id) for centre_id in centre_ids or known.stated]


async def _answer(
    tx: Connection,
    programme: Programme,
    claim_id: UUID,
    new: NewClaim,
    case: _Case,
    found: Assessment,
    automatic_limit_fen: int,
    tenant_id: str,
    actor: Actor,
    now_s: int,
) -> ClaimAnswer:
    state = claim_after(ClaimState.DRAFT, ClaimStep.SUBMIT)
    state = claim_after(state, ClaimStep.VERIFY)
    # The sum of the year counts, so that a contract in pieces is granted no more at once than a whole one.
    sum_fen = case.history.claimed_year_fen + found.amount_fen
    automatic = found.outcome is Outcome.GRANT and sum_fen <= automatic_limit_fen
    if automatic:
        state = claim_after(state, ClaimStep.GRANT)
    elif found.outcome is Outcome.REFUSE:
        state = claim_after(state, ClaimStep.REFUSE)
    decided = automatic or found.outcome is Outcome.REFUSE
    await voucher.insert_claim(
        tx,
        voucher.NewClaim(
            claim_id,
            programme.id,
            tenant_id,
            state,
            case.contract.id,
            case.contract,
            case.centre_ids,
            new.centres,
            {"applicant": case.applicant, "contract": case.contract, "history": case.history, "on": day_of(now_s)},
            {"found": found, "refused_centres": case.refused_centres},
            found.amount_fen,
            found.amount_fen if decided else None,
            "rules" if decided else None,
            now_s if decided else None,
        ),
        now_s,
    )
    body = {"claim": str(claim_id), "programme": programme.id, "state": state, "fen": found.amount_fen}
    await event.append(tx, now_s, actor.token_id, [NewEvent("claim_answered", body=body)])
    voucher_id = None
    if automatic:
        voucher_id = await _grant(tx, programme, claim_id, tenant_id, found.rate_bp, found.amount_fen, actor, now_s)
    return claim_answer(
        claim_id,
        programme.id,
        state,
        found,
        case.centre_ids,
        case.refused_centres,
        voucher_id,
        found.amount_fen if automatic else 0,
    )


async def _grant(
    tx: Connection,
    programme: Programme,
    claim_id: UUID,
    tenant_id: str,
    rate_bp: int,
    amount_fen: int,
    actor: Actor,
    now_s: int,
) -> UUID:
    voucher_id = voucher_of_claim(claim_id)
    terms = terms_of(programme, rate_bp, now_s)
    await voucher.insert_voucher(tx, voucher_id, tenant_id, claim_id, terms, amount_fen, now_s, terms.valid_to_s)
    source = VoucherSource(str(voucher_id), programme.id)
    await post(tx, [movements.grant(source, str(claim_id), amount_fen, now_s, actor.token_id)], now_s)
    body = {"voucher": str(voucher_id), "claim": str(claim_id), "tenant": tenant_id, "fen": amount_fen}
    await event.append(tx, now_s, actor.token_id, [NewEvent("voucher_granted", body=body)])
    return voucher_id


def voucher_of_claim(claim_id: UUID) -> UUID:
    return identity("voucher", claim_id)


def claim_answer(
    claim_id: UUID,
    programme_id: str,
    state: str,
    found: Assessment,
    centre_ids: list[str],
    refused_centres: dict[str, list[Reason]],
    voucher_id: UUID | None,
    granted_fen: int,
) -> ClaimAnswer:
    return ClaimAnswer(
        claim_id=str(claim_id),
        programme_id=programme_id,
        state=state,
        assessed_fen=found.amount_fen,
        granted_fen=granted_fen,
        base_fen=found.base_fen,
        rate_bp=found.rate_bp,
        limits_hit=list(found.limits_hit),
        refusals=[Reason(refusal.code, refusal.facts) for refusal in found.refusals],
        advice=[Reason(advice.code, advice.facts) for advice in found.advice],
        rules_sha256=found.rules_sha256,
        voucher_id=None if voucher_id is None else str(voucher_id),
        centres=centre_ids,
        refused_centres=refused_centres,
    )


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """`claim.assessment` as it is stored."""

    found: Assessment
    refused_centres: dict[str, list[Reason]]


async def decide(db: Database, actor: Actor, claim_id: UUID, amount_fen: int, call: Call, now_s: int) -> ClaimAnswer:
    """An officer decides a claim that waits: any amount up to the assessed one; 0 refuses.

    Raises NotFound, NotAllowed (another agency), Conflict (decided already), InvalidInput (above the assessment).
    """
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, ClaimAnswer, now_s)
        if repeated is not None:
            return repeated
        row = await voucher.lock_claim(tx, claim_id)
        await _require_own(tx, actor, row["programme_id"])
        await voucher.lock_programme(tx, row["programme_id"])
        step = ClaimStep.GRANT if amount_fen else ClaimStep.REFUSE
        state = claim_after(ClaimState(row["state"]), step)
        if not 0 <= amount_fen <= row["assessed_fen"]:
            raise InvalidInput("amount_fen", amount_fen, f"0 to the assessed {row['assessed_fen']} fen")
        stored = from_json(row["assessment"], StoredAssessment)
        if amount_fen:
            await _assess_again(tx, row, amount_fen, now_s)
        await voucher.decide_claim(tx, claim_id, state, amount_fen, actor.token_id, now_s)
        voucher_id = None
        if amount_fen:
            rules = (await voucher.programme(tx, row["programme_id"]))["rules"]
            programme = programme_of(from_json(rules, dict[str, Any]))
            rate_bp = stored.found.rate_bp
            voucher_id = await _grant(tx, programme, claim_id, row["tenant_id"], rate_bp, amount_fen, actor, now_s)
        given = claim_answer(
            claim_id,
            row["programme_id"],
            state,
            stored.found,
            list(row["centre_ids"]),
            stored.refused_centres,
            voucher_id,
            amount_fen,
        )
        await answer.remember(tx, call, given)
    return given


async def _assess_again(tx: Connection, row: Any, amount_fen: int, now_s: int) -> None:
    """Caps and budget may have shrunk since the claim was assessed; a grant must fit into what is left now."""
    rules = (await voucher.programme(tx, row["programme_id"]))["rules"]
    programme = programme_of(from_json(rules, dict[str, Any]))
    inputs = from_json(row["inputs"], dict[str, Any])
    applicant = msgspec.convert(inputs["applicant"], Applicant)
    contract = msgspec.convert(inputs["contract"], Contract)
    history = await _history(tx, programme, row["tenant_id"], contract, now_s)
    found = assess(programme, applicant, contract, history, on=day_of(now_s))
    if found.amount_fen < amount_fen:
        raise Refused(
            f"only {found.amount_fen} fen can be granted by now: caps or budget have shrunk",
            code="LESS_IS_LEFT",
            left_fen=found.amount_fen,
            refusals=[refusal.code for refusal in found.refusals],
        )


async def expire_vouchers(db: Database, now_s: int) -> int:
    """What no job holds of vouchers that have ended goes where their terms say: back to the budget, or nowhere.

    What a job holds stays; what it gives back after the end goes the same way, at the next look. Returns how many.
    """
    async with db.transaction() as tx:
        transactions, news = [], []
        for row in await voucher.ended_with_value(tx, now_s):
            terms = voucher.terms_until(row)
            lost_fen = expire(terms, row["amount_fen"], now_s, row["granted_fen"] - row["amount_fen"]).amount_fen
            returns = terms.on_expiry is OnExpiry.RETURN_TO_PROGRAMME
            source = VoucherSource(str(row["id"]), row["programme_id"])
            transactions.append(movements.expire(source, lost_fen, returns, now_s, "network"))
            body = {"voucher": str(row["id"]), "fen": lost_fen, "on_expiry": terms.on_expiry}
            news.append(NewEvent("voucher_expired", body=body))
        await post(tx, transactions, now_s)
        await event.append(tx, now_s, "network", news)
    return len(news)
