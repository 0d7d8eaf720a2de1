"""A model behind any server that speaks Chat Completions."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from toolweft.core.clock import Clock
from toolweft.core.errors import ConfigError
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, ReplyDone
from toolweft.core.providers import ModelCapabilities, TokenPrices
from toolweft.core.secret import Secret
from toolweft.providers.openai_chat.decode import decode
from toolweft.providers.openai_chat.encode import encode
from toolweft.providers.openai_chat.models import find_capabilities
from toolweft.providers.openai_chat.options import OpenAIChatOptions
from toolweft.providers.openai_chat.stream import StreamFold
from toolweft.providers.openai_chat.target import Target
from toolweft.providers.openai_wire import Connection, ConnectionOptions
from toolweft.providers.retry import with_retries

__all__ = ("OpenAIChatProvider",)

_PATH: Final = "/chat/completions"
# Without it a stream says nothing of tokens.
_STREAMED: Final = {"stream": True, "stream_options": {"include_usage": True}}


class OpenAIChatProvider:
    """The `Provider` of one model; an async context manager that owns its connections."""

    def __init__(
        self,
        options: OpenAIChatOptions,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            options: which model, where, and how.
            environment: where the key is taken from if `options` names a variable.
            clock: for deadlines and for dates in answers.
            random: a number of [0, 1) at each call, for jitter between tries.

        Raises:
            ConfigError: the variable that `options` names is not set, or the address is none.
        """
        address = urlsplit(options.base_url)
        if address.scheme not in {"http", "https"} or not address.netloc:
            raise ConfigError(
                f"{options.model}: {options.base_url!r} is no address of a server",
                hint='"http://127.0.0.1:11434/v1", with the version',
            )
        self._clock = clock
        self._random = random
        # Without a user and password that an address may hold.
        platform = options.platform or address.netloc.rpartition("@")[2]
        self._prices = options.prices
        self._target = Target(
            model=options.model,
            platform=platform,
            capabilities=options.capabilities or find_capabilities(platform, options.model),
            limit_name=options.limit_name,
        )
        self._connection = Connection(
            ConnectionOptions(
                name=self.name,
                base_url=options.base_url,
                key=_choose_key(options, environment),
                headers=options.headers,
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
        """Platform and model: "ollama:qwen3"."""
        return f"{self._target.platform}:{self._target.model}"

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

        async def attempt() -> ModelReply:
            answer = await self._connection.post(_PATH, body)
            return decode(answer.body, platform=self._target.platform, request_id=answer.request_id)

        return await with_retries(attempt, clock=self._clock, random=self._random)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `toolweft.core.providers.Provider`."""
        body = {**encode(request, self._target), **_STREAMED}
        stream = await with_retries(
            lambda: self._connection.open_stream(_PATH, body),
            clock=self._clock,
            random=self._random,
        )
        fold = StreamFold()
        try:
            async for chunk in stream:
                for event in fold.add(chunk):
                    yield event
        finally:
            await stream.aclose()
        reply = decode(fold.body, platform=self._target.platform, request_id=stream.request_id)
        yield ReplyDone(reply)


def _choose_key(options: OpenAIChatOptions, environment: Mapping[str, str]) -> Secret | None:
    variable = options.key_variable
    if options.key is not None or variable is None:
        return options.key
    value = environment.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{options.model}: there is no key in {variable}",
            hint=f"set {variable} in the environment",
        )
    return Secret(value, reference=f"env:{variable}")
