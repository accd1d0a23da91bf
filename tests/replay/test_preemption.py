"""Who leaves for whom in a replay, when, and what is lost: schedules by hand."""

from typing import Any

import polars as pl
import pytest

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.scheduling.workload import Schedule
from suanwang.replay.compare import run_on
from suanwang.replay.jobs import to_workload
from suanwang.replay.measures import attempts as attempts_of
from suanwang.replay.measures import by_home, by_pool, by_tenant, jain, outcome, summary
from suanwang.replay.network import Network
from suanwang.replay.run import replay
from tests.replay.conftest import jobs, pool


def policy(**limits: int) -> Policy:
    return Policy(order="priority", preemption=Preemption(**{"min_run_s": 0, **limits}), outlook=False)


def two(every_s: int, **columns: Any) -> pl.DataFrame:
    """A long job that may have to leave, and an urgent one that comes at 50."""
    told = {"priority": [0, 5], "preemptible": [1, 0], "checkpoint_every_s": [every_s, 0]}
    return jobs((0, 100, 4), (50, 20, 4), **told | columns)


def attempts(schedule: Schedule) -> list[list[int]]:
    """(row, start, end) of every attempt, by row."""
    assert schedule.stretches is not None
    return sorted(schedule.stretches[:3].T.tolist())


@pytest.mark.parametrize(
    ("every_s", "min_run_s", "of_long", "of_urgent", "lost_s"),
    [
        (30, 0, [(0, 50), (70, 140)], (50, 70), 20),
        (0, 0, [(0, 50), (70, 170)], (50, 70), 50),  # nothing is saved
        (25, 0, [(0, 50), (70, 120)], (50, 70), 0),  # saved in this very second
        (30, 60, [(0, 60), (80, 120)], (60, 80), 0),  # safe for a minute, at whose end nothing else happens
        (30, 10, [(0, 50), (70, 140)], (50, 70), 20),
    ],
)
def test_the_long_one_leaves(
    every_s: int, min_run_s: int, of_long: list[tuple[int, int]], of_urgent: tuple[int, int], lost_s: int
) -> None:
    pools = [pool("p", 4)]
    schedule = replay(pools, to_workload(two(every_s), pools), policy(min_run_s=min_run_s))
    assert attempts(schedule) == [[0, *times] for times in of_long] + [[1, *of_urgent]]
    assert schedule.lost_s.tolist() == [lost_s, 0]


@pytest.mark.parametrize("limits", [{"max_preemptions": 0}, {"min_gap": 6}, {"max_victims": 0}, {"min_run_s": 100}])
def test_the_long_one_stays(limits: dict[str, int]) -> None:
    pools = [pool("p", 4)]
    schedule = replay(pools, to_workload(two(30), pools), policy(**limits))
    assert (schedule.start_s.tolist(), schedule.attempts.tolist()) == ([0, 100], [1, 1])


def test_who_does_not_say_that_it_may_leave_stays() -> None:
    pools = [pool("p", 4)]
    firm = to_workload(two(30, preemptible=[0, 0]), pools)
    assert replay(pools, firm, policy()).start_s.tolist() == [0, 100]


def test_two_leave_again_and_again_until_they_are_safe() -> None:
    """Two chips each. Who is younger has less to lose; when it has left twice it is safe, and the other one leaves."""
    pools = [pool("p", 4)]
    frame = jobs(
        (0, 100, 2), (5, 100, 2), (20, 10, 2), (40, 10, 2), (60, 10, 2),
        priority=[0, 0, 5, 5, 5], preemptible=[1, 1, 0, 0, 0],
    )  # fmt: skip
    schedule = replay(pools, to_workload(frame, pools), policy(max_preemptions=2))
    assert attempts(schedule) == [
        [0, 0, 60], [0, 70, 170], [1, 5, 20], [1, 30, 40], [1, 50, 150], [2, 20, 30], [3, 40, 50], [4, 60, 70],
    ]  # fmt: skip
    assert schedule.lost_s.tolist() == [60, 25, 0, 0, 0]


