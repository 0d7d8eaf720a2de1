"""A model behind the Messages API, at Anthropic or on Microsoft Foundry."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from toolweft.core.errors import ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply, ModelRequest
from toolweft.core.models import TokenPrices
from toolweft.providers.anthropic.connection import (
    AnthropicConnection,
    AnthropicConnectionOptions,
)
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.encode import build_headers, encode
from toolweft.providers.anthropic.models import find_model
from toolweft.providers.anthropic.options import AnthropicOptions
from toolweft.providers.anthropic.program_names import name_for_programs, spell_back
from toolweft.providers.anthropic.stream import StreamFold
from toolweft.providers.anthropic.target import Platform, Target
from toolweft.providers.client import Exchange, ProviderClient, choose_base_url, find_key
from toolweft.providers.native import limit_to_native

__all__ = ("AnthropicProvider",)

_PATH: Final = "/v1/messages"
_BASE_URLS: Final[Mapping[Platform, str]] = {"anthropic": "https://api.anthropic.com"}
_BASE_URL_EXAMPLE: Final = "https://<resource>.services.ai.azure.com/anthropic"
_KEY_VARIABLES: Final[Mapping[Platform, str]] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "foundry": "ANTHROPIC_FOUNDRY_API_KEY",
}
_KEY_HEADERS: Final[Mapping[Platform, tuple[str, ...]]] = {
    "anthropic": (),
    "foundry": ("x-api-key", "api-key"),
}


class AnthropicProvider(ProviderClient[AnthropicOptions, Target]):
    """The `Provider` of one model; an async context manager that owns its connections."""

    def _choose_target(self, options: AnthropicOptions) -> tuple[Target, TokenPrices | None]:
        row = find_model(options.platform, options.known_as or options.model)
        target = Target(
            model=options.model,
            platform=options.platform,
            capabilities=options.capabilities
            or limit_to_native(row.capabilities, options.native, is_proven=row.is_proven),
            code_tool=row.code_tool,
            headers=row.headers,
            betas=options.betas,
            effort=options.effort,
        )
        return target, row.prices

    def _build_connection(
        self, options: AnthropicOptions, environment: Mapping[str, str]
    ) -> AnthropicConnection:
        platform = options.platform
        chosen = AnthropicConnectionOptions(
            name=self.name,
            base_url=choose_base_url(
                options.base_url,
                _BASE_URLS.get(platform),
                name=self.name,
                example=_BASE_URL_EXAMPLE,
            ),
            key=find_key(
                options.key, _KEY_VARIABLES[platform], environment=environment, name=self.name
            ),
            key_headers=_KEY_HEADERS[platform],
            timeout_s=options.timeout_s,
            connect_timeout_s=options.connect_timeout_s,
        )
        return AnthropicConnection(chosen, clock=self._clock)

    def name_for_programs(self, request: ModelRequest) -> dict[str, str]:
        """Names of tools -> what programs at the vendor call them; those that differ."""
        return name_for_programs(request, self._target)

    def _prepare(self, request: ModelRequest) -> Exchange:
        body = encode(request, self._target)
        names = self.name_for_programs(request)

        def decode_answer(answer: JsonObject, request_id: str) -> ModelReply:
            reply = decode(
                answer,
                platform=self._target.platform,
                now=self._clock.now(),
                request_id=request_id,
                history=request.messages,
            )
            is_lost = reply.container is None and request.container_id is None
            if reply.stop == "awaiting_program" and is_lost:
                # Told before a call of it is made, for its results could go nowhere.
                raise ProviderError(
                    f"{self.name}: a program waits for results, and no container was named",
                    hint='ask again; if it stays so, leave native = "on" out',
                )
            return spell_back(reply, names)

        return Exchange(
            path=_PATH,
            body=body,
            headers=build_headers(body, self._target),
            stream_path=_PATH,
            stream_fields={"stream": True},
            decode=decode_answer,
            begin=partial(StreamFold, {wire: name for name, wire in names.items()}),
            leaves_at_end=True,
            # A program that goes on may have acted before the answer was lost.
            may_repeat="container" not in body,
        )
