"""The hub's own loops, and what its parts share in memory. The only `while True` of the hub.

Nothing here is state: a hub that dies and comes back reads everything from the database. Events wake the loops at once;
the pauses are only for what nobody announces.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from suanwang.control import blob, prove, seal, submit, sync, voucher
from suanwang.control.offers import Market
from suanwang.control.schedule import Brain, awaken, schedule
from suanwang.control.submit import Submission
from suanwang.domain.centre import Catalogue, Node, Offer, Pool
from suanwang.domain.job import Objective
from suanwang.domain.scheduling.events import Ask, AskVariant, JobQueued, PoolSet
from suanwang.domain.scheduling.policy import Policy
from suanwang.domain.scheduling.scheduler import quote, step
from suanwang.domain.scheduling.state import State
from suanwang.domain.tenant import Quotas
from suanwang.errors import Conflict, SuanwangError, Unreachable
from suanwang.protocol import LogChunk, LogRequest
from suanwang.store import event
from suanwang.store.db import Database
from suanwang.store.seat import seat
from suanwang.units import SECONDS_PER_DAY
from suanwang.wire import SubmittedJob

log = logging.getLogger("suanwang.hub")
THINK_AT_LEAST_EVERY_S = 1.0
THINK_AGAIN_AFTER_S = 0.05
LOOK_AROUND_EVERY_S = 1.0
CLEAN_UP_EVERY_S = 3_600.0  # house: a pause of the loop, not a conversion
SEAL_EVERY_S = 10.0
PROVE_AT_HOUR = 3
"""Of every night, by the billing zone's clock."""
PROVE_PAUSE_S = 60.0  # house: a pause of the loop, not a conversion
PAUSE_AFTER_TROUBLE_S = 0.5
HELD_BACK_TOLD_AFTER_S = 10
HELD_BACK_TOLD_EVERY_S = 60.0  # house: a pause of the loop, not a conversion
MAX_JOBS_TOGETHER = 1_000
"""How many jobs of several calls go into one transaction; a single call may be larger."""
CLERKS = 2
"""One works the next jobs out while the other waits for the disk."""


@dataclass(slots=True)
class LogDesk:
    """Who is waiting to read which log. Logs stay at their centres; a piece is fetched when somebody reads."""

    waiting: dict[str, dict[str, LogRequest]] = field(default_factory=dict)
    answers: dict[str, asyncio.Future[LogChunk]] = field(default_factory=dict)

    def ask(self, centre_id: str, request: LogRequest) -> asyncio.Future[LogChunk]:
        self.waiting.setdefault(centre_id, {})[request.request_id] = request
        self.answers[request.request_id] = asyncio.get_running_loop().create_future()
        return self.answers[request.request_id]

    def take(self, centre_id: str) -> tuple[LogRequest, ...]:
        """What this centre's agent should answer; handed out once."""
        return tuple(self.waiting.pop(centre_id, {}).values())

    def answer(self, chunk: LogChunk) -> None:
        future = self.answers.pop(chunk.request_id, None)
        if future is not None and not future.done():
            future.set_result(chunk)

    def give_up(self, centre_id: str, request_id: str) -> None:
        self.waiting.get(centre_id, {}).pop(request_id, None)
        self.answers.pop(request_id, None)


@dataclass(slots=True)
class SubmissionDesk:
    """Calls that came while others were being written: they go together, in one transaction."""

    waiting: "deque[tuple[Submission, asyncio.Future[list[SubmittedJob]]]]" = field(default_factory=deque)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def submit(self, submission: Submission) -> "asyncio.Future[list[SubmittedJob]]":
        """The answer to one call, once it is durable. Raises what it was refused for."""
        future: asyncio.Future[list[SubmittedJob]] = asyncio.get_running_loop().create_future()
        self.waiting.append((submission, future))
        self.came.set()
        return future

    async def take(self) -> "list[tuple[Submission, asyncio.Future[list[SubmittedJob]]]]":
        """What waits, as far as it should go together; waits for the first."""
        while not self.waiting:
            self.came.clear()
            await self.came.wait()
        taken: dict[tuple[str, str], tuple[Submission, asyncio.Future[list[SubmittedJob]]]] = {}
        count = 0
        while self.waiting:
            submission = self.waiting[0][0]
            key = (submission.call.organisation_id, submission.call.key)
            count += len(submission.specs)
            if taken and (key in taken or count > MAX_JOBS_TOGETHER):
                break
            taken[key] = self.waiting.popleft()
        return list(taken.values())


