"""The way to the Messages API: the vendor's official SDK, at its lowest.

What is sent are the bytes of the encoded request, and what comes back is the plain JSON: the SDK
gives connections, authorisation and the reading of event streams. It never tries anything again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, Final, Self

import anyio
from anyio import to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret
from toolweft.providers.anthropic.failures import build_error, parse_retry_after_s

__all__ = ("Connection", "ConnectionOptions", "WireAnswer", "WireStream")

_PATH: Final = "/v1/messages"
_CLOSE_TIMEOUT_S: Final = 2.0
# A reply of the longest there is stays far below.
_MAX_ANSWER_BYTES: Final = 64 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Where a model is and how it is reached."""

    # Vendor and model, for messages: "anthropic:claude-opus-5-5".
    name: str
    # Without "/v1/messages".
    base_url: str
    key: Secret
    # Names of headers that carry the key; none: "Authorization", as the SDK does by itself.
    key_headers: tuple[str, ...] = ()
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """An answer as it came."""

    body: JsonObject
    # The vendor's own, for questions to it; empty where it gave none.
    request_id: str


class Connection:
    """Requests to one place; an async context manager that owns the connections."""

    def __init__(self, options: ConnectionOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._sdk: Any = None
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Load the SDK; nothing is connected yet.

        Raises:
            ConfigError: the SDK is not installed, or the key cannot be sent.
        """
        key = self._options.key
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ConfigError(
                f"{self._options.name}: the key holds characters that no header can carry",
                hint=f"look for a line break or a quotation mark in {key.reference}",
            )
        # Takes about a second of CPU time.
        self._sdk = await to_thread.run_sync(_import_sdk)
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
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await client.close()

    def _build_client(self) -> Any:
        options, sdk = self._options, self._sdk
        timeout = sdk.Timeout(options.timeout_s, connect=options.connect_timeout_s)
        headers: dict[str, Any] = {name: options.key.reveal() for name in options.key_headers}
        if headers:
            headers["Authorization"] = sdk.Omit()
        return sdk.AsyncAnthropic(
            # Given, so that none is looked for in the environment or in the SDK's own files.
            api_key=options.key.reveal(),
            base_url=options.base_url,
            timeout=timeout,
            max_retries=0,
            default_headers=headers,
            open_telemetry=False,
            # A key and a history are not sent to wherever an answer points.
            http_client=sdk.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout),
        )

    async def post(self, body: JsonObject, *, headers: Mapping[str, str]) -> WireAnswer:
        """Send one request and read its whole answer.

        Raises:
            ProviderError: no answer, or one that says what went wrong, or one that is no object.
        """
        import httpx2

        client = self._open_client()
        try:
            with anyio.fail_after(self._options.timeout_s):
                response = await client.post(
                    _PATH,
                    cast_to=httpx2.Response,
                    content=_encode(body),
                    options={"headers": {**headers}},
                )
        except TimeoutError:
            reason = f"no answer after {self._options.timeout_s:g} s"
            raise self._error(reason, is_retryable=True) from None
        except self._sdk.AnthropicError as exc:
            # Chained to nothing: the SDK's errors hold the request with its headers.
            raise self._convert(exc, body) from None
        if len(response.content) > _MAX_ANSWER_BYTES:
            raise self._error(f"the answer is above the cap of {_MAX_ANSWER_BYTES:,} bytes")
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            raise self._error("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise self._error("the answer is no JSON object")
        return WireAnswer(body=answer, request_id=response.headers.get("request-id", ""))

    async def open_stream(self, body: JsonObject, *, headers: Mapping[str, str]) -> "WireStream":
        """Send one request whose answer is a stream of events, and wait for the first of them.

        The caller closes what it gets.

        Raises:
            ProviderError: as `post`; also where the stream ends before it gave anything.
        """
        client = self._open_client()
        try:
            events = await client.post(
                _PATH,
                cast_to=object,
                content=_encode({**body, "stream": True}),
                options={"headers": {**headers, "Accept": "text/event-stream"}},
                stream=True,
                stream_cls=self._sdk.AsyncStream[object],
            )
        except self._sdk.AnthropicError as exc:
            raise self._convert(exc, body) from None
        stream = WireStream(
            events,
            failures=self._sdk.AnthropicError,
            convert=lambda exc: self._convert(exc, body),
            fail=self._error,
        )
        try:
            await stream.read_first()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    def _open_client(self) -> Any:
        if self._client is None:
            raise self._error("the provider is not open")
        return self._client

    def _convert(self, exc: Exception, body: JsonObject) -> ProviderError:
        sdk = self._sdk
        if isinstance(exc, sdk.APITimeoutError):
            return self._error("no answer in time", is_retryable=True)
        if isinstance(exc, sdk.APIConnectionError):
            cause = exc.__cause__
            reason = "cannot be reached" if cause is None else f"{type(cause).__name__}: {cause}"
            return self._error(f"{self._options.base_url}: {reason}", is_retryable=True)
        if isinstance(exc, sdk.APIStatusError):
            response = exc.response
            # Told within a stream, an error comes with the status of the stream.
            is_told_within = response.status_code == 200
            error = build_error(
                exc.body,
                where=self._options.name,
                status=None if is_told_within else response.status_code,
                retry_after_s=parse_retry_after_s(response.headers, now=self._clock.now()),
                container_id=body.get("container"),
            )
            return self._mask(error)
        return self._error(f"{type(exc).__name__}: {exc}")

    def _error(self, reason: Json, *, is_retryable: bool = False) -> ProviderError:
        error = self._mask(build_error(reason, where=self._options.name))
        error.is_retryable = is_retryable
        return error

    def _mask(self, error: ProviderError) -> ProviderError:
        """The error without the key, which some servers repeat."""
        if key := self._options.key.reveal():
            error.message = error.message.replace(key, "***")
            error.args = (error.message,)
        return error


class WireStream:
    """The events of one answer, each a parsed object, in order."""

    def __init__(
        self,
        events: Any,
        *,
        failures: type[Exception],
        convert: Callable[[Exception], ProviderError],
        fail: Callable[[str], ProviderError],
    ) -> None:
        self._events = events
        self._iterator = aiter(events)
        self._failures = failures
        self._convert = convert
        self._fail = fail
        self._first: JsonObject | None = None
        self.request_id: str = events.response.headers.get("request-id", "")

    async def read_first(self) -> None:
        """Wait until the stream has begun.

        Raises:
            ProviderError: it broke off or ended before.
        """
        self._first = await self._next()
        if self._first is None:
            raise self._fail("the answer is no stream of events, or an empty one")

    def __aiter__(self) -> Self:
        """Every event to the end."""
        return self

    async def __anext__(self) -> JsonObject:
        """The next event.

        Raises:
            ProviderError: the stream broke off, or what came is no event.
        """
        event, self._first = self._first, None
        event = event or await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Give the connection back, whatever was read."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._events.response.aclose()

    async def _next(self) -> JsonObject | None:
        import httpx2

        try:
            event = await anext(self._iterator, None)
        except self._failures as exc:
            raise self._convert(exc) from None
        except httpx2.HTTPError as exc:
            # While a stream is read the SDK passes these on as they are.
            raise self._fail(f"{type(exc).__name__}: {exc}") from None
        except (ValueError, RecursionError):
            raise self._fail("an event of the stream is not JSON") from None
        if event is not None and not isinstance(event, dict):
            raise self._fail("an event of the stream is no JSON object")
        return event


def _encode(body: JsonObject) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair, which a tool's text may hold, is no UTF-8.
    return text.encode("utf-8", "replace")


def _import_sdk() -> ModuleType:
    try:
        import anthropic
    except ImportError as exc:
        raise ConfigError(
            "models of Anthropic need the package anthropic",
            hint="pip install 'toolweft[anthropic]'",
        ) from exc
    return anthropic
