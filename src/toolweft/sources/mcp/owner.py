"""Owns one MCP server: connects, lists, serves calls, and connects again when it dies.

Calls come from any task and go straight to the live connection. A server that nobody calls for
long is stopped, and started again by the next call.
Knows nothing of what carries the messages. Run by the sources of `toolweft.sources.mcp.servers`.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from random import SystemRandom
from typing import TypeAlias

import anyio
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.clock import Clock
from toolweft.core.discovery import Discovery
from toolweft.core.errors import SourceUnavailable, ToolweftError
from toolweft.core.ids import ToolName
from toolweft.core.json import JsonObject
from toolweft.core.tools import ToolDefinition
from toolweft.sources.mcp.asking import Asker
from toolweft.sources.mcp.backoff import Patience
from toolweft.sources.mcp.connection import (
    Connection,
    ConnectionEnded,
    ToolPages,
    open_connection,
)
from toolweft.sources.mcp.content_session import ContentSession
from toolweft.sources.mcp.contents import ServerContents
from toolweft.sources.mcp.demand import Demand
from toolweft.sources.mcp.exchange import Exchange, exchange_of, forget_exchange
from toolweft.sources.mcp.faults import (
    find_fault_kind,
    is_closed,
    render_exception,
    unwrap_exception,
)
from toolweft.sources.mcp.link import Link
from toolweft.sources.mcp.reading import read_tools
from toolweft.sources.mcp.turns import CallMode, Turns
from toolweft.sources.reporting import Reporter

__all__ = ("OpenLink", "Remember", "ServerOwner")

log = logging.getLogger(__name__)

OpenLink: TypeAlias = Callable[[], AbstractAsyncContextManager[Link]]
Remember: TypeAlias = Callable[[Discovery], Awaitable[None]]

# How long a call whose server just died waits to learn why.
_DIAGNOSIS_S = 0.6
# A life at least this long proves the server sound: its next death counts as the first.
_SOUND_LIFE_S = 60.0
# Faults that say nothing of the list that was asked for.
_NOT_OF_LIST = frozenset({"refused", "unreachable", "ended"})
# A server may say that its list holds for no time at all; it is not asked more often than this.
_MIN_TTL_S = 60.0


@dataclass(slots=True)
class _Life:
    """One connection from its start to its end."""

    link: Link | None = None
    # Set once its tools are listed.
    connection: Connection | None = None
    # Ended by us, because nobody called it.
    is_rested: bool = False
    # Why it ended; complete once `over` is set.
    reason: str = ""
    over: anyio.Event = field(default_factory=anyio.Event)


class ServerOwner:
    """Keeps one server connected and answers calls through it.

    Args:
        open_link: starts or reaches the server, anew each time.
        patience: time-outs and delays.
        reporter: hears how the server stands.
        clock: measures how long a start took and a life lasted.
        demand: says when the server is wanted, and when it may rest; hears whether it is there.
        remember: is given every listing; None: what the server has is known, and not listed.
        mode: whether calls run side by side.
        asker: puts what the server asks to clients, and hears it.
        contents: what is known of its resources and prompts, filled where those are listed.
    """

    def __init__(  # noqa: PLR0913 (everything it uses is handed in)
        self,
        *,
        open_link: OpenLink,
        patience: Patience,
        reporter: Reporter,
        clock: Clock,
        demand: Demand,
        remember: Remember | None,
        mode: CallMode,
        asker: Asker,
        contents: ServerContents,
    ) -> None:
        self._name = reporter.status.name
        self._open_link = open_link
        self._patience = patience
        self._reporter = reporter
        self._clock = clock
        self._demand = demand
        self._remember = remember
        self._mode = mode
        self._turns = Turns(mode)
        self._asker = asker
        self._contents = contents
        self._jitter = SystemRandom().random
        self._life: _Life | None = None
        self._listed = ToolPages(tools=[])
        # Why the last life ended, without the server's own words.
        self._last_reason = ""

    @property
    def live(self) -> Connection | None:
        """The connection that serves now; None while there is none."""
        return None if self._life is None else self._life.connection

    async def run(self) -> None:
        """Own the server until cancelled."""
        forget_exchange()
        was_ready = False
        failures = 0
        try:
            while True:
                life, lived_s = await self._live()
                if life.is_rested:
                    failures = 0
                    await self._demand.wait_wanted()
                    continue
                was_ready = was_ready or life.connection is not None
                failures = 1 if lived_s >= _SOUND_LIFE_S else failures + 1
                backoff = self._patience.again if was_ready else self._patience.never_ready
                with anyio.move_on_after(backoff.delay_s(failures, jitter=self._jitter())):
                    await self._demand.wait_wanted()
        finally:
            self._life = None
            self._demand.failed()
            self._reporter.stopped()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Use one tool of the live server.

        Raises:
            AskRefused: the server asked what nobody answered, in a way that leaves it no result.
            SourceUnavailable: there is no live server, or it broke off.
            ResultTooLarge: the answer is above the cap of a message.
        """
        exchange = exchange_of(call, about=name)
        async with self._turns.turn():
            life, connection = await self._find_life()
            try:
                return await connection.call_tool(name, call.arguments, exchange)
            except (ConnectionEnded, SourceUnavailable) as exc:
                raise await self._explain_failure(exc, life, what=name) from exc

    async def request(self, method: str, params: JsonObject, exchange: Exchange) -> JsonObject:
        """Send any other request of a client; gives the result as it came.

        Raises:
            MCPError: the server answered with an error.
            ValidationError: its answer does not fit the protocol.
            And as `call_tool` does.
        """
        async with self._turns.turn():
            life, connection = await self._find_life()
            try:
                return await connection.request(method, params, exchange)
            except MCPError as exc:
                if not is_closed(exc) and find_fault_kind(exc) != "ended":
                    raise
                ended = ConnectionEnded()
                what = exchange.about or method
                raise await self._explain_failure(ended, life, what=what) from exc

    async def _explain_failure(
        self, error: Exception, life: _Life, *, what: str
    ) -> SourceUnavailable:
        if isinstance(error, SourceUnavailable):
            return self._unavailable(f"did not answer {what!r}: {error}")
        with anyio.move_on_after(_DIAGNOSIS_S):
            await life.over.wait()
        reason = life.reason or "the connection ended"
        return self._unavailable(f"broke off during {what!r}: {reason}")

    async def _find_life(self) -> tuple[_Life, Connection]:
        life = self._life
        if life is not None and life.connection is not None and life.connection.underway.is_ending:
            await life.over.wait()
        if self._life is None:
            await self._demand.ensure_live()
        life = self._life
        if life is None or life.connection is None:
            reason = self._last_reason or self._reporter.status.state
            raise self._unavailable(f"is not connected: {reason}")
        return life, life.connection

    def _unavailable(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(
            self._reporter.mask(f"server {self._name!r} {what}"),
            hint="it is tried again in the background; `toolweft doctor` shows its stderr",
        )

    async def _live(self) -> tuple[_Life, float]:
        """Start, serve to the end, report why; gives the life and its seconds."""
        began_s = self._clock.monotonic_s()
        self._demand.starting()
        life = _Life()
        fault: Exception | None = None
        # Scopes must nest, so the deadline of the start stands round the whole life, and is
        # lifted once the server is ready.
        start = anyio.CancelScope(deadline=anyio.current_time() + self._patience.start_timeout_s)
        with start:
            try:
                async with self._open_link() as life.link, self._open(life.link) as connection:
                    listed = await self._list_tools(connection)
                    tools, definitions = await self._prepare(listed)
                    del listed
                    start.deadline = math.inf
                    # Calls may come as soon as the listener hears of the tools.
                    life.connection = connection
                    self._life = life
                    # It says itself what its questions are about.
                    if connection.is_modern:
                        self._mode.learn(is_needed=False)
                    self._demand.live()
                    start_s = self._clock.monotonic_s() - began_s
                    self._publish(connection, definitions, start_s=start_s)
                    await self._serve(life, connection, tools)
            except Exception as exc:  # noqa: BLE001 (whatever a server causes ends this life only)
                fault = exc
        self._life = None
        life.reason = self._explain(life, fault, timed_out=start.cancel_called)
        self._last_reason = life.reason
        life.over.set()
        self._contents.gave_up()
        if life.is_rested:
            return life, self._clock.monotonic_s() - began_s
        self._demand.failed()
        # Callers may be far away: the server's own words are for whoever sees this machine.
        last_words = life.link.last_words() if life.link is not None else ""
        self._reporter.failed("; ".join(filter(None, (life.reason, last_words))))
        reason = self._reporter.status.reason
        log.warning("source.ended", extra={"source": self._name, "reason": reason})
        return life, self._clock.monotonic_s() - began_s

    def _open(self, link: Link) -> AbstractAsyncContextManager[Connection]:
        return open_connection(
            link, asker=self._asker, on_contended=partial(self._mode.learn, is_needed=True)
        )

    async def _list_tools(self, connection: Connection) -> ToolPages:
        return ToolPages(tools=[]) if self._remember is None else await _list_tools(connection)

    async def _serve(self, life: _Life, connection: Connection, tools: ToolPages) -> None:
        link = life.link
        assert link is not None
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await link.wait_ended()
                tasks.cancel_scope.cancel()

            async def rest(wait: Callable[[], Awaitable[object]]) -> None:
                await wait()
                life.is_rested = True
                tasks.cancel_scope.cancel()

            if self._remember is not None:
                tasks.start_soon(self._keep, connection, tools)
                tasks.start_soon(self._serve_contents(connection, tools).run)
                tasks.start_soon(connection.watch_changes, partial(self._relist, connection))
                tasks.start_soon(self._relist_when_old, connection, tools.ttl_s)
            tasks.start_soon(end)
            tasks.start_soon(rest, self._demand.wait_idle)
            tasks.start_soon(rest, connection.underway.ending.wait)
        # From here on calls are refused at once, while the link is still being closed; or, where
        # it only rests, wait for it to come back.
        self._life = None
        if life.is_rested:
            self._demand.resting()
            self._reporter.idle()

    def _serve_contents(self, connection: Connection, tools: ToolPages) -> ContentSession:
        self._listed = tools
        return ContentSession(
            connection,
            self._contents,
            keep=lambda: self._keep(connection, self._listed),
            turn=self._turns.turn,
            mask=self._reporter.mask,
        )

    async def _relist_when_old(self, connection: Connection, ttl_s: float | None) -> None:
        """List again whenever the time is over that the server gave its list."""
        while ttl_s is not None:
            await anyio.sleep(max(ttl_s, _MIN_TTL_S))
            await self._relist(connection)

    async def _keep(self, connection: Connection, tools: ToolPages) -> None:
        if tools.fault or self._remember is None:
            return
        await self._remember(
            Discovery(
                tools=tools.tools,
                listed_at=self._clock.now(),
                instructions=connection.instructions,
                protocol_version=connection.protocol_version,
                ttl_s=tools.ttl_s,
                contents=self._contents.known if self._contents.settled.is_set() else None,
            )
        )

    async def _relist(self, connection: Connection) -> None:
        try:
            async with self._turns.turn():
                listed = await _list_tools(connection)
        except (MCPError, SourceUnavailable) as exc:
            # The tools known so far stay; a dead connection ends the life by itself.
            log.warning(
                "source.relist_failed",
                extra={
                    "source": self._name,
                    "reason": self._reporter.mask(render_exception(exc)),
                },
            )
        else:
            tools, definitions = await self._prepare(listed)
            self._listed = tools
            self._publish(connection, definitions, start_s=self._reporter.status.start_s)
            await self._keep(connection, tools)

    async def _prepare(self, listed: ToolPages) -> tuple[ToolPages, Sequence[ToolDefinition]]:
        """The list, made small, and its definitions, which the listener has looked through."""
        read = await read_tools(listed.tools, namespace=self._name)
        oddities = [fault for fault in (listed.fault, *read.faults) if fault]
        if oddities:
            log.warning("source.odd_tool_list", extra={"source": self._name, "faults": oddities})
        await self._reporter.prepare(read.definitions, notes=oddities)
        return replace(listed, tools=read.kept), read.definitions

    def _publish(
        self,
        connection: Connection,
        definitions: Sequence[ToolDefinition],
        *,
        start_s: float | None,
    ) -> None:
        self._reporter.ready(
            definitions,
            start_s=start_s,
            instructions=connection.instructions,
            protocol_version=connection.protocol_version,
        )

    def _explain(self, life: _Life, fault: Exception | None, *, timed_out: bool) -> str:
        """Why a life ended: the fault itself, then what the server left behind."""
        known = life.link.explain() if life.link is not None else ""
        leaf = None if fault is None else unwrap_exception(fault)
        if timed_out:
            what = f"it did not list its tools within {self._patience.start_timeout_s:g} s"
        elif isinstance(leaf, ToolweftError):
            what = str(leaf)
        elif leaf is None or is_closed(leaf):
            what = "" if known else "the connection ended"
        else:
            what = render_exception(leaf)
        # Over HTTP both may be the same sentence.
        reason = "; ".join(part for part in dict.fromkeys((what, known)) if part)
        return self._reporter.mask(reason)


async def _list_tools(connection: Connection) -> ToolPages:
    """The server's tools; what it answers wrongly is said to be of its list.

    Raises:
        SourceUnavailable: the list was refused or is no list.
        MCPError: the connection ended.
    """
    try:
        return await connection.list_tools()
    except (MCPError, ValidationError) as exc:
        if is_closed(exc) or (isinstance(exc, MCPError) and find_fault_kind(exc) in _NOT_OF_LIST):
            raise
        raise SourceUnavailable(f"its tools/list failed: {render_exception(exc)}") from exc
