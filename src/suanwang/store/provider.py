"""The lists of providers that agencies keep. Rows are only added: who was on a list, since when, and by whom, stays."""

from suanwang.domain.voucher import Listing
from suanwang.store.db import Connection
from suanwang.store.queries import queries

_SQL = queries("provider")


async def append(
    tx: Connection, agency_id: str, list_name: str, centre_id: str, listed: bool, actor: str, now_s: int
) -> bool:
    """From now on the centre is on the list, or not. False if it was so already. The caller has the agency locked."""
    row = await tx.fetchrow(_SQL["append"], agency_id, list_name, centre_id, listed, now_s, actor)
    return row is not None


async def listings(tx: Connection, *, past: bool = False) -> list[Listing]:
    """By agency and list, in the order of joining; with those that are over if `past`."""
    return [Listing(**row) for row in await tx.fetch(_SQL["listings"], past)]
