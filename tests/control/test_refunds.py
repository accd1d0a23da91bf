"""What was charged wrongly goes back to exactly where it came from, once, and no more than was charged."""

from dataclasses import replace
from uuid import UUID

import pytest

from suanwang.control import refund, settle, voucher
from suanwang.control.prove import prove
from suanwang.domain.job import Cause
from suanwang.domain.ledger import AccountKind, budget, tenant_cash
from suanwang.domain.tenant import Actor
from suanwang.errors import Conflict, InvalidInput
from suanwang.store import ledger
from suanwang.store import voucher as vouchers
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import ContractPart, NewClaim, NewProgramme, NewRefund, RefundLine, SubmittedJob

BUDGET_FEN = 1_000_000
HALF = """
id: p
rates: [{when: {}, rate_max_bp: 5000}]
redemption: {flow: FLOW, after_payment: AFTER}
voucher: {validity_months: 3, share_of_bill_max_bp: 5000}
"""


async def programme(net: SmallNetwork, tenant: Actor, flow: str) -> None:
    """A voucher of 500 yuan that bears half of a bill."""
    officer = await net.add_agency("agency")
    rules = HALF.replace("FLOW", flow).replace("AFTER", "true" if flow == "reimburse" else "false")
    new = NewProgramme(rules=rules, automatic_limit_fen=10**8)
    await voucher.add_programme(net.db, officer, new, net.call(officer), net.now_s)
    await voucher.fund(net.db, officer, "p", BUDGET_FEN, net.call(officer), net.now_s)
    part = ContractPart(kind="intelligent", amount_fen=100_000)
    claim = NewClaim(programme_id="p", contract_id="C-1", signed_on="2023-11-01", term_days=9, parts=(part,))
    given = await voucher.claim(net.db, tenant, claim, net.call(tenant), net.now_s)
    assert given.granted_fen == 50_000


async def charged(net: SmallNetwork, flow: str | None) -> tuple[Actor, SubmittedJob]:
    """A job that was charged 1,001 fen: half of it, 500, by a voucher if a flow is named."""
    tenant = await net.add_tenant("acme", 10_000, {"legal_person": True})
    east = await net.add_centre("east")
    east.run_s = lambda order: (3_601, Cause.SUCCEEDED)
    if flow is not None:
        await programme(net, tenant, flow)
    await net.turn()
    (submitted,) = await net.submit(tenant, job_spec(walltime_s=7_200))
    await net.turn()
    with pytest.raises(Conflict):
        await give_back(net, submitted, 1)
    await net.turn(3_601)
    return tenant, submitted


async def give_back(net: SmallNetwork, job: SubmittedJob, fen: int, key: str | None = None) -> RefundLine:
    new = NewRefund(amount_fen=fen, reason="the node was slow")
    return await refund.refund(net.db, ADMIN, UUID(job.job_id), new, net.call(ADMIN, key), net.now_s)


async def cash_fen(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash("acme"))


async def voucher_fen(net: SmallNetwork) -> int:
    async with net.db.transaction() as tx:
        (record,) = await vouchers.of_tenants(tx, ["acme"])
    return record.available_fen


async def owed_fen(net: SmallNetwork) -> dict[str, tuple[int, int]]:
    """Payee -> (cash, of programmes)."""
    async with net.db.transaction() as tx:
        return {one.payee: (one.cash_fen, sum(one.voucher_fen.values())) for one in await settle.owed(tx)}


async def assert_proofs(net: SmallNetwork) -> None:
    found = await prove(net.db, net.now_s)
    assert [(one.name, one.contradictions) for one in found.proofs if not one.holds] == []


async def test_cash_goes_back_in_parts_and_no_more_than_was_charged(net: SmallNetwork) -> None:
    _, job = await charged(net, None)
    assert await cash_fen(net) == 10_000 - 1_001
    first = await give_back(net, job, 1, key="once")
    assert (first.number, first.attempt, first.amount_fen, first.voucher_fen) == (1, 1, 1, 0)
    assert await give_back(net, job, 1, key="once") == first
    assert (await give_back(net, job, 1_000)).number == 2
    assert await cash_fen(net) == 10_000
    assert await owed_fen(net) == {}
    with pytest.raises(InvalidInput) as no:
        await give_back(net, job, 1)
    assert no.value.facts["field"] == "amount_fen"
    await assert_proofs(net)


