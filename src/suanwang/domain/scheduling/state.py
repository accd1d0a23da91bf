"""The scheduler's state: columns for the kernel, and beside them the names by which the world knows their rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from types import MappingProxyType

import numpy as np

from suanwang.domain.centre import Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.events import (
    Ask,
    AskVariant,
    AttemptRestored,
    Event,
    JobQueued,
    JobWithdrawn,
    PoolDrained,
    PoolSeen,
    PoolSet,
)
from suanwang.domain.scheduling.invariants import check_tables, ensure
from suanwang.domain.scheduling.kernel import columns, entries
from suanwang.domain.scheduling.kernel.columns import (
    CLAIM,
    JOB,
    MAX_SIZES,
    NEVER,
    NODE,
    OP,
    OP_KIND,
    POOL,
    SIZE,
    TIE_WORDS,
)
from suanwang.domain.scheduling.layout import empty_tables, grown, place_nodes

ID_WORDS = TIE_WORDS - 1
OBJECTIVES = MappingProxyType(
    {
        Objective.CHEAPEST: columns.OBJECTIVE.cheapest,
        Objective.SOONEST: columns.OBJECTIVE.soonest,
        Objective.BALANCED: columns.OBJECTIVE.balanced,
    }
)


def suits(pool: Pool, chip_ids: frozenset[str], memory_bytes: int) -> bool:
    """Whether a pool's nodes are of the kind that a variant asks for."""
    has_bytes = pool.memory_bytes_per_node
    return pool.chip_id in chip_ids and (has_bytes is None or has_bytes >= memory_bytes)


