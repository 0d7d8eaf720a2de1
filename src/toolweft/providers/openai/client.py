"""A model behind the Responses API, of OpenAI or on Azure."""

from collections.abc import Mapping
from typing import Final

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply, ModelRequest
from toolweft.core.models import TokenPrices
from toolweft.providers.client import Exchange, ProviderClient, choose_base_url, find_key
from toolweft.providers.native import limit_to_native
from toolweft.providers.openai.decode import DEFAULT_SEARCH_NAME, decode
from toolweft.providers.openai.encode import encode_with_plan
from toolweft.providers.openai.models import find_model
from toolweft.providers.openai.options import OpenAIOptions
from toolweft.providers.openai.stream import StreamFold
from toolweft.providers.openai.target import Platform, Target
from toolweft.providers.openai.tools import ToolPlan
from toolweft.providers.openai_wire import OpenAIConnection, OpenAIConnectionOptions

__all__ = ("OpenAIProvider",)

_PATH: Final = "/responses"
_BASE_URLS: Final[Mapping[Platform, str]] = {"openai": "https://api.openai.com/v1"}
_BASE_URL_EXAMPLE: Final = "https://<resource>.openai.azure.com/openai/v1/"
_KEY_VARIABLES: Final[Mapping[Platform, str]] = {
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY",
}


class OpenAIProvider(ProviderClient[OpenAIOptions, Target]):
    """The `Provider` of one model; an async context manager that owns its connections."""

    def _choose_target(self, options: OpenAIOptions) -> tuple[Target, TokenPrices | None]:
        row = find_model(options.platform, options.known_as or options.model)
        target = Target(
            model=options.model,
            platform=options.platform,
            capabilities=options.capabilities
            or limit_to_native(row.capabilities, options.native, is_proven=row.is_proven),
            is_reasoning=row.is_reasoning,
            effort=options.effort,
            cache_key=options.cache_key,
            lists_deferred=options.lists_deferred,
        )
        return target, row.prices

    def _build_connection(
        self, options: OpenAIOptions, environment: Mapping[str, str]
    ) -> OpenAIConnection:
        key = options.key
        if options.token_source is None:
            variable = _KEY_VARIABLES[options.platform]
            key = find_key(key, variable, environment=environment, name=self.name)
        chosen = OpenAIConnectionOptions(
            name=self.name,
            base_url=choose_base_url(
                options.base_url,
                _BASE_URLS.get(options.platform),
                name=self.name,
                example=_BASE_URL_EXAMPLE,
            ),
            key=key,
            token_source=options.token_source,
            timeout_s=options.timeout_s,
            connect_timeout_s=options.connect_timeout_s,
        )
        return OpenAIConnection(chosen, clock=self._clock)

    def _prepare(self, request: ModelRequest) -> Exchange:
        body, plan = encode_with_plan(request, self._target)
        search_name = _search_name(request, plan)

        def decode_answer(answer: JsonObject, request_id: str) -> ModelReply:
            platform = self._target.platform
            return decode(answer, platform=platform, search_name=search_name, request_id=request_id)

        return Exchange(
            path=_PATH,
            body=body,
            stream_path=_PATH,
            stream_fields={"stream": True},
            decode=decode_answer,
            begin=lambda: StreamFold(search_name=search_name),
            may_repeat=not plan.has_programs,
        )


def _search_name(request: ModelRequest, plan: ToolPlan) -> str:
    if plan.search_name is not None:
        return plan.search_name
    return next((tool.name for tool in request.tools if tool.is_search), DEFAULT_SEARCH_NAME)
