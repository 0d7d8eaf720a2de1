"""What may be shown of an authorization server's answers: no token, and no page of text. Pure."""

import json
from typing import Final

import httpx2

from toolweft.core.json import Json

__all__ = ("answered_code", "error_code", "plain", "render_answer", "render_status")

_MAX_SHOWN: Final = 300
_MAX_CODE_CHARACTERS: Final = 60


def render_answer(response: httpx2.Response | None) -> str:
    """The status of an answer and its error code, where it has one."""
    if response is None:
        return "there was no answer"
    code = answered_code(response)
    return f"{render_status(response)}: {code}" if code else render_status(response)


def answered_code(response: httpx2.Response) -> str:
    """The error code of an answer; "" where it has none."""
    try:
        body: Json = json.loads(response.content)
    except (ValueError, RecursionError):
        return ""
    return error_code(body.get("error") if isinstance(body, dict) else None)


def render_status(response: httpx2.Response) -> str:
    """The status alone."""
    return f"HTTP {response.status_code} {plain(response.reason_phrase)}".rstrip()


def error_code(value: Json) -> str:
    """One of OAuth's error codes, such as "invalid_grant"; "" where it is anything else."""
    is_code = isinstance(value, str) and value.replace("_", "").isalpha() and value.isascii()
    return str(value) if is_code and len(str(value)) <= _MAX_CODE_CHARACTERS else ""


def plain(text: str) -> str:
    """A text of a server's as it may be shown: one line, not too long."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_MAX_SHOWN]
