"""Centres, what was last heard of them, and their pools."""

from dataclasses import dataclass

from suanwang.domain.centre import Centre, Node, Offer, Pool
from suanwang.domain.ratecard import RateCard
from suanwang.errors import NotFound
from suanwang.protocol import PoolReport
from suanwang.store.db import Connection, Row, from_json, to_json
from suanwang.store.queries import queries

_SQL = queries("centre")


@dataclass(frozen=True, slots=True)
class CentreRecord:
    """A centre and what was last heard of it. `unseen` means just that: it says nothing about its jobs."""

    centre: Centre
    organisation_id: str
    drained: bool
    unseen: bool
    seen_s: int | None
    unchanged_s: int | None
    agent_id: str | None
    agent_release: str
    driver: str
    inventory: tuple[PoolReport, ...] | None
    """What its agent last found behind the pools; None: it never said."""
    lost_s: int | None
    """Declared lost then: it stays unseen, whatever its agent says, until it is taken up again."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What was last heard of a centre, locked."""

    unseen: bool
    lost_s: int | None
    seen_s: int | None
    unchanged_s: int | None


@dataclass(frozen=True, slots=True)
class Heard:
    """How a centre stood before its agent spoke just now."""

    was_unseen: bool
    agent_id: str | None
    seen_s: int | None
    lost_s: int | None


async def upsert_centre(tx: Connection, centre: Centre, organisation_id: str, now_s: int) -> bool:
    """False if the id belongs to another organisation's centre."""
    c = centre
    row = await tx.fetchrow(
        _SQL["upsert_centre"],
        c.id,
        organisation_id,
        c.name,
        c.name_zh,
        c.city,
        c.latitude,
        c.longitude,
        to_json(c.provider_facts),
        now_s,
    )
    return row is not None


async def upsert_pool(tx: Connection, pool: Pool, now_s: int) -> bool:
    """False if the id belongs to another centre's pool. Nothing is placed there until the transaction ends."""
    row = await tx.fetchrow(
        _SQL["upsert_pool"],
        pool.id,
        pool.centre_id,
        pool.chip_id,
        to_json(pool.nodes),
        pool.offer.fen_per_chip_hour,
        pool.offer.max_walltime_s,
        pool.offer.bills_lost_work,
        now_s,
        list(pool.offer.own_tenants_first),
        pool.offer.preemptible_fen_per_chip_hour,
        pool.offer.rate_card and to_json(pool.offer.rate_card),
        pool.offer.until_s,
    )
    if row is not None:
        await tx.execute(_SQL["record_capacity"], pool.id, now_s)
        await tx.execute(_SQL["record_offer"], pool.id, now_s)
    return row is not None


async def rates_over(tx: Connection, now_s: int) -> list[Pool]:
    """Pools whose rate card may have another price by now; they stay as they are until the transaction ends."""
    return [_pool(row) for row in await tx.fetch(_SQL["rates_over"], now_s)]


async def set_prices(tx: Connection, pool: Pool, now_s: int) -> None:
    """The prices of its offer are in force from now on."""
    offer = pool.offer
    prices = (offer.fen_per_chip_hour, offer.preemptible_fen_per_chip_hour, offer.until_s)
    await tx.execute(_SQL["set_prices"], pool.id, *prices)
    await tx.execute(_SQL["record_offer"], pool.id, now_s)


async def nodes_taken_beyond(tx: Connection, pool: Pool, limit: int = 10) -> list[Row]:
    """Nodes whose live attempts (node, chips, capacity, jobs) have more chips than the pool has there now."""
    return await tx.fetch(_SQL["nodes_taken_beyond"], pool.centre_id, pool.id, limit)


async def centres(tx: Connection) -> list[CentreRecord]:
    return [_centre(row) for row in await tx.fetch(_SQL["centres"])]


async def centre(tx: Connection, centre_id: str) -> CentreRecord:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["centre"], centre_id)
    if row is None:
        raise NotFound(f"no centre {centre_id}", centre=centre_id)
    return _centre(row)


