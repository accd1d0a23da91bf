"""Who and what is in the network."""

import secrets
from dataclasses import asdict
from typing import Any
from uuid import UUID

from litestar import Request, delete, get, post

from suanwang import __version__
from suanwang.api.access import ADMIN, ANYBODY, OPERATORS, OVERSIGHT, PUBLIC, TENANTS, TOKEN_ISSUERS, call_of, hub_of
from suanwang.control import lost, network
from suanwang.control.inventory import differences
from suanwang.domain.centre import Centre, Node, Offer, Pool
from suanwang.domain.ledger import AccountKind, tenant_cash
from suanwang.domain.product import Product
from suanwang.domain.ratecard import Prices, Rate, RateCard
from suanwang.domain.tenant import Actor, Organisation, Role
from suanwang.errors import InvalidInput, NotFound
from suanwang.store import centre, event, ledger, voucher
from suanwang.store import organisation as organisations
from suanwang.store.centre import CentreRecord
from suanwang.store.db import Row
from suanwang.units import MIB_PER_GIB, SECONDS_PER_DAY
from suanwang.wire import (
    Account,
    CentreLine,
    GivenUp,
    GivingUp,
    Health,
    Identity,
    IssuedToken,
    NewCentre,
    NewNodes,
    NewOrganisation,
    NewPool,
    NewToken,
    NewTopUp,
    PoolLine,
    TokenLine,
)

MAX_LABEL_LENGTH = 200
MAX_TOKEN_LIFE_S = 10 * 366 * SECONDS_PER_DAY


@get("/health", opt={"may": PUBLIC})
async def health(request: Request[Any, Any, Any]) -> Health:
    """Whether the hub and its database answer, and whether events flow."""
    hub = hub_of(request)
    async with hub.db.transaction(snapshot=True) as tx:
        held = await event.held_back(tx)
    held_back_s = 0 if held is None else max(0, hub.clock() - held.since_s)
    brain = "awake" if hub.brain else "standby" if hub.standing_by else "starting"
    return Health("up", __version__, brain, held_back_s)


@get("/v1/me", opt={"may": ANYBODY})
async def me(request: Request[Actor, Any, Any]) -> Identity:
    """Who this token speaks for."""
    return Identity(**asdict(request.user), hub_release=__version__)


@post("/v1/organisations", opt={"may": ADMIN}, status_code=201)
async def add_organisation(request: Request[Actor, Any, Any], data: NewOrganisation) -> dict[str, str]:
    hub = hub_of(request)
    new = Organisation(data.id, data.name, data.kind, data.facts)
    await network.add_organisation(hub.db, request.user, new, await call_of(request), hub.clock())
    return {"id": data.id}


@post("/v1/tokens", opt={"may": TOKEN_ISSUERS}, status_code=201)
async def issue_token(request: Request[Actor, Any, Any], data: NewToken) -> IssuedToken:
    """The secret is shown this once. The same key again answers SECRET_SHOWN_ONCE with the token's id to revoke."""
    hub = hub_of(request)
    call = await call_of(request)
    now_s = hub.clock()
    if data.valid_for_s is not None and not 0 < data.valid_for_s <= MAX_TOKEN_LIFE_S:
        raise InvalidInput("valid_for_s", data.valid_for_s, f"1 to {MAX_TOKEN_LIFE_S} seconds")
    if len(data.label) > MAX_LABEL_LENGTH or not data.label.isprintable():
        raise InvalidInput("label", data.label, f"at most {MAX_LABEL_LENGTH} printable characters")
    secret = new_secret()
    new = Actor("", data.organisation_id, data.role, data.centre_id)
    expires_s = None if data.valid_for_s is None else now_s + data.valid_for_s
    token_id = await network.issue_token(hub.db, request.user, new, secret, data.label, expires_s, call, now_s)
    return IssuedToken(token_id, secret)


def new_secret() -> str:
    return f"sw_{secrets.token_urlsafe(32)}"


