"""`[openapi.NAME]` sections to the options of `toolweft.sources`.

A section whose variables are missing or whose addresses cannot be used becomes a `BrokenServer`;
one that makes no sense in itself is an error. Pure.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolweft.config.expand import secret_variables
from toolweft.config.filling import (
    Filler,
    UnusableSource,
    check_url,
    known_variables,
    under_home,
)
from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel, OpenApiModel
from toolweft.config.openapi_keys import ClientModel
from toolweft.config.settings import BrokenServer
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.sources.options import ClientCredentials, OpenApiOptions

__all__ = ("build_openapi_sources",)

_EXAMPLE = "https://example.com/v1"
_GIVEN = ("include", "exclude", "timeout_s", "start_timeout_s", "max_response_bytes")


def build_openapi_sources(
    config: ConfigModel, layer: Layer, *, environ: Mapping[str, str], cwd: Path, home: Path
) -> tuple[tuple[OpenApiOptions, ...], tuple[BrokenServer, ...]]:
    """The sources, and those that cannot be used as configured.

    Raises:
        ConfigError: a section names no description or two, or shares its name with another source.
    """
    usable: list[OpenApiOptions] = []
    broken: list[BrokenServer] = []
    variables = known_variables(environ, cwd=cwd, home=home)
    for name, section in config.openapi.items():
        _check_section(name, section, config=config, layer=layer)
        if section.disabled:
            continue
        fill = Filler(section=f"openapi.{name}", variables=variables)
        try:
            path = None if section.path is None else _path(name, section.path, layer, fill, home)
            usable.append(_options(name, section, fill, path=path, environ=environ))
        except UnusableSource as exc:
            broken.append(BrokenServer(name=SourceName(name), reason=exc.reason, hint=exc.hint))
    return tuple(usable), tuple(broken)


def _options(
    name: str,
    section: OpenApiModel,
    fill: Filler,
    *,
    path: Path | None,
    environ: Mapping[str, str],
) -> OpenApiOptions:
    given: dict[str, Any] = {key: getattr(section, key) for key in _GIVEN}
    return OpenApiOptions(
        name=SourceName(name),
        url=_url(fill, "url", section.url),
        path=path,
        base_url=_url(fill, "base_url", section.base_url, is_base=True),
        secrets=secret_variables(section.url or "", section.base_url or "", variables=environ),
        headers=fill.secrets("headers", section.headers),
        auth={key: _auth(fill, f"auth.{key}", value) for key, value in section.auth.items()},
        **{key: value for key, value in given.items() if value is not None},
    )


def _url(fill: Filler, key: str, text: str | None, *, is_base: bool = False) -> str:
    if text is None:
        return ""
    url = fill.text(key, text)
    dotted = f"{fill.section}.{key}"
    check_url(url, key=dotted, example=_EXAMPLE)
    parts = urlsplit(url)
    if parts.username is not None or parts.fragment or (is_base and parts.query):
        # It may carry a key, so it is not repeated.
        raise UnusableSource(
            f"{dotted} holds a user, a query or a fragment, which is not sent",
            hint="put keys into auth or headers",
        )
    return url


def _auth(fill: Filler, key: str, value: str | ClientModel) -> Secret | ClientCredentials:
    if isinstance(value, str):
        return fill.secret(key, value)
    return ClientCredentials(
        client_id=fill.secret(f"{key}.client_id", value.client_id),
        client_secret=fill.secret(f"{key}.client_secret", value.client_secret),
        token_url=_url(fill, f"{key}.token_url", value.token_url),
        scopes=value.scopes,
    )


def _path(name: str, text: str, layer: Layer, fill: Filler, home: Path) -> Path:
    folder = layer.entries["openapi", name, "path"].folder
    return folder / under_home(fill.text("path", text), home)


def _check_section(name: str, section: OpenApiModel, *, config: ConfigModel, layer: Layer) -> None:
    place = layer.place(("openapi", name))
    if name in config.servers or name in config.python:
        other = "a server" if name in config.servers else "a Python source"
        raise ConfigError(
            f"{place}: {name!r} is {other} and an OpenAPI source",
            hint="rename one of the two: the name is the namespace of its tools",
        )
    if (section.url is None) == (section.path is None):
        said = "neither 'url' nor 'path'" if section.url is None else "both 'url' and 'path'"
        raise ConfigError(
            f"{place}: openapi.{name} has {said}",
            hint="'url' is where the description is fetched from, 'path' a file with it",
        )