async def pools(tx: Connection, centre_id: str | None = None) -> list[Pool]:
    if centre_id is None:
        return [_pool(row) for row in await tx.fetch(_SQL["pools"])]
    return [_pool(row) for row in await tx.fetch(_SQL["pools_of_centre"], centre_id)]


async def versions(tx: Connection) -> dict[str, int]:
    """Pool -> the transaction that set it last."""
    return {row["id"]: row["version"] for row in await tx.fetch(_SQL["pools"])}


async def hold_versions(tx: Connection, pool_ids: list[str]) -> dict[str, int]:
    """The same of some pools, which stay as they are until the transaction ends."""
    return {row["id"]: row["version"] for row in await tx.fetch(_SQL["hold_versions"], pool_ids)}


async def offers_version(tx: Connection) -> str:
    """Another word whenever a pool or a centre joined or changed, or a list of providers did."""
    version: str = await tx.fetchval(_SQL["offers_version"])
    return version


async def used_chips(tx: Connection) -> dict[str, tuple[int, int]]:
    """Pool -> (chips taken, live attempts)."""
    return {row["pool_id"]: (row["chips"], row["attempts"]) for row in await tx.fetch(_SQL["used_chips"])}


async def set_drained(tx: Connection, centre_id: str, drained: bool) -> bool:
    """False if it was so already."""
    return await tx.fetchrow(_SQL["set_drained"], centre_id, drained) is not None


async def lock_contact(tx: Connection, centre_id: str) -> Contact:
    """Until the transaction ends, its agent is not heard. Raises NotFound."""
    row = await tx.fetchrow(_SQL["lock_contact"], centre_id)
    if row is None:
        raise NotFound(f"no centre {centre_id}", centre=centre_id)
    return Contact(row["unseen"], row["lost_s"], row["seen_s"], row["unchanged_s"])


async def set_lost(tx: Connection, centre_id: str, lost_s: int | None) -> None:
    await tx.execute(_SQL["set_lost"], centre_id, lost_s)


async def touch_pools(tx: Connection, centre_id: str) -> None:
    """What is decided for them without knowing of this transaction does not hold."""
    await tx.execute(_SQL["touch_pools"], centre_id)


async def record_contact(
    tx: Connection, centre_id: str, agent_id: str, seen_s: int, unchanged_s: int | None, release: str, driver: str
) -> Heard:
    """Raises NotFound."""
    row = await tx.fetchrow(_SQL["record_contact"], centre_id, agent_id, seen_s, unchanged_s, release, driver)
    if row is None:
        raise NotFound(f"no centre {centre_id}", centre=centre_id)
    return Heard(row["unseen"], row["agent_id"], row["seen_before_s"], row["lost_s"])


async def set_inventory(tx: Connection, centre_id: str, inventory: tuple[PoolReport, ...]) -> None:
    await tx.execute(_SQL["set_inventory"], centre_id, to_json(inventory))


async def mark_unseen(tx: Connection, silent_since_s: int) -> list[str]:
    """Centres that were seen before and not since; returns the ids that changed."""
    return [row["centre_id"] for row in await tx.fetch(_SQL["mark_unseen"], silent_since_s)]


def _centre(row: Row) -> CentreRecord:
    return CentreRecord(
        Centre(
            row["id"],
            row["name"],
            row["name_zh"],
            row["city"],
            row["latitude"],
            row["longitude"],
            from_json(row["provider_facts"], dict[str, object]),
        ),
        row["organisation_id"],
        row["drained"],
        row["unseen"],
        row["seen_s"],
        row["unchanged_s"],
        row["agent_id"],
        row["agent_release"],
        row["driver"],
        row["inventory"] and from_json(row["inventory"], tuple[PoolReport, ...]),
        row["lost_s"],
    )


def _pool(row: Row) -> Pool:
    offer = Offer(
        row["fen_per_chip_hour"],
        row["max_walltime_s"],
        row["bills_lost_work"],
        tuple(row["own_tenants_first"]),
        row["preemptible_fen_per_chip_hour"],
        row["rate_card"] and from_json(row["rate_card"], RateCard),
        row["rates_until_s"],
    )
    return Pool(row["id"], row["centre_id"], row["chip_id"], from_json(row["nodes"], tuple[Node, ...]), offer)
