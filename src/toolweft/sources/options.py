"""How each kind of source is reached."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from toolweft.core.ids import SourceName
from toolweft.core.principals import LOCAL, Principal
from toolweft.core.secret import Secret

__all__ = (
    "ClientCredentials",
    "HttpServerOptions",
    "OAuthOptions",
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
    # False leaves its resources, or its prompts, out.
    resources: bool = True
    prompts: bool = True
    # "parallel" and "serial" are kept to; None: side by side, until it asks without saying for
    # which call.
    mode: Literal["parallel", "serial"] | None = None
    # "principal": one process or session for each; the tools are listed by one of its own.
    isolation: Literal["shared", "principal"] = "shared"
    # Of those; the one that was used last the longest ago makes room for another.
    max_principals: int = 16
    # Whether what it asks begins with its name, and with the host of an address to open.
    label_asks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthOptions:
    """How toolweft comes to tokens for an MCP server (OAuth 2.1)."""

    # authorization_code: a person agrees in a browser, once. client_credentials: nobody does.
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    # Empty: toolweft registers itself with the authorization server.
    client_id: str | Secret = ""
    client_secret: str | Secret = ""
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    # Empty: those that the server asks for.
    scopes: tuple[str, ...] = ()
    # The one authorization server that may be used; a client secret goes nowhere else. Empty: the
    # one that the server names.
    issuer: str = ""
    # On loopback, where the browser comes back to; 0: any that is free.
    redirect_port: int = 0
    # Where tokens are kept, readable by its owner only.
    folder: Path
    # On whose behalf; each has tokens of its own.
    principal: Principal = LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerOptions:
    """An MCP server reached over streamable HTTP."""

    name: SourceName
    url: str
    # Values inside `url` that must not be shown; with any, messages name only its origin.
    secrets: tuple[Secret, ...] = ()
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    # None: what the headers say is all it wants.
    oauth: OAuthOptions | None = None
    start_timeout_s: float = 30.0
    max_message_bytes: int = 20 * _MIB
    # As above.
    eager: bool = False
    idle_stop_s: float = 900.0
    resources: bool = True
    prompts: bool = True
    mode: Literal["parallel", "serial"] | None = None
    isolation: Literal["shared", "principal"] = "shared"
    max_principals: int = 16
    label_asks: bool = True

    def on_behalf_of(self, principal: Principal) -> Self:
        """The same server, with that principal's own login where it wants one."""
        if self.oauth is None:
            return self
        return replace(self, oauth=replace(self.oauth, principal=principal))

    @property
    def login_command(self) -> str:
        """What the person runs who has to log in."""
        whose = LOCAL if self.oauth is None else self.oauth.principal
        command = ["toolweft", "login", self.name]
        command += ["--tenant", whose.tenant] if whose.tenant != LOCAL.tenant else []
        command += ["--user", whose.user] if whose.user != LOCAL.user else []
        return shlex.join(command)


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
