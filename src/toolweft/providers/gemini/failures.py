"""What Google's APIs say when they refuse or fail, as the project's errors. Pure functions."""

import re
from typing import Final

from toolweft.core.errors import ContextFull, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.providers.waits import parse_seconds

__all__ = ("build_error",)

# Of errors told in the middle of a stream, which have no status of their own.
_STATUS_OF_NAME: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_RETRYABLE: Final = frozenset({408, 429, 500, 502, 503, 504})
_TOO_LONG: Final = re.compile(
    r"exceeds? the maximum number of (input )?tokens|context (window|length)|too many tokens", re.I
)
_BAD_KEY: Final = re.compile(r"api[ _]key (not valid|expired|invalid)|API_KEY_INVALID", re.I)
_KEY_HINT: Final = "look at the key: GEMINI_API_KEY, or what the configuration names"
_HINTS: Final = {
    401: _KEY_HINT,
    403: "the key may not use this model or feature",
    404: "no such model for this key and API; look at its exact name",
    429: "the account's rate limit or quota; ask less often or raise it",
    503: "the vendor is overloaded; try again later",
}
_SIGNATURE: Final = re.compile(r"thought[ _]?signature", re.I)
_SIGNATURE_HINT: Final = "the history was changed: the vendor's own items go back as they came"
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
_MAX_TOLD_CHARACTERS: Final = 500


def build_error(
    body: Json,
    *,
    where: str,
    status: int | None = None,
    retry_after_s: float | None = None,
) -> ProviderError:
    """The error that an answer stands for.

    Args:
        body: parsed, or its text.
        where: vendor and model, for the message.
        status: of the answer; None for an error told within a stream.
        retry_after_s: how long the vendor asked to wait, where its headers say so; else its words
            are looked at.
    """
    error = _read_error(body)
    name = str(error.get("status") or "")
    status = status or _read_status(error, name)
    told = str(error.get("message") or body or "no reason given")[:_MAX_TOLD_CHARACTERS]
    label = ", ".join(str(part) for part in (status, name) if part)
    message = f"{where}: {told} ({label})" if label else f"{where}: {told}"
    if status == 413 or (status == 400 and _TOO_LONG.search(told)):
        return ContextFull(message, hint="shorten the history or begin a new one", status=status)
    if retry_after_s is None:
        retry_after_s = _read_delay_s(error)
    return ProviderError(
        message,
        hint=_choose_hint(status, told),
        retryable=status in _RETRYABLE,
        retry_after_s=retry_after_s,
        status=status,
    )


def _choose_hint(status: int | None, told: str) -> str | None:
    if status == 400 and _BAD_KEY.search(told):
        return _KEY_HINT
    if status == 400 and _SIGNATURE.search(told):
        return _SIGNATURE_HINT
    return _HINTS.get(status or 0)


def _read_error(body: Json) -> JsonObject:
    if isinstance(body, list) and body:
        # Streams of the older form tell an error as the one item of a list.
        body = body[0]
    if isinstance(body, dict):
        inner = body.get("error")
        return inner if isinstance(inner, dict) else body
    return {}


def _read_status(error: JsonObject, name: str) -> int | None:
    code = error.get("code")
    if isinstance(code, int):
        return code
    if isinstance(code, str):
        # Interactions names the kind of an error where generateContent gives a number.
        name = name or code.rsplit("/", 1)[-1].upper()
    return _STATUS_OF_NAME.get(name)


def _read_delay_s(error: JsonObject) -> float | None:
    """The vendor's own words for it: `{"@type": ".../RetryInfo", "retryDelay": "17s"}`."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("@type") == _RETRY_INFO:
            return parse_seconds(str(detail.get("retryDelay")).removesuffix("s"))
    return None
