"""A model of Google behind generateContent or Interactions."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, ReplyDone
from toolweft.core.providers import ModelCapabilities, TokenPrices
from toolweft.core.secret import Secret
from toolweft.providers.gemini import (
    generate_decode,
    generate_encode,
    interactions_decode,
    interactions_encode,
)
from toolweft.providers.gemini.connection import Connection, ConnectionOptions
from toolweft.providers.gemini.generate_stream import GenerateFold
from toolweft.providers.gemini.interactions_stream import InteractionsFold
from toolweft.providers.gemini.models import find_model
from toolweft.providers.gemini.options import GeminiOptions
from toolweft.providers.gemini.target import Target, limit_to_native
from toolweft.providers.retry import with_retries

__all__ = ("GeminiProvider",)

_BASE_URL: Final = "https://generativelanguage.googleapis.com"
_KEY_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_INTERACTIONS: Final = "interactions"


class GeminiProvider:
    """The `Provider` of one model; an async context manager that owns its connections."""

    def __init__(
        self,
        options: GeminiOptions,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            options: which model, behind which API, and how.
            environment: where the key is taken from if `options` has none.
            clock: for deadlines and for dates in answers.
            random: a number of [0, 1) at each call, for jitter between tries.

        Raises:
            ConfigError: there is no key.
        """
        self._options = options
        self._clock = clock
        self._random = random
        row = find_model(options.api, options.model)
        self._prices = options.prices or row.prices
        self._target = Target(
            model=options.model,
            api=options.api,
            capabilities=options.capabilities
            or limit_to_native(row.capabilities, options.native, is_proven=row.is_proven),
            joins_schema_and_tools=row.joins_schema_and_tools,
            takes_result_images=row.takes_result_images,
            lists_deferred=options.lists_deferred,
        )
        self._connection = Connection(
            ConnectionOptions(
                name=self.name,
                base_url=options.base_url or _BASE_URL,
                api_version=options.api_version,
                key=_choose_key(options, environment),
                timeout_s=options.timeout_s,
                connect_timeout_s=options.connect_timeout_s,
            ),
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        """Load the SDK.

        Raises:
            ConfigError: it is not installed.
        """
        await self._connection.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._connection.__aexit__(kind, error, traceback)

    @property
    def name(self) -> str:
        """Vendor and model: "gemini:gemini-3.8-flash"."""
        return f"gemini:{self._options.model}"

    @property
    def capabilities(self) -> ModelCapabilities:
        """See `toolweft.core.providers.Provider`."""
        return self._target.capabilities

    @property
    def prices(self) -> TokenPrices | None:
        """See `toolweft.core.providers.Provider`."""
        return self._prices

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `toolweft.core.providers.Provider`."""
        body = self._encode(request)
        path = self._choose_path(is_streamed=False)
        answer = await with_retries(
            lambda: self._connection.post(path, body), clock=self._clock, random=self._random
        )
        return self._decode(answer, request)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `toolweft.core.providers.Provider`."""
        body = self._encode(request)
        if self._target.api == "gemini_interactions":
            body["stream"] = True
        path = self._choose_path(is_streamed=True)
        stream = await with_retries(
            lambda: self._connection.open_stream(path, body), clock=self._clock, random=self._random
        )
        fold = self._build_fold(request)
        try:
            # To its end, so that the connection can be used again.
            async for wire_event in stream:
                for event in fold.add(wire_event):
                    yield event
        except ProviderError as exc:
            raise _cut_off(self.name, fold.written, exc.message, status=exc.status) from exc
        finally:
            await stream.aclose()
        if not fold.is_ended:
            raise _cut_off(self.name, fold.written, "it ended early")
        yield ReplyDone(self._decode(fold.body, request))

    def _encode(self, request: ModelRequest) -> JsonObject:
        if self._target.api == "gemini":
            return generate_encode.encode(request, self._target)
        return interactions_encode.encode(request, self._target)

    def _decode(self, body: JsonObject, request: ModelRequest) -> ModelReply:
        if self._target.api == "gemini":
            return generate_decode.decode(body, model=self._target.model)
        return interactions_decode.decode(
            body,
            search_name=interactions_encode.name_search(request),
            model=self._target.model,
        )

    def _build_fold(self, request: ModelRequest) -> GenerateFold | InteractionsFold:
        if self._target.api == "gemini":
            return GenerateFold()
        search_name = interactions_encode.find_client_search(request, self._target)
        return InteractionsFold(search_name=search_name)

    def _choose_path(self, *, is_streamed: bool) -> str:
        if self._target.api == "gemini_interactions":
            return _INTERACTIONS
        method = "streamGenerateContent?alt=sse" if is_streamed else "generateContent"
        return f"models/{quote(self._target.model, safe='')}:{method}"


def _cut_off(name: str, written: int, reason: str, *, status: int | None = None) -> ProviderError:
    return ProviderError(
        f"{name}: the answer broke off after {written:,} characters of text, and what was written"
        f" is lost: {reason}",
        hint="the history is unchanged; ask again from there",
        status=status,
    )


def _choose_key(options: GeminiOptions, environment: Mapping[str, str]) -> Secret:
    if options.key is not None:
        return options.key
    for variable in _KEY_VARIABLES:
        if value := environment.get(variable, "").strip():
            return Secret(value, reference=f"env:{variable}")
    first, second = _KEY_VARIABLES
    raise ConfigError(
        f"gemini:{options.model}: there is no key in {first} or {second}",
        hint=f"set {first} in the environment",
    )
