"""The same rules, written to be obvious and not to be fast: dictionaries, and one look at every single second."""

from dataclasses import dataclass, field
from math import exp, log2, log10

from suanwang.domain.centre import Node, Pool
from suanwang.domain.scheduling.decisions import Decision, Placed
from suanwang.domain.scheduling.events import (
    Ask,
    AskVariant,
    AttemptEnded,
    AttemptRestored,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    PlacementRefused,
    PoolDrained,
    PoolSeen,
    PoolSet,
)
from suanwang.domain.scheduling.policy import Policy
from suanwang.units import MILLI_PER_CHIP
from tests.domain.scheduling.workloads import outlook_facts

HORIZON_S = 5_000
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


@dataclass
class Reservation:
    """What a variant asks for on some nodes, from one second until before another. `labels`: of shares, per node."""

    pool_id: str
    nodes: tuple[str, ...]
    wanted: AskVariant
    start_s: int
    end_s: int
    labels: dict[str, int] = field(default_factory=dict)


@dataclass
class Room:
    """What is free on a node in one second; `left`: of every shared chip, by its label."""

    chips: int
    cpus: int
    memory_mib: int
    left: dict[int, int]


@dataclass
class Answer:
    """What the oracle says of one job. `outlook`: pool -> (variant, code, start, price)."""

    job_id: str
    code: str
    pool_id: str | None
    variant: int = -1
    nodes: tuple[str, ...] = ()
    end_s: int = 0
    price_fen: int = 0
    outlook: dict[str, tuple[int, str, int | None, int]] = field(default_factory=dict)
    chips: tuple[tuple[int, ...], ...] = ()


