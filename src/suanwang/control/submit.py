"""A tenant asks, submits, cancels."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from suanwang.control import meter, project
from suanwang.control.offers import Market, Offers, Prices
from suanwang.control.project import Rooms, no_project
from suanwang.control.schedule import QueuedBody, ask_of
from suanwang.domain import job as job_rules
from suanwang.domain import movements
from suanwang.domain.centre import Catalogue
from suanwang.domain.job import COMPUTE_KIND, ENDED_STATES, BlobWorkdir, JobSpec, JobState, JobStep
from suanwang.domain.ledger import Transaction, identity, tenant_cash
from suanwang.domain.movements import VoucherSource
from suanwang.domain.scheduling.events import Ask
from suanwang.domain.tenant import Actor, Quotas, require_tenant
from suanwang.domain.voucher import usable, voucher_share_fen
from suanwang.errors import Conflict, InsufficientValue, InvalidInput, NotFound, Refused
from suanwang.store import answer, blob, event, ledger, organisation, voucher
from suanwang.store import attempt as attempts
from suanwang.store import job as jobs
from suanwang.store import project as projects
from suanwang.store.answer import Call
from suanwang.store.db import Connection, Database
from suanwang.store.event import NewEvent
from suanwang.store.job import JobRecord, NewJob, StateChange
from suanwang.store.posting import post
from suanwang.store.voucher import VoucherRecord
from suanwang.units import iso_utc, yuan
from suanwang.wire import SubmittedJob

TRIES = 3
DEFAULT_QUOTAS = Quotas()


@dataclass(frozen=True, slots=True)
class Terms:
    """What one attempt of a job can cost at most, and who would pay."""

    estimate_fen: int
    cash_fen: int
    voucher_fen: int
    voucher: VoucherRecord | None


@dataclass(slots=True)
class Means:
    """What a tenant can pay with, read once per transaction and drawn down as jobs take from it."""

    offers: Offers
    vouchers: list[VoucherRecord]
    left_fen: dict[UUID, int]
    """Voucher -> fen that no job holds."""
    cash_fen: int
    live_jobs: int = 0
    projects: Rooms = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    """Of the working directories that are named: those that the tenant owns. Another's could be read through a job."""


async def read_means(tx: Connection, market: Market, tenant_ids: list[str]) -> dict[str, Means]:
    offers = await market.offers(tx)
    vouchers: dict[str, list[VoucherRecord]] = {tenant_id: [] for tenant_id in tenant_ids}
    for record in await offers.providers.with_centres(tx, await voucher.of_tenants(tx, tenant_ids)):
        vouchers[record.tenant_id].append(record)
    cash = {tenant_id: tenant_cash(tenant_id) for tenant_id in tenant_ids}
    balances_fen = await ledger.balances_fen(tx, list(cash.values()))
    return {
        tenant_id: Means(
            offers, owned, {record.id: record.available_fen for record in owned}, balances_fen[cash[tenant_id].key]
        )
        for tenant_id, owned in vouchers.items()
    }


def choose_voucher(means: Means, spec: JobSpec, prices: Prices, now_s: int) -> VoucherRecord | None:
    """The voucher that pays for a job: the one it names, or the first to end that bears a part of one of these prices.

    Raises NotFound, Refused.
    """
    if spec.voucher == "none":
        return None
    if spec.voucher is not None:
        named = [record for record in means.vouchers if str(record.id).startswith(spec.voucher)]
        if len(named) != 1:
            raise NotFound(f"no voucher {spec.voucher} of yours", voucher=spec.voucher)
        used_fen = named[0].granted_fen - means.left_fen[named[0].id]
        refusal = usable(named[0].terms, on_s=now_s, use=spec.use, kind=COMPUTE_KIND, used_fen=used_fen)
        if refusal is not None:
            raise Refused(f"voucher {spec.voucher} cannot pay for this job: {refusal.code}", code=refusal.code)
        return named[0]
    for record in means.vouchers:
        left_fen = means.left_fen[record.id]
        refusal = usable(record.terms, on_s=now_s, use=spec.use, kind=COMPUTE_KIND)
        # What is not divisible pays one bill and loses the rest: whoever wants that names it.
        if left_fen <= 0 or not record.terms.divisible or refusal is not None:
            continue
        if any(shares_fen(record, left_fen, centre_id, price_fen)[0] for centre_id, price_fen in prices):
            return record
    return None


