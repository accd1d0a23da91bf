"""Room on nodes, which of their chips, and how well they suit a job: the oracle's half that knows of nodes."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import exp

from suanwang.domain.centre import Node, Pool
from suanwang.domain.scheduling.calendar import Booking, Window
from suanwang.domain.scheduling.events import Ask, AskVariant
from suanwang.domain.scheduling.policy import Policy
from suanwang.units import MILLI_PER_CHIP

HORIZON_S = 5_000
NEVER = 10**9
SCORES = ("packing", "clustering", "dot_product", "best_fit_weighted", "fgd")


@dataclass
class Attempt:
    ask: Ask
    number: int
    pool_id: str = ""
    variant: int = -1
    nodes: tuple[str, ...] = ()
    end_s: int = 0
    withdrawn: bool = False
    chips: dict[str, set[int]] = field(default_factory=dict)
    """Of every node; those that the node still has."""
    leaving: bool = False


@dataclass
class Reservation:
    """What a variant asks for on some nodes, from one second until before another. `labels`: of shares, per node."""

    pool_id: str
    nodes: tuple[str, ...]
    wanted: AskVariant
    start_s: int
    end_s: int
    labels: dict[str, int] = field(default_factory=dict)
    job_id: str = ""


@dataclass
class Room:
    """What is free on a node in one second; `left`: of every shared chip, by its label."""

    chips: int
    cpus: int
    memory_mib: int
    left: dict[int, int]


@dataclass
class Rooms:
    pools: dict[str, Pool] = field(default_factory=dict)
    vanished: dict[str, list[str]] = field(default_factory=dict)
    placed: dict[str, Attempt] = field(default_factory=dict)
    reservations: list[Reservation] = field(default_factory=list)
    not_before_s: dict[str, int] = field(default_factory=dict)
    now_s: int = 0
    backfill: str = "beside"
    gone: set[str] = field(default_factory=set)
    """During a search: attempts that are taken to end just after now."""
    bookings: dict[str, tuple[Booking, tuple[str, ...]]] = field(default_factory=dict)
    """Confirmed ones, with their nodes."""
    windows: dict[str, Window] = field(default_factory=dict)
    bars_s: dict[str, int] = field(default_factory=dict)
    """As `not_before_s`, of bookings."""

    # --- room ---

    def nodes_of(self, pool_id: str) -> list[Node]:
        return [*self.pools[pool_id].nodes, *(Node(name, 0, 0) for name in self.vanished[pool_id])]

    def free(self, pool_id: str, node: Node, at_s: int) -> Room:
        room = Room(node.chips, node.cpus, 2**40 if node.memory_mib is None else node.memory_mib, {})
        for attempt in self.placed.values():
            end_s = self.now_s if attempt.ask.job_id in self.gone else attempt.end_s
            if attempt.pool_id == pool_id and node.name in attempt.nodes and at_s < max(end_s, self.now_s + 1):
                gone = not attempt.chips[node.name]
                label = -1 if gone else min(attempt.chips[node.name])
                self.take(room, attempt.ask.variants[attempt.variant], label)
        for held in self.reservations:
            if held.pool_id == pool_id and node.name in held.nodes and held.start_s <= at_s < held.end_s:
                self.take(room, held.wanted, held.labels.get(node.name, -1))
        return room

    @staticmethod
    def take(room: Room, wanted: AskVariant, label: int) -> None:
        room.cpus -= wanted.cpus_per_node
        room.memory_mib -= wanted.memory_mib_per_node
        if wanted.chip_milli == 1000:
            room.chips -= wanted.chips_per_node
        elif label == -1:  # a share of a chip that is gone
            room.chips -= 1
        else:
            if label not in room.left:
                room.left[label] = 1000
                room.chips -= 1
            room.left[label] -= wanted.chip_milli

    def labels(self, pool_id: str, name: str) -> list[int]:
        """Of shares on a node, and after them a new one."""
        shares = [a for a in self.placed.values() if a.pool_id == pool_id and name in a.nodes and is_share(a)]
        known = {chip for a in shares for chip in a.chips[name]}
        known |= {r.labels[name] for r in self.reservations if r.pool_id == pool_id and name in r.labels}
        return [*sorted(known), max(known | {63}) + 1]

    def fits(self, wanted: AskVariant, pool_id: str, node: Node, start_s: int, seconds: int) -> bool:
        """Whether there is room in every one of so many seconds; for a share, on one and the same chip."""
        rooms = [self.free(pool_id, node, at_s) for at_s in range(start_s, start_s + seconds)]
        whole = wanted.chips_per_node if wanted.chip_milli == 1000 else 0
        for room in rooms:
            if room.chips < whole or (wanted.cpus_per_node and room.cpus < wanted.cpus_per_node):
                return False
            if wanted.memory_mib_per_node and room.memory_mib < wanted.memory_mib_per_node:
                return False
        return whole == wanted.chips_per_node or self.label(wanted, pool_id, node, rooms) is not None

    def label(self, wanted: AskVariant, pool_id: str, node: Node, rooms: list[Room]) -> int | None:
        """The label for a share in these seconds: the one with the least left in the first of them, then the lowest."""

        def fits(label: int, room: Room) -> bool:
            return room.left[label] >= wanted.chip_milli if label in room.left else room.chips >= 1

        fitting = [n for n in self.labels(pool_id, node.name) if all(fits(n, room) for room in rooms)]
        return min(fitting, key=lambda label: (rooms[0].left.get(label, 1000), label), default=None)

    def closed_by(self, booking_id: str | None, pool_id: str, name: str, at_s: int) -> str:
        """What keeps a job off a node in one second by the calendar, or nothing."""
        if booking_id is not None:
            booking, nodes = self.bookings[booking_id]
            if booking.pool_id != pool_id or name not in nodes or not booking.start_s <= at_s < booking.end_s:
                return "outside"
        for booking, nodes in self.bookings.values():
            inside = booking.pool_id == pool_id and name in nodes and booking.start_s <= at_s < booking.end_s
            if inside and booking.id != booking_id:
                return "booking"
        for window in self.windows.values():
            here = window.pool_id == pool_id and (not window.node_names or name in window.node_names)
            if here and window.start_s <= at_s < window.end_s:
                return "window"
        return ""

    def closures(self, booking_id: str | None, pool_id: str, name: str, start_s: int, seconds: int) -> set[str]:
        return {self.closed_by(booking_id, pool_id, name, at_s) for at_s in range(start_s, start_s + seconds)} - {""}

    def fitting(self, ask: Ask, pool_id: str, variant: int, start_s: int, seconds: int) -> list[Node]:
        wanted = ask.variants[variant]
        return [
            n
            for n in self.nodes_of(pool_id)
            if not self.closures(ask.booking_id, pool_id, n.name, start_s, seconds)
            and self.fits(wanted, pool_id, n, start_s, seconds)
        ]

    def cabinet(self, pool_id: str, node: Node) -> str:
        """A node without a cabinet is alone."""
        return node.cabinet or f"of {node.name} alone"

    def enough(self, ask: Ask, pool_id: str, nodes: list[Node]) -> bool:
        if ask.within == "cabinet" and ask.num_nodes > 1:
            cabinets = [node.cabinet for node in nodes if node.cabinet]
            return max((cabinets.count(one) for one in cabinets), default=0) >= ask.num_nodes
        return len(nodes) >= ask.num_nodes

    def share_label(self, wanted: AskVariant, pool_id: str, node: Node, start_s: int, seconds: int) -> int:
        rooms = [self.free(pool_id, node, at_s) for at_s in range(start_s, start_s + seconds)]
        label = self.label(wanted, pool_id, node, rooms)
        assert label is not None
        return label

    def whole_chips(self, pool_id: str, node: Node) -> list[int]:
        """Those that nobody is on."""
        mine = [a for a in self.placed.values() if a.pool_id == pool_id and node.name in a.nodes]
        used = {chip for attempt in mine for chip in attempt.chips[node.name]}
        return [chip for chip in range(node.chips) if chip not in used]

    def hand_chips(self, policy: Policy, ask: Ask, pool_id: str, variant: int, name: str) -> set[int]:
        """The chips of a node for a job that starts now; a chip that reservations were to open may be opened by it."""
        wanted = ask.variants[variant]
        node = next(node for node in self.nodes_of(pool_id) if node.name == name)
        whole = self.whole_chips(pool_id, node)
        if wanted.chip_milli == 1000:
            return set(whole[: wanted.chips_per_node])
        chip = self.chip_for_share(policy, ask, pool_id, variant, node)
        if chip in whole:
            seconds = range(self.now_s, self.now_s + ask.walltime_s)
            rooms = [self.free(pool_id, node, at_s) for at_s in seconds]
            opened = self.label_to_open(wanted, pool_id, node, rooms)
            for held in self.reservations:
                if held.pool_id == pool_id and held.labels.get(name) == opened:
                    held.labels[name] = chip
        return {chip}

    def label_to_open(self, wanted: AskVariant, pool_id: str, node: Node, rooms: list[Room]) -> int | None:
        fitting = [
            label
            for label in self.labels(pool_id, node.name)
            if label > 63
            and all((r.left[label] >= wanted.chip_milli if label in r.left else r.chips >= 1) for r in rooms)
        ]
        return min(fitting, default=None)

    def chip_for_share(self, policy: Policy, ask: Ask, pool_id: str, variant: int, node: Node) -> int:
        wanted = ask.variants[variant]
        if policy.placement == "fgd":
            judged = self.judge_chips(policy, ask, pool_id, variant, node)
            return max(judged, key=lambda chip: (judged[chip], -chip))
        label = self.share_label(wanted, pool_id, node, self.now_s, ask.walltime_s)
        return label if label <= 63 else self.whole_chips(pool_id, node)[0]

    def start_s(self, ask: Ask, pool_id: str, variant: int) -> int:
        """NEVER: what is left of its booking has no room for it."""
        first_s = max(self.now_s, self.not_before_s.get(pool_id, self.now_s))
        last_s = first_s + HORIZON_S
        if ask.booking_id is not None:
            booking, _ = self.bookings[ask.booking_id]
            first_s = max(self.now_s, booking.start_s, self.bars_s.get(ask.booking_id, self.now_s))
            last_s = booking.end_s - ask.walltime_s + 1
        for start_s in range(first_s, last_s):
            if start_s == self.now_s and self.overtakes(pool_id, ask.walltime_s):
                continue
            if self.enough(ask, pool_id, self.fitting(ask, pool_id, variant, start_s, ask.walltime_s)):
                return start_s
        assert ask.booking_id is not None, "no start within the horizon"
        return NEVER

    def overtakes(self, pool_id: str, walltime_s: int) -> bool:
        """Whether a start now is against the policy, even where it delays nobody."""
        held_s = [held.start_s for held in self.reservations if held.pool_id == pool_id]
        end_s, shadow_s = self.now_s + walltime_s, min(held_s, default=10**9)
        return {"beside": False, "until": end_s > shadow_s, "before": end_s >= shadow_s}[self.backfill]

    def choose(self, policy: Policy, ask: Ask, pool_id: str, variant: int, start_s: int, later: bool) -> list[Node]:
        """`later`: for a reservation, which is never by score."""
        fitting = self.fitting(ask, pool_id, variant, start_s, ask.walltime_s)
        wanted = ask.variants[variant]

        def fullness(node: Node) -> tuple[bool, int]:
            room = self.free(pool_id, node, start_s)
            if wanted.chip_milli == 1000:
                return False, room.chips
            label = self.share_label(wanted, pool_id, node, start_s, ask.walltime_s)
            return room.left.get(label, 1000) == 1000, room.chips

        held = self.reservations
        if start_s == self.now_s and wanted.chip_milli == 1000:  # the fullest by what runs, not by what is promised
            self.reservations = []
        in_order = policy.placement == "first_fit"
        if policy.placement in SCORES and not later:
            self.reservations = held
            rates = {node.name: (False, -self.score(policy, ask, pool_id, variant, node)) for node in fitting}
        else:
            rates = {node.name: (False, 0) if in_order else fullness(node) for node in fitting}
        self.reservations = held
        chosen = self.compact(ask, pool_id, fitting, rates, in_order)
        return [node for node in self.nodes_of(pool_id) if node.name in chosen]

    def compact(
        self, ask: Ask, pool_id: str, fitting: list[Node], rates: dict[str, tuple[bool, int]], in_order: bool
    ) -> set[str]:
        """The names of the best by rate, the least first; on a tie in as few cabinets as can be."""
        cabinets: dict[str, list[Node]] = {}
        for node in self.nodes_of(pool_id):
            cabinets.setdefault(self.cabinet(pool_id, node), [])
        for node in fitting:
            cabinets[self.cabinet(pool_id, node)].append(node)
        levels = sorted(set(rates.values()))
        number = {rate: self.rate_number(pool_id, rate) for rate in levels}
        if ask.within == "cabinet" and ask.num_nodes > 1:
            large = [nodes for nodes in cabinets.values() if len(nodes) >= ask.num_nodes]

            def total(nodes: list[Node]) -> tuple[int, int]:
                return sum(sorted(number[rates[n.name]] for n in nodes)[: ask.num_nodes]), len(nodes)

            fitting = large[0] if in_order else min(large, key=total)
            cabinets = {fitting[0].cabinet: fitting}
        by_cabinet = any(node.cabinet for node in self.pools[pool_id].nodes) and not in_order
        chosen: set[str] = set()
        for level in levels:
            left = ask.num_nodes - len(chosen)
            here = {name: [n for n in nodes if rates[n.name] == level] for name, nodes in cabinets.items()}
            count = sum(len(nodes) for nodes in here.values())
            if count <= left or not by_cabinet:
                chosen |= {node.name for node in [n for n in fitting if rates[n.name] == level][:left]}
                continue
            touched = {name for name, nodes in cabinets.items() if any(n.name in chosen for n in nodes)}
            while left:
                suits = {
                    name: (name not in touched, len(nodes) < left, len(nodes) if len(nodes) >= left else -len(nodes))
                    for name, nodes in here.items()
                    if nodes
                }
                taken = here.pop(min(suits, key=suits.__getitem__))[:left]
                chosen |= {node.name for node in taken}
                left -= len(taken)
        return chosen

    def rate_number(self, pool_id: str, rate: tuple[bool, int]) -> int:
        """Rates as one scale: chips that would be opened count as one node more than there can be."""
        levels = max(node.chips for node in self.nodes_of(pool_id)) + 1
        return rate[1] + levels * rate[0]

    # --- scores ---

    def plain_view(self, pool_id: str, node: Node) -> tuple[list[int], int]:
        """(left of every chip that is not wholly taken, free CPUs) now, reservations aside."""
        held, self.reservations = self.reservations, []
        room = self.free(pool_id, node, self.now_s)
        self.reservations = held
        shared = [room.left.get(chip, 0) for chip in range(node.chips)]
        chips = self.whole_chips(pool_id, node)[: max(0, room.chips)]
        return [1000 if chip in chips else shared[chip] for chip in range(node.chips)], room.cpus

    def score(self, policy: Policy, ask: Ask, pool_id: str, variant: int, node: Node) -> int:  # noqa: PLR0911
        wanted = ask.variants[variant]
        every = [n for each in self.pools for n in self.nodes_of(each)]
        most_chips, most_cpus = max(1, *(n.chips for n in every)) * 1000, max(1, *(n.cpus for n in every))
        left, cpus = self.plain_view(pool_id, node)
        asked = wanted.chips_per_node * wanted.chip_milli
        if policy.placement == "fgd":
            if wanted.chips_per_node == 1 and wanted.chip_milli < 1000:
                return max(self.judge_chips(policy, ask, pool_id, variant, node).values())
            after = list(left)
            for chip in self.whole_chips(pool_id, node)[: wanted.chips_per_node]:
                after[chip] = 0
            return self.gain(policy, pool_id, (left, cpus), (after, cpus - wanted.cpus_per_node))
        if policy.placement == "dot_product":
            along = cpus / most_cpus * (wanted.cpus_per_node / most_cpus)
            along += sum(left) / most_chips * (asked / most_chips)
            return int(100 * (1 - along / 2))
        if policy.placement == "best_fit_weighted":
            rest = 0.5 * ((cpus - wanted.cpus_per_node) / most_cpus) + 0.5 * ((sum(left) - asked) / most_chips)
            return int((1 - rest) * 100)
        if asked == 0:
            return 0
        if policy.placement == "packing":
            if left.count(1000) == node.chips:
                return max(33 - node.chips, node.chips)
            if wanted.chip_milli == 1000:
                return max(50 - wanted.chips_per_node, 33)
            chip = self.chip_for_share(policy, ask, pool_id, variant, node)
            return 49 if left[chip] == 1000 else max(100 - left[chip] * 100 // 1000 // 10, 50)
        classes = {
            0 if is_share(a) else a.ask.variants[a.variant].chips_per_node
            for a in self.placed.values()
            if a.pool_id == pool_id and node.name in a.nodes and a.ask.variants[a.variant].chips_per_node
        }
        mine = 0 if wanted.chip_milli < 1000 else wanted.chips_per_node
        fullness = 25 * (most_chips - sum(left)) // most_chips
        if mine in classes:
            return fullness + (75 if classes == {mine} else 50)
        return fullness + (0 if classes else 25)

    def judge_chips(self, policy: Policy, ask: Ask, pool_id: str, variant: int, node: Node) -> dict[int, int]:
        """Chip -> score of all chips that can have the share."""
        wanted = ask.variants[variant]
        left, cpus = self.plain_view(pool_id, node)
        rooms = [self.free(pool_id, node, at_s) for at_s in range(self.now_s, self.now_s + ask.walltime_s)]
        whole = self.whole_chips(pool_id, node)
        opens = self.label_to_open(wanted, pool_id, node, rooms) is not None
        chips = whole[:1] if opens and rooms[0].chips >= 1 else []
        for chip in range(node.chips):
            joins = [r.left[chip] >= wanted.chip_milli if chip in r.left else r.chips >= 1 for r in rooms]
            if chip in rooms[0].left and all(joins):
                chips.append(chip)
        scores = {}
        for chip in chips:
            after = list(left)
            after[chip] -= wanted.chip_milli
            scores[chip] = self.gain(policy, pool_id, (left, cpus), (after, cpus - wanted.cpus_per_node))
        return scores

    def gain(self, policy: Policy, pool_id: str, before: tuple[list[int], int], after: tuple[list[int], int]) -> int:
        fewer = self.fragments(policy, pool_id, *before) - self.fragments(policy, pool_id, *after)
        return int(100 * (1 / (1 + exp(-fewer / 1000))))

    def fragments(self, policy: Policy, pool_id: str, left: list[int], cpus: int) -> float:
        sums = dict.fromkeys(["both", "chips", "cpus", "without", "without cpus", "kind"], 0.0)
        for job in policy.typical:
            fitting = sum(each >= job.chip_milli for each in left) >= job.chips
            if job.chips == 0:
                sums["without" if cpus >= job.cpus else "without cpus"] += job.frequency * sum(left)
            elif self.pools[pool_id].chip_id not in job.chip_ids:
                sums["kind"] += job.frequency * sum(left)
            elif fitting and cpus >= job.cpus:
                sums["chips"] += job.frequency * sum(each for each in left if each < job.chip_milli)
            else:
                lack = "chips" if cpus >= job.cpus else "cpus" if fitting else "both"
                sums[lack] += job.frequency * sum(left)
        return sum(sums.values())


def asked_chips(ask: Ask, variant: int) -> Fraction:
    """Of all nodes; a share is its part of a chip."""
    wanted = ask.variants[variant]
    return Fraction(ask.num_nodes * wanted.chips_per_node * wanted.chip_milli, MILLI_PER_CHIP)


def is_share(attempt: Attempt) -> bool:
    return attempt.ask.variants[attempt.variant].chip_milli < 1000