@get("/v1/tokens", opt={"may": OVERSIGHT})
async def list_tokens(request: Request[Actor, Any, Any]) -> list[TokenLine]:
    """Every token that was ever issued, the oldest first: for whom, by whom, and whether it is still in force."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        return [token_line(row) for row in await organisations.tokens(tx)]


def token_line(row: Row) -> TokenLine:
    return TokenLine(
        str(row["id"]),
        row["organisation_id"],
        Role(row["role"]),
        row["centre_id"],
        row["label"],
        row["created_s"],
        row["expires_s"],
        row["revoked_s"],
        row["issued_by"],
    )


@delete("/v1/tokens/{token_id:str}", opt={"may": ADMIN}, status_code=200)
async def revoke_token(request: Request[Actor, Any, Any], token_id: str) -> dict[str, str]:
    hub = hub_of(request)
    call = await call_of(request)
    await network.revoke_token(hub.db, request.user, parse_id(token_id, "token"), call, hub.clock())
    request.app.state.doorkeeper.forget()
    return {"revoked": token_id}


def parse_id(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"no {what} {text}", **{what: text}) from None


@post("/v1/top-ups", opt={"may": ADMIN}, status_code=201)
async def top_up(request: Request[Actor, Any, Any], data: NewTopUp) -> dict[str, int]:
    """Money that a tenant has paid in outside becomes its cash here."""
    hub = hub_of(request)
    call = await call_of(request)
    await network.top_up(hub.db, request.user, data.tenant_id, data.amount_fen, call, hub.clock())
    return {"amount_fen": data.amount_fen}


@get("/v1/account", opt={"may": TENANTS})
async def account(request: Request[Actor, Any, Any]) -> Account:
    """A tenant's money at a glance."""
    tenant_id = request.user.organisation_id
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        vouchers = await voucher.vouchers(tx, tenant_id)
        owed = await ledger.open_balances(tx, AccountKind.REIMBURSABLE)
        return Account(
            tenant_id,
            await ledger.balance_fen(tx, tenant_cash(tenant_id)),
            await ledger.held_cash_fen(tx, tenant_id),
            sum(record.available_fen for record in vouchers),
            sum(row.amount_fen for row in owed if row.owner == tenant_id),
        )


def _offer(told: NewPool, timezone: str) -> Offer:
    plain = Prices(told.fen_per_chip_hour, told.preemptible_fen_per_chip_hour)
    rates = tuple(
        Rate(
            rate.days,
            rate.from_min,
            rate.until_min,
            Prices(rate.fen_per_chip_hour, rate.preemptible_fen_per_chip_hour),
        )
        for rate in told.rates
    )
    return Offer(
        plain.fen_per_chip_hour,
        told.max_walltime_s,
        told.bills_lost_work,
        told.own_tenants_first,
        plain.preemptible_fen,
        RateCard(timezone, plain, rates) if rates else None,
    )


def _node(told: NewNodes) -> Node:
    memory_mib = None if told.memory_gib is None else told.memory_gib * MIB_PER_GIB
    return Node(told.name, told.chips, told.cpus, memory_mib, told.cabinet)


@post("/v1/centres", opt={"may": OPERATORS}, status_code=201)
async def join_centre(request: Request[Actor, Any, Any], data: NewCentre) -> dict[str, str]:
    """A centre joins with its offer, or changes it."""
    hub = hub_of(request)
    new = Centre(data.id, data.name, data.name_zh, data.city, data.latitude, data.longitude, data.provider)
    pools = tuple(
        Pool(
            pool.id,
            data.id,
            pool.chip,
            tuple(_node(node) for node in pool.nodes),
            _offer(pool, data.timezone),
        )
        for pool in data.pools
    )
    products = tuple(Product(one.id, one.name, one.unit, one.fen, one.per) for one in data.products)
    joining = network.Joining(new, pools, products)
    call = await call_of(request)
    joined = await network.join_centre(
        hub.db, hub.catalogue, request.user, joining, data.organisation_id, call, hub.clock()
    )
    hub.news.set()
    return {"id": data.id, "state": "joined" if joined else "changed"}


