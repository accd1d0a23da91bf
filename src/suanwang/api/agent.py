"""What a centre's agent says and asks."""

import asyncio
from hashlib import sha256
from typing import Any

from litestar import Request, Response, get, post, put

from suanwang.api.access import AGENT, TENANTS, hub_of
from suanwang.control import sync
from suanwang.control.blob import put_blob as put_file
from suanwang.control.daemon import Hub
from suanwang.domain.tenant import Actor, Role
from suanwang.errors import NotFound
from suanwang.protocol import MAX_BLOB_BYTES, LogRequest, RunOrder, StopOrder, SyncReply, SyncRequest
from suanwang.store import blob

MAX_WAIT_S = 25
LOOK_AGAIN_AFTER_S = 0.05
"""An order is shown once every older transaction is over; when there is a bell but no order yet, look again soon."""
LOOK_BESIDE_ANOTHER_S = 1.0
"""Where another hub decides, no bell rings here."""


@post("/v1/agent/{centre_id:str}/sync", opt={"may": AGENT}, status_code=200)
async def exchange(request: Request[Actor, Any, Any], centre_id: str, data: SyncRequest) -> SyncReply:
    """Reports up, orders down. Holds the answer up to `wait_s` while there is nothing to say.

    Repeating a sync is safe: every report has its own number and is applied once.
    """
    hub = hub_of(request)
    taken = await sync.take_reports(hub.db, hub.catalogue, request.user, centre_id, data, hub.clock())
    if taken.news:
        hub.news.set()
    for chunk in data.log_chunks:
        hub.logs.answer(chunk)
    # A centre that has nothing to say must still be heard before it counts as unseen.
    longest_s = min(MAX_WAIT_S, hub.unseen_after_s // 3)
    wait_s = 0 if data.reports or taken.refused else min(max(data.wait_s, 0), longest_s)
    version, orders, logs = await _something_new(hub, centre_id, data.version, wait_s)
    return SyncReply(now_s=hub.clock(), version=version, orders=orders, refused=taken.refused, log_requests=logs)


async def _something_new(
    hub: Hub, centre_id: str, since: int, wait_s: int
) -> tuple[int, tuple[RunOrder | StopOrder, ...], tuple[LogRequest, ...]]:
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    bell = hub.bell(centre_id)
    rung = False
    while True:
        if wait_s:  # an exchange that does not wait leaves the bell to the one that does
            rung = rung or bell.is_set()
            bell.clear()
        version, orders = await sync.read_orders(hub.db, hub.catalogue, centre_id, since)
        logs = hub.logs.take(centre_id)
        left_s = until - loop.time()
        if orders or logs or left_s <= 0:
            return version, orders, logs
        try:
            pause_s = LOOK_AGAIN_AFTER_S if rung else LOOK_BESIDE_ANOTHER_S if hub.standing_by else left_s
            async with asyncio.timeout(min(left_s, pause_s)):
                await bell.wait()
        except TimeoutError:
            continue


@put("/v1/blobs", opt={"may": TENANTS | AGENT}, status_code=200, request_max_body_size=MAX_BLOB_BYTES)
async def put_blob(request: Request[Actor, Any, Any]) -> dict[str, str]:
    """Upload a small file: a working directory or a checkpoint. Its SHA-256 is its name: repeating changes nothing."""
    hub = hub_of(request)
    return {"sha256": await put_file(hub.db, request.user, await request.body(), hub.quotas, hub.clock())}


@get("/v1/blobs/{sha256_hex:str}", opt={"may": TENANTS | AGENT}, media_type="application/octet-stream")
async def get_blob(request: Request[Actor, Any, Any], sha256_hex: str) -> Response[bytes]:
    """One's own files; an agent gets those that its orders name."""
    actor = request.user
    async with hub_of(request).db.transaction(snapshot=True) as tx:
        allowed = await blob.owned_by(tx, sha256_hex, actor.organisation_id)
        if not allowed and actor.role is Role.CENTRE_AGENT and actor.centre_id is not None:
            allowed = await blob.ordered_at(tx, actor.centre_id, sha256_hex)
        if not allowed:
            raise NotFound(f"no file {sha256_hex} of yours", sha256=sha256_hex)
        body = await blob.body(tx, sha256_hex)
    etag = {"etag": f'"{sha256(body).hexdigest()}"'}
    return Response(body, media_type="application/octet-stream", headers=etag)


ROUTES = [exchange, put_blob, get_blob]
