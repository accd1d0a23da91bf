"""The openb table comes out as published, and the fast loop decides as the live step does."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.decisions import Placed
from suanwang.domain.scheduling.events import Ask, AskVariant, AttemptEnded, Event, JobQueued, PoolSet
from suanwang.domain.scheduling.filling import fill_up
from suanwang.domain.scheduling.policy import Placement, Policy
from suanwang.domain.scheduling.scheduler import step
from suanwang.domain.scheduling.state import State, chips_in
from suanwang.errors import InvalidInput, NotFound
from suanwang.replay.reproduce import openb

FOLDER = next(
    (
        up / "shared" / "traces" / "openb"
        for up in Path(__file__).parents
        if (up / "shared" / "traces" / "openb").is_dir()
    ),
    Path("/none"),
)
needs_traces = pytest.mark.skipif(not FOLDER.is_dir(), reason="shared/traces/openb is not beside the checkout")
WORKLOADS = ("default", "cpu050", "gpushare100", "gpuspec33", "multigpu50")
DETERMINISTIC = tuple(policy for policy in openb.POLICIES if policy != "Random")
SEEDS = (42, 43, 44, 45, 46)
PREFIX = 300


@needs_traces
@pytest.mark.parametrize("policy", DETERMINISTIC)
@pytest.mark.timeout(600)
def test_the_default_workload_is_as_published(policy: str) -> None:
    points = list(openb.reproduce(FOLDER, ["default"], policies=[policy]))
    assert {point.seed for point in points} == set(SEEDS)
    assert len([point for point in points if point.difference is not None]) == len(SEEDS) * (openb.LAST_PERCENT + 1)
    assert openb.largest_differences(points)[policy] <= 0.01


@needs_traces
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_is_as_published(workload: str) -> None:
    points = list(openb.reproduce(FOLDER, [workload]))
    largest = openb.largest_differences(points)
    assert set(largest) == set(openb.POLICIES)
    assert max(largest[policy] for policy in DETERMINISTIC) <= 0.01
    assert largest["Random"] <= 0.3


@needs_traces
@pytest.mark.timeout(600)
def test_published_figures_of_the_paper() -> None:
    """Percent allocated at 100 and 130 percent arrived, seed 42 of the default workload."""
    points = openb.reproduce(FOLDER, ["default"], [42], DETERMINISTIC)
    told = {(p.policy, p.k): p.computed for p in points if p.k in (100, 130)}
    assert told == {
        ("DotProd", 100): 90.34, ("DotProd", 130): 90.54,
        ("GpuClustering", 100): 91.33, ("GpuClustering", 130): 91.53,
        ("GpuPacking", 100): 91.37, ("GpuPacking", 130): 91.57,
        ("BestFit", 100): 92.94, ("BestFit", 130): 93.13,
        ("FGD", 100): 95.14, ("FGD", 130): 95.29,
    }  # fmt: skip


@needs_traces
@pytest.mark.timeout(600)
@pytest.mark.parametrize("policy", DETERMINISTIC)
def test_keeping_scores_changes_no_decision(policy: str) -> None:
    """Every node judged again for every pod gives the same nodes and chips, over a whole crowded workload."""
    cluster, coming = a_workload("gpuspec33", 43)
    placement = openb.PLACEMENT_OF[policy]
    assert placement is not None
    chosen = Policy(placement=placement, typical=coming.typical)
    kept, anew = (
        fill_up(cluster.state(), chosen, coming.kinds, coming.arriving, coming.node_order, anew=anew)
        for anew in (False, True)
    )
    assert kept.placed == anew.placed < len(coming.arriving)
    assert np.array_equal(kept.nodes, anew.nodes)
    assert np.array_equal(kept.chips, anew.chips)


def a_workload(name: str, seed: int) -> tuple[openb.Cluster, openb.Arrivals]:
    cluster, orders = openb.read_cluster(FOLDER), openb.read_orders(FOLDER)
    return cluster, openb.arrivals(cluster, openb.read_pods(FOLDER, name), *orders[openb.full_name(name), seed])


def live(pools: list[Pool], policy: Policy, kinds: tuple[AskVariant, ...], arriving: list[int]) -> list[Placed | None]:
    """What the step decides for jobs that are queued one after the other."""
    state, decided = State(), list[Placed | None]()
    events: list[Event] = [PoolSet(pool) for pool in pools]
    for number, kind in enumerate(arriving):
        one = Ask(
            job_id=f"pod-{number:05d}", tenant_id="t", attempt=1, submitted_s=0, num_nodes=1, walltime_s=1_000_000,
            priority=0, objective=Objective.CHEAPEST, ordered=False, max_cost_fen=None, variants=(kinds[kind],),
        )  # fmt: skip
        decisions = step(state, policy, 0, [*events, JobQueued(one, 0)])
        decided.append(next((d for d in decisions if isinstance(d, Placed)), None))
        events = [] if decided[-1] else [AttemptEnded(one.job_id, 1)]
    state.validate()
    return decided


@needs_traces
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", DETERMINISTIC)
def test_the_live_step_takes_the_same_nodes_and_chips(policy: str) -> None:
    """A prefix of a workload as events of the network, ties broken by pool and place in it, on a tenth of the nodes so
    that it gets crowded."""
    cluster, coming = a_workload("gpuspec33", 42)
    few = openb.Cluster(cluster.names[::10], cluster.models[::10], cluster.nodes[::10])
    order = np.arange(len(few.nodes))
    placement = openb.PLACEMENT_OF[policy]
    assert placement is not None
    chosen = Policy(placement=placement, typical=coming.typical, outlook=False)
    arriving = coming.arriving[:PREFIX]
    filled = fill_up(few.state(), chosen, coming.kinds, arriving, order)
    names = [node.name for pool in few.pools for node in pool.nodes]
    fast = [
        (names[node], chips_in(chips)) if node >= 0 else None
        for node, chips in zip(filled.nodes.tolist(), filled.chips.tolist(), strict=True)
    ]
    pools = [Pool(p.id, p.centre_id, p.chip_id, p.nodes, Offer(0, 10_000_000)) for p in few.pools]
    told = live(pools, chosen, coming.kinds, arriving.tolist())
    assert [(d.node_names[0], d.chips[0]) if d else None for d in told] == fast
    assert sum(one is not None for one in fast) > PREFIX // 2


# --- what a folder may be like ---

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,8000,1000,2,T4\nn0,8000,1000,2,P100\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np1,1000,100,1,500,\np0,1000,100,2,1000,T4\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two nodes, two pods; the pod with two GPUs comes second and needs the other node."""
    (tmp_path / openb.NODES_FILE).write_text(NODES)
    with gzip.open(tmp_path / "openb_pod_list_tiny.csv.gz", "wt") as lines:
        lines.write(PODS)
    arrays: dict[str, Any] = {
        "openb_pod_list_tiny/7/order": np.array([1, 0, 0]),
        "openb_pod_list_tiny/7/rank": np.array([0, 1]),
    }
    np.savez(tmp_path / openb.ORDER_FILE, **arrays)
    return tmp_path


