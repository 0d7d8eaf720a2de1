"""The way to Google's APIs: the vendor's official SDK, at its lowest.

The SDK gives connections, authorisation and addresses. Its typed methods would drop what they do
not know, and two of them try again by themselves; its lowest one does neither.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret
from toolweft.providers.connection import (
    CLOSE_TIMEOUT_S,
    Connection,
    ConnectionOptions,
    WireAnswer,
    WireStream,
    encode_body,
    missing_sdk,
)
from toolweft.providers.gemini.events import EventReader
from toolweft.providers.gemini.failures import build_error
from toolweft.providers.waits import parse_retry_after_s

__all__ = ("GeminiConnection", "GeminiConnectionOptions", "GeminiStream")

# Ends a stream of Interactions, in place of data.
_DONE: Final = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiConnectionOptions(ConnectionOptions):
    """Where a model is and how it is reached; the address is without the version of the API."""

    key: Secret
    api_version: str


class GeminiConnection(Connection[GeminiConnectionOptions]):
    """Requests to one place; an async context manager that owns the connections."""

    _http: Any

    def _load_sdk(self) -> Any:
        try:
            from google import genai
            from google.genai import errors  # noqa: F401 # Read as `genai.errors`.
        except ImportError as exc:
            raise missing_sdk("models of Google", package="google-genai", extra="gemini") from exc
        return genai

    def _build_client(self) -> Any:
        import httpx2

        options = self.options
        timeout = httpx2.Timeout(options.timeout_s, connect=options.connect_timeout_s)
        # A key and a history are not sent to wherever an answer points.
        self._http = httpx2.AsyncClient(
            follow_redirects=False, timeout=timeout, event_hooks={"response": [self.cap]}
        )
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

    async def _close(self, client: Any) -> None:
        await self._http.aclose()
        client.close()

    async def _post(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> WireAnswer:
        response = await self._send(path, body, headers)
        try:
            data = b"".join([piece async for piece in self.read_pieces(response)])
        finally:
            with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await response.aclose()
        return WireAnswer(body=await self.parse_answer(data))

    async def _open_stream(
        self, path: str, body: JsonObject, headers: Mapping[str, str]
    ) -> "GeminiStream":
        return GeminiStream(await self._send(path, body, headers), connection=self)

    async def _send(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> Any:
        """An open answer whose status is good."""
        import httpx2

        # The SDK has no public way to send JSON as it is, in either API alike.
        api = self._client._api_client  # noqa: SLF001 # As said above.
        request = api._build_request("post", path, {})  # noqa: SLF001 # As said above.
        request.data = encode_body(body)
        request.headers.update(headers)
        try:
            send = api._async_request_once  # noqa: SLF001 # As said above.
            answer = await send(request, stream=True, implicit_retry=False)
        except self._sdk.errors.APIError as exc:
            # Chained to nothing: the SDK's errors hold the request with its headers.
            raise self._convert(exc) from None
        except httpx2.ConnectTimeout:
            raise self.unreached() from None
        except httpx2.TimeoutException:
            raise self.late() from None
        except httpx2.HTTPError as exc:
            reason = f"{self.options.base_url}: {type(exc).__name__}: {exc}"
            raise self.error(reason, is_retryable=True) from None
        return answer.response_stream

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
            raise self.error(f"{type(exc).__name__}: {exc}", is_retryable=True) from None

    def parse_event(self, data: bytes) -> JsonObject | None:
        """One event; None for the mark that ends a stream.

        Raises:
            ProviderError: it is no JSON object, or it tells an error.
        """
        if data.strip() == _DONE:
            return None
        event = self.parse(data, what="an event of the stream")
        if isinstance(event.get("error"), dict):
            raise self.error(event)
        return event

    def _convert(self, exc: Any) -> ProviderError:
        headers: Mapping[str, str] = getattr(exc.response, "headers", {})
        error = build_error(
            exc.details,
            where=self.options.name,
            status=exc.code,
            retry_after_s=parse_retry_after_s(headers, now=self._clock.now()),
        )
        return self.mask(error)

    def _build_error(self, told: Json) -> ProviderError:
        return build_error(told, where=self.options.name)


class GeminiStream(WireStream):
    """The events as they are read out of the bytes."""

    def __init__(self, response: Any, *, connection: GeminiConnection) -> None:
        super().__init__(connection, response=response)
        self._events = _read_events(response, connection)

    @property
    def _size(self) -> int:
        size: int = self._response.num_bytes_downloaded
        return size

    async def _next(self) -> JsonObject | None:
        return await anext(self._events, None)

    async def _close(self) -> None:
        await self._events.aclose()
        await self._response.aclose()


async def _read_events(response: Any, connection: GeminiConnection) -> Any:
    reader = EventReader()
    async for piece in connection.read_pieces(response):
        for data in reader.add(piece):
            event = connection.parse_event(data)
            if event is not None:
                yield event
    for data in reader.finish():
        event = connection.parse_event(data)
        if event is not None:
            yield event
