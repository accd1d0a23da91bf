"""What centres offer, as a submission needs it: which prices could be asked for a job at all.

Kept in memory between calls, and read again whenever the database names another version of the pools. The version is
asked for in every transaction, so nobody is told the price of an offer that was withdrawn.
"""

from dataclasses import dataclass, field, replace

from suanwang.domain.centre import Pool
from suanwang.domain.scheduling.advance import apply_events
from suanwang.domain.scheduling.events import Ask, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote
from suanwang.domain.scheduling.state import State
from suanwang.errors import Refused
from suanwang.store import centre
from suanwang.store.db import Connection

MAX_PRICES = 10_000
"""Different asks whose prices are kept; then everything is read anew, so that odd asks cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Offers:
    """The pools of one version, with nothing in them."""

    version: str | None
    pools: list[Pool]
    empty: State
    prices: dict[Ask, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """(centre, price) of every pool that could ever run it, by ask without its name, tenant and time."""

    def prices_fen(self, ask: Ask, name: str) -> tuple[tuple[str, int], ...]:
        """(centre, price) of every pool that could ever run it. Raises Refused with the reason of every pool if none
        could."""
        nameless = replace(ask, job_id="", tenant_id="", submitted_s=0, priority=0, attempt=1)
        known = self.prices.get(nameless)
        if known is None:
            known = self.prices[nameless] = self._ask_every_pool(nameless, name)
        return known

    def _ask_every_pool(self, ask: Ask, name: str) -> tuple[tuple[str, int], ...]:
        prices, refusals = [], {}
        centre_of = {pool.id: pool.centre_id for pool in self.pools}
        for outlook in quote(self.empty, Policy(), ask.submitted_s, ask):
            if outlook.feasible and outlook.price_fen is not None:
                prices.append((centre_of[outlook.pool_id], outlook.price_fen))
            else:
                refusals[outlook.pool_id] = {"code": outlook.reason.code, "facts": outlook.reason.facts}
        if not prices:
            shown = "; ".join(f"{pool_id}: {refusal['code']}" for pool_id, refusal in refusals.items())
            raise Refused(
                f"no centre can run {name!r}: {shown or 'no centre has joined'}", code="NO_POOL", pools=refusals
            )
        return tuple(prices)


@dataclass(slots=True)
class Market:
    """The offers that were read last."""

    last: Offers | None = None

    async def offers(self, tx: Connection) -> Offers:
        """The offers as the transaction sees them."""
        # The version before the pools: if they change in between, they are read once more, never once too little.
        version = await centre.offers_version(tx)
        known = self.last
        if known is None or known.version != version or len(known.prices) >= MAX_PRICES:
            pools = await centre.pools(tx)
            empty = State()
            apply_events(empty, [PoolSet(pool) for pool in pools])
            known = self.last = Offers(version, pools, empty)
        return known
