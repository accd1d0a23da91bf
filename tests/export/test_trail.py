"""A fen is followed offline from the budget to the centre and back, and what was altered on the way is found."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import pytest

from suanwang.control import seal, settlement
from suanwang.domain.settlement import lines_sha256
from suanwang.export.trail import Trail, follow, open_folder
from suanwang.testing.network import SmallNetwork
from suanwang.wire import SettlementBatch
from tests.control.test_orders import TOKENS, Shop
from tests.control.test_periods import close
from tests.control.test_refunds import charged, give_back
from tests.control.test_settlements import close_november, pay_all, propose, reject, run_job

END_OF_TIME_S = 2**40


@dataclass(frozen=True)
class Exported:
    """What a folder holds, and the ids in it."""

    book: list[str]
    batches: list[SettlementBatch]
    job_id: str
    voucher_id: str

    def follow(self, reference: str) -> Trail:
        found = follow(open_folder(self.book, self.batches), reference)
        assert found is not None
        return found

    def wrong(self) -> set[str]:
        return {one.code for one in open_folder(self.book, self.batches).wrong}


async def exported(net: SmallNetwork, flow: str) -> Exported:
    """November is paid, one batch of it rejected on the way; December has a correction and a job, and is open."""
    tenant, job = await charged(net, flow)
    await net.offer("east", products=(TOKENS,))
    shop = Shop(net, tenant)
    await shop.use(await shop.order("tokens", 2_000), 0, 2_500_000)
    await close_november(net)
    first = (await propose(net)).batches
    await reject(net, first[0].id)
    again = await propose(net)
    await pay_all(net, replace(again, batches=[*first[1:], *again.batches]))
    await give_back(net, job, 501)
    await run_job(net, tenant)
    await seal.seal_all(net.db, net.now_s)
    book = [line async for line in seal.export(net.db, 0, END_OF_TIME_S)]
    async with net.db.transaction(snapshot=True) as tx:
        voucher_id = str(await tx.fetchval("select id from voucher"))
    # As they lie in a folder.
    texts = [msgspec.json.encode(one) for one in await listed(net)]
    return Exported(book, [msgspec.json.decode(one, type=SettlementBatch) for one in texts], job.job_id, voucher_id)


async def listed(net: SmallNetwork) -> list[SettlementBatch]:
    async with net.db.transaction(snapshot=True) as tx:
        return [await settlement.find(tx, one.id, None) for one in await settlement.read(tx)]


def kinds(found: Trail) -> list[str]:
    return [step.kind for step in found.steps]


async def test_a_voucher_is_followed_from_its_budget_to_the_centre(net: SmallNetwork) -> None:
    made = await exported(net, "offset")
    for reference in ("p", made.voucher_id):
        found = made.follow(reference)
        assert found.holds, found.wrong
        told = [(s.kind, s.source.split(":")[0], s.target.split(":")[0], s.amount_fen, s.batch) for s in found.steps]
        assert told == [
            ("fund", "bank", "budget", 1_000_000, None),
            ("grant", "budget", "voucher", 50_000, None),
            ("hold", "voucher", "hold", 1_000, None),
            ("charge", "hold", "payable", 500, "S-2023-11-east.2"),
            ("release", "hold", "voucher", 500, None),
            ("pay_centre", "payable", "bank", 500, "S-2023-11-east.2"),
            ("refund", "payable", "voucher", 250, None),
            ("hold", "voucher", "hold", 1_000, None),
            ("charge", "hold", "payable", 500, None),
            ("release", "hold", "voucher", 500, None),
        ]
        assert found.open_fen == {"payable:east:CNY@p": 500 - 250}
        assert [(one.id, one.state, one.lines) for one in found.batches] == [("S-2023-11-east.2", "paid", [])]


async def test_and_from_the_centre_back_to_the_budget(net: SmallNetwork) -> None:
    """From a batch, a payment or a charge, to every budget and tenant that paid for it."""
    made = await exported(net, "offset")
    whole = made.follow("S-2023-11-east.2")
    assert {"fund", "grant", "top_up", "hold", "charge", "charge_order", "pay_centre"} <= set(kinds(whole))
    assert "refund" not in kinds(whole)
    assert whole.open_fen == {}
    paid_fen = sum(step.amount_fen for step in whole.steps if step.kind == "pay_centre")
    assert paid_fen == 1_001 + 625 == sum(s.amount_fen for s in whole.steps if s.kind.startswith("charge"))
    (charge,) = {step.transaction_id for step in whole.steps if step.kind == "charge"}
    by_charge = made.follow(charge)
    assert set(kinds(by_charge)) == {"fund", "grant", "top_up", "hold", "charge", "pay_centre"}
    job = made.follow(made.job_id)
    assert set(kinds(job)) == {*kinds(by_charge), "release", "refund"}
    assert follow(open_folder(made.book, made.batches), "Tokens") is not None  # by its name, in a batch
    assert follow(open_folder(made.book, made.batches), "nobody") is None
    # A correction leads to the charges that it is of.
    (refund,) = {step.transaction_id for step in job.steps if step.kind == "refund"}
    assert charge in {step.transaction_id for step in made.follow(refund).steps}


async def test_a_repayment_is_followed_to_the_tenant(net: SmallNetwork) -> None:
    made = await exported(net, "reimburse")
    found = made.follow(made.voucher_id)
    assert found.holds, found.wrong
    assert [(s.kind, s.batch) for s in found.steps if s.batch] == [
        ("redeem", "R-2023-11-acme"),
        ("pay_tenant", "R-2023-11-acme"),
    ]
    assert found.open_fen == {"reimbursable:acme:CNY@p": 500 - 250}


def altered(made: Exported, batch_id: str, change: Callable[[SettlementBatch], SettlementBatch]) -> Exported:
    assert any(one.id == batch_id for one in made.batches)
    return replace(made, batches=[change(one) if one.id == batch_id else one for one in made.batches])


def resealed(batch: SettlementBatch) -> SettlementBatch:
    """By somebody who knows how the hash is made."""
    digest = lines_sha256((one.transaction_id, one.account, one.amount_fen) for one in batch.lines)
    return replace(batch, lines_sha256=digest.hex())


UNSAID = "BATCH_NOT_AS_RECORDED"


async def test_whatever_is_altered_is_found(net: SmallNetwork) -> None:
    made = await exported(net, "offset")
    paid, rejected = "S-2023-11-east.2", "S-2023-11-east"
    assert made.wrong() == set()

    def more(batch: SettlementBatch) -> SettlementBatch:
        first, *rest = batch.lines
        return replace(batch, lines=[replace(first, amount_fen=first.amount_fen + 1), *rest])

    def fewer(batch: SettlementBatch) -> SettlementBatch:
        last = batch.lines[-1]
        left_fen = batch.total_fen - last.amount_fen
        cash_fen = batch.cash_fen - (last.amount_fen if last.programme_id is None else 0)
        return replace(batch, lines=batch.lines[:-1], total_fen=left_fen, cash_fen=cash_fen)

    assert "BATCH_OF_OTHER_LINES" in altered(made, paid, more).wrong()
    assert {"LINE_NOT_IN_BOOK", "PAYMENT_FOR_OTHERS"} <= altered(made, paid, lambda b: resealed(more(b))).wrong()
    assert {"PAYMENT_FOR_OTHERS", "BATCH_NOT_PAID"} <= altered(made, paid, lambda b: resealed(fewer(b))).wrong()
    assert altered(made, paid, lambda b: replace(b, total_fen=1)).wrong() == {"BATCH_SUM", UNSAID}
    assert altered(made, paid, lambda b: replace(b, funders={"p": {"city": 1}})).wrong() == {"FUNDERS_SUM", UNSAID}
    assert "LINE_TWICE" in altered(made, rejected, lambda b: replace(b, state="approved")).wrong()
    assert altered(made, paid, lambda b: replace(b, state="rejected")).wrong() == {"PAYMENT_WITHOUT_BATCH", UNSAID}
    assert replace(made, batches=made.batches[:1]).wrong() == {"PAYMENT_WITHOUT_BATCH", "BATCH_MISSING"}
    assert altered(made, paid, lambda b: replace(b, state="approved", steps=b.steps[:-1])).wrong() == {UNSAID}
    # Who said so, and when; also where nothing of the money changes.
    first, second, *rest = next(one for one in made.batches if one.id == paid).steps
    assert (first.state, second.state) == ("proposed", "approved")
    for steps in (
        [first, *rest],
        [replace(first, actor=second.actor), second, *rest],
        [first, replace(second, actor=first.actor), *rest],
        [first, replace(second, at_s=second.at_s + 1), *rest],
    ):
        assert altered(made, paid, partial(replace, steps=steps)).wrong() == {UNSAID}
    changes: list[dict[str, Any]] = [{"period": "2023-10"}, {"at_once": True}, {"payee": "west"}]
    for change in changes:
        assert UNSAID in altered(made, paid, partial(replace, **change)).wrong()
    assert replace(made, batches=[one for one in made.batches if one.id != rejected]).wrong() == {"BATCH_MISSING"}
    number = next(i for i, line in enumerate(made.book) if '"pay_centre"' in line)
    assert replace(made, book=[*made.book[:number], *made.book[number + 1 :]]).wrong() == {"SEAL_OF_MORE_OR_LESS"}
    line = json.loads(made.book[number])
    line[6][0][2] += 1
    text = json.dumps(line, ensure_ascii=False, separators=(", ", ": "))
    assert "SEAL_OF_OTHERS" in replace(made, book=[*made.book[:number], text, *made.book[number + 1 :]]).wrong()


@pytest.mark.parametrize("flow", ["offset", "reimburse"])
async def test_what_is_behind_a_centre_adds_up(net: SmallNetwork, flow: str) -> None:
    """All that was charged less all that was given back is paid or open."""
    made = await exported(net, flow)
    found = made.follow("east")
    ours = [step for step in found.steps if "payable:east:" in f"{step.source} {step.target}"]
    fen = {kind: sum(step.amount_fen for step in ours if step.kind == kind) for kind in set(kinds(found))}
    open_fen = [amount for account, amount in found.open_fen.items() if account.startswith("payable:east:")]
    assert fen["charge"] + fen["charge_order"] - fen["refund"] == fen["pay_centre"] + sum(open_fen)
    net.now_s += 40 * 86_400
    await close(net, "2023-12")
