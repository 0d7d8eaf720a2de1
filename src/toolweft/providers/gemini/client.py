"""A model of Google behind generateContent or Interactions."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply, ModelRequest
from toolweft.core.models import TokenPrices
from toolweft.providers.client import Exchange, ProviderClient, find_key
from toolweft.providers.gemini import (
    generate_decode,
    generate_encode,
    interactions_decode,
    interactions_encode,
)
from toolweft.providers.gemini.connection import GeminiConnection, GeminiConnectionOptions
from toolweft.providers.gemini.generate_stream import GenerateFold
from toolweft.providers.gemini.interactions_stream import InteractionsFold
from toolweft.providers.gemini.models import find_model
from toolweft.providers.gemini.options import GeminiOptions
from toolweft.providers.gemini.target import Target
from toolweft.providers.native import limit_to_native

__all__ = ("GeminiProvider",)

_BASE_URL: Final = "https://generativelanguage.googleapis.com"
_KEY_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_INTERACTIONS: Final = "interactions"


class GeminiProvider(ProviderClient[GeminiOptions, Target]):
    """The `Provider` of one model; an async context manager that owns its connections."""

    def _choose_target(self, options: GeminiOptions) -> tuple[Target, TokenPrices | None]:
        row = find_model(options.api, options.model)
        target = Target(
            model=options.model,
            api=options.api,
            capabilities=options.capabilities
            or limit_to_native(row.capabilities, options.native, is_proven=row.is_proven),
            joins_schema_and_tools=row.joins_schema_and_tools,
            takes_result_images=row.takes_result_images,
            lists_deferred=options.lists_deferred,
        )
        return target, row.prices

    def _build_connection(
        self, options: GeminiOptions, environment: Mapping[str, str]
    ) -> GeminiConnection:
        chosen = GeminiConnectionOptions(
            name=self.name,
            base_url=options.base_url or _BASE_URL,
            api_version=options.api_version,
            key=find_key(options.key, *_KEY_VARIABLES, environment=environment, name=self.name),
            timeout_s=options.timeout_s,
            connect_timeout_s=options.connect_timeout_s,
        )
        return GeminiConnection(chosen, clock=self._clock)

    def _prepare(self, request: ModelRequest) -> Exchange:
        if self._target.api == "gemini":
            return self._prepare_generate(request)
        return self._prepare_interaction(request)

    def _prepare_generate(self, request: ModelRequest) -> Exchange:
        def decode_answer(answer: JsonObject, request_id: str) -> ModelReply:
            del request_id
            return generate_decode.decode(answer, model=self._target.model)

        path = f"models/{quote(self._target.model, safe='')}"
        return Exchange(
            path=f"{path}:generateContent",
            body=generate_encode.encode(request, self._target),
            stream_path=f"{path}:streamGenerateContent?alt=sse",
            decode=decode_answer,
            begin=GenerateFold,
        )

    def _prepare_interaction(self, request: ModelRequest) -> Exchange:
        search_name = interactions_encode.find_client_search(request, self._target)

        def decode_answer(answer: JsonObject, request_id: str) -> ModelReply:
            del request_id
            return interactions_decode.decode(
                answer,
                search_name=interactions_encode.name_search(request),
                model=self._target.model,
            )

        return Exchange(
            path=_INTERACTIONS,
            body=interactions_encode.encode(request, self._target),
            stream_path=_INTERACTIONS,
            stream_fields={"stream": True},
            decode=decode_answer,
            begin=lambda: InteractionsFold(search_name=search_name),
        )
