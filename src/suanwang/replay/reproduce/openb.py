"""The GPU allocation curves of *Beware of Fragmentation* (Weng et al., USENIX ATC 2023), from Alibaba's trace
`cluster-trace-gpu-v2023`.

A folder has `openb_node_list_gpu_node.csv`, `openb_pod_list_<workload>.csv`, `arrival_order_and_node_rank.npz` (for
every workload and seed the order in which pods arrive and the rank of nodes by which ties are broken: the published
program draws both) and, if the result is to be compared, `expected_gpu_allocation.csv`; tables may be gzipped.

Pods arrive one by one and never go. A pod that finds no node is turned away but counts as arrived. The curve says, for
every percent of the cluster's GPUs that arrived pods ask for, what percent of its GPUs are allocated.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TypeAlias

import numpy as np

from suanwang.domain.centre import Node, Offer, Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.events import AskVariant, PoolSet
from suanwang.domain.scheduling.filling import Filled, fill_up
from suanwang.domain.scheduling.policy import Placement, Policy, TypicalJob
from suanwang.domain.scheduling.state import State
from suanwang.domain.scheduling.workload import Array
from suanwang.errors import InvalidInput, NotFound
from suanwang.units import MILLI_PER_CHIP

NODES_FILE = "openb_node_list_gpu_node.csv"
PODS_PREFIX = "openb_pod_list_"
ORDER_FILE = "arrival_order_and_node_rank.npz"
EXPECTED_FILE = "expected_gpu_allocation.csv"

PLACEMENT_OF: Mapping[str, Placement | None] = {
    "Random": None,
    "DotProd": "dot_product",
    "GpuClustering": "clustering",
    "GpuPacking": "packing",
    "BestFit": "best_fit_weighted",
    "FGD": "fgd",
}
"""The paper's policies. Random has no score: a generator seeded with `draw_seed` draws among the nodes that fit."""
POLICIES = tuple(PLACEMENT_OF)
TYPICAL_PERCENT = 95
"""So many of all pods are typical ones."""
LAST_PERCENT = 130
Kind: TypeAlias = tuple[int, int, int, int, str]
"""(milli CPU, MiB, GPUs, milli GPU, GPU models) as a pod asks for them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve: at `k` percent arrived, percent of GPUs allocated. `difference`: computed - expected."""

    workload: str
    seed: int
    policy: str
    k: int
    computed: float
    expected: float | None
    difference: float | None


@dataclass(frozen=True)
class Cluster:
    """The nodes of the trace, sorted by name, as pools of one GPU model each. CPUs are counted in thousandths."""

    names: tuple[str, ...]
    models: tuple[str, ...]
    nodes: tuple[Node, ...]

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        offer = Offer(0, 1)
        return tuple(
            Pool(
                model,
                "openb",
                model,
                tuple(n for n, m in zip(self.nodes, self.models, strict=True) if m == model),
                offer,
            )
            for model in sorted(set(self.models))
        )

    @cached_property
    def place_of(self) -> dict[str, int]:
        """Where a node lies among those of all pools."""
        return {node.name: place for place, node in enumerate(n for pool in self.pools for n in pool.nodes)}

    @property
    def gpu_milli(self) -> int:
        return sum(node.chips for node in self.nodes) * MILLI_PER_CHIP

    def state(self) -> State:
        """The cluster, empty."""
        state = State()
        apply_events(state, [PoolSet(pool) for pool in self.pools])
        return state


@dataclass(frozen=True)
class Arrivals:
    """A workload in the order of one seed."""

    kinds: tuple[AskVariant, ...]
    arriving: Array
    """Of every pod that arrives, an index of `kinds`."""
    node_order: Array
    """Nodes of the cluster's state, the one that wins a tie first."""
    typical: tuple[TypicalJob, ...]


# --- files ---