LIVE_POLICY = Policy(order="fcfs")
"""Nobody can put itself before other organisations."""


@dataclass(slots=True)
class Hub:
    """What the HTTP side and the loops share."""

    db: Database
    catalogue: Catalogue
    clock: Callable[[], int]
    unseen_after_s: int
    policy: Policy = LIVE_POLICY
    brain: Brain | None = None
    standing_by: bool = False
    """Another hub on the same database decides."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be something to decide."""
    orders: dict[str, asyncio.Event] = field(default_factory=dict)
    """Centre -> set when its agent may have new orders."""
    logs: LogDesk = field(default_factory=LogDesk)
    market: Market = field(default_factory=Market)
    submissions: SubmissionDesk = field(default_factory=SubmissionDesk)
    quotas: Quotas = field(default_factory=Quotas)
    keep_s: int = 30 * SECONDS_PER_DAY
    """How long answers to calls and files that nobody needs are kept."""
    billing_zone: str = "Asia/Shanghai"
    """Where a month of a bill begins at midnight."""

    def bell(self, centre_id: str) -> asyncio.Event:
        return self.orders.setdefault(centre_id, asyncio.Event())


def warm_up() -> None:
    """Have the scheduling core compiled (once for this installation) before anybody waits for it."""
    state, policy = State(), Policy()
    pool = Pool("warm", "warm", "warm", (Node("warm", 1, 1),), Offer(1, 1))
    variant = AskVariant(frozenset({"warm"}), 1)
    ask = Ask(
        job_id="warm",
        tenant_id="warm",
        attempt=1,
        submitted_s=0,
        num_nodes=1,
        walltime_s=1,
        priority=0,
        objective=Objective.BALANCED,
        ordered=False,
        max_cost_fen=None,
        variants=(variant,),
    )
    step(state, policy, 0, [PoolSet(pool), JobQueued(ask, 0)])
    quote(state, policy, 0, ask)


