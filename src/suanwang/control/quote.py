"""What every centre would take for a job. Reads only; nothing is promised or held."""

from dataclasses import dataclass

from suanwang.control import project
from suanwang.control.daemon import Hub
from suanwang.control.schedule import ask_of
from suanwang.control.submit import choose_voucher, read_means, shares_fen
from suanwang.domain import job as job_rules
from suanwang.domain.centre import Pool
from suanwang.domain.job import JobSpec
from suanwang.domain.rating import estimate_fen
from suanwang.domain.scheduling.decisions import PoolOutlook
from suanwang.domain.scheduling.scheduler import quote as outlook_of
from suanwang.errors import Unreachable
from suanwang.store import centre
from suanwang.store.centre import CentreRecord
from suanwang.store.voucher import VoucherRecord
from suanwang.wire import Notice, Quote, QuoteLine, Reason

LAST = 2**62
"""The number of a job that is not there yet: it comes after all that are."""


async def quote(hub: Hub, tenant_id: str, spec: JobSpec, notices: list[Notice], now_s: int) -> Quote:
    """One line per pool: accepted or refused and why, start, finish, price, voucher share, own share."""
    job_rules.check(spec)
    ask = ask_of(spec, hub.catalogue, "quote", tenant_id, now_s, LAST)
    async with hub.db.transaction(snapshot=True) as tx:
        means = (await read_means(tx, hub.market, [tenant_id]))[tenant_id]
        room = None if spec.project is None else await project.seen(tx, tenant_id, spec.project, now_s)
        records = {record.centre.id: record for record in await centre.centres(tx)}
    if hub.brain is None and hub.standing_by:
        raise Unreachable("another hub decides for this network; ask that one", code="BRAIN_STANDS_BY")
    if hub.brain is None:
        raise Unreachable("the brain is starting; ask again in a second", code="BRAIN_STARTING")
    outlooks = {outlook.pool_id: outlook for outlook in outlook_of(hub.brain.state, hub.policy, now_s, ask)}
    assumed = {
        pool.id: _assumed(pool, spec, outlooks[pool.id], now_s) for pool in means.offers.pools if pool.id in outlooks
    }
    prices = tuple(
        (pool.centre_id, price_fen)
        for pool in means.offers.pools
        if pool.id in assumed and (price_fen := assumed[pool.id].price_fen) is not None
    )
    if room is not None and prices:
        room.take(min(price_fen for _, price_fen in prices))
    paying = choose_voucher(means, spec, prices, now_s)
    left_fen = means.left_fen[paying.id] if paying else 0
    lines = [
        _line(records[pool.centre_id], pool, outlooks[pool.id], assumed[pool.id], paying, left_fen)
        for pool in means.offers.pools
        if pool.id in outlooks
    ]
    lines.sort(key=lambda line: (not line.accepted, line.own_fen or 0, line.start_s or LAST))
    return Quote(
        job_name=spec.name,
        walltime_s=spec.walltime_s,
        quoted_s=now_s,
        lines=lines,
        notices=notices,
        voucher_id=str(paying.id) if paying else None,
        voucher_flow=paying.terms.flow if paying else None,
    )


@dataclass(frozen=True, slots=True)
class _Assumed:
    """What a quote takes a job to cost at a pool, and at which price per chip-hour."""

    price_fen: int | None
    fen_per_chip_hour: int | None = None
    until_s: int | None = None


def _assumed(pool: Pool, spec: JobSpec, outlook: PoolOutlook, now_s: int) -> _Assumed:
    """With a rate card the price that will be in force at the start, else what the brain says."""
    offer = pool.offer
    if not outlook.feasible or outlook.variant is None:
        return _Assumed(outlook.price_fen)
    if offer.rate_card is not None:
        offer = offer.at(max(now_s, outlook.start_s or now_s))
    fen = offer.price_fen(preemptible=spec.preemptible)
    price_fen = outlook.price_fen
    if offer.rate_card is not None:
        chips = spec.variants[outlook.variant].chips_per_node * spec.num_nodes
        price_fen = estimate_fen(fen, chips, spec.walltime_s)
    return _Assumed(price_fen, fen, offer.until_s)


def _line(
    record: CentreRecord,
    pool: Pool,
    outlook: PoolOutlook,
    assumed: _Assumed,
    paying: VoucherRecord | None,
    left_fen: int,
) -> QuoteLine:
    voucher_fen = own_fen = None
    if assumed.price_fen is not None:
        voucher_fen, _ = shares_fen(paying, left_fen, pool.centre_id, assumed.price_fen)
        own_fen = assumed.price_fen - voucher_fen
    return QuoteLine(
        centre_id=record.centre.id,
        centre_name=record.centre.name,
        centre_name_zh=record.centre.name_zh,
        city=record.centre.city,
        pool_id=pool.id,
        chip_id=pool.chip_id,
        accepted=outlook.feasible,
        reason=Reason(outlook.reason.code, dict(outlook.reason.facts)),
        variant=outlook.variant if outlook.feasible else None,
        start_s=outlook.start_s,
        finish_s=outlook.finish_s,
        price_fen=assumed.price_fen,
        voucher_fen=voucher_fen,
        own_fen=own_fen,
        fen_per_chip_hour=assumed.fen_per_chip_hour,
        price_until_s=assumed.until_s,
    )
