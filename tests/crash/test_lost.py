"""A centre that is declared lost, with real processes: what still runs there is stopped when its agent comes back."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from suanwang.client import Client
from suanwang.domain.job import JobSpec, JobState, Variant
from suanwang.errors import Conflict
from suanwang.testing.processes import worker_of
from suanwang.wire import CentreLine, JobRequest, Receipt, Submission
from tests.crash.test_kills import Crashing

PATIENCE_S = 60


async def until_state(client: Client, job_id: str, *states: JobState) -> Receipt:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            receipt = await client.job(job_id)
            if receipt.state in states:
                return receipt
            await asyncio.sleep(0.2)


async def until_centre(client: Client, centre_id: str, *, seen: bool) -> CentreLine:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = next(one for one in await client.centres() if one.id == centre_id)
            if (found.state == "seen") == seen:
                return found
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_lost_centre_that_comes_back(short_folder: Path) -> None:
    network = Crashing(short_folder, 0)
    try:
        await network.found()
        admin = network.admin
        for centre_id in ("east", "west"):
            await until_centre(admin, centre_id, seen=True)
        variants = (Variant("A100", 1, centre="east"), Variant("A100", 1, centre="west"))
        run = '[ "$SUANWANG_ATTEMPT" = 2 ] || sleep 600\n'
        request = JobRequest(spec=msgspec.to_builtins(JobSpec("job", variants, run, walltime_s=900, ordered=True)))
        (submitted,) = (await network.tenant.submit(Submission(jobs=(request,)))).jobs
        receipt = await until_state(network.tenant, submitted.job_id, JobState.RUNNING)
        (attempt,) = receipt.attempts
        gone, other = (attempt.centre_id, "west" if attempt.centre_id == "east" else "east")
        with pytest.raises(Conflict) as no:
            await admin.declare_lost(gone, "too early")
        assert no.value.code == "CENTRE_IS_SEEN"
        network.processes.kill(f"agent-{gone}")
        await until_centre(admin, gone, seen=False)

        given_up = await admin.declare_lost(gone, "its line is cut", key="once")
        assert (given_up.attempts, given_up.states) == (1, {"queued": 1})
        found = await until_centre(admin, gone, seen=False)
        assert found.state == "lost"
        assert found.lost_s is not None
        receipt = await until_state(network.tenant, submitted.job_id, JobState.SUCCEEDED)
        assert [(one.centre_id, one.cause) for one in receipt.attempts] == [(gone, "abandoned"), (other, "succeeded")]
        assert receipt.attempts[0].charged_fen == 0
        await network.assert_proofs()
        # Nobody there was told: it still runs.
        still = worker_of(submitted.job_id, 1, "600")
        assert still is not None
        with pytest.raises(Conflict) as no:
            await admin.rejoin(gone)
        assert no.value.code == "ABANDONED_NOT_OVER"

        network.start_agent(gone)
        async with asyncio.timeout(PATIENCE_S):
            while worker_of(submitted.job_id, 1, "600") is not None:  # noqa: ASYNC110 nobody announces its end
                await asyncio.sleep(0.2)
        assert await admin.declare_lost(gone, "its line is cut", key="once") == given_up
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Conflict):
                    await admin.rejoin(gone)
                    break
                await asyncio.sleep(0.2)
        await until_centre(admin, gone, seen=True)
        # Its transactions may have been sealed meanwhile; nothing else is new.
        assert replace(await network.tenant.job(submitted.job_id), evidence=[]) == replace(receipt, evidence=[])
        kinds = [one.kind for one in await network.tenant.job_events(submitted.job_id)]
        assert kinds.count("abandoned_attempt_over") == 1
        await network.assert_proofs()
    finally:
        await network.close()
