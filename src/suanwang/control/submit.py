"""A tenant asks, submits, cancels."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from suanwang.control import meter
from suanwang.control.schedule import QueuedBody, ask_of
from suanwang.domain import job as job_rules
from suanwang.domain import movements
from suanwang.domain.centre import Catalogue, Pool
from suanwang.domain.job import ENDED_STATES, JobSpec, JobState, JobStep
from suanwang.domain.ledger import Transaction, identity, tenant_cash
from suanwang.domain.movements import VoucherSource
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.events import Ask, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote
from suanwang.domain.scheduling.state import State
from suanwang.domain.tenant import Actor, require_tenant
from suanwang.domain.voucher import usable, voucher_share_fen
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, NotFound, Refused
from suanwang.store import answer, centre, event, ledger, voucher
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord, NewJob, StateChange
from suanwang.store.posting import post
from suanwang.store.voucher import VoucherRecord
from suanwang.units import iso_utc, yuan
from suanwang.wire import SubmittedJob

COMPUTE_KIND = "intelligent"
"""What a job consumes, in the words of voucher rules."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one attempt of a job can cost at most, and who would pay."""

    estimate_fen: int
    cash_fen: int
    voucher_fen: int
    voucher: VoucherRecord | None


@dataclass(frozen=True, slots=True)
class Means:
    """What a tenant can pay with, read once per call and drawn down as jobs of the call take from it."""

    pools: list[Pool]
    empty: State
    """The pools with nothing in them: what could run there at all, and for how much."""
    vouchers: list[VoucherRecord]
    left_fen: dict[UUID, int]
    """Voucher -> fen that no job holds."""


async def read_means(tx: Connection, tenant_id: str) -> Means:
    vouchers = await voucher.vouchers(tx, tenant_id)
    pools = await centre.pools(tx)
    empty = State()
    apply_events(empty, [PoolSet(pool) for pool in pools])
    return Means(pools, empty, vouchers, {record.id: record.available_fen for record in vouchers})


def choose_voucher(means: Means, spec: JobSpec, now_s: int) -> VoucherRecord | None:
    """The voucher that pays for a job: the one it names, or the first to end that fits. Raises NotFound, Refused."""
    if spec.voucher == "none":
        return None
    if spec.voucher is not None:
        named = [record for record in means.vouchers if str(record.id).startswith(spec.voucher)]
        if len(named) != 1:
            raise NotFound(f"no voucher {spec.voucher} of yours", voucher=spec.voucher)
        refusal = usable(named[0].terms, on_s=now_s, use=spec.use, kind=COMPUTE_KIND)
        if refusal is not None:
            raise Refused(f"voucher {spec.voucher} cannot pay for this job: {refusal.code}", code=refusal.code)
        return named[0]
    for record in means.vouchers:
        if means.left_fen[record.id] > 0 and usable(record.terms, on_s=now_s, use=spec.use, kind=COMPUTE_KIND) is None:
            return record
    return None


def shares_fen(paying: VoucherRecord | None, left_fen: int, centre_id: str, price_fen: int) -> tuple[int, int]:
    """(voucher part, part that the tenant must have ready in cash) of one price at one centre."""
    if paying is None or centre_id not in paying.centre_ids:
        return 0, price_fen
    voucher_fen = voucher_share_fen(paying.terms, price_fen, left_fen)
    return voucher_fen, price_fen - voucher_fen if paying.terms.flow == "offset" else price_fen


def terms_of(means: Means, spec: JobSpec, ask: Ask, now_s: int) -> Terms:
    """Over all pools that could ever run it: the dearest, because it is not placed yet.

    Raises Refused with the reason of every pool if there is none.
    """
    prices = []
    refusals = {}
    centre_of = {pool.id: pool.centre_id for pool in means.pools}
    for outlook in quote(means.empty, Policy(), now_s, ask):
        if outlook.feasible and outlook.price_fen is not None:
            prices.append((centre_of[outlook.pool_id], outlook.price_fen))
        else:
            refusals[outlook.pool_id] = {"code": outlook.reason.code, "facts": outlook.reason.facts}
    if not prices:
        shown = "; ".join(f"{pool_id}: {refusal['code']}" for pool_id, refusal in refusals.items())
        raise Refused(
            f"no centre can run {spec.name!r}: {shown or 'no centre has joined'}", code="NO_POOL", pools=refusals
        )
    paying = choose_voucher(means, spec, now_s)
    left_fen = means.left_fen[paying.id] if paying else 0
    shares = [shares_fen(paying, left_fen, centre_id, price_fen) for centre_id, price_fen in prices]
    voucher_fen = max(part for part, _ in shares)
    return Terms(
        max(price_fen for _, price_fen in prices),
        max(part for _, part in shares),
        voucher_fen,
        paying if voucher_fen else None,
    )


