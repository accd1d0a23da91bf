"""Rate cards: when the time of a price comes, the pool's offer changes as if its centre had changed it."""

from dataclasses import replace

from suanwang.store import centre, event
from suanwang.store.db import Database
from suanwang.store.event import NewEvent

ACTOR = "network"


async def change_prices(db: Database, now_s: int) -> list[str]:
    """Put in force what rate cards say by now. Returns the pools whose offers changed.

    Called before anything is placed at that time, so that an attempt has the price of the second in which it got its
    place. Called again it finds nothing to do.
    """
    async with db.transaction() as tx:
        pools = [replace(pool, offer=pool.offer.at(now_s)) for pool in await centre.rates_over(tx, now_s)]
        for pool in pools:
            await centre.set_prices(tx, pool, now_s)
        news = [NewEvent("pool_set", centre_id=pool.centre_id, body=pool) for pool in pools]
        await event.append(tx, now_s, ACTOR, news)
    return [pool.id for pool in pools]
