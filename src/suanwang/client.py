"""Typed HTTP client of the hub, for the command line, the agent and anybody's programs.

Every write carries an idempotency key; a call whose answer was lost is sent again with the same key: it happens once.

    async with Client("http://127.0.0.1:7700", token) as hub:
        quote = await hub.quote(JobRequest(task=text))
"""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx
import msgspec

from suanwang import __version__
from suanwang.domain.voucher import Listing
from suanwang.errors import (
    Conflict,
    Failed,
    InvalidInput,
    NotAllowed,
    NotFound,
    Refused,
    SuanwangError,
    Unauthenticated,
    Unreachable,
)
from suanwang.protocol import SyncReply, SyncRequest
from suanwang.wire import (
    Account,
    Bill,
    BookingLine,
    CentreLine,
    CentreStatement,
    ClaimAnswer,
    ClawBackLine,
    Decision,
    DisputeAnswer,
    DisputeLine,
    Due,
    EventLine,
    GivenUp,
    GivingUp,
    Identity,
    IssuedToken,
    JobList,
    JobRequest,
    Log,
    MaintenanceLine,
    NewBooking,
    NewBudget,
    NewCentre,
    NewClaim,
    NewClawBack,
    NewDispute,
    NewFunding,
    NewListing,
    NewMaintenance,
    NewOrder,
    NewOrganisation,
    NewProgramme,
    NewProject,
    NewRefund,
    NewRepayment,
    NewToken,
    NewTopUp,
    NewUse,
    OrderLine,
    OrderReceipt,
    PeriodLine,
    ProductLine,
    ProgrammeLine,
    ProjectAlert,
    ProjectLine,
    Proofs,
    Proposal,
    Quote,
    Receipt,
    RefundLine,
    Rejection,
    SealLine,
    Settlement,
    SettlementBatch,
    Statement,
    Submission,
    Submitted,
    TokenLine,
    UseLine,
    VoucherLine,
)

T = TypeVar("T")
_REFUSALS: dict[int, type[Refused]] = {401: Unauthenticated, 403: NotAllowed, 404: NotFound, 409: Conflict}
_RETRY_AFTER_S = (0.2, 1.0, 3.0)