def shares_fen(paying: VoucherRecord | None, left_fen: int, centre_id: str, price_fen: int) -> tuple[int, int]:
    """(voucher part, part that the tenant must have ready in cash) of one price at one centre."""
    if paying is None or centre_id not in paying.centre_ids:
        return 0, price_fen
    voucher_fen = voucher_share_fen(paying.terms, price_fen, left_fen)
    return voucher_fen, price_fen - voucher_fen if paying.terms.flow == "offset" else price_fen


def terms_of(means: Means, spec: JobSpec, prices: Prices, now_s: int) -> Terms:
    """Over the pools that could run it, by their prices: the dearest, because it is not placed yet."""
    paying = choose_voucher(means, spec, prices, now_s)
    left_fen = means.left_fen[paying.id] if paying else 0
    shares = [shares_fen(paying, left_fen, centre_id, price_fen) for centre_id, price_fen in prices]
    voucher_fen = max(part for part, _ in shares)
    return Terms(
        max(price_fen for _, price_fen in prices),
        max(part for _, part in shares),
        voucher_fen,
        paying if voucher_fen else None,
    )


@dataclass(frozen=True, slots=True)
class Submission:
    """One call of a tenant: all of these jobs, or none."""

    actor: Actor
    specs: Sequence[JobSpec]
    call: Call


async def submit_together(
    db: Database,
    catalogue: Catalogue,
    market: Market,
    submissions: Sequence[Submission],
    now_s: int,
    quotas: Quotas = DEFAULT_QUOTAS,
) -> list[list[SubmittedJob] | Refused]:
    """Several calls in one transaction: one commit for all of them, an answer for each. No key may be there twice.

    All jobs of a call, or none: checked, their value held (voucher first, cash second), queued. What a call is refused
    for (InvalidInput, no pool could run it, InsufficientValue, Conflict) is its answer; it leaves no trace and does not
    touch the others.
    """
    try:
        return await _submit(db, catalogue, market, submissions, now_s, quotas)
    except Refused:
        pass  # the database refused one of them, and with it all: each for itself, then
    return [await _submit_alone(db, catalogue, market, submission, now_s, quotas) for submission in submissions]


async def _submit_alone(
    db: Database, catalogue: Catalogue, market: Market, submission: Submission, now_s: int, quotas: Quotas
) -> list[SubmittedJob] | Refused:
    """One call, while no other of the same tenant is worked out.

    Two calls that go on at once read the same means, and the database refuses the second what the first has taken: a
    voucher, say, in whose place cash would have done. So its means are read again, and only what is read then counts.
    """
    tries = 0
    while True:
        tries += 1
        try:
            (outcome,) = await _submit(db, catalogue, market, [submission], now_s, quotas, alone=True)
        except Refused as no:
            # A job that recovers and a voucher that ends do not wait for submissions: then it is tried once more.
            if not isinstance(no, InsufficientValue) or tries == TRIES:
                return no
        else:
            return outcome


async def _submit(
    db: Database,
    catalogue: Catalogue,
    market: Market,
    submissions: Sequence[Submission],
    now_s: int,
    quotas: Quotas,
    *,
    alone: bool = False,
) -> list[list[SubmittedJob] | Refused]:
    """Raises Refused if the database refuses what looked right here."""
    async with db.transaction() as tx:
        calls = [submission.call for submission in submissions]
        tenant_ids = sorted({submission.actor.organisation_id for submission in submissions})
        # Before the keys: who waits here holds nothing that others wait for.
        await (organisation.lock if alone else organisation.share)(tx, tenant_ids)
        opened = await answer.open_all(tx, calls, now_s)
        means = await read_means(tx, market, tenant_ids)
        await _read_holdings(tx, means, submissions)
        await _read_projects(tx, means, submissions, now_s)
        outcomes: list[list[SubmittedJob] | Refused] = []
        accepted: dict[Call, list[_NewJob]] = {}
        for submission in submissions:
            call, tenant_id = submission.call, submission.actor.organisation_id
            try:
                if call in opened:
                    drawn, accepted[call] = _work_out(means[tenant_id], catalogue, submission, quotas, now_s)
                    means[tenant_id] = drawn
                    outcomes.append([one.answer for one in accepted[call]])
                else:
                    outcomes.append(await answer.repeated(tx, call, list[SubmittedJob]))
            except Refused as no:
                outcomes.append(no)
        if accepted:
            await _record(tx, accepted, now_s)
        await answer.withdraw(tx, [call for call in opened if call not in accepted])
    return outcomes


