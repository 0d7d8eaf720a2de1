"""Opens, lends and closes containers: the doing to `ContainerTable`'s deciding."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from toolweft.core.calls import Principal
from toolweft.core.clock import Clock, IdSource
from toolweft.core.errors import ContainerExpired, InvalidArguments, Overloaded
from toolweft.core.ids import ContainerId
from toolweft.core.ports import SandboxBackend, SandboxSession
from toolweft.core.programs import Container, ProgramGauges, ProgramLimits
from toolweft.programs.containers import ContainerTable, EndReason, LiveContainer
from toolweft.programs.memory import MemoryKeeper, default_memory_bytes
from toolweft.programs.options import ContainerOptions

__all__ = ("ContainerPool",)

# Closing ends a child process; one that will not end is left to the backend's own exit.
_CLOSE_S = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Turn:
    """A run's place in the queue."""

    principal: Principal
    # Set once it has a slot, from which these are to be closed first.
    come: anyio.Event = field(default_factory=anyio.Event)
    evicted: Sequence[LiveContainer] = ()


class ContainerPool:
    """Lends containers to runs, never more than `max_live` at once.

    Args:
        backend: opens what is inside a container.
        clock: decides when a container is over.
        ids: names new containers.
        options: how long containers live and how many there may be.
    """

    def __init__(
        self, *, backend: SandboxBackend, clock: Clock, ids: IdSource, options: ContainerOptions
    ) -> None:
        self._backend = backend
        self._ids = ids
        self._options = options
        self._table = ContainerTable(clock=clock, options=options)
        limit_bytes = options.memory_bytes or default_memory_bytes()
        self._memory = MemoryKeeper(self._table, limit_bytes=limit_bytes)
        # Slots taken by containers that are being opened, by whose they will be.
        self._opening: Counter[Principal] = Counter()
        self._waiting: deque[_Turn] = deque()

    @asynccontextmanager
    async def lend(
        self,
        container_id: ContainerId | None,
        *,
        principal: Principal,
        limits: ProgramLimits,
        environment: str | None = None,
    ) -> AsyncIterator[LiveContainer]:
        """A container for one run: the one named, or a fresh one.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over.
            ContainerBusy: a run is in it.
            Overloaded: all containers were busy for `queue_s`, or too many runs wait already.
            SandboxUnavailable: no fresh container could be made.
            InvalidArguments: the container named has another environment.
        """
        if container_id is None:
            container = await self._open(principal, limits, environment)
        else:
            _check_environment(self._table.find(container_id, owner=principal), environment)
            container = self._table.claim(container_id, owner=principal)
        try:
            yield container
        finally:
            self._table.release(container)
            if not container.session.is_alive:
                await self._end([container], "died")
            self._serve_queue()

    async def close(self, container_id: ContainerId, *, principal: Principal) -> None:
        """End a container before its time; a run in it ends too.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over already.
        """
        container = self._table.find(container_id, owner=principal)
        await self._end([container], "closed")

    async def reset(self, container_id: ContainerId, *, principal: Principal) -> None:
        """Make a container as fresh as at its start: same id and packages, no variables.

        Where no fresh one can be made the container stays as it was.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over, or was closed meanwhile.
            ContainerBusy: a run is in it.
            SandboxUnavailable: no fresh one could be made.
        """
        container = self._table.claim(container_id, owner=principal)
        try:
            session = await self._backend.open(container.limits, environment=container.environment)
            if container in self._table:
                session = container.restart(session)
            await _close([session])
        finally:
            self._table.release(container)
            self._serve_queue()
        if container not in self._table:
            raise ContainerExpired(
                f"container {container_id!r} was closed while it was reset",
                hint="leave container_id out: the run opens a fresh container",
            )

    async def close_all(self) -> None:
        """End every container."""
        await self._end(self._table.live, "closed")

    async def close_expired(self) -> None:
        """End the containers whose time is up."""
        expired = self._table.take_expired()
        await _close_all(expired)
        # Even where none is over: one may have been idle long enough to make room by now.
        self._serve_queue()

    async def keep_memory(self) -> None:
        """End what is too much where all containers together hold more than they may."""
        ended = self._memory.enforce()
        await _close_all(ended)
        self._serve_queue()

    def gauges(self, *, calls_in_flight: int) -> ProgramGauges:
        """What the containers use now."""
        busy = sum(container.is_busy for container in self._table.live)
        return ProgramGauges(
            containers_busy=busy,
            containers_idle=len(self._table) - busy,
            containers_opening=self._opening.total(),
            runs_waiting=len(self._waiting),
            calls_in_flight=calls_in_flight,
            memory_bytes=self._table.memory_bytes(),
            memory_limit_bytes=self._memory.limit_bytes,
        )

    def describe(self, container: LiveContainer) -> Container:
        """The container as outcomes show it."""
        return self._table.describe(container)

    def find(self, container_id: ContainerId, *, principal: Principal) -> LiveContainer:
        """A principal's container, whether busy or not; errors as `lend`."""
        return self._table.find(container_id, owner=principal)

    async def _open(
        self, principal: Principal, limits: ProgramLimits, environment: str | None
    ) -> LiveContainer:
        await _close_all(self._table.take_expired())
        await self._take_slot(principal)
        try:
            session = await self._backend.open(limits, environment=environment)
        except BaseException:
            self._give_slot_back(principal)
            raise
        self._opening -= Counter((principal,))
        # Known for certain only now: a backend may start with its first session.
        capabilities = self._backend.capabilities
        return self._table.add(
            ContainerId(self._ids.new("c")),
            owner=principal,
            session=session,
            backend=f"{capabilities.backend}/{capabilities.tier}",
            limits=limits,
            environment=environment,
        )

    async def _take_slot(self, principal: Principal) -> None:
        """Return once a container may be opened; its slot counts from here on.

        Raises:
            Overloaded: none became free in time, or too many wait already.
        """
        # Whoever waits comes first; by now there may be room for some.
        self._serve_queue()
        evicted = self._reserve(principal)
        if evicted is None:
            evicted = await self._queue_for_slot(principal)
        try:
            await _close_all(evicted)
        except BaseException:
            self._give_slot_back(principal)
            raise

    def _reserve(self, principal: Principal) -> Sequence[LiveContainer] | None:
        """Take a slot; what has to be closed for it, or None where there is no room."""
        evicted: list[LiveContainer] = []
        if len(self._table) + self._opening.total() >= self._options.max_live:
            oldest = self._table.take_least_recent(principal)
            if oldest is None:
                return None
            evicted.append(oldest)
        self._opening[principal] += 1
        return evicted

    def _give_slot_back(self, principal: Principal) -> None:
        self._opening -= Counter((principal,))
        self._serve_queue()

    async def _queue_for_slot(self, principal: Principal) -> Sequence[LiveContainer]:
        if len(self._waiting) >= self._options.max_queued:
            raise self._overloaded(
                f"{len(self._waiting)} runs wait for one already",
                key=f"containers.max_queued ({self._options.max_queued:,})",
            )
        turn = _Turn(principal=principal)
        self._waiting.append(turn)
        try:
            with anyio.move_on_after(self._options.queue_s):
                await turn.come.wait()
        except BaseException:
            if turn.come.is_set():
                # Called and gone at the same moment: the slot passes to the next.
                await _close_all(turn.evicted)
                self._give_slot_back(principal)
            raise
        finally:
            if not turn.come.is_set():
                self._waiting.remove(turn)
        if turn.come.is_set():
            return turn.evicted
        raise self._overloaded(
            f"none became free within {self._options.queue_s:g} s",
            key=f"containers.queue_s ({self._options.queue_s:g} s)",
        )

    def _serve_queue(self) -> None:
        """Give free slots to those who wait: first come, first served, as far as each may.

        Whoever has a full share already comes after the others.
        """
        is_served = True
        while is_served:
            held = self._table.owners() + self._opening
            full = {owner for owner, count in held.items() if count >= self._options.share}
            turns = sorted(self._waiting, key=lambda turn: turn.principal in full)
            is_served = any(self._serve(turn) for turn in turns)

    def _serve(self, turn: _Turn) -> bool:
        evicted = self._reserve(turn.principal)
        if evicted is None:
            return False
        self._waiting.remove(turn)
        turn.evicted = evicted
        turn.come.set()
        return True

    def _overloaded(self, reason: str, *, key: str) -> Overloaded:
        return Overloaded(
            f"all {self._options.max_live} containers are taken and {reason}",
            hint="try again in a few seconds, or close a container that is no longer needed;"
            f" containers.max_live ({self._options.max_live:,}) and {key} may be raised",
        )

    async def _end(self, containers: Iterable[LiveContainer], reason: EndReason) -> None:
        ended = list(containers)
        for container in ended:
            self._table.remove(container, reason)
        await _close_all(ended)
        self._serve_queue()


async def _close_all(containers: Iterable[LiveContainer]) -> None:
    """Close what is inside containers that the table no longer has."""
    await _close([container.session for container in containers])


async def _close(sessions: Sequence[SandboxSession]) -> None:
    if not sessions:
        return
    with anyio.move_on_after(_CLOSE_S, shield=True):
        async with anyio.create_task_group() as tasks:
            for session in sessions:
                tasks.start_soon(session.close)


def _check_environment(container: LiveContainer, wanted: str | None) -> None:
    """Check that a container has the packages that were asked for."""
    if wanted not in (None, container.environment):
        has = "no environment" if container.environment is None else repr(container.environment)
        raise InvalidArguments(
            f"container {container.id!r} has {has}, not {wanted!r}",
            hint="leave container_id out for a fresh container with these packages",
        )
