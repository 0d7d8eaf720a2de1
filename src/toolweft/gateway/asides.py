"""What sources and handshake clients tell one another between calls.

A source says that an opened address has done its work: only the session hears of it whose call
had it opened. A client says that its folders are others now: only the sources hear of it that
asked this session for them. Whatever could concern several concerns nobody.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final, Protocol, TypeAlias

import anyio
import mcp_types as types
from mcp.server.connection import Connection
from mcp.shared.exceptions import MCPError

from toolweft.core.asides import AsideSource, AskCompleted
from toolweft.core.client import Ask, CallingClient
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.gateway.conversations import RequestContext, connection_of, principal_of
from toolweft.gateway.opened import OpenedAddresses

__all__ = ("Asides", "SessionClient")

log = logging.getLogger(__name__)

# Ids are kept; a longer one is passed on, and nothing is heard of it.
_MAX_ID_CHARACTERS: Final = 1_000
# The only revision that has ids of addresses, and the news of them.
_REVISION: Final = "2025-11-25"
# In a connection's own state.
_FOLLOWED_KEY: Final = "toolweft.asides"
_ROOTS_KEY: Final = "toolweft.roots"

# As `Exchanges.serve`, for a notification.
ServeNews: TypeAlias = Callable[[RequestContext, Any, Callable[[Any], Awaitable[Any]]], Any]


class SessionClient(Protocol):
    """The client of a call, as far as its session is concerned."""

    @property
    def request(self) -> RequestContext:
        """Any of the session."""
        ...

    def completed(self, elicitation_id: str) -> None:
        """Say that an address has done its work; never waits."""
        ...


class Asides:
    """Knows what each session has to be told, or has told.

    Args:
        sources: those that may have something to say.
    """

    def __init__(self, sources: Sequence[AsideSource] = ()) -> None:
        self._sources: Mapping[SourceName, AsideSource] = {one.name: one for one in sources}
        self._opened: OpenedAddresses[SessionClient] = OpenedAddresses()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Hear what the sources say, for the block."""
        with ExitStack() as ends:
            for source in self._sources.values():
                ends.callback(source.hear_completed(self._completed))
            yield

    # ----------------------------------------------------------------------------- addresses

    def begin(self, client: SessionClient, ask: Ask) -> Ask:
        """An ask as its client is asked it, which is about to be."""
        own = _read_id(ask)
        if not own or client.request.protocol_version != _REVISION:
            return ask
        shown = self._follow(client, ask.source, own)
        return replace(ask, params={**ask.params, "elicitationId": shown})

    def end(self, client: SessionClient, ask: Ask, answer: JsonObject) -> None:
        """An ask, as it was given to `begin`, has its answer; {} for none."""
        if ask.kind == "roots" and "roots" in answer and ask.source in self._sources:
            self._tellings(client.request).setdefault(ask.source, _Telling())
        own = _read_id(ask)
        if own and answer.get("action") != "accept":
            self._opened.forget(connection_of(client.request), (ask.source, own))

    def begin_error(self, client: SessionClient, source: SourceName, error: MCPError) -> MCPError:
        """An error of a source as its client is told it; it may want addresses opened."""
        is_wanted = error.error.code == types.URL_ELICITATION_REQUIRED
        if not is_wanted or client.request.protocol_version != _REVISION:
            return error
        data = error.error.data if isinstance(error.error.data, dict) else {}
        listed = data.get("elicitations")
        if not isinstance(listed, list):
            return error

        def shown(entry: Json) -> Json:
            own = _as_id(entry.get("elicitationId")) if isinstance(entry, dict) else ""
            return {**entry, "elicitationId": self._follow(client, source, own)} if own else entry

        data = {**data, "elicitations": [shown(entry) for entry in listed]}
        return MCPError(error.error.code, error.error.message, data)

    def _follow(self, client: SessionClient, source: SourceName, own: str) -> str:
        connection = connection_of(client.request)
        if _FOLLOWED_KEY not in connection.state:
            connection.state[_FOLLOWED_KEY] = True
            connection.exit_stack.callback(self._opened.close, connection)
        principal = principal_of(client.request)
        return self._opened.follow(connection, (source, own), principal=principal, told=client)

    def _completed(self, completed: AskCompleted) -> None:
        follower = self._opened.take(completed)
        if follower is None:
            log.debug("gateway.completion_unclaimed", extra={"source": completed.source})
        else:
            follower.told.completed(follower.shown)

    # --------------------------------------------------------------------------------- roots

    async def roots_changed(self, request: RequestContext, serve: ServeNews) -> None:
        """Tell the sources that asked a session for its folders that they are others now.

        Args:
            request: the notification.
            serve: gives the client that such a source may ask.
        """
        async with anyio.create_task_group() as tasks:
            for name, telling in tuple(self._tellings(request).items()):
                tasks.start_soon(telling.tell, self._teller(request, serve, self._sources[name]))

    def _teller(
        self, request: RequestContext, serve: ServeNews, source: AsideSource
    ) -> Callable[[], Awaitable[None]]:
        async def work(client: CallingClient) -> JsonObject:
            await source.roots_changed(client, principal_of(request))
            return {}

        async def tell() -> None:
            await serve(request, None, work)

        return tell

    def _tellings(self, request: RequestContext) -> "dict[SourceName, _Telling]":
        connection: Connection = connection_of(request)
        tellings: dict[SourceName, _Telling] = connection.state.setdefault(_ROOTS_KEY, {})
        return tellings


class _Telling:
    """What one session tells one source: news that come while it does are told once, after."""

    def __init__(self) -> None:
        self._is_under_way = False
        self._is_wanted = False

    async def tell(self, work: Callable[[], Awaitable[None]]) -> None:
        self._is_wanted = True
        if self._is_under_way:
            return
        self._is_under_way = True
        try:
            while self._is_wanted:
                self._is_wanted = False
                await work()
        finally:
            self._is_under_way = False


def _read_id(ask: Ask) -> str:
    """The id of the address that an ask wants opened; "" where it has none."""
    if ask.kind != "elicitation" or ask.params.get("mode") != "url":
        return ""
    return _as_id(ask.params.get("elicitationId"))


def _as_id(given: Json) -> str:
    """An id that can be kept; "" where it is none."""
    return given if isinstance(given, str) and len(given) <= _MAX_ID_CHARACTERS else ""
