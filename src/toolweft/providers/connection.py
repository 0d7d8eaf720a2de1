"""The way to a vendor's API, as far as it is the same for every one of them.

Deadlines, sizes, reading of JSON, errors that do not show the key. Which SDK is asked, and how, is
each vendor's own; what leaves here are the plain bodies. Nothing is ever tried again here.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar
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
# Of the time that one event may take.
_MAX_STREAM_TIMEOUTS: Final = 3
# What is longer is parsed beside the event loop.
_MAX_AT_ONCE_BYTES: Final = 1024**2
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

    # Of one event of a stream: an image may stand in it.
    max_event_bytes: ClassVar = MAX_ANSWER_BYTES

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

    async def parse_answer(self, data: bytes) -> JsonObject:
        """The JSON object that an answer is; a long one is parsed while others run.

        Raises:
            ProviderError: it is none.
        """
        if len(data) <= _MAX_AT_ONCE_BYTES:
            return self.parse(data)
        parse = partial(self.parse, data, load=_load_patiently)
        return await to_thread.run_sync(parse, abandon_on_cancel=True)

    def parse(
        self,
        data: bytes | str,
        *,
        what: str = "the answer",
        load: Callable[[bytes | str], Json] = json.loads,
    ) -> JsonObject:
        """The JSON object that these bytes are.

        Args:
            data: the bytes.
            what: they are, for messages.
            load: reads JSON; raises what `json.loads` does.

        Raises:
            ProviderError: they are none.
        """
        try:
            value = load(data)
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
        self._check(size, cap, what="the answer")

    def check_event_size(self, size: int) -> None:
        """Hold the bytes of one event against the cap.

        Raises:
            ProviderError: there are more.
        """
        self._check(size, self.max_event_bytes, what="an event of the stream")

    async def cap(self, answer: Any) -> None:
        """Hold an answer of which nothing was read against the cap while it comes."""
        from toolweft.providers.capped import cap_answer

        cap_answer(answer, self.check_size)

    def _check(self, size: int, most: int, *, what: str) -> None:
        if size > most:
            error = self.error(f"{what} is above the cap of {most:,} bytes")
            error.has_begun = True
            raise error

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

    def __init__(self, connection: Connection[Any], *, response: Any, request_id: str = "") -> None:
        """Nothing is read.

        Args:
            connection: it came over.
            response: of which the events are read; its bytes are capped.
            request_id: the vendor's own.
        """
        self.request_id = request_id
        self._connection = connection
        self._response = response
        self._first: JsonObject | None = None
        # Pieces that come in time one after the other could go on for ever.
        self._allowed_s = _MAX_STREAM_TIMEOUTS * connection.options.timeout_s
        self._ends_s = anyio.current_time() + self._allowed_s

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
        # A stream may be long; an event may not.
        self._response.stream.restart(self._connection.check_event_size)
        try:
            # Beside the SDK's own, which starts anew with every sign of life between events.
            with anyio.fail_after(
                min(self._connection.options.timeout_s, self._ends_s - anyio.current_time())
            ):
                event = await self._next()
        except TimeoutError:
            if anyio.current_time() >= self._ends_s:
                whole = f"the answer did not end within {self._allowed_s:g} s"
                raise self._connection.error(whole) from None
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


def _load_patiently(data: bytes | str) -> Json:
    """As `json.loads`, but not in one go.

    The parser holds the interpreter's lock to its end, also in a thread, unless it calls Python.
    """
    return json.loads(data, object_hook=lambda value: value, parse_int=lambda text: int(text))


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
