"""The section of asks to its options. Reads nothing."""

from collections.abc import Mapping
from pathlib import Path

from toolweft.config.expand import MissingVariable, expand_secret
from toolweft.config.layers import Layer
from toolweft.config.models import ConfigModel
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.gateway.options import AskOptions

__all__ = ("build_asks", "build_roots")

# The seal is AES-256; what is shorter can be guessed.
_MIN_KEY_BYTES = 32


def build_asks(config: ConfigModel, layer: Layer, *, environ: Mapping[str, str]) -> AskOptions:
    """How long and how many calls wait for answers.

    Raises:
        ConfigError: a key is missing, too short, or there twice.
    """
    section = config.asks
    keys: list[Secret] = []
    for index, written in enumerate(section.state_keys):
        place = layer.place(("asks", "state_keys", index))
        try:
            key = expand_secret(written, environ)
        except MissingVariable as exc:
            raise ConfigError(
                f"{place}: asks.state_keys needs the variable {exc.name!r}, which is not set",
                hint=exc.hint,
            ) from exc
        if len(key.reveal().encode()) < _MIN_KEY_BYTES or key in keys:
            raise ConfigError(
                f"{place}: a key of asks.state_keys is shorter than {_MIN_KEY_BYTES} bytes, or is"
                " there twice",
                hint="openssl rand -hex 32 makes one",
            )
        keys.append(key)
    return AskOptions(park_s=section.park_s, max_parked=section.max_parked, state_keys=tuple(keys))


def build_roots(config: ConfigModel, layer: Layer, *, home: Path) -> tuple[str, ...]:
    """The folders of `asks.roots` as addresses; relative ones count from their file's folder."""
    roots: list[str] = []
    for index, written in enumerate(config.asks.roots):
        if written.startswith("file://"):
            roots.append(written)
            continue
        path = ("asks", "roots", index)
        entry = layer.entries.get(path) or layer.entries["asks", "roots"]
        folder = home / written[2:] if written.startswith("~/") else entry.folder / written
        roots.append(folder.absolute().as_uri())
    return tuple(roots)
