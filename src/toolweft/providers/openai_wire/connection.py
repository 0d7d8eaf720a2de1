"""The way to OpenAI's APIs and to servers that speak like them: its official SDK, at its lowest.

What is sent are the bytes of the encoded request, and what comes back is the plain JSON: the SDK
gives connections, authorisation and the reading of event streams. It never tries anything again.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any, Final, Self

import anyio
from anyio import to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret
from toolweft.providers.openai_wire.failures import build_error, parse_retry_after_s

__all__ = ("Connection", "ConnectionOptions", "WireAnswer", "WireStream")

_CLOSE_TIMEOUT_S: Final = 2.0
# A reply of the longest context there is stays far below.
_MAX_ANSWER_BYTES: Final = 64 * 1024**2
# The SDK would read these from the environment, which only `toolweft.config` does.
_AMBIENT_HEADERS: Final = ("OpenAI-Organization", "OpenAI-Project")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Where a model is and how it is reached."""

    # Vendor and model, for messages: "openai:gpt-5.6-sol".
    name: str
    # With the version, without the API's own path: "https://api.openai.com/v1".
    base_url: str
    # None: nothing is sent.
    key: Secret | None = None
    # Asked for before each request, in place of a key.
    token_source: Callable[[], Awaitable[str]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # From sending a request to its whole answer; between two pieces of a stream.
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
        if key is not None and not (key.reveal().isascii() and key.reveal().isprintable()):
            raise ConfigError(
                f"{self._options.name}: the key holds characters that no header can carry",
                hint=f"look for a line break or a quotation mark in {key.reference}",
            )
        # Takes 0.4 s of CPU time.
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
        headers: dict[str, Any] = {name: sdk.Omit() for name in _AMBIENT_HEADERS}
        key: Any = options.token_source
        if key is None:
            # The SDK insists on a key; where there is none, its header is left out.
            key = "none" if options.key is None else options.key.reveal()
        timeout = sdk.Timeout(options.timeout_s, connect=options.connect_timeout_s)
        return sdk.AsyncOpenAI(
            api_key=key,
            base_url=options.base_url,
            timeout=timeout,
            max_retries=0,
            default_headers={**headers, **options.headers},
            # A key and a history are not sent to wherever an answer points.
            http_client=sdk.DefaultAsyncHttpx2Client(follow_redirects=False, timeout=timeout),
        )

    def _headers(self, accept: str) -> dict[str, Any]:
        headers: dict[str, Any] = {"Accept": accept}
        if self._options.key is None and self._options.token_source is None:
            headers["Authorization"] = self._sdk.Omit()
        return headers

    async def post(self, path: str, body: JsonObject) -> WireAnswer:
        """Send one request and read its whole answer.

        Raises:
            ProviderError: no answer, or one that says what went wrong, or one that is no object.
        """
        import httpx2

        try:
            with anyio.fail_after(self._options.timeout_s):
                response = await self._client.post(
                    path,
                    cast_to=httpx2.Response,
                    content=_encode(body),
                    options={"headers": self._headers("application/json")},
                )
        except TimeoutError:
            raise self._late() from None
        except self._sdk.OpenAIError as exc:
            # Chained to nothing: the SDK's errors hold the request with its headers.
            raise self._convert(exc) from None
        if len(response.content) > _MAX_ANSWER_BYTES:
            raise self._error(f"the answer is above the cap of {_MAX_ANSWER_BYTES:,} bytes")
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            raise self._error("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise self._error("the answer is no JSON object")
        return WireAnswer(body=answer, request_id=response.headers.get("x-request-id", ""))

    async def open_stream(self, path: str, body: JsonObject) -> "WireStream":
        """Send one request whose answer is a stream of events, and wait for the first of them.

        The caller closes what it gets.

        Raises:
            ProviderError: as `post`; also where the stream ends before it gave anything.
        """
        try:
            with anyio.fail_after(self._options.timeout_s):
                events = await self._client.post(
                    path,
                    cast_to=object,
                    content=_encode(body),
                    options={"headers": self._headers("text/event-stream")},
                    stream=True,
                    stream_cls=self._sdk.AsyncStream[object],
                )
        except TimeoutError:
            raise self._late() from None
        except self._sdk.OpenAIError as exc:
            raise self._convert(exc) from None
        stream = WireStream(
            events,
            failures=(self._sdk.OpenAIError, TimeoutError),
            convert=self._convert,
            fail=self._error,
            timeout_s=self._options.timeout_s,
        )
        try:
            await stream.read_first()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    def _convert(self, exc: Exception) -> ProviderError:
        sdk = self._sdk
        if isinstance(exc, TimeoutError | sdk.APITimeoutError):
            return self._late()
        if isinstance(exc, sdk.APIConnectionError):
            cause = exc.__cause__
            reason = "cannot be reached" if cause is None else f"{type(cause).__name__}: {cause}"
            return self._error(f"{self._options.base_url}: {reason}", is_retryable=True)
        if isinstance(exc, sdk.APIStatusError):
            headers = exc.response.headers
            wait_s = parse_retry_after_s(headers, now=self._clock.now())
            body = exc.body if isinstance(exc.body, dict) else exc.response.text
            return self._mask(
                build_error(
                    body,
                    status=exc.status_code,
                    retry_after_s=wait_s,
                    where=self._options.name,
                )
            )
        if isinstance(exc, sdk.APIError):
            # Told in the middle of a stream.
            return self._error(exc.body if isinstance(exc.body, dict) else exc.message)
        return self._error(f"{type(exc).__name__}: {exc}")

    def _late(self) -> ProviderError:
        return self._error(f"no answer after {self._options.timeout_s:g} s", is_retryable=True)

    def _error(self, reason: Json, *, is_retryable: bool | None = None) -> ProviderError:
        error = self._mask(build_error(reason, status=None, where=self._options.name))
        if is_retryable is not None:
            error.is_retryable = is_retryable
        return error

    def _mask(self, error: ProviderError) -> ProviderError:
        """The error without the key, which some servers repeat."""
        key = self._options.key
        if key is not None and key.reveal():
            error.message = error.message.replace(key.reveal(), "***")
            error.args = (error.message,)
        return error


class WireStream:
    """The events of one answer, each a parsed object, in order."""

    def __init__(
        self,
        events: Any,
        *,
        failures: tuple[type[Exception], ...],
        convert: Callable[[Exception], ProviderError],
        fail: Callable[[str], ProviderError],
        timeout_s: float,
    ) -> None:
        self._events = events
        self._iterator = aiter(events)
        self._failures = failures
        self._convert = convert
        self._fail = fail
        self._timeout_s = timeout_s
        self._first: JsonObject | None = None
        self.request_id: str = events.response.headers.get("x-request-id", "")

    async def read_first(self) -> None:
        """Wait until the stream has begun.

        Raises:
            ProviderError: it broke off or ended before.
        """
        self._first = await self._next()
        if self._first is None:
            raise self._fail("the answer is no stream of events, or an empty one")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> JsonObject:
        """The next event, to the end.

        Raises:
            ProviderError: the stream broke off, or what came is no event.
        """
        event, self._first = self._first, None
        if event is None:
            event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Give the connection back, whatever was read."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._events.response.aclose()

    async def _next(self) -> JsonObject | None:
        try:
            # Beside the SDK's own, which starts anew with every sign of life between events.
            with anyio.fail_after(self._timeout_s):
                event = await anext(self._iterator, None)
        except self._failures as exc:
            raise self._convert(exc) from None
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
        import openai
    except ImportError as exc:
        raise ConfigError(
            "models of OpenAI and of compatible servers need the package openai",
            hint="pip install 'toolweft[openai]'",
        ) from exc
    return openai
