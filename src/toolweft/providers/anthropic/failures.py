"""What the Messages API says when it refuses or fails, as the project's errors. Pure functions."""

import re
from typing import Final

from toolweft.core.errors import ContextFull, ProviderError, RemoteContainerGone
from toolweft.core.json import Json, JsonObject

__all__ = ("build_error",)

# Of errors told in the middle of a stream, which have no status of their own.
_STATUS_OF_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_RETRYABLE: Final = frozenset({408, 429, 500, 502, 503, 504, 529})
_TOO_LONG: Final = re.compile(
    r"prompt is too long|exceeds? (the )?(model'?s )?context|context (window|limit|length)", re.I
)
_HINTS: Final = {
    401: "look at the key: ANTHROPIC_API_KEY, or what the configuration names",
    402: "the account has no credit left; see the vendor's console",
    403: "the key may not use this model or feature",
    404: "no such model for this key; look at its exact name",
    429: "the account's rate limit; ask less often or raise the limit",
    529: "the vendor is overloaded; try again later",
}
_MAX_TOLD_CHARACTERS: Final = 500


def build_error(
    body: Json,
    *,
    where: str,
    status: int | None = None,
    retry_after_s: float | None = None,
    container_id: str | None = None,
) -> ProviderError:
    """The error that an answer stands for.

    Args:
        body: parsed, or its text.
        where: vendor and model, for the message.
        status: of the answer; None for an error told within a stream.
        retry_after_s: how long the vendor asked to wait.
        container_id: what the request went on in.
    """
    error = _read_error(body)
    kind = str(error.get("type") or "")
    status = status if status is not None else _STATUS_OF_TYPE.get(kind)
    told = str(error.get("message") or body or "no reason given")[:_MAX_TOLD_CHARACTERS]
    code = _read_code(error)
    label = ", ".join(str(part) for part in (status, kind, code) if part)
    message = f"{where}: {told} ({label})" if label else f"{where}: {told}"
    if status == 413 or (status == 400 and _TOO_LONG.search(told)):
        return ContextFull(message, hint="shorten the history or begin a new one", status=status)
    if status == 404 and container_id is not None and "container" in told.lower():
        return RemoteContainerGone(
            message, hint="its state is lost; begin the program anew without it", status=status
        )
    return ProviderError(
        message,
        hint=_HINTS.get(status or 0),
        retryable=status in _RETRYABLE,
        retry_after_s=retry_after_s,
        status=status,
    )


def _read_error(body: Json) -> JsonObject:
    if isinstance(body, dict):
        inner = body.get("error")
        return inner if isinstance(inner, dict) else body
    return {}


def _read_code(error: JsonObject) -> str:
    details = error.get("details")
    return str(details.get("error_code") or "") if isinstance(details, dict) else ""
