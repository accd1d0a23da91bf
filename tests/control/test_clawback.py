"""A voucher is clawed back: what is left is taken, what was used is owed, and nobody uses it any more."""

import asyncio
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import clawback, voucher
from suanwang.control.prove import prove
from suanwang.control.refund import refund
from suanwang.domain.ledger import Account, budget, clawed_back, payable, reimbursable
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import InvalidInput, NotAllowed, NotFound, Refused
from suanwang.store import ledger
from suanwang.testing.network import SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_HOUR
from suanwang.wire import ClawBackLine, NewClawBack, NewRefund, NewRepayment
from tests.control.test_voucher_rules import BUDGET_FEN, OFFICER, balances, events, rules, with_voucher

RETURNS = rules(voucher_rules="{validity_months: 12, on_expiry: return_to_programme}")
WHY = "the contract was cancelled"


async def take(net: SmallNetwork, voucher_id: UUID, used_fen: int = 0, actor: Actor = OFFICER) -> ClawBackLine:
    new = NewClawBack(reason=WHY, used_fen=used_fen)
    return await clawback.claw_back(net.db, actor, voucher_id, new, net.call(actor), net.now_s)


async def repaid(net: SmallNetwork, voucher_id: UUID, fen: int) -> ClawBackLine:
    return await clawback.repay(net.db, OFFICER, voucher_id, NewRepayment(amount_fen=fen), net.call(OFFICER), net.now_s)


async def places(net: SmallNetwork, voucher_id: UUID) -> dict[str, int]:
    async with net.db.transaction() as tx:
        row = (await ledger.voucher_places(tx, [voucher_id]))[voucher_id]
    return {name: fen for name, fen in row.items() if name not in ("id", "repaid_fen") and fen}


async def test_what_no_job_holds_is_taken_and_what_jobs_give_back_returns(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, RETURNS)
    (job,) = await net.submit(tenant, job_spec())
    line = await take(net, voucher_id)
    assert (line.taken_fen, line.owed_fen, line.repaid_fen, line.reason) == (9_000, 0, 0, WHY)
    assert await places(net, voucher_id) == {"held_fen": 1_000, "revoked_fen": 9_000}
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    # The job ran on what it held; what it gave back is the programme's, and never the tenant's again.
    with pytest.raises(Refused) as refused:
        await net.submit(tenant, replace(job_spec(), voucher=str(voucher_id)))
    assert refused.value.code == "EXPIRED"
    assert [await voucher.expire_vouchers(net.db, net.now_s) for _ in range(2)] == [1, 0]
    assert await places(net, voucher_id) == {"used_fen": 500, "expired_fen": 500, "revoked_fen": 9_000}
    assert await balances(net) == (BUDGET_FEN - 10_000 + 500, 0)
    # A refund does not bring it back to life either.
    new = NewRefund(amount_fen=200, reason="slow")
    admin = Actor("admin", "network", Role.NETWORK_ADMIN)
    await refund(net.db, admin, UUID(job.job_id), new, net.call(admin), net.now_s)
    async with net.db.transaction() as tx:
        assert await ledger.balance_fen(tx, budget("p")) == BUDGET_FEN - 10_000 + 500 + 200
    (told,) = await events(net, "voucher_clawed_back")
    assert told == {"voucher": str(voucher_id), "number": 1, "taken_fen": 9_000, "owed_fen": 0, "reason": WHY}
    proofs = await prove(net.db, net.now_s)
    assert proofs.hold, [one for one in proofs.proofs if not one.holds]


async def test_what_was_used_is_owed_until_it_is_repaid(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, RETURNS)
    await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    with pytest.raises(InvalidInput, match="0 to 500 fen: what the voucher has paid"):
        await take(net, voucher_id, used_fen=501)
    new, call = NewClawBack(reason=WHY, used_fen=400), net.call(OFFICER)
    first = await clawback.claw_back(net.db, OFFICER, voucher_id, new, call, net.now_s)
    assert (first.taken_fen, first.owed_fen) == (9_500, 400)
    assert await clawback.claw_back(net.db, OFFICER, voucher_id, new, call, net.now_s + 9) == first
    with pytest.raises(InvalidInput, match="1 to 100 fen: what the voucher has paid and is not asked for"):
        await take(net, voucher_id)
    assert (await repaid(net, voucher_id, 150)).repaid_fen == 150
    with pytest.raises(InvalidInput, match="1 to 250 fen: what is owed for the voucher"):
        await repaid(net, voucher_id, 251)
    assert (await repaid(net, voucher_id, 250)).repaid_fen == 400
    with pytest.raises(InvalidInput, match="1 to 0 fen"):
        await repaid(net, voucher_id, 1)
    assert await places(net, voucher_id) == {"used_fen": 500, "revoked_fen": 9_500, "clawed_back_fen": 400}
    assert (await prove(net.db, net.now_s)).hold


async def test_repayments_at_once_never_pass_what_is_owed(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, RETURNS)
    await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    await take(net, voucher_id, used_fen=500)
    answers = await asyncio.gather(*(repaid(net, voucher_id, 200) for _ in range(6)), return_exceptions=True)
    assert sorted(one.repaid_fen for one in answers if isinstance(one, ClawBackLine)) == [200, 400]
    assert sum(isinstance(one, InvalidInput) for one in answers) == 4
    assert (await prove(net.db, net.now_s)).hold