async def test_the_vouchers_part_goes_back_to_the_voucher_to_the_fen(net: SmallNetwork) -> None:
    """A thousand and one fen, a fen less than half by the voucher: in three parts, and never a fen off."""
    _, job = await charged(net, "offset")
    assert (await cash_fen(net), await voucher_fen(net)) == (10_000 - 501, 50_000 - 500)
    assert await owed_fen(net) == {"east": (501, 500)}
    parts = [(await give_back(net, job, fen)).voucher_fen for fen in (3, 500, 498)]
    assert parts == [1, 250, 249]
    assert (await cash_fen(net), await voucher_fen(net)) == (10_000, 50_000)
    assert await owed_fen(net) == {}
    await assert_proofs(net)


async def test_what_a_programme_repaid_is_owed_no_more(net: SmallNetwork) -> None:
    _, job = await charged(net, "reimburse")
    assert await owed_fen(net) == {"east": (1_001, 0), "acme": (0, 500)}
    assert (await give_back(net, job, 1_001)).voucher_fen == 500
    assert (await cash_fen(net), await voucher_fen(net)) == (10_000, 50_000)
    assert await owed_fen(net) == {}
    await assert_proofs(net)


async def test_a_voucher_that_has_ended_gives_its_part_to_the_programme(net: SmallNetwork) -> None:
    _, job = await charged(net, "offset")
    net.now_s += 100 * SECONDS_PER_DAY
    await voucher.expire_vouchers(net.db, net.now_s)
    assert (await give_back(net, job, 1_001)).voucher_fen == 500
    assert await voucher_fen(net) == 0
    async with net.db.transaction() as tx:
        assert await ledger.balance_fen(tx, budget("p")) == BUDGET_FEN
    assert await cash_fen(net) == 10_000
    await assert_proofs(net)


async def test_a_centre_that_was_paid_already_is_paid_so_much_less_next_time(net: SmallNetwork) -> None:
    tenant, job = await charged(net, None)
    await settle.settle(net.db, ADMIN, net.call(ADMIN), net.now_s)
    await give_back(net, job, 1_001)
    assert await owed_fen(net) == {}
    (again,) = await net.submit(tenant, job_spec(walltime_s=7_200))
    await net.turn()
    await net.turn(3_601)
    assert await owed_fen(net) == {}
    (more,) = await net.submit(tenant, job_spec("more", chips=2, walltime_s=7_200))
    await net.turn()
    await net.turn(3_601)
    assert await owed_fen(net) == {"east": (2_001, 0)}
    assert again.job_id != more.job_id
    await assert_proofs(net)


async def test_of_several_attempts_one_is_named(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_800, Cause.FAILED)
    (job,) = await net.submit(tenant, replace(job_spec(), max_restarts_on_errors=1))
    await net.turn()
    await net.turn(1_800)
    await net.turn(1_800)
    with pytest.raises(InvalidInput) as no:
        await give_back(net, job, 1)
    assert no.value.facts["allowed"] == "one that was charged: 1, 2"
    new = NewRefund(amount_fen=500, reason="slow", attempt=2)
    line = await refund.refund(net.db, ADMIN, UUID(job.job_id), new, net.call(ADMIN), net.now_s)
    assert (line.attempt, line.amount_fen) == (2, 500)
    assert await cash_fen(net) == 10_000 - 500
    await assert_proofs(net)


async def test_two_attempts_that_are_refunded_whole_leave_nothing(net: SmallNetwork) -> None:
    """Reimburse flow, 501 fen each: the parts of the voucher are the whole, whatever each is rounded to."""
    tenant = await net.add_tenant("acme", 10_000, {"legal_person": True})
    east = await net.add_centre("east")
    east.run_s = lambda order: (1_801, Cause.FAILED)
    await programme(net, tenant, "reimburse")
    await net.turn()
    (job,) = await net.submit(tenant, replace(job_spec(walltime_s=7_200), max_restarts_on_errors=1))
    await net.turn()
    for _ in range(2):
        await net.turn(1_801)
    for number in (1, 2):
        new = NewRefund(amount_fen=501, reason="slow", attempt=number)
        await refund.refund(net.db, ADMIN, UUID(job.job_id), new, net.call(ADMIN), net.now_s)
    async with net.db.transaction() as tx:
        assert [row.amount_fen for row in await ledger.open_balances(tx, AccountKind.REIMBURSABLE)] == [0]
    await assert_proofs(net)
