"""A workload in virtual time: small ones by hand, random ones against a plain simulation."""

import heapq
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.policy import Policy, Preemption
from suanwang.domain.scheduling.workload import NOWHERE
from suanwang.replay.jobs import to_workload
from suanwang.replay.measures import attempts, outcome, summary
from suanwang.replay.network import Network
from suanwang.replay.policyfile import POLICIES
from suanwang.replay.refusal import REASONS, refusals
from suanwang.replay.run import Run, replay
from tests.replay.conftest import jobs, pool

FIFO, EASY = POLICIES["fifo"], POLICIES["easy"]


def starts(policy: Policy, *rows: tuple[int, int, int], chips: int = 4) -> list[int]:
    pools = [pool("p", chips)]
    return replay(pools, to_workload(jobs(*rows), pools), policy).start_s.tolist()


def test_backfilling_by_hand() -> None:
    """The second job waits for all four chips; the third fits beside the first, and ends before it has to."""
    rows = ((0, 100, 3), (10, 50, 4), (20, 80, 1), (21, 90, 1))
    assert starts(FIFO, *rows) == [0, 100, 150, 150]
    assert starts(EASY, *rows) == [0, 100, 20, 150]


def test_ends_go_before_arrivals_of_the_same_second() -> None:
    assert starts(FIFO, (0, 10, 4), (10, 5, 4)) == [0, 10]


def test_jobs_of_no_length_free_their_nodes_within_their_second() -> None:
    assert starts(FIFO, (0, 0, 4), (0, 0, 4), (0, 7, 4), (0, 1, 1)) == [0, 0, 0, 7]


def test_rows_of_one_second_go_in_their_order() -> None:
    assert starts(FIFO, *((5, 10, 4) for _ in range(12))) == [5 + 10 * place for place in range(12)]


def test_what_runs_longer_than_it_asked_for_runs_on() -> None:
    pools = [pool("p", 4)]
    frame = jobs((0, 100, 4), (1, 10, 4), walltime_s=[20, 10])
    assert replay(pools, to_workload(frame, pools), EASY).start_s.tolist() == [0, 100]


def test_another_run_time_in_another_pool() -> None:
    pools = [pool("fast", 1, chip="v100"), pool("slow", 1, chip="k80")]
    frame = jobs((0, 10, 1), (0, 10, 1), run_s_on_k80=[40, 40])
    schedule = replay(pools, to_workload(frame, pools), EASY)
    assert schedule.pool.tolist() == [0, 1]
    assert schedule.end_s.tolist() == [10, 40]


def test_shares_of_a_chip_run_side_by_side_and_count_as_what_they_are() -> None:
    """Three halves on one chip: the third waits; a whole chip waits for all. Utilisation is of what was used."""
    pools = [pool("p", 1, fen=3_600)]
    frame = jobs((0, 10, 1), (0, 20, 1), (1, 10, 1), (2, 5, 1), chip_milli=[500, 500, 500, 1_000])
    workload = to_workload(frame, pools)
    schedule = replay(pools, workload, EASY)
    assert schedule.start_s.tolist() == [0, 0, 10, 20]
    network = Network(name="n", pools=tuple(pools))
    run = Run(name="r", pools=tuple(pools), frame=frame, workload=workload, schedule=schedule, policy=EASY, epoch_s=0)
    made = outcome(run, attempts(run, network))
    assert made["chips_used"].to_list() == [0.5, 0.5, 0.5, 1.0]
    assert made["cost_fen"].to_list() == [5, 10, 5, 5]
    assert summary(made, run)["utilisation"] == 1.0


