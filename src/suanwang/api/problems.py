"""Errors as problem documents (RFC 9457), in one table."""

import logging
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from suanwang.errors import (
    Conflict,
    Failed,
    InsufficientValue,
    InvalidInput,
    NotAllowed,
    NotFound,
    Refused,
    SuanwangError,
    Unauthenticated,
    Unreachable,
)

log = logging.getLogger("suanwang.api")
MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[SuanwangError], tuple[int, str]] = {
    InvalidInput: (422, "The input is not allowed"),
    Unauthenticated: (401, "Who are you?"),
    NotAllowed: (403, "This actor may not do this"),
    NotFound: (404, "There is no such thing"),
    Conflict: (409, "The state does not allow it"),
    InsufficientValue: (422, "Not enough value"),
    Refused: (422, "Refused"),
    Unreachable: (503, "Something outside does not answer"),
    Failed: (500, "Something outside broke"),
}


def problem(status: int, title: str, code: str, detail: str, facts: dict[str, Any]) -> Response[bytes]:
    body = {
        "type": f"urn:suanwang:problem:{code.lower()}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "facts": facts,
    }
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Response(msgspec.json.encode(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def of_refusal(_: Request[Any, Any, Any], error: SuanwangError) -> Response[bytes]:
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS)
    status, title = STATUS[kind]
    return problem(status, title, error.code, error.message, _plain(error.facts))


def of_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses itself: unknown path, wrong method, oversize, a body that does not fit its type."""
    if isinstance(error, ValidationException):
        found = error.extra if isinstance(error.extra, list) else []
        shown = "; ".join(
            f"{item.get('key', 'body')}: {item.get('message', '')}" for item in found if isinstance(item, dict)
        )
        detail = shown or error.detail
        return problem(422, "The input is not allowed", "INVALID_INPUT", detail, {"fields": _plain(found)})
    title = {404: "There is no such thing", 405: "Another method is needed", 413: "Too large"}.get(
        error.status_code, "Refused"
    )
    code = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}.get(
        error.status_code, "HTTP_ERROR"
    )
    return problem(error.status_code, title, code, error.detail or title, {})


def of_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug tells the caller nothing but a number to quote."""
    incident = uuid4().hex[:12]
    log.error("incident %s at %s %s", incident, request.method, request.url.path, exc_info=error)
    detail = f"the hub made a mistake; its log knows it as incident {incident}"
    return problem(500, "A bug", "BUG", detail, {"incident": incident})


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str, str_keys=True)


def of_depth(_: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """The decoder's own limit: no message of ours is nested so deeply."""
    return problem(422, "The input is not allowed", "TOO_DEEP", "the body is nested too deeply", {})


def of_text(_: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[bytes]:
    """A body that claims to be text and is none."""
    return problem(422, "The input is not allowed", "NOT_UTF8", "the body is not UTF-8", {})


HANDLERS: dict[Any, Any] = {
    SuanwangError: of_refusal,
    HTTPException: of_http,
    RecursionError: of_depth,
    UnicodeDecodeError: of_text,
    Exception: of_bug,
}
