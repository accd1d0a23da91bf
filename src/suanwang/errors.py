"""The one exception tree. It knows no HTTP: `api` maps it to problem documents in one table.

    SuanwangError
    ├── Refused                 a "no", with a stable code and the facts behind it
    │   ├── InvalidInput        a field of the input is wrong: names field, value and what is allowed
    │   ├── Unauthenticated     no actor behind the call
    │   ├── NotAllowed          the actor may not do this
    │   ├── NotFound            no such thing, or not visible to the actor
    │   ├── Conflict            the thing is in another state, or a key came again with another body
    │   └── InsufficientValue   an account with a limit cannot cover the movement
    └── Failed                  something outside broke: says what to do next
        ├── Unreachable         hub, database or centre cannot be reached
        └── ProofFailed         a proof of the books or of the records does not hold

A bug is none of these: it raises what Python raises and is not caught.
"""

from typing import Any

MAX_SHOWN_VALUE_LENGTH = 80


class SuanwangError(Exception):
    """Base of all errors that the project raises on purpose.

    `code` is stable and machine-readable; `facts` are the JSON-ready values behind the message.
    """

    code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        if code is not None:
            self.code = code


class Refused(SuanwangError):
    code = "REFUSED"


class InvalidInput(Refused):
    code = "INVALID_INPUT"

    def __init__(self, field: str, value: object, allowed: str, *, code: str | None = None) -> None:
        shown = value if isinstance(value, (int, float, bool, type(None))) else str(value)
        if isinstance(shown, str) and len(shown) > MAX_SHOWN_VALUE_LENGTH:
            shown = shown[: MAX_SHOWN_VALUE_LENGTH - 1] + "…"
        super().__init__(
            f"{field}: {shown!r} is not allowed; {allowed}", code=code, field=field, value=shown, allowed=allowed
        )


class Unauthenticated(Refused):
    code = "UNAUTHENTICATED"


class NotAllowed(Refused):
    code = "NOT_ALLOWED"


class NotFound(Refused):
    code = "NOT_FOUND"


class Conflict(Refused):
    code = "CONFLICT"


class InsufficientValue(Refused):
    code = "INSUFFICIENT_VALUE"


class Failed(SuanwangError):
    code = "FAILED"


class Unreachable(Failed):
    code = "UNREACHABLE"


class ProofFailed(Failed):
    code = "PROOF_FAILED"
