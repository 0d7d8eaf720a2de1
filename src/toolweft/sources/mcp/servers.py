"""MCP servers as sources: over stdio, and over streamable HTTP.

The protocol's SDK is imported when the first server starts, so that importing toolweft stays
quick.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

from toolweft.core.calls import RawResult
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject
from toolweft.core.ports import SourceListener
from toolweft.sources.masking import all_values, url_secrets
from toolweft.sources.mcp.backoff import Backoff, Patience
from toolweft.sources.options import HttpServerOptions, StdioServerOptions
from toolweft.sources.reporting import Reporter

__all__ = ("HttpSource", "StdioSource")


class _Owner(Protocol):
    """What the SDK side gives; named here so that its module need not be imported."""

    async def run(self) -> None: ...

    async def call_tool(self, name: ToolName, arguments: JsonObject) -> RawResult: ...


class _ServerSource(ABC):
    """What both kinds share: a name, a reporter, and an owner once it runs."""

    kind = "mcp"

    def __init__(
        self,
        name: SourceName,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience,
        secrets: Iterable[str],
    ) -> None:
        self.name = name
        self.reporter = Reporter(name, kind=self.kind, listener=listener, secrets=tuple(secrets))
        self._clock = clock
        self._patience = patience
        self._owner: _Owner | None = None

    async def run(self) -> None:
        """Keep the server connected until cancelled."""
        self.reporter.starting()
        from toolweft.sources.mcp.owner import ServerOwner

        self._owner = ServerOwner(
            self.name,
            open_link=self._load_link(),
            patience=self._patience,
            reporter=self.reporter,
            clock=self._clock,
        )
        await self._owner.run()

    async def call_tool(
        self, name: ToolName, arguments: JsonObject, *, countdown: Countdown
    ) -> RawResult:
        """Use one tool; cancelling the await cancels it in the server too.

        Raises:
            SourceUnavailable: the server is not connected, broke off, or answered with an HTTP
                error.
            ResultTooLarge: the answer is above `max_message_bytes`.
        """
        if self._owner is None:
            raise _not_started(self.name)
        return await self._owner.call_tool(name, arguments)

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
    """

    kind = "mcp stdio"

    def __init__(
        self,
        options: StdioServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(
            options.name,
            listener=listener,
            clock=clock,
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
    """

    kind = "mcp http"

    def __init__(
        self,
        options: HttpServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        # Asking again over HTTP costs little, so it may be soon.
        soon = Backoff(initial_s=1.0, max_s=30.0)
        given = all_values((*options.headers.values(), *options.secrets))
        super().__init__(
            options.name,
            listener=listener,
            clock=clock,
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
