"""A charge is disputed by who is a party to it, once at a time, and answered once."""

from uuid import UUID

import asyncpg
import pytest

from suanwang.control import dispute
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import Conflict, InvalidInput, NotAllowed, NotFound
from suanwang.store import dispute as disputes
from suanwang.testing.network import ADMIN, SmallNetwork
from suanwang.wire import DisputeAnswer, DisputeLine, NewDispute, SubmittedJob
from tests.control.test_refunds import assert_proofs, cash_fen, charged


async def say(
    net: SmallNetwork, actor: Actor, job: SubmittedJob, key: str | None = None, attempt: int | None = None
) -> DisputeLine:
    new = NewDispute(reason=" the node was slow ", attempt=attempt)
    return await dispute.open_dispute(net.db, actor, UUID(job.job_id), new, net.call(actor, key), net.now_s)


async def answer(net: SmallNetwork, number: int, fen: int, key: str | None = None) -> DisputeLine:
    new = DisputeAnswer(refund_fen=fen, reason="its fan had failed")
    return await dispute.resolve(net.db, ADMIN, number, new, net.call(ADMIN, key), net.now_s)


async def listed(net: SmallNetwork, organisation_id: str | None) -> list[int]:
    async with net.db.transaction() as tx:
        return [one.number for one in await disputes.disputes(tx, organisation_id=organisation_id)]


async def test_a_refund_answers_a_dispute(net: SmallNetwork) -> None:
    tenant, job = await charged(net, None)
    before_fen = await cash_fen(net)
    opened = await say(net, tenant, job, "k")
    assert (opened.attempt, opened.centre_id, opened.reason, opened.answer) == (1, "east", "the node was slow", None)
    assert await say(net, tenant, job, "k") == opened
    with pytest.raises(Conflict, match="not answered yet"):
        await say(net, tenant, job)
    answered = await answer(net, opened.number, 301, "a")
    assert (answered.refunded_fen, answered.answer) == (301, "its fan had failed")
    assert await answer(net, opened.number, 301, "a") == answered
    with pytest.raises(Conflict, match="is answered"):
        await answer(net, opened.number, 1)
    assert await cash_fen(net) == before_fen + 301
    again = await say(net, tenant, job)  # the answer may be disputed in its turn
    assert again.number == opened.number + 1
    await assert_proofs(net)


async def test_a_dispute_that_is_rejected_moves_nothing(net: SmallNetwork) -> None:
    tenant, job = await charged(net, "offset")
    before_fen = await cash_fen(net)
    opened = await say(net, tenant, job)
    assert (await answer(net, opened.number, 0)).refunded_fen == 0
    assert await cash_fen(net) == before_fen
    await assert_proofs(net)


async def test_who_is_a_party(net: SmallNetwork) -> None:
    """The tenant that paid and the centre that is paid: both see the dispute, others do not."""
    tenant, job = await charged(net, None)
    other = await net.add_tenant("other", 1_000)
    async with net.db.transaction() as tx:
        owner = await tx.fetchval("select organisation_id from centre where id = 'east'")
    operator = Actor("operator", owner, Role.CENTRE_OPERATOR)
    with pytest.raises(NotAllowed):
        await say(net, other, job)
    with pytest.raises(NotFound):
        await say(net, Actor("stranger", "other", Role.CENTRE_OPERATOR), job)
    opened = await say(net, operator, job)
    assert opened.organisation_id == owner
    assert await listed(net, tenant.organisation_id) == await listed(net, owner) == await listed(net, None) != []
    assert await listed(net, "other") == []


async def test_bad_input_changes_nothing(net: SmallNetwork) -> None:
    tenant, job = await charged(net, None)
    with pytest.raises(InvalidInput, match="attempt"):
        await say(net, tenant, job, attempt=2)
    opened = await say(net, tenant, job)
    for fen in (-1, 1_002):
        with pytest.raises(InvalidInput):
            await answer(net, opened.number, fen)
    with pytest.raises(NotFound, match="no dispute 99"):
        await answer(net, 99, 1)
    assert (await answer(net, opened.number, 1_001)).refunded_fen == 1_001


async def test_the_database_itself_refuses_changes(net: SmallNetwork) -> None:
    tenant, job = await charged(net, None)
    await say(net, tenant, job)
    with pytest.raises(asyncpg.PostgresError):
        async with net.db.transaction() as tx:
            await tx.execute("update dispute set reason = 'x'")
