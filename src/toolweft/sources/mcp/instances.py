"""One process or session of a server for each principal, bounded in number.

For servers whose state, or whose questions, must not meet those of another. Each starts with the
first call of its principal and rests when idle; who was here last the longest ago makes room.
Knows nothing of the protocol: it is given owners.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal
from toolweft.sources.mcp.demand import Demand

__all__ = ("Instances",)


class _Runs(Protocol):
    async def run(self) -> None: ...


_Owner = TypeVar("_Owner", bound=_Runs)


@dataclass(slots=True, eq=False)
class _Instance(Generic[_Owner]):
    owner: _Owner
    demand: Demand
    users: int = 0
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)


class Instances(Generic[_Owner]):
    """The owners of one server, by principal.

    Args:
        name: the server.
        build: an owner for that principal, not yet run, and who tells it that it is wanted.
        max_count: how many there are at most.
    """

    def __init__(
        self,
        name: SourceName,
        *,
        build: Callable[[Principal], tuple[_Owner, Demand]],
        max_count: int,
    ) -> None:
        self._name = name
        self._build = build
        self._max_count = max_count
        # The one used last stands last.
        self._instances: OrderedDict[Principal, _Instance[_Owner]] = OrderedDict()
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Keep them until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                await anyio.sleep_forever()
            finally:
                self._tasks = None

    @asynccontextmanager
    async def use(self, principal: Principal) -> AsyncIterator[_Owner]:
        """The owner of that principal alone, for as long as the block lasts.

        Raises:
            SourceUnavailable: all of them are in use by others, or the server is not run.
        """
        instance = self._find(principal)
        instance.users += 1
        try:
            with instance.demand:
                yield instance.owner
        finally:
            instance.users -= 1

    def known(self, principal: Principal) -> _Owner | None:
        """The owner of that principal, where there is one already."""
        instance = self._instances.get(principal)
        return None if instance is None else instance.owner

    def _find(self, principal: Principal) -> _Instance[_Owner]:
        known = self._instances.get(principal)
        if known is not None:
            self._instances.move_to_end(principal)
            return known
        if self._tasks is None:
            raise SourceUnavailable(f"server {self._name!r} is not started yet")
        evicted = self._make_room()
        owner, demand = self._build(principal)
        instance = _Instance(owner, demand)
        self._instances[principal] = instance
        self._tasks.start_soon(self._own, instance, evicted)
        return instance

    def _make_room(self) -> _Instance[_Owner] | None:
        """End the one that was used last the longest ago, where there are too many."""
        if len(self._instances) < self._max_count:
            return None
        for principal, instance in self._instances.items():
            if not instance.users:
                del self._instances[principal]
                instance.scope.cancel()
                return instance
        raise SourceUnavailable(
            f"server {self._name!r} serves {self._max_count} others at once, and no more",
            hint=f"try again in a moment, or raise max_principals of server {self._name!r}",
        )

    async def _own(self, instance: _Instance[_Owner], evicted: _Instance[_Owner] | None) -> None:
        try:
            with instance.scope:
                # So that there are never more than allowed.
                if evicted is not None:
                    await evicted.over.wait()
                instance.demand.starting()
                await instance.owner.run()
        finally:
            instance.demand.failed()
            instance.over.set()
