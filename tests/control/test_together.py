"""Calls that go into one transaction are still calls of their own."""

import asyncio
from dataclasses import replace

from suanwang.catalogue import read_catalogue
from suanwang.control import daemon, network, submit
from suanwang.control.daemon import Hub
from suanwang.control.network import Joining
from suanwang.control.offers import Market
from suanwang.control.prove import prove
from suanwang.control.submit import Submission
from suanwang.domain.centre import Centre, Offer
from suanwang.domain.job import JobSpec
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.tenant import Actor
from suanwang.errors import InsufficientValue, Refused, Unreachable
from suanwang.store import centre, ledger
from suanwang.store import job as jobs
from suanwang.testing.network import ADMIN, SmallNetwork, job_spec
from suanwang.wire import SubmittedJob


def call(net: SmallNetwork, actor: Actor, key: str, *specs: JobSpec) -> Submission:
    return Submission(actor, specs or (job_spec(),), net.call(actor, key))


async def together(
    net: SmallNetwork, *submissions: Submission, market: Market | None = None
) -> list[list[SubmittedJob] | Refused]:
    return await submit.submit_together(net.db, net.catalogue, market or Market(), submissions, net.now_s)


def word(outcome: list[SubmittedJob] | Refused) -> str | int:
    return outcome.code if isinstance(outcome, Refused) else len(outcome)


async def cash_fen(net: SmallNetwork, tenant_id: str) -> int:
    async with net.db.transaction() as tx:
        return await ledger.balance_fen(tx, tenant_cash(tenant_id))


async def test_each_call_has_its_own_answer_and_refused_ones_leave_no_trace(net: SmallNetwork) -> None:
    rich, poor = await net.add_tenant("rich", 100_000), await net.add_tenant("poor", 999)
    await net.add_centre("east")
    before = await net.submit(rich, job_spec("before"), key="again")
    outcomes = await together(
        net,
        call(net, rich, "one"),
        call(net, poor, "no money"),
        call(net, rich, "too large", job_spec(), job_spec(chips=9)),
        call(net, rich, "again"),
        call(net, rich, "no name", job_spec("")),
        call(net, rich, "unknown chip", job_spec(chip="A1000000")),
        call(net, rich, "two", job_spec(), job_spec()),
    )
    assert [word(outcome) for outcome in outcomes] == [
        1, "INSUFFICIENT_VALUE", "NO_POOL", 1, "INVALID_INPUT", "UNKNOWN_CHIP", 2
    ]  # fmt: skip
    assert outcomes[3] == before
    assert (await cash_fen(net, "rich"), await cash_fen(net, "poor")) == (96_000, 999)
    async with net.db.transaction() as tx:
        assert sum((await jobs.count_states(tx)).values()) == 4
    # The keys of the refused are free: the same call succeeds once its reason is gone.
    await network.top_up(net.db, ADMIN, "poor", 1, net.call(ADMIN), net.now_s)
    assert [word(outcome) for outcome in await together(net, call(net, poor, "no money"))] == [1]
    assert (await prove(net.db, net.now_s)).hold


async def test_calls_of_one_tenant_draw_on_the_same_money_in_order(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 2_500)
    await net.add_centre("east")
    asked = [call(net, tenant, "a"), call(net, tenant, "b", *[job_spec()] * 2), call(net, tenant, "c")]
    assert [word(outcome) for outcome in await together(net, *asked)] == [1, "INSUFFICIENT_VALUE", 1]
    assert await cash_fen(net, "acme") == 500


async def test_what_only_the_database_refuses_fails_one_call_and_not_its_neighbours(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    unstorable = replace(job_spec(), labels={"a": "\0"})
    outcomes = await together(net, call(net, tenant, "a"), call(net, tenant, "b", unstorable), call(net, tenant, "c"))
    assert [word(outcome) for outcome in outcomes] == [1, "INVALID_INPUT", 1]
    assert await cash_fen(net, "acme") == 98_000
    assert (await prove(net.db, net.now_s)).hold


async def test_batches_that_rush_at_the_same_money_end_at_exactly_zero(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 30_000)
    await net.add_centre("east", nodes=10)
    rush = [[call(net, tenant, f"{batch}-{i}") for i in range(10)] for batch in range(6)]
    answers = await asyncio.gather(*(together(net, *batch) for batch in rush))
    words = [word(outcome) for batch in answers for outcome in batch]
    assert (words.count(1), words.count("INSUFFICIENT_VALUE")) == (30, 30)
    assert await cash_fen(net, "acme") == 0
    assert (await prove(net.db, net.now_s)).hold


async def test_the_same_key_in_two_batches_at_once_is_one_submission(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 100_000)
    await net.add_centre("east")
    keys = [f"key-{i}" for i in range(8)]
    forward, backward = ([call(net, tenant, key) for key in order] for order in (keys, list(reversed(keys))))
    one, other = await asyncio.gather(together(net, *forward), together(net, *backward))
    assert one == list(reversed(other))
    assert await cash_fen(net, "acme") == 100_000 - 8 * 1_000


async def test_offers_that_are_kept_in_memory_are_never_older_than_the_database(net: SmallNetwork) -> None:
    tenant, market = await net.add_tenant("acme", 100_000), Market()
    await net.add_centre("east", fen_per_chip_hour=1_000)
    await together(net, call(net, tenant, "a"), market=market)
    kept = market.last
    await together(net, call(net, tenant, "b"), market=market)
    assert market.last is kept
    async with net.db.transaction() as tx:
        (pool,) = await centre.pools(tx)
        (record,) = await centre.centres(tx)
    dearer = replace(pool, offer=Offer(3_000, pool.offer.max_walltime_s))
    where = Centre(**{name: getattr(record.centre, name) for name in Centre.__slots__})
    joining = Joining(where, (dearer,))
    await network.join_centre(net.db, net.catalogue, ADMIN, joining, "east-org", net.call(ADMIN), net.now_s)
    (outcome,) = await together(net, call(net, tenant, "c"), market=market)
    assert isinstance(outcome, list)
    assert [job.estimate_fen for job in outcome] == [3_000]


async def test_clerks_answer_every_caller_also_those_with_the_same_key(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 20_000)
    await net.add_centre("east")
    hub = Hub(net.db, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    loops = asyncio.create_task(daemon.run(hub))
    try:
        asked = [call(net, tenant, f"key-{i % 30}") for i in range(60)]
        answers = await asyncio.gather(*(hub.submissions.submit(one) for one in asked), return_exceptions=True)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
    assert sum(isinstance(answer, list) for answer in answers[:30]) == 20
    for first, second in zip(answers[:30], answers[30:], strict=True):
        assert first == second or (isinstance(first, InsufficientValue) and isinstance(second, InsufficientValue))
    assert await cash_fen(net, "acme") == 0


async def test_trouble_with_the_database_is_told_to_every_caller(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 20_000)
    hub = Hub(net.db, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    loops = asyncio.create_task(daemon.run(hub))
    try:
        await asyncio.sleep(0)
        await net.db.close()
        waiting = [hub.submissions.submit(call(net, tenant, f"key-{i}")) for i in range(3)]
        async with asyncio.timeout(10):
            told = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
    assert [type(one) for one in told] == [Unreachable] * 3
