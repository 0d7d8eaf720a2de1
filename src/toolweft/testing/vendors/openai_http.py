"""What the servers of OpenAI's two APIs share: errors, keys, tokens."""

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.scripts import (
    ScriptOf,
    VendorFailure,
    VendorRefusal,
    VendorServer,
    VendorTurn,
)

__all__ = (
    "Failure",
    "OpenAIStyleServer",
    "PrefixMeter",
    "Refusal",
    "Script",
    "Tokens",
    "Turn",
    "count_tokens",
)

_BYTES_PER_TOKEN: Final = 4
# Shorter prefixes are not cached.
_MIN_CACHED_TOKENS: Final = 1024
_SERVER: Final = 500


class Refusal(VendorRefusal):
    """A request that breaks a rule of the vendor's."""

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message, status=status)
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(VendorFailure):
    """A step in which the vendor fails, whatever was asked."""

    message: str = "The server had an error while processing your request."
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(VendorTurn):
    """A step in which the model answers."""

    # Output items, or one chat message; what a script leaves out the server fills in.
    items: tuple[JsonObject, ...] = ()
    # Why it stopped, in the vendor's words; None where it came to its end.
    stop: str | None = None
    # The error of a response that failed after it had begun.
    error: JsonObject | None = None


Script: TypeAlias = ScriptOf[Turn, Failure]


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


class OpenAIStyleServer(VendorServer[Turn, Failure, Refusal], ABC):
    """A server that takes bearer keys and tells errors as OpenAI does."""

    base_path = "/v1"
    id_header = "x-request-id"

    def _check_key(self, headers: Mapping[str, str], key: str) -> None:
        if headers.get("authorization") != f"Bearer {key}":
            raise Refusal("Incorrect API key provided.", code="invalid_api_key", status=401)

    def _refuse_body(self) -> Refusal:
        return Refusal("We could not parse the JSON body of your request.")

    def _render_failure(self, error: Failure | Refusal, request_id: str) -> JsonObject:
        del request_id
        told = {
            "message": error.message,
            "type": "invalid_request_error" if error.status < _SERVER else "server_error",
            "param": error.param if isinstance(error, Refusal) else None,
            "code": error.code,
        }
        return {"error": told}
