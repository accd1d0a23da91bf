"""A month is paid in batches: one person proposes, another approves, and no fen is paid twice or left behind."""

import asyncio
from collections import Counter
from random import Random
from uuid import UUID

import asyncpg
import pytest

from suanwang.control import seal, settle, settlement, voucher
from suanwang.control.network import NETWORK_ID
from suanwang.control.prove import prove
from suanwang.domain import movements
from suanwang.domain.job import Cause
from suanwang.domain.settlement import lines_sha256
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound, Refused
from suanwang.store import ledger
from suanwang.store.posting import post
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import (
    ContractPart,
    NewClaim,
    NewProgramme,
    Proposal,
    Rejection,
    SettlementBatch,
    SubmittedJob,
)
from tests.control.test_disputes import answer, say
from tests.control.test_orders import TOKENS, Shop
from tests.control.test_periods import NOVEMBER, ZONE, at_s, close, tenant_statement
from tests.control.test_refunds import assert_proofs, charged, give_back, owed_fen

SECOND = Actor("second", NETWORK_ID, Role.NETWORK_ADMIN)
DECEMBER = "2023-12"
CO_FUNDED = """
id: shared
budget: {co_funding: [SHARES]}
rates: [{when: {}, rate_max_bp: 10000}]
redemption: {flow: FLOW, after_payment: AFTER}
voucher: {validity_months: 6}
"""


async def close_november(net: SmallNetwork) -> None:
    net.now_s = max(net.now_s, at_s("2023-12-01"))
    await close(net, NOVEMBER)


async def propose(net: SmallNetwork, period: str = NOVEMBER, key: str | None = None) -> Proposal:
    return await settlement.propose(net.db, ADMIN, period, ZONE, net.call(ADMIN, key), net.now_s)


async def approve(net: SmallNetwork, batch_id: str, actor: Actor = SECOND, key: str | None = None) -> SettlementBatch:
    return await settlement.approve(net.db, actor, batch_id, net.call(actor, key), net.now_s)


async def pay(net: SmallNetwork, batch_id: str, key: str | None = None) -> SettlementBatch:
    return await settlement.pay(net.db, ADMIN, batch_id, net.call(ADMIN, key), net.now_s)


async def reject(net: SmallNetwork, batch_id: str) -> SettlementBatch:
    new = Rejection(reason=" another account ")
    return await settlement.reject(net.db, SECOND, batch_id, new, net.call(SECOND), net.now_s)


async def shown(net: SmallNetwork, batch_id: str, organisation_id: str | None = None) -> SettlementBatch:
    async with net.db.transaction(snapshot=True) as tx:
        return await settlement.find(tx, batch_id, organisation_id)


async def pay_all(net: SmallNetwork, found: Proposal) -> None:
    for batch in found.batches:
        await approve(net, batch.id)
        await pay(net, batch.id)


