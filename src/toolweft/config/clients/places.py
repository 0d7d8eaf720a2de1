"""MCP clients: what each calls its servers and where its file lies, on every system. Pure.

Source: the clients' own manuals, read in November 2026; `docs/clients.md` lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from toolweft.core.errors import ConfigError

__all__ = ("CLIENTS", "Client", "Scope", "Surroundings", "client_path", "find_client")

Scope = Literal["user", "project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process finds around it: system, variables and folders."""

    # As `sys.platform` has it.
    platform: str
    environ: Mapping[str, str]
    home: Path
    cwd: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One MCP client."""

    id: str
    title: str
    # The key of its file that holds the servers.
    root: str
    # Below the project's folder; None where it has no file for a project.
    project: str | None
    # What its entries say of how a server is reached, where they must.
    entry_type: str | None = None


_ALL = (
    Client(
        id="claude-code",
        title="Claude Code",
        root="mcpServers",
        project=".mcp.json",
        entry_type="stdio",
    ),
    Client(id="claude-desktop", title="Claude Desktop", root="mcpServers", project=None),
    Client(id="cursor", title="Cursor", root="mcpServers", project=".cursor/mcp.json"),
    Client(
        id="vscode",
        title="VS Code",
        root="servers",
        project=".vscode/mcp.json",
        entry_type="stdio",
    ),
    Client(id="codex", title="Codex", root="mcp_servers", project=".codex/config.toml"),
    Client(id="windsurf", title="Windsurf", root="mcpServers", project=None),
)
CLIENTS: Mapping[str, Client] = MappingProxyType({client.id: client for client in _ALL})


def find_client(name: str) -> Client:
    """The client of that name.

    Raises:
        ConfigError: it is none of those known.
    """
    client = CLIENTS.get(name)
    if client is not None:
        return client
    near = get_close_matches(name, CLIENTS, n=1)
    raise ConfigError(
        f"{name!r} is no client known here",
        hint=(f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(CLIENTS)}",
    )


def client_path(client: Client, scope: Scope, around: Surroundings) -> Path:
    """The file that holds the client's servers, whether it is there or not.

    Raises:
        ConfigError: the client has no file for a project.
    """
    if scope == "user":
        return _user_path(client.id, around)
    if client.project is None:
        raise ConfigError(
            f"{client.title} has no servers of a project",
            hint=f"leave --scope out: toolweft install {client.id}",
        )
    return around.cwd / client.project


def _user_path(client: str, around: Surroundings) -> Path:
    home = around.home
    match client:
        case "claude-code":
            return _folder(around, "CLAUDE_CONFIG_DIR", home) / ".claude.json"
        case "claude-desktop":
            return _settings_folder(around) / "Claude" / "claude_desktop_config.json"
        case "cursor":
            return home / ".cursor" / "mcp.json"
        case "vscode":
            return _settings_folder(around) / "Code" / "User" / "mcp.json"
        case "codex":
            return _folder(around, "CODEX_HOME", home / ".codex") / "config.toml"
        case _:
            return home / ".codeium" / "windsurf" / "mcp_config.json"


def _settings_folder(around: Surroundings) -> Path:
    """Where the system wants desktop programs to keep their settings."""
    if around.platform == "darwin":
        return around.home / "Library" / "Application Support"
    if around.platform == "win32":
        return _folder(around, "APPDATA", around.home / "AppData" / "Roaming")
    return _folder(around, "XDG_CONFIG_HOME", around.home / ".config")


def _folder(around: Surroundings, variable: str, default: Path) -> Path:
    folder = Path(around.environ.get(variable, ""))
    return folder if folder.is_absolute() else default
