"""What is whose, who may borrow it and who gives it back, one promise at a time."""

from typing import Any

import pytest

from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.decisions import Waiting
from suanwang.domain.scheduling.events import AttemptEnded, JobQueued, PoolSet, QuotasSet
from suanwang.domain.scheduling.policy import CONSERVATIVE, Policy, Preemption
from suanwang.domain.scheduling.quotas import Branch, Quota, QuotaTree
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.errors import InvalidInput
from tests.domain.scheduling.test_preemption import of
from tests.domain.scheduling.workloads import GPU, ask, pool, queued, variant

PLAIN = Policy(order="fcfs")
TAKING = Policy(order="fcfs", preemption=Preemption(min_run_s=0))


def own(chips: int, borrow: int | None = None, lend: int | None = None) -> tuple[Quota, ...]:
    return (Quota("centre-p", GPU, chips, borrow, lend),)


def two(a: tuple[Quota, ...], b: tuple[Quota, ...], *others: Branch) -> QuotasSet:
    return QuotasSet(QuotaTree((Branch("a", None, 1, a), Branch("b", None, 1, b), *others)))


def job(job_id: str, chips: int = 4, **more: Any) -> JobQueued:
    """Of the tenant that its name begins with."""
    return queued(job_id, **{"tenant_id": job_id[0], "variants": (variant(chips),), "walltime_s": 100, **more})


def spot(job_id: str, chips: int = 4, **more: Any) -> JobQueued:
    return job(job_id, chips, preemptible=True, **more)


def test_a_tenant_stays_within_what_is_its_own() -> None:
    state = State()
    told = step(state, PLAIN, 0, [PoolSet(pool(nodes=4)), two(own(8, borrow=0), own(4)), *map(job, ("a1", "a2", "a3"))])
    assert of(told) == {"a1": "p:n0", "a2": "p:n1", "a3": "WAITS_FOR_QUOTA"}
    assert told[2].reason.facts == {
        "waiting_ahead": 0, "centre": "centre-p", "chip": GPU,
        "used_chips": 8, "nominal_chips": 8, "borrowable_chips": 0,
    }  # fmt: skip
    assert isinstance(told[2], Waiting)
    (seen,) = told[2].outlook
    assert (seen.reason.code, seen.reason.facts["wanted_chips"], seen.feasible) == ("OVER_QUOTA", 4, False)
    assert of(step(state, PLAIN, 5, [AttemptEnded("a1", 1)])) == {"a3": "p:n0"}


@pytest.mark.parametrize(
    ("a", "b", "a3"),
    [
        (own(4), own(8), "p:n2"),
        (own(4, borrow=4), own(8), "WAITS_FOR_QUOTA"),
        (own(4, borrow=8), own(8), "p:n2"),
        (own(4), own(8, lend=4), "WAITS_FOR_QUOTA"),
        (own(4), own(4), "WAITS_FOR_QUOTA"),
    ],
)
def test_what_others_do_not_use_is_lent_within_limits(a: tuple[Quota, ...], b: tuple[Quota, ...], a3: str) -> None:
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=4)), two(a, b), *map(job, ("a1", "a2", "a3"))]))
    assert told == {"a1": "p:n0", "a2": "p:n1", "a3": a3}


def test_what_is_not_lent_is_there_for_its_owner() -> None:
    crowd = [*map(job, ("a1", "a2", "b1", "b2"))]
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=4)), two(own(4), own(8, lend=4)), *crowd]))
    assert told == {"a1": "p:n0", "a2": "p:n1", "b1": "p:n2", "b2": "WAITS_FOR_QUOTA"}
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=4)), two(own(4), own(8, lend=0)), *crowd]))
    assert told == {"a1": "p:n0", "a2": "WAITS_FOR_QUOTA", "b1": "p:n1", "b2": "p:n2"}


def test_groups_share_what_is_theirs_before_others_borrow() -> None:
    """Group g has 8 chips that its tenants a and b use as they come; h lends it nothing."""
    tree = QuotaTree(
        (
            Branch("g", None, 1, own(8, borrow=0)),
            Branch("h", None, 1, own(8, borrow=0, lend=0)),
            *(Branch(tenant, group) for tenant, group in (("a", "g"), ("b", "g"), ("c", "h"))),
        )
    )
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=4)), QuotasSet(tree), *map(job, ("a1", "b1", "a2", "c1"))]))
    assert told == {"a1": "p:n0", "a2": "p:n1", "b1": "WAITS_FOR_QUOTA", "c1": "p:n2"}


def test_an_owner_takes_back_what_others_borrowed_whatever_the_priority() -> None:
    state = State()
    step(state, TAKING, 0, [PoolSet(pool()), two(own(4), own(4)), spot("b1", priority=9), spot("b2", priority=8)])
    told = step(state, TAKING, 5, [job("a1")])
    assert of(told) == {"a1": "WAITS_FOR_VICTIMS", "b2": "leaves for a1"}
    assert told[1].reason.code == "GIVEN_BACK"
    again = spot("b2", attempt=2, preemptions=1, priority=9)
    assert of(step(state, TAKING, 6, [AttemptEnded("b2", 1), again])) == {"a1": "p:n1", "b2": "WAITS_FOR_QUOTA"}
    assert of(step(state, TAKING, 50, [])) == {}  # b is within what is its own, and a too
    state.validate()


