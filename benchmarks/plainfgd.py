"""Fragmentation gradient descent as its paper tells it (Weng et al., USENIX ATC 2023), in plain Python.

Every node is judged for every pod, and every typical job for every node. Milli GPUs left on every chip are a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from suanwang.domain.centre import Node
from suanwang.domain.scheduling.events import AskVariant
from suanwang.domain.scheduling.policy import TypicalJob

WHOLE = 1_000  # house: milli of a chip
NOWHERE = -1


@dataclass(slots=True)
class Room:
    """What is left of a node."""

    model: str
    cpus: int
    memory_mib: int
    chips: list[int]


def place(
    nodes: Sequence[Node], models: Sequence[str], pods: Sequence[AskVariant], order: Sequence[int],
    typical: Sequence[TypicalJob],
) -> list[int]:  # fmt: skip
    """The node of every pod, -1 where none has room. `order`: all nodes, the one that wins a tie first."""
    rooms = [
        Room(model, node.cpus, node.memory_mib, [WHOLE] * node.chips) for node, model in zip(nodes, models, strict=True)
    ]
    chosen = []
    for pod in pods:
        best, where, what = -1, NOWHERE, (0, list[int]())
        for node in order:
            if fits(rooms[node], pod):
                score, cpus, chips = judge(rooms[node], pod, typical)
                if score > best:
                    best, where, what = score, node, (cpus, chips)
        chosen.append(where)
        if where != NOWHERE:
            rooms[where].cpus, rooms[where].chips = what
            rooms[where].memory_mib -= pod.memory_mib_per_node
    return chosen


def fits(room: Room, pod: AskVariant) -> bool:
    if pod.cpus_per_node > room.cpus or pod.memory_mib_per_node > room.memory_mib:
        return False
    if not pod.chips_per_node:
        return True
    enough = sum(left >= pod.chip_milli for left in room.chips)
    return room.model in pod.chip_ids and enough >= pod.chips_per_node


def judge(room: Room, pod: AskVariant, typical: Sequence[TypicalJob]) -> tuple[int, int, list[int]]:
    """(score, CPUs and chips left with the pod): a share goes where its score is highest."""
    cpus, before = room.cpus - pod.cpus_per_node, fragments(room.model, room.cpus, room.chips, typical)
    best, kept = -1, room.chips
    for chips in ways(room.chips, pod):
        score = int(100 / (1 + exp((fragments(room.model, cpus, chips, typical) - before) / WHOLE)))
        if score > best:
            best, kept = score, chips
    return best, cpus, kept


def ways(chips: list[int], pod: AskVariant) -> list[list[int]]:
    """What may be left of the chips."""
    if pod.chips_per_node == 1 and pod.chip_milli < WHOLE:
        return [
            [*chips[:at], left - pod.chip_milli, *chips[at + 1 :]]
            for at, left in enumerate(chips)
            if left >= pod.chip_milli
        ]
    rest, taken = list(chips), pod.chips_per_node
    for at, left in enumerate(chips):
        if taken and left == WHOLE:
            rest[at], taken = 0, taken - 1
    return [rest]


def fragments(model: str, cpus: int, chips: list[int], typical: Sequence[TypicalJob]) -> float:
    """Idle thousandths that a typical job cannot use, by how frequent each is."""
    idle, lost = sum(chips), 0.0
    for job in typical:
        enough = sum(left >= job.chip_milli for left in chips)
        if job.chips == 0 or model not in job.chip_ids or cpus < job.cpus or enough < job.chips:
            lost += job.frequency * idle
        else:
            lost += job.frequency * sum(left for left in chips if left < job.chip_milli)
    return lost
