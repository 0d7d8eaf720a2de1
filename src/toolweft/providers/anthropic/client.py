"""A model behind the Messages API, at Anthropic or on Microsoft Foundry."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Self

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, ReplyDone
from toolweft.core.providers import ModelCapabilities, TokenPrices
from toolweft.core.secret import Secret
from toolweft.providers.anthropic.connection import Connection, ConnectionOptions
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.encode import build_headers, encode
from toolweft.providers.anthropic.models import find_model
from toolweft.providers.anthropic.options import AnthropicOptions
from toolweft.providers.anthropic.stream import StreamFold
from toolweft.providers.anthropic.target import Platform, Target, limit_to_native
from toolweft.providers.retry import with_retries

__all__ = ("AnthropicProvider",)

_BASE_URL: Final = "https://api.anthropic.com"
_KEY_VARIABLES: Final[Mapping[Platform, str]] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "foundry": "ANTHROPIC_FOUNDRY_API_KEY",
}
_KEY_HEADERS: Final[Mapping[Platform, tuple[str, ...]]] = {
    "anthropic": (),
    "foundry": ("x-api-key", "api-key"),
}


class AnthropicProvider:
    """The `Provider` of one model; an async context manager that owns its connections."""

    def __init__(
        self,
        options: AnthropicOptions,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            options: which model, where, and how.
            environment: where the key is taken from if `options` has none.
            clock: for deadlines and for dates in answers.
            random: a number of [0, 1) at each call, for jitter between tries.

        Raises:
            ConfigError: there is no key, or no address for Foundry.
        """
        self._options = options
        self._clock = clock
        self._random = random
        row = find_model(options.platform, options.known_as or options.model)
        self._prices = options.prices or row.prices
        self._target = Target(
            model=options.model,
            platform=options.platform,
            capabilities=options.capabilities
            or limit_to_native(row.capabilities, options.native, is_proven=row.is_proven),
            code_tool=row.code_tool,
            headers=options.headers or row.headers,
            effort=options.effort,
        )
        self._connection = Connection(
            ConnectionOptions(
                name=self.name,
                base_url=_choose_base_url(options),
                key=_choose_key(options, environment),
                key_headers=_KEY_HEADERS[options.platform],
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
        """Platform and model: "anthropic:claude-opus-5-5"."""
        return f"{self._options.platform}:{self._options.model}"

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
        body = encode(request, self._target)
        headers = build_headers(body, self._target.headers)
        answer = await with_retries(
            lambda: self._connection.post(body, headers=headers),
            clock=self._clock,
            random=self._random,
            is_allowed=_may_repeat(body),
        )
        return self._decode(answer.body, request, request_id=answer.request_id)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `toolweft.core.providers.Provider`."""
        body = encode(request, self._target)
        headers = build_headers(body, self._target.headers)
        stream = await with_retries(
            lambda: self._connection.open_stream(body, headers=headers),
            clock=self._clock,
            random=self._random,
            is_allowed=_may_repeat(body),
        )
        fold = StreamFold()
        try:
            async for wire_event in stream:
                for event in fold.add(wire_event):
                    yield event
                if fold.is_ended:
                    break
        except ProviderError as exc:
            raise _cut_off(self.name, fold, exc.message, status=exc.status) from exc
        finally:
            await stream.aclose()
        if not fold.is_ended:
            raise _cut_off(self.name, fold, "it ended early")
        yield ReplyDone(self._decode(fold.body, request, request_id=stream.request_id))

    def _decode(self, body: JsonObject, request: ModelRequest, *, request_id: str) -> ModelReply:
        return decode(
            body,
            platform=self._target.platform,
            now=self._clock.now(),
            request_id=request_id,
            history=request.messages,
        )


def _may_repeat(body: JsonObject) -> bool:
    """A program that goes on may have acted before the answer was lost."""
    return "container" not in body


def _cut_off(
    name: str, fold: StreamFold, reason: str, *, status: int | None = None
) -> ProviderError:
    return ProviderError(
        f"{name}: the answer broke off after {fold.written:,} characters of text, and what was"
        f" written is lost: {reason}",
        hint="the history is unchanged; ask again from there",
        status=status,
    )


def _choose_base_url(options: AnthropicOptions) -> str:
    if options.base_url is not None:
        return options.base_url
    if options.platform == "foundry":
        raise ConfigError(
            f"foundry:{options.model}: a deployment on Foundry needs its base_url",
            hint='"https://<resource>.services.ai.azure.com/anthropic"',
        )
    return _BASE_URL


def _choose_key(options: AnthropicOptions, environment: Mapping[str, str]) -> Secret:
    if options.key is not None:
        return options.key
    variable = _KEY_VARIABLES[options.platform]
    value = environment.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{options.platform}:{options.model}: there is no key in {variable}",
            hint=f"set {variable} in the environment",
        )
    return Secret(value, reference=f"env:{variable}")
