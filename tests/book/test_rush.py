"""Two hundred callers at once at money for exactly half of them."""

import asyncio
from collections import Counter

from suanwang.catalogue import read_catalogue
from suanwang.control import daemon
from suanwang.control.daemon import Hub
from suanwang.control.prove import prove
from suanwang.control.submit import Submission
from suanwang.domain import movements
from suanwang.domain.ledger import tenant_cash
from suanwang.domain.movements import VoucherSource
from suanwang.errors import SuanwangError
from suanwang.store import db, ledger
from suanwang.store.posting import post
from suanwang.testing.network import SmallNetwork, job_spec

CALLERS, CONNECTIONS, PRICE_FEN = 200, 24, 7


async def test_claims_at_a_budget_for_half_of_them(book_url: str) -> None:
    database = await db.connect(book_url, connections=CONNECTIONS)
    funded = movements.fund("p", CALLERS // 2 * PRICE_FEN, "a", 0, "test")
    told: Counter[str] = Counter()

    async def claim(number: int) -> None:
        source = VoucherSource(f"v{number}", "p")
        try:
            async with database.transaction() as tx:
                await post(tx, [movements.grant(source, f"c{number}", PRICE_FEN, 0, "test")], 0)
        except SuanwangError as error:
            told[error.code] += 1
        else:
            told["granted"] += 1

    try:
        async with database.transaction() as tx:
            await post(tx, [funded], 0)
        await asyncio.gather(*(claim(number) for number in range(CALLERS)))
        assert told == {"granted": CALLERS // 2, "INSUFFICIENT_VALUE": CALLERS // 2}
        async with database.transaction() as tx:
            assert await ledger.balance_fen(tx, funded.transfers[0].credit) == 0
        proofs = await prove(database, 0)
        assert {one.name for one in proofs.proofs if not one.holds} == set()
    finally:
        await database.close()


async def test_submissions_of_a_tenant_with_money_for_half_of_them(book_url: str) -> None:
    """Through the hub's clerks, as HTTP calls come in."""
    database = await db.connect(book_url)
    net = SmallNetwork(database)
    await net.found()
    tenant = await net.add_tenant("acme", CALLERS // 2 * 1_000)
    await net.add_centre("east", nodes=20)
    hub = Hub(database, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    loops = asyncio.create_task(daemon.run(hub))
    try:
        asked = [Submission(tenant, (job_spec(),), net.call(tenant, f"rush-{number}")) for number in range(CALLERS)]
        answers = await asyncio.gather(*map(hub.submissions.submit, asked), return_exceptions=True)
        told = Counter(getattr(answer, "code", "taken") for answer in answers)
        assert told == {"taken": CALLERS // 2, "INSUFFICIENT_VALUE": CALLERS // 2}
        async with database.transaction() as tx:
            assert await ledger.balance_fen(tx, tenant_cash("acme")) == 0
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
    try:
        assert (await prove(database, net.now_s)).hold
    finally:
        await database.close()