async def test_a_month_from_the_proposal_to_the_payment(net: SmallNetwork) -> None:
    """A job half on a voucher and a service order: one batch of the centre, its lines to the fen."""
    tenant, job = await charged(net, "offset")
    await net.offer("east", products=(TOKENS,))
    shop = Shop(net, tenant)
    await shop.use(await shop.order("tokens", 2_000), 0, 2_500_000)
    with pytest.raises(Conflict) as early:
        await propose(net)
    assert early.value.code == "PERIOD_NOT_CLOSED"
    await close_november(net)
    found = await propose(net, key="once")
    (batch,) = found.batches
    assert (batch.id, batch.state, batch.kind, batch.payee) == ("S-2023-11-east", "proposed", "centre", "east")
    assert (batch.total_fen, batch.cash_fen, batch.voucher_fen) == (1_001 + 625, 501 + 625, {"p": 500})
    assert found.held_back == []
    assert await propose(net, key="once") == found
    assert (await propose(net)).batches == []

    whole = await shown(net, batch.id)
    assert {(one.kind, one.name, one.attempt, one.programme_id, one.amount_fen) for one in whole.lines} == {
        ("charge", "job", 1, "p", 500),
        ("charge", "job", 1, None, 501),
        ("charge_order", "Tokens", 0, None, 625),
    }
    assert {one.subject_id for one in whole.lines if one.kind == "charge"} == {job.job_id}
    digest = lines_sha256((one.transaction_id, one.account, one.amount_fen) for one in whole.lines)
    assert whole.lines_sha256 == digest.hex()

    with pytest.raises(Conflict) as unapproved:
        await pay(net, batch.id)
    assert unapproved.value.code == "BATCH_NOT_IN_TURN"
    with pytest.raises(NotAllowed) as own:
        await approve(net, batch.id, ADMIN)
    assert own.value.code == "FOUR_EYES"
    assert (await approve(net, batch.id, key="a")).state == "approved"
    assert (await approve(net, batch.id, key="a")).state == "approved"
    assert await owed_fen(net) == {"east": (1_126, 500)}
    paid = await pay(net, batch.id, key="p")
    assert paid.state == "paid"
    assert await pay(net, batch.id, key="p") == paid
    with pytest.raises(Conflict):
        await pay(net, batch.id)
    with pytest.raises(Conflict):
        await reject(net, batch.id)
    assert [(step.state, step.actor) for step in paid.steps] == [
        ("proposed", "admin"),
        ("approved", "second"),
        ("paid", "admin"),
    ]
    assert await owed_fen(net) == {}
    async with net.db.transaction() as tx:
        legs = await ledger.transfers_of(tx, f"{batch.id}/east/{whole.lines_sha256}")
    assert sum(leg["amount_fen"] for leg in legs) == batch.total_fen
    await assert_proofs(net)


async def test_a_reimbursed_tenant_has_a_batch_of_its_own(net: SmallNetwork) -> None:
    await charged(net, "reimburse")
    await close_november(net)
    found = await propose(net)
    assert [(one.id, one.cash_fen, one.voucher_fen) for one in found.batches] == [
        ("S-2023-11-east", 1_001, {}),
        ("R-2023-11-acme", 0, {"p": 500}),
    ]
    assert (await shown(net, "R-2023-11-acme", "acme")).lines[0].kind == "redeem"
    for stranger in ("east-org", "agency"):
        with pytest.raises(NotFound):
            await shown(net, "R-2023-11-acme", stranger)
    assert (await shown(net, "S-2023-11-east", "east-org")).total_fen == 1_001
    await pay_all(net, found)
    assert await owed_fen(net) == {}
    await assert_proofs(net)


async def test_lines_of_a_rejected_batch_are_in_the_next(net: SmallNetwork) -> None:
    await charged(net, None)
    await close_november(net)
    (first,) = (await propose(net)).batches
    with pytest.raises(InvalidInput):
        await settlement.reject(net.db, SECOND, first.id, Rejection(reason=" "), net.call(SECOND), net.now_s)
    await approve(net, first.id)
    rejected = await reject(net, first.id)
    assert (rejected.state, rejected.steps[-1].reason) == ("rejected", "another account")
    with pytest.raises(Conflict):
        await approve(net, first.id)
    (second,) = (await propose(net)).batches
    assert (second.id, second.lines_sha256) == ("S-2023-11-east.2", first.lines_sha256)
    await pay_all(net, Proposal([second], []))
    assert await owed_fen(net) == {}
    assert (await propose(net)).batches == []
    await assert_proofs(net)


async def test_what_is_proposed_twice_at_once_is_in_one_batch(net: SmallNetwork) -> None:
    await charged(net, "reimburse")
    await close_november(net)
    found = await asyncio.gather(*(propose(net) for _ in range(6)))
    assert sorted(one.id for proposal in found for one in proposal.batches) == ["R-2023-11-acme", "S-2023-11-east"]
    await approve(net, "S-2023-11-east")
    outcomes = await asyncio.gather(*(pay(net, "S-2023-11-east") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, SettlementBatch) for one in outcomes) == 1
    assert sum(isinstance(one, Conflict) for one in outcomes) == 5
    assert await owed_fen(net) == {"acme": (0, 500)}
    await assert_proofs(net)