@dataclass
class Oracle:
    pools: dict[str, Pool] = field(default_factory=dict)
    vanished: dict[str, list[str]] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    drained: set[str] = field(default_factory=set)
    placed: dict[str, Attempt] = field(default_factory=dict)
    queued: dict[str, Attempt] = field(default_factory=dict)
    said: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    reservations: list[Reservation] = field(default_factory=list)
    not_before_s: dict[str, int] = field(default_factory=dict)
    now_s: int = 0
    backfill: str = "beside"

    # --- events ---

    def apply(self, event: Event) -> None:
        match event:
            case PoolSet(pool):
                self.pools[pool.id] = pool
                names = {node.name for node in pool.nodes}
                claimed = {name for a in self.placed.values() if a.pool_id == pool.id for name in a.nodes}
                self.vanished[pool.id] = sorted(claimed - names)
                counts = {node.name: node.chips for node in pool.nodes}
                for attempt in self.placed.values():
                    if attempt.pool_id == pool.id:
                        attempt.chips = {
                            name: {chip for chip in chips if chip < counts.get(name, 0)}
                            for name, chips in attempt.chips.items()
                        }
            case PoolSeen(pool_id, seen):
                (self.unseen.discard if seen else self.unseen.add)(pool_id)
            case PoolDrained(pool_id, drained):
                (self.drained.add if drained else self.drained.discard)(pool_id)
            case JobQueued(ask, _):
                known = self.placed.get(ask.job_id) or self.queued.get(ask.job_id)
                if known is None or known.number < ask.attempt:
                    self.forget(ask.job_id)
                    self.queued[ask.job_id] = Attempt(ask, ask.attempt)
            case JobWithdrawn(job_id):
                if job_id in self.placed:
                    self.placed[job_id].withdrawn = True
                else:
                    self.forget(job_id)
            case AttemptStarted(job_id, number, at_s):
                if self.is_placed(job_id, number):
                    self.placed[job_id].end_s = at_s + self.placed[job_id].ask.walltime_s
            case AttemptEnded(job_id, number):
                if self.is_placed(job_id, number):
                    self.forget(job_id)
            case PlacementRefused(job_id, number, _):
                if self.is_placed(job_id, number):
                    attempt = self.placed[job_id]
                    self.forget(job_id)
                    if not attempt.withdrawn:
                        self.queued[job_id] = Attempt(attempt.ask, number)
            case AttemptRestored(ask, number, pool_id, variant, nodes, end_s):
                self.placed[ask.job_id] = Attempt(ask, number, pool_id, variant, nodes, end_s)

    def is_placed(self, job_id: str, number: int) -> bool:
        return job_id in self.placed and self.placed[job_id].number == number

    def forget(self, job_id: str) -> None:
        self.placed.pop(job_id, None)
        self.queued.pop(job_id, None)
        self.said.pop(job_id, None)

    # --- room ---

    def nodes_of(self, pool_id: str) -> list[Node]:
        return [*self.pools[pool_id].nodes, *(Node(name, 0, 0) for name in self.vanished[pool_id])]

    def free(self, pool_id: str, node: Node, at_s: int) -> Room:
        room = Room(node.chips, node.cpus, 2**40 if node.memory_mib is None else node.memory_mib, {})
        for attempt in self.placed.values():
            if attempt.pool_id == pool_id and node.name in attempt.nodes and at_s < max(attempt.end_s, self.now_s + 1):
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

    def fitting(self, ask: Ask, pool_id: str, variant: int, start_s: int, seconds: int) -> list[Node]:
        wanted = ask.variants[variant]
        return [n for n in self.nodes_of(pool_id) if self.fits(wanted, pool_id, n, start_s, seconds)]

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
        first_s = max(self.now_s, self.not_before_s.get(pool_id, self.now_s))
        for start_s in range(first_s, first_s + HORIZON_S):
            if start_s == self.now_s and self.overtakes(pool_id, ask.walltime_s):
                continue
            if len(self.fitting(ask, pool_id, variant, start_s, ask.walltime_s)) >= ask.num_nodes:
                return start_s
        raise AssertionError("no start within the horizon")

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

        if policy.placement in SCORES and not later:
            fitting.sort(key=lambda node: -self.score(policy, ask, pool_id, variant, node))
        elif policy.placement != "first_fit":
            fitting.sort(key=fullness)
        chosen = {node.name for node in fitting[: ask.num_nodes]}
        return [node for node in self.nodes_of(pool_id) if node.name in chosen]

    # --- scores ---

    def plain_view(self, pool_id: str, node: Node) -> tuple[list[int], int]:
        """(left of every chip that is not wholly taken, free CPUs) now."""
        room = self.free(pool_id, node, self.now_s)
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

    # --- fit ---

    def price_fen(self, ask: Ask, pool_id: str, variant: int) -> int:
        milli = ask.variants[variant].chips_per_node * ask.variants[variant].chip_milli * ask.num_nodes
        fen = self.pools[pool_id].offer.fen_per_chip_hour
        return fen * milli * ask.walltime_s // 3_600_000  # house: another hand

    def refusal(self, ask: Ask, pool_id: str, variant: int) -> str | None:
        pool, wanted = self.pools[pool_id], ask.variants[variant]
        large = [n for n in pool.nodes if n.chips >= wanted.chips_per_node and n.cpus >= wanted.cpus_per_node]
        remembering = [n for n in large if n.memory_mib is None or n.memory_mib >= wanted.memory_mib_per_node]
        milli_fen = pool.offer.fen_per_chip_hour * wanted.chips_per_node * wanted.chip_milli * ask.num_nodes
        fen_per_hour = milli_fen / 1000
        checks = {
            "CHIP_MISMATCH": pool.chip_id not in wanted.chip_ids,
            "NODE_TOO_SMALL": not large,
            "NODE_MEMORY_TOO_SMALL": not remembering,
            "TOO_FEW_NODES": len(remembering) < ask.num_nodes,
            "WALLTIME_OVER_LIMIT": ask.walltime_s > pool.offer.max_walltime_s,
            "OTHER_CENTRE_PINNED": wanted.centre not in (None, pool.centre_id),
            "CHECKPOINT_ELSEWHERE": ask.only_centre not in (None, pool.centre_id),
            "PRICE_OVER_LIMIT": wanted.max_fen_per_hour is not None and fen_per_hour > wanted.max_fen_per_hour,
            "COST_OVER_BUDGET": ask.max_cost_fen is not None
            and self.price_fen(ask, pool_id, variant) > ask.max_cost_fen,
            "POOL_UNSEEN": pool_id in self.unseen,
            "POOL_DRAINED": pool_id in self.drained,
        }
        return next((code for code, applies in checks.items() if applies), None)

    def survey(
        self, policy: Policy, ask: Ask
    ) -> tuple[tuple[str, int, int, int] | None, bool, dict[str, tuple[int, str, int | None, int]]]:
        """The best (pool, variant, start, price); whether a pool fits but is not open; the outlook of every pool."""
        order = list(refusal_order())
        refusals = {(p, v): self.refusal(ask, p, v) for p in sorted(self.pools) for v in range(len(ask.variants))}
        fit = {pair: self.price_fen(ask, *pair) for pair, code in refusals.items() if code is None}
        fen_per_s = min(fit.values()) / ask.walltime_s if fit else 0.0

        def rank(pair: tuple[str, int]) -> tuple[float, ...]:
            price, start_s = fit[pair], self.start_s(ask, *pair)
            score: dict[str, tuple[float, ...]] = {
                "cheapest": (price, start_s),
                "soonest": (start_s, price),
                "balanced": (price + (start_s - self.now_s) * fen_per_s, start_s, price),
            }
            highest = 0
            if policy.placement in SCORES and start_s == self.now_s:
                nodes = self.fitting(ask, *pair, start_s, ask.walltime_s)
                highest = max(self.score(policy, ask, *pair, node) for node in nodes)
            return (pair[1] if ask.ordered else 0, *score[str(ask.objective)], price, -highest)

        outlook: dict[str, tuple[int, str, int | None, int]] = {}
        for pool_id in sorted(self.pools):
            mine = [pair for pair in fit if pair[0] == pool_id]
            if mine:
                best = min(mine, key=rank)
                outlook[pool_id] = (best[1], "FITS", self.start_s(ask, *best), fit[best])
            else:
                codes = [refusals[pool_id, v] or "" for v in range(len(ask.variants))]
                furthest = max(codes, key=order.index)
                outlook[pool_id] = (codes.index(furthest), furthest, None, 0)
        shut = any(code in {"POOL_UNSEEN", "POOL_DRAINED"} for _, code, _, _ in outlook.values())
        if not fit:
            return None, shut, outlook
        chosen = min(fit, key=rank)
        return (*chosen, self.start_s(ask, *chosen), fit[chosen]), shut, outlook

    # --- passes ---

    def in_order(self, policy: Policy) -> list[Attempt]:
        def key(attempt: Attempt) -> tuple[float, int, int, str]:
            ask = attempt.ask
            wait_s, wanted = self.now_s - ask.submitted_s, ask.variants[0]
            chips = ask.num_nodes * wanted.chips_per_node * wanted.chip_milli / MILLI_PER_CHIP
            relative = wait_s / ask.walltime_s
            first = {
                "fcfs": 0.0,
                "sjf": ask.walltime_s,
                "priority": -ask.priority,
                "given": 0.0,
                "f1": log10(ask.walltime_s) * chips + 870.0 * log10(max(ask.submitted_s, 1e-300)),
                "wfp3": -relative * relative * relative * chips,
                "unicef": -wait_s / (log2(max(chips, 2)) * ask.walltime_s),
            }[policy.order]
            return first, ask.submitted_s, ask.arrival, ask.job_id

        return sorted(self.queued.values(), key=key)

    def is_news(self, answer: Answer, held_at: str | None) -> bool:
        """A start; the first word; pools shut or open again; a reservation at a pool."""
        said = self.said.get(answer.job_id)
        if said is None or answer.code == "PLACED":
            return True
        shut = {"NO_POOL_FITS", "NO_POOL_OPEN"}
        if answer.code in shut or said[0] in shut:
            return answer.code != said[0]
        return held_at is not None and held_at != said[1]

    def reserve(self, policy: Policy, ask: Ask, pool_id: str, variant: int, start_s: int) -> None:
        wanted = ask.variants[variant]
        nodes = self.choose(policy, ask, pool_id, variant, start_s, later=True)
        labels = {}
        if wanted.chip_milli < 1000:
            labels = {n.name: self.share_label(wanted, pool_id, n, start_s, ask.walltime_s) for n in nodes}
        names, end_s = tuple(node.name for node in nodes), start_s + ask.walltime_s
        self.reservations.append(Reservation(pool_id, names, wanted, start_s, end_s, labels))

    def step(self, policy: Policy, now_s: int, events: list[Event]) -> list[Answer]:
        self.now_s = now_s
        for event in events:
            self.apply(event)
        self.reservations, self.not_before_s, self.backfill = [], {}, policy.backfill
        holders = dict.fromkeys(self.pools, 0)
        answers, waiting = [], 0
        for attempt in self.in_order(policy):
            ask = attempt.ask
            best, shut, outlook = self.survey(policy, ask)
            held_at: str | None = None
            if best is None:
                answer = Answer(ask.job_id, "NO_POOL_OPEN" if shut else "NO_POOL_FITS", None, outlook=outlook)
            else:
                pool_id, variant, start_s, price_fen = best
                answer = Answer(ask.job_id, "PLACED", pool_id, variant, price_fen=price_fen, outlook=outlook)
                if start_s == now_s:
                    chosen = self.choose(policy, ask, pool_id, variant, now_s, later=False)
                    answer.nodes = tuple(node.name for node in chosen)
                    answer.end_s = now_s + ask.walltime_s
                    chips = {name: self.hand_chips(policy, ask, pool_id, variant, name) for name in answer.nodes}
                    answer.chips = tuple(tuple(sorted(chips[name])) for name in answer.nodes)
                    del self.queued[ask.job_id]
                    self.said.pop(ask.job_id, None)
                    self.placed[ask.job_id] = Attempt(
                        ask, attempt.number, pool_id, variant, answer.nodes, answer.end_s, chips=chips
                    )
                else:
                    held, self.reservations = self.reservations, []
                    free_now = len(self.fitting(ask, pool_id, variant, now_s, 1))
                    self.reservations = held
                    answer.code = "WAITS_BEHIND_OTHERS" if free_now >= ask.num_nodes else "WAITS_FOR_CHIPS"
                    if policy.reservation_depth == 0:
                        self.not_before_s[pool_id] = max(self.not_before_s.get(pool_id, 0), start_s)
                    elif waiting < policy.reserve_ahead and holders[pool_id] < policy.reservation_depth:
                        holders[pool_id] += 1
                        self.reserve(policy, ask, pool_id, variant, start_s)
                        held_at = pool_id
            waiting += answer.code != "PLACED"
            if self.is_news(answer, held_at):
                answers.append(answer)
                if answer.code != "PLACED":
                    self.said[ask.job_id] = (answer.code, held_at)
        self.reservations, self.not_before_s = [], {}
        return answers

    def quote(self, policy: Policy, now_s: int, ask: Ask) -> dict[str, tuple[int, str, int | None, int]]:
        self.now_s, self.reservations, self.not_before_s, self.backfill = now_s, [], {}, policy.backfill
        held = self.queued.get(ask.job_id)
        self.queued[ask.job_id] = Attempt(ask, ask.attempt)
        in_order = self.in_order(policy)
        ahead = in_order[: [attempt.ask.job_id for attempt in in_order].index(ask.job_id)]
        for attempt in ahead[: policy.quote_ahead + 1]:
            best, _, _ = self.survey(policy, attempt.ask)
            if best is not None:
                pool_id, variant, start_s, _ = best
                self.reserve(policy, attempt.ask, pool_id, variant, start_s)
                if policy.reservation_depth == 0:
                    self.not_before_s[pool_id] = max(self.not_before_s.get(pool_id, 0), start_s)
        del self.queued[ask.job_id]
        if held is not None:
            self.queued[ask.job_id] = held
        outlook = self.survey(policy, ask)[2]
        self.reservations, self.not_before_s = [], {}
        if len(ahead) <= policy.quote_ahead:
            return outlook
        return {
            pool_id: (variant, "NOT_FORESEEN", None, price_fen)
            if code == "FITS"
            else (variant, code, start_s, price_fen)
            for pool_id, (variant, code, start_s, price_fen) in outlook.items()
        }