async def run(hub: Hub) -> None:
    """Until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_think(hub))
        tasks.create_task(_look_around(hub))
        tasks.create_task(_keep_house(hub))
        tasks.create_task(_watch_cursors(hub))
        tasks.create_task(_seal(hub))
        tasks.create_task(_prove_nightly(hub))
        for _ in range(CLERKS):
            tasks.create_task(_take_submissions(hub))


async def _think(hub: Hub) -> None:
    """The brain: awake while the database answers and no other hub decides; else it stands by."""
    while True:
        try:
            async with seat(hub.db.url, lambda: _stand_by(hub)) as ours:
                if hub.standing_by:
                    log.warning("the hub that decided is silent: this one decides now")
                hub.standing_by = False
                await _decide(hub, ours)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # without the database nothing is decided; it is asked again
            _tell(error, "the brain cannot take its seat")
        hub.brain = None
        await asyncio.sleep(PAUSE_AFTER_TROUBLE_S)


def _stand_by(hub: Hub) -> None:
    if not hub.standing_by:
        log.warning("another hub decides for this network: this one stands by, and takes over when that is silent")
    hub.standing_by = True


async def _decide(hub: Hub, ours: Callable[[], bool]) -> None:
    """While the seat is ours. The brain is rebuilt from the database after any trouble."""
    while ours():
        try:
            if hub.brain is None:
                hub.brain = await awaken(hub.db, hub.catalogue, hub.clock())
            hub.news.clear()
            for centre_id in await schedule(hub.db, hub.brain, hub.policy, hub.clock()):
                hub.bell(centre_id).set()
            # A placement was refused: why stands in the trace, at the latest when older transactions are over.
            pause_s = THINK_AGAIN_AFTER_S if hub.brain.refused else THINK_AT_LEAST_EVERY_S
            await _woken(hub.news, pause_s)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever went wrong, the records are right: think anew from them
            hub.brain = None
            _tell(error, "the brain starts anew")
            if isinstance(error, Conflict) and error.code == "BRAIN_REPLACED":
                return
            await asyncio.sleep(PAUSE_AFTER_TROUBLE_S)


async def _take_submissions(hub: Hub) -> None:
    """A clerk: whatever waits at the desk goes into one transaction, and each call gets its own answer."""
    while True:
        taken = await hub.submissions.take()
        together = [submission for submission, _ in taken]
        outcomes: list[list[SubmittedJob] | Exception] = []
        try:
            outcomes += await submit.submit_together(
                hub.db, hub.catalogue, hub.market, together, hub.clock(), hub.quotas
            )
        except Exception as error:  # whoever called hears of it
            outcomes += [error] * len(taken)
        hub.news.set()
        for (_, future), outcome in zip(taken, outcomes, strict=True):
            if future.done():  # the caller has gone
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


async def _look_around(hub: Hub) -> None:
    """What nobody announces: centres that fell silent, vouchers that ended."""
    while True:
        try:
            if await sync.mark_unseen(hub.db, hub.unseen_after_s, hub.clock()):
                hub.news.set()
            await voucher.expire_vouchers(hub.db, hub.clock())
        except asyncio.CancelledError:
            raise
        except Exception as error:  # tried again at the next look
            _tell(error, "looking around failed")
        await asyncio.sleep(LOOK_AROUND_EVERY_S)


async def _keep_house(hub: Hub) -> None:
    """What was kept long enough goes."""
    while True:
        try:
            gone = await blob.clean_up(hub.db, hub.keep_s, hub.clock())
            if gone.answers or gone.blobs:
                log.info("cleaned up: %d answers, %d files, %d bytes", gone.answers, gone.blobs, gone.blob_bytes)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # tried again at the next round
            _tell(error, "cleaning up failed")
        await asyncio.sleep(CLEAN_UP_EVERY_S)


async def _seal(hub: Hub) -> None:
    """What was recorded meanwhile is sealed."""
    while True:
        try:
            await seal.seal_all(hub.db, hub.clock())
        except asyncio.CancelledError:
            raise
        except Exception as error:  # tried again at the next round
            _tell(error, "sealing the book failed")
        await asyncio.sleep(SEAL_EVERY_S)


async def _prove_nightly(hub: Hub) -> None:
    due_s = next_night_s(hub.clock(), hub.billing_zone)
    while True:
        if hub.clock() >= due_s:
            try:
                if not hub.standing_by:
                    await prove_tonight(hub)
                due_s = next_night_s(hub.clock(), hub.billing_zone)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # tried again in a minute
                _tell(error, "the nightly proof failed")
        await asyncio.sleep(PROVE_PAUSE_S)


def next_night_s(now_s: int, zone: str) -> int:
    """When the next nightly proof is due."""
    local = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(zone))
    due = local.replace(hour=PROVE_AT_HOUR, minute=0, second=0, microsecond=0)
    return int((due if due > local else due + timedelta(days=1)).timestamp())


async def prove_tonight(hub: Hub) -> None:
    """All proofs; what they say is an event, and a line of the hub's log."""
    found = await prove.prove(hub.db, hub.clock())
    broken = [one.name for one in found.proofs if not one.holds]
    async with hub.db.transaction() as tx:
        body = {"hold": found.hold, "broken": broken}
        await event.append(tx, hub.clock(), "network", [event.NewEvent("proved", body=body)])
    if broken:
        log.error("the nightly proof found contradictions: %s; see `suanwang prove`", ", ".join(broken))
    else:
        log.info("the nightly proof holds: %d statements", len(found.proofs))


async def _watch_cursors(hub: Hub) -> None:
    while True:
        told = False
        try:
            told = await tell_if_held_back(hub)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # tried again at the next look
            _tell(error, "looking at the cursors failed")
        await asyncio.sleep(HELD_BACK_TOLD_EVERY_S if told else HELD_BACK_TOLD_AFTER_S)


async def tell_if_held_back(hub: Hub) -> bool:
    """Events wait for the oldest transaction of the whole cluster; somebody else's can keep the brain waiting."""
    async with hub.db.transaction(snapshot=True) as tx:
        held = await event.held_back(tx)
    if held is None or hub.clock() - held.since_s < HELD_BACK_TOLD_AFTER_S:
        return False
    for_s = hub.clock() - held.since_s
    log.warning("events of the last %d s are held back by %s: nothing new is placed", for_s, held.holder)
    return True


def _tell(error: Exception, what: str) -> None:
    if isinstance(error, Unreachable):
        log.warning("%s: %s", what, error)
    elif isinstance(error, Conflict):
        log.error("%s: %s", what, error)
    elif isinstance(error, SuanwangError):
        log.error("%s: %s %s", what, error.code, error)
    else:
        log.exception("%s", what)


async def _woken(event: asyncio.Event, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        pass