async def give_back(net: SmallNetwork, job_id: str, fen: int) -> None:
    admin = Actor("admin", "network", Role.NETWORK_ADMIN)
    new = NewRefund(amount_fen=fen, reason="slow")
    await refund(net.db, admin, UUID(job_id), new, net.call(admin), net.now_s)


async def balance_fen(net: SmallNetwork, account: Account) -> int:
    async with net.db.transaction() as tx:
        found = await ledger.open_balances(tx, account.kind)
        return sum(row.amount_fen for row in found if (row.owner, row.asset) == (account.owner, account.asset))


async def used_up(net: SmallNetwork, text: str = RETURNS) -> tuple[UUID, str]:
    """A voucher of 10,000 fen that paid 500 for a job."""
    tenant, _, voucher_id = await with_voucher(net, text)
    (job,) = await net.submit(tenant, job_spec())
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    return voucher_id, job.job_id


@pytest.mark.parametrize("repaid_fen", [0, 150, 500])
async def test_a_refund_never_makes_the_programme_richer_than_it_was(net: SmallNetwork, repaid_fen: int) -> None:
    """What the tenant repaid goes to the tenant, what it did not is asked for no more."""
    voucher_id, job_id = await used_up(net)
    await take(net, voucher_id, used_fen=500)
    if repaid_fen:
        await repaid(net, voucher_id, repaid_fen)
    for fen in (200, 300):
        await give_back(net, job_id, fen)
    async with net.db.transaction() as tx:
        left = await ledger.balance_fen(tx, budget("p"))
    kept = await balance_fen(net, clawed_back("p"))
    assert left + kept == BUDGET_FEN
    assert await balance_fen(net, reimbursable("acme", "p")) == repaid_fen
    assert await balance_fen(net, payable("east", "CNY@p")) == 0
    with pytest.raises(InvalidInput, match="1 to 0 fen"):
        await repaid(net, voucher_id, 1)
    assert (await prove(net.db, net.now_s)).hold


async def test_what_is_back_in_the_budget_is_not_asked_for(net: SmallNetwork) -> None:
    voucher_id, job_id = await used_up(net)
    net.now_s += 400 * 24 * SECONDS_PER_HOUR
    await voucher.expire_vouchers(net.db, net.now_s)
    await give_back(net, job_id, 500)
    assert await places(net, voucher_id) == {"expired_fen": 10_000}
    with pytest.raises(InvalidInput, match="1 to 0 fen"):
        await take(net, voucher_id, used_fen=1)
    assert (await prove(net.db, net.now_s)).hold


async def test_what_a_job_used_later_is_asked_for_later(net: SmallNetwork) -> None:
    tenant, _, voucher_id = await with_voucher(net, RETURNS)
    await net.submit(tenant, job_spec())
    await take(net, voucher_id)
    await net.turn()
    await net.turn(SECONDS_PER_HOUR // 2)
    line = await take(net, voucher_id, used_fen=500)
    assert (line.taken_fen, line.owed_fen, line.reason) == (9_500, 500, f"{WHY}; {WHY}")
    with pytest.raises(InvalidInput, match="1 to 0 fen"):
        await take(net, voucher_id, used_fen=1)
    assert (await repaid(net, voucher_id, 500)).repaid_fen == 500
    assert (await prove(net.db, net.now_s)).hold


async def test_what_the_programme_owes_the_tenant_is_set_off(net: SmallNetwork) -> None:
    text = rules("{flow: reimburse, after_payment: true}", "{validity_months: 12, on_expiry: return_to_programme}")
    voucher_id, job_id = await used_up(net, text)
    assert await balance_fen(net, reimbursable("acme", "p")) == 500
    line = await take(net, voucher_id, used_fen=400)
    assert (line.owed_fen, line.repaid_fen) == (400, 400)
    assert await balance_fen(net, reimbursable("acme", "p")) == 100
    await give_back(net, job_id, 500)  # the tenant has its cash again, and what it had repaid
    assert await balance_fen(net, reimbursable("acme", "p")) == 0
    async with net.db.transaction() as tx:
        left = await ledger.balance_fen(tx, budget("p"))
    assert left + await balance_fen(net, clawed_back("p")) == BUDGET_FEN
    assert (await prove(net.db, net.now_s)).hold


async def test_who_may_and_what_there_is(net: SmallNetwork) -> None:
    _, _, voucher_id = await with_voucher(net, RETURNS)
    await net.add_agency("other")
    with pytest.raises(NotAllowed):
        await take(net, voucher_id, actor=Actor("o", "other", Role.PROGRAMME_OFFICER))
    with pytest.raises(NotFound):
        await take(net, UUID(int=7))
    with pytest.raises(InvalidInput, match="reason"):
        await clawback.claw_back(net.db, OFFICER, voucher_id, NewClawBack(reason=" "), net.call(OFFICER), net.now_s)
    with pytest.raises(InvalidInput, match="1 to 0 fen"):
        await repaid(net, voucher_id, 1)
    assert (await take(net, voucher_id)).taken_fen == 10_000


async def test_a_claw_back_that_was_altered_is_found(net: SmallNetwork, database_url: str) -> None:
    _, _, voucher_id = await with_voucher(net, RETURNS)
    await take(net, voucher_id)
    owner = await asyncpg.connect(database_url)
    await owner.execute("alter table claw_back disable trigger user")
    await owner.execute("update claw_back set taken_fen = taken_fen - 1")
    await owner.close()
    broken = [one for one in (await prove(net.db, net.now_s)).proofs if not one.holds]
    assert [one.name for one in broken] == ["claw_backs_as_booked", "records_kept"]
