"""The section `[models]`: which models play which role, and what holds for each of them."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from toolweft.config.quantities import Count, Seconds, Section, Texts, not_bool
from toolweft.core.agent_options import AgentOptions
from toolweft.core.models import Native
from toolweft.providers.options import ModelsOptions

__all__ = ("CapabilitiesModel", "ModelModel", "ModelsModel", "PricesModel")

_AGENT = AgentOptions()
_MODELS = ModelsOptions()

# One is written as a text, several as a list.
_Names = Annotated[Texts, Field(json_schema_extra={"type": ["array", "string"]})]
_Cap = Annotated[float, BeforeValidator(not_bool), Field(gt=0)]
_Usd = Annotated[float, BeforeValidator(not_bool), Field(ge=0)]
# Names of the models' tables; any other key without a colon is a mistake.
_ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z_]+:.+$", max_length=400)]


class PricesModel(Section):
    """US dollars for a million tokens; those of the cache are the input's where left out."""

    input: _Usd
    output: _Usd
    cache_read: _Usd | None = None
    cache_write: _Usd | None = None


class CapabilitiesModel(Section):
    """What a model does natively; what is left out stays as the table says."""

    has_deferral: bool | None = None
    reveal: Literal["reference", "search_item", "none"] | None = None
    addition: Literal["system_block", "item", "none"] | None = None
    programs: Literal["python", "javascript", "none"] | None = None
    program_wait_s: Seconds | None = None
    has_examples: bool | None = None
    has_output_schema: bool | None = None
    has_structured_output: bool | None = None
    has_cache_marks: bool | None = None
    has_forced_choice: bool | None = None
    takes_images: bool | None = None
    takes_temperature: bool | None = None
    max_tools: Count | None = None
    context_tokens: Count | None = None


class ModelModel(Section):
    """One model, by "vendor:model"."""

    base_url: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, description="'env:NAME' takes a secret from NAME.")
    headers: dict[str, str] = Field(
        default={}, description="Of servers of Chat Completions; 'env:NAME' takes a secret."
    )
    known_as: str | None = Field(
        default=None, min_length=1, description="The model behind a deployment's name."
    )
    native: Native | None = None
    effort: str | None = Field(default=None, min_length=1)
    api_version: str | None = Field(default=None, min_length=1, description="Of Google's APIs.")
    limit_name: Literal["max_tokens", "max_completion_tokens"] | None = None
    lists_deferred: bool | None = None
    prices: PricesModel | None = None
    capabilities: CapabilitiesModel = CapabilitiesModel()
    timeout_s: Seconds | None = None
    connect_timeout_s: Seconds | None = None


class ModelsModel(Section):
    """Models of the agent; a table `[models."vendor:model"]` sets what holds for one of them."""

    # Of the tables under names of the user's choice.
    named_tables: ClassVar[type[Section]] = ModelModel
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    # As pydantic wants it: what else may stand here.
    __pydantic_extra__: dict[_ModelName, ModelModel] = Field(init=False)  # type: ignore[mutable-override]  # narrower, and frozen

    planner: _Names = Field(
        default=_AGENT.planners, description="'vendor:model'; others stand in for the first."
    )
    workers: _Names = Field(default=_AGENT.workers, description="'vendor:model', asked in order.")
    max_tokens: Count = _AGENT.max_tokens
    native: Native = Field(
        default=_MODELS.native, description="The vendors' own forms of search and programs."
    )
    max_turns: Count = _AGENT.max_turns
    max_cost_usd: _Cap | None = _AGENT.max_cost_usd
    retry_after_s: Seconds = _AGENT.retry_after_s
    listed_tokens: Count = _AGENT.listed_tokens