def test_the_part_that_is_left_goes_on_elsewhere() -> None:
    """Half of it is done on the fast chip, after 50 of 100 s; the other half takes 100 of 200 s on the slow one."""
    pools = [pool("fast", 4, chip="v100"), pool("slow", 4, chip="k80")]
    frame = two(25, run_s_on_k80=[200, 40], chips=[["v100", "k80"], ["v100"]])
    schedule = replay(pools, to_workload(frame, pools), policy())
    assert attempts(schedule) == [[0, 0, 50], [0, 50, 150], [1, 50, 70]]
    assert schedule.pool.tolist() == [1, 0]


@pytest.mark.parametrize("bills_lost", [False, True])
def test_what_it_was_worth(bills_lost: bool) -> None:
    """On four chips at 1 fen a second and 1 kW each: 120 s of use, 20 of them lost."""
    here = Pool("p", "here", "any", (Node("n", 4, 4),), Offer(3_600, 1_000, bills_lost))
    network = Network(name="n", pools=(here,), watts_per_chip={"p": 1_000})
    run = run_on(network, two(30), policy(), 0)
    tried = attempts_of(run, network)
    found = outcome(run, tried)
    assert found.select("wait_s", "attempts", "lost_s", "chip_s", "cost_fen").rows() == [
        (20, 2, 20, 480, 480 if bills_lost else 400), (0, 1, 0, 80, 80),
    ]  # fmt: skip
    assert found["energy_kwh"].to_list() == pytest.approx([480 / 3_600, 80 / 3_600])
    total = summary(found, run)
    assert (total["preemptions"], total["lost_chip_s"], total["utilisation"]) == (1, 80, 1.0)
    (line,) = by_pool(tried, run).to_dicts()
    assert (line["jobs"], line["chip_s"], line["utilisation"]) == (2, 560, 1.0)
    assert by_home(found)["preemptions"].to_list() == [1]


def test_every_attempt_counts_where_it_ran() -> None:
    """Preempted on a1 after 5,000 s, which are lost, the victim runs 6,000 s on a2: neither pool is used twice over."""
    pools = [
        pool("a1", 4, centre="a", chip="a100", fen=1_000),
        pool("a2", 4, centre="a", chip="k80", fen=3_000),
    ]  # fmt: skip
    frame = jobs(
        (0, 5_000, 4), (0, 6_000, 4), (5_000, 6_000, 4), priority=[0, 0, 9], preemptible=[0, 1, 0],
        chips=[["k80"], ["a100", "k80"], ["a100"]], tenant=["blk", "victim", "boss"],
    )  # fmt: skip
    network = Network(name="a", pools=tuple(pools), watts_per_chip={"a1": 500, "a2": 100})
    run = run_on(network, frame, policy(), 0)
    tried = attempts_of(run, network)
    found, lines = outcome(run, tried), by_pool(tried, run)
    assert lines.select("pool", "jobs", "chip_s", "lost_chip_s", "utilisation").rows() == [
        ("a1", 2, 44_000, 20_000, 1.0), ("a2", 2, 44_000, 0, 1.0),
    ]  # fmt: skip
    assert found["pool"].to_list() == ["a2", "a2", "a1"]
    assert found["energy_kwh"].to_list()[1] == pytest.approx((20_000 * 500 + 24_000 * 100) / 3.6e6)
    assert found["cost_fen"].to_list()[1] == 6_000 * 4 * 3_000 // 3_600  # on a2; what was lost on a1 is free
    # What was lost is no service: 11,000 s for a run of 6,000 s.
    assert found["wait_s"].to_list() == [0, 0, 0]
    assert found["turnaround_s"].to_list() == [5_000, 11_000, 6_000]
    assert found["bounded_slowdown"].to_list() == pytest.approx([1, 11 / 6, 1])
    served = dict(by_tenant(found).select("tenant", "served").iter_rows())
    assert served == pytest.approx({"blk": 1, "victim": 6 / 11, "boss": 1})
    fairness = jain(found)
    assert fairness is not None
    assert fairness < 0.96
