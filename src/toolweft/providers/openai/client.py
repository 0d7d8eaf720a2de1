"""A model behind the Responses API, of OpenAI or on Azure."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Self

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, ReplyDone
from toolweft.core.providers import ModelCapabilities, TokenPrices
from toolweft.core.secret import Secret
from toolweft.providers.openai.decode import DEFAULT_SEARCH_NAME, decode
from toolweft.providers.openai.encode import encode_with_plan
from toolweft.providers.openai.models import find_model
from toolweft.providers.openai.options import OpenAIOptions
from toolweft.providers.openai.stream import StreamFold
from toolweft.providers.openai.target import Target, limit_to_native
from toolweft.providers.openai.tools import ToolPlan
from toolweft.providers.openai_wire import Connection, ConnectionOptions
from toolweft.providers.retry import with_retries

__all__ = ("OpenAIProvider",)

_PATH: Final = "/responses"
_BASE_URL: Final = "https://api.openai.com/v1"
_KEY_VARIABLES: Final = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}


class OpenAIProvider:
    """The `Provider` of one model; an async context manager that owns its connections."""

    def __init__(
        self,
        options: OpenAIOptions,
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
            ConfigError: there is no key, or no address for Azure.
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
            is_reasoning=row.is_reasoning,
            effort=options.effort,
            cache_key=options.cache_key,
            lists_deferred=options.lists_deferred,
        )
        self._connection = Connection(
            ConnectionOptions(
                name=self.name,
                base_url=_choose_base_url(options),
                key=_choose_key(options, environment),
                token_source=options.token_source,
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
        """Platform and model: "openai:gpt-5.6-sol"."""
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
        body, plan = encode_with_plan(request, self._target)

        async def attempt() -> ModelReply:
            answer = await self._connection.post(_PATH, body)
            # Also a response that says it failed may be asked for again.
            return self._decode(answer.body, request, request_id=answer.request_id, plan=plan)

        return await with_retries(
            attempt,
            clock=self._clock,
            random=self._random,
            is_allowed=not plan.has_programs,
        )

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `toolweft.core.providers.Provider`."""
        body, plan = encode_with_plan(request, self._target)
        stream = await with_retries(
            lambda: self._connection.open_stream(_PATH, {**body, "stream": True}),
            clock=self._clock,
            random=self._random,
            is_allowed=not plan.has_programs,
        )
        fold = StreamFold(search_name=_search_name(request, plan))
        try:
            async for wire_event in stream:
                for event in fold.add(wire_event):
                    yield event
        finally:
            await stream.aclose()
        yield ReplyDone(self._decode(fold.body, request, request_id=stream.request_id, plan=plan))

    def _decode(
        self, body: JsonObject, request: ModelRequest, *, request_id: str, plan: ToolPlan
    ) -> ModelReply:
        return decode(
            body,
            platform=self._target.platform,
            search_name=_search_name(request, plan),
            request_id=request_id,
        )


def _search_name(request: ModelRequest, plan: ToolPlan) -> str:
    if plan.search_name is not None:
        return plan.search_name
    return next((tool.name for tool in request.tools if tool.is_search), DEFAULT_SEARCH_NAME)


def _choose_base_url(options: OpenAIOptions) -> str:
    if options.base_url is not None:
        return options.base_url
    if options.platform == "azure":
        raise ConfigError(
            f"azure:{options.model}: a deployment on Azure needs its base_url",
            hint='"https://<resource>.openai.azure.com/openai/v1/"',
        )
    return _BASE_URL


def _choose_key(options: OpenAIOptions, environment: Mapping[str, str]) -> Secret | None:
    if options.key is not None or options.token_source is not None:
        return options.key
    variable = _KEY_VARIABLES[options.platform]
    value = environment.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{options.platform}:{options.model}: there is no key in {variable}",
            hint=f"set {variable} in the environment",
        )
    return Secret(value, reference=f"env:{variable}")
