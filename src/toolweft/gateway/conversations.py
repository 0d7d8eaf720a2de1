"""Which conversation does a request belong to, and what does that conversation see?

Over stdio there is one. Over HTTP a client of a handshake revision has one per session. Clients
of the stateless revision share one per principal, which is over when nobody used it for a while:
nothing on the wire says when their conversations begin. Knows MCP requests, not how they arrive.
"""

import math
from collections import OrderedDict

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request

from toolweft.core.calls import LOCAL, Principal
from toolweft.core.clock import Clock
from toolweft.core.json import Json, JsonSchema
from toolweft.gateway.ports import SurfaceFor, ToolboxFor, ToolboxPort, ToolSurface

__all__ = (
    "Conversation",
    "Conversations",
    "PrincipalUser",
    "RequestContext",
    "connection_of",
    "principal_of",
)

RequestContext = ServerRequestContext[Json, Json]

# As many as the SDK keeps sessions. What is forgotten beyond is only the toolbox; its containers
# belong to the principal.
_MAX_CONVERSATIONS = 10_000
# As long as the SDK keeps an unused session.
_IDLE_S = 30 * 60.0
# In the place of a session's id, which is hexadecimal.
_ONLY = "only"
_STATELESS = "stateless"


class PrincipalUser(AuthenticatedUser):
    """A principal in the form by which the SDK binds sessions to those who opened them."""

    def __init__(self, principal: Principal) -> None:
        super().__init__(
            AccessToken(
                # The key itself goes no further than the check that found the principal.
                token="",
                client_id=principal.key or "",
                scopes=[],
                subject=principal.user,
                claims={"iss": principal.tenant},
            )
        )
        self.principal = principal


class Conversation:
    """One client's toolbox and the tools it was shown, which never change."""

    def __init__(self, toolbox: ToolboxPort, *, principal: Principal, expires_at_s: float) -> None:
        self.toolbox = toolbox
        # Monotonic; moved on by every use.
        self.expires_at_s = expires_at_s
        # The least of the log lines that a handshake client wants; all, until it says.
        self.log_level = "debug"
        self._principal = principal
        self._surface: ToolSurface | None = None
        self._lock = anyio.Lock()

    async def surface(self, surface_for: SurfaceFor) -> ToolSurface:
        """What the model sees; built at the first listing."""
        async with self._lock:
            if self._surface is None:
                self._surface = await surface_for(self._principal)
            return self._surface


class Conversations:
    """Every conversation there is, the least used forgotten first."""

    def __init__(self, toolbox_for: ToolboxFor, *, surface_for: SurfaceFor, clock: Clock) -> None:
        self._toolbox_for = toolbox_for
        self._surface_for = surface_for
        self._clock = clock
        self._known: OrderedDict[tuple[Principal, str], Conversation] = OrderedDict()
        self._schemas: dict[str, JsonSchema] = {}

    def toolbox(self, request: RequestContext) -> ToolboxPort:
        """The toolbox of the request's conversation."""
        return self._find(request).toolbox

    def log_level(self, request: RequestContext) -> str:
        """The least level of log lines that the request's conversation wants."""
        return self._find(request).log_level

    def set_log_level(self, request: RequestContext, level: str) -> None:
        """Send that conversation nothing below this level from now on."""
        self._find(request).log_level = level

    async def surface(self, request: RequestContext) -> ToolSurface:
        """What the request's conversation is shown."""
        surface = await self._find(request).surface(self._surface_for)
        self._schemas |= {tool.name: tool.input_schema for tool in surface.tools}
        return surface

    def input_schema(self, name: str) -> JsonSchema | None:
        """The schema under which a tool was last shown to anyone."""
        return self._schemas.get(name)

    def _find(self, request: RequestContext) -> Conversation:
        principal, session = key = (principal_of(request), _session(request))
        now_s = self._clock.monotonic_s()
        expires_at_s = now_s + _IDLE_S if session == _STATELESS else math.inf
        found = self._known.get(key)
        if found is None or found.expires_at_s <= now_s:
            toolbox = self._toolbox_for(principal)
            found = Conversation(toolbox, principal=principal, expires_at_s=expires_at_s)
            self._known[key] = found
            if len(self._known) > _MAX_CONVERSATIONS:
                self._known.popitem(last=False)
        found.expires_at_s = expires_at_s
        self._known.move_to_end(key)
        return found


def principal_of(request: RequestContext) -> Principal:
    """On whose behalf a request is made."""
    http = request.request
    user = http.scope.get("user") if isinstance(http, Request) else None
    return user.principal if isinstance(user, PrincipalUser) else LOCAL


def connection_of(request: RequestContext) -> Connection:
    """What lasts as long as a client's connection, which a request's session does not."""
    return request.session._connection  # noqa: SLF001 (no public way; this is the only place)


def _session(request: RequestContext) -> str:
    http = request.request
    if not isinstance(http, Request):
        return _ONLY
    # The stateless revision has no sessions, whatever a header says.
    if request.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return _STATELESS
    return http.headers.get("mcp-session-id", _STATELESS)