def is_share(attempt: Attempt) -> bool:
    return attempt.ask.variants[attempt.variant].chip_milli < 1000


def refusal_order() -> tuple[str, ...]:
    """From the first check to the last: of several variants, the one that came furthest is shown."""
    return (
        "CHIP_MISMATCH",
        "NODE_TOO_SMALL",
        "NODE_MEMORY_TOO_SMALL",
        "TOO_FEW_NODES",
        "WALLTIME_OVER_LIMIT",
        "OTHER_CENTRE_PINNED",
        "CHECKPOINT_ELSEWHERE",
        "PRICE_OVER_LIMIT",
        "COST_OVER_BUDGET",
        "POOL_UNSEEN",
        "POOL_DRAINED",
    )


def as_answer(decision: Decision) -> Answer:
    """What the scheduler says, in the oracle's words."""
    outlook = outlook_facts(decision.outlook)
    if isinstance(decision, Placed):
        d = decision
        where = (d.pool_id, d.variant, d.node_names, d.expected_end_s)
        return Answer(d.job_id, "PLACED", *where, d.price_fen, outlook, d.chips)
    facts = decision.reason.facts
    pool_id, variant = facts.get("pool_id"), facts.get("variant", -1)
    assert pool_id is None or isinstance(pool_id, str)
    assert isinstance(variant, int)
    price_fen = outlook[pool_id][3] if pool_id else 0
    return Answer(decision.job_id, decision.reason.code, pool_id, variant, price_fen=price_fen, outlook=outlook)
