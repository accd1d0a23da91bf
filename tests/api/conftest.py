import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from suanwang.api.app import create_app
from suanwang.api.network import new_secret
from suanwang.catalogue import read_catalogue
from suanwang.control import daemon, network
from suanwang.control.daemon import Hub
from suanwang.domain.tenant import ORGANISATION_KIND_OF_ROLE, Actor, OrganisationKind, Role
from suanwang.store import db
from suanwang.store.migrate import migrate
from suanwang.testing.network import START_S, SmallNetwork


@dataclass
class Served:
    """A hub on a real database with one organisation of each kind, two centres, and a token for every role."""

    app: Litestar
    hub: Hub
    net: SmallNetwork
    secrets: dict[Role, str] = field(default_factory=dict)
    other_agent: str = ""
    other_tenant: str = ""

    def client(self, secret: str | None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx.ASGITransport(app=cast(Any, self.app), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://hub", headers=headers)

    async def token(self, actor: Actor) -> str:
        admin, secret = Actor("t", network.NETWORK_ID, Role.NETWORK_ADMIN), new_secret()
        await network.issue_token(self.hub.db, admin, actor, secret, "", None, self.net.call(admin), START_S)
        return secret


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    await migrate(database_url)
    database = await db.connect(database_url)
    net = SmallNetwork(database)
    await net.found()
    hub = Hub(database, read_catalogue(), lambda: net.now_s, unseen_after_s=30)
    one = Served(create_app(hub), hub, net)
    await net.add_tenant("acme", 10**6)
    await net.add_tenant("other", 10**6)
    await net.add_centre("east")
    await net.add_centre("west")
    await net.add_agency("agency")
    owners = {
        OrganisationKind.TENANT: "acme",
        OrganisationKind.CENTRE: "east-org",
        OrganisationKind.AGENCY: "agency",
        OrganisationKind.NETWORK: network.NETWORK_ID,
    }
    for role in Role:
        centre_id = "east" if role is Role.CENTRE_AGENT else None
        actor = Actor("", owners[ORGANISATION_KIND_OF_ROLE[role]], role, centre_id)
        one.secrets[role] = await one.token(actor)
    one.other_agent = await one.token(Actor("", "west-org", Role.CENTRE_AGENT, "west"))
    one.other_tenant = await one.token(Actor("", "other", Role.TENANT_ADMIN))
    loops = asyncio.create_task(daemon.run(hub))
    yield one
    loops.cancel()
    await asyncio.gather(loops, return_exceptions=True)
    await database.close()
