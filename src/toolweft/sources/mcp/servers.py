"""MCP servers as sources: over stdio, and over streamable HTTP.

A server whose tools are remembered from before starts with the first call that needs it. The
protocol's SDK is imported when the first server starts, so that importing toolweft stays quick.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio

from toolweft.core.asides import HearCompleted
from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.client import CallingClient
from toolweft.core.clock import Clock
from toolweft.core.contents import ContentListener
from toolweft.core.discovery import Discovery, DiscoveryCache
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.ports import SourceListener
from toolweft.core.principals import LOCAL, Principal
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources.masking import all_values, url_secrets
from toolweft.sources.mcp.backoff import Backoff, Patience
from toolweft.sources.mcp.completions import Completions
from toolweft.sources.mcp.content_source import HasContents
from toolweft.sources.mcp.contents import ServerContents
from toolweft.sources.mcp.demand import Demand
from toolweft.sources.mcp.identity import discovery_key
from toolweft.sources.mcp.instances import Instances
from toolweft.sources.mcp.reading import read_tools
from toolweft.sources.mcp.turns import CallMode
from toolweft.sources.options import HttpServerOptions, StdioServerOptions
from toolweft.sources.reporting import Reporter

if TYPE_CHECKING:
    # It imports the SDK; see above.
    from toolweft.sources.mcp.owner import Remember, ServerOwner

__all__ = ("HttpSource", "Memory", "StdioSource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What servers' listings are remembered in."""

    cache: DiscoveryCache
    # An older listing is shown at once, and the server asked anew behind that.
    refresh_s: float
    # False: every server is asked anew.
    is_read: bool = True
    # Until it is set, a server that is remembered starts only if a call needs it.
    start_after: anyio.Event


class _Nobody:
    """Hears of nothing: what one principal's process does is not how the server stands."""

    async def prepare(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition]
    ) -> None: ...

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None: ...


