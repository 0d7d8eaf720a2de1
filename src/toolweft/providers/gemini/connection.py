"""The way to Google's APIs: the vendor's official SDK, at its lowest.

What is sent are the bytes of the encoded request, and what comes back is the plain JSON: the SDK
gives connections, authorisation and addresses. Its typed methods would drop what they do not know,
and two of them try again by themselves; its lowest one does neither.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import anyio
from anyio import to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret
from toolweft.providers.gemini.events import EventReader
from toolweft.providers.gemini.failures import build_error, parse_retry_after_s

__all__ = ("Connection", "ConnectionOptions", "WireStream")

_CLOSE_TIMEOUT_S: Final = 2.0
# An answer of the longest there is stays far below.
_MAX_ANSWER_BYTES: Final = 64 * 1024**2
# Ends a stream of Interactions, in place of data.
_DONE: Final = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Where a model is and how it is reached."""

    # Vendor and model, for messages: "gemini:gemini-3.8-flash".
    name: str
    # Without the version of the API.
    base_url: str
    api_version: str
    key: Secret
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0


class Connection:
    """Requests to one place; an async context manager that owns the connections."""

    def __init__(self, options: ConnectionOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._http: Any = None
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
        # Takes more than a second of CPU time.
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
            await self._http.aclose()
            client.close()

    def _build_client(self) -> Any:
        import httpx2

        options = self._options
        timeout = httpx2.Timeout(options.timeout_s, connect=options.connect_timeout_s)
        # A key and a history are not sent to wherever an answer points.
        self._http = httpx2.AsyncClient(follow_redirects=False, timeout=timeout)
        return self._sdk.Client(
            # Given, so that neither is looked for in the environment.
            api_key=options.key.reveal(),
            vertexai=False,
            http_options={
                "base_url": options.base_url,
                "api_version": options.api_version,
                "httpx_async_client": self._http,
            },
        )

    async def post(self, path: str, body: JsonObject) -> JsonObject:
        """Send one request and read its whole answer.

        Raises:
            ProviderError: no answer, or one that says what went wrong, or one that is no object.
        """
        try:
            with anyio.fail_after(self._options.timeout_s):
                response = await self._send(path, body)
                try:
                    data = await self._read(response, max_bytes=_MAX_ANSWER_BYTES)
                finally:
                    await _close(response)
        except TimeoutError:
            reason = f"no answer after {self._options.timeout_s:g} s"
            raise self._error(reason, is_retryable=True) from None
        return self._parse(data)

    async def open_stream(self, path: str, body: JsonObject) -> "WireStream":
        """Send one request whose answer is a stream of events, and wait for the first of them.

        The caller closes what it gets.

        Raises:
            ProviderError: as `post`; also where the stream ends before it gave anything.
        """
        try:
            with anyio.fail_after(self._options.timeout_s):
                response = await self._send(path, body)
        except TimeoutError:
            reason = f"no answer after {self._options.timeout_s:g} s"
            raise self._error(reason, is_retryable=True) from None
        stream = WireStream(response, connection=self)
        try:
            await stream.read_first()
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _send(self, path: str, body: JsonObject) -> Any:
        """An open answer whose status is good."""
        import httpx2

        if self._client is None:
            raise self._error("the provider is not open")
        # The SDK has no public way to send JSON as it is, in either API alike.
        api = self._client._api_client  # noqa: SLF001 # As said above.
        request = api._build_request("post", path, {})  # noqa: SLF001 # As said above.
        request.data = _encode(body)
        try:
            send = api._async_request_once  # noqa: SLF001 # As said above.
            answer = await send(request, stream=True, implicit_retry=False)
        except self._sdk.errors.APIError as exc:
            # Chained to nothing: the SDK's errors hold the request with its headers.
            raise self._convert(exc) from None
        except httpx2.TimeoutException:
            raise self._error("no answer in time", is_retryable=True) from None
        except httpx2.HTTPError as exc:
            reason = f"{self._options.base_url}: {type(exc).__name__}: {exc}"
            raise self._error(reason, is_retryable=True) from None
        return answer.response_stream

    async def _read(self, response: Any, *, max_bytes: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in self.read_pieces(response):
            size += len(piece)
            if size > max_bytes:
                raise self._error(f"the answer is above the cap of {max_bytes:,} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def read_pieces(self, response: Any) -> AsyncIterator[bytes]:
        """The bytes of an answer as they come.

        Raises:
            ProviderError: it broke off.
        """
        import httpx2

        try:
            async for piece in response.aiter_bytes():
                yield piece
        except httpx2.HTTPError as exc:
            raise self._error(f"{type(exc).__name__}: {exc}", is_retryable=True) from None

    def parse_event(self, data: bytes) -> JsonObject | None:
        """One event; None for the mark that ends a stream.

        Raises:
            ProviderError: it is no JSON object, or it tells an error.
        """
        if data.strip() == _DONE:
            return None
        event = self._parse(data, what="an event of the stream")
        if isinstance(event.get("error"), dict):
            raise self._error(event)
        return event

    def _parse(self, data: bytes, *, what: str = "the answer") -> JsonObject:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise self._error(f"{what} is not JSON") from None
        if not isinstance(value, dict):
            raise self._error(f"{what} is no JSON object")
        return value

    def _convert(self, exc: Any) -> ProviderError:
        headers: Mapping[str, str] = getattr(exc.response, "headers", {})
        return self._mask(
            build_error(
                exc.details,
                where=self._options.name,
                status=exc.code,
                retry_after_s=parse_retry_after_s(headers, now=self._clock.now()),
            )
        )

    def _error(self, reason: Json, *, is_retryable: bool = False) -> ProviderError:
        error = self._mask(build_error(reason, where=self._options.name))
        error.is_retryable = error.is_retryable or is_retryable
        return error

    def fail(self, reason: str) -> ProviderError:
        """An error with the model's name before it."""
        return self._error(reason)

    def _mask(self, error: ProviderError) -> ProviderError:
        """The error without the key, which some servers repeat."""
        if key := self._options.key.reveal():
            error.message = error.message.replace(key, "***")
            error.args = (error.message,)
        return error


class WireStream:
    """The events of one answer, each a parsed object, in order."""

    def __init__(self, response: Any, *, connection: Connection) -> None:
        self._response = response
        self._connection = connection
        self._events = self._read()
        self._first: JsonObject | None = None

    async def read_first(self) -> None:
        """Wait until the stream has begun.

        Raises:
            ProviderError: it broke off or ended before.
        """
        self._first = await anext(self._events, None)
        if self._first is None:
            raise self._connection.fail("the answer is no stream of events, or an empty one")

    def __aiter__(self) -> Self:
        """Every event to the end."""
        return self

    async def __anext__(self) -> JsonObject:
        """The next event.

        Raises:
            ProviderError: the stream broke off, tells an error, or what came is no event.
        """
        event, self._first = self._first, None
        return event if event is not None else await anext(self._events)

    async def aclose(self) -> None:
        """Give the connection back, whatever was read."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._events.aclose()
            await self._response.aclose()

    async def _read(self) -> Any:
        reader = EventReader()
        async for piece in self._connection.read_pieces(self._response):
            for data in reader.add(piece):
                event = self._connection.parse_event(data)
                if event is not None:
                    yield event
        for data in reader.finish():
            event = self._connection.parse_event(data)
            if event is not None:
                yield event


async def _close(response: Any) -> None:
    with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
        await response.aclose()


def _encode(body: JsonObject) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair, which a tool's text may hold, is no UTF-8.
    return text.encode("utf-8", "replace")


def _import_sdk() -> Any:
    try:
        from google import genai
        from google.genai import errors  # noqa: F401 # Read as `genai.errors`.
    except ImportError as exc:
        raise ConfigError(
            "models of Google need the package google-genai",
            hint="pip install 'toolweft[gemini]'",
        ) from exc
    return genai