@pytest.mark.parametrize("refund_fen", [0, 401])
async def test_what_is_disputed_waits_for_its_answer(net: SmallNetwork, refund_fen: int) -> None:
    tenant, job = await charged(net, "reimburse")
    opened = await say(net, tenant, job)
    await close_november(net)
    (line,) = (await tenant_statement(net, NOVEMBER)).lines
    assert line.dispute == opened.number
    found = await propose(net)
    assert found.batches == []
    held = [(one.payee, one.programme_id, one.amount_fen, one.disputes) for one in found.held_back]
    assert held == [("east", None, 1_001, (opened.number,)), ("acme", "p", 500, (opened.number,))]
    await answer(net, opened.number, refund_fen)
    assert (await tenant_statement(net, NOVEMBER)).lines[0].dispute is None
    # November is what it was; what was given back is of December.
    found = await propose(net)
    assert [one.total_fen for one in found.batches] == [1_001, 500]
    await pay_all(net, found)
    if refund_fen:
        (corrected,) = (await tenant_statement(net, DECEMBER)).lines
        assert (corrected.amount_fen, corrected.dispute) == (-401, opened.number)
        assert corrected.corrects == (line.key,)
        net.now_s = at_s("2024-01-01")
        await close(net, DECEMBER)
        found = await propose(net, DECEMBER)
        assert found.batches == []  # nothing to set it off against yet
        assert sorted((one.payee, one.amount_fen) for one in found.held_back) == [("acme", -200), ("east", -401)]
    assert (await owed_fen(net)) == {}
    await assert_proofs(net)


async def test_a_dispute_stops_a_batch_that_is_on_its_way(net: SmallNetwork) -> None:
    tenant, job = await charged(net, None)
    await close_november(net)
    (batch,) = (await propose(net)).batches
    opened = await say(net, tenant, job)
    with pytest.raises(Conflict) as stopped:
        await approve(net, batch.id)
    assert (stopped.value.code, stopped.value.facts["disputes"]) == ("BATCH_DISPUTED", [opened.number])
    await reject(net, batch.id)
    assert (await propose(net)).batches == []
    await answer(net, opened.number, 0)
    (again,) = (await propose(net)).batches
    await approve(net, again.id)
    reopened = await say(net, tenant, job)
    with pytest.raises(Conflict):
        await pay(net, again.id)
    await answer(net, reopened.number, 0)
    assert (await pay(net, again.id)).state == "paid"


async def run_job(net: SmallNetwork, tenant: Actor) -> SubmittedJob:
    (job,) = await net.submit(tenant, job_spec(walltime_s=7_200))
    await net.turn()
    await net.turn(3_601)
    return job


async def test_a_correction_is_set_off_against_the_next_month_and_names_what_it_corrects(net: SmallNetwork) -> None:
    tenant, job = await charged(net, "offset")
    await close_november(net)
    await pay_all(net, await propose(net))
    await give_back(net, job, 501)
    assert await owed_fen(net) == {}
    await run_job(net, tenant)
    net.now_s = at_s("2024-01-01")
    await close(net, DECEMBER)
    (batch,) = (await propose(net, DECEMBER)).batches
    assert (batch.cash_fen, batch.voucher_fen) == (501 - 251, {"p": 500 - 250})
    (correction,) = {
        (one.kind, one.attempt, one.corrects) for one in (await shown(net, batch.id)).lines if one.amount_fen < 0
    }
    assert correction == ("refund", 1, ("S-2023-11-east",))
    await approve(net, batch.id)
    await pay(net, batch.id)
    assert await owed_fen(net) == {}
    await assert_proofs(net)


