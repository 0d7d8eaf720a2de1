"""The way to the Messages API: the vendor's official SDK, at its lowest."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import Secret
from toolweft.providers.anthropic.failures import build_error
from toolweft.providers.connection import ConnectionOptions, missing_sdk
from toolweft.providers.sdk import SdkConnection
from toolweft.providers.waits import parse_retry_after_s

__all__ = ("AnthropicConnection", "AnthropicConnectionOptions")

_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicConnectionOptions(ConnectionOptions):
    """Where a model is and how it is reached; the address is without "/v1/messages"."""

    key: Secret
    # Names of headers that carry the key; none: "Authorization", as the SDK does by itself.
    key_headers: tuple[str, ...] = ()


class AnthropicConnection(SdkConnection[AnthropicConnectionOptions]):
    """Requests to one place; an async context manager that owns the connections."""

    id_header = "request-id"
    # The SDK copies what it has of an event with each piece that comes, on the event loop.
    max_event_bytes = 16 * 1024**2

    def _load_sdk(self) -> ModuleType:
        try:
            import anthropic
        except ImportError as exc:
            raise missing_sdk(
                "models of Anthropic", package="anthropic", extra="anthropic"
            ) from exc
        return anthropic

    def _build_client(self) -> Any:
        options, sdk = self.options, self._sdk
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
            http_client=sdk.DefaultAsyncHttpxClient(
                follow_redirects=False, timeout=timeout, event_hooks={"response": [self.cap]}
            ),
        )

    def _failures(self) -> type[Exception]:
        failures: type[Exception] = self._sdk.AnthropicError
        return failures

    def _read_failure(self, exc: Any, sent: JsonObject) -> ProviderError:
        status = exc.response.status_code
        return build_error(
            exc.body,
            where=self.options.name,
            # Told within a stream, an error comes with the status of the stream.
            status=None if status == _OK else status,
            retry_after_s=parse_retry_after_s(exc.response.headers, now=self._clock.now()),
            container_id=sent.get("container"),
        )

    def _build_error(self, told: Json) -> ProviderError:
        return build_error(told, where=self.options.name)
