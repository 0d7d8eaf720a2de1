"""The way to OpenAI's APIs and to servers that speak like them: its official SDK, at its lowest."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.providers.connection import ConnectionOptions, missing_sdk
from toolweft.providers.openai_wire.failures import build_error
from toolweft.providers.sdk import SdkConnection
from toolweft.providers.waits import parse_retry_after_s

__all__ = ("OpenAIConnection", "OpenAIConnectionOptions")

# The SDK would read these from the environment, which only `toolweft.config` does.
_AMBIENT_HEADERS: Final = ("OpenAI-Organization", "OpenAI-Project")
# Shorter values of headers are no secrets, and would be cut out of ordinary words.
_MIN_SECRET_CHARACTERS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIConnectionOptions(ConnectionOptions):
    """Where a model is and how it is reached.

    The address is with the version and without the API's own path: "https://api.openai.com/v1".
    """

    # Asked for before each request, in place of a key.
    token_source: Callable[[], Awaitable[str]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class OpenAIConnection(SdkConnection[OpenAIConnectionOptions]):
    """Requests to one place; an async context manager that owns the connections."""

    id_header = "x-request-id"

    def _load_sdk(self) -> ModuleType:
        try:
            import openai
        except ImportError as exc:
            models = "models of OpenAI and of compatible servers"
            raise missing_sdk(models, package="openai", extra="openai") from exc
        return openai

    def _build_client(self) -> Any:
        options, sdk = self.options, self._sdk
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
            http_client=sdk.DefaultAsyncHttpx2Client(
                follow_redirects=False, timeout=timeout, event_hooks={"response": [self.cap]}
            ),
        )

    def _choose_headers(self, headers: Mapping[str, str], *, accept: str) -> dict[str, Any]:
        chosen = super()._choose_headers(headers, accept=accept)
        if self.options.key is None and self.options.token_source is None:
            chosen["Authorization"] = self._sdk.Omit()
        return chosen

    def _header_values(self) -> Iterable[str]:
        values = self.options.headers.values()
        return [value for value in values if len(value) >= _MIN_SECRET_CHARACTERS]

    def _failures(self) -> type[Exception]:
        failures: type[Exception] = self._sdk.OpenAIError
        return failures

    def _read_failure(self, exc: Any, sent: JsonObject) -> ProviderError:
        del sent
        return build_error(
            exc.body if isinstance(exc.body, dict) else exc.response.text,
            status=exc.status_code,
            retry_after_s=parse_retry_after_s(exc.response.headers, now=self._clock.now()),
            where=self.options.name,
        )

    def _build_error(self, told: Json) -> ProviderError:
        return build_error(told, status=None, where=self.options.name)
