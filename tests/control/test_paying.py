"""What pays for a job: the first voucher that bears a part of it, then cash; also when many ask at once."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from suanwang.control import daemon, submit, voucher
from suanwang.control.daemon import Hub
from suanwang.control.offers import Market
from suanwang.control.prove import prove
from suanwang.control.quote import quote
from suanwang.control.submit import Submission
from suanwang.domain.job import Cause, JobState, Objective, Variant
from suanwang.domain.ledger import CASH, tenant_cash
from suanwang.domain.tenant import Actor
from suanwang.errors import InsufficientValue
from suanwang.store import event, ledger
from suanwang.store import job as jobs
from suanwang.store.job import JobRecord
from suanwang.testing.network import SmallNetwork, job_spec
from suanwang.wire import ContractPart, NewClaim, NewProgramme, SubmittedJob

FACTS: dict[str, object] = {"legal_person": True}
RULES = """
id: ID
name_zh: 测试
issuer_zh: 测试
jurisdiction: 北京
service: {kinds: [intelligent], uses: [training]}
providers: {mode: whitelist, list: [partners]}
rates: [{when: {}, rate_max_bp: 10000}]
caps: {per_entity_year_fen: 200000000}
redemption: {flow: offset, after_payment: false}
voucher: {validity_months: MONTHS}
"""


async def grant(net: SmallNetwork, tenant: Actor, programme_id: str, partner: str, fen: int, months: int) -> str:
    """A voucher of a programme of its own, for the centre that is its partner, that ends after so many months."""
    officer = await net.add_agency(f"agency-of-{programme_id}")
    rules = RULES.replace("ID", programme_id).replace("MONTHS", str(months))
    new = NewProgramme(rules=rules, automatic_limit_fen=10**8)
    await voucher.add_programme(net.db, officer, new, net.call(officer), net.now_s)
    await net.list_centre(officer, "partners", partner)
    await voucher.fund(net.db, officer, programme_id, fen, net.call(officer), net.now_s)
    part = ContractPart(kind="intelligent", amount_fen=fen)
    claim = NewClaim(programme_id=programme_id, contract_id="C1", signed_on="2023-11-01", term_days=100, parts=(part,))
    given = await voucher.claim(net.db, tenant, claim, net.call(tenant), net.now_s)
    assert given.voucher_id is not None, given.refusals
    assert given.granted_fen == fen
    return given.voucher_id


async def cash_fen(net: SmallNetwork, tenant_id: str) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash(tenant_id))


async def alone(net: SmallNetwork, tenant: Actor, key: str, chips: int = 1) -> list[SubmittedJob] | InsufficientValue:
    """A call that goes into a transaction of its own, as those of two hubs, or of two clerks, do."""
    one = Submission(tenant, [job_spec(chips=chips)], net.call(tenant, key))
    (outcome,) = await submit.submit_together(net.db, net.catalogue, Market(), [one], net.now_s)
    assert isinstance(outcome, (list, InsufficientValue))
    return outcome


@pytest.mark.parametrize("turn", range(3))
async def test_calls_that_reach_for_the_same_voucher_at_once_are_paid_in_cash_when_it_is_used_up(
    net: SmallNetwork, turn: int
) -> None:
    tenant = await net.add_tenant("acme", 17_000, FACTS)
    await net.add_centre("east")
    await grant(net, tenant, "p", "east", 3_000, 3)
    answers = await asyncio.gather(*(alone(net, tenant, f"rush-{i}") for i in range(20)))
    assert [answer for answer in answers if isinstance(answer, InsufficientValue)] == []
    parts = [job.voucher_hold_fen for answer in answers if isinstance(answer, list) for job in answer]
    assert sorted(parts) == [0] * 17 + [1_000] * 3
    assert await cash_fen(net, "acme") == 0
    assert (await prove(net.db, net.now_s)).hold


async def test_whoever_is_refused_while_others_ask_hears_what_is_free(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10_000, FACTS)
    await net.add_centre("east")
    sizes = [4, 3, 2, 1] * 4
    answers = await asyncio.gather(*(alone(net, tenant, f"rush-{i}", chips) for i, chips in enumerate(sizes)))
    refused = [answer for answer in answers if isinstance(answer, InsufficientValue)]
    taken_fen = sum(job.cash_hold_fen for answer in answers if isinstance(answer, list) for job in answer)
    left_fen = await cash_fen(net, "acme")
    assert taken_fen + left_fen == 10_000
    for no in refused:
        assert no.facts["needed_fen"] > no.facts["available_fen"] >= left_fen
    # Nobody was refused what the rest would have covered.
    assert all(no.facts["needed_fen"] > left_fen for no in refused)
    assert (await prove(net.db, net.now_s)).hold


async def test_the_first_voucher_that_bears_a_part_is_chosen_not_the_first_of_all(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000, FACTS)
    await net.add_centre("east")
    await net.add_centre("west")
    sooner = await grant(net, tenant, "sooner", "east", 10_000, 1)
    later = await grant(net, tenant, "later", "west", 10_000, 3)
    pinned = replace(job_spec(), variants=(Variant("A100", 1, centre="west"),))
    hub = Hub(net.db, net.catalogue, lambda: net.now_s, unseen_after_s=30)
    await asyncio.to_thread(daemon.warm_up)
    await net.turn()
    hub.brain = net.brain
    for spec, voucher_id in ((pinned, later), (job_spec(), sooner)):
        quoted = await quote(hub, "acme", spec, [], net.now_s)
        (submitted,) = await net.submit(tenant, spec)
        assert (quoted.voucher_id, submitted.voucher_id) == (voucher_id, voucher_id)
        assert submitted.voucher_hold_fen == 1_000
    assert await cash_fen(net, "acme") == 99_000


async def test_what_has_a_price_is_never_free_however_short_it_is(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 1)
    east = await net.add_centre("east", fen_per_chip_hour=100)
    short = replace(job_spec(), walltime_s=35)
    (submitted,) = await net.submit(tenant, short)
    assert (submitted.estimate_fen, submitted.cash_hold_fen) == (1, 1)
    with pytest.raises(InsufficientValue):
        await net.submit(tenant, short)
    await net.turn()
    await net.turn(35)
    assert [running.ended for running in east.attempts.values()] == [True]
    assert await cash_fen(net, "acme") == 0
    assert (await job_of(net, submitted)).charged_fen == 1
    assert (await prove(net.db, net.now_s)).hold


async def test_an_offer_that_a_tenant_cannot_pay_does_not_keep_it_from_the_others(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 5_000)
    await net.add_centre("gold", fen_per_chip_hour=360_000)
    await net.add_centre("silver", fen_per_chip_hour=2_000)
    await net.add_centre("east", fen_per_chip_hour=1_000)
    (one,) = await net.submit(tenant, replace(job_spec(), objective=Objective.SOONEST))
    assert one.cash_hold_fen == 2_000
    two = await net.submit(tenant, job_spec(), job_spec())
    assert [job.cash_hold_fen for job in two] == [1_000, 1_000]
    with pytest.raises(InsufficientValue) as no:
        await net.submit(tenant, job_spec(), job_spec())
    assert no.value.facts == {"needed_fen": 2_000, "available_fen": 1_000}
    await net.turn()
    assert net.centres["gold"].starts == []
    async with net.db.transaction() as tx:
        (told,) = [one for one in await event.of_job(tx, UUID(two[0].job_id)) if one["kind"] == "job_placed"]
    reasons = {outlook["pool_id"]: outlook["reason"]["code"] for outlook in told["body"]["outlook"]}
    assert reasons == {"gold-pool": "COST_OVER_BUDGET", "silver-pool": "COST_OVER_BUDGET", "east-pool": "FITS"}
    assert (await prove(net.db, net.now_s)).hold


async def test_the_limit_of_a_job_holds_over_all_its_attempts(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_800, Cause.FAILED) if order.attempt == 1 else (3_600, Cause.FAILED)
    stubborn = replace(job_spec(), max_cost_fen=1_200, max_restarts_on_errors=3)
    (submitted,) = await net.submit(tenant, stubborn)
    await net.turn()
    await net.turn(1_800)
    record = await job_of(net, submitted)
    assert (record.state, record.charged_fen) == (JobState.QUEUED, 500)
    assert await held_fen(net, submitted) == {CASH: 700}
    await net.offer("east", fen_per_chip_hour=700)
    await net.turn()
    await net.turn(3_600)
    assert east.starts == [(submitted.job_id, 1), (submitted.job_id, 2)]
    record = await job_of(net, submitted)
    assert (record.state, record.charged_fen) == (JobState.FAILED, 1_200)
    async with net.db.transaction() as tx:
        told = (await event.of_job(tx, UUID(submitted.job_id)))[-1]
    assert told["body"]["code"] == "COST_LIMIT_REACHED"
    assert await cash_fen(net, "acme") == 10_000 - 1_200
    assert (await prove(net.db, net.now_s)).hold


async def test_a_voucher_pays_for_the_next_attempt_too_while_it_has_something_left(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 1_000, FACTS)
    east = await net.add_centre("east")
    await grant(net, tenant, "p", "east", 1_600, 3)
    east.run_s = lambda order: (order.walltime_s, Cause.FAILED)
    (submitted,) = await net.submit(tenant, replace(job_spec(), max_restarts_on_errors=3))
    assert (submitted.voucher_hold_fen, submitted.cash_hold_fen) == (1_000, 0)
    await net.turn()
    held = []
    for _ in range(3):
        await net.turn(3_600)
        held.append(await held_fen(net, submitted))
    # The voucher's rest first; what it lacks in cash; then neither is enough for a whole attempt.
    assert held == [{CASH: 400, "CNY@p": 600}, {CASH: 0, "CNY@p": 0}, {CASH: 0, "CNY@p": 0}]
    record = await job_of(net, submitted)
    assert (record.state, record.charged_fen, record.voucher_fen) == (JobState.FAILED, 2_000, 1_600)
    assert await cash_fen(net, "acme") == 600
    assert (await prove(net.db, net.now_s)).hold


async def job_of(net: SmallNetwork, submitted: SubmittedJob) -> JobRecord:
    async with net.db.transaction() as tx:
        return (await jobs.lock(tx, [UUID(submitted.job_id)]))[UUID(submitted.job_id)]


async def held_fen(net: SmallNetwork, submitted: SubmittedJob) -> dict[str, int]:
    job_id = UUID(submitted.job_id)
    async with net.db.transaction() as tx:
        return (await ledger.held_fen(tx, [job_id]))[job_id]