async def _read_holdings(tx: Connection, means: dict[str, Means], submissions: Sequence[Submission]) -> None:
    """How many live jobs each tenant has, and which of the files that these calls name."""
    live = await jobs.count_live(tx, list(means))
    wanted = {
        (submission.actor.organisation_id, spec.workdir.sha256)
        for submission in submissions
        for spec in submission.specs
        if isinstance(spec.workdir, BlobWorkdir)
    }
    owned = await blob.hold(tx, sorted(wanted)) if wanted else set()
    for tenant_id, own in means.items():
        own.live_jobs = live.get(tenant_id, 0)
        own.files = frozenset(digest for owner, digest in owned if owner == tenant_id)


async def _read_projects(
    tx: Connection, means: dict[str, Means], submissions: Sequence[Submission], now_s: int
) -> None:
    """The projects that these calls name, locked: nobody else draws on their budgets until this is over."""
    named = {
        (submission.actor.organisation_id, spec.project)
        for submission in submissions
        for spec in submission.specs
        if spec.project is not None
    }
    found = await project.rooms(tx, named, now_s)
    for own in means.values():
        own.projects = found


def _draw_on_project(means: Means, tenant_id: str, spec: JobSpec, estimate_fen: int) -> UUID | None:
    """The project of a job, once the most that the job can cost has room in its budget. Raises NotFound, Refused."""
    if spec.project is None:
        return None
    room = means.projects.get((tenant_id, spec.project))
    if room is None:
        raise no_project(spec.project)
    room.take(estimate_fen)
    return room.record.id


def _check_holdings(means: Means, specs: Sequence[JobSpec], quotas: Quotas) -> None:
    """Calls that are under way at the same moment do not count each other. Raises Refused, NotFound."""
    if means.live_jobs + len(specs) > quotas.live_jobs:
        raise Refused(
            f"you have {means.live_jobs} jobs that are not over and ask for {len(specs)} more; "
            f"{quotas.live_jobs} are allowed at once",
            code="LIVE_JOBS_QUOTA",
            live=means.live_jobs,
            asked=len(specs),
            limit=quotas.live_jobs,
        )
    for spec in specs:
        if isinstance(spec.workdir, BlobWorkdir) and spec.workdir.sha256.lower() not in means.files:
            digest = spec.workdir.sha256
            raise NotFound(f"no uploaded file {digest}; upload the working directory first", sha256=digest)


async def _record(tx: Connection, accepted: "dict[Call, list[_NewJob]]", now_s: int) -> None:
    new_jobs = [one for found in accepted.values() for one in found]
    numbers = await jobs.insert(tx, [one.new for one in new_jobs], now_s)
    asks = [replace(one.ask, arrival=numbers[one.new.id]) for one in new_jobs]
    drawing = {one.new.id: one.new.estimate_fen for one in new_jobs if one.new.project_id is not None}
    if drawing:
        await projects.hold(tx, drawing)
    await post(tx, [one.hold for one in new_jobs], now_s)
    await jobs.count_in(tx, Counter(one.new.tenant_id for one in new_jobs))
    await event.append(
        tx,
        now_s,
        "",
        [
            NewEvent("job_submitted", str(one.new.id), body=QueuedBody(ask), actor=one.hold.actor)
            for one, ask in zip(new_jobs, asks, strict=True)
        ],
    )
    await answer.remember_all(tx, [(call, [one.answer for one in found]) for call, found in accepted.items()])


@dataclass(frozen=True, slots=True)
class _NewJob:
    new: NewJob
    ask: Ask
    hold: Transaction
    answer: SubmittedJob


