"""Owns one MCP server: connects, lists, serves calls, and connects again when it dies.

Calls come from any task and go straight to the live connection. A server that nobody calls for
long is stopped, and started again by the next call.
Knows nothing of what carries the messages. Run by the sources of `toolweft.sources.mcp.servers`.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from random import SystemRandom
from typing import TypeAlias

import anyio
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from toolweft.core.calls import RawResult
from toolweft.core.clock import Clock
from toolweft.core.discovery import Discovery
from toolweft.core.errors import SourceUnavailable, ToolweftError
from toolweft.core.ids import ToolName
from toolweft.core.json import JsonObject
from toolweft.sources.mcp.backoff import Patience
from toolweft.sources.mcp.connection import (
    Connection,
    ConnectionEnded,
    ToolPages,
    open_connection,
)
from toolweft.sources.mcp.definitions import build_definitions
from toolweft.sources.mcp.demand import Demand
from toolweft.sources.mcp.faults import (
    find_fault_kind,
    is_closed,
    render_exception,
    unwrap_exception,
)
from toolweft.sources.mcp.link import Link
from toolweft.sources.reporting import Reporter

__all__ = ("OpenLink", "Remember", "ServerOwner")

log = logging.getLogger(__name__)

OpenLink: TypeAlias = Callable[[], AbstractAsyncContextManager[Link]]
Remember: TypeAlias = Callable[[Discovery], Awaitable[None]]

# How long a call whose server just died waits to learn why.
_DIAGNOSIS_S = 0.6
# A life at least this long proves the server sound: its next death counts as the first.
_SOUND_LIFE_S = 60.0
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
        remember: is given every listing.
    """

    def __init__(
        self,
        *,
        open_link: OpenLink,
        patience: Patience,
        reporter: Reporter,
        clock: Clock,
        demand: Demand,
        remember: Remember,
    ) -> None:
        self._name = reporter.status.name
        self._open_link = open_link
        self._patience = patience
        self._reporter = reporter
        self._clock = clock
        self._demand = demand
        self._remember = remember
        self._jitter = SystemRandom().random
        self._life: _Life | None = None
        # Why the last life ended, without the server's own words.
        self._last_reason = ""

    async def run(self) -> None:
        """Own the server until cancelled."""
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

    async def call_tool(self, name: ToolName, arguments: JsonObject) -> RawResult:
        """Use one tool of the live server.

        Raises:
            SourceUnavailable: there is no live server, or it broke off.
            ResultTooLarge: the answer is above the cap of a message.
        """
        if self._life is None:
            await self._demand.ensure_live()
        life = self._life
        if life is None or life.connection is None:
            reason = self._last_reason or self._reporter.status.state
            raise self._unavailable(f"is not connected: {reason}")
        try:
            return await life.connection.call_tool(name, arguments)
        except ConnectionEnded as exc:
            with anyio.move_on_after(_DIAGNOSIS_S):
                await life.over.wait()
            reason = life.reason or "the connection ended"
            raise self._unavailable(f"broke off during {name!r}: {reason}") from exc
        except SourceUnavailable as exc:
            raise self._unavailable(f"did not answer {name!r}: {exc}") from exc

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
                async with self._open_link() as life.link, open_connection(life.link) as connection:
                    tools = await _list_tools(connection)
                    start.deadline = math.inf
                    # Calls may come as soon as the listener hears of the tools.
                    life.connection = connection
                    self._life = life
                    self._demand.live()
                    self._publish(connection, tools, start_s=self._clock.monotonic_s() - began_s)
                    await self._serve(life, connection, tools)
            except Exception as exc:  # noqa: BLE001 (whatever a server causes ends this life only)
                fault = exc
        self._life = None
        life.reason = self._explain(life, fault, timed_out=start.cancel_called)
        self._last_reason = life.reason
        life.over.set()
        if life.is_rested:
            return life, self._clock.monotonic_s() - began_s
        self._demand.failed()
        # Callers may be far away: the server's own words are for whoever sees this machine.
        last_words = life.link.last_words() if life.link is not None else ""
        self._reporter.failed("; ".join(filter(None, (life.reason, last_words))))
        reason = self._reporter.status.reason
        log.warning("source.ended", extra={"source": self._name, "reason": reason})
        return life, self._clock.monotonic_s() - began_s

    async def _serve(self, life: _Life, connection: Connection, tools: ToolPages) -> None:
        link = life.link
        assert link is not None
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await link.wait_ended()
                tasks.cancel_scope.cancel()

            async def rest() -> None:
                await self._demand.wait_idle()
                life.is_rested = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(self._keep, connection, tools)
            tasks.start_soon(connection.watch_changes, partial(self._relist, connection))
            tasks.start_soon(self._relist_when_old, connection, tools.ttl_s)
            tasks.start_soon(end)
            tasks.start_soon(rest)
        # From here on calls are refused at once, while the link is still being closed; or, where
        # it only rests, wait for it to come back.
        self._life = None
        if life.is_rested:
            self._demand.resting()
            self._reporter.idle()

    async def _relist_when_old(self, connection: Connection, ttl_s: float | None) -> None:
        """List again whenever the time is over that the server gave its list."""
        while ttl_s is not None:
            await anyio.sleep(max(ttl_s, _MIN_TTL_S))
            await self._relist(connection)

    async def _keep(self, connection: Connection, tools: ToolPages) -> None:
        if tools.fault:
            return
        await self._remember(
            Discovery(
                tools=tools.tools,
                listed_at=self._clock.now(),
                instructions=connection.instructions,
                protocol_version=connection.protocol_version,
                ttl_s=tools.ttl_s,
            )
        )

    async def _relist(self, connection: Connection) -> None:
        try:
            tools = await _list_tools(connection)
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
            self._publish(connection, tools, start_s=self._reporter.status.start_s)
            await self._keep(connection, tools)

    def _publish(self, connection: Connection, tools: ToolPages, *, start_s: float | None) -> None:
        definitions, faults = build_definitions(tools.tools, namespace=self._name)
        oddities = [fault for fault in (tools.fault, *faults) if fault]
        if oddities:
            log.warning("source.odd_tool_list", extra={"source": self._name, "faults": oddities})
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
        if is_closed(exc) or (isinstance(exc, MCPError) and find_fault_kind(exc) is not None):
            raise
        raise SourceUnavailable(f"its tools/list failed: {render_exception(exc)}") from exc
