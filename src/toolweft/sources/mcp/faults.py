"""Exceptions and protocol errors as sentences, and faults our own transports put on the wire.

A transport that cannot hand over a response answers the request itself, with an error that names
its kind in `data`. A server that forged one would only change the class of its own error.
"""

from typing import Literal, TypeAlias

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

__all__ = (
    "FAULT_KEY",
    "FaultKind",
    "build_closed",
    "build_fault",
    "find_fault_kind",
    "is_closed",
    "render_exception",
    "unwrap_exception",
)

# too_large: the response is above the cap. malformed: it is no response. refused: HTTP answered
# with an error status. unreachable: no HTTP answer at all. ended: the server forgot our session.
FaultKind: TypeAlias = Literal["too_large", "malformed", "refused", "unreachable", "ended"]

# Where an error says in its `data` which kind it is.
FAULT_KEY = "toolweft.fault"
# What the SDK says of a request whose connection ended; servers use the same code for faults of
# their own, so the text is needed to tell them apart.
_CLOSED_MESSAGE = "Connection closed"


def build_fault(kind: FaultKind, message: str) -> types.ErrorData:
    """An error response in place of one that cannot be handed over."""
    return types.ErrorData(code=types.INTERNAL_ERROR, message=message, data={FAULT_KEY: kind})


def build_closed() -> MCPError:
    """What a request fails with whose connection ended."""
    return MCPError(types.CONNECTION_CLOSED, _CLOSED_MESSAGE)


def find_fault_kind(error: MCPError) -> str | None:
    """The kind of a fault built here; None where the server itself sent the error."""
    return error.data.get(FAULT_KEY) if isinstance(error.data, dict) else None


def is_closed(error: BaseException) -> bool:
    """Whether a request failed only because its connection ended."""
    return (
        isinstance(error, MCPError)
        and error.code == types.CONNECTION_CLOSED
        and error.message == _CLOSED_MESSAGE
    )


def unwrap_exception(error: BaseException) -> BaseException:
    """The first leaf of exception groups, which alone says what happened."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def render_exception(error: BaseException) -> str:
    """One sentence for people: what went wrong, and where in the message it stands."""
    error = unwrap_exception(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]
        )
        return f"its answer does not fit the protocol: {first['msg']} at ${place}"
    if isinstance(error, MCPError):
        return error.message if find_fault_kind(error) else f"{error.message} ({error.code})"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