def _work_out(
    means: Means, catalogue: Catalogue, submission: Submission, quotas: Quotas, now_s: int
) -> tuple[Means, list[_NewJob]]:
    """The jobs of one call, and what they leave of the tenant's means. Raises Refused."""
    actor, specs, call = submission.actor, submission.specs, submission.call
    require_tenant(actor, actor.organisation_id)
    if not 1 <= len(specs) <= job_rules.MAX_COUNT:
        raise InvalidInput("jobs", len(specs), f"1 to {job_rules.MAX_COUNT} jobs in one call")
    _check_holdings(means, specs, quotas)
    # A call of many jobs mostly repeats one spec: what is the same for all of them is worked out once.
    known: dict[int, tuple[Ask, Prices]] = {}
    for spec in specs:
        if id(spec) not in known:
            job_rules.check(spec)
            nameless = ask_of(spec, catalogue, "", "", 0, 0)
            known[id(spec)] = (nameless, means.offers.prices_fen(nameless, spec.name))
    left, terms = _affordable(means, [(spec, known[id(spec)][1]) for spec in specs], now_s)
    left.live_jobs += len(specs)
    # Others of the same tenants draw on them too, if this call is not refused.
    left.projects = {key: replace(room) for key, room in means.projects.items()}
    found = []
    for number, (spec, paid) in enumerate(zip(specs, terms, strict=True)):
        ask = replace(
            known[id(spec)][0],
            job_id=str(identity("job", actor.organisation_id, f"{call.key}/{number}")),
            tenant_id=actor.organisation_id,
            submitted_s=now_s,
            max_cost_fen=paid.estimate_fen,
        )
        drawn_on = _draw_on_project(left, actor.organisation_id, spec, paid.estimate_fen)
        found.append(_new_job(actor, spec, ask, paid, drawn_on))
    return left, found


def _affordable(means: Means, wanted: list[tuple[JobSpec, Prices]], now_s: int) -> tuple[Means, list[Terms]]:
    """What is held for the jobs of one call, and what it leaves of the means.

    A tenant that cannot pay the dearest offers is not kept from the others: of every job as few of its dearest are left
    out as will do. Raises InsufficientValue if even the cheapest of all are too dear together.
    """

    def drawn(left_out: int) -> tuple[Means, list[Terms]]:
        left = replace(means, left_fen=dict(means.left_fen))
        found = []
        for spec, prices in wanted:
            terms = terms_of(left, spec, prices[min(left_out, len(prices) - 1) :], now_s)
            if terms.voucher is not None:
                left.left_fen[terms.voucher.id] -= terms.voucher_fen
            left.cash_fen -= terms.cash_fen
            found.append(terms)
        return left, found

    left, terms = drawn(0)
    most = max(len(prices) for _, prices in wanted) - 1
    if left.cash_fen < 0 < most:
        left, terms = drawn(bisect_left(range(most), True, lo=1, key=lambda number: drawn(number)[0].cash_fen >= 0))
    if left.cash_fen < 0:
        needed_fen = means.cash_fen - left.cash_fen
        raise InsufficientValue(
            f"{yuan(needed_fen)} yuan must be held even for the cheapest offers, {yuan(means.cash_fen)} are free: "
            "top up, or ask for less walltime",
            needed_fen=needed_fen,
            available_fen=means.cash_fen,
        )
    return left, terms


def _new_job(actor: Actor, spec: JobSpec, ask: Ask, terms: Terms, project_id: UUID | None) -> _NewJob:
    tenant_id, now_s = ask.tenant_id, ask.submitted_s
    source = None
    if terms.voucher is not None:
        source = VoucherSource(str(terms.voucher.id), terms.voucher.programme_id)
    voucher_id = terms.voucher.id if terms.voucher else None
    return _NewJob(
        NewJob(
            UUID(ask.job_id),
            tenant_id,
            spec,
            terms.estimate_fen,
            voucher_id,
            terms.voucher.centre_ids if terms.voucher else (),
            project_id,
        ),
        ask,
        movements.hold(tenant_id, ask.job_id, 1, terms.cash_fen, source, terms.voucher_fen, now_s, actor.token_id),
        SubmittedJob(
            ask.job_id,
            spec.name,
            terms.estimate_fen,
            terms.voucher_fen,
            terms.cash_fen,
            None if voucher_id is None else str(voucher_id),
        ),
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
