"""What pydantic found wrong, told with file, line, key, value and the nearest known key."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel
from toolweft.config.shape import nearest_key
from toolweft.core.errors import ConfigError

__all__ = ("build_config",)

# The rest is counted; the first few are the ones people mend first anyway.
_MAX_FAULTS = 5
_MAX_VALUE_CHARACTERS = 120
# How pydantic begins its sentences.
_SUBJECT = re.compile(r"^(?:Value error, |Input |String )")
# `sha256` too: whoever gets it wrong may have written the key itself there.
_SECRET_KEYS = frozenset({"env", "headers", "sha256", "url"})


def build_config(layer: Layer) -> ConfigModel:
    """The checked configuration.

    Raises:
        ConfigError: an unknown key or a wrong value, each with its place.
    """
    try:
        return ConfigModel.model_validate(layer.data())
    except ValidationError as exc:
        faults = [_describe(fault, layer) for fault in exc.errors(include_url=False)]
    messages = [message for message, _ in faults[:_MAX_FAULTS]]
    if len(faults) > _MAX_FAULTS:
        messages.append(f"and {len(faults) - _MAX_FAULTS} more")
    hint = next((hint for _, hint in faults if hint), None)
    raise ConfigError("; ".join(messages), hint=hint)


def _describe(fault: Mapping[str, Any], layer: Layer) -> tuple[str, str | None]:
    path = fault["loc"]
    # pydantic marks a fault of a dict's key with a last part "[key]".
    path = path[:-1] if path and path[-1] == "[key]" else path
    dotted = ".".join(map(str, path))
    place = layer.place(path)
    if fault["type"] == "extra_forbidden":
        near = nearest_key(path)
        hint = f"did you mean {near!r}?" if near else "`toolweft config explain` lists every key"
        return f"{place}: unknown key {dotted!r}", hint
    if fault["type"] == "missing":
        return f"{place}: {dotted!r} is missing", f"add {path[-1]} = ..."
    entry = layer.entries.get(path)
    # As written: by now a size may have become a number.
    value = fault["input"] if entry is None else entry.value
    message = _SUBJECT.sub("", str(fault["msg"]))
    return f"{place}: {dotted} is {_shown(path, value)}: it {_joined(message)}", None


def _shown(path: tuple[str | int, ...], value: object) -> str:
    if _SECRET_KEYS.intersection(path):
        return f"a {type(value).__name__}"
    text = repr(value)
    short = len(text) <= _MAX_VALUE_CHARACTERS
    return text if short else f"{text[:_MAX_VALUE_CHARACTERS]}..."


def _joined(message: str) -> str:
    return message if message.startswith("should") else f"is not valid: {message}"
