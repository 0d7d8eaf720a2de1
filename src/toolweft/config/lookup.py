"""Where configuration is looked for and where state is kept, by the XDG base directory rules.

Pure except `find_config`, which asks the file system whether a file is there.
"""

from collections.abc import Mapping
from pathlib import Path

__all__ = (
    "answers_path",
    "clients_path",
    "discovery_path",
    "environments_path",
    "find_config",
    "handles_path",
    "journal_path",
    "ledger_path",
    "lookup_paths",
    "saved_path",
    "tokens_path",
    "user_folder",
    "vectors_path",
)

# First wins. In a project the file of toolweft itself comes before the one shared with clients.
FILE_NAMES = ("toolweft.toml", "mcp.json", ".mcp.json")


def lookup_paths(*, environ: Mapping[str, str], cwd: Path, home: Path) -> tuple[Path, ...]:
    """Every file that is tried when no configuration is named, in order."""
    folders = [user_folder(environ=environ, home=home)]
    standard = home / ".config" / "toolweft"
    if standard not in folders:
        folders.append(standard)
    project = [cwd / name for name in FILE_NAMES]
    user = [folder / name for folder in folders for name in ("toolweft.toml", "mcp.json")]
    return (*project, *user)


def user_folder(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where the user's own configuration is written."""
    return _xdg_folder(environ, "XDG_CONFIG_HOME", default=home / ".config") / "toolweft"


def find_config(paths: tuple[Path, ...]) -> Path | None:
    """The first of the paths that is a file."""
    return next((path for path in paths if path.is_file()), None)


def ledger_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where the ledger is kept when nothing else is configured."""
    state = _xdg_folder(environ, "XDG_STATE_HOME", default=home / ".local" / "state")
    return state / "toolweft" / "ledger.db"


def handles_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where stored results are kept when nothing else is configured."""
    return ledger_path(environ=environ, home=home).with_name("handles")


def clients_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where it is recorded what `toolweft install` changed, with copies of what was there."""
    return ledger_path(environ=environ, home=home).with_name("clients")


def answers_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where it is kept what was answered of tools whose servers say nothing."""
    return ledger_path(environ=environ, home=home).with_name("answers.json")


def tokens_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where tokens of authorization servers are kept."""
    return ledger_path(environ=environ, home=home).with_name("tokens")


def journal_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where runs are kept when nothing else is configured."""
    return ledger_path(environ=environ, home=home).with_name("journal")


def saved_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where saved programs are kept when nothing else is configured."""
    return environments_path(environ=environ, home=home).with_name("saved")


def vectors_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where an embedder's vectors are kept when nothing else is configured."""
    return _cache_folder(environ, home) / "vectors.db"


def discovery_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where servers' listings are remembered when nothing else is configured."""
    return _cache_folder(environ, home) / "discovery"


def environments_path(*, environ: Mapping[str, str], home: Path) -> Path:
    """Where environments of packages are kept when nothing else is configured."""
    data = _xdg_folder(environ, "XDG_DATA_HOME", default=home / ".local" / "share")
    return data / "toolweft" / "environments"


def _cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    return _xdg_folder(environ, "XDG_CACHE_HOME", default=home / ".cache") / "toolweft"


def _xdg_folder(environ: Mapping[str, str], name: str, *, default: Path) -> Path:
    folder = Path(environ.get(name, ""))
    # The specification: a relative path is to be ignored.
    return folder if folder.is_absolute() else default
