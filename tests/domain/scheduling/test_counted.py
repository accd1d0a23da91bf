"""Pools whose chips are counted: the same decisions as the step that locates them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.counted import CountedRun, counts
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.workload import Workload
from suanwang.errors import InvalidInput
from tests.domain.scheduling.feeding import feed

KINDS = (frozenset({"a100", "910b"}), frozenset({"a100"}), frozenset({"910b"}))


def workload(rows: Sequence[tuple[int, ...]]) -> Workload:
    """Rows of (submitted, run, walltime, chips, priority, kind)."""
    rows = sorted(rows, key=lambda row: row[0])
    submitted_s, run_s, walltime_s, chips, priority, kind = np.array(rows, np.int64).reshape(-1, 6).T.copy()
    one = np.ones(len(rows), np.int64)
    return Workload(
        submitted_s=submitted_s,
        run_s=run_s,
        walltime_s=walltime_s,
        num_nodes=one,
        chips_per_node=chips,
        chip_milli=1000 * one,
        cpus_per_node=0 * one,
        priority=priority,
        tenant=0 * one,
        kind=kind,
        home=0 * one,
        tenants=("t1",),
        kinds=KINDS,
        centres=("c",),
    )


def pool(name: str, chips: int, chip_id: str, fen: int = 10, max_walltime_s: int = 10**6) -> Pool:
    return Pool(
        name, f"c-{name}", chip_id, (Node("all", chips, 0),), Offer(fen * 3600, max_walltime_s)
    )  # house: prices


JOBS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(1, 30),
        st.integers(1, 30),
        st.integers(1, 9),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
)
POOLS = st.lists(
    st.tuples(st.integers(4, 10), st.sampled_from(["a100", "910b"]), st.integers(1, 2), st.sampled_from([25, 10**6])),
    min_size=1,
    max_size=3,
)
POLICIES = st.builds(
    Policy,
    order=st.sampled_from(["fcfs", "sjf", "priority", "f1", "wfp3", "unicef"]),
    reservation_depth=st.integers(0, 1),
    reserve_ahead=st.sampled_from([1, 3, 1_000]),
    backfill=st.sampled_from(["beside", "until", "before"]),
    outlook=st.just(False),
)


@given(JOBS, POOLS, POLICIES, st.sampled_from([Objective.SOONEST, Objective.CHEAPEST]), st.integers(1, 50))
@settings(deadline=None, max_examples=100)
def test_counted_and_located_pools_decide_alike(
    jobs: list[tuple[int, ...]],
    sizes: list[tuple[int, str, int, int]],
    policy: Policy,
    objective: Objective,
    events: int,
) -> None:
    w = workload(jobs)
    pools = [pool(f"p{i}", *size) for i, size in enumerate(sizes)]
    assert counts(pools, w, policy)
    run = CountedRun(pools, w, policy, objective)
    while not run.play(events):
        assert run.ended <= len(w)
    start_s, placed_in = feed(pools, w, policy, objective)
    schedule = run.schedule()
    assert schedule.start_s.tolist() == start_s.tolist()
    assert schedule.pool.tolist() == placed_in.tolist()
    assert run.ended == len(w)


def test_what_fits_nowhere_is_refused_and_said() -> None:
    w = workload([(0, 5, 5, 9, 0, 0), (1, 5, 5, 1, 0, 0)])
    run = CountedRun([pool("p", 4, "a100")], w, Policy(order="fcfs", outlook=False))
    assert run.play()
    assert run.schedule().start_s.tolist() == [-1, 1]
    assert run.schedule().pool.tolist() == [-1, 0]
    assert run.ended == 2


def test_given_scores_order_the_queue() -> None:
    w = workload([(0, 5, 5, 4, 0, 0)] + [(1, 5, 5, 4, 0, 0)] * 3)
    run = CountedRun(
        [pool("p", 4, "a100")], w, Policy(order="given", outlook=False), given=np.array([0.0, 3.0, 1.0, 2.0])
    )
    assert run.play()
    assert run.schedule().start_s.tolist() == [0, 15, 5, 10]
    with pytest.raises(InvalidInput, match="order"):
        CountedRun([pool("p", 4, "a100")], w, Policy(order="given", outlook=False))


def test_a_workload_names_what_is_wrong() -> None:
    w = workload([(0, 5, 5, 4, 0, 0), (3, 5, 5, 4, 0, 0)])
    with pytest.raises(InvalidInput, match="submitted_s"):
        replace(w, submitted_s=np.array([3, 0]))
    with pytest.raises(InvalidInput, match="chips_per_node"):
        replace(w, chips_per_node=np.array([3, 0]))
    with pytest.raises(InvalidInput, match="equal length"):
        replace(w, run_s=np.array([3]))