class _ServerSource(HasContents, ABC):
    """What both kinds share: a name, a reporter, and an owner once it runs."""

    kind = "mcp"

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        options: StdioServerOptions | HttpServerOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        patience: Patience,
        secrets: Iterable[str],
        memory: Memory | None,
        news: ContentListener | None,
    ) -> None:
        self.name = options.name
        secrets = tuple(secrets)
        self.reporter = Reporter(self.name, kind=self.kind, listener=listener, secrets=secrets)
        self._clock = clock
        self._patience = patience
        self._memory = memory
        self._start_after = anyio.Event() if memory is None else memory.start_after
        self._key = discovery_key(options) if memory is not None else ""
        self._is_eager = options.eager
        idle_stop_s = None if options.eager else options.idle_stop_s
        self._demand = Demand(clock=clock, idle_stop_s=idle_stop_s)
        self._idle_stop_s = options.idle_stop_s
        self._is_labelled = options.label_asks
        self._completions = Completions(self.name)
        self._secrets = secrets
        self._mode = CallMode(options.mode)
        # The last listing of this life, to which what is learned of the server is added.
        self._listed: Discovery | None = None
        # What of it is remembered; None where nothing is.
        self._noted_serial: bool | None = None
        self._owner: ServerOwner | None = None
        self._is_owned = False
        self._instances: Instances[ServerOwner] | None = None
        if options.isolation == "principal":
            self._instances = Instances(
                self.name, build=self._build_instance, max_count=options.max_principals
            )
        self._contents = ServerContents(
            self.name,
            listener=news,
            has_resources=options.resources,
            has_prompts=options.prompts,
        )

    async def run(self) -> None:
        """Keep the server at hand until cancelled."""
        self._is_owned = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._remember_mode)
            if self._instances is not None:
                tasks.start_soon(self._instances.run)
            await self._run_shared()

    async def _run_shared(self) -> None:
        """Own the process or session that all share, or that at least lists the tools."""
        try:
            match await self._recall():
                case "fresh":
                    await self._demand.wait_wanted()
                case "old":
                    await self._demand.wait_wanted_until(self._start_after)
                case "unknown":
                    self._demand.want()
                    await self._demand.wait_wanted()
        except BaseException:
            self._demand.failed()
            self._contents.gave_up()
            self.reporter.stopped()
            raise
        self._demand.starting()
        self._owner = self._build_owner(
            self.reporter,
            demand=self._demand,
            remember=self._remember,
            contents=self._contents,
        )
        await self._owner.run()

    async def ensure_live(self) -> None:
        """Start the server where it is down; return once it is ready or has failed.

        Where each principal has its own, the one that only lists is not started for a call.
        """
        if self._instances is None or self.reporter.status.state != "idle":
            await self._demand.ensure_live()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Use one tool; cancelling the await cancels it in the server too.

        Raises:
            SourceUnavailable: the server cannot be started, broke off, or answered with an HTTP
                error.
            ResultTooLarge: the answer is above `max_message_bytes`.
        """
        async with self._find_owner(call.principal) as owner:
            return await owner.call_tool(name, call)

    def hear_completed(self, hear: HearCompleted) -> Callable[[], None]:
        """Tell somebody of opened addresses; see `toolweft.core.asides.AsideSource`."""
        return self._completions.subscribe(hear)

    async def roots_changed(self, client: CallingClient, principal: Principal) -> None:
        """Say that a client's folders are others; see `toolweft.core.asides.AsideSource`."""
        owner = self._owner if self._instances is None else self._instances.known(principal)
        live = None if owner is None else owner.live
        if live is not None:
            from toolweft.sources.mcp.roots import tell_roots_changed

            await tell_roots_changed(live, client, principal=principal, source=self.name)

    @asynccontextmanager
    async def _find_owner(self, principal: Principal) -> AsyncIterator["ServerOwner"]:
        """Whoever owns the process or session in which that principal's requests are made.

        Raises:
            SourceUnavailable: there is none, and none can be had.
        """
        if self._instances is not None:
            async with self._instances.use(principal) as owner:
                yield owner
            return
        with self._demand:
            if self._owner is None and self._is_owned:
                await self._demand.ensure_live()
            if self._owner is None:
                raise _not_started(self.name)
            yield self._owner

    def _build_instance(self, principal: Principal) -> tuple["ServerOwner", Demand]:
        reporter = Reporter(self.name, kind=self.kind, listener=_Nobody(), secrets=self._secrets)
        demand = Demand(clock=self._clock, idle_stop_s=self._idle_stop_s)
        # The lists are those of the process that all share.
        contents = ServerContents(self.name)
        owner = self._build_owner(
            reporter, principal=principal, demand=demand, remember=None, contents=contents
        )
        return owner, demand

    def _build_owner(
        self,
        reporter: Reporter,
        *,
        principal: Principal | None = None,
        demand: Demand,
        remember: "Remember | None",
        contents: ServerContents,
    ) -> "ServerOwner":
        from toolweft.sources.mcp.asking import Asker
        from toolweft.sources.mcp.owner import ServerOwner

        asker = Asker(
            self.name,
            is_labelled=self._is_labelled,
            on_completed=self._completions.teller(principal),
        )
        return ServerOwner(
            open_link=self._load_link(LOCAL if principal is None else principal),
            patience=self._patience,
            reporter=reporter,
            clock=self._clock,
            demand=demand,
            remember=remember,
            mode=self._mode,
            asker=asker,
            contents=contents,
        )

    async def _recall(self) -> Literal["unknown", "old", "fresh"]:
        """Show the tools that are known from before; whether the server must be asked for them."""
        # At once: a call that comes while the memory is read waits for this source.
        self.reporter.starting()
        memory = self._memory
        known = None
        if memory is not None and memory.is_read:
            known = await memory.cache.load(self._key)
        if known is None or memory is None:
            return "unknown"
        self._mode.recall(is_learned=known.is_serial)
        is_fresh = not self._is_eager and self._is_fresh(known, memory)
        if known.contents is None:
            is_fresh = False
        else:
            self._contents.listed(known.contents)
        read = await read_tools(known.tools, namespace=self.name, is_kept=False)
        self._noted_serial = known.is_serial
        await self.reporter.prepare(read.definitions, notes=read.faults)
        self.reporter.known(
            read.definitions,
            is_starting=not is_fresh,
            instructions=known.instructions,
            protocol_version=known.protocol_version,
        )
        return "fresh" if is_fresh else "old"

    def _is_fresh(self, known: Discovery, memory: Memory) -> bool:
        holds_s = memory.refresh_s if known.ttl_s is None else known.ttl_s
        age = self._clock.now() - known.listed_at
        # One of the future is as wrong as one too old.
        return timedelta(0) <= age < timedelta(seconds=min(holds_s, memory.refresh_s))

    async def _remember_mode(self) -> None:
        """Keep what is learned of how the server must be called."""
        while True:
            # Taken first, so that nothing is missed that changes meanwhile.
            changed = self._mode.changed
            if self._noted_serial not in (None, self._mode.is_learned):
                await self._remember_again()
            await changed.wait()

    async def _remember_again(self) -> None:
        """Add what was learned to the last listing, which may be of an earlier life."""
        listed = self._listed
        if listed is None and self._memory is not None:
            listed = await self._memory.cache.load(self._key)
        if listed is not None:
            await self._remember(listed)

    async def _remember(self, discovery: Discovery) -> None:
        discovery = replace(discovery, is_serial=self._mode.is_learned)
        self._listed, self._noted_serial = discovery, discovery.is_serial
        if self._memory is not None:
            # A command may be over as soon as it knows the tools; the next one wants them too.
            with anyio.CancelScope(shield=True):
                await self._memory.cache.save(self._key, discovery)

    @abstractmethod
    def _load_link(self, principal: Principal) -> Any:
        """How the owner reaches the server; imports the SDK, whose types stay behind it."""


class StdioSource(_ServerSource):
    """An MCP server that is started as a child process.

    Args:
        options: how to start it.
        listener: hears of its tools and state.
        clock: measures its start.
        patience: how soon a dead server is tried again; sensible by default.
        memory: of listings; None remembers nothing, so the server starts at once.
        news: hears of changes of its resources and prompts.
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
        news: ContentListener | None = None,
    ) -> None:
        super().__init__(
            options,
            listener=listener,
            clock=clock,
            memory=memory,
            news=news,
            patience=patience or Patience(start_timeout_s=options.start_timeout_s),
            secrets=all_values((*options.env.values(), *options.secrets)),
        )
        self._options = options

    def _load_link(self, principal: Principal) -> Any:
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
        news: hears of changes of its resources and prompts.
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
        news: ContentListener | None = None,
    ) -> None:
        # Asking again over HTTP costs little, so it may be soon.
        soon = Backoff(initial_s=1.0, max_s=30.0)
        given = all_values((*options.headers.values(), *options.secrets))
        super().__init__(
            options,
            listener=listener,
            clock=clock,
            memory=memory,
            news=news,
            patience=patience
            or Patience(start_timeout_s=options.start_timeout_s, never_ready=soon),
            secrets=(*given, *url_secrets(options.url)),
        )
        self._options = options

    def _load_link(self, principal: Principal) -> Any:
        from toolweft.sources.mcp.http_link import open_http_link

        return partial(open_http_link, self._options.on_behalf_of(principal))


def _not_started(name: SourceName) -> SourceUnavailable:
    return SourceUnavailable(f"server {name!r} is not started yet", hint="try again in a moment")
