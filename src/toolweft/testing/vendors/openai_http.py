"""What the servers of OpenAI's two APIs share: scripts, errors, streams, tokens."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from toolweft.core.json import Json, JsonObject

__all__ = (
    "EventStream",
    "Failure",
    "PrefixMeter",
    "Refusal",
    "Script",
    "ScriptedModel",
    "Tokens",
    "Turn",
    "check_key",
    "count_tokens",
    "read_body",
    "refuse",
)

_BYTES_PER_TOKEN: Final = 4
# Shorter prefixes are not cached.
_MIN_CACHED_TOKENS: Final = 1024
_SERVER: Final = 500


class Refusal(Exception):
    """A request that breaks a rule of the vendor's."""

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step in which the vendor fails, whatever was asked."""

    status: int
    message: str = "The server had an error while processing your request."
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A step in which the model answers."""

    # Output items, or one chat message; what a script leaves out the server fills in.
    items: tuple[JsonObject, ...] = ()
    # Why it stopped, in the vendor's words; None where it came to its end.
    stop: str | None = None
    # The error of a response that failed after it had begun.
    error: JsonObject | None = None
    # The connection of a stream ends after so many events; None: after all of them.
    break_after: int | None = None


# The steps in order, or a function of the request's body that gives the next one.
Script: TypeAlias = Sequence[Turn | Failure] | Callable[[JsonObject], Turn | Failure]


class ScriptedModel:
    """Answers as its script says; `requests` holds the body of each request that was let in."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._asked = 0
        self.requests: list[JsonObject] = []

    def answer(self, body: JsonObject) -> Turn | Failure:
        """The next step.

        Raises:
            AssertionError: the script is over.
        """
        self.requests.append(body)
        if callable(self._script):
            return self._script(body)
        self._asked += 1
        assert self._asked <= len(self._script), f"the script has only {len(self._script)} steps"
        return self._script[self._asked - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a request's input is counted as."""

    total: int
    cached: int
    written: int


class PrefixMeter:
    """Counts tokens (UTF-8 bytes / 4), and of them those that an earlier request began with."""

    def __init__(self, *, min_cached_tokens: int = _MIN_CACHED_TOKENS) -> None:
        self._min = min_cached_tokens
        self._seen: dict[str, list[list[str]]] = {}

    def count(self, units: Sequence[Json], *, key: str) -> Tokens:
        """Count one request and remember it.

        Args:
            units: what the model reads, in order; the cache ends between two of them.
            key: requests of another key are not compared.
        """
        texts = [_render(unit) for unit in units]
        sizes = [count_tokens(text) for text in texts]
        total = sum(sizes)
        earlier = self._seen.setdefault(key, [])
        shared = max((_count_shared(texts, known) for known in earlier), default=0)
        cached = sum(sizes[:shared])
        cached = cached if cached >= self._min else 0
        written = total - cached if total >= self._min else 0
        earlier.append(texts)
        return Tokens(total=total, cached=cached, written=written)


def count_tokens(value: Json) -> int:
    """The tokens of a text, or of a value's JSON."""
    text = value if isinstance(value, str) else _render(value)
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def _render(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _count_shared(one: Sequence[str], other: Sequence[str]) -> int:
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared


def refuse(error: Refusal | Failure, *, request_id: str) -> Response:
    """An error as the vendor sends it."""
    headers = {"x-request-id": request_id}
    kind = "invalid_request_error" if error.status < _SERVER else "server_error"
    param = None
    if isinstance(error, Failure):
        headers |= error.headers
    else:
        param = error.param
    body = {"message": error.message, "type": kind, "param": param, "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status, headers=headers)


async def read_body(request: Request) -> JsonObject:
    """The request's JSON.

    Raises:
        Refusal: it is none.
    """
    try:
        body = await request.json()
    except ValueError:
        raise Refusal("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request.")
    return body


def check_key(request: Request, key: str | None) -> None:
    """Every request carries the key as a bearer token."""
    if key is not None and request.headers.get("authorization") != f"Bearer {key}":
        raise Refusal("Incorrect API key provided.", code="invalid_api_key", status=401)


class EventStream(Response):
    """Events as a server sends them, all or only the first few."""

    def __init__(
        self, events: Iterable[str], *, request_id: str, break_after: int | None = None
    ) -> None:
        super().__init__(
            headers={"x-request-id": request_id}, media_type="text/event-stream; charset=utf-8"
        )
        del self.headers["content-length"]
        self._events = list(events)[:break_after]
        self._is_broken = break_after is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and events; a broken stream has no end."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        for event in self._events:
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        if not self._is_broken:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
