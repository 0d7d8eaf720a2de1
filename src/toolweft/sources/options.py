"""How each kind of source is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret

__all__ = (
    "ClientCredentials",
    "HttpServerOptions",
    "OpenApiOptions",
    "RecordedServerOptions",
    "StdioServerOptions",
)

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioServerOptions:
    """An MCP server started as a child process."""

    name: SourceName
    command: str
    args: tuple[str, ...] = ()
    # Values inside `command` and `args` that must not be shown, in messages of any kind.
    secrets: tuple[Secret, ...] = ()
    # Added to a small default environment (HOME, LOGNAME, PATH, SHELL, TERM, USER), never the
    # whole of ours.
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    cwd: Path | None = None
    # From spawn to listed tools.
    start_timeout_s: float = 30.0
    # Just above the largest result that a call may have.
    max_message_bytes: int = 20 * _MIB
    # True keeps it running from the first moment to the last.
    eager: bool = False
    # Once its tools are known, it stops after so long without a call; the next starts it again.
    idle_stop_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerOptions:
    """An MCP server reached over streamable HTTP."""

    name: SourceName
    url: str
    # Values inside `url` that must not be shown; with any, messages name only its origin.
    secrets: tuple[Secret, ...] = ()
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    start_timeout_s: float = 30.0
    max_message_bytes: int = 20 * _MIB
    # As above.
    eager: bool = False
    idle_stop_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedServerOptions:
    """A server's definitions from a file; it is never started and cannot be called."""

    name: SourceName
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What an authorization server exchanges for a token (OAuth 2, client credentials)."""

    client_id: str | Secret
    client_secret: str | Secret
    # Empty: the one that the description names, where that is to be trusted.
    token_url: str = ""
    # Empty: all that the description lists for the operation.
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApiOptions:
    """A service described by OpenAPI; exactly one of `url` and `path` is given."""

    name: SourceName
    # Where the description is.
    url: str = ""
    path: Path | None = None
    # In place of the servers that the description names.
    base_url: str = ""
    # Values inside the addresses that must not be shown.
    secrets: tuple[Secret, ...] = ()
    # Sent with every request, and to fetch the description.
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    # By the description's own names of its security schemes: a key, a token or "user:password".
    auth: Mapping[str, str | Secret | ClientCredentials] = field(default_factory=dict)
    # Globs over names of operations and over "METHOD /path"; empty: all.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    # Of one call; None: the catalog's default.
    timeout_s: float | None = None
    # To fetch and read the description.
    start_timeout_s: float = 30.0
    # Just above the largest result that a call may have.
    max_response_bytes: int = 20 * _MIB