def test_who_is_preempted_goes_on_from_its_last_checkpoint() -> None:
    """On four chips: a (100 s, saves every 30 s) leaves at 45 for the urgent c (10 s); 15 s are lost, 70 s are left."""
    pools = [pool("p", 4, fen=3_600)]
    frame = jobs((0, 100, 4), (45, 10, 4), priority=[0, 5], preemptible=[1, 0], checkpoint_every_s=[30, 0])
    policy = Policy(order="priority", preemption=Preemption(min_run_s=0), outlook=False)
    workload = to_workload(frame, pools)
    schedule = replay(pools, workload, policy)
    assert schedule.start_s.tolist() == [0, 45]
    assert schedule.end_s.tolist() == [55 + 70, 55]
    assert (schedule.attempts.tolist(), schedule.lost_s.tolist()) == ([2, 1], [15, 0])
    assert schedule.busy_s.tolist() == [45 + 70, 10]
    assert schedule.stretches is not None
    assert schedule.stretches.T.tolist() == [[0, 0, 45, 0, 15], [1, 45, 55, 0, 0], [0, 55, 125, 0, 0]]
    run = Run(name="r", pools=tuple(pools), frame=frame, workload=workload, schedule=schedule, policy=policy, epoch_s=0)
    tried = attempts(run, Network(name="n", pools=tuple(pools)))
    made = outcome(run, tried)
    assert made["wait_s"].to_list() == [10, 0]
    told = summary(made, run)
    assert (told["preemptions"], told["lost_chip_s"], told["utilisation"]) == (1, 60, 1.0)
    assert tried.select("job_id", "start_s").rows() == [("j0", 0), ("j1", 45), ("j0", 55)]


crowd = st.lists(
    st.tuples(
        st.integers(0, 40),  # submitted
        st.integers(0, 30),  # run
        st.integers(1, 4),  # chips
        st.integers(0, 3),  # priority
        st.integers(0, 1),  # preemptible
        st.sampled_from([0, 1, 4, 7]),  # checkpoint every
    ),
    min_size=1,
    max_size=30,
)
terms = st.builds(
    Preemption, min_gap=st.integers(1, 2), max_preemptions=st.integers(0, 3), min_run_s=st.sampled_from([0, 5])
)


@settings(max_examples=80, deadline=None)
@given(crowd, terms, st.sampled_from([0, 1, 3]))
def test_every_job_does_its_work_once_whoever_preempts_it(
    rows: list[tuple[int, ...]], preemption: Preemption, depth: int
) -> None:
    rows = sorted(rows)
    pools = [pool("a", 4), pool("b", 2, 2)]
    names = ("priority", "preemptible", "checkpoint_every_s")
    columns = {name: [row[3 + at] for row in rows] for at, name in enumerate(names)}
    workload = to_workload(jobs(*((row[0], row[1], row[2]) for row in rows), **columns), pools)
    policy = Policy(order="priority", reservation_depth=depth, preemption=preemption, outlook=False)
    schedule = replay(pools, workload, policy)
    assert (schedule.busy_s - schedule.lost_s).tolist() == workload.run_s.tolist()
    assert (schedule.attempts <= preemption.max_preemptions + 1).all()
    stretches = schedule.stretches
    if stretches is None:
        stretches = np.stack([np.arange(len(rows)), schedule.start_s, schedule.end_s, schedule.pool])
    for second in range(int(schedule.end_s.max())):
        live = (stretches[1] <= second) & (second < stretches[2])
        for number in range(len(pools)):
            assert workload.chips_per_node[stretches[0, live & (stretches[3] == number)]].sum() <= 4
    again = replay(pools, workload, policy)
    assert (again.start_s == schedule.start_s).all()
    assert (again.end_s == schedule.end_s).all()


def test_memory_counts_where_nodes_say_what_they_have() -> None:
    small = pool("p", 4)
    pools = [replace(small, nodes=(replace(small.nodes[0], memory_mib=100),))]
    frame = jobs((0, 10, 1), (0, 10, 1), (0, 10, 1), memory_mib=[60, 60, 101])
    workload = to_workload(frame, pools)
    assert replay(pools, workload, EASY).start_s.tolist() == [0, 10, NOWHERE]
    assert [REASONS[code] for code in refusals(pools, workload).tolist()] == ["", "", "NODE_MEMORY_TOO_SMALL"]
    assert replay([small], to_workload(frame, [small]), EASY).start_s.tolist() == [0, 0, 0]


