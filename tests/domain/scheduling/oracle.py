"""The same rules, written to be obvious and not to be fast: dictionaries, and one look at every single second."""

from dataclasses import dataclass, field
from math import log2, log10

from suanwang.domain.centre import Node, Pool
from suanwang.domain.scheduling.decisions import Decision, Placed
from suanwang.domain.scheduling.events import (
    Ask,
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
from tests.domain.scheduling.workloads import outlook_facts

HORIZON_S = 5_000


@dataclass
class Attempt:
    ask: Ask
    number: int
    pool_id: str = ""
    variant: int = -1
    nodes: tuple[str, ...] = ()
    end_s: int = 0
    withdrawn: bool = False


@dataclass
class Reservation:
    """Chips and CPUs of some nodes, from one second until before another."""

    pool_id: str
    nodes: tuple[str, ...]
    chips: int
    cpus: int
    start_s: int
    end_s: int


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

    def free(self, pool_id: str, node: Node, at_s: int) -> tuple[int, int]:
        """(chips, CPUs) free in one second."""
        chips, cpus = node.chips, node.cpus
        for attempt in self.placed.values():
            if attempt.pool_id == pool_id and node.name in attempt.nodes and at_s < max(attempt.end_s, self.now_s + 1):
                wanted = attempt.ask.variants[attempt.variant]
                chips, cpus = chips - wanted.chips_per_node, cpus - wanted.cpus_per_node
        for held in self.reservations:
            if held.pool_id == pool_id and node.name in held.nodes and held.start_s <= at_s < held.end_s:
                chips, cpus = chips - held.chips, cpus - held.cpus
        return chips, cpus

    def fitting(self, ask: Ask, pool_id: str, variant: int, start_s: int, seconds: int) -> list[Node]:
        """Nodes with room in every one of so many seconds."""
        wanted = ask.variants[variant]
        found = []
        for node in self.nodes_of(pool_id):
            for at_s in range(start_s, start_s + seconds):
                chips, cpus = self.free(pool_id, node, at_s)
                if chips < wanted.chips_per_node or (wanted.cpus_per_node and cpus < wanted.cpus_per_node):
                    break
            else:
                found.append(node)
        return found

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

    def choose(self, policy: Policy, ask: Ask, pool_id: str, variant: int, start_s: int) -> tuple[str, ...]:
        fitting = self.fitting(ask, pool_id, variant, start_s, ask.walltime_s)
        if policy.placement == "best_fit":
            fitting.sort(key=lambda node: self.free(pool_id, node, start_s)[0])
        chosen = {node.name for node in fitting[: ask.num_nodes]}
        return tuple(node.name for node in self.nodes_of(pool_id) if node.name in chosen)

    # --- fit ---

    def price_fen(self, ask: Ask, pool_id: str, variant: int) -> int:
        chips = ask.variants[variant].chips_per_node * ask.num_nodes
        return self.pools[pool_id].offer.fen_per_chip_hour * chips * ask.walltime_s // 3600  # house: another hand

    def refusal(self, ask: Ask, pool_id: str, variant: int) -> str | None:
        pool, wanted = self.pools[pool_id], ask.variants[variant]
        large = [n for n in pool.nodes if n.chips >= wanted.chips_per_node and n.cpus >= wanted.cpus_per_node]
        fen_per_hour = pool.offer.fen_per_chip_hour * wanted.chips_per_node * ask.num_nodes
        checks = {
            "CHIP_MISMATCH": pool.chip_id not in wanted.chip_ids,
            "NODE_TOO_SMALL": not large,
            "TOO_FEW_NODES": len(large) < ask.num_nodes,
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
        self, ask: Ask
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
            return (pair[1] if ask.ordered else 0, *score[str(ask.objective)])

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
            wait_s, chips = self.now_s - ask.submitted_s, ask.num_nodes * ask.variants[0].chips_per_node
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
        nodes = self.choose(policy, ask, pool_id, variant, start_s)
        end_s = start_s + ask.walltime_s
        self.reservations.append(
            Reservation(pool_id, nodes, wanted.chips_per_node, wanted.cpus_per_node, start_s, end_s)
        )

    def step(self, policy: Policy, now_s: int, events: list[Event]) -> list[Answer]:
        self.now_s = now_s
        for event in events:
            self.apply(event)
        self.reservations, self.not_before_s, self.backfill = [], {}, policy.backfill
        holders = dict.fromkeys(self.pools, 0)
        answers, waiting = [], 0
        for attempt in self.in_order(policy):
            ask = attempt.ask
            best, shut, outlook = self.survey(ask)
            held_at: str | None = None
            if best is None:
                answer = Answer(ask.job_id, "NO_POOL_OPEN" if shut else "NO_POOL_FITS", None, outlook=outlook)
            else:
                pool_id, variant, start_s, price_fen = best
                answer = Answer(ask.job_id, "PLACED", pool_id, variant, price_fen=price_fen, outlook=outlook)
                if start_s == now_s:
                    answer.nodes = self.choose(policy, ask, pool_id, variant, now_s)
                    answer.end_s = now_s + ask.walltime_s
                    del self.queued[ask.job_id]
                    self.said.pop(ask.job_id, None)
                    self.placed[ask.job_id] = Attempt(ask, attempt.number, pool_id, variant, answer.nodes, answer.end_s)
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
            best, _, _ = self.survey(attempt.ask)
            if best is not None:
                pool_id, variant, start_s, _ = best
                self.reserve(policy, attempt.ask, pool_id, variant, start_s)
                if policy.reservation_depth == 0:
                    self.not_before_s[pool_id] = max(self.not_before_s.get(pool_id, 0), start_s)
        del self.queued[ask.job_id]
        if held is not None:
            self.queued[ask.job_id] = held
        outlook = self.survey(ask)[2]
        self.reservations, self.not_before_s = [], {}
        if len(ahead) <= policy.quote_ahead:
            return outlook
        return {
            pool_id: (variant, "NOT_FORESEEN", None, price_fen)
            if code == "FITS"
            else (variant, code, start_s, price_fen)
            for pool_id, (variant, code, start_s, price_fen) in outlook.items()
        }


def refusal_order() -> tuple[str, ...]:
    """From the first check to the last: of several variants, the one that came furthest is shown."""
    return (
        "CHIP_MISMATCH",
        "NODE_TOO_SMALL",
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
        return Answer(d.job_id, "PLACED", d.pool_id, d.variant, d.node_names, d.expected_end_s, d.price_fen, outlook)
    facts = decision.reason.facts
    pool_id, variant = facts.get("pool_id"), facts.get("variant", -1)
    assert pool_id is None or isinstance(pool_id, str)
    assert isinstance(variant, int)
    price_fen = outlook[pool_id][3] if pool_id else 0
    return Answer(decision.job_id, decision.reason.code, pool_id, variant, price_fen=price_fen, outlook=outlook)
