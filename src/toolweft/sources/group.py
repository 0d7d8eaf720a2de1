"""All sources of one toolweft: started together, each owned by one task, stopped together.

A source that fails is a status, never an exception of the group. Opened by `toolweft.bootstrap`.
"""

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import anyio
from anyio.abc import TaskGroup

from toolweft.core.asides import AsideSource
from toolweft.core.contents import ContentSource
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.ports import Source, SourceListener
from toolweft.core.snapshot import SourceStatus
from toolweft.sources.reporting import Reporter

__all__ = ("ManagedSource", "SourceGroup")

log = logging.getLogger(__name__)

# Kinds whose tools stand in a file.
_WAIT_FOR_NOBODY = frozenset({"recorded"})


class ManagedSource(Source, Protocol):
    """A source with an owner task that starts, keeps and ends it."""

    @property
    def kind(self) -> str:
        """What it is, for people: "mcp stdio", "mcp http", "python", ..."""
        ...

    @property
    def reporter(self) -> Reporter:
        """Its status, and the event that its first start ended."""
        ...

    async def run(self) -> None:
        """Own the source until cancelled; failures of the source are reported, not raised."""
        ...


@runtime_checkable
class _OnDemand(Protocol):
    """A source that may be down until somebody needs it."""

    async def ensure_live(self) -> None: ...


class SourceGroup:
    """Starts all sources at once, in the background, and closes them on leaving.

    Args:
        sources: with distinct names.
        listener: hears of a source whose owner broke off unexpectedly.

    Raises:
        ConfigError: two sources have one name.
    """

    def __init__(self, sources: Sequence[ManagedSource], *, listener: SourceListener) -> None:
        self._listener = listener
        self._sources: dict[SourceName, ManagedSource] = {}
        for source in sources:
            if source.name in self._sources:
                kinds = f"{self._sources[source.name].kind}, {source.kind}"
                raise ConfigError(
                    f"two sources are named {source.name!r} ({kinds})", hint="rename one of them"
                )
            self._sources[source.name] = source
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Start every source; returns at once."""
        self._tasks = await anyio.create_task_group().__aenter__()
        for source in self._sources.values():
            self._tasks.start_soon(self._own, source, name=f"source {source.name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop every source, concurrently."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._tasks.__aexit__(None, None, None)

    async def settle(self, timeout_s: float) -> None:
        """Return when every source's tools are known or it failed, or the time is up.

        Sources that wait for nobody are waited for in any case: a slow machine loses none of them.
        """
        with anyio.move_on_after(timeout_s):
            for source in self._sources.values():
                await source.reporter.settled.wait()
        for source in self._sources.values():
            if source.kind in _WAIT_FOR_NOBODY:
                await source.reporter.settled.wait()

    @property
    def is_settled(self) -> bool:
        """Whether of every source the tools are known, or it failed."""
        return all(source.reporter.settled.is_set() for source in self._sources.values())

    async def settle_one(self, name: SourceName) -> None:
        """Return when the source of that name is ready or failed; one that is down is started."""
        source = self._sources.get(name)
        # Asked of an object, as the two protocols say nothing of each other.
        found: object = source
        if isinstance(found, _OnDemand):
            await found.ensure_live()
        elif source is not None:
            await source.reporter.settled.wait()

    async def wait_known(self, name: SourceName) -> None:
        """Return when the tools of the source of that name are known, or it has failed."""
        await self._sources[name].reporter.settled.wait()

    def get(self, name: SourceName) -> Source | None:
        """The source of that name, None where there is none."""
        return self._sources.get(name)

    def content_sources(self) -> Sequence[ContentSource]:
        """Those that may have resources and prompts, in the configured order."""
        every: Sequence[object] = tuple(self._sources.values())
        return [source for source in every if isinstance(source, ContentSource)]

    def aside_sources(self) -> Sequence[AsideSource]:
        """Those that may have something to say between calls, in the configured order."""
        every: Sequence[object] = tuple(self._sources.values())
        return [source for source in every if isinstance(source, AsideSource)]

    def statuses(self) -> Mapping[SourceName, SourceStatus]:
        """How every source stands that has something to show, in the configured order."""
        reporters = {name: source.reporter for name, source in self._sources.items()}
        return {name: r.status for name, r in reporters.items() if not r.is_hidden}

    async def _own(self, source: ManagedSource) -> None:
        try:
            await source.run()
        except Exception as exc:
            # A fault of ours in one source must not take the others down with it.
            log.exception("source.owner_failed", extra={"source": source.name})
            source.reporter.failed(f"internal error: {type(exc).__name__}: {exc}")
