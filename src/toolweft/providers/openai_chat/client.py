"""A model behind any server that speaks Chat Completions."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from toolweft.core.errors import ConfigError
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply, ModelRequest
from toolweft.core.models import TokenPrices
from toolweft.providers.client import Exchange, ProviderClient, find_key
from toolweft.providers.openai_chat.decode import decode
from toolweft.providers.openai_chat.encode import encode
from toolweft.providers.openai_chat.models import find_capabilities
from toolweft.providers.openai_chat.options import OpenAIChatOptions
from toolweft.providers.openai_chat.stream import StreamFold
from toolweft.providers.openai_chat.target import Target
from toolweft.providers.openai_wire import OpenAIConnection, OpenAIConnectionOptions

__all__ = ("OpenAIChatProvider",)

_PATH: Final = "/chat/completions"
# Without it a stream says nothing of tokens.
_STREAMED: Final = {"stream": True, "stream_options": {"include_usage": True}}


class OpenAIChatProvider(ProviderClient[OpenAIChatOptions, Target]):
    """The `Provider` of one model; an async context manager that owns its connections."""

    def _choose_target(self, options: OpenAIChatOptions) -> tuple[Target, TokenPrices | None]:
        # Without a user and password that an address may hold.
        platform = options.platform or _split_address(options).netloc.rpartition("@")[2]
        target = Target(
            model=options.model,
            platform=platform,
            capabilities=options.capabilities or find_capabilities(platform, options.model),
            limit_name=options.limit_name,
        )
        return target, None

    def _build_connection(
        self, options: OpenAIChatOptions, environment: Mapping[str, str]
    ) -> OpenAIConnection:
        _split_address(options)
        key = options.key
        if options.key_variable is not None:
            key = find_key(key, options.key_variable, environment=environment, name=self.name)
        chosen = OpenAIConnectionOptions(
            name=self.name,
            base_url=options.base_url,
            key=key,
            headers=options.headers,
            timeout_s=options.timeout_s,
            connect_timeout_s=options.connect_timeout_s,
        )
        return OpenAIConnection(chosen, clock=self._clock)

    def _prepare(self, request: ModelRequest) -> Exchange:
        def decode_answer(answer: JsonObject, request_id: str) -> ModelReply:
            return decode(answer, platform=self._target.platform, request_id=request_id)

        return Exchange(
            path=_PATH,
            body=encode(request, self._target),
            stream_path=_PATH,
            stream_fields=_STREAMED,
            decode=decode_answer,
            begin=StreamFold,
        )


def _split_address(options: OpenAIChatOptions) -> SplitResult:
    try:
        address = urlsplit(options.base_url)
    except ValueError:
        address = urlsplit("")
    if address.scheme not in {"http", "https"} or not address.netloc:
        # Without a user and password, as everywhere.
        shown = options.base_url.rpartition("@")[2]
        raise ConfigError(
            f"{options.model}: {shown!r} is no address of a server",
            hint='"http://127.0.0.1:11434/v1", with the version',
        )
    return address
