"""What pydantic found wrong, told with file, line, key, value and the nearest known key."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel
from toolweft.config.shape import nearest_key
from toolweft.config.units import render_bytes
from toolweft.core.errors import ConfigError

__all__ = ("build_config",)

# The rest is counted; the first few are the ones people mend first anyway.
_MAX_FAULTS = 5
_MAX_VALUE_CHARACTERS = 120
_LIST = ("should be a list", 'write ["...", "..."]')
_TABLE = ("should be a table", "write its keys below a [section] of that name, or {key = value}")
_TEXT = ("should be a text", 'put it in quotes: "..."')
_BOOL = ("should be true or false", "write true or false, without quotes")
_WHOLE = ("should be a whole number", "write digits only, such as 10")
# What pydantic says in its own words -> what is needed, and the next step.
_PLAIN_WORDS: Mapping[str, tuple[str, str | None]] = {
    "bool_parsing": _BOOL,
    "bool_type": _BOOL,
    "dict_type": _TABLE,
    "frozen_set_type": _LIST,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "list_type": _LIST,
    "model_attributes_type": _TABLE,
    "model_type": _TABLE,
    "string_type": _TEXT,
    "tuple_type": _LIST,
}
# How pydantic begins its sentences.
_SUBJECT = re.compile(r"^(?:Value error, |Input |String )")
# `sha256` too: whoever gets it wrong may have written the key itself there.
_SECRET_KEYS = frozenset(
    {"auth", "base_url", "env", "headers", "key", "sha256", "store_url", "token_url", "url"}
)


def build_config(layer: Layer) -> ConfigModel:
    """The checked configuration.

    Raises:
        ConfigError: an unknown key or a wrong value, each with its place.
    """
    try:
        return ConfigModel.model_validate(layer.data())
    except ValidationError as exc:
        found = _without_echoes(exc.errors(include_url=False))
        faults = [_describe(fault, layer) for fault in found]
    messages = [message for message, _, _ in faults[:_MAX_FAULTS]]
    if len(faults) > _MAX_FAULTS:
        messages.append(f"and {len(faults) - _MAX_FAULTS} more")
    hints = [(key, hint) for _, key, hint in faults[:_MAX_FAULTS] if hint]
    # Of several faults, each hint names its key.
    said = [hint if len(faults) == 1 else f"{key}: {hint}" for key, hint in hints]
    raise ConfigError("; ".join(messages), hint="; ".join(said) or None)


def _without_echoes(faults: list[Any]) -> list[Any]:
    """What is wrong, without what is said of the value of a key that is wrong itself."""
    unknown = {fault["loc"] for fault in faults if _is_unknown(fault)}
    return [fault for fault in faults if _is_unknown(fault) or fault["loc"] not in unknown]


def _is_unknown(fault: Any) -> bool:
    is_no_model = fault["type"] == "string_pattern_mismatch" and fault["loc"][:1] == ("models",)
    return fault["type"] == "extra_forbidden" or (is_no_model and len(fault["loc"]) == 2)


def _describe(fault: Mapping[str, Any], layer: Layer) -> tuple[str, str, str | None]:
    """The message, the dotted key and the next step."""
    path = fault["loc"]
    # pydantic marks a fault of a dict's key with a last part "[key]".
    path = path[:-1] if path and path[-1] == "[key]" else path
    dotted = ".".join(map(str, path))
    place = layer.place(path)
    if _is_unknown(fault):
        near = nearest_key(path)
        hint = f"did you mean {near!r}?" if near else "`toolweft config explain` lists every key"
        return f"{place}: unknown key {dotted!r}", dotted, hint
    if fault["type"] == "missing":
        return f"{place}: {dotted!r} is missing", dotted, f"add {path[-1]} = ..."
    entry = layer.entries.get(path)
    # As written: by now a size may have become a number.
    value = fault["input"] if entry is None else entry.value
    said, step = _PLAIN_WORDS.get(fault["type"], (str(fault["msg"]), None))
    if fault["type"] == "less_than_equal":
        most = fault["ctx"]["le"]
        text = render_bytes(most) if str(path[-1]).endswith("_bytes") else f"{most:,}"
        said, step = f"is above its ceiling of {text}", f"write {text} or less"
    message = _SUBJECT.sub("", said)
    return f"{place}: {dotted} is {_shown(path, value)}: it {_joined(message)}", dotted, step


def _shown(path: tuple[str | int, ...], value: object) -> str:
    if _SECRET_KEYS.intersection(path):
        return f"a {type(value).__name__}"
    text = repr(value)
    short = len(text) <= _MAX_VALUE_CHARACTERS
    return text if short else f"{text[:_MAX_VALUE_CHARACTERS]}..."


def _joined(message: str) -> str:
    return message if message.startswith(("should", "is above")) else f"is not valid: {message}"
