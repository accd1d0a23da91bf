"""The scheduler's state: columns for the kernel, and beside them the names by which the world knows their rows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import unpack
from types import MappingProxyType

import numpy as np

from suanwang.domain.centre import Node, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling import tenancy
from suanwang.domain.scheduling.events import (
    Ask,
    AskVariant,
    AttemptLeaving,
    AttemptRestored,
    Event,
    JobQueued,
    JobWithdrawn,
    NodesPromised,
    PoolDrained,
    PoolSeen,
    PoolSet,
    QuotasSet,
    UsageKnown,
)
from suanwang.domain.scheduling.invariants import check_tables, ensure
from suanwang.domain.scheduling.kernel import codes, entries
from suanwang.domain.scheduling.kernel.codes import CODE, OP_KIND
from suanwang.domain.scheduling.kernel.columns import (
    BRANCH,
    CLAIM,
    JOB,
    MAX_SHARED_CHIPS,
    MAX_SIZES,
    NEVER,
    NODE,
    OP,
    POOL,
    SIZE,
    TIE_WORDS,
)
from suanwang.domain.scheduling.layout import empty_tables, grown, place_cabinets, place_nodes
from suanwang.domain.scheduling.policy import TypicalJob
from suanwang.domain.scheduling.quotas import QuotaTree
from suanwang.domain.scheduling.standing import Calendar, lay_calendar, owners_of
from suanwang.domain.scheduling.tenancy import Tenancy

ID_WORDS = TIE_WORDS - 1
OBJECTIVES = MappingProxyType(
    {
        Objective.CHEAPEST: codes.OBJECTIVE.cheapest,
        Objective.SOONEST: codes.OBJECTIVE.soonest,
        Objective.BALANCED: codes.OBJECTIVE.balanced,
    }
)


UNSTATED_MIB = 2**40
"""Memory of a node of which the centre does not say it: enough for everybody."""


def shape_of(node: Node) -> tuple[int, int, int]:
    """(chips, CPUs, MiB)"""
    return node.chips, node.cpus, UNSTATED_MIB if node.memory_mib is None else node.memory_mib


@dataclass(slots=True)
class Job:
    """What is known of a job besides its columns. `slot` is its place in them."""

    ask: Ask
    attempt: int
    slot: int
    placed: bool = False
    withdrawn: bool = False


def chip_set(chips: Iterable[int]) -> int:
    """As the tables have it: a bit for each chip; those that cannot be told apart are left out."""
    return sum(1 << chip for chip in set(chips) if 0 <= chip < MAX_SHARED_CHIPS)


@lru_cache(maxsize=4_096)
def chips_in(chip_set: int) -> tuple[int, ...]:
    return tuple(chip for chip in range(chip_set.bit_length()) if chip_set >> chip & 1)


class State:
    """Owned by one feeder, advanced in place by `scheduler.step`.

    Events are first told apart here (who is meant, is it still true) and become operations on columns; `flush` has the
    kernel carry them out in one call. A replay of a whole log can fill columns and operations itself.
    """

    def __init__(self) -> None:
        self.tables = empty_tables()
        self.pools: list[Pool] = []
        self.pool_index: dict[str, int] = {}
        self.pool_order: list[int] = []
        """Pools by id: the order in which they are considered and shown."""
        self.typical_jobs: tuple[TypicalJob, ...] | None = None
        """What the tables of typical jobs were made from; None if they are not of these pools."""
        self.node_names: list[list[str]] = []
        """Of every pool; nodes that vanished under an allocation come last."""
        self.shapes: list[Counter[tuple[int, int, int]]] = []
        """Of every pool: how many of its nodes have so many (chips, CPUs, MiB)."""
        self.overfull: set[tuple[int, str]] = set()
        """(pool, node) on which more is allocated than they have, by what we were told of them, never by a step."""
        self.jobs: dict[str, Job] = {}
        self.job_at: list[Job | None] = []
        self.queued_nodes = 0
        """Sum over jobs that wait: how many claims and holds a pass can need."""
        self.queued_small_nodes = 0
        """The part of it that may need no whole chip."""
        self.calendar = Calendar()
        self.pools_told = False
        """Nodes of a pool came or went since the last step."""
        self._owners: dict[str, int] = {}
        self._centres: dict[str, int] = {}
        self._sizes: dict[tuple[int, ...], int] = {}
        self._kinds: dict[frozenset[str], int] = {}
        self._free_slots: list[int] = []
        self._leaving: list[Job] = []
        self._free_rows: dict[int, list[int]] = {}
        self._used_rows = 0
        self._arrivals = 0
        self._ops: list[tuple[int, ...]] = []
        self._op_nodes: list[int] = []
        self._nodes_told = False
        self.tenancy = Tenancy()
        self.tables = tenancy.plant(self.tenancy, self.tables, QuotaTree())

    # --- words and columns ---

    def centre_number(self, centre_id: str | None) -> int:
        return -1 if centre_id is None else self._centres.setdefault(centre_id, len(self._centres))

    def kind_number(self, chip_ids: frozenset[str]) -> int:
        """Row of `matches` of a set of chips."""
        kind = self._kinds.get(chip_ids)
        if kind is None:
            kind = self._kinds[chip_ids] = len(self._kinds)
            self.tables = self.tables._replace(matches=grown(self.tables.matches, 0, kind + 1))
            for number, pool in enumerate(self.pools):
                self.tables.matches[kind, number] = pool.chip_id in chip_ids
        return kind

    def _new_rows(self, variants: Sequence[AskVariant], booking: int) -> int:
        """Columns for the variants of a job: the first of so many that lie together."""
        free = self._free_rows.get(len(variants))
        if free:
            first = free.pop()
        else:
            first = self._used_rows
            self._used_rows += len(variants)
            t = self.tables
            self.tables = t._replace(
                rows=grown(t.rows, 1, self._used_rows),
                prices=grown(t.prices, 0, self._used_rows),
                codes=grown(t.codes, 0, self._used_rows),
            )
        for row, variant in enumerate(variants, first):
            kind = self.kind_number(variant.chip_ids)
            fen = NEVER if variant.max_fen_per_hour is None else min(variant.max_fen_per_hour, NEVER)
            self.tables.rows[:, row] = (
                kind,
                variant.whole_chips,
                variant.cpus_per_node,
                self.centre_number(variant.centre),
                fen,
                variant.share_milli,
                variant.memory_mib_per_node,
                booking,
            )
        return first

    def _size_number(self, ask: Ask) -> int:
        """Of a demand that jobs share, or -1 if there is no one such."""
        wanted = ask.variants[0]
        what = (wanted.whole_chips, wanted.cpus_per_node, wanted.share_milli, wanted.memory_mib_per_node)
        key = (*what, ask.num_nodes)
        if len(ask.variants) > 1 or (key not in self._sizes and len(self._sizes) == MAX_SIZES):
            return -1
        number = self._sizes.setdefault(key, len(self._sizes))
        if number == len(self._sizes) - 1:
            self.tables = self.tables._replace(sizes=grown(self.tables.sizes, 0, number + 1))
            self.tables.sizes[number] = (*key, *(-1,) * (self.tables.sizes.shape[1] - len(key)))
        return number

    def add_job(self, ask: Ask, attempt: int) -> Job:
        if self._free_slots:
            slot = self._free_slots.pop()
        else:
            slot = len(self.job_at)
            self.job_at.append(None)
            t = self.tables
            self.tables = t._replace(
                jobs=grown(t.jobs, 1, slot + 1),
                queue=grown(t.queue, 0, slot + 1),
                fresh=grown(t.fresh, 0, slot + 1),
                scores=grown(t.scores, 0, slot + 1),
                spare=grown(t.spare, 0, slot + 1),
                brief=grown(t.brief, 0, slot + 1),
            )
        self.tables.scores[slot] = 0.0
        self.tables.brief[slot] = (0, 0, self._size_number(ask), ask.walltime_s)
        self._arrivals += 1
        self.tables, branch = tenancy.branch_of(self.tenancy, self.tables, ask.tenant_id)
        self.tables.jobs[:, slot] = (
            ask.num_nodes,
            ask.walltime_s,
            ask.priority,
            ask.submitted_s,
            OBJECTIVES[ask.objective],
            ask.ordered,
            self._new_rows(ask.variants, self.calendar.name(ask.booking_id)),
            len(ask.variants),
            self.centre_number(ask.only_centre),
            NEVER if ask.max_cost_fen is None else min(ask.max_cost_fen, NEVER),
            *(-1,) * (JOB.tie - JOB.said),
            ask.arrival,
            *unpack(f">{ID_WORDS}q", ask.job_id.encode()[: 8 * ID_WORDS].ljust(8 * ID_WORDS, b"\0")),
            self._arrivals,
            0,
            branch,
            ask.preemptible,
            ask.preemptions,
            ask.checkpoint_every_s,
            *(-1,) * (JOB.owed_row + 1 - JOB.leaving),
            NEVER if ask.deadline_s is None else min(ask.deadline_s, NEVER),
            ask.within == "cabinet",
            self._owners.get(ask.tenant_id, -1),
            self.calendar.admits(ask),
        )
        job = self.job_at[slot] = Job(ask, attempt, slot)
        return job

    def drop_columns(self, job: Job) -> None:
        """Give the columns of a job free for others."""
        variants = len(job.ask.variants)
        self._free_rows.setdefault(variants, []).append(int(self.tables.jobs[JOB.row, job.slot]))
        self._free_slots.append(job.slot)
        self.job_at[job.slot] = None
        self.calendar.unname(job.ask.booking_id)

    def _op(
        self,
        kind: int,
        slot: int = -1,
        pool: int = -1,
        row: int = -1,
        end_s: int = 0,
        nodes: Sequence[int] = (),
        count: int = 0,
    ) -> None:
        self._ops.append((kind, slot, pool, row, end_s, len(self._op_nodes), count))
        self._op_nodes.extend(nodes)

    def flush(self) -> None:
        """Have the kernel carry out what events meant. Columns of jobs that left are free only after that."""
        if self._ops:
            self.reserve_claims(len(self._op_nodes))
            ops = np.array(self._ops, np.int64).reshape(-1, len(OP))
            entries.apply(self.tables, ops, np.array(self._op_nodes, np.int64))
            self._ops, self._op_nodes = [], []
        for job in self._leaving:
            self.drop_columns(job)
        self._leaving = []
        if self.calendar.moved:
            self.tables = lay_calendar(self.tables, self.calendar, self.pool_index, self.node_names)
            for job in self.jobs.values():
                if job.ask.booking_id is not None:
                    self.tables.jobs[JOB.admitted, job.slot] = self.calendar.admits(job.ask)
        if self._nodes_told:
            self._nodes_told = False
            free = self.tables.nodes[[NODE.free_chips, NODE.free_cpus, NODE.free_memory_mib]]
            too_full = np.flatnonzero((free < 0).any(axis=0)).tolist()
            self.overfull = {self.node_at(node) for node in too_full}

    def reserve_claims(self, count: int) -> None:
        t = self.tables
        self.tables = t._replace(claims=grown(t.claims, 1, int(t.size[SIZE.claims]) + count))

    # --- jobs ---

    def enqueue(self, ask: Ask, attempt: int) -> None:
        job = self.jobs[ask.job_id] = self.add_job(ask, attempt)
        self._queue_again(job)

    def _queue_again(self, job: Job) -> None:
        self._op(OP_KIND.enqueue, job.slot)
        self._count_waiting(job.ask, 1)

    def _count_waiting(self, ask: Ask, sign: int) -> None:
        self.queued_nodes += sign * ask.num_nodes
        if any(variant.whole_chips == 0 for variant in ask.variants):
            self.queued_small_nodes += sign * ask.num_nodes

    def _release(self, job: Job) -> None:
        """Off its nodes, or off the queue."""
        if job.placed:
            self._op(OP_KIND.release, job.slot)
            job.placed = False
        else:
            self._op(OP_KIND.dequeue, job.slot)
            self._count_waiting(job.ask, -1)

    def forget(self, job: Job) -> None:
        self._release(job)
        del self.jobs[job.ask.job_id]
        self._leaving.append(job)

    def mark_placed(self, job: Job) -> None:
        """The kernel has placed it."""
        job.placed = True
        self._count_waiting(job.ask, -1)

    def placed_attempt(self, job_id: str, attempt: int) -> Job | None:
        """The fence: an event speaks of the present attempt of a placed job, or of nothing."""
        job = self.jobs.get(job_id)
        return job if job is not None and job.placed and job.attempt == attempt else None

    def release_refused(self, job: Job) -> None:
        if job.withdrawn:
            self.forget(job)
        else:
            self._release(job)
            self._queue_again(job)

    def restart_clock(self, job: Job, at_s: int) -> None:
        self._op(OP_KIND.move_end, job.slot, end_s=at_s + job.ask.walltime_s)

    def restore(self, event: AttemptRestored) -> None:
        pool = self.pool_index[event.pool_id]
        numbers = {name: number for number, name in enumerate(self.node_names[pool])}
        missing = sorted(name for name in event.node_names if name not in numbers)
        if missing:
            self._set_nodes(pool, missing)
            numbers = {name: number for number, name in enumerate(self.node_names[pool])}
        self._nodes_told = True
        first = int(self.tables.pools[POOL.node, pool])
        job = self.jobs[event.ask.job_id] = self.add_job(event.ask, event.attempt)
        job.placed = True
        row = int(self.tables.jobs[JOB.row, job.slot]) + event.variant
        told = event.chips if event.chips is not None else [None] * len(event.node_names)
        on = sorted(
            (first + numbers[name], -1 if chips is None else chip_set(chips))
            for name, chips in zip(event.node_names, told, strict=True)
        )
        nodes, chip_sets = [node for node, _ in on], [chips for _, chips in on]
        self._op(OP_KIND.restore, job.slot, pool, row, event.expected_end_s, [*nodes, *chip_sets], len(nodes))

    def mark_leaving(self, job: Job, at_s: int) -> None:
        self._op(OP_KIND.leave, job.slot, end_s=at_s)

    def promise(self, event: NodesPromised) -> None:
        """Nodes that are no longer there are nobody's promise: without all of them the job waits like others."""
        job, pool = self.jobs.get(event.job_id), self.pool_index[event.pool_id]
        names, first = self.node_names[pool], int(self.tables.pools[POOL.node, pool])
        nodes = [first + names.index(name) for name in event.node_names if name in names]
        if job is not None and not job.placed and job.attempt == event.attempt and len(nodes) == job.ask.num_nodes:
            row = int(self.tables.jobs[JOB.row, job.slot]) + event.variant
            self._op(OP_KIND.promise, job.slot, pool, row, nodes=nodes, count=len(nodes))
            t = self.tables
            self.tables = t._replace(promises=grown(t.promises, 1, int(t.size[SIZE.promises]) + len(self._op_nodes)))

    # --- tenants ---

    def set_quotas(self, tree: QuotaTree) -> None:
        self.flush()
        self.tables = tenancy.plant(self.tenancy, self.tables, tree)
        for job in self.jobs.values():
            self.tables, branch = tenancy.branch_of(self.tenancy, self.tables, job.ask.tenant_id)
            self.tables.jobs[JOB.branch, job.slot] = branch
        for number, pool in enumerate(self.pools):
            self._set_resource(number, pool)
        entries.recount(self.tables, len(self.job_at))

    def _set_resource(self, number: int, pool: Pool) -> None:
        resource = self.tenancy.resources.get((pool.centre_id, pool.chip_id), -1)
        self.tables.pools[POOL.resource, number] = resource

    def first_pool_over_quota(self, ask: Ask) -> int:
        """The first pool by id that fits a waiting job and is limited."""
        t, first = self.tables, int(self.tables.jobs[JOB.row, self.jobs[ask.job_id].slot])
        fits = (t.codes[first : first + len(ask.variants)] == CODE.fits).any(axis=0)
        return next(
            number
            for number in self.pool_order
            if fits[number]
            and t.pools[POOL.resource, number] >= 0
            and t.pools[POOL.seen, number]
            and not t.pools[POOL.drained, number]
        )

    def quota_facts(self, ask: Ask, pool: Pool) -> dict[str, object]:
        """What the tenant has of a limited chip, as of now."""
        return tenancy.quota_facts(self.tenancy, self.tables, ask.tenant_id, pool.centre_id, pool.chip_id)

    def know_usage(self, event: UsageKnown) -> None:
        self.flush()
        self.tables, branch = tenancy.branch_of(self.tenancy, self.tables, event.tenant_id)
        self.tables.spent[branch], self.tables.branches[BRANCH.since_s, branch] = event.chip_s, event.at_s

    def fair_shares(self, now_s: int) -> dict[str, float]:
        """Tenant or group -> its fair-share factor from 0 to 1 (see `kernel.tenants.fair_share`)."""
        t, names = self.tables, self.tenancy.names
        entries.weigh(t, len(names), now_s)
        return {name: float(entries.share(t, number)) for number, name in enumerate(names) if name}

    # --- pools ---

    def set_pool(self, pool: Pool) -> None:
        self.flush()
        number = self.pool_index.get(pool.id)
        if number is None:
            number = self.pool_index[pool.id] = len(self.pools)
            self._add_pool(pool)
            self._set_nodes(number)
            self._set_resource(number, pool)
        else:
            before, self.pools[number] = self.pools[number], pool
            if before.nodes != pool.nodes:
                self._set_nodes(number)
            if (before.centre_id, before.chip_id) != (pool.centre_id, pool.chip_id):
                self.set_quotas(self.tenancy.tree)
        t = self.tables
        self.shapes[number] = Counter(shape_of(node) for node in pool.nodes)
        self.typical_jobs = None
        t.pools[POOL.centre, number] = self.centre_number(pool.centre_id)
        t.pools[POOL.fen_per_chip_hour, number] = pool.offer.price_fen(preemptible=False)
        t.pools[POOL.preemptible_fen_per_chip_hour, number] = pool.offer.price_fen(preemptible=True)
        t.pools[POOL.max_walltime_s, number] = pool.offer.max_walltime_s
        for chip_ids, kind in self._kinds.items():
            t.matches[kind, number] = pool.chip_id in chip_ids
        self._set_owners()
        self._op(OP_KIND.rematch, pool=number)

    def _set_owners(self) -> None:
        """Who goes first where, as the offers say it now."""
        if not self._owners and not any(pool.offer.own_tenants_first for pool in self.pools):
            return
        t = self.tables
        self._owners, owns = owners_of(self.pools, t.pools.shape[1])
        t.size[SIZE.owned_pools] = owns.any(axis=0).sum()
        for job in self.jobs.values():
            t.jobs[JOB.owner, job.slot] = self._owners.get(job.ask.tenant_id, -1)
        self.tables = t._replace(owns=owns)

    def _add_pool(self, pool: Pool) -> None:
        self.pools.append(pool)
        self.node_names.append([])
        self.shapes.append(Counter())
        count, t = len(self.pools), self.tables
        self.tables = t._replace(
            pools=grown(t.pools, 1, count),
            matches=grown(t.matches, 1, count),
            prices=grown(t.prices, 1, count),
            codes=grown(t.codes, 1, count),
        )
        self.tables.pools[:, count - 1] = 0
        self.tables.pools[POOL.seen, count - 1] = 1
        self.tables.size[SIZE.pools] = count
        self.pool_order = sorted(range(count), key=lambda number: self.pools[number].id)
        self.tables.pools[POOL.in_order, :count] = self.pool_order

    def _set_nodes(self, number: int, also: Sequence[str] = ()) -> None:
        """Lay the pool's nodes out as it has them now; nodes that vanished under an allocation stay, without room."""
        self.flush()
        t, pool = self.tables, self.pools[number]
        names = [node.name for node in pool.nodes]
        offered = set(names)
        sizes, moved, start = [], np.full(t.nodes.shape[1], -1, np.int64), 0
        for other, old_names in enumerate(self.node_names):
            first = int(t.pools[POOL.node, other])
            old = slice(first, first + len(old_names))
            if other == number:
                claimed = {name for name, claim in zip(old_names, t.nodes[NODE.claim, old], strict=True) if claim >= 0}
                names += sorted((claimed | set(also)) - offered)
                place = {name: start + at for at, name in enumerate(names)}
                moved[old] = [place.get(name, -1) for name in old_names]
                lost = len(names) - len(pool.nodes)
                told = [shape_of(node) for node in pool.nodes]
                sizes.append(np.array(told + [(0, 0, 0)] * lost, np.int64).reshape(-1, 3).T)
            else:
                moved[old] = np.arange(start, start + len(old_names))
                sizes.append(t.nodes[[NODE.chips, NODE.cpus, NODE.memory_mib], old])
            start += sizes[-1].shape[1]
        self.node_names[number] = names
        self.tables = place_cabinets(place_nodes(t, sizes, moved), self.pools)
        self._nodes_told = self.pools_told = self.calendar.moved = True

    def set_mark(self, pool_id: str, column: int, value: bool) -> None:
        self.tables.pools[column, self.pool_index[pool_id]] = value
        self.tables.size[SIZE.stale] = 1

    # --- questions ---

    def validate(self) -> None:
        """Raises AssertionError naming the invariant that does not hold. For tests: it looks at everything."""
        self.flush()
        t = self.tables
        for job_id, job in self.jobs.items():
            ensure(job.ask.job_id == job_id and self.job_at[job.slot] is job, "names and columns agree", job_id)
            ensure((t.jobs[JOB.pool, job.slot] >= 0) == job.placed, "who is placed is placed in both", job_id)
        live = [slot for slot, job in enumerate(self.job_at) if job is not None]
        ensure(len(live) == len(self.jobs), "no columns without a job")
        ensure(
            sum(job.ask.num_nodes for job in self.jobs.values() if not job.placed) == self.queued_nodes,
            "waiting nodes are counted",
        )
        for number, names in enumerate(self.node_names):
            ensure(len(names) == t.pools[POOL.nodes, number] == len(set(names)), "a node has one name", number)
        ids = [self.pools[number].id for number in t.pools[POOL.in_order, : len(self.pools)]]
        ensure(ids == sorted(self.pool_index), "pools are in order", ids)
        check_tables(t, live, {node for node in range(t.nodes.shape[1]) if self.node_at(node) in self.overfull})

    @property
    def has_owners(self) -> bool:
        """Whether some pool's own tenants go first there."""
        return bool(self._owners)

    def pool(self, pool_id: str) -> Pool:
        return self.pools[self.pool_index[pool_id]]

    def node_at(self, node: int) -> tuple[int, str]:
        """(pool, name) of a node's columns."""
        pool = int(self.tables.nodes[NODE.pool, node])
        return pool, self.node_names[pool][node - int(self.tables.pools[POOL.node, pool])]

    def claims_of(self, job: Job) -> list[tuple[int, int]]:
        """(node, set of chips) of a placed job, in the pool's order."""
        t, found = self.tables, []
        claim = int(t.jobs[JOB.claim, job.slot])
        while claim >= 0:
            found.append((int(t.claims[CLAIM.node, claim]), int(t.claims[CLAIM.chips, claim])))
            claim = int(t.claims[CLAIM.sibling, claim])
        return sorted(found)

    def node_names_of(self, job: Job) -> tuple[str, ...]:
        """The nodes of a placed job, in the pool's order."""
        return tuple(self.node_at(node)[1] for node, _ in self.claims_of(job))

    def chips_of(self, job: Job) -> tuple[tuple[int, ...], ...]:
        """The chips of each of them."""
        return tuple(chips_in(chips) for _, chips in self.claims_of(job))

    def queue(self) -> list[Job]:
        """Jobs that wait, in the order of the last step's policy."""
        self.flush()
        waiting = self.tables.queue[: self.tables.size[SIZE.queued]].tolist()
        return [job for slot in waiting if (job := self.job_at[slot]) is not None]

    def events(self) -> Iterator[Event]:
        """Events that build this state anew."""
        self.flush()
        t = self.tables
        if self.tenancy.tree != QuotaTree():
            yield QuotasSet(self.tenancy.tree)
        for number in self.pool_order:
            pool = self.pools[number]
            yield PoolSet(pool)
            if not t.pools[POOL.seen, number]:
                yield PoolSeen(pool.id, False)
            if t.pools[POOL.drained, number]:
                yield PoolDrained(pool.id, True)
        yield from self.calendar.events()
        for job_id in sorted(self.jobs):
            job = self.jobs[job_id]
            if job.placed:
                pool_id = self.pools[int(t.jobs[JOB.pool, job.slot])].id
                variant, end_s = int(t.jobs[JOB.variant, job.slot]), int(t.jobs[JOB.end_s, job.slot])
                nodes, chips = self.node_names_of(job), self.chips_of(job)
                yield AttemptRestored(job.ask, job.attempt, pool_id, variant, nodes, end_s, chips)
                if job.withdrawn:
                    yield JobWithdrawn(job_id)
                if t.jobs[JOB.leaving, job.slot] >= 0:
                    yield AttemptLeaving(job_id, job.attempt, end_s)
            else:
                yield JobQueued(job.ask, job.ask.submitted_s)
        yield from self._promises()
        for name in sorted(self.tenancy.names):
            number = self.tenancy.number[name]
            if t.size[SIZE.half_life_s] > 0 and (t.spent[number] > 0.0 or t.branches[BRANCH.milli, number]):
                yield UsageKnown(name, float(t.spent[number]), int(t.branches[BRANCH.since_s, number]))

    def _promises(self) -> Iterator[Event]:
        t, promised = self.tables, dict[int, list[str]]()
        for slot, node in t.promises[:, : t.size[SIZE.promises]].T.tolist():
            promised.setdefault(slot, []).append(self.node_at(node)[1] if node >= 0 else "")
        for slot, names in promised.items():
            job = self.job_at[slot]
            if job is not None and "" not in names:
                variant = int(t.jobs[JOB.promised_row, slot] - t.jobs[JOB.row, slot])
                pool_id = self.pools[int(t.jobs[JOB.promised_pool, slot])].id
                yield NodesPromised(job.ask.job_id, job.attempt, pool_id, variant, tuple(names))
