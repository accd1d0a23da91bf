"""What centres offer, as a submission needs it: which prices could be asked for a job at all, and where vouchers pay.

Kept in memory between calls, and read again whenever the database names another version of pools, centres and lists of
providers. The version is asked for in every transaction, so nobody is told the price of an offer that was withdrawn.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from suanwang.control.providers import Providers, read_providers
from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.events import Ask, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote
from suanwang.domain.scheduling.state import State
from suanwang.errors import Refused
from suanwang.store import centre
from suanwang.store.db import Connection

MAX_ANSWERS = 10_000
"""Different asks whose answers are kept; then everything is read anew, so that odd asks cannot fill the memory."""


Prices = tuple[tuple[str, int], ...]
"""(centre, price) of every pool that could ever run a job, at every price that it may ask then; the dearest first."""


@dataclass(frozen=True, slots=True)
class Offers:
    """The pools of one version, with nothing in them."""

    version: str | None
    pools: list[Pool]
    by_level: dict[str, Pool]
    """Pools as they are named in `empty`: one for each price that may ever be in force, because nobody knows which one
    a job meets that waits."""
    empty: State
    providers: Providers
    answers: dict[Ask, tuple[Prices, dict[str, Any]]] = field(default_factory=dict)
    """What was worked out before: prices, and the refusals of the other pools."""

    def prices_fen(self, nameless: Ask, name: str) -> Prices:
        """Of a job, by an ask without its id, tenant and time.

        Raises Refused with the reason of every pool if none could run it.
        """
        answer = self.answers.get(nameless)
        if answer is None:
            answer = self.answers[nameless] = self._ask_every_pool(nameless)
        prices, refusals = answer
        if not prices:
            shown = "; ".join(f"{pool_id}: {refusal['code']}" for pool_id, refusal in refusals.items())
            raise Refused(
                f"no centre can run {name!r}: {shown or 'no centre has joined'}", code="NO_POOL", pools=refusals
            )
        return prices

    def _ask_every_pool(self, nameless: Ask) -> tuple[Prices, dict[str, Any]]:
        prices: list[tuple[str, int]] = []
        refusals: dict[str, Any] = {}
        able = set()
        anywhere = replace(nameless, booking_id=None)  # whether there is such a booking may change every second
        for outlook in quote(self.empty, Policy(), nameless.submitted_s, anywhere):
            pool = self.by_level[outlook.pool_id]
            if outlook.feasible and outlook.price_fen is not None:
                prices.append((pool.centre_id, outlook.price_fen))
                able.add(pool.id)
            else:
                refusals[pool.id] = {"code": outlook.reason.code, "facts": outlook.reason.facts}
        refused = {pool_id: refusal for pool_id, refusal in refusals.items() if pool_id not in able}
        return tuple(sorted(prices, key=lambda price: -price[1])), refused


@dataclass(slots=True)
class Market:
    """The offers that were read last."""

    last: Offers | None = None

    async def offers(self, tx: Connection) -> Offers:
        """The offers as the transaction sees them."""
        # The version before the pools: if they change in between, they are read once more, never once too little.
        version = await centre.offers_version(tx)
        known = self.last
        if known is None or known.version != version or len(known.answers) >= MAX_ANSWERS:
            pools = await centre.pools(tx)
            levels = {
                f"{pool.id}/{level}": replace(pool, id=f"{pool.id}/{level}", offer=offer)
                for pool in pools
                for level, offer in enumerate(pool.offer.levels())
            }
            empty = State()
            apply_events(empty, [PoolSet(pool) for pool in levels.values()])
            named = {pool.id: pool for pool in pools}
            by_level = {name: named[name.rpartition("/")[0]] for name in levels}
            known = self.last = Offers(version, pools, by_level, empty, await read_providers(tx))
        return known
