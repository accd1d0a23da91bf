"""Which job is meant: by number, id, name, or the start of an id; several that fit are all named."""

from typing import Any
from uuid import UUID

import httpx
import msgspec

from suanwang.domain.tenant import Role
from suanwang.i18n import speaking
from suanwang.testing.network import START_S, job_spec
from suanwang.words import say_error
from tests.api.conftest import Served

TWINS = [UUID("abcdef00-0000-4000-8000-000000000001"), UUID("abcdef00-0000-4000-8000-000000000002")]


async def add_job(served: Served, name: str, tenant_id: str = "acme", job_id: UUID | None = None) -> int:
    """A job that is over, straight into the records: how it came there does not matter here."""
    async with served.hub.db.transaction() as tx:
        number: int = await tx.fetchval(
            "insert into job (id, tenant_id, name, spec, state, estimate_fen, submitted_s, queued_s, settled) values"
            " (coalesce($1, gen_random_uuid()), $2, $3, $4::jsonb, 'cancelled', 0, $5, $5, true) returning number",
            job_id,
            tenant_id,
            name,
            msgspec.json.encode(job_spec(name)).decode(),
            START_S,
        )
    return number


async def ask(client: httpx.AsyncClient, reference: str) -> Any:
    return await client.get(f"/v1/jobs/{reference}")


async def test_a_name_used_twice_lists_both(served: Served) -> None:
    numbers = [await add_job(served, "train"), await add_job(served, "train")]
    await add_job(served, "train", "other")  # not mine, not my business
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        answer = await ask(client, "train")
        assert answer.status_code == 409
        problem = answer.json()
        assert problem["code"] == "AMBIGUOUS"
        assert [one["number"] for one in problem["facts"]["candidates"]] == numbers[::-1]  # the newest first
        assert problem["facts"]["count"] == 2
        for number in numbers:
            assert (await ask(client, str(number))).json()["number"] == number
            assert str(number) in problem["detail"]
        cancelled = await client.post("/v1/jobs/train/cancel", headers={"idempotency-key": "k"})
        assert cancelled.status_code == 409
    with speaking("zh"):
        said = say_error(problem["code"], problem["facts"], problem["detail"])
    job_id = problem["facts"]["candidates"][0]["job_id"]
    assert f"{numbers[1]} (train, 已取消, {job_id[:8]})" in said
    async with served.client(served.secrets[Role.AUDITOR]) as auditor:
        assert len((await ask(auditor, "train")).json()["facts"]["candidates"]) == 3


async def test_the_start_of_two_ids_lists_both(served: Served) -> None:
    for job_id in TWINS:
        await add_job(served, f"job-{job_id.int % 10}", job_id=job_id)
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        for start in ("abcdef", "ABCDEF", "abcdef00-0000-4000-8000-00000000000"):
            problem = (await ask(client, start)).json()
            assert problem["code"] == "AMBIGUOUS"
            assert {one["job_id"] for one in problem["facts"]["candidates"]} == {str(one) for one in TWINS}
        assert (await ask(client, str(TWINS[0]).upper())).json()["id"] == str(TWINS[0])
        assert (await ask(client, "abcde")).status_code == 404  # too short to be a start


async def test_a_number_goes_before_a_name_and_a_name_before_a_start(served: Served) -> None:
    first = await add_job(served, "abcdef")
    await add_job(served, "twin", job_id=TWINS[0])
    await add_job(served, str(first))
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        assert (await ask(client, str(first))).json()["number"] == first
        assert (await ask(client, "abcdef")).json()["number"] == first


async def test_many_candidates_are_counted_and_the_newest_shown(served: Served) -> None:
    count = 30
    numbers = [await add_job(served, "sweep") for _ in range(count)]
    async with served.client(served.secrets[Role.TENANT_MEMBER]) as client:
        facts = (await ask(client, "sweep")).json()["facts"]
    assert facts["count"] == count
    assert [one["number"] for one in facts["candidates"]] == numbers[:-11:-1]
