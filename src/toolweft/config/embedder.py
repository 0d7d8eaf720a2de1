"""The section of the embedder to its options. Reads nothing.

A section that makes no sense in itself is an error. A missing variable is not: searches go on
without the embedder and say why.
"""

from collections.abc import Mapping
from pathlib import Path

from toolweft.config.expand import MissingVariable, expand_secret, expand_text
from toolweft.config.layers import Layer
from toolweft.config.lookup import vectors_path
from toolweft.config.models import ConfigModel
from toolweft.config.search_models import EmbedderModel
from toolweft.core.errors import ConfigError
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.stores.vector_options import VectorStoreOptions

__all__ = ("build_embedder", "build_vector_store")

_SECTION = ("search", "embedder")
# Keys that only one of the two kinds has.
_OF_ENDPOINT = ("model", "key", "dimensions")
_SHARED = frozenset(
    {
        "query_prefix",
        "tool_prefix",
        "query_timeout_s",
        "batch_timeout_s",
        "batch",
        "batch_characters",
        "cooldown_s",
        "weight",
        "dimensions",
    }
)


def build_embedder(
    config: ConfigModel, layer: Layer, *, environ: Mapping[str, str], home: Path
) -> EmbedderOptions | None:
    """The options of the embedder; None where none is configured.

    Raises:
        ConfigError: the section names two embedders, or half of one.
    """
    section = config.search.embedder
    _check_kind(section, place=layer.place(_SECTION))
    if section.url is None and section.path is None:
        return None
    shared = section.model_dump(include=set(_SHARED))
    try:
        if section.path is not None:
            text = expand_text(section.path, environ)
            folder = layer.entries[(*_SECTION, "path")].folder
            path = home / text[2:] if text.startswith("~/") else folder / text
            return EmbedderOptions(path=path, **shared)
        url = expand_text(section.url or "", environ)
        key = None if section.key is None else expand_secret(section.key, environ)
    except MissingVariable as exc:
        problem = f"the embedder needs the variable {exc.name!r}, which is not set ({exc.hint})"
        return EmbedderOptions(problem=problem)
    if not url.startswith(("http://", "https://")):
        # The address may carry a key, so it is not repeated.
        problem = "search.embedder.url is not an http or https address"
        return EmbedderOptions(problem=problem)
    return EmbedderOptions(url=url, model=section.model or "", key=key, **shared)


def build_vector_store(
    config: ConfigModel, *, environ: Mapping[str, str], home: Path
) -> VectorStoreOptions:
    """Where the embedder's vectors are kept."""
    section = config.search.embedder
    url = section.store_url or f"sqlite:///{vectors_path(environ=environ, home=home)}"
    return VectorStoreOptions(url=url, max_vectors=section.max_stored)


def _check_kind(section: EmbedderModel, *, place: str) -> None:
    hint = "'url' with 'model' names an endpoint, 'path' a folder with a model"
    if section.url is not None and section.path is not None:
        raise ConfigError(f"{place}: search.embedder has both 'url' and 'path'", hint=hint)
    if section.url is not None and section.model is None:
        raise ConfigError(f"{place}: search.embedder has a 'url' but no 'model'", hint=hint)
    if section.url is None:
        for key in _OF_ENDPOINT:
            if getattr(section, key) is not None:
                raise ConfigError(
                    f"{place}: search.embedder.{key} belongs to an endpoint, and there is no 'url'",
                    hint=hint,
                )