async def test_lines_that_come_to_nothing_are_settled_without_a_payment(net: SmallNetwork) -> None:
    _, job = await charged(net, "offset")
    await give_back(net, job, 1_001)
    await close_november(net)
    (batch,) = (await propose(net)).batches
    assert (batch.total_fen, batch.line_count) == (0, 4)
    await approve(net, batch.id)
    paid = await pay(net, batch.id)
    assert (paid.state, paid.steps[-1].transaction_id) == ("paid", None)
    assert (await propose(net)).batches == []
    await assert_proofs(net)


async def test_what_was_paid_at_once_is_not_paid_again(net: SmallNetwork) -> None:
    tenant, _ = await charged(net, "offset")
    (paid,) = await settle.settle(net.db, ADMIN, net.call(ADMIN), net.now_s)
    assert (paid.cash_fen, paid.voucher_fen) == (501, {"p": 500})
    async with net.db.transaction() as tx:
        (batch,) = await settlement.read(tx)
    assert (batch.id, batch.state, batch.at_once, batch.line_count) == ("S-2023-11-east", "paid", True, 2)
    await run_job(net, tenant)
    await close_november(net)
    with pytest.raises(Conflict) as refused:
        await settle.settle(net.db, ADMIN, net.call(ADMIN), net.now_s)
    assert refused.value.code == "TAKES_BATCHES"
    (rest,) = (await propose(net)).batches
    assert (rest.id, rest.total_fen) == ("S-2023-11-east.2", 1_001)
    await pay_all(net, Proposal([rest], []))
    assert await owed_fen(net) == {}
    await assert_proofs(net)


async def test_payments_of_before_there_were_batches_are_set_off(net: SmallNetwork) -> None:
    """As an earlier release paid: all that was owed, in one transaction that no batch knows of."""
    tenant, _ = await charged(net, "offset")
    old = movements.pay_centre("east", {"CNY": 501, "CNY@p": 500}, "network/old", net.now_s, "admin")
    async with net.db.transaction() as tx:
        await post(tx, [old], net.now_s)
    await close_november(net)
    (batch,) = (await propose(net)).batches
    assert (batch.total_fen, batch.line_count) == (0, 4)
    await pay_all(net, Proposal([batch], []))
    await run_job(net, tenant)
    net.now_s = at_s("2024-01-01")
    await close(net, DECEMBER)
    (batch,) = (await propose(net, DECEMBER)).batches
    assert batch.total_fen == 1_001
    await assert_proofs(net)


@pytest.mark.parametrize(
    ("shares", "flow", "parts"),
    [
        ("{level: city, share_bp: 6000}, {level: district, share_bp: 4000}", "offset", (601, 400)),
        (
            "{level: a, share_bp: 3334}, {level: b, share_bp: 3333}, {level: c, share_bp: 3333}",
            "offset",
            (334, 334, 333),
        ),
        ("{level: city, share_bp: 6000}, {level: district, share_bp: 4000}", "reimburse", (601, 400)),
    ],
)
async def test_a_batch_says_what_each_funder_owes(
    net: SmallNetwork, shares: str, flow: str, parts: tuple[int, ...]
) -> None:
    tenant = await net.add_tenant("acme", 10_000, {"legal_person": True})
    east = await net.add_centre("east")
    east.run_s = lambda order: (3_601, Cause.SUCCEEDED)
    officer = await net.add_agency("agency")
    after = "true" if flow == "reimburse" else "false"
    rules = CO_FUNDED.replace("SHARES", shares).replace("FLOW", flow).replace("AFTER", after)
    new = NewProgramme(rules=rules, automatic_limit_fen=10**8)
    await voucher.add_programme(net.db, officer, new, net.call(officer), net.now_s)
    await voucher.fund(net.db, officer, "shared", 10**6, net.call(officer), net.now_s)
    part = ContractPart(kind="intelligent", amount_fen=100_000)
    claim = NewClaim(programme_id="shared", contract_id="C-1", signed_on="2023-11-01", term_days=9, parts=(part,))
    await voucher.claim(net.db, tenant, claim, net.call(tenant), net.now_s)
    await net.turn()
    await run_job(net, tenant)
    await close_november(net)
    found = await propose(net)
    (batch,) = [one for one in found.batches if one.voucher_fen]
    assert batch.kind == ("centre" if flow == "offset" else "tenant")
    assert batch.voucher_fen == {"shared": 1_001}
    assert tuple(batch.funders["shared"].values()) == parts
    assert sum(parts) == 1_001
    for agency, seen in (("agency", parts), (None, parts), ("east-org", ())):
        async with net.db.transaction(snapshot=True) as tx:
            dues = await settlement.dues(tx, NOVEMBER, agency)
        assert tuple(one.amount_fen for one in dues) == seen
        assert {(one.batch_id, one.state) for one in dues} <= {(batch.id, "proposed")}
    await pay_all(net, found)
    await assert_proofs(net)


