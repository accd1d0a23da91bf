"""Usage that fades and the fair-share factor, against a plain computation of both."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import AttemptEnded, Event, PoolSet, QuotasSet, UsageKnown
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.quotas import Branch, QuotaTree
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State
from tests.domain.scheduling.test_oracle import LONG
from tests.domain.scheduling.workloads import pool, queued, variant

HALF_LIFE_S = 50
POLICY = Policy(order="fcfs", usage_half_life_s=HALF_LIFE_S)
TREE = QuotaTree(
    (Branch("g", None, 3), Branch("h", None, 1), Branch("a", "g", 2), Branch("b", "g", 1), Branch("c", "h"))
)


@dataclass
class Run:
    tenant: str
    chips: int
    from_s: int
    until_s: int | None = None


def spent(runs: list[Run], tenant: str, now_s: int) -> float:
    """Second by second: the integral of a second at age `t` is taken at its middle."""
    return sum(
        run.chips * 2.0 ** (-(now_s - second - 0.5) / HALF_LIFE_S)
        for run in runs
        if run.tenant == tenant
        for second in range(run.from_s, now_s if run.until_s is None else run.until_s)
    )


def factor(usage: dict[str, float], branch: str) -> float:
    """The published formula, from the root down: S, UA and UE of every branch on the way."""
    parent = {each.id: each.parent for each in TREE.branches}
    shares = {each.id: each.shares for each in TREE.branches}
    strangers = [name for name in usage if name not in parent and usage[name] > 0]
    parent |= dict.fromkeys(strangers)
    shares |= dict.fromkeys(strangers, 1)

    def used(name: str | None) -> float:
        return usage.get(name or "", 0.0) + sum(used(child) for child in parent if parent[child] == name)

    total = sum(used(name) for name in parent if parent[name] is None)
    if total == 0 or branch not in parent:
        return 1.0
    path, above = [branch], parent[branch]
    while above is not None:
        path.insert(0, above)
        above = parent[above]
    normal, effective = 1.0, 0.0
    for depth, name in enumerate(path):
        share = shares[name] / sum(shares[other] for other in parent if parent[other] == parent[name])
        normal *= share
        actual = used(name) / total
        effective = actual if depth == 0 else actual + (effective - actual) * share
    return float(2.0 ** (-effective / normal))


@settings(LONG, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abcx"), st.integers(1, 4), st.integers(0, 30)), min_size=1, max_size=12),
    st.lists(st.integers(0, 11), max_size=12),
    st.booleans(),
)
def test_what_runs_is_charged_and_fades(arrivals: list[tuple[str, int, int]], ends: list[int], planted: bool) -> None:
    state, runs, now_s = State(), dict[str, Run](), 1_000
    events: list[Event] = [PoolSet(pool(nodes=12))]
    events += [QuotasSet(TREE)] if planted else []
    for number, (tenant, chips, seconds) in enumerate(arrivals):
        events.append(queued(f"j{number}", tenant_id=tenant, variants=(variant(chips),), walltime_s=900))
        for over in ends[number : number + 1]:
            run = runs.get(f"j{over}")
            if run is not None and run.until_s is None:
                run.until_s = now_s
                events.append(AttemptEnded(f"j{over}", 1))
        for decision in step(state, POLICY, now_s, events):
            assert isinstance(decision, Placed)
            runs[decision.job_id] = Run(tenant, chips, now_s)
        now_s, events = now_s + seconds, []
        if number == 5 and not planted:
            step(state, POLICY, now_s, [QuotasSet(TREE)])
    if not planted and len(arrivals) < 6:
        step(state, POLICY, now_s, [QuotasSet(TREE)])
    usage = {tenant: spent(list(runs.values()), tenant, now_s) for tenant in "abcx"}
    told = state.fair_shares(now_s)
    for branch in ("a", "b", "c", "g", "h", "x"):
        assert told.get(branch, 1.0) == pytest.approx(factor(usage, branch), rel=1e-3)
    rebuilt = State()
    apply_events(rebuilt, list(state.events()))
    step(rebuilt, POLICY, now_s + 3, [])
    again = rebuilt.fair_shares(now_s + 9)
    assert all(again.get(name, 1.0) == value for name, value in state.fair_shares(now_s + 9).items())


def test_usage_weighs_half_after_a_half_life() -> None:
    state = State()
    step(state, POLICY, 100, [QuotasSet(TREE), UsageKnown("a", 64.0, 100), UsageKnown("c", 64.0, 50)])
    state.fair_shares(150)
    number, weights = state.tenancy.number, state.tables.weights
    assert [weights[number[name]] for name in ("a", "g", "c", "")] == [32.0, 32.0, 16.0, 48.0]


def test_who_used_its_share_has_a_half_who_used_nothing_has_one() -> None:
    state = State()
    used = [UsageKnown("a", 50.0, 0), UsageKnown("b", 25.0, 0), UsageKnown("c", 25.0, 0)]
    step(state, POLICY, 0, [QuotasSet(TREE), *used])
    told = state.fair_shares(0)
    assert {name: told[name] for name in "cgh"} == pytest.approx({"c": 0.5, "g": 0.5, "h": 0.5})
    # A tenant answers for its siblings too: UE of a is 1/2 + (3/4 - 1/2) * 2/3.
    assert told["a"] == pytest.approx(2 ** -((1 / 2 + (3 / 4 - 1 / 2) * 2 / 3) / (3 / 4 * 2 / 3)))
    state = State()
    step(state, POLICY, 0, [QuotasSet(QuotaTree((Branch("a"), Branch("b"), Branch("z", shares=0))))])
    assert state.fair_shares(0) == {"a": 1.0, "b": 1.0, "z": 1.0}
    step(state, POLICY, 0, [UsageKnown("a", 9.0, 0)])
    assert state.fair_shares(0) == {"a": 0.25, "b": 1.0, "z": 0.0}


def test_nothing_is_counted_until_a_policy_counts() -> None:
    state = State()
    step(state, Policy(), 0, [PoolSet(pool()), queued("j", tenant_id="a", walltime_s=900)])
    step(state, Policy(), 500, [])
    step(state, POLICY, 600, [])
    state.fair_shares(610)
    counted = state.tables.weights[0]
    assert counted == pytest.approx(spent([Run("a", 1, 600)], "a", 610), rel=1e-3)
    step(state, Policy(usage_half_life_s=10**9), 610, [])
    state.fair_shares(620)
    assert state.tables.weights[0] == pytest.approx(counted + 10)
