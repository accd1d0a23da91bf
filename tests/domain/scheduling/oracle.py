"""The same rules, written to be obvious and not to be fast: dictionaries, and one look at every single second."""

from dataclasses import dataclass, field, fields
from fractions import Fraction
from math import log2, log10

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.decisions import BookingAnswer, Decision, Placed, Preempted, WindowAnswer
from suanwang.domain.scheduling.events import (
    Ask,
    AttemptEnded,
    AttemptLeaving,
    AttemptRestored,
    AttemptStarted,
    Event,
    JobQueued,
    JobWithdrawn,
    NodesPromised,
    PlacementRefused,
    PoolDrained,
    PoolSeen,
    PoolSet,
    QuotasSet,
)
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.quotas import QuotaTree
from suanwang.units import MILLI_PER_CHIP
from tests.domain.scheduling.calendar_oracle import Answer, CalendarOracle
from tests.domain.scheduling.quota_oracle import QuotaOracle, Use
from tests.domain.scheduling.rooms import NEVER, SCORES, Attempt, Reservation, asked_chips
from tests.domain.scheduling.workloads import outlook_facts


@dataclass
class Oracle(CalendarOracle):
    unseen: set[str] = field(default_factory=set)
    drained: set[str] = field(default_factory=set)
    said: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    tree: QuotaTree = field(default_factory=QuotaTree)
    owed: dict[str, tuple[str, int]] = field(default_factory=dict)
    """This pass: job -> (pool, variant) that counts on its quota although it waits."""

    # --- events ---

    def apply(self, event: Event) -> None:  # noqa: PLR0912 - a case an event
        match event:
            case PoolSet(pool):
                self.pools[pool.id] = pool
                names = {node.name for node in pool.nodes}
                claimed = {name for a in self.placed.values() if a.pool_id == pool.id for name in a.nodes}
                self.vanished[pool.id] = sorted(claimed - names)
                self.lose_chips(pool)
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
                if self.is_placed(job_id, number) and not self.placed[job_id].leaving:
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
            case AttemptLeaving(job_id, number, at_s):
                if self.is_placed(job_id, number):
                    self.placed[job_id].leaving, self.placed[job_id].end_s = True, at_s
            case NodesPromised(job_id, _, pool_id, variant, nodes):
                self.promises[job_id] = (pool_id, variant, nodes)
            case QuotasSet(tree):
                self.tree = tree
            case _:
                self.apply_to_calendar(event)

    # --- own tenants ---

    def goes_first(self, ask: Ask, pool_id: str) -> bool:
        return ask.tenant_id in self.pools[pool_id].offer.own_tenants_first

    def hold_for_owners(self, policy: Policy) -> None:
        """In the order of the queue, each at every pool where it goes first."""
        for attempt in self.in_order(policy):
            ask = attempt.ask
            if ask.job_id in self.promises:
                continue
            own = [pool_id for pool_id in sorted(self.pools) if self.goes_first(ask, pool_id)]
            for pool_id in own:
                _, _, outlook = self.survey(policy, ask)
                variant, code, start_s, _ = outlook[pool_id]
                if code == "FITS" and start_s is not None:
                    self.reserve(policy, ask, pool_id, variant, start_s)

    def give_up_holds(self, ask: Ask) -> None:
        """Those of owners; what is promised is another matter."""
        if ask.job_id not in self.promises:
            self.reservations = [held for held in self.reservations if held.job_id != ask.job_id]

    def lose_chips(self, pool: Pool) -> None:
        """Nobody is on chips that are gone."""
        counts = {node.name: node.chips for node in pool.nodes}
        for attempt in self.placed.values():
            if attempt.pool_id == pool.id:
                attempt.chips = {
                    name: {chip for chip in chips if chip < counts.get(name, 0)}
                    for name, chips in attempt.chips.items()
                }

    def is_placed(self, job_id: str, number: int) -> bool:
        return job_id in self.placed and self.placed[job_id].number == number

    def forget(self, job_id: str) -> None:
        self.placed.pop(job_id, None)
        self.queued.pop(job_id, None)
        self.said.pop(job_id, None)
        self.promises.pop(job_id, None)

    # --- quotas ---

    def quota(self, pool_id: str) -> QuotaOracle | None:
        """The quota that counts at a pool, with all that is used and owed there now."""
        resource = (self.pools[pool_id].centre_id, self.pools[pool_id].chip_id)
        if resource not in self.tree.resources():
            return None
        uses = [
            Use(a.ask.tenant_id, a.pool_id, asked_chips(a.ask, a.variant))
            for a in self.placed.values()
            if not a.leaving and a.ask.job_id not in self.gone
        ]
        for job_id, (where, variant) in self.owed.items():
            ask = self.queued[job_id].ask
            uses.append(Use(ask.tenant_id, where, asked_chips(ask, variant)))
        here = [use for use in uses if (self.pools[use.pool_id].centre_id, self.pools[use.pool_id].chip_id) == resource]
        return QuotaOracle(self.tree, resource, here)

    def standing(self, ask: Ask, pool_id: str, variant: int) -> str:
        quota = self.quota(pool_id)
        chips = asked_chips(ask, variant)
        return "open" if quota is None else quota.standing(ask.tenant_id, chips)

    # --- fit ---

    def price_fen(self, ask: Ask, pool_id: str, variant: int) -> int:
        milli = ask.variants[variant].chips_per_node * ask.variants[variant].chip_milli * ask.num_nodes
        fen = self.pools[pool_id].offer.price_fen(preemptible=ask.preemptible)
        return -(-fen * milli * ask.walltime_s // 3_600_000)  # house: another hand

    def refusal(self, ask: Ask, pool_id: str, variant: int) -> str | None:
        pool, wanted = self.pools[pool_id], ask.variants[variant]
        large = [n for n in pool.nodes if n.chips >= wanted.chips_per_node and n.cpus >= wanted.cpus_per_node]
        remembering = [n for n in large if n.memory_mib is None or n.memory_mib >= wanted.memory_mib_per_node]
        milli_fen = (
            pool.offer.price_fen(preemptible=ask.preemptible)
            * wanted.chips_per_node
            * wanted.chip_milli
            * ask.num_nodes
        )
        fen_per_hour = milli_fen / 1000
        checks = {
            "CHIP_MISMATCH": pool.chip_id not in wanted.chip_ids,
            "NODE_TOO_SMALL": not large,
            "NODE_MEMORY_TOO_SMALL": not remembering,
            "TOO_FEW_NODES": len(remembering) < ask.num_nodes,
            "NO_CABINET_FITS": not self.enough(ask, pool_id, remembering),
            "WALLTIME_OVER_LIMIT": ask.walltime_s > pool.offer.max_walltime_s,
            "OTHER_CENTRE_PINNED": wanted.centre not in (None, pool.centre_id),
            "CHECKPOINT_ELSEWHERE": ask.only_centre not in (None, pool.centre_id),
            "PRICE_OVER_LIMIT": wanted.max_fen_per_hour is not None and fen_per_hour > wanted.max_fen_per_hour,
            "COST_OVER_BUDGET": ask.max_cost_fen is not None
            and self.price_fen(ask, pool_id, variant) > ask.max_cost_fen,
            "BOOKING_ELSEWHERE": ask.booking_id in self.bookings
            and self.bookings[ask.booking_id][0].pool_id != pool_id,
            "POOL_UNSEEN": pool_id in self.unseen,
            "POOL_DRAINED": pool_id in self.drained,
            "BOOKING_UNKNOWN": ask.booking_id is not None and ask.booking_id not in self.bookings,
            "BOOKING_NOT_OPEN_TO_TENANT": ask.booking_id in self.bookings
            and ask.tenant_id not in self.bookings[ask.booking_id][0].tenants,
            "OVER_QUOTA": self.standing(ask, pool_id, variant) == "over",
        }
        return next((code for code, applies in checks.items() if applies), None)

    def survey(
        self, policy: Policy, ask: Ask
    ) -> tuple[tuple[str, int, int, int] | None, str, dict[str, tuple[int, str, int | None, int]]]:
        """The best (pool, variant, start, price); why there is none; the outlook of every pool."""
        order = list(refusal_order())
        refusals = {(p, v): self.refusal(ask, p, v) for p in sorted(self.pools) for v in range(len(ask.variants))}
        fit = {pair: self.price_fen(ask, *pair) for pair, code in refusals.items() if code is None}
        fen_per_s = min(fit.values()) / ask.walltime_s if fit else 0.0
        given_back_s = {pair: self.now_s + (self.standing(ask, *pair) == "lent") for pair in fit}
        starts_s = {pair: self.start_s(ask, *pair) for pair in fit}
        for pair in [pair for pair in fit if starts_s[pair] == NEVER]:
            refusals[pair] = "BOOKING_HAS_NO_ROOM"
            del fit[pair], starts_s[pair]
        starts_s = {pair: max(starts_s[pair], given_back_s[pair]) for pair in fit}

        def rank(pair: tuple[str, int]) -> tuple[float, ...]:
            price, start_s = fit[pair], starts_s[pair]
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
                outlook[pool_id] = (best[1], "FITS", starts_s[best], fit[best])
            else:
                codes = [refusals[pool_id, v] or "" for v in range(len(ask.variants))]
                furthest = max(codes, key=order.index)
                outlook[pool_id] = (codes.index(furthest), furthest, None, 0)
        told = {code for _, code, _, _ in outlook.values()}
        passing = order[order.index("POOL_UNSEEN") : order.index("OVER_QUOTA")]
        why = "NO_POOL_OPEN" if told & set(passing) else "NO_POOL_FITS"
        why = "WAITS_FOR_QUOTA" if "OVER_QUOTA" in told else why
        if not fit:
            return None, why, outlook
        chosen = min(fit, key=rank)
        return (*chosen, starts_s[chosen], fit[chosen]), why, outlook

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
        if answer.code in {*shut, "WAITS_FOR_QUOTA"} or said[0] in {*shut, "WAITS_FOR_QUOTA"}:
            return answer.code != said[0]
        if (answer.code == "WAITS_FOR_VICTIMS") != (said[0] == "WAITS_FOR_VICTIMS"):
            return True
        return held_at is not None and held_at != said[1]

    def reserve(self, policy: Policy, ask: Ask, pool_id: str, variant: int, start_s: int) -> None:
        wanted = ask.variants[variant]
        nodes = self.choose(policy, ask, pool_id, variant, start_s, later=True)
        labels = {}
        if wanted.chip_milli < 1000:
            labels = {n.name: self.share_label(wanted, pool_id, n, start_s, ask.walltime_s) for n in nodes}
        names, end_s = tuple(node.name for node in nodes), start_s + ask.walltime_s
        self.reservations.append(Reservation(pool_id, names, wanted, start_s, end_s, labels, ask.job_id))

    # --- preemption ---

    def keep(self, ask: Ask, start_s: int) -> None:
        """Reserve what is promised to a job."""
        pool_id, variant, nodes = self.promises[ask.job_id]
        wanted, end_s, labels = ask.variants[variant], start_s + ask.walltime_s, {}
        if wanted.chip_milli < 1000:
            on = [node for node in self.nodes_of(pool_id) if node.name in nodes]
            labels = {n.name: self.share_label(wanted, pool_id, n, start_s, ask.walltime_s) for n in on}
        self.reservations.append(Reservation(pool_id, nodes, wanted, start_s, end_s, labels, ask.job_id))
        self.owed[ask.job_id] = (pool_id, variant)

    def promise_fits(self, ask: Ask, start_s: int) -> bool:
        pool_id, variant, nodes = self.promises[ask.job_id]
        fitting = {node.name for node in self.fitting(ask, pool_id, variant, start_s, ask.walltime_s)}
        return set(nodes) <= fitting

    def keep_promises(self, besides: str = "", may_break: bool = True) -> None:
        for job_id, (pool_id, variant, _) in list(self.promises.items()):
            ask = self.queued[job_id].ask
            if (
                job_id != besides
                and self.refusal(ask, pool_id, variant) is None
                and self.promise_fits(ask, self.now_s + 1)
            ):
                self.keep(ask, self.now_s if self.promise_fits(ask, self.now_s) else self.now_s + 1)
            elif may_break:
                del self.promises[job_id]

    def lift(self, job_id: str) -> None:
        if job_id in self.promises:
            self.reservations = [held for held in self.reservations if held.job_id != job_id]
            self.owed.pop(job_id, None)

    def preempt(self, policy: Policy, ask: Ask, pool_id: str, variant: int) -> list[Answer]:
        """Who leaves for a job that waits: the cheapest first until it fits, and of these only who is needed."""
        terms = policy.preemption
        if ask.booking_id is not None or (ask.within == "cabinet" and ask.num_nodes > 1):
            return []
        if terms is None or self.not_before_s.get(pool_id, self.now_s) > self.now_s:
            return []

        def ran_s(attempt: Attempt) -> int:
            return self.now_s - (attempt.end_s - attempt.ask.walltime_s)

        def lost_s(attempt: Attempt) -> int:
            every_s = attempt.ask.checkpoint_every_s
            return max(0, ran_s(attempt)) % every_s if every_s else max(0, ran_s(attempt))

        def lost_chip_s(attempt: Attempt) -> Fraction:
            return lost_s(attempt) * asked_chips(attempt.ask, attempt.variant)

        candidates = [
            a
            for a in self.placed.values()
            if a.pool_id == pool_id
            and a.ask.preemptible
            and not a.leaving
            and a.ask.preemptions < terms.max_preemptions
            and ran_s(a) >= max(1, terms.min_run_s)
        ]
        candidates.sort(key=lambda a: (a.ask.priority, lost_chip_s(a), a.ask.job_id))
        chips = asked_chips(ask, variant)
        at_first = self.quota(pool_id)

        def fits() -> bool:
            quota = self.quota(pool_id)
            has_quota = quota is None or quota.room(ask.tenant_id) >= chips
            nodes = self.fitting(ask, pool_id, variant, self.now_s + 1, ask.walltime_s)
            return has_quota and len(nodes) >= ask.num_nodes

        rights: dict[str, str] = {}
        for a in candidates:
            if fits():
                break
            right = "HIGHER_PRIORITY" if a.ask.priority + terms.min_gap <= ask.priority else ""
            quota = self.quota(pool_id)
            if at_first is not None and quota is not None and a.ask.tenant_id != ask.tenant_id:
                if not quota.borrows(a.ask.tenant_id, ask.tenant_id):
                    right = ""
                elif at_first.is_own(ask.tenant_id, a.ask.tenant_id, chips):
                    right = "GIVEN_BACK"
            if right:
                rights[a.ask.job_id] = right
                self.gone.add(a.ask.job_id)
        if fits():
            for job_id in reversed(rights):
                self.gone.discard(job_id)
                if not fits():
                    self.gone.add(job_id)
            victims = [job_id for job_id in rights if job_id in self.gone]
        else:
            victims = []
        self.gone = set()
        if not 0 < len(victims) <= terms.max_victims:
            return []
        lost_milli_s = int(sum(lost_chip_s(self.placed[job_id]) for job_id in victims) * MILLI_PER_CHIP)
        told = [
            Answer(job_id, rights[job_id], pool_id, -1, (ask.job_id,), lost_s(self.placed[job_id]), lost_milli_s)
            for job_id in victims
        ]
        for job_id in victims:
            self.placed[job_id].leaving, self.placed[job_id].end_s = True, self.now_s
        chosen = self.choose(policy, ask, pool_id, variant, self.now_s + 1, later=True)
        self.promises[ask.job_id] = (pool_id, variant, tuple(node.name for node in chosen))
        self.keep(ask, self.now_s + 1)
        return told

    def step(self, policy: Policy, now_s: int, events: list[Event]) -> list[Answer]:
        self.now_s = now_s
        for event in events:
            self.apply(event)
        calendar = self.answer_calendar()
        self.reservations, self.not_before_s, self.owed, self.backfill = [], {}, {}, policy.backfill
        self.bars_s = {}
        self.keep_promises()
        self.hold_for_owners(policy)
        preempted: list[Answer] = []
        holders = dict.fromkeys([*self.pools, *self.bookings], 0)
        answers, waiting = [], 0
        for attempt in self.in_order(policy):
            ask = attempt.ask
            self.give_up_holds(ask)
            self.lift(ask.job_id)
            best, why, outlook = self.survey(policy, ask)
            held_at: str | None = None
            if ask.job_id in self.promises and (best is None or best[2] > now_s):
                pool_id, variant, _ = self.promises[ask.job_id]
                if self.standing(ask, pool_id, variant) == "open" and self.promise_fits(ask, now_s):
                    best = pool_id, variant, now_s, self.price_fen(ask, pool_id, variant)
            told: list[Answer] = []
            if ask.job_id not in self.promises and best is not None and best[2] > now_s:
                told = self.preempt(policy, ask, best[0], best[1])
                preempted += told
            elif ask.job_id not in self.promises and best is None and why == "WAITS_FOR_QUOTA":
                for pool_id, variant in sorted((p, v) for p in self.pools for v in range(len(ask.variants))):
                    if not told and self.refusal(ask, pool_id, variant) == "OVER_QUOTA":
                        told = self.preempt(policy, ask, pool_id, variant)
                preempted += told
            if ask.job_id in self.promises and (best is None or best[2] > now_s):
                if not told:
                    self.keep(ask, now_s + 1)
                pool_id, variant, _ = self.promises[ask.job_id]
                price_fen = outlook[pool_id][3]
                answer = Answer(ask.job_id, "WAITS_FOR_VICTIMS", pool_id, variant, price_fen=price_fen, outlook=outlook)
                held_at = pool_id
                if policy.reservation_depth == 0:
                    self.bar_others(ask, pool_id, now_s + 1)
            elif best is None:
                answer = Answer(ask.job_id, why, None, outlook=outlook)
            elif best[2] > now_s and self.standing(ask, best[0], best[1]) == "lent":
                pool_id, variant, _, price_fen = best
                self.owed[ask.job_id] = (pool_id, variant)
                answer = Answer(ask.job_id, "WAITS_FOR_QUOTA", pool_id, variant, price_fen=price_fen, outlook=outlook)
            else:
                pool_id, variant, start_s, price_fen = best
                answer = Answer(ask.job_id, "PLACED", pool_id, variant, price_fen=price_fen, outlook=outlook)
                if start_s == now_s:
                    chosen = self.choose(policy, ask, pool_id, variant, now_s, later=False)
                    answer.nodes = tuple(node.name for node in chosen)
                    answer.end_s = now_s + ask.walltime_s
                    chips = {name: self.hand_chips(policy, ask, pool_id, variant, name) for name in answer.nodes}
                    answer.chips = tuple(tuple(sorted(chips[name])) for name in answer.nodes)
                    self.forget(ask.job_id)
                    self.placed[ask.job_id] = Attempt(
                        ask, attempt.number, pool_id, variant, answer.nodes, answer.end_s, chips=chips
                    )
                else:
                    answer.code = self.why_waits(ask, pool_id, variant)
                    place = ask.booking_id or pool_id
                    first = self.goes_first(ask, pool_id)
                    counts = waiting < policy.reserve_ahead and holders[place] < policy.reservation_depth
                    if policy.reservation_depth == 0:
                        self.bar_others(ask, pool_id, start_s)
                    elif counts or first:
                        holders[place] += counts and (not first or ask.booking_id is not None)
                        self.reserve(policy, ask, pool_id, variant, start_s)
                        held_at = pool_id
                        self.owed[ask.job_id] = (pool_id, variant)
            waiting += answer.code != "PLACED"
            if self.is_news(answer, held_at):
                answers.append(answer)
                if answer.code != "PLACED":
                    self.said[ask.job_id] = (answer.code, held_at)
        self.reservations, self.not_before_s, self.owed = [], {}, {}
        return calendar + answers + preempted

    def bar_others(self, ask: Ask, pool_id: str, start_s: int) -> None:
        bars, place = (self.not_before_s, pool_id) if ask.booking_id is None else (self.bars_s, ask.booking_id)
        bars[place] = max(bars.get(place, 0), start_s)

    def why_waits(self, ask: Ask, pool_id: str, variant: int) -> str:
        wanted, now_s, seconds = ask.variants[variant], self.now_s, ask.walltime_s
        if ask.booking_id is not None and self.bookings[ask.booking_id][0].start_s > now_s:
            return "WAITS_FOR_BOOKING"
        held, self.reservations = self.reservations, []
        free = [node for node in self.nodes_of(pool_id) if self.fits(wanted, pool_id, node, now_s, 1)]
        self.reservations = held
        if len(free) < ask.num_nodes:
            return "WAITS_FOR_CHIPS"
        whole_pool = [w for w in self.windows.values() if w.pool_id == pool_id and not w.node_names]
        if any(window.start_s < now_s + seconds and now_s < window.end_s for window in whole_pool):
            return "WAITS_FOR_WINDOW"
        left = [node for node in free if not self.closures(ask.booking_id, pool_id, node.name, now_s, seconds)]
        if len(left) < ask.num_nodes:
            booked = any(
                "booking" in self.closures(ask.booking_id, pool_id, node.name, now_s, seconds) for node in free
            )
            if ask.booking_id is not None:
                return "WAITS_FOR_CHIPS"
            return "WAITS_BEHIND_BOOKING" if booked else "WAITS_FOR_WINDOW"
        kept = [node.name for node in left if not self.fits(wanted, pool_id, node, now_s, seconds)]
        for held_one in self.reservations:
            owner = self.queued[held_one.job_id].ask
            overlaps = held_one.start_s < now_s + seconds and now_s < held_one.end_s
            in_the_way = held_one.pool_id == pool_id and overlaps and set(kept) & set(held_one.nodes)
            if in_the_way and self.goes_first(owner, pool_id) and not self.goes_first(ask, pool_id):
                return "WAITS_BEHIND_OWNER"
        return "WAITS_BEHIND_OTHERS"

    def quote(self, policy: Policy, now_s: int, ask: Ask) -> dict[str, tuple[int, str, int | None, int]]:
        self.now_s, self.reservations, self.not_before_s, self.owed, self.backfill = now_s, [], {}, {}, policy.backfill
        self.bars_s = {}
        self.keep_promises(ask.job_id, may_break=False)
        held, promised = self.queued.get(ask.job_id), dict(self.promises)
        self.promises.pop(ask.job_id, None)
        self.queued[ask.job_id] = Attempt(ask, ask.attempt)
        self.hold_for_owners(policy)
        in_order = self.in_order(policy)
        ahead = in_order[: [attempt.ask.job_id for attempt in in_order].index(ask.job_id)]
        for attempt in ahead[: policy.quote_ahead + 1]:
            self.give_up_holds(attempt.ask)
            self.lift(attempt.ask.job_id)
            best, _, _ = self.survey(policy, attempt.ask)
            if best is not None:
                pool_id, variant, start_s, _ = best
                if self.standing(attempt.ask, pool_id, variant) == "open":
                    self.owed[attempt.ask.job_id] = (pool_id, variant)
                self.reserve(policy, attempt.ask, pool_id, variant, start_s)
                if policy.reservation_depth == 0:
                    self.bar_others(attempt.ask, pool_id, start_s)
        del self.queued[ask.job_id]
        if held is not None:
            self.queued[ask.job_id] = held
        self.give_up_holds(ask)
        outlook = self.survey(policy, ask)[2]
        self.promises = promised
        self.reservations, self.not_before_s, self.owed = [], {}, {}
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
        "NODE_MEMORY_TOO_SMALL",
        "TOO_FEW_NODES",
        "NO_CABINET_FITS",
        "WALLTIME_OVER_LIMIT",
        "OTHER_CENTRE_PINNED",
        "CHECKPOINT_ELSEWHERE",
        "PRICE_OVER_LIMIT",
        "COST_OVER_BUDGET",
        "BOOKING_ELSEWHERE",
        "POOL_UNSEEN",
        "POOL_DRAINED",
        "BOOKING_UNKNOWN",
        "BOOKING_NOT_OPEN_TO_TENANT",
        "BOOKING_HAS_NO_ROOM",
        "OVER_QUOTA",
    )


