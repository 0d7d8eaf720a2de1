"""The section of the models to its options. Reads nothing.

A variable that is not set is no error before somebody wants that model.
"""

from collections.abc import Mapping
from typing import Any

from toolweft.config.expand import MissingVariable, expand_secret, expand_text
from toolweft.config.layers import Layer
from toolweft.config.model_models import ModelModel, PricesModel
from toolweft.config.models import ConfigModel
from toolweft.core.agent_options import AgentOptions
from toolweft.core.models import TokenPrices
from toolweft.providers.options import ModelOptions, ModelsOptions

__all__ = ("build_agent", "build_models")

_AS_WRITTEN = (
    *("known_as", "native", "effort", "api_version", "limit_name", "lists_deferred"),
    *("timeout_s", "connect_timeout_s"),
)


def build_agent(config: ConfigModel) -> AgentOptions:
    """Roles and bounds of the agent."""
    section = config.models
    return AgentOptions(
        planners=section.planner,
        workers=section.workers,
        max_tokens=section.max_tokens,
        max_turns=section.max_turns,
        max_cost_usd=section.max_cost_usd,
        retry_after_s=section.retry_after_s,
        listed_tokens=section.listed_tokens,
    )


def build_models(config: ConfigModel, layer: Layer, *, environ: Mapping[str, str]) -> ModelsOptions:
    """What holds for each model that has a table of its own."""
    named: dict[str, ModelModel] = config.models.__pydantic_extra__ or {}
    return ModelsOptions(
        native=config.models.native,
        by_name={
            name: _build(model, origin=layer.place(("models", name)), environ=environ)
            for name, model in named.items()
        },
    )


def _build(model: ModelModel, *, origin: str, environ: Mapping[str, str]) -> ModelOptions:
    given: dict[str, Any] = {key: getattr(model, key) for key in _AS_WRITTEN}
    try:
        return ModelOptions(
            **given,
            base_url=None if model.base_url is None else expand_text(model.base_url, environ),
            key=None if model.key is None else expand_secret(model.key, environ),
            headers={name: expand_secret(text, environ) for name, text in model.headers.items()},
            prices=_build_prices(model.prices),
            capabilities=model.capabilities.model_dump(exclude_none=True),
            origin=origin,
        )
    except MissingVariable as exc:
        problem = f"the variable {exc.name!r} is not set"
        return ModelOptions(origin=origin, problem=problem, hint=exc.hint)


def _build_prices(prices: PricesModel | None) -> TokenPrices | None:
    if prices is None:
        return None
    read, write = prices.cache_read, prices.cache_write
    return TokenPrices(
        input=prices.input,
        output=prices.output,
        cache_read=prices.input if read is None else read,
        cache_write=prices.input if write is None else write,
    )
