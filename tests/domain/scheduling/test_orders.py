"""Orders that look at tenants, deadlines and several factors at once: who starts first on an empty machine."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import AttemptEnded, Event, JobQueued, PoolSet, QuotasSet, UsageKnown
from suanwang.domain.scheduling.policy import STRICT_FIFO, MultiFactor, Order, Policy
from suanwang.domain.scheduling.quotas import Branch, QuotaTree
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput
from tests.domain.scheduling.test_oracle import LONG
from tests.domain.scheduling.workloads import pool, queued, variant

TENANTS = ("a", "b", "c", "x")
TREE = QuotaTree((Branch("g", None, 2), Branch("a", "g", 3), Branch("b", "g", 1), Branch("c", None, 1)))
HALF_LIFE_S = 100

wishes = st.tuples(
    st.sampled_from(TENANTS),
    st.integers(1, 4),  # chips
    st.integers(0, 12),  # priority
    st.integers(0, 40),  # submitted before the pass
    st.one_of(st.none(), st.integers(100, 110)),  # deadline
)


def starts(state: State, policy: Policy, now_s: int, events: list[Event]) -> list[str]:
    """Who starts, one after the other and all in one second: what nobody used for a while does not count."""
    found: list[str] = []
    while placed := [d for d in step(state, policy, now_s, events) if isinstance(d, Placed)]:
        found += [d.job_id for d in placed]
        events = [AttemptEnded(d.job_id, d.attempt) for d in placed]
    return found


@settings(LONG, max_examples=60)
@given(
    st.lists(wishes, min_size=2, max_size=8),
    st.lists(st.floats(0, 1_000), min_size=4, max_size=4),
    st.sampled_from(["deadline", "fair_share", "multi_factor"]),
    st.builds(
        MultiFactor,
        age=st.sampled_from([0.0, 1.0, 5.0]),
        fair_share=st.sampled_from([0.0, 1.0, 3.0]),
        size=st.sampled_from([0.0, 1.0, -1.0]),
        priority=st.sampled_from([0.0, 2.0]),
        age_full_s=st.sampled_from([20, 1_000]),
    ),
)
def test_they_start_in_the_order_of_the_policy(
    jobs: list[tuple[str, int, int, int, int | None]], used: list[float], order: Order, factors: MultiFactor
) -> None:
    """Every job takes all CPUs, so that they run one by one."""
    now_s = 100
    policy = Policy(order=order, factors=factors, usage_half_life_s=HALF_LIFE_S, reservation_depth=STRICT_FIFO)
    known: list[Event] = [QuotasSet(TREE)]
    known += [UsageKnown(tenant, chip_s, now_s) for tenant, chip_s in zip(TENANTS, used, strict=True)]
    asked = [
        queued(
            f"j{number}", tenant_id=tenant, priority=priority, submitted_s=now_s - waited_s, deadline_s=deadline_s,
            variants=(variant(chips, cpus_per_node=16),),
        )
        for number, (tenant, chips, priority, waited_s, deadline_s) in enumerate(jobs)
    ]  # fmt: skip
    apart = State()
    step(apart, policy, now_s, known)
    shares = apart.fair_shares(now_s)

    def rank(number: int) -> tuple[float, int, str]:
        tenant, chips, priority, waited_s, deadline_s = jobs[number]
        share = shares.get(tenant, 1.0)
        scores = {
            "deadline": float("inf") if deadline_s is None else deadline_s,
            "fair_share": -share,
            "multi_factor": -(
                factors.age * min(1.0, waited_s / factors.age_full_s)
                + factors.fair_share * share
                + factors.size * (chips / 4)
                + factors.priority * min(1.0, priority / 10)
            ),
        }
        return scores[order], now_s - waited_s, f"j{number}"

    state = State()
    told = starts(state, policy, now_s, [PoolSet(pool(nodes=1)), *known, *asked])
    ranks = {f"j{number}": rank(number) for number in range(len(jobs))}
    scores = [ranks[job_id][0] for job_id in told]
    assert len(told) == len(jobs)
    assert scores == pytest.approx(sorted(scores), abs=1e-9)
    assert [job_id for score, _, job_id in sorted(ranks.values())] == told or len(set(scores)) < len(scores)


def test_the_tenant_that_used_less_goes_first_and_is_quoted_so() -> None:
    policy = Policy(order="fair_share", usage_half_life_s=HALF_LIFE_S, reservation_depth=STRICT_FIFO)
    state = State()
    one_node: list[Event] = [PoolSet(pool(nodes=1)), QuotasSet(TREE), UsageKnown("a", 100.0, 0)]
    whole = (variant(4),)
    step(state, policy, 0, [*one_node, queued("runs", variants=whole)])
    step(state, policy, 1, [queued("a1", tenant_id="a", submitted_s=1, variants=whole)])
    asked = queued("c1", tenant_id="c", submitted_s=2, variants=whole).ask
    assert [outlook.start_s for outlook in quote(state, policy, 2, asked)] == [10]
    told = starts(state, policy, 10, [JobQueued(asked, 10), AttemptEnded("runs", 1)])
    assert told == ["c1", "a1"]


@pytest.mark.parametrize("order", ["fair_share", "multi_factor"])
def test_fair_shares_need_usage_that_is_counted(order: Order) -> None:
    with pytest.raises(InvalidInput, match="usage_half_life_s"):
        Policy(order=order)
    assert Policy(order="multi_factor", factors=MultiFactor(fair_share=0.0)).order == "multi_factor"


@pytest.mark.parametrize(("field", "value"), [("age", float("nan")), ("age_full_s", 0), ("priority_full", 0)])
def test_factors_are_sensible(field: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=f"multi_factor.{field}"):
        MultiFactor(**{field: value})  # type: ignore[arg-type]