async def test_the_database_itself_refuses(net: SmallNetwork) -> None:
    """What the flows never do: change a batch, approve one's own, pay twice, put a line into two batches."""
    await charged(net, None)
    await close_november(net)
    (batch,) = (await propose(net)).batches
    line = "insert into settlement_line (transaction_id, account_id, turn, settlement_id, amount_fen) select"
    again = "S-2023-11-east.2"
    new = f"""insert into settlement select '{again}', period, kind, payee, 2, AT_ONCE, total_fen, lines, lines_sha256,
        actor, proposed_s from settlement"""
    step = f"insert into settlement_step (settlement_id, state, actor, at_s) values ('{batch.id}',"
    for change in (
        "update settlement set total_fen = 0",
        "delete from settlement_line",
        "truncate settlement_step cascade",
        f"{step} 'approved', 'admin', 1)",
        f"{step} 'paid', 'second', 1)",
        f"{step} 'rejected', 'second', 1)",
        new.replace("AT_ONCE", "true"),
        f"{new.replace('AT_ONCE', 'false')}; {line} transaction_id, account_id, 1, '{again}', 1 from settlement_line",
        f"{new.replace('AT_ONCE', 'false')}; {line} transaction_id, account_id, 2, '{again}', 1 from settlement_line",
    ):
        with pytest.raises(asyncpg.PostgresError):
            async with net.db.transaction() as tx:
                await tx.execute(change)
    owner = await asyncpg.connect(net.db.url)
    await owner.execute("alter table settlement_line disable trigger settlement_line_append_only")
    await owner.execute("update settlement_line set amount_fen = amount_fen + 1")
    await owner.close()
    told = {one.name: one.contradictions for one in (await prove(net.db, net.now_s)).proofs if not one.holds}
    assert told.keys() == {"batches_as_booked"}
    assert len(told["batches_as_booked"]) == 2