def test_who_may_not_be_preempted_is_waited_for() -> None:
    state = State()
    step(state, TAKING, 0, [PoolSet(pool(nodes=3)), two(own(4), own(4)), job("b1"), job("b2")])
    (told,) = step(state, TAKING, 5, [job("a1")])
    assert (told.reason.code, told.reason.facts["used_chips"], told.reason.facts["nominal_chips"]) == (
        "WAITS_FOR_QUOTA", 0, 4,
    )  # fmt: skip
    assert of(step(state, TAKING, 6, [job("b3", submitted_s=6)])) == {"b3": "WAITS_FOR_QUOTA"}
    assert of(step(state, TAKING, 7, [AttemptEnded("b1", 1)])) == {"a1": "p:n0"}


def test_priority_does_not_break_into_what_is_anothers_own() -> None:
    state = State()
    step(state, TAKING, 0, [PoolSet(pool()), two(own(4), own(4)), spot("b1"), job("a1")])
    assert of(step(state, TAKING, 5, [job("a2", priority=9)])) == {"a2": "WAITS_FOR_QUOTA"}
    assert of(step(state, TAKING, 6, [job("b2", priority=9)])) == {
        "b2": "WAITS_FOR_VICTIMS",  # among jobs of one tenant it decides
        "b1": "leaves for b2",
    }


def test_who_waits_for_quota_holds_no_reservation() -> None:
    """a2 comes first and wants two nodes, but its quota is used; so b1 may run for long on the free one."""
    policy = Policy(order="fcfs", reservation_depth=CONSERVATIVE)
    crowd = [job("a1"), job("a2", num_nodes=2, submitted_s=1), job("b1", submitted_s=2, walltime_s=900)]
    limited = two(own(8, borrow=0), own(4))
    assert of(step(State(), policy, 9, [PoolSet(pool()), limited, *crowd])) == {
        "a1": "p:n0", "a2": "WAITS_FOR_QUOTA", "b1": "p:n1",
    }  # fmt: skip
    assert of(step(State(), policy, 9, [PoolSet(pool()), *crowd]))["b1"] == "WAITS_BEHIND_OTHERS"


def test_a_reservation_counts_on_the_quota() -> None:
    """a2 waits for a whole node; a3 would use up what a2 needs of the quota by then."""
    crowd = [job("b1"), job("a2", 4, submitted_s=1), job("a3", 1, submitted_s=2, walltime_s=5)]
    state = State()
    step(state, PLAIN, 0, [PoolSet(pool(nodes=2)), two(own(4, borrow=0), own(8)), job("b0", 2)])
    assert of(step(state, PLAIN, 3, crowd)) == {"b1": "p:n1", "a2": "WAITS_FOR_CHIPS", "a3": "WAITS_FOR_QUOTA"}


def test_without_a_quota_nothing_is_limited_and_strangers_borrow() -> None:
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=3)), *map(job, ("a1", "a2", "x1"))]))
    assert told == {"a1": "p:n0", "a2": "p:n1", "x1": "p:n2"}
    told = of(step(State(), PLAIN, 0, [PoolSet(pool(nodes=3)), two(own(4), own(4)), *map(job, ("a1", "x1", "x2"))]))
    assert told == {"a1": "p:n0", "x1": "p:n1", "x2": "WAITS_FOR_QUOTA"}
    elsewhere = QuotasSet(QuotaTree((Branch("a", None, 1, (Quota("centre-p", "910b", 0, 0),)),)))
    assert of(step(State(), PLAIN, 0, [PoolSet(pool()), elsewhere, job("a1")])) == {"a1": "p:n0"}


def test_a_new_tree_counts_what_runs_and_a_rebuilt_state_knows_it() -> None:
    state, rebuilt = State(), State()
    step(state, PLAIN, 0, [PoolSet(pool(nodes=3)), job("a1"), job("b1")])
    assert of(step(state, PLAIN, 5, [two(own(4, borrow=0), own(8)), job("a2"), job("b2")])) == {
        "a2": "WAITS_FOR_QUOTA", "b2": "p:n2",
    }  # fmt: skip
    apply_events(rebuilt, list(state.events()))
    rebuilt.validate()
    assert list(rebuilt.events()) == list(state.events())
    assert of(step(rebuilt, PLAIN, 6, [AttemptEnded("b1", 1)])) == {"a2": "WAITS_FOR_QUOTA"}
    assert of(step(rebuilt, PLAIN, 7, [QuotasSet(QuotaTree())])) == {"a2": "p:n1"}


def test_a_quote_knows_the_quota() -> None:
    state = State()
    step(state, PLAIN, 0, [PoolSet(pool(nodes=3)), two(own(4, borrow=0), own(4)), job("a1"), job("b1"), job("x1", 1)])
    told = {each: quote(state, PLAIN, 5, ask("q", tenant_id=each))[0] for each in ("a", "b")}
    assert (told["a"].reason.code, told["b"].reason.code) == ("OVER_QUOTA", "OVER_QUOTA")
    assert told["a"].price_fen == 10  # it may come to pass


@pytest.mark.parametrize(
    "branches",
    [
        (Branch("a"), Branch("a")),
        (Branch(""),),
        (Branch("a", "nowhere"),),
        (Branch("a", "b"), Branch("b", "a")),
        (Branch("a", shares=-1),),
        (Branch("a", quotas=own(1) + own(2)),),
    ],
)
def test_impossible_trees_are_refused(branches: tuple[Branch, ...]) -> None:
    with pytest.raises(InvalidInput):
        QuotaTree(branches)
    with pytest.raises(InvalidInput):
        Quota("c", GPU, -1)
