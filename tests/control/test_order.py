"""Jobs of one second keep the order in which they came."""

from suanwang.domain.job import Cause
from suanwang.testing.network import SmallNetwork, job_spec


async def test_jobs_of_one_call_and_of_calls_of_one_second_start_as_they_came(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east", nodes=1, chips=1)
    east.run_s = lambda order: (1, Cause.SUCCEEDED)
    await net.turn()
    wanted = [one.job_id for one in await net.submit(tenant, *(job_spec(f"a{i}") for i in range(8)))]
    await net.think()
    wanted += [one.job_id for one in await net.submit(tenant, *(job_spec(f"b{i}") for i in range(8)))]
    for turn in range(20):
        if turn % 5 == 0:
            net.brain = None
        await net.turn(1)
    assert [job_id for job_id, _ in east.starts] == wanted


async def test_a_job_that_recovers_keeps_its_place(net: SmallNetwork) -> None:
    tenant = await net.add_tenant("acme", 10**6)
    east = await net.add_centre("east", nodes=1, chips=1)
    east.run_s = lambda order: (1, Cause.NODE_FAILED if order.attempt == 1 else Cause.SUCCEEDED)
    await net.turn()
    wanted = [one.job_id for one in await net.submit(tenant, *(job_spec(f"a{i}") for i in range(6)))]
    for _ in range(13):
        await net.turn(1)
    assert east.starts == [(job_id, attempt) for job_id in wanted for attempt in (1, 2)]
