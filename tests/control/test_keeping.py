"""What is kept goes when its time is over and nobody needs it; and nobody fills what all share."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from suanwang.control import blob, daemon, submit
from suanwang.control.daemon import Hub
from suanwang.control.offers import Market
from suanwang.control.submit import Submission
from suanwang.domain.job import BlobWorkdir, Cause, JobSpec
from suanwang.domain.tenant import Actor, Quotas, Role
from suanwang.errors import Conflict, NotFound, Refused
from suanwang.store import blob as blobs
from suanwang.testing.network import SmallNetwork, job_spec

KEEP_S = 1_000
MEMBER = Role.TENANT_MEMBER


async def put(net: SmallNetwork, actor: Actor, body: bytes, quotas: Quotas | None = None) -> str:
    return await blob.put_blob(net.db, actor, body, quotas or Quotas(), net.now_s)


async def there(net: SmallNetwork, digest: str) -> bool:
    async with net.db.transaction() as tx:
        try:
            await blobs.body(tx, digest)
        except NotFound:
            return False
    return True


async def clean(net: SmallNetwork) -> tuple[int, int]:
    gone = await blob.clean_up(net.db, KEEP_S, net.now_s)
    return gone.blobs, gone.blob_bytes


def with_workdir(digest: str) -> JobSpec:
    return replace(job_spec(), workdir=BlobWorkdir(digest))


async def told(net: SmallNetwork, kind: str) -> list[dict[str, Any]]:
    async with net.db.transaction() as tx:
        return [dict(row) for row in await tx.fetch("select body::text as body from event where kind = $1", kind)]


async def test_files_go_when_they_are_old_and_no_live_job_needs_them(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east", nodes=1, chips=1)
    agent = Actor("agent", "east-org", Role.CENTRE_AGENT, "east")
    east.run_s = lambda order: (10 * KEEP_S, Cause.SUCCEEDED)
    await net.turn()
    workdir, unused, again = [await put(net, tenant, body) for body in (b"workdir", b"unused", b"again")]
    saved = await put(net, agent, b"checkpoint")
    running, waiting = await net.submit(tenant, with_workdir(workdir), with_workdir(workdir))
    await net.turn()
    key = (running.job_id, 1)
    east.save(key, step=1, at_s=net.now_s)
    checkpoint = east.attempts[key].checkpoint
    assert checkpoint is not None
    east.outbox[key] = replace(east.outbox[key], checkpoint=replace(checkpoint, blob_sha256=saved))
    await net.sync(east)
    assert await clean(net) == (0, 0)
    net.now_s += KEEP_S
    await put(net, tenant, b"again")
    net.now_s += 1
    assert await clean(net) == (1, len(b"unused"))
    assert [await there(net, one) for one in (workdir, unused, again, saved)] == [True, False, True, True]
    await submit.cancel_job(net.db, tenant, UUID(waiting.job_id), net.call(tenant), net.now_s)
    assert await clean(net) == (0, 0)
    await submit.cancel_job(net.db, tenant, UUID(running.job_id), net.call(tenant), net.now_s)
    await net.turn()
    await net.turn()
    net.now_s += KEEP_S
    assert await clean(net) == (3, len(b"workdir" + b"again" + b"checkpoint"))
    assert len(await told(net, "cleaned_up")) >= 2


async def test_a_file_that_goes_and_a_job_that_comes_never_miss_each_other(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    digests = [await put(net, tenant, b"%d" % number) for number in range(40)]
    net.now_s += KEEP_S + 1

    async def come(digest: str) -> bool:
        try:
            await net.submit(tenant, with_workdir(digest))
        except NotFound:
            return False
        return True

    came = asyncio.gather(*(come(digest) for digest in digests))
    await asyncio.sleep(0.02)
    await clean(net)
    accepted = await came
    assert [await there(net, digest) for digest in digests] == accepted


async def test_answers_go_and_an_old_key_is_no_new_job(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    await net.add_centre("east")
    first = await net.submit(tenant, job_spec(), key="old")
    net.now_s += KEEP_S
    assert (await blob.clean_up(net.db, KEEP_S, net.now_s)).answers == 0
    assert await net.submit(tenant, job_spec(), key="old") == first
    net.now_s += 1
    assert (await blob.clean_up(net.db, KEEP_S, net.now_s)).answers > 0
    with pytest.raises(Conflict) as refused:
        await net.submit(tenant, job_spec(), key="old")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    async with net.db.transaction() as tx:
        assert await tx.fetchval("select count(*) from job") == 1


async def test_the_hub_keeps_house_by_itself(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    digest = await put(net, tenant, b"old")
    hub = Hub(net.db, net.catalogue, lambda: net.now_s + KEEP_S + 1, unseen_after_s=30, keep_s=KEEP_S)
    loops = asyncio.create_task(daemon.run(hub))
    try:
        async with asyncio.timeout(10):
            while await there(net, digest):  # noqa: ASYNC110 the database rings no bell
                await asyncio.sleep(0.05)
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)


async def test_a_tenant_has_room_for_so_many_bytes(net: SmallNetwork) -> None:
    tenant, other = await net.add_tenant("acme", 0), await net.add_tenant("other", 0)
    quotas = Quotas(blob_bytes=10)
    await put(net, tenant, b"123456", quotas)
    with pytest.raises(Refused) as refused:
        await put(net, tenant, b"12345", quotas)
    facts = {"size_bytes": 5, "used_bytes": 6, "limit_bytes": 10}
    assert (refused.value.code, refused.value.facts) == ("BLOB_QUOTA", facts)
    assert not await there(net, sha256(b"12345").hexdigest())
    await put(net, tenant, b"123456", quotas)
    await put(net, tenant, b"1234", quotas)
    await put(net, other, b"123456", quotas)
    at_once = await asyncio.gather(
        *(put(net, other, b"%d" % number, quotas) for number in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, str) for one in at_once) == 4


async def test_a_tenant_has_so_many_live_jobs(net: SmallNetwork) -> None:
    tenant, other = await net.add_tenant("acme", 10**6), await net.add_tenant("other", 10**6)
    east = await net.add_centre("east")
    east.run_s = lambda order: (10, Cause.SUCCEEDED)
    await net.turn()

    async def ask(actor: Actor, count: int) -> str | int:
        one = Submission(actor, [job_spec()] * count, net.call(actor))
        found = await submit.submit_together(net.db, net.catalogue, Market(), [one], net.now_s, Quotas(live_jobs=5))
        (outcome,) = found
        return outcome.code if isinstance(outcome, Refused) else len(outcome)

    assert [await ask(tenant, 3), await ask(tenant, 3), await ask(tenant, 2), await ask(tenant, 1)] == [
        3, "LIVE_JOBS_QUOTA", 2, "LIVE_JOBS_QUOTA"
    ]  # fmt: skip
    assert await ask(other, 5) == 5
    await net.turn(10)
    await net.turn(10)
    assert await ask(tenant, 5) == 5
