"""Recognises toolweft among the servers of a client, however it is started. Pure."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from toolweft.config.layers import Layer
from toolweft.config.lookup import FILE_NAMES, find_config, lookup_paths
from toolweft.config.models import ConfigModel, ServerModel
from toolweft.core.errors import ConfigError

__all__ = ("drop_own_entries", "own_arguments", "own_config")

# Programs that start the one their arguments name.
_STARTERS = re.compile(r"(?:python[\d.]*w?|py|uvx?|pipx|env|cmd|sh|bash|zsh|poetry|hatch|nice)\Z")
_NAME = re.compile(r"toolweft(?:\.exe|\.cmd)?(?:\[[^\]]*\])?(?:[=@<>~!].*)?\Z")
_SUFFIX = re.compile(r"\.(?:exe|cmd|bat)\Z")


def own_arguments(command: object, args: object) -> list[str] | None:
    """The arguments toolweft is started with; None where another program is.

    Args:
        command: as a client wrote it, of any type.
        args: likewise.
    """
    if not isinstance(command, str):
        return None
    given = args if isinstance(args, list | tuple) else ()
    words = [command, *(word for word in given if isinstance(word, str))]
    is_started = _STARTERS.match(_SUFFIX.sub("", _base(command))) is not None
    for index, word in enumerate(words if is_started else words[:1]):
        # `sh -c "toolweft serve"`
        program, *inside = word.split() if index and " " in word else [word]
        following = [*inside, *words[index + 1 :]]
        # A folder or a package may have the name too, but neither serves.
        if _NAME.match(_base(program)) and "serve" in following:
            return following
    return None


def own_config(
    arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path, home: Path
) -> Path | None:
    """The configuration a toolweft with these arguments reads; None where it finds none."""
    named = environ.get("TOOLWEFT_CONFIG")
    for option, following in zip(arguments, (*arguments[1:], ""), strict=False):
        name, separator, value = option.partition("=")
        if name in {"--config", "-C"}:
            named = value if separator else following
        elif option.startswith("-C") and len(option) > 2:
            named = option[2:]
    if not named:
        return find_config(lookup_paths(environ=environ, cwd=cwd, home=home))
    path = cwd / named
    return find_config(tuple(path / name for name in FILE_NAMES)) if path.is_dir() else path


def drop_own_entries(
    checked: ConfigModel,
    layer: Layer,
    files: Sequence[Path],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
) -> tuple[ConfigModel, list[str]]:
    """The configuration without servers that would start it again, and a note for each.

    Raises:
        ConfigError: the configuration that was asked for is itself the one it would start.
    """
    kept: dict[str, ServerModel] = {}
    notes: list[str] = []
    for name, server in checked.servers.items():
        arguments = own_arguments(server.command, server.args)
        if arguments is None or server.disabled:
            kept[name] = server
            continue
        folder = cwd / server.cwd if server.cwd else cwd
        target = own_config(arguments, environ={**environ, **server.env}, cwd=folder, home=home)
        if target is None or target.resolve() not in files:
            kept[name] = server
            continue
        entry = layer.entries["servers", name, "command"]
        if entry.folder / Path(entry.origin.rpartition(":")[0]).name == files[-1]:
            raise ConfigError(
                f"{entry.origin}: server {name!r} is toolweft with this very configuration:"
                " it would start itself without end",
                hint="serve the file that holds the servers: toolweft serve --config FILE",
            )
        notes.append(f"{entry.origin}: server {name!r} is toolweft itself and not used")
    return checked.model_copy(update={"servers": kept}), notes


def _base(word: str) -> str:
    # Whichever system wrote it.
    name = PureWindowsPath(word).name if "\\" in word else PurePosixPath(word).name
    return name.lower()
