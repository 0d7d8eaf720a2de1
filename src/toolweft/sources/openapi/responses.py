"""An HTTP answer to a raw result. Pure; nothing in the answer is trusted."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from toolweft.core.calls import Blob, RawResult, TextContent
from toolweft.core.json import Json, decode_json
from toolweft.sources.openapi.bodies import is_json

__all__ = ("HttpAnswer", "error_text", "read_answer", "retry_note")

_BINARY = "application/octet-stream"
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
# Others have decoders that are slow or no charsets at all.
_CHARSETS = re.compile(
    r"(?:utf|iso|windows|cp|latin|us|ascii|shift|euc|gb|big5|koi8)", re.IGNORECASE
)
_FIRST_ERROR = 400
# The road shows no more than a part of it.
_MAX_ERROR_BYTES = 16_384
_TEXTS = ("xml", "yaml", "javascript", "graphql", "x-www-form-urlencoded", "x-ndjson")
# What a HEAD tells is its headers; not these, which are about the connection or the service's own.
_UNTOLD = frozenset({
    "alt-svc", "connection", "date", "keep-alive", "server", "set-cookie", "set-cookie2",
    "strict-transport-security", "transfer-encoding", "upgrade", "via", "www-authenticate",
})  # fmt: skip
_MAX_TOLD = 64
_MAX_TOLD_CHARACTERS = 1_024
_PROBLEM_KEYS = ("title", "detail", "message", "error", "error_description", "description")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One whole answer."""

    status: int
    reason: str
    # Lower-case names; of a repeated one the first.
    headers: dict[str, str]
    body: bytes
    # Where it came from in the end.
    url: str = ""

    @property
    def title(self) -> str:
        """Status and reason: "HTTP 404 Not Found" for one."""
        return f"HTTP {self.status} {self.reason}".rstrip()


def read_answer(answer: HttpAnswer, *, method: str, mask: Callable[[str], str]) -> RawResult:
    """What the service answered: JSON, text, bytes, or that it failed and why.

    Args:
        answer: of any status.
        method: of the request.
        mask: takes secrets out of a text.
    """
    if answer.status >= _FIRST_ERROR:
        said = mask(error_text(answer))
        return RawResult(content=(TextContent(said),), is_error=True)
    if method == "HEAD" or not answer.body:
        return RawResult(structured=_without_body(answer, method=method, mask=mask))
    media_type = answer.headers.get("content-type", "").strip()
    if is_json(media_type) or _is_text(media_type):
        return _read_text(mask(_decode(answer.body, media_type)), is_json=is_json(media_type))
    blob = Blob(data=answer.body, media_type=media_type.partition(";")[0].strip() or _BINARY)
    return RawResult(content=(blob,))


def retry_note(answer: HttpAnswer) -> str:
    """How long the service wants to be left alone, in words; "" where it does not say."""
    after = answer.headers.get("retry-after", "")
    if after.isdecimal():
        return f"it asks to wait {after} s"
    return f"it asks to wait until {after}" if after.isprintable() and after else ""


def _read_text(text: str, *, is_json: bool) -> RawResult:
    text = text.strip() if is_json else text
    # Objects and lists are read by the road, within its own caps and without a second writing.
    if is_json and text[:1] not in {"{", "["}:
        try:
            return RawResult(structured=decode_json(text))
        except (ValueError, RecursionError):
            return RawResult(content=(TextContent(text),))
    return RawResult(content=(TextContent(text),))


def _without_body(answer: HttpAnswer, *, method: str, mask: Callable[[str], str]) -> Json:
    if method == "HEAD":
        told = [(name, value) for name, value in answer.headers.items() if name not in _UNTOLD]
        headers: dict[str, Json] = {
            mask(name): mask(value)[:_MAX_TOLD_CHARACTERS] for name, value in told[:_MAX_TOLD]
        }
        return {"status": answer.status, "headers": headers}
    if "location" in answer.headers:
        return {"status": answer.status, "location": mask(answer.headers["location"])}
    return None


def error_text(answer: HttpAnswer) -> str:
    """Why a service failed, as far as it says; not masked."""
    media_type = answer.headers.get("content-type", "")
    text = (
        _decode(answer.body[:_MAX_ERROR_BYTES], media_type).strip()
        if _is_readable(media_type)
        else ""
    )
    try:
        problem: Json = json.loads(text) if is_json(media_type) else None
    except (ValueError, RecursionError):
        problem = None
    if not isinstance(problem, dict):
        return f"{answer.title}: {text}" if text else answer.title
    said = [problem[key] for key in _PROBLEM_KEYS if isinstance(problem.get(key), str)]
    rest = {
        key: value
        for key, value in problem.items()
        if value not in said and key not in {"status", "type"}
    }
    more = json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else ""
    return ": ".join(filter(None, (answer.title, *dict.fromkeys(said), more)))


def _is_readable(media_type: str) -> bool:
    return not media_type or is_json(media_type) or _is_text(media_type)


def _is_text(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence.endswith(_TEXTS)


def _decode(body: bytes, media_type: str) -> str:
    named = _CHARSET.search(media_type)
    charset = named[1] if named and _CHARSETS.match(named[1]) else "utf-8"
    try:
        return body.decode("utf-8-sig" if charset.lower() in {"utf-8", "utf8"} else charset)
    except (UnicodeDecodeError, LookupError):
        return body.decode("utf-8", "replace")
