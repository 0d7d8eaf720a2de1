"""The section of `toolweft.toml` about finding tools, and the model that may help."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from toolweft.config.quantities import Count, Seconds, Section, not_bool
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.options import SearchOptions
from toolweft.stores.vector_options import VectorStoreOptions

__all__ = ("EmbedderModel", "SearchModel")

_SEARCH = SearchOptions()
_EMBEDDER = EmbedderOptions()
_VECTORS = VectorStoreOptions(url="")


class EmbedderModel(Section):
    """A model that turns texts into vectors: an endpoint (`url`, `model`) or a folder (`path`)."""

    url: str | None = Field(
        default=None, min_length=1, description="OpenAI-compatible: 'https://api.openai.com/v1'."
    )
    model: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, description="'env:NAME' takes a secret from NAME.")
    dimensions: Count | None = Field(default=None, le=16_384)
    path: str | None = Field(
        default=None, min_length=1, description="A sentence-transformers or ONNX folder."
    )
    query_prefix: str | None = None
    tool_prefix: str | None = None
    query_timeout_s: Seconds | None = None
    batch_timeout_s: Seconds = _EMBEDDER.batch_timeout_s
    batch: Count = Field(default=_EMBEDDER.batch, le=2_048)
    batch_characters: Count = _EMBEDDER.batch_characters
    cooldown_s: Seconds = _EMBEDDER.cooldown_s
    weight: Annotated[float, BeforeValidator(not_bool)] = Field(
        default=_EMBEDDER.weight, ge=0, le=1, description="What its vectors count beside the rest."
    )
    store_url: str | None = Field(
        default=None,
        min_length=1,
        description="'sqlite:///PATH'; without it, toolweft/vectors.db under $XDG_CACHE_HOME.",
    )
    max_stored: Count = _VECTORS.max_vectors


class SearchModel(Section):
    """Finding tools."""

    embedder: EmbedderModel = EmbedderModel()

    learn: bool = Field(
        default=_SEARCH.learn,
        description="Tools used after a search come sooner for like ones; keeps texts of searches.",
    )
    # 36,500 days: a hundred years, and every date stays a date.
    keep_search_days: Count = Field(default=_SEARCH.keep_search_days, le=36_500)
