"""Makes containers: for sessions, and throw-away ones to look round in."""

import asyncio
import json
from typing import Any

import anyio
from anyio.abc import TaskGroup

from toolweft.core.clock import Clock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import JsonObject
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.container.attachment import Attachment, attach
from toolweft.sandbox.container.disposal import Disposal
from toolweft.sandbox.container.engine import EngineError
from toolweft.sandbox.container.guest import ContainerGuest
from toolweft.sandbox.container.recipe import build_recipe
from toolweft.sandbox.container.session import PAUSE_AFTER_S, ContainerSession
from toolweft.sandbox.container.usage import CgroupUsage, PolledUsage, Usage
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.options import EngineOptions
from toolweft.sandbox.session import SessionStart

__all__ = ("ContainerMaker",)

_START_TIMEOUT_S = 20.0
_MAX_SURVEY_BYTES = 64 * 1024


class ContainerMaker:
    """All containers of one backend."""

    def __init__(
        self,
        disposal: Disposal,
        options: EngineOptions,
        *,
        clock: Clock,
        tasks: TaskGroup,
        owner: str,
        parcel: bytes,
    ) -> None:
        # Where all of them are made, and known from then on.
        self._disposal = disposal
        self._engine = disposal.engine
        self._options = options
        self._clock = clock
        self._tasks = tasks
        self._owner = owner
        # The guest's files; replaced once it is known what the image's Python takes.
        self.parcel = parcel

    async def open_session(
        self, limits: Limits, *, layers: frozenset[str], preload_all: bool
    ) -> ContainerSession:
        """A fresh container whose guest is locked down and ready.

        Raises:
            SandboxUnavailable: the engine refused, or the guest could not be locked down.
        """
        setup = {
            "layers": sorted(layers),
            "limits": limits._asdict(),
            "preload_all": preload_all,
        }
        start = SessionStart()
        channel = Channel(start)
        container = await self._create("solo", setup, limits)
        session = None
        try:
            with anyio.move_on_after(_START_TIMEOUT_S):
                attachment = await self._start(container, channel)
                await start.ready.wait()
                if not start.succeeded:
                    raise SandboxUnavailable(_describe_failure(start, attachment))
                usage = await self._find_usage(container)
                session = self._build_session(container, channel, usage, limits)
        finally:
            if session is None:
                channel.close()
                with anyio.CancelScope(shield=True):
                    await self._disposal.discard(container)
        if session is None:
            raise SandboxUnavailable(
                f"a container was not ready within {_START_TIMEOUT_S:g} s",
                hint="the engine may be busy; its own log says more",
            )
        session.wait_for_run()
        return session

    async def survey(self, setup: JsonObject, limits: Limits) -> tuple[JsonObject, int, JsonObject]:
        """Look round in a throw-away container.

        Returns:
            What it found (empty where it came to no end), its exit status, and what the engine
            says of it.

        Raises:
            EngineError: the engine refused.
        """
        taker = _Collector()
        container = await self._create("survey", setup, limits)
        try:
            attachment = await self._start(container, taker)
            await taker.ended.wait()
            status = await self._engine.wait(container)
            known = await self._engine.inspect(container)
        finally:
            with anyio.CancelScope(shield=True):
                await self._disposal.discard(container)
        report = taker.report()
        if not report and status not in (0, 137):
            raise EngineError(f"nothing runs in a container: {attachment.stderr[-500:]}")
        return report, status, known

    async def _create(self, module: str, setup: JsonObject, limits: Limits) -> str:
        recipe = build_recipe(
            module, setup, limits=limits, options=self._options, owner=self._owner
        )
        # Once asked for, it will be there: its id must not be lost on the way.
        with anyio.CancelScope(shield=True):
            container = await self._engine.create(recipe)
            self._disposal.add(container)
        return container

    async def _start(self, container: str, taker: "Channel | _Collector") -> Attachment:
        attachment = await attach(self._engine, container, taker)
        await self._engine.start(container)
        attachment.write(self.parcel)
        return attachment

    def _build_session(
        self, container: str, channel: Channel, usage: Usage, limits: Limits
    ) -> ContainerSession:
        guest = ContainerGuest(
            container=container,
            engine=self._engine,
            tasks=self._tasks,
            usage=usage,
            discard=self._disposal.discard,
        )
        return ContainerSession(
            child=guest,
            channel=channel,
            clock=self._clock,
            fixed=limits,
            pause_after_s=PAUSE_AFTER_S,
        )

    async def _find_usage(self, container: str) -> Usage:
        if self._engine.address.is_local:
            known: Any = await self._engine.inspect(container)
            pid = known.get("State", {}).get("Pid", 0)
            if pid and (found := CgroupUsage.find(pid, container)) is not None:
                return found
        return PolledUsage()


class _Collector:
    """Keeps what a survey prints."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.ended = anyio.Event()

    def report(self) -> JsonObject:
        try:
            found: Any = json.loads(self._data)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is written by it."""

    def data_received(self, data: bytes) -> None:
        self._data += data[: _MAX_SURVEY_BYTES - len(self._data)]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended.set()

    def pause_writing(self) -> None:
        """The files are small."""

    def resume_writing(self) -> None:
        """The files are small."""


def _describe_failure(start: SessionStart, attachment: Attachment) -> str:
    """What a guest that could not start said, on its channel or on standard error."""
    said = attachment.stderr.splitlines()
    return f"a guest could not be locked down: {said[-1] if said else start.fault}"