@dataclass(slots=True)
class Job:
    """What is known of a job besides its columns. `slot` is its place in them."""

    ask: Ask
    attempt: int
    slot: int
    placed: bool = False
    withdrawn: bool = False


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
        self.node_names: list[list[str]] = []
        """Of every pool; nodes that vanished under an allocation come last."""
        self.shapes: list[Counter[tuple[int, int]]] = []
        """Of every pool: how many of its nodes have so many (chips, CPUs)."""
        self.overfull: set[tuple[int, str]] = set()
        """(pool, node) on which more is allocated than they have, by what we were told of them, never by a step."""
        self.jobs: dict[str, Job] = {}
        self.job_at: list[Job | None] = []
        self.queued_nodes = 0
        """Sum over jobs that wait: how many claims and holds a pass can need."""
        self._centres: dict[str, int] = {}
        self._sizes: dict[tuple[int, int, int], int] = {}
        self._kinds: dict[tuple[frozenset[str], int], int] = {}
        self._free_slots: list[int] = []
        self._leaving: list[Job] = []
        self._free_rows: dict[int, list[int]] = {}
        self._used_rows = 0
        self._arrivals = 0
        self._ops: list[tuple[int, ...]] = []
        self._op_nodes: list[int] = []
        self._nodes_told = False

    # --- words and columns ---

    def centre_number(self, centre_id: str | None) -> int:
        return -1 if centre_id is None else self._centres.setdefault(centre_id, len(self._centres))

    def _kind_number(self, wanted: tuple[frozenset[str], int]) -> int:
        kind = self._kinds.get(wanted)
        if kind is None:
            kind = self._kinds[wanted] = len(self._kinds)
            self.tables = self.tables._replace(matches=grown(self.tables.matches, 0, kind + 1))
            for number, pool in enumerate(self.pools):
                self.tables.matches[kind, number] = suits(pool, *wanted)
        return kind

    def _new_rows(self, variants: Sequence[AskVariant]) -> int:
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
            kind = self._kind_number((variant.chip_ids, variant.memory_bytes))
            fen = NEVER if variant.max_fen_per_hour is None else min(variant.max_fen_per_hour, NEVER)
            self.tables.rows[:, row] = (
                kind,
                variant.chips_per_node,
                variant.cpus_per_node,
                self.centre_number(variant.centre),
                fen,
            )
        return first

    def _size_number(self, ask: Ask) -> int:
        """Of a demand that jobs share, or -1 if there is no one such."""
        wanted = ask.variants[0]
        key = (wanted.chips_per_node, wanted.cpus_per_node, ask.num_nodes)
        if len(ask.variants) > 1 or (key not in self._sizes and len(self._sizes) == MAX_SIZES):
            return -1
        number = self._sizes.setdefault(key, len(self._sizes))
        if number == len(self._sizes) - 1:
            self.tables = self.tables._replace(sizes=grown(self.tables.sizes, 0, number + 1))
            self.tables.sizes[number] = (*key, -1, 0)
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
        self.tables.brief[slot] = (0, 0, self._size_number(ask))
        self._arrivals += 1
        self.tables.jobs[:, slot] = (
            ask.num_nodes,
            ask.walltime_s,
            ask.priority,
            ask.submitted_s,
            OBJECTIVES[ask.objective],
            ask.ordered,
            self._new_rows(ask.variants),
            len(ask.variants),
            self.centre_number(ask.only_centre),
            NEVER if ask.max_cost_fen is None else min(ask.max_cost_fen, NEVER),
            *(-1,) * (JOB.tie - JOB.said),
            ask.arrival,
            *unpack(f">{ID_WORDS}q", ask.job_id.encode()[: 8 * ID_WORDS].ljust(8 * ID_WORDS, b"\0")),
            self._arrivals,
            0,
        )
        job = self.job_at[slot] = Job(ask, attempt, slot)
        return job

    def drop_columns(self, job: Job) -> None:
        """Give the columns of a job free for others."""
        variants = len(job.ask.variants)
        self._free_rows.setdefault(variants, []).append(int(self.tables.jobs[JOB.row, job.slot]))
        self._free_slots.append(job.slot)
        self.job_at[job.slot] = None

    def _op(
        self, kind: int, slot: int = -1, pool: int = -1, row: int = -1, end_s: int = 0, nodes: Sequence[int] = ()
    ) -> None:
        self._ops.append((kind, slot, pool, row, end_s, len(self._op_nodes), len(nodes)))
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
        if self._nodes_told:
            self._nodes_told = False
            nodes = self.tables.nodes
            too_full = np.flatnonzero((nodes[NODE.free_chips] < 0) | (nodes[NODE.free_cpus] < 0)).tolist()
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
        self.queued_nodes += job.ask.num_nodes

    def _release(self, job: Job) -> None:
        """Off its nodes, or off the queue."""
        if job.placed:
            self._op(OP_KIND.release, job.slot)
            job.placed = False
        else:
            self._op(OP_KIND.dequeue, job.slot)
            self.queued_nodes -= job.ask.num_nodes

    def forget(self, job: Job) -> None:
        self._release(job)
        del self.jobs[job.ask.job_id]
        self._leaving.append(job)

    def mark_placed(self, job: Job) -> None:
        """The kernel has placed it."""
        job.placed = True
        self.queued_nodes -= job.ask.num_nodes

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
        nodes = sorted(first + numbers[name] for name in event.node_names)
        self._op(OP_KIND.allocate, job.slot, pool, row, event.expected_end_s, nodes)

    # --- pools ---

    def set_pool(self, pool: Pool) -> None:
        self.flush()
        number = self.pool_index.get(pool.id)
        if number is None:
            number = self.pool_index[pool.id] = len(self.pools)
            self._add_pool(pool)
            self._set_nodes(number)
        else:
            before, self.pools[number] = self.pools[number], pool
            if before.nodes != pool.nodes:
                self._set_nodes(number)
        self.shapes[number] = Counter((node.chips, node.cpus) for node in pool.nodes)
        t = self.tables
        t.pools[POOL.centre, number] = self.centre_number(pool.centre_id)
        t.pools[POOL.fen_per_chip_hour, number] = pool.offer.fen_per_chip_hour
        t.pools[POOL.max_walltime_s, number] = pool.offer.max_walltime_s
        for wanted, kind in self._kinds.items():
            t.matches[kind, number] = suits(pool, *wanted)
        self._op(OP_KIND.rematch, pool=number)

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
                lost = [0] * (len(names) - len(pool.nodes))
                chips = [node.chips for node in pool.nodes] + lost
                cpus = [node.cpus for node in pool.nodes] + lost
                sizes.append((np.array(chips, np.int64), np.array(cpus, np.int64)))
            else:
                moved[old] = np.arange(start, start + len(old_names))
                sizes.append((t.nodes[NODE.chips, old], t.nodes[NODE.cpus, old]))
            start += len(sizes[-1][0])
        self.node_names[number] = names
        self.tables = place_nodes(t, sizes, moved)
        self._nodes_told = True

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

    def node_at(self, node: int) -> tuple[int, str]:
        """(pool, name) of a node's columns."""
        pool = int(self.tables.nodes[NODE.pool, node])
        return pool, self.node_names[pool][node - int(self.tables.pools[POOL.node, pool])]

    def node_names_of(self, job: Job) -> tuple[str, ...]:
        """The nodes of a placed job, in the pool's order."""
        t, found = self.tables, []
        claim = int(t.jobs[JOB.claim, job.slot])
        while claim >= 0:
            found.append(int(t.claims[CLAIM.node, claim]))
            claim = int(t.claims[CLAIM.sibling, claim])
        return tuple(self.node_at(node)[1] for node in sorted(found))

    def queue(self) -> list[Job]:
        """Jobs that wait, in the order of the last step's policy."""
        self.flush()
        waiting = self.tables.queue[: self.tables.size[SIZE.queued]].tolist()
        return [job for slot in waiting if (job := self.job_at[slot]) is not None]

    def events(self) -> Iterator[Event]:
        """Events that build this state anew."""
        self.flush()
        t = self.tables
        for number in self.pool_order:
            pool = self.pools[number]
            yield PoolSet(pool)
            if not t.pools[POOL.seen, number]:
                yield PoolSeen(pool.id, False)
            if t.pools[POOL.drained, number]:
                yield PoolDrained(pool.id, True)
        for job_id in sorted(self.jobs):
            job = self.jobs[job_id]
            if job.placed:
                pool_id = self.pools[int(t.jobs[JOB.pool, job.slot])].id
                variant, end_s = int(t.jobs[JOB.variant, job.slot]), int(t.jobs[JOB.end_s, job.slot])
                yield AttemptRestored(job.ask, job.attempt, pool_id, variant, self.node_names_of(job), end_s)
                if job.withdrawn:
                    yield JobWithdrawn(job_id)
            else:
                yield JobQueued(job.ask, job.ask.submitted_s)