async def submit_jobs(
    db: Database, catalogue: Catalogue, actor: Actor, specs: Sequence[JobSpec], call: Call, now_s: int
) -> list[SubmittedJob]:
    """All of the jobs, or none: checked, their value held (voucher first, cash second), queued.

    Raises InvalidInput, Refused (no pool could run it), InsufficientValue, Conflict (idempotency key).
    """
    tenant_id = actor.organisation_id
    require_tenant(actor, tenant_id)
    if not 1 <= len(specs) <= job_rules.MAX_COUNT:
        raise InvalidInput("jobs", len(specs), f"1 to {job_rules.MAX_COUNT} jobs in one call")
    for spec in {id(spec): spec for spec in specs}.values():
        job_rules.check(spec)
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, list[SubmittedJob], now_s)
        if repeated is not None:
            return repeated
        means = await read_means(tx, tenant_id)
        submitted = [
            _submit_one(means, catalogue, actor, spec, f"{call.key}/{i}", now_s) for i, spec in enumerate(specs)
        ]
        await _require_cash(tx, tenant_id, sum(one.terms.cash_fen for one in submitted))
        await jobs.insert(tx, tenant_id, [one.new for one in submitted], now_s)
        await post(tx, [one.hold for one in submitted], now_s)
        await event.append(
            tx,
            now_s,
            actor.token_id,
            [NewEvent("job_submitted", str(one.new.id), body=QueuedBody(one.ask)) for one in submitted],
        )
        answers = [one.answer for one in submitted]
        await answer.remember(tx, call, answers)
    return answers


@dataclass(frozen=True, slots=True)
class _Submission:
    new: NewJob
    ask: Ask
    terms: Terms
    hold: Transaction
    answer: SubmittedJob


def _submit_one(means: Means, catalogue: Catalogue, actor: Actor, spec: JobSpec, key: str, now_s: int) -> _Submission:
    tenant_id = actor.organisation_id
    job_id = identity("job", tenant_id, key)
    ask = ask_of(spec, catalogue, str(job_id), tenant_id, now_s)
    terms = terms_of(means, spec, ask, now_s)
    source = None
    if terms.voucher is not None:
        means.left_fen[terms.voucher.id] -= terms.voucher_fen
        source = VoucherSource(str(terms.voucher.id), terms.voucher.programme_id)
    voucher_id = terms.voucher.id if terms.voucher else None
    return _Submission(
        NewJob(job_id, spec, terms.estimate_fen, voucher_id),
        ask,
        terms,
        movements.hold(tenant_id, str(job_id), 1, terms.cash_fen, source, terms.voucher_fen, now_s, actor.token_id),
        SubmittedJob(
            str(job_id),
            spec.name,
            terms.estimate_fen,
            terms.voucher_fen,
            terms.cash_fen,
            None if voucher_id is None else str(voucher_id),
        ),
    )


async def _require_cash(tx: Connection, tenant_id: str, needed_fen: int) -> None:
    """A clear answer before the database's own. Raises InsufficientValue."""
    available_fen = await ledger.balance_fen(tx, tenant_cash(tenant_id))
    if needed_fen > available_fen:
        raise InsufficientValue(
            f"{yuan(needed_fen)} yuan must be held, {yuan(available_fen)} are free: top up, or ask for less walltime",
            needed_fen=needed_fen,
            available_fen=available_fen,
        )


async def cancel_job(db: Database, actor: Actor, job_id: UUID, call: Call, now_s: int) -> JobState:
    """A job that waits ends at once; one that is placed is asked to stop and ends when its centre confirms.

    Raises NotFound, NotAllowed, Conflict (already over).
    """
    async with db.transaction() as tx:
        repeated = await answer.earlier(tx, call, str, now_s)
        if repeated is not None:
            return JobState(repeated)
        record = (await jobs.lock(tx, [job_id])).get(job_id)
        if record is None:
            raise NotFound(f"no job {job_id}", job=str(job_id))
        require_tenant(actor, record.tenant_id)
        if record.state in ENDED_STATES:
            raise Conflict(f"this job is over: {record.state}", code="JOB_ENDED", state=record.state)
        state = record.state
        if state is not JobState.CANCELLING:
            state = job_rules.after(record.state, JobStep.CANCEL)
            await _cancel(tx, record, state, actor, now_s)
        await answer.remember(tx, call, state)
    return state


async def _cancel(tx: Connection, record: JobRecord, state: JobState, actor: Actor, now_s: int) -> None:
    over = state is JobState.CANCELLED
    reason: dict[str, object] = {"code": "CANCELLED_BY_TENANT", "facts": {"at": iso_utc(now_s)}}
    change = StateChange(
        record, state, reason, now_s if over else None, recoveries=record.recoveries, restarts=record.restarts
    )
    await jobs.set_states(tx, [change])
    if over:
        await event.append(tx, now_s, actor.token_id, [NewEvent("job_withdrawn", str(record.id))])
        await meter.close(tx, (await meter.open_purses(tx, [record])).values(), now_s)
    else:
        await attempts.want_stop(tx, [(record.id, record.attempts)])
        await event.append(tx, now_s, actor.token_id, [NewEvent("job_cancelling", str(record.id), record.attempts)])
