"""MCP servers as sources: over stdio, and over streamable HTTP.

A server whose tools are remembered from before starts with the first call that needs it. The
protocol's SDK is imported when the first server starts, so that importing toolweft stays quick.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import anyio

from toolweft.core.calls import RawResult
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.discovery import Discovery, DiscoveryCache
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject
from toolweft.core.ports import SourceListener
from toolweft.sources.masking import all_values, url_secrets
from toolweft.sources.mcp.backoff import Backoff, Patience
from toolweft.sources.mcp.definitions import build_definitions
from toolweft.sources.mcp.demand import Demand
from toolweft.sources.mcp.identity import discovery_key
from toolweft.sources.options import HttpServerOptions, StdioServerOptions
from toolweft.sources.reporting import Reporter

__all__ = ("HttpSource", "Memory", "StdioSource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What servers' listings are remembered in."""

    cache: DiscoveryCache
    # An older listing is shown at once, and the server asked anew behind that.
    refresh_s: float
    # False: every server is asked anew.
    is_read: bool = True


class _Owner(Protocol):
    """What the SDK side gives; named here so that its module need not be imported."""

    async def run(self) -> None: ...

    async def call_tool(self, name: ToolName, arguments: JsonObject) -> RawResult: ...


class _ServerSource(ABC):
    """What both kinds share: a name, a reporter, and an owner once it runs."""

    kind = "mcp"

    def __init__(
        self,
        options: StdioServerOptions | HttpServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience,
        secrets: Iterable[str],
        memory: Memory | None,
    ) -> None:
        self.name = options.name
        self.reporter = Reporter(
            self.name, kind=self.kind, listener=listener, secrets=tuple(secrets)
        )
        self._clock = clock
        self._patience = patience
        self._memory = memory
        self._key = discovery_key(options) if memory is not None else ""
        self._is_eager = options.eager
        idle_stop_s = None if options.eager else options.idle_stop_s
        self._demand = Demand(clock=clock, idle_stop_s=idle_stop_s)
        self._owner: _Owner | None = None
        self._is_owned = False

    async def run(self) -> None:
        """Keep the server at hand until cancelled."""
        self._is_owned = True
        try:
            if not await self._is_remembered():
                self._demand.want()
            await self._demand.wait_wanted()
        except BaseException:
            self._demand.failed()
            self.reporter.stopped()
            raise
        self._demand.starting()
        from toolweft.sources.mcp.owner import ServerOwner

        self._owner = ServerOwner(
            open_link=self._load_link(),
            patience=self._patience,
            reporter=self.reporter,
            clock=self._clock,
            demand=self._demand,
            remember=self._remember,
        )
        await self._owner.run()

    async def ensure_live(self) -> None:
        """Start the server where it is down; return once it is ready or has failed."""
        await self._demand.ensure_live()

    async def call_tool(
        self, name: ToolName, arguments: JsonObject, *, countdown: Countdown
    ) -> RawResult:
        """Use one tool; cancelling the await cancels it in the server too.

        Raises:
            SourceUnavailable: the server cannot be started, broke off, or answered with an HTTP
                error.
            ResultTooLarge: the answer is above `max_message_bytes`.
        """
        with self._demand:
            if self._owner is None and self._is_owned:
                await self._demand.ensure_live()
            if self._owner is None:
                raise _not_started(self.name)
            return await self._owner.call_tool(name, arguments)

    async def _is_remembered(self) -> bool:
        """Whether its tools are known from before and still good; they are shown in any case."""
        memory = self._memory
        known = None
        if memory is not None and memory.is_read:
            known = await memory.cache.load(self._key)
        if known is None or memory is None:
            self.reporter.starting()
            return False
        is_fresh = not self._is_eager and self._is_fresh(known, memory)
        definitions, _ = build_definitions(known.tools, namespace=self.name)
        self.reporter.known(
            definitions,
            is_starting=not is_fresh,
            instructions=known.instructions,
            protocol_version=known.protocol_version,
        )
        return is_fresh

    def _is_fresh(self, known: Discovery, memory: Memory) -> bool:
        holds_s = memory.refresh_s if known.ttl_s is None else known.ttl_s
        age = self._clock.now() - known.listed_at
        # One of the future is as wrong as one too old.
        return timedelta(0) <= age < timedelta(seconds=min(holds_s, memory.refresh_s))

    async def _remember(self, discovery: Discovery) -> None:
        if self._memory is not None:
            # A command may be over as soon as it knows the tools; the next one wants them too.
            with anyio.CancelScope(shield=True):
                await self._memory.cache.save(self._key, discovery)

    @abstractmethod
    def _load_link(self) -> Any:
        """How the owner reaches the server; imports the SDK, whose types stay behind it."""


class StdioSource(_ServerSource):
    """An MCP server that is started as a child process.

    Args:
        options: how to start it.
        listener: hears of its tools and state.
        clock: measures its start.
        patience: how soon a dead server is tried again; sensible by default.
        memory: of listings; None remembers nothing, so the server starts at once.
    """

    kind = "mcp stdio"

    def __init__(
        self,
        options: StdioServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(
            options,
            listener=listener,
            clock=clock,
            memory=memory,
            patience=patience or Patience(start_timeout_s=options.start_timeout_s),
            secrets=all_values((*options.env.values(), *options.secrets)),
        )
        self._options = options

    def _load_link(self) -> Any:
        from toolweft.sources.mcp.stdio_link import open_stdio_link

        return partial(open_stdio_link, self._options)


class HttpSource(_ServerSource):
    """An MCP server that is reached over streamable HTTP.

    Args:
        options: where it is, and the headers it wants.
        listener: hears of its tools and state.
        clock: measures its start.
        patience: how soon a lost server is tried again; sensible by default.
        memory: of listings; None remembers nothing, so the server starts at once.
    """

    kind = "mcp http"

    def __init__(
        self,
        options: HttpServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience | None = None,
        memory: Memory | None = None,
    ) -> None:
        # Asking again over HTTP costs little, so it may be soon.
        soon = Backoff(initial_s=1.0, max_s=30.0)
        given = all_values((*options.headers.values(), *options.secrets))
        super().__init__(
            options,
            listener=listener,
            clock=clock,
            memory=memory,
            patience=patience
            or Patience(start_timeout_s=options.start_timeout_s, never_ready=soon),
            secrets=(*given, *url_secrets(options.url)),
        )
        self._options = options

    def _load_link(self) -> Any:
        from toolweft.sources.mcp.http_link import open_http_link

        return partial(open_http_link, self._options)


def _not_started(name: SourceName) -> SourceUnavailable:
    return SourceUnavailable(f"server {name!r} is not started yet", hint="try again in a moment")
