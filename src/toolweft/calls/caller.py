"""Turns what went wrong with a call into a failed result: the one place that does.

Sources and policies raise; everything above the road reads a `Failure`.
"""

import logging
import traceback
from collections.abc import Awaitable

from toolweft.core.calls import Failure, ToolResult
from toolweft.core.errors import ToolFailed, ToolweftError
from toolweft.core.ids import CallId

__all__ = ("answer",)

log = logging.getLogger(__name__)

_MAX_MESSAGE_CHARACTERS = 2_000
_INTERNAL_HINT = "this is a fault of the tool's source or of toolweft; its log names the place"


async def answer(call_id: CallId, outcome: Awaitable[ToolResult]) -> ToolResult:
    """The outcome, or a failed result where it raised. A cancellation goes on untouched."""
    try:
        return await outcome
    except Exception as exc:
        known = _unwrap(exc)
        sent = known.sent if isinstance(known, ToolFailed) else None
        failure = _describe(call_id, known)
        return ToolResult(call_id=call_id, is_error=True, failure=failure, sent=sent)


def _describe(call_id: CallId, known: Exception) -> Failure:
    if isinstance(known, ToolweftError):
        return Failure(
            code=known.code, message=known.message, hint=known.hint, retryable=known.retryable
        )
    # The message of a foreign exception may hold arguments, so the log gets the frames alone.
    frames = "".join(traceback.format_tb(known.__traceback__))
    log.error(
        "call.failed_unexpectedly",
        extra={"call_id": call_id, "error_type": type(known).__name__, "frames": frames},
    )
    message = f"{type(known).__name__}: {known}"[:_MAX_MESSAGE_CHARACTERS]
    return Failure(code="internal_error", message=message, hint=_INTERNAL_HINT)


def _unwrap(error: Exception) -> Exception:
    """The one exception inside nested groups of one; task groups wrap what they pass on."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