def test_what_never_fits_is_left_out_and_has_a_reason() -> None:
    pools = [pool("a", 4, 4, chip="x", limit_s=1_000), pool("b", 8, chip="y")]
    frame = jobs(
        (0, 10, 4), (0, 10, 9), (0, 10, 8), (0, 5_000, 1), (0, 10, 4), (0, 10, 1), (0, 10, 1),
        num_nodes=[2, 1, 2, 1, 3, 1, 1],
        chips=[None, None, None, ["x"], ["x", "y"], ["z"], None],
        cpus_per_node=[0, 0, 0, 0, 0, 0, 9],
    )  # fmt: skip
    workload = to_workload(frame, pools)
    codes = [REASONS[code] for code in refusals(pools, workload)]
    expected = ["", "NODE_TOO_SMALL", "TOO_FEW_NODES", "WALLTIME_OVER_LIMIT", "TOO_FEW_NODES", "CHIP_MISMATCH"]
    assert codes == [*expected, "NODE_TOO_SMALL"]
    schedule = replay(pools, workload, FIFO)
    assert [start for start, code in zip(schedule.start_s, codes, strict=True) if not code] == [0]
    assert all(start == NOWHERE for start, code in zip(schedule.start_s, codes, strict=True) if code)


@pytest.mark.parametrize(("number", "nodes"), [(200_000, 1), (2_000, 2)], ids=["counted", "located"])
def test_progress_is_told_and_may_end_the_replay(number: int, nodes: int) -> None:
    pools = [pool("p", *[4] * nodes)]
    workload = to_workload(jobs(*((second, 1, 1) for second in range(number)), num_nodes=[nodes] * number), pools)
    told: list[int] = []
    replay(pools, workload, FIFO, told.append)
    assert told[-1] == number
    assert told == sorted(told)
    assert len(told) > 2

    def interrupt(_ended: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(pools, workload, FIFO, interrupt)


rows = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(1, 6)), min_size=1, max_size=40).map(
    sorted
)


def plain_fifo(found: list[tuple[int, int, int]], chips: int) -> list[int]:
    """Strict first come, first served on counted chips."""
    running: list[tuple[int, int]] = []
    free, now_s, begun = chips, 0, []
    for submitted_s, run_s, wanted in found:
        now_s = max(now_s, submitted_s)
        while running and (running[0][0] <= now_s or free < wanted):
            end_s, freed = heapq.heappop(running)
            now_s, free = max(now_s, end_s), free + freed
        free -= wanted
        begun.append(now_s)
        heapq.heappush(running, (now_s + run_s, wanted))
    return begun


@settings(max_examples=60, deadline=None)
@given(found=rows)
def test_first_come_first_served_as_a_plain_simulation_has_it(found: list[tuple[int, int, int]]) -> None:
    assert starts(FIFO, *found, chips=6) == plain_fifo(found, 6)


@settings(max_examples=60, deadline=None)
@given(found=rows, name=st.sampled_from(sorted(POLICIES)))
def test_no_schedule_takes_more_chips_than_there_are(found: list[tuple[int, int, int]], name: str) -> None:
    pools = [pool("a", 4, 2), pool("b", 6)]
    workload = to_workload(jobs(*found), pools)
    schedule = replay(pools, workload, POLICIES[name])
    assert (schedule.start_s >= workload.submitted_s).all()
    assert (schedule.end_s - schedule.start_s == workload.run_s).all()
    for number, each in enumerate(pools):
        here = np.flatnonzero(schedule.pool == number)
        for second in schedule.start_s[here]:
            busy = (schedule.start_s[here] <= second) & (second < schedule.end_s[here])
            assert workload.chips_per_node[here][busy].sum() <= each.chips