@get("/v1/centres", opt={"may": PUBLIC})
async def list_centres(request: Request[Any, Any, Any]) -> list[CentreLine]:
    """Every centre with its pools and how much of them is taken. Public: it is what the network offers."""
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        records = await centre.centres(tx)
        pools = await centre.pools(tx)
        used = await centre.used_chips(tx)
    return [_centre(record, [pool for pool in pools if pool.centre_id == record.centre.id], used) for record in records]


def _state(record: CentreRecord) -> str:
    if record.lost_s is not None:
        return "lost"
    return "unseen" if record.unseen else "drained" if record.drained else "seen"


def _centre(record: CentreRecord, pools: list[Pool], used: dict[str, tuple[int, int]]) -> CentreLine:
    c = record.centre
    return CentreLine(
        id=c.id,
        name=c.name,
        name_zh=c.name_zh,
        city=c.city,
        latitude=c.latitude,
        longitude=c.longitude,
        organisation_id=record.organisation_id,
        state=_state(record),
        seen_s=record.seen_s,
        agent_release=record.agent_release,
        driver=record.driver,
        pools=[
            PoolLine(
                pool.id,
                pool.chip_id,
                len(pool.nodes),
                pool.chips,
                *used.get(pool.id, (0, 0)),
                pool.offer.fen_per_chip_hour,
                pool.offer.max_walltime_s,
                pool.offer.preemptible_fen_per_chip_hour,
                pool.offer.rate_card,
                pool.offer.until_s,
            )
            for pool in pools
        ],
        warnings=differences(pools, record.inventory),
        lost_s=record.lost_s,
    )


@post("/v1/centres/{centre_id:str}/drain", opt={"may": OPERATORS}, status_code=200)
async def drain(request: Request[Actor, Any, Any], centre_id: str) -> dict[str, str]:
    """No new jobs; those that are there run on."""
    return await _set_drained(request, centre_id, drained=True)


@post("/v1/centres/{centre_id:str}/resume", opt={"may": OPERATORS}, status_code=200)
async def resume(request: Request[Actor, Any, Any], centre_id: str) -> dict[str, str]:
    return await _set_drained(request, centre_id, drained=False)


async def _set_drained(request: Request[Actor, Any, Any], centre_id: str, *, drained: bool) -> dict[str, str]:
    hub = hub_of(request)
    await network.set_drained(hub.db, request.user, centre_id, drained, await call_of(request), hub.clock())
    hub.news.set()
    return {"id": centre_id, "state": "drained" if drained else "resumed"}


@post("/v1/centres/{centre_id:str}/lost", opt={"may": ADMIN}, status_code=200)
async def declare_lost(request: Request[Actor, Any, Any], centre_id: str, data: GivingUp) -> GivenUp:
    """A silent centre will not come back: its attempts are abandoned, their jobs recover elsewhere."""
    hub = hub_of(request)
    call = await call_of(request)
    given_up = await lost.declare_lost(hub.db, hub.catalogue, request.user, centre_id, data.reason, call, hub.clock())
    hub.news.set()
    return given_up


@post("/v1/centres/{centre_id:str}/rejoin", opt={"may": OPERATORS}, status_code=200)
async def rejoin(request: Request[Actor, Any, Any], centre_id: str) -> dict[str, str]:
    """A lost centre that came back is taken up again."""
    hub = hub_of(request)
    await lost.rejoin(hub.db, request.user, centre_id, await call_of(request), hub.clock())
    return {"id": centre_id, "state": "rejoined"}


ROUTES = [
    health,
    me,
    add_organisation,
    issue_token,
    list_tokens,
    revoke_token,
    top_up,
    account,
    join_centre,
    list_centres,
    drain,
    resume,
    declare_lost,
    rejoin,
]