class Client:
    """One token's view of one hub. Raises `errors.Refused` for its "no" and `errors.Unreachable` for its silence."""

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 30.0, retry: bool = True) -> None:
        headers = {"user-agent": f"suanwang/{__version__}"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        # No proxy from the environment between an agent and its hub unless the operator's httpx settings say so.
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)
        self._url = url
        self._retry = retry

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # Who and what is there

    async def me(self) -> Identity:
        return await self._get("/v1/me", Identity)

    async def centres(self) -> list[CentreLine]:
        return await self._get("/v1/centres", list[CentreLine])

    async def account(self) -> Account:
        return await self._get("/v1/account", Account)

    async def add_organisation(self, new: NewOrganisation) -> None:
        await self._post("/v1/organisations", new, dict[str, Any])

    async def issue_token(self, new: NewToken) -> IssuedToken:
        return await self._post("/v1/tokens", new, IssuedToken)

    async def tokens(self) -> list[TokenLine]:
        return await self._get("/v1/tokens", list[TokenLine])

    async def revoke_token(self, token_id: str) -> None:
        await self._send("DELETE", f"/v1/tokens/{token_id}", None, dict[str, Any])

    async def top_up(self, new: NewTopUp) -> None:
        await self._post("/v1/top-ups", new, dict[str, Any])

    async def join_centre(self, new: NewCentre) -> bool:
        """Returns whether it is new; else its offer is changed."""
        answer = await self._post("/v1/centres", new, dict[str, str])
        return answer.get("state") != "changed"

    async def drain(self, centre_id: str) -> None:
        await self._post(f"/v1/centres/{centre_id}/drain", None, dict[str, Any])

    async def resume(self, centre_id: str) -> None:
        await self._post(f"/v1/centres/{centre_id}/resume", None, dict[str, Any])

    async def declare_lost(self, centre_id: str, reason: str, *, key: str | None = None) -> GivenUp:
        return await self._post(f"/v1/centres/{_path(centre_id)}/lost", GivingUp(reason=reason), GivenUp, key=key)

    async def rejoin(self, centre_id: str) -> None:
        await self._post(f"/v1/centres/{_path(centre_id)}/rejoin", None, dict[str, Any])

    # Products besides chip-hours, and orders of them

    async def products(self) -> list[ProductLine]:
        return await self._get("/v1/products", list[ProductLine])

    async def create_order(self, new: NewOrder, *, key: str | None = None) -> OrderLine:
        return await self._post("/v1/orders", new, OrderLine, key=key)

    async def orders(self) -> list[OrderLine]:
        return await self._get("/v1/orders", list[OrderLine])

    async def order(self, reference: str) -> OrderReceipt:
        """By number, id or start of the id."""
        return await self._get(f"/v1/orders/{_path(reference)}", OrderReceipt)

    async def close_order(self, reference: str) -> OrderLine:
        return await self._post(f"/v1/orders/{_path(reference)}/close", None, OrderLine)

    async def report_use(self, centre_id: str, reference: str, new: NewUse, *, key: str | None = None) -> UseLine:
        path = f"/v1/agent/{_path(centre_id)}/orders/{_path(reference)}/uses"
        return await self._post(path, new, UseLine, key=key)

    # Projects

    async def add_project(self, new: NewProject, *, key: str | None = None) -> ProjectLine:
        return await self._post("/v1/projects", new, ProjectLine, key=key)

    async def projects(self) -> list[ProjectLine]:
        return await self._get("/v1/projects", list[ProjectLine])

    async def project(self, name: str) -> ProjectLine:
        return await self._get(f"/v1/projects/{_path(name)}", ProjectLine)

    async def set_budget(self, name: str, new: NewBudget, *, key: str | None = None) -> ProjectLine:
        return await self._post(f"/v1/projects/{_path(name)}/budget", new, ProjectLine, key=key)

    async def project_alerts(self) -> list[ProjectAlert]:
        return await self._get("/v1/project-alerts", list[ProjectAlert])

    # The calendar of centres

    async def book(self, new: NewBooking) -> None:
        await self._post("/v1/bookings", new, dict[str, Any])

    async def bookings(self, past: bool = False) -> list[BookingLine]:
        return await self._get("/v1/bookings", list[BookingLine], {"past": past})

    async def unbook(self, booking_id: str) -> None:
        await self._send("DELETE", f"/v1/bookings/{_path(booking_id)}", None, dict[str, Any])

    async def plan_maintenance(self, new: NewMaintenance) -> None:
        await self._post("/v1/maintenance", new, dict[str, Any])

    async def maintenance(self, past: bool = False) -> list[MaintenanceLine]:
        return await self._get("/v1/maintenance", list[MaintenanceLine], {"past": past})

    async def cancel_maintenance(self, window_id: str) -> None:
        await self._send("DELETE", f"/v1/maintenance/{_path(window_id)}", None, dict[str, Any])

    # Jobs

    async def quote(self, request: JobRequest) -> Quote:
        return await self._post("/v1/quotes", request, Quote)

    async def submit(self, submission: Submission, *, key: str | None = None) -> Submitted:
        return await self._post("/v1/jobs", submission, Submitted, key=key)

    async def jobs(
        self, *, states: tuple[str, ...] = (), centre: str | None = None, before: int | None = None, limit: int = 100
    ) -> JobList:
        query: dict[str, Any] = {"limit": limit, "state": list(states)}
        if before is not None:
            query["before"] = before
        if centre is not None:
            query["centre"] = centre
        return await self._get("/v1/jobs", JobList, query)

    async def job(self, reference: str) -> Receipt:
        """By id, start of the id, number or name."""
        return await self._get(f"/v1/jobs/{_path(reference)}", Receipt)

    async def job_events(self, reference: str) -> list[EventLine]:
        return await self._get(f"/v1/jobs/{_path(reference)}/events", list[EventLine])

    async def log(self, reference: str, *, offset: int = 0, attempt: int | None = None) -> Log:
        query: dict[str, Any] = {"offset": offset}
        if attempt is not None:
            query["attempt"] = attempt
        return await self._get(f"/v1/jobs/{_path(reference)}/log", Log, query)

    async def cancel(self, reference: str) -> str:
        """Returns the job's state after the call."""
        answer = await self._post(f"/v1/jobs/{_path(reference)}/cancel", None, dict[str, str])
        return answer["state"]

    async def abandon(self, reference: str, reason: str, *, key: str | None = None) -> GivenUp:
        """Gives up the attempt of a job at a silent centre."""
        return await self._post(f"/v1/jobs/{_path(reference)}/abandon", GivingUp(reason=reason), GivenUp, key=key)

    async def refund(
        self, reference: str, amount_fen: int, reason: str, attempt: int | None = None, *, key: str | None = None
    ) -> RefundLine:
        new = NewRefund(amount_fen=amount_fen, reason=reason, attempt=attempt)
        return await self._post(f"/v1/jobs/{_path(reference)}/refunds", new, RefundLine, key=key)

    async def open_dispute(
        self, reference: str, reason: str, attempt: int | None = None, *, key: str | None = None
    ) -> DisputeLine:
        new = NewDispute(reason=reason, attempt=attempt)
        return await self._post(f"/v1/jobs/{_path(reference)}/disputes", new, DisputeLine, key=key)

    async def disputes(self) -> list[DisputeLine]:
        return await self._get("/v1/disputes", list[DisputeLine])

    async def resolve_dispute(
        self, number: int, refund_fen: int, reason: str, *, key: str | None = None
    ) -> DisputeLine:
        new = DisputeAnswer(refund_fen=refund_fen, reason=reason)
        return await self._post(f"/v1/disputes/{number}/answer", new, DisputeLine, key=key)

    # Vouchers

    async def add_programme(self, new: NewProgramme) -> ProgrammeLine:
        return await self._post("/v1/programmes", new, ProgrammeLine)

    async def programmes(self) -> list[ProgrammeLine]:
        return await self._get("/v1/programmes", list[ProgrammeLine])

    async def fund(self, programme_id: str, amount_fen: int, *, key: str | None = None) -> None:
        await self._post(
            f"/v1/programmes/{_path(programme_id)}/fundings", NewFunding(amount_fen=amount_fen), dict[str, Any], key=key
        )

    async def change_list(self, new: NewListing) -> bool:
        """False if it was so already."""
        answer = await self._post("/v1/provider-lists", new, dict[str, bool])
        return answer["changed"]

    async def provider_lists(self, past: bool = False) -> list[Listing]:
        return await self._get("/v1/provider-lists", list[Listing], {"past": past})

    async def claim(self, new: NewClaim, *, key: str | None = None) -> ClaimAnswer:
        return await self._post("/v1/claims", new, ClaimAnswer, key=key)

    async def claims(self) -> list[ClaimAnswer]:
        return await self._get("/v1/claims", list[ClaimAnswer])

    async def decide(self, claim_id: str, amount_fen: int) -> ClaimAnswer:
        return await self._post(f"/v1/claims/{_path(claim_id)}/decision", Decision(amount_fen=amount_fen), ClaimAnswer)

    async def vouchers(self) -> list[VoucherLine]:
        return await self._get("/v1/vouchers", list[VoucherLine])

    async def claw_back(
        self, voucher_id: str, reason: str, used_fen: int = 0, *, key: str | None = None
    ) -> ClawBackLine:
        new = NewClawBack(reason=reason, used_fen=used_fen)
        return await self._post(f"/v1/vouchers/{_path(voucher_id)}/claw-back", new, ClawBackLine, key=key)

    async def repay(self, voucher_id: str, amount_fen: int, *, key: str | None = None) -> ClawBackLine:
        new = NewRepayment(amount_fen=amount_fen)
        return await self._post(f"/v1/vouchers/{_path(voucher_id)}/repayments", new, ClawBackLine, key=key)

    # Bills and proofs

    async def owed(self) -> Settlement:
        return await self._get("/v1/settlement", Settlement)

    async def settle(self, *, key: str | None = None) -> Settlement:
        return await self._post("/v1/settlements", None, Settlement, key=key)

    async def propose_settlement(self, period: str, *, key: str | None = None) -> Proposal:
        return await self._post(f"/v1/periods/{_path(period)}/settlements", None, Proposal, key=key)

    async def settlements(self, period: str | None = None) -> list[SettlementBatch]:
        """The oldest first, without their lines."""
        return await self._get("/v1/settlements", list[SettlementBatch], {"period": period} if period else {})

    async def dues(self, period: str | None = None) -> list[Due]:
        """What programmes and their funders owe for batches."""
        return await self._get("/v1/dues", list[Due], {"period": period} if period else {})

    async def settlement(self, batch_id: str) -> SettlementBatch:
        return await self._get(f"/v1/settlements/{_path(batch_id)}", SettlementBatch)

    async def approve_settlement(self, batch_id: str, *, key: str | None = None) -> SettlementBatch:
        return await self._post(f"/v1/settlements/{_path(batch_id)}/approve", None, SettlementBatch, key=key)

    async def reject_settlement(self, batch_id: str, reason: str, *, key: str | None = None) -> SettlementBatch:
        new = Rejection(reason=reason)
        return await self._post(f"/v1/settlements/{_path(batch_id)}/reject", new, SettlementBatch, key=key)

    async def pay_settlement(self, batch_id: str, *, key: str | None = None) -> SettlementBatch:
        return await self._post(f"/v1/settlements/{_path(batch_id)}/pay", None, SettlementBatch, key=key)

    async def periods(self) -> list[PeriodLine]:
        """The closed ones in their order, and the next, which is open."""
        return await self._get("/v1/periods", list[PeriodLine])

    async def period(self, name: str) -> PeriodLine:
        return await self._get(f"/v1/periods/{_path(name)}", PeriodLine)

    async def close_period(self, name: str, *, key: str | None = None) -> PeriodLine:
        return await self._post(f"/v1/periods/{_path(name)}/close", None, PeriodLine, key=key)

    async def statement(self, name: str, organisation_id: str | None = None) -> Statement:
        """Of this tenant, or for the network's oversight, of any."""
        asked = {"organisation": organisation_id} if organisation_id else {}
        return await self._get(f"/v1/periods/{_path(name)}/statement", Statement, asked)

    async def centre_statements(self, name: str) -> list[CentreStatement]:
        """Of the centres of this organisation, or for the network's oversight, of all."""
        return await self._get(f"/v1/periods/{_path(name)}/centres", list[CentreStatement])

    async def bill(self, name: str) -> Bill:
        return await self._get(f"/v1/periods/{_path(name)}/bill", Bill)

    async def seals(self, limit: int = 10) -> list[SealLine]:
        """The newest first."""
        return await self._get("/v1/seals", list[SealLine], {"limit": limit})

    async def read_book(self, from_s: int | None = None, until_s: int | None = None) -> AsyncIterator[str]:
        """Lines of the book that was recorded in this time, with its seals."""
        query = {name: at_s for name, at_s in (("from_s", from_s), ("until_s", until_s)) if at_s is not None}
        rest = b""
        try:
            async with self._http.stream("GET", "/v1/book", params=query) as answer:
                if answer.status_code >= httpx.codes.BAD_REQUEST:
                    await answer.aread()
                    raise _error(answer)
                async for piece in answer.aiter_bytes():
                    *whole, rest = (rest + piece).split(b"\n")
                    for line in whole:
                        yield line.decode()
        except httpx.HTTPError as error:
            raise self._silence(error) from error

    async def prove(self) -> Proofs:
        return await self._get("/v1/proofs", Proofs)

    # Files and the agent's exchange

    async def put_blob(self, body: bytes) -> str:
        """Upload a small file; returns its SHA-256 (hex), checked against what was sent."""
        answer = await self._send("PUT", "/v1/blobs", body, dict[str, str])
        if answer["sha256"] != sha256(body).hexdigest():
            raise Failed("the hub stored another content than was sent; try again")
        return answer["sha256"]

    async def get_blob(self, sha256_hex: str) -> bytes:
        response = await self._attempt("GET", f"/v1/blobs/{_path(sha256_hex)}", None, {}, {})
        return response.content

    async def sync(self, centre_id: str, request: SyncRequest) -> SyncReply:
        """One exchange of a centre's agent. Not retried here: the agent's loop knows better."""
        body = msgspec.json.encode(request)
        timeout_s = request.wait_s + 20.0
        headers = {"content-type": "application/json"}
        response = await self._once("POST", f"/v1/agent/{_path(centre_id)}/sync", body, headers, {}, timeout_s)
        return _decoded(response, SyncReply)

    # How

    async def _get(self, path: str, kind: type[T], query: dict[str, Any] | None = None) -> T:
        return _decoded(await self._attempt("GET", path, None, {}, query or {}), kind)

    async def _post(self, path: str, body: object, kind: type[T], *, key: str | None = None) -> T:
        return await self._send("POST", path, body, kind, key=key)

    async def _send(self, method: str, path: str, body: object, kind: type[T], *, key: str | None = None) -> T:
        headers = {"idempotency-key": key or str(uuid4())}
        if isinstance(body, bytes):
            content = body
            headers["content-type"] = "application/octet-stream"
        else:
            content = b"{}" if body is None else msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        return _decoded(await self._attempt(method, path, content, headers, {}), kind)

    async def _attempt(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str], query: dict[str, Any]
    ) -> httpx.Response:
        """Send; on silence or an overloaded hub send again. Safe: reads change nothing and writes have a key."""
        for pause_s in _RETRY_AFTER_S if self._retry else ():
            try:
                return await self._once(method, path, content, headers, query, None)
            except Unreachable:
                await asyncio.sleep(pause_s)
        return await self._once(method, path, content, headers, query, None)

    async def _once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: dict[str, str],
        query: dict[str, Any],
        timeout_s: float | None,
    ) -> httpx.Response:
        try:
            response = await self._http.request(
                method,
                path,
                content=content,
                headers=headers,
                params=query,
                timeout=timeout_s if timeout_s is not None else httpx.USE_CLIENT_DEFAULT,
            )
        except httpx.HTTPError as error:
            raise self._silence(error) from error
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise _error(response)
        return response

    def _silence(self, error: httpx.HTTPError) -> Unreachable:
        return Unreachable(
            f"the hub at {self._url} does not answer ({type(error).__name__}); is it running (`suanwang up`)?",
            code="HUB_UNREACHABLE",
            url=self._url,
        )


def _path(reference: str) -> str:
    """One path segment of user text."""
    if not reference or reference in (".", ".."):
        raise InvalidInput("reference", reference, "an id, a number or a name")
    return httpx.URL("/", params={"": reference}).query.decode()[1:].replace("+", "%20")


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content or b"null", type=kind)
    except msgspec.DecodeError as error:
        raise Failed(f"the hub's answer is not understood ({error}); is it another release?") from error


def _error(response: httpx.Response) -> SuanwangError:
    """The hub's problem document (RFC 9457) as an error of ours."""
    try:
        problem = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    message = str(problem.get("detail") or f"the hub answered {response.status_code}")
    code = str(problem.get("code") or "HTTP_ERROR")
    facts = {str(key): value for key, value in dict(problem.get("facts") or {}).items()}
    if response.status_code in (502, 503, 504):
        return Unreachable(message, code=code, **facts)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Failed(message, code=code, **facts)
    return _REFUSALS.get(response.status_code, Refused)(message, code=code, **facts)
