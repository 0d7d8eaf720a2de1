"""Every key with its value and where that came from, for `toolweft config explain`.

Values are shown as they were written, with variables unexpanded; secrets are `***`. Pure.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from toolweft.config.documents import KeyPath
from toolweft.config.expand import is_reference, is_secret_name
from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel
from toolweft.config.settings import Settings, SettingValue
from toolweft.config.units import render_bytes
from toolweft.core.json import Json

__all__ = ("explain", "setting_values")

_HIDDEN = "***"
# Sections with names of the user's choice, shown key by key as written.
_NAMED = frozenset({"servers", "python"})


def explain(settings: Settings) -> list[tuple[str, str, str]]:
    """Every key with its value and origin, in the order of the sections."""
    return [(value.key, value.value, value.origin) for value in settings.values]


def setting_values(
    config: ConfigModel, layer: Layer, *, ledger_url: str
) -> tuple[SettingValue, ...]:
    """What `explain` shows: every key that has a value, default or not."""
    return tuple(_values(config, layer, ledger_url))


def _values(config: ConfigModel, layer: Layer, ledger_url: str) -> Iterator[SettingValue]:
    for section in ConfigModel.model_fields:
        if section in _NAMED:
            yield from _written(layer, (section,))
            continue
        value: Any = getattr(config, section)
        if not hasattr(value, "model_fields_set"):
            yield _value((section,), _render(section, value), layer)
            continue
        for key, below in value:
            path = (section, key)
            if key in {"default_config", "configs"}:
                yield from _written(layer, path)
            elif path == ("ledger", "url"):
                yield _value(path, _mask_url(ledger_url), layer)
            elif path == ("http", "keys"):
                shown = [f"{item.id} ({item.tenant}/{item.user}): {_HIDDEN}" for item in below]
                yield _value(path, json.dumps(shown), layer)
            else:
                yield _value(path, _render(key, below), layer)


def _value(path: KeyPath, shown: str, layer: Layer) -> SettingValue:
    entry = layer.entries.get(path)
    origin = "default" if entry is None else entry.origin
    return SettingValue(key=".".join(map(str, path)), value=shown, origin=origin)


def _written(layer: Layer, above: KeyPath) -> Iterator[SettingValue]:
    for path, entry in layer.entries.items():
        if path[: len(above)] == above:
            yield _value(path, _mask(path, entry.value), layer)


def _render(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if key.endswith("_bytes"):
        return render_bytes(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _mask(path: KeyPath, value: Json) -> str:
    key = str(path[-1])
    if path[0] == "servers" and len(path) > 3 and path[2] in {"env", "headers"}:
        text = str(value)
        return _HIDDEN if is_reference(text) or is_secret_name(key) else text
    if key == "url" and isinstance(value, str):
        return _mask_url(value)
    if key == "args" and isinstance(value, list):
        return json.dumps(_mask_arguments(value))
    return value if isinstance(value, str) else json.dumps(value)


def _mask_arguments(arguments: list[Json]) -> list[Json]:
    shown: list[Json] = []
    previous = ""
    for argument in arguments:
        text = str(argument)
        option, equals, _ = text.partition("=")
        if equals and is_secret_name(option):
            shown.append(f"{option}={_HIDDEN}")
        elif previous.startswith("-") and is_secret_name(previous) and "=" not in previous:
            shown.append(_HIDDEN)
        else:
            shown.append(_mask_url(text) if "://" in text else argument)
        previous = text
    return shown


def _mask_url(url: str) -> str:
    """The address without its password and without the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    user, at, host = parts.netloc.rpartition("@")
    if at:
        host = f"{user.partition(':')[0]}:{_HIDDEN}@{host}" if ":" in user else f"{_HIDDEN}@{host}"
    query = re.sub(r"=[^&]*", f"={_HIDDEN}", parts.query)
    # urlunsplit would drop the empty authority of sqlite:///PATH.
    if not parts.netloc and not query:
        return url
    return urlunsplit((parts.scheme, host, parts.path, query, parts.fragment))
