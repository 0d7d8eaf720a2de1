"""What keys there are, read off the models: full names of short ones, and near names.

Pure. `memory = "1 GiB"` and `idle = "5 min"` carry their unit in the value, so a key may be
written without the `_bytes`, `_s` or `_usd` of the option it sets.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from toolweft.config.documents import KeyPath
from toolweft.config.models import ConfigModel

__all__ = ("UNIT_SUFFIXES", "canonical_path", "known_keys", "nearest_key")

UNIT_SUFFIXES = ("_bytes", "_s", "_usd")


def canonical_path(path: KeyPath) -> KeyPath:
    """The path with every short key replaced by its full name; unknown keys stay as they are."""
    kind: Any = ConfigModel
    full: list[str | int] = []
    for part in path:
        name = _full_name(kind, part)
        full.append(name)
        kind = _kind_below(kind, name)
    return tuple(full)


def known_keys(path: KeyPath) -> Sequence[str]:
    """The keys that may stand below `path`; none where any may or nothing is known there."""
    kind: Any = ConfigModel
    for part in path:
        kind = _kind_below(kind, part)
    return tuple(kind.model_fields) if _is_model(kind) else ()


def nearest_key(path: KeyPath) -> str | None:
    """The known key that looks most like the last one of `path`, in the same place or anywhere."""
    asked = str(path[-1])
    near = get_close_matches(asked, _with_short_names(known_keys(path[:-1])), n=1, cutoff=0.6)
    if near:
        return near[0]
    everywhere = {"profile": "profile"}
    for section in ConfigModel.model_fields:
        keys = _with_short_names(known_keys((section,)))
        everywhere |= {key: f"{section}.{key}" for key in keys}
        everywhere[section] = section
    near = get_close_matches(asked, everywhere, n=1, cutoff=0.8)
    return everywhere[near[0]] if near else None


def _with_short_names(keys: Sequence[str]) -> tuple[str, ...]:
    shorts = (key.removesuffix(suffix) for key in keys for suffix in UNIT_SUFFIXES)
    return tuple(dict.fromkeys((*keys, *shorts)))


def _full_name(kind: Any, part: str | int) -> str | int:
    if not _is_model(kind) or part in kind.model_fields:
        return part
    candidates = (f"{part}{suffix}" for suffix in UNIT_SUFFIXES)
    return next((name for name in candidates if name in kind.model_fields), part)


def _kind_below(kind: Any, part: str | int) -> Any:
    """The type of what stands under a key: a model, a dict or tuple type, or anything else."""
    if _is_model(kind):
        field = kind.model_fields.get(part)
        return getattr(kind, "named_tables", None) if field is None else field.annotation
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    return arguments[0] if get_origin(kind) is tuple else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
