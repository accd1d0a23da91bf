"""A small network on a real database, for tests and benchmarks; everything goes through `control`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count

from suanwang.catalogue import read_catalogue
from suanwang.control import network, providers, schedule, submit, sync
from suanwang.control.daemon import LIVE_POLICY
from suanwang.control.network import Joining
from suanwang.control.offers import Market
from suanwang.control.schedule import Brain
from suanwang.domain.centre import Catalogue, Centre, Node, Offer, Pool
from suanwang.domain.job import JobSpec, Variant
from suanwang.domain.product import Product
from suanwang.domain.ratecard import NETWORK_TIMEZONE, Prices, Rate, RateCard
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.tenant import Actor, Organisation, OrganisationKind, Role
from suanwang.errors import Refused
from suanwang.protocol import SyncReply
from suanwang.store import event
from suanwang.store.answer import Call
from suanwang.store.db import Database
from suanwang.testing.centre import FakeCentre
from suanwang.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from suanwang.wire import NewListing, SubmittedJob

ADMIN = Actor("admin", network.NETWORK_ID, Role.NETWORK_ADMIN)
START_S = 1_700_000_000
PATIENCE = 100


def job_spec(
    name: str = "job", *, chips: int = 1, nodes: int = 1, walltime_s: int = SECONDS_PER_HOUR, chip: str = "A100"
) -> JobSpec:
    return JobSpec(name, (Variant(chip, chips),), "true", num_nodes=nodes, walltime_s=walltime_s)


@dataclass(slots=True)
class SmallNetwork:
    """Virtual time, fake centres, everything else real."""

    db: Database
    now_s: int = START_S
    catalogue: Catalogue = field(default_factory=read_catalogue)
    policy: Policy = LIVE_POLICY
    centres: dict[str, FakeCentre] = field(default_factory=dict)
    brain: Brain | None = None
    _keys: "count[int]" = field(default_factory=count)

    def call(self, actor: Actor, key: str | None = None) -> Call:
        name = key or f"key-{next(self._keys)}"
        return Call(actor.organisation_id, name, sha256(name.encode()).digest())

    async def found(self) -> None:
        await network.found_network(self.db, "secret-of-the-first-administrator", self.now_s)

    async def add_tenant(self, tenant_id: str, cash_fen: int, facts: dict[str, object] | None = None) -> Actor:
        new = Organisation(tenant_id, tenant_id.title(), OrganisationKind.TENANT, facts or {})
        await network.add_organisation(self.db, ADMIN, new, self.call(ADMIN), self.now_s)
        if cash_fen:
            await network.top_up(self.db, ADMIN, tenant_id, cash_fen, self.call(ADMIN), self.now_s)
        return Actor(f"token-{tenant_id}", tenant_id, Role.TENANT_ADMIN)

    async def add_agency(self, agency_id: str) -> Actor:
        new = Organisation(agency_id, agency_id.title(), OrganisationKind.AGENCY, {})
        await network.add_organisation(self.db, ADMIN, new, self.call(ADMIN), self.now_s)
        return Actor(f"officer-{agency_id}", agency_id, Role.PROGRAMME_OFFICER)

    async def add_centre(
        self,
        centre_id: str,
        *,
        chip: str = "a100-sxm-80g",
        nodes: int = 2,
        chips: int = 8,
        fen_per_chip_hour: int = 1_000,
        provider: dict[str, object] | None = None,
    ) -> FakeCentre:
        owner = Organisation(f"{centre_id}-org", centre_id.title(), OrganisationKind.CENTRE, {})
        await network.add_organisation(self.db, ADMIN, owner, self.call(ADMIN), self.now_s)
        await self.offer(
            centre_id, chip=chip, nodes=nodes, chips=chips, fen_per_chip_hour=fen_per_chip_hour, provider=provider
        )
        self.centres[centre_id] = FakeCentre(centre_id)
        return self.centres[centre_id]

    async def list_centre(self, officer: Actor, name: str, centre_id: str, *, listed: bool = True) -> bool:
        new = NewListing(list=name, centre_id=centre_id, listed=listed)
        return await providers.change_list(self.db, officer, new, self.call(officer), self.now_s)

    async def offer(
        self,
        centre_id: str,
        *,
        pool_id: str | None = None,
        chip: str = "a100-sxm-80g",
        nodes: int = 2,
        chips: int = 8,
        fen_per_chip_hour: int = 1_000,
        provider: dict[str, object] | None = None,
        own_tenants_first: tuple[str, ...] = (),
        cabinets: tuple[str, ...] = (),
        preemptible_fen: int | None = None,
        rates: tuple[Rate, ...] = (),
        products: tuple[Product, ...] = (),
    ) -> None:
        """A centre joins with one pool, or changes it, or adds one."""
        pool = Pool(
            pool_id or f"{centre_id}-pool",
            centre_id,
            chip,
            tuple(Node(f"n{i}", chips, 64, cabinet=cabinets[i] if cabinets else "") for i in range(nodes)),
            Offer(
                fen_per_chip_hour,
                10 * SECONDS_PER_DAY,
                own_tenants_first=own_tenants_first,
                preemptible_fen_per_chip_hour=preemptible_fen,
                rate_card=RateCard(NETWORK_TIMEZONE, Prices(fen_per_chip_hour, preemptible_fen), rates)
                if rates
                else None,
            ),
        )
        where = Centre(centre_id, centre_id.title(), centre_id, "北京", 39.9, 116.4, provider or {})
        joining, owner = Joining(where, (pool,), products), f"{centre_id}-org"
        await network.join_centre(self.db, self.catalogue, ADMIN, joining, owner, self.call(ADMIN), self.now_s)

    async def submit(self, actor: Actor, *specs: JobSpec, key: str | None = None) -> list[SubmittedJob]:
        """As one call of a tenant. Raises what it is refused for."""
        return await self.submit_call(actor, specs, self.call(actor, key))

    async def submit_call(self, actor: Actor, specs: Sequence[JobSpec], call: Call) -> list[SubmittedJob]:
        submission = submit.Submission(actor, specs, call)
        (outcome,) = await submit.submit_together(self.db, self.catalogue, Market(), [submission], self.now_s)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def think(self) -> None:
        """The brain decides until it has nothing left to do."""
        await self._all_over()
        if self.brain is None:
            self.brain = await schedule.awaken(self.db, self.catalogue, self.now_s)
        await schedule.schedule(self.db, self.brain, self.policy, self.now_s)
        while self.brain.refused:
            await schedule.schedule(self.db, self.brain, self.policy, self.now_s)
        await self._all_over()

    async def _all_over(self) -> None:
        """Cursors read what no transaction in progress can come before; the server's own cleaning is one, at times."""
        async with self.db.transaction() as tx:
            last = await tx.fetchval("select pg_current_xact_id()::text::bigint")
        for _ in range(PATIENCE):  # a test may hold a transaction open on purpose
            async with self.db.transaction(snapshot=True) as tx:
                if await event.horizon(tx) > last:
                    return
            await asyncio.sleep(0.01)

    async def sync(self, centre: FakeCentre) -> SyncReply:
        """One exchange of one centre's agent."""
        request = centre.request(self.now_s)
        actor = Actor(f"agent-{centre.centre_id}", f"{centre.centre_id}-org", Role.CENTRE_AGENT, centre.centre_id)
        taken = await sync.take_reports(self.db, self.catalogue, actor, centre.centre_id, request, self.now_s)
        version, orders = await sync.read_orders(self.db, self.catalogue, centre.centre_id, centre.version)
        reply = SyncReply(now_s=self.now_s, version=version, orders=orders, refused=taken.refused)
        centre.take(request, reply, self.now_s)
        return reply

    async def turn(self, seconds: int = 0) -> None:
        """Time passes; every centre syncs, the brain thinks, every centre syncs again."""
        self.now_s += seconds
        for centre in self.centres.values():
            centre.advance(self.now_s)
            await self.sync(centre)
        await self.think()
        for centre in self.centres.values():
            await self.sync(centre)
            if centre.outbox:
                await self.sync(centre)
