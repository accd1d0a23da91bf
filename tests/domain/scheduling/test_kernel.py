"""What the compiled core owes the rest: the one price formula, room to grow, and an end to every story."""

import ast
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.job import Objective
from suanwang.domain.rating import estimate_fen
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import AttemptEnded, Event, PoolSet
from suanwang.domain.scheduling.kernel import compiling, entries
from suanwang.domain.scheduling.kernel.columns import (
    DEMAND,
    MEMO_SIZE,
    NEVER,
    POOL,
    SIZE,
)
from suanwang.domain.scheduling.layout import FIRST_PROFILES
from suanwang.domain.scheduling.policy import CONSERVATIVE, STRICT_FIFO, Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from tests.domain.scheduling.oracle import Oracle, differences
from tests.domain.scheduling.workloads import GPU, NPU, pool, queued, variant


@settings(deadline=None)
@given(st.integers(0, 10**9 - 1), st.integers(1, 10**7), st.integers(1, 366 * 24 * 60 * 60))
def test_the_price_is_ratings_estimate_as_far_as_64_bits_go(fen: int, chips: int, seconds: int) -> None:
    exact = estimate_fen(fen, chips, seconds)
    told = entries.price(fen, chips, seconds)
    assert told == (exact if fen * chips * seconds < NEVER else NEVER)


def test_the_estimate_is_rounded_up_once() -> None:
    assert estimate_fen(100, 8, 3_600) == 800
    assert estimate_fen(1, 1, 3_599) == 1
    assert estimate_fen(1, 2, 1_801) == 2
    assert estimate_fen(1, 2, 1_800) == 1


def test_more_kinds_of_demand_than_profiles_are_kept_in_time() -> None:
    """Each job asks for another mix of chips and CPUs, so profiles are given up and made anew, then more are kept."""
    state, oracle, policy = State(), Oracle(), Policy(order="fcfs", reservation_depth=3)
    events: list[Event] = [PoolSet(pool(nodes=5, chips=8, cpus=20))]
    mixes = [(chips, cpus) for cpus in range(1, 8) for chips in range(1, 9)]
    assert len(mixes) > FIRST_PROFILES
    events += [
        queued(f"j{i:03d}", variants=(variant(chips, cpus_per_node=cpus),)) for i, (chips, cpus) in enumerate(mixes)
    ]
    for now_s in range(0, 30, 5):
        assert differences(step(state, policy, now_s, events), oracle.step(policy, now_s, events)) == []
        state.validate()
        events = [AttemptEnded(job_id, 1) for job_id, attempt in oracle.placed.items() if attempt.end_s <= now_s + 5]
    kept = state.tables.demands[DEMAND.chips]
    assert state.tables.size[SIZE.demands] > FIRST_PROFILES
    assert (kept >= 0).sum() > FIRST_PROFILES


@pytest.mark.parametrize("depth", [STRICT_FIFO, 1, CONSERVATIVE])
def test_every_job_of_a_busy_month_starts_and_ends(depth: int) -> None:
    """300 jobs on three pools in virtual time: nobody is lost, the books of chips are right, the end is empty."""
    chance, state, policy = Random(7), State(), Policy(reservation_depth=depth)
    pools = [pool("a", 40, 8), pool("b", 70, 8, 3), pool("c", 130, 4, 2, NPU)]
    events: list[Event] = [PoolSet(each) for each in pools]
    ends: list[tuple[int, str]] = []
    started: set[str] = set()
    now_s = jobs = 0
    while jobs < 300 or ends or state.jobs:
        now_s += 50
        for _ in range(min(10, 300 - jobs)):
            jobs += 1
            ways = tuple(
                variant(chance.choice([1, 2, 4]), chip, cpus_per_node=chance.choice([0, 2])) for chip in (GPU, NPU)
            )
            events.append(
                queued(
                    f"j{jobs:04d}",
                    submitted_s=now_s,
                    num_nodes=chance.choice([1, 2, 8, 40]),
                    walltime_s=chance.randrange(50, 1_000),
                    objective=chance.choice(list(Objective)),
                    variants=ways[: chance.choice([1, 2])],
                )
            )
        for decision in step(state, policy, now_s, events):
            if isinstance(decision, Placed):
                assert decision.job_id not in started
                started.add(decision.job_id)
                ends.append((chance.randrange(now_s + 1, decision.expected_end_s + 60), decision.job_id))
        if now_s % 500 == 0:
            state.validate()
        events = [AttemptEnded(job_id, 1) for end_s, job_id in sorted(ends) if end_s <= now_s + 50]
        ends = [(end_s, job_id) for end_s, job_id in ends if end_s > now_s + 50]
        assert now_s < 10**6
    assert len(started) == 300
    assert state.tables.nodes.shape[1] == sum(len(each.nodes) for each in pools)
    state.validate()


def test_a_remembered_start_is_of_this_pass_only() -> None:
    """The same question in the next step has another answer, though no event changed the pool."""
    state, policy = State(), Policy(order="fcfs", reservation_depth=STRICT_FIFO)
    step(state, policy, 0, [PoolSet(pool(nodes=1)), queued("a", variants=(variant(4),))])
    told = [
        step(state, policy, now_s, [queued(f"b{now_s}", variants=(variant(4),))])[0].reason.facts["expected_start_s"]
        for now_s in (1, 30, 31)
    ]
    assert told == [10, 31, 32]
    versions = state.tables.pools[POOL.version, 0]
    assert len(state.tables.memo) == MEMO_SIZE
    assert versions > 3


def test_questions_that_share_a_place_in_the_memo_keep_their_own_answers() -> None:
    """Walltimes as far apart as the memo is long meet in one place: one may overtake the head, the other may not."""
    two_nodes = queued("b-head", num_nodes=2, variants=(variant(4),))
    crowd = [queued("a", variants=(variant(4),)), two_nodes, queued("c", walltime_s=10 + MEMO_SIZE), queued("d")]
    decisions = step(State(), Policy(order="fcfs"), 0, [PoolSet(pool(max_walltime_s=9_000)), *crowd])
    assert [d.job_id for d in decisions if isinstance(d, Placed)] == ["a", "d"]


def test_what_is_kept_is_stamped_with_every_file(tmp_path: Path) -> None:
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in files:
        file.write_text("one")
    before = compiling.stamp(files)
    assert compiling.stamp(reversed(files)) == before
    files[1].write_text("two")
    assert compiling.stamp(files) != before


@pytest.mark.parametrize("first", ["entries", "replaying"])
def test_what_is_kept_serves_whoever_comes_in_whatever_order(first: str) -> None:
    """A hub begins with one part of the kernel, a replay with another."""
    kernel = "suanwang.domain.scheduling.kernel"
    entries.price(1, 1, 1)
    program = f"import {kernel}.{first}; from {kernel}.entries import price; price(1, 1, 1)"
    hits = "print(sum(price.stats.cache_hits.values()), sum(price.stats.cache_misses.values()))"
    done = subprocess.run([sys.executable, "-c", f"{program}; {hits}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_no_part_raises() -> None:
    """Parts have no environment to make an error from; what is wrong with input is told before the kernel."""
    folder, seen = Path(entries.__file__).parent, 0
    for path in sorted(folder.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            marks = {mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)}
            if marks & {"compiled", "inlined", "entry"}:
                seen += 1
                raising = [one for one in ast.walk(function) if isinstance(one, ast.Raise | ast.Assert | ast.Try)]
                assert not raising, f"{path.name}, {function.name}"
    assert seen > 100
