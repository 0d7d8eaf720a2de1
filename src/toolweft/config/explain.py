"""Every key with its value and where that came from, for `toolweft config explain`.

Values are shown as they were written, with variables unexpanded; secrets are `***`. Pure.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from toolweft.config.documents import KeyPath
from toolweft.config.expand import is_reference, is_secret_name
from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel, OpenApiModel, ServerModel
from toolweft.config.settings import Settings, SettingValue
from toolweft.config.units import render_bytes
from toolweft.core.json import Json

__all__ = ("explain", "render_openapi", "render_server", "setting_values")

# Sections inside of sections.
_NESTED = {("sandbox", "container"), ("search", "embedder")}
_HIDDEN = "***"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# Each keeps its first group. A header is hidden whatever its name.
_CREDENTIALS = (
    re.compile(r"(\b(?:Bearer|Basic)\s+)(?!\*\*\*)\S.*", re.IGNORECASE | re.DOTALL),
    re.compile(
        r"([\w.-]*(?:token|secret|passw|pwd|credential|authori[sz]ation|cookie|key|auth)[\w.-]*"
        r"\s*[=:]\s*)(?!//|\*\*\*).+",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"((?:^|=|\s)[A-Za-z][A-Za-z0-9-]*:\s+)(?!\*\*\*).+", re.DOTALL),
)
# Sections with names of the user's choice, shown key by key as written.
_NAMED = frozenset({"openapi", "python", "servers"})
# Keys of named sections whose values are secrets, whatever they look like.
_SECRETS = {
    ("models", "headers"),
    ("models", "key"),
    ("openapi", "auth"),
    ("openapi", "headers"),
    ("servers", "env"),
    ("servers", "headers"),
}
# Of a server's `auth`.
_AUTH_SECRETS = frozenset({"auth", "client_secret", "token"})


def explain(settings: Settings) -> list[tuple[str, str, str]]:
    """Every key with its value and origin, in the order of the sections."""
    return [(value.key, value.value, value.origin) for value in settings.values]


def setting_values(
    config: ConfigModel, layer: Layer, *, ledger_url: str, paths: Mapping[KeyPath, str]
) -> tuple[SettingValue, ...]:
    """What `explain` shows: every key that has a value, default or not.

    Args:
        config: checked.
        layer: where each key was written.
        ledger_url: as settled.
        paths: by key, as settled.
    """
    return tuple(_values(config, layer, {("ledger", "url"): _mask_url(ledger_url), **paths}))


def render_server(server: ServerModel) -> str:
    """How a server is reached, as it was written; secrets are `***`."""
    if server.url:
        return _mask_url(server.url)
    if server.recorded:
        return f"recorded: {server.recorded}"
    return shlex.join([server.command or "", *map(str, _mask_arguments([*server.args]))])


def render_openapi(source: OpenApiModel) -> str:
    """Where a description is, and the service it is used for where that is configured."""
    described = _mask_url(source.url) if source.url else f"{source.path}"
    return f"{described} for {_mask_url(source.base_url)}" if source.base_url else described


def _values(
    config: ConfigModel, layer: Layer, settled: Mapping[KeyPath, str]
) -> Iterator[SettingValue]:
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
            if key in {"default_config", "configs"} or key not in type(value).model_fields:
                yield from _written(layer, path)
            elif path in _NESTED:
                yield from _nested(path, below, layer)
            elif path in settled:
                yield _value(path, settled[path], layer)
            elif path == ("http", "keys"):
                shown = [f"{item.id} ({item.tenant}/{item.user}): {_HIDDEN}" for item in below]
                yield _value(path, json.dumps(shown), layer)
            else:
                yield _value(path, _render(key, below), layer)


def _nested(path: tuple[str, str], section: Any, layer: Layer) -> Iterator[SettingValue]:
    for key, value in section:
        shown = _render(key, value)
        if key == "key" and value is not None and not is_reference(value):
            shown = _HIDDEN
        elif key in {"url", "store_url"} and value is not None:
            shown = _mask_url(value)
        yield _value((*path, key), shown, layer)


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
    is_auth = len(path) > 2 and (path[0], path[2]) == ("servers", "auth")
    if is_auth and path[-1] not in _AUTH_SECRETS and isinstance(value, str):
        return _mask_url(value)
    if is_auth or (len(path) > 2 and (path[0], path[2]) in _SECRETS):
        # Whatever its name: no name tells which values are harmless.
        text = str(value)
        return text if is_reference(text) or value == {} else _HIDDEN
    if isinstance(value, list):
        if path[-1] == "args":
            return json.dumps(_mask_arguments(value))
        # TOML has dates, which are no JSON.
        return json.dumps(_mask_within(value), default=str)
    return _mask_text(value) if isinstance(value, str) else json.dumps(value)


def _mask_within(value: Json) -> Json:
    if isinstance(value, dict):
        return {_mask_text(key): _mask_within(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_mask_within(below) for below in value]
    return _mask_text(value) if isinstance(value, str) else value


def _mask_arguments(arguments: list[Json]) -> list[Json]:
    shown: list[Json] = []
    previous = ""
    for argument in arguments:
        text = str(argument)
        if previous.startswith("-") and is_secret_name(previous) and "=" not in previous:
            shown.append(_HIDDEN)
        else:
            shown.append(_mask_text(text))
        previous = text
    return shown


def _mask_text(text: str) -> str:
    """The text without what looks like a credential in it."""
    text = _URL.sub(lambda found: _mask_url(found[0]), text)
    for pattern in _CREDENTIALS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text


def _mask_url(url: str) -> str:
    """The address without user, password and the values of its query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    _, at, host = parts.netloc.rpartition("@")
    host = f"{_HIDDEN}@{host}" if at else host
    query, fragment = _mask_query(parts.query), _mask_query(parts.fragment)
    # urlunsplit would drop the empty authority of sqlite:///PATH.
    if not parts.netloc and not query and not fragment:
        return url
    return urlunsplit((parts.scheme, host, parts.path, query, fragment))


def _mask_query(query: str) -> str:
    """The names of a query; without any, the whole is a value."""
    if "=" not in query:
        return query and _HIDDEN
    return re.sub(r"=[^&]*", f"={_HIDDEN}", query)