def test_a_folder_without_expectations(small: Path) -> None:
    points = list(openb.reproduce(small, policies=["FGD"]))
    assert [(p.workload, p.seed, p.policy, p.k, p.computed, p.expected) for p in points] == [
        ("openb_pod_list_tiny", 7, "FGD", 12, 12.5, None),
        ("openb_pod_list_tiny", 7, "FGD", 62, 62.5, None),
        ("openb_pod_list_tiny", 7, "FGD", 112, 62.5, None),
    ]
    assert openb.largest_differences(points) == {}


def test_the_same_draws_for_the_same_seed(small: Path) -> None:
    runs = [[p.computed for p in openb.reproduce(small, policies=["Random"], draw_seed=3)] for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (openb.NODES_FILE, "sn,cpu_milli,gpu,model\nn1,1,1,T4\n", r"openb_node_list_gpu_node.csv.*memory_mib"),
        (openb.NODES_FILE, NODES.replace("n0,8000", "n0,many"), r"openb_node_list_gpu_node.csv:3 cpu_milli.*many"),
        (openb.NODES_FILE, NODES.replace("n0", "n1"), r"n1.*every node once"),
        (openb.NODES_FILE, "", r"openb_node_list_gpu_node.csv"),
        ("openb_pod_list_tiny.csv", PODS.replace("1,500", "1,1500"), r"openb_pod_list_tiny.csv:2 gpu_milli.*1500"),
        ("openb_pod_list_tiny.csv", PODS.replace("2,1000", "2,500"), r"openb_pod_list_tiny.csv:3 gpu_milli.*500"),
        ("openb_pod_list_tiny.csv", PODS.replace("p1,1000,100,1", "p1,0,100,0"), r":2 cpu_milli"),
        (openb.EXPECTED_FILE, "workload,sc_policy,seed,0\nw,06-FGD,1,much\n", r"expected.*:2 0.*much"),
    ],
)
def test_what_cannot_be_read_is_named(small: Path, file: str, text: str, said: str) -> None:
    (small / file).write_text(text)
    with pytest.raises(InvalidInput, match=said):
        list(openb.reproduce(small, ["tiny"]))


def test_what_is_missing_is_named(small: Path) -> None:
    with pytest.raises(NotFound, match=r"openb_pod_list_other.csv"):
        list(openb.reproduce(small, ["other"]))
    with pytest.raises(NotFound, match=r"tiny/8; it has openb_pod_list_tiny/7"):
        list(openb.reproduce(small, ["tiny"], [8]))
    with pytest.raises(InvalidInput, match=r"FGX.*FGD"):
        list(openb.reproduce(small, policies=["FGX"]))
    (small / openb.ORDER_FILE).unlink()
    with pytest.raises(NotFound, match=openb.ORDER_FILE):
        list(openb.reproduce(small))


@pytest.mark.parametrize("placement", ["packing", "clustering", "dot_product", "best_fit_weighted"])
def test_fill_up_names_what_is_not_of_the_pools(placement: Placement) -> None:
    cluster = openb.Cluster(("a",), ("T4",), (Node("a", 2, 8, 0),))
    kinds = (AskVariant(frozenset({"T4"}), 1),)
    none = np.zeros(0, np.int64)
    policy = Policy(placement=placement)
    with pytest.raises(InvalidInput, match="order"):
        fill_up(cluster.state(), policy, kinds, none, np.array([1]))
    with pytest.raises(InvalidInput, match="arrivals"):
        fill_up(cluster.state(), policy, kinds, np.array([1]), np.array([0]))
    with pytest.raises(InvalidInput, match="draws"):
        fill_up(cluster.state(), policy, kinds, np.array([0]), np.array([0]), none)
    assert fill_up(cluster.state(), policy, kinds, np.array([0, 0, 0]), np.array([0])).nodes.tolist() == [0, 0, -1]
