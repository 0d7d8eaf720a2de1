"""The way to a vendor's API, as far as it is the same for every one of them.

Deadlines, sizes, reading of JSON, errors that do not show the key. Which SDK is asked, and how, is
each vendor's own; what leaves here are the plain bodies. Nothing is ever tried again here.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret

__all__ = (
    "CLOSE_TIMEOUT_S",
    "MAX_ANSWER_BYTES",
    "MAX_STREAM_BYTES",
    "NO_HEADERS",
    "Connection",
    "ConnectionOptions",
    "WireAnswer",
    "WireStream",
    "encode_body",
    "missing_sdk",
)

CLOSE_TIMEOUT_S: Final = 2.0
# An answer of the longest there is stays far below.
MAX_ANSWER_BYTES: Final = 64 * 1024**2
# Events name themselves again and again.
MAX_STREAM_BYTES: Final = 4 * MAX_ANSWER_BYTES
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Where a model is and how it is reached."""

    # Vendor and model, for messages: "anthropic:claude-opus-5-5".
    name: str
    base_url: str
    # None: nothing is sent.
    key: Secret | None = None
    # From sending a request to its whole answer; between two events of a stream.
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0


OptionsT = TypeVar("OptionsT", bound=ConnectionOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """An answer as it came."""

    body: JsonObject
    # The vendor's own, for questions to it; empty where it gave none.
    request_id: str = ""


class Connection(ABC, Generic[OptionsT]):
    """Requests to one place; an async context manager that owns the connections."""

    def __init__(self, options: OptionsT, *, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._sdk: Any = None
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Load the SDK; nothing is connected yet.

        Raises:
            ConfigError: the SDK is not installed, or the key cannot be sent.
        """
        key = self.options.key
        if key is not None and not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ConfigError(
                f"{self.options.name}: the key holds characters that no header can carry",
                hint=f"look for a line break or a quotation mark in {key.reference}",
            )
        # Takes about a second of CPU time.
        self._sdk = await to_thread.run_sync(self._load_sdk)
        self._client = self._build_client()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self._close(client)

    async def post(
        self, path: str, body: JsonObject, *, headers: Mapping[str, str] = NO_HEADERS
    ) -> WireAnswer:
        """Send one request and read its whole answer.

        Raises:
            ProviderError: no answer, or one that says what went wrong, or one that is no object.
        """
        self._check_open()
        try:
            with anyio.fail_after(self.options.timeout_s):
                return await self._post(path, body, headers)
        except TimeoutError:
            raise self.late() from None

    async def open_stream(
        self, path: str, body: JsonObject, *, headers: Mapping[str, str] = NO_HEADERS
    ) -> "WireStream":
        """Send one request whose answer is a stream of events, and wait for the first of them.

        The caller closes what it gets.

        Raises:
            ProviderError: as `post`; also where the stream ends before it gave anything.
        """
        self._check_open()
        try:
            with anyio.fail_after(self.options.timeout_s):
                stream = await self._open_stream(path, body, headers)
        except TimeoutError:
            raise self.late() from None
        try:
            await stream.read_first()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    def late(self) -> ProviderError:
        """The error of what took longer than it may."""
        return self.error(f"no answer after {self.options.timeout_s:g} s", is_retryable=True)

    def unreached(self) -> ProviderError:
        """The error of a place that takes no connection in time."""
        reason = f"no connection after {self.options.connect_timeout_s:g} s"
        return self.error(f"{self.options.base_url}: {reason}", is_retryable=True)

    def error(self, told: Json, *, is_retryable: bool = False) -> ProviderError:
        """The error that some words of ours, or a body of the vendor's, stand for."""
        error = self.mask(self._build_error(told))
        error.is_retryable = error.is_retryable or is_retryable
        return error

    def mask(self, error: ProviderError) -> ProviderError:
        """The error without the secrets of a request, which some servers repeat."""
        for secret in self._secrets():
            error.message = error.message.replace(secret, "***")
        error.args = (error.message,)
        return error

    def parse(self, data: bytes | str, *, what: str = "the answer") -> JsonObject:
        """The JSON object that these bytes are.

        Raises:
            ProviderError: they are none.
        """
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise self.error(f"{what} is not JSON") from None
        if not isinstance(value, dict):
            raise self.error(f"{what} is no JSON object")
        return value

    def check_size(self, size: int, *, cap: int = MAX_ANSWER_BYTES) -> None:
        """Hold the bytes of an answer against a cap.

        Raises:
            ProviderError: there are more.
        """
        if size > cap:
            raise self.error(f"the answer is above the cap of {cap:,} bytes")

    def _secrets(self) -> list[str]:
        """What stands in no message; the longest first, as one may hold another."""
        key, password = self.options.key, urlsplit(self.options.base_url).password
        found = ("" if key is None else key.reveal(), password or "", *self._header_values())
        return sorted(filter(None, found), key=len, reverse=True)

    def _header_values(self) -> Iterable[str]:
        """Those of headers that a user set."""
        return ()

    def _check_open(self) -> None:
        if self._client is None:
            raise self.error("the provider is not open")

    @abstractmethod
    def _load_sdk(self) -> Any:
        """The vendor's package; `ConfigError` where it is not installed."""

    @abstractmethod
    def _build_client(self) -> Any:
        """What requests are sent with."""

    @abstractmethod
    async def _close(self, client: Any) -> None:
        """Close what `_build_client` opened."""

    @abstractmethod
    async def _post(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> WireAnswer:
        """As `post`, without its deadline."""

    @abstractmethod
    async def _open_stream(
        self, path: str, body: JsonObject, headers: Mapping[str, str]
    ) -> "WireStream":
        """As `open_stream`, without waiting for the first event."""

    @abstractmethod
    def _build_error(self, told: Json) -> ProviderError:
        """The error that a body without a status stands for."""


class WireStream(ABC):
    """The events of one answer, each a parsed object, in order.

    Attributes:
        request_id: the vendor's own; empty where it gave none.
    """

    def __init__(self, connection: Connection[Any], *, request_id: str = "") -> None:
        self.request_id = request_id
        self._connection = connection
        self._first: JsonObject | None = None

    async def read_first(self) -> None:
        """Wait until the stream has begun.

        Raises:
            ProviderError: it broke off or ended before.
        """
        self._first = await self._read()
        if self._first is None:
            raise self._connection.error("the answer is no stream of events, or an empty one")

    def __aiter__(self) -> Self:
        """Every event to the end."""
        return self

    async def __anext__(self) -> JsonObject:
        """The next event.

        Raises:
            ProviderError: the stream broke off, tells an error, or what came is no event.
        """
        event, self._first = self._first, None
        if event is None:
            event = await self._read()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Give the connection back, whatever was read."""
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self._close()

    async def _read(self) -> JsonObject | None:
        try:
            # Beside the SDK's own, which starts anew with every sign of life between events.
            with anyio.fail_after(self._connection.options.timeout_s):
                event = await self._next()
        except TimeoutError:
            raise self._connection.late() from None
        self._connection.check_size(self._size, cap=MAX_STREAM_BYTES)
        return event

    @property
    @abstractmethod
    def _size(self) -> int:
        """The bytes that came so far."""

    @abstractmethod
    async def _next(self) -> JsonObject | None:
        """The next event; None at the end."""

    @abstractmethod
    async def _close(self) -> None:
        """Give the connection back."""


def encode_body(body: JsonObject) -> bytes:
    """The bytes that are sent, the same for the same body."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair, which a tool's text may hold, is no UTF-8.
    return text.encode("utf-8", "replace")


def missing_sdk(models: str, *, package: str, extra: str) -> ConfigError:
    """The error where a vendor's package is not installed.

    Args:
        models: whose it is for: "models of Google".
        package: as it is imported or installed.
        extra: of toolweft's, that brings it.
    """
    return ConfigError(
        f"{models} need the package {package}", hint=f"pip install 'toolweft[{extra}]'"
    )
