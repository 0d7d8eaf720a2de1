"""Errors of OpenAI's APIs, and of servers that speak like them, as toolweft's own.

Plain functions on what came back; nothing of the SDK is known here.
"""

from typing import Final

from toolweft.core.errors import ContextFull, ProviderError
from toolweft.core.json import Json

__all__ = ("build_error", "error_of_body")

_MAX_MESSAGE_CHARACTERS: Final = 600
_TOO_MANY: Final = 429
_BAD_REQUEST: Final = 400
_SERVER: Final = 500
# Errors told inside an answer have no status.
_RETRYABLE_CODES: Final = frozenset(
    {"server_error", "rate_limit_exceeded", "overloaded_error", "internal_error", "timeout"}
)
# More of the same requests change nothing before somebody pays.
_LASTING_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_FULL_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# Other servers give no code of their own: vLLM, llama.cpp, OpenRouter.
_FULL_PHRASES: Final = (
    "maximum context length",
    "exceeds the available context size",
    "exceeds the context window",
    "input is too long",
)
_HINTS: Final = {
    401: "the key was refused; is it the right one for this address?",
    402: "the account cannot pay for this request",
    403: "this key may not use this model here",
    404: "is the model's name right, and does this address serve it?",
}


def build_error(
    body: Json, *, status: int | None, retry_after_s: float | None = None, where: str = ""
) -> ProviderError:
    """The error that an answer stands for.

    Args:
        body: the parsed answer, or the error object in it; anything at all.
        status: of the answer; None where the error came inside of one that had begun well.
        retry_after_s: what the answer's headers ask for.
        where: who said it, for the message: "openai:gpt-5.6-sol".
    """
    error = _find_error(body)
    code = str(error.get("code") or error.get("type") or "")
    kinds = {str(error.get(key)) for key in ("code", "type") if error.get(key)}
    message = _describe(error, body, status=status)
    text = f"{where}: {message}" if where else message
    if _is_full(kinds, message, status=status):
        return ContextFull(text, hint="shorten the history or start a new one", status=status)
    if status is None and isinstance(error.get("code"), int):
        status = error["code"]
    if code and code not in message and not code.isdigit():
        text += f" ({code})"
    return ProviderError(
        text,
        hint=None if status is None else _HINTS.get(status),
        retryable=_is_retryable(kinds, status),
        retry_after_s=retry_after_s,
        status=status,
    )


def error_of_body(body: Json) -> Json:
    """The error in an answer that should hold a reply, or None.

    Some servers say what went wrong under status 200.
    """
    return body.get("error") if isinstance(body, dict) else None


def _find_error(body: Json) -> dict[str, Json]:
    if not isinstance(body, dict):
        return {}
    inner = body.get("error")
    if isinstance(inner, dict):
        return inner
    return {"message": inner} if isinstance(inner, str) else body


def _describe(error: dict[str, Json], body: Json, *, status: int | None) -> str:
    message = error.get("message")
    if not isinstance(message, str) or not message:
        message = body if isinstance(body, str) else ""
    message = " ".join(message.split())[:_MAX_MESSAGE_CHARACTERS]
    if message:
        return message
    return "the model's server failed" if status is None else f"the answer has status {status}"


def _is_full(kinds: set[str], message: str, *, status: int | None) -> bool:
    if kinds & _FULL_CODES:
        return True
    lowered = message.lower()
    return status in {None, _BAD_REQUEST} and any(phrase in lowered for phrase in _FULL_PHRASES)


def _is_retryable(kinds: set[str], status: int | None) -> bool:
    if kinds & _LASTING_CODES:
        return False
    if status is None:
        return bool(kinds & _RETRYABLE_CODES)
    return status == _TOO_MANY or status >= _SERVER