STEPS = {
    "job": 3,
    "refund": 2,
    "dispute": 1,
    "answer": 1,
    "month": 2,
    "propose": 4,
    "approve": 4,
    "pay": 4,
    "reject": 1,
}
"""How often each is tried."""


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_every_fen_is_paid_once(net: SmallNetwork, seed: int) -> None:
    """Months of jobs, refunds, disputes, rejected batches, in any order: in the end what is owed was paid, exactly."""
    random = Random(seed)
    tenant, first = await charged(net, random.choice(["offset", "reimburse", None]))
    jobs, month, disputes = [first], at_s("2023-12-01"), []
    done: Counter[str] = Counter()
    for turn in range(400):
        if turn >= 40 and {"month", "propose", "approve", "pay"} <= done.keys():
            break
        (what,) = random.choices(list(STEPS), list(STEPS.values()))
        async with net.db.transaction() as tx:
            live = [one.id for one in await settlement.read(tx) if one.state in ("proposed", "approved")]
            months = [row["name"] for row in await tx.fetch("select name from period order by end_s")]
        try:
            if what == "job":
                jobs.append(await run_job(net, tenant))
            elif what == "refund":
                await give_back(net, random.choice(jobs), random.randrange(1, 700))
            elif what == "dispute":
                disputes.append((await say(net, tenant, random.choice(jobs))).number)
            elif what == "answer" and disputes:
                await answer(net, disputes.pop(), random.choice([0, 150]))
            elif what == "month":
                net.now_s = max(net.now_s, month)
                await close(net, name_of(month - SECONDS_PER_DAY))
                month = at_s(next_month(name_of(month)))
            elif what == "propose" and months:
                await propose(net, random.choice(months))
            elif what == "approve" and live:
                await approve(net, random.choice(live))
            elif what == "pay" and live:
                await pay(net, random.choice(live))
            elif what == "reject" and live:
                await reject(net, random.choice(live))
            else:
                continue
        except (Refused, InvalidInput):
            continue
        done[what] += 1
    assert {"month", "propose", "approve", "pay"} <= done.keys(), done
    await assert_proofs(net)
    for number in disputes:
        await answer(net, number, 0)
    net.now_s = max(net.now_s, month)
    await close(net, name_of(month - SECONDS_PER_DAY))
    async with net.db.transaction() as tx:
        for one in await settlement.read(tx):
            if one.state in ("proposed", "approved"):
                await settlement.reject(net.db, SECOND, one.id, Rejection(reason="anew"), net.call(SECOND), net.now_s)
    last = await propose(net, name_of(month - SECONDS_PER_DAY))
    await pay_all(net, last)
    assert await owed_fen(net) == {}
    assert all(one.amount_fen < 0 for one in last.held_back)
    await assert_proofs(net)


def name_of(at: int) -> str:
    from suanwang.control.period import name_at

    return name_at(at, ZONE)


def next_month(name: str) -> str:
    year, month = map(int, name.split("-"))
    return f"{year + month // 12}-{month % 12 + 1:02d}-01"


async def test_use_that_cost_nothing_by_itself_is_in_the_quantity(net: SmallNetwork) -> None:
    """A fen for 36 seconds: of what a checkpoint makes billable every ten seconds most costs no fen of its own."""
    tenant = await net.add_tenant("acme", 10_000)
    east = await net.add_centre("east", fen_per_chip_hour=100)
    await net.turn()
    (job,) = await net.submit(tenant, job_spec(walltime_s=3_600))
    await net.turn()
    for step in range(1, 4):
        await net.turn(10)
        east.save((job.job_id, 1), step, net.now_s)
        await net.turn()
    async with net.db.transaction() as tx:
        rows = await tx.fetch("select amount_fen from charge where job_id = $1", UUID(job.job_id))
    assert sorted(row["amount_fen"] for row in rows) == [0, 0, 1]
    (line,) = (await tenant_statement(net, NOVEMBER)).lines
    assert (line.amount_fen, line.quantity) == (1, "0.008333333333")  # 30 of 3,600 seconds
    net.now_s = at_s("2023-12-01")
    await close(net, NOVEMBER)
    november = await tenant_statement(net, NOVEMBER)
    assert november.lines == [line]
    # What is reported later, of whichever time, is of the month that is open: nothing is counted twice.
    east.end((job.job_id, 1), at_s("2023-12-01") - 1, Cause.SUCCEEDED)
    await net.turn(5)
    assert await tenant_statement(net, NOVEMBER) == november
    (rest,) = (await tenant_statement(net, DECEMBER)).lines
    assert rest.from_s == line.until_s
    await assert_proofs(net)


async def test_a_free_pool_is_on_the_statement(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10_000)
    await net.add_centre("east", fen_per_chip_hour=0)
    await net.turn()
    await net.submit(tenant, job_spec(walltime_s=3_600))
    await net.turn()
    await seal.seal_all(net.db, net.now_s)  # nothing of the book happens after this
    await net.turn(1_800)
    await close_november(net)
    (line,) = (await tenant_statement(net, NOVEMBER)).lines
    assert (line.amount_fen, line.quantity) == (0, "0.5")
    assert (await tenant_statement(net, DECEMBER)).lines == []
    assert (await propose(net)).batches == []
    await assert_proofs(net)