def _open_table(folder: Path, name: str) -> tuple[Path, list[dict[str, str]]]:
    """(file, its rows). The file may be gzipped."""
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise NotFound(
            f"{folder / name}: no such file, with or without .gz", code="FILE_NOT_FOUND", file=str(folder / name)
        )
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as lines
        ):
            return path, list(csv.DictReader(lines))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(str(path), str(error), "a readable table of comma-separated values") from error


def _check_columns(path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
    if not rows:
        raise InvalidInput(str(path), 0, "a table with a header and at least one row")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise InvalidInput(str(path), ", ".join(missing), f"a table with the columns {', '.join(columns)}")


def _whole(path: Path, number: int, row: Mapping[str, str], column: str, least: int = 0) -> int:
    """A whole number of a row; `number` is the line of the file."""
    text = row.get(column) or ""
    if not text.strip().isdecimal() or int(text) < least:
        raise InvalidInput(f"{path}:{number} {column}", text, f"a whole number of {least} or more")
    return int(text)


def read_cluster(folder: Path, nodes_file: str = NODES_FILE) -> Cluster:
    """The nodes of a trace. Raises NotFound, or InvalidInput naming file, line and column."""
    path, rows = _open_table(folder, nodes_file)
    _check_columns(path, rows, ("sn", "cpu_milli", "memory_mib", "gpu", "model"))
    read = []
    for number, row in enumerate(rows, 2):
        cpus, memory_mib, gpus = (_whole(path, number, row, column) for column in ("cpu_milli", "memory_mib", "gpu"))
        read.append((row["sn"], Node(row["sn"], gpus, cpus, memory_mib), row["model"] or "no GPU"))
    read.sort(key=lambda one: one[0])
    names, nodes, models = zip(*read, strict=True)
    if len(set(names)) != len(names):
        raise InvalidInput(f"{path} sn", next(n for n in names if names.count(n) > 1), "every node once")
    return Cluster(names, models, nodes)


def read_pods(folder: Path, workload: str) -> list[Kind]:
    """What the pods of a workload ask for, sorted by the name of the pod."""
    path, rows = _open_table(folder, f"{full_name(workload)}.csv")
    _check_columns(path, rows, ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"))
    pods = []
    for number, row in enumerate(rows, 2):
        cpu, memory, gpus = (_whole(path, number, row, column) for column in ("cpu_milli", "memory_mib", "num_gpu"))
        milli = _whole(path, number, row, "gpu_milli") if gpus else 0
        if (gpus and not 1 <= milli <= MILLI_PER_CHIP) or (gpus > 1 and milli < MILLI_PER_CHIP):
            allowed = f"1 to {MILLI_PER_CHIP}, and all of it with more than one GPU"
            raise InvalidInput(f"{path}:{number} gpu_milli", milli, allowed)
        if not gpus and not cpu:
            raise InvalidInput(f"{path}:{number} cpu_milli", cpu, "more than 0 where no GPU is asked for")
        pods.append((row["name"], (cpu, memory, gpus, milli, row.get("gpu_spec") or "")))
    return [kind for _, kind in sorted(pods)]


def read_orders(folder: Path) -> dict[tuple[str, int], tuple[Array, Array]]:
    """(workload, seed) -> (pods in the order of arrival, rank of every node), both by sorted name."""
    path = folder / ORDER_FILE
    if not path.is_file():
        raise NotFound(f"{path}: no such file", code="FILE_NOT_FOUND", file=str(path))
    found: dict[tuple[str, int], tuple[Array, Array]] = {}
    try:
        with np.load(path) as arrays:
            for key in arrays.files:
                workload, _, rest = key.partition("/")
                seed, _, what = rest.partition("/")
                if what == "order" and seed.isdecimal() and f"{workload}/{seed}/rank" in arrays.files:
                    ranks = arrays[f"{workload}/{seed}/rank"].astype(np.int64)
                    found[workload, int(seed)] = arrays[key].astype(np.int64), ranks
    except (OSError, ValueError) as error:
        raise InvalidInput(
            str(path), str(error), "arrays <workload>/<seed>/order and <workload>/<seed>/rank"
        ) from error
    return found


def read_expected(folder: Path) -> dict[tuple[str, int, str], dict[int, float]]:
    """(workload, seed, policy) -> percent arrived -> percent allocated; nothing if the folder has no such table."""
    if not any((folder / name).is_file() for name in (EXPECTED_FILE, f"{EXPECTED_FILE}.gz")):
        return {}
    path, rows = _open_table(folder, EXPECTED_FILE)
    _check_columns(path, rows, ("workload", "sc_policy", "seed"))
    expected: dict[tuple[str, int, str], dict[int, float]] = {}
    for number, row in enumerate(rows, 2):
        curve = {}
        for column, text in row.items():
            if column and column.isdecimal() and text:
                try:
                    curve[int(column)] = float(text)
                except ValueError:
                    raise InvalidInput(f"{path}:{number} {column}", text, "percent as a number") from None
        policy = row["sc_policy"].rpartition("-")[2]
        expected[row["workload"], _whole(path, number, row, "seed"), policy] = curve
    return expected


# --- the experiment ---


def full_name(workload: str) -> str:
    """`default` and `openb_pod_list_default` are the same."""
    return workload if workload.startswith(PODS_PREFIX) else PODS_PREFIX + workload


def typical_jobs(pods: Sequence[Kind], every_model: frozenset[str]) -> tuple[TypicalJob, ...]:
    """The most frequent kinds (memory aside) that make up 95 % of all pods; frequencies add up to 1.

    Order and divisions are those of the published program: they decide ties between nodes.
    """
    counts = Counter((cpu, milli, gpus, models) for cpu, _, gpus, milli, models in pods)
    ranked = sorted(((count, *kind) for kind, count in counts.items()), reverse=True)
    chosen: list[tuple[int, int, int, int, str]] = []
    covered = 0
    while covered * 100 < TYPICAL_PERCENT * len(pods):
        chosen.append(ranked[len(chosen)])
        covered += chosen[-1][0]
    part = covered / len(pods) if len(chosen) < len(ranked) else 1.0
    return tuple(
        TypicalJob(
            chip_ids=_models(models, every_model),
            chips=gpus,
            cpus=cpu,
            frequency=(count / len(pods)) / part,
            chip_milli=milli if gpus else MILLI_PER_CHIP,
        )
        for count, cpu, milli, gpus, models in chosen
    )


def _models(written: str, every_model: frozenset[str]) -> frozenset[str]:
    return frozenset(written.split("|")) if written else every_model


def _variant(kind: Kind, every_model: frozenset[str]) -> AskVariant:
    cpu, memory_mib, gpus, milli, models = kind
    accepts = _models(models, every_model) if gpus else every_model
    return AskVariant(accepts, gpus, cpu, chip_milli=milli if gpus else MILLI_PER_CHIP, memory_mib_per_node=memory_mib)


def arrivals(cluster: Cluster, pods: Sequence[Kind], order: Array, rank: Array) -> Arrivals:
    """Raises InvalidInput if order or rank are not of these pods and nodes."""
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < len(pods):
        raise InvalidInput("order", int(order.max()), f"an index of {len(pods)} pods")
    if len(rank) != len(cluster.names):
        raise InvalidInput("rank", len(rank), f"a rank for each of {len(cluster.names)} nodes")
    every_model = frozenset(cluster.models)
    numbers: dict[Kind, int] = {}
    kind_of_pod = np.array([numbers.setdefault(kind, len(numbers)) for kind in pods], np.int64)
    place_of = np.array([cluster.place_of[name] for name in cluster.names], np.int64)
    return Arrivals(
        kinds=tuple(_variant(kind, every_model) for kind in numbers),
        arriving=kind_of_pod[order],
        node_order=place_of[np.argsort(rank, kind="stable")],
        typical=typical_jobs(pods, every_model),
    )


def place(cluster: Cluster, coming: Arrivals, policy: str, draw_seed: int = 0) -> Filled:
    """Where every pod goes under one of `POLICIES`."""
    placement = PLACEMENT_OF.get(policy, "best_fit")
    if policy not in PLACEMENT_OF:
        raise InvalidInput("policy", policy, ", ".join(POLICIES))
    if placement is None:
        lots = Random(draw_seed)
        draws = np.array([lots.getrandbits(62) for _ in range(len(coming.arriving))], np.int64)
        return fill_up(cluster.state(), Policy(), coming.kinds, coming.arriving, coming.node_order, draws)
    chosen = Policy(placement=placement, typical=coming.typical if placement == "fgd" else ())
    return fill_up(cluster.state(), chosen, coming.kinds, coming.arriving, coming.node_order)


def curve(cluster: Cluster, coming: Arrivals, filled: Filled) -> dict[int, float]:
    """Percent of GPUs asked for by arrived pods -> percent allocated, the mean over the pods that arrive in it."""
    asked_by_kind = np.array([kind.chips_per_node * kind.chip_milli for kind in coming.kinds], np.int64)
    asked = asked_by_kind[coming.arriving]
    arrived = np.cumsum(asked).tolist()
    used = np.cumsum(np.where(filled.nodes >= 0, asked, 0)).tolist()
    one_percent = cluster.gpu_milli / 100
    points: dict[int, list[float]] = {}
    for before, allocated in zip(arrived, used, strict=True):
        k = round(before / one_percent)
        if k <= LAST_PERCENT:
            points.setdefault(k, []).append(round(allocated / one_percent, 2))
    return {k: round(sum(values) / len(values), 2) for k, values in sorted(points.items())}


def reproduce(
    folder: Path,
    workloads: Sequence[str] = (),
    seeds: Sequence[int] = (),
    policies: Sequence[str] = POLICIES,
    *,
    nodes_file: str = NODES_FILE,
    draw_seed: int = 0,
) -> Iterator[Point]:
    """The curves of workloads x seeds x policies, point by point; all that the folder has, unless some are named.

    Raises NotFound for a file or an order that is not there, InvalidInput for one that cannot be read.
    """
    unknown = [policy for policy in policies if policy not in POLICIES]
    if unknown:
        raise InvalidInput("policy", unknown[0], ", ".join(POLICIES))
    cluster, orders, expected = read_cluster(folder, nodes_file), read_orders(folder), read_expected(folder)
    for workload in [full_name(w) for w in workloads] or sorted({name for name, _ in orders}):
        pods = read_pods(folder, workload)
        for seed in seeds or sorted(seed for name, seed in orders if name == workload):
            if (workload, seed) not in orders:
                known = ", ".join(f"{name}/{number}" for name, number in sorted(orders))
                raise NotFound(
                    f"{folder / ORDER_FILE}: no order for {workload}/{seed}; it has {known}",
                    code="ORDER_NOT_FOUND", workload=workload, seed=seed,
                )  # fmt: skip
            coming = arrivals(cluster, pods, *orders[workload, seed])
            for policy in policies:
                known_curve = expected.get((workload, seed, policy), {})
                computed = curve(cluster, coming, place(cluster, coming, policy, draw_seed + seed))
                for k, value in computed.items():
                    known_value = known_curve.get(k)
                    difference = None if known_value is None else round(value - known_value, 2)
                    yield Point(workload, seed, policy, k, value, known_value, difference)


def largest_differences(points: Sequence[Point]) -> dict[str, float]:
    """Policy -> the largest difference from what is expected, over all its points that can be compared.

    Random draws while it places, so what is compared of it is the mean over seeds, at every point of every workload.
    """
    largest: dict[str, float] = {}
    drawn: dict[tuple[str, int], list[float]] = {}
    for point in points:
        if point.difference is None:
            continue
        if point.policy == "Random":
            drawn.setdefault((point.workload, point.k), []).append(point.difference)
        else:
            largest[point.policy] = max(largest.get(point.policy, 0.0), abs(point.difference))
    if drawn:
        largest["Random"] = max(abs(round(sum(each) / len(each), 2)) for each in drawn.values())
    return largest