def as_answer(decision: Decision) -> Answer:
    """What the scheduler says, in the oracle's words."""
    if isinstance(decision, WindowAnswer):
        return Answer(decision.window_id, decision.reason.code, decision.pool_id)
    if isinstance(decision, BookingAnswer):
        b = decision
        earliest_s = b.reason.facts.get("earliest_start_s", 0)
        assert isinstance(earliest_s, int)
        return Answer(b.booking_id, b.reason.code, b.pool_id, nodes=b.node_names, end_s=earliest_s)
    outlook = {} if isinstance(decision, Preempted) else outlook_facts(decision.outlook)
    if isinstance(decision, Placed):
        d = decision
        where = (d.pool_id, d.variant, d.node_names, d.expected_end_s)
        return Answer(d.job_id, "PLACED", *where, d.price_fen, outlook, d.chips)
    facts = decision.reason.facts
    if isinstance(decision, Preempted):
        p = decision
        lost_s, lost_chip_s = facts["lost_s"], facts["victims_lost_chip_s"]
        assert isinstance(lost_s, int)
        assert isinstance(lost_chip_s, float)
        lost_milli_s = round(lost_chip_s * MILLI_PER_CHIP)
        return Answer(p.job_id, p.reason.code, str(facts["pool_id"]), -1, (p.for_job_id,), lost_s, lost_milli_s)
    pool_id, variant = facts.get("pool_id"), facts.get("variant", -1)
    assert pool_id is None or isinstance(pool_id, str)
    assert isinstance(variant, int)
    price_fen = outlook[pool_id][3] if pool_id else 0
    return Answer(decision.job_id, decision.reason.code, pool_id, variant, price_fen=price_fen, outlook=outlook)


def differences(decisions: list[Decision], expected: list[Answer]) -> list[str]:
    """Where the scheduler and the oracle do not agree, field by field."""
    told = [as_answer(decision) for decision in decisions]
    found = [
        f"{a.job_id}.{field.name}: {getattr(a, field.name)}, not {getattr(b, field.name)}"
        for a, b in zip(told, expected, strict=False)
        for field in fields(Answer)
        if getattr(a, field.name) != getattr(b, field.name)
    ]
    return found + [
        f"only one says {more.job_id}: {more.code}" for more in [*told[len(expected) :], *expected[len(told) :]]
    ]
