"""Which containers are live, whose they are, and when they are over.

`ContainerTable` decides and keeps no time of its own; opening and closing what is inside is
`toolweft.programs.pool`'s.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from toolweft.core.calls import Principal
from toolweft.core.clock import Clock
from toolweft.core.errors import ContainerBusy, ContainerExpired, ContainerNotFound
from toolweft.core.ids import ContainerId, QualifiedName
from toolweft.core.ports import SandboxSession
from toolweft.core.programs import Container, ContainerStatus, ProgramLimits
from toolweft.programs.options import ContainerOptions
from toolweft.programs.program_names import ANY_NAME

__all__ = ("ContainerTable", "EndReason", "LiveContainer")

# Why a container is no more; remembered so that its owner reads why.
EndReason = Literal["idle", "age", "evicted", "memory", "died", "closed"]

# Ended containers remembered; older ones are as unknown as if they had never been.
MAX_REMEMBERED = 4_096

# Nobody loses variables to somebody else between two runs of one task.
KEPT_FROM_OTHERS_S = 30.0

# Names remembered of what runs in one container may have bound.
MAX_KNOWN_NAMES = 4_000

_REASONS: dict[EndReason, str] = {
    "idle": "was idle too long",
    "age": "reached its maximum age",
    "evicted": "was idle and made room for another",
    "memory": "was idle while all containers together used too much memory",
    "died": "ended with the run that broke it",
    "closed": "was closed",
}


@dataclass(slots=True, kw_only=True, eq=False)
class LiveContainer:
    """A container as the table keeps it."""

    id: ContainerId
    owner: Principal
    session: SandboxSession
    # Backend and tier: "process/ns".
    backend: str
    # The packages its programs may import, by name.
    environment: str | None
    limits: ProgramLimits
    created_s: float
    last_active_s: float
    last_active_at: datetime
    is_busy: bool = True
    # When it was measured last; None where it has run since.
    _held_bytes: int | None = None
    # Names that runs in it may have bound.
    known: set[str] = field(default_factory=set)
    # Tools whose values are kept nowhere and may stand in its variables.
    private: set[QualifiedName] = field(default_factory=set)

    def held_bytes(self) -> int:
        """The memory it holds; as measured once where it is idle, so stopped."""
        if self._held_bytes is None or self.is_busy:
            self._held_bytes = self.session.memory_bytes()
        return self._held_bytes

    def rest(self) -> None:
        """Its run is over."""
        self.is_busy = False
        self._held_bytes = None

    def restart(self, session: SandboxSession) -> SandboxSession:
        """Go on with a fresh session; the old one is returned, to be closed."""
        self.session, old = session, self.session
        self.known.clear()
        self.private.clear()
        return old

    def learn(self, names: Iterable[str]) -> None:
        """Note names that a run may bind; too many stand for any."""
        self.known |= set(names)
        if len(self.known) > MAX_KNOWN_NAMES:
            self.known = {ANY_NAME}


class ContainerTable:
    """The live containers of all principals.

    Args:
        clock: where the time comes from.
        options: how long containers live and how many there may be.
    """

    def __init__(self, *, clock: Clock, options: ContainerOptions) -> None:
        self._clock = clock
        self._options = options
        self._live: dict[ContainerId, LiveContainer] = {}
        self._ended: OrderedDict[ContainerId, tuple[Principal, EndReason]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, container: LiveContainer) -> bool:
        return self._live.get(container.id) is container

    @property
    def live(self) -> Iterable[LiveContainer]:
        """All of them, in the order they were opened."""
        return tuple(self._live.values())

    def add(
        self,
        container_id: ContainerId,
        *,
        owner: Principal,
        session: SandboxSession,
        backend: str,
        limits: ProgramLimits,
        environment: str | None = None,
    ) -> LiveContainer:
        """Take in a fresh container, busy with its first run."""
        now_s = self._clock.monotonic_s()
        container = LiveContainer(
            id=container_id,
            owner=owner,
            session=session,
            backend=backend,
            environment=environment,
            limits=limits,
            created_s=now_s,
            last_active_s=now_s,
            last_active_at=self._clock.now(),
        )
        self._live[container_id] = container
        return container

    def claim(self, container_id: ContainerId, *, owner: Principal) -> LiveContainer:
        """The owner's container, busy from now on.

        Raises:
            ContainerNotFound: unknown, or somebody else's; both read the same.
            ContainerExpired: it was the owner's and is over.
            ContainerBusy: a run is in it.
        """
        container = self.find(container_id, owner=owner)
        if container.is_busy:
            raise ContainerBusy(
                f"a run is still going in container {container_id!r}",
                hint="wait for it with its run_id, or leave container_id out for a fresh one",
            )
        container.is_busy = True
        return container

    def find(self, container_id: ContainerId, *, owner: Principal) -> LiveContainer:
        """The owner's container, whether busy or not; errors as `claim`."""
        container = self._live.get(container_id)
        if container is not None and container.owner == owner:
            reason = self._reason_to_end(container)
            if reason is None:
                return container
            raise self._expired(container_id, reason)
        whose, reason = self._ended.get(container_id, (None, None))
        if whose == owner and reason is not None:
            raise self._expired(container_id, reason)
        raise ContainerNotFound(
            f"there is no container {container_id!r}",
            hint="leave container_id out: the run opens a fresh container and returns its id",
        )

    def release(self, container: LiveContainer) -> None:
        """Its run is over: it is idle from now on."""
        container.rest()
        container.last_active_s = self._clock.monotonic_s()
        container.last_active_at = self._clock.now()
        # Eviction takes the first idle one: least recently used first.
        if self._live.pop(container.id, None) is not None:
            self._live[container.id] = container

    def remove(self, container: LiveContainer, reason: EndReason) -> None:
        """Take it out of the table; its id is remembered with the reason."""
        if self._live.pop(container.id, None) is None:
            return
        self._ended[container.id] = (container.owner, reason)
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)

    def take_expired(self) -> list[LiveContainer]:
        """Remove and return every idle container whose time is up."""
        over = [(c, reason) for c in self.live if (reason := self._reason_to_end(c)) is not None]
        for container, reason in over:
            self.remove(container, reason)
        return [container for container, _ in over]

    def take_least_recent(self, asker: Principal) -> LiveContainer | None:
        """Remove and return an idle container that may make room for one of `asker`.

        The asker's own one used longest ago, or else anybody's that has been idle for
        `KEPT_FROM_OTHERS_S` or whose owner has more than a share of all; None where there is
        none of these.
        """
        idle = [container for container in self._live.values() if not container.is_busy]
        if not idle:
            return None
        before_s = self._clock.monotonic_s() - KEPT_FROM_OTHERS_S
        counts = self.owners()
        own = (c for c in idle if c.owner == asker)
        old = (c for c in idle if c.last_active_s <= before_s)
        too_many = (c for c in idle if counts[c.owner] > self._options.share)
        container = next(chain(own, old, too_many), None)
        if container is not None:
            self.remove(container, "evicted")
        return container

    def owners(self) -> Counter[Principal]:
        """How many each principal has."""
        return Counter(container.owner for container in self._live.values())

    def take_for_memory(self, excess_bytes: int) -> list[LiveContainer]:
        """Remove and return idle containers that hold this much, least recently used first."""
        taken: list[LiveContainer] = []
        for container in self.live:
            if excess_bytes <= 0:
                break
            if not container.is_busy and container.held_bytes() > 0:
                excess_bytes -= container.held_bytes()
                self.remove(container, "memory")
                taken.append(container)
        return taken

    def memory_bytes(self) -> int:
        """What all of them hold."""
        return sum(container.held_bytes() for container in self._live.values())

    def largest_busy(self) -> LiveContainer | None:
        """The busy one that holds most; None where none is busy."""
        busy = (container for container in self._live.values() if container.is_busy)
        return max(busy, key=LiveContainer.held_bytes, default=None)

    def describe(self, container: LiveContainer) -> Container:
        """The container as outcomes show it, at this moment."""
        status: ContainerStatus = "busy" if container.is_busy else "idle"
        if container not in self:
            status = "closed"
        now_s = self._clock.monotonic_s()
        remaining_s = max(0.0, self._ends_s(container) - now_s) if status != "closed" else 0.0
        return Container(
            id=container.id,
            expires_at=self._clock.now() + timedelta(seconds=remaining_s),
            last_active_at=container.last_active_at,
            status=status,
            backend=container.backend,
        )

    def _ends_s(self, container: LiveContainer) -> float:
        idle_since_s = self._clock.monotonic_s() if container.is_busy else container.last_active_s
        return min(
            idle_since_s + self._options.idle_s, container.created_s + self._options.max_age_s
        )

    def _reason_to_end(self, container: LiveContainer) -> EndReason | None:
        """Why an idle container is over; a busy one ends with its run at the earliest."""
        now_s = self._clock.monotonic_s()
        if container.is_busy:
            return None
        if not container.session.is_alive:
            return "died"
        if now_s < self._ends_s(container):
            return None
        return "age" if now_s >= container.created_s + self._options.max_age_s else "idle"

    def _raised_by(self, reason: EndReason) -> str:
        match reason:
            case "idle":
                return f"; containers.idle_s is {self._options.idle_s:g} s: raise it for more"
            case "age":
                return f"; containers.max_age_s is {self._options.max_age_s:g} s: raise it for more"
            case "evicted":
                return f"; containers.max_live is {self._options.max_live:,}: raise it for more"
            case "memory":
                return "; containers.memory_bytes is what all of them may hold: raise it for more"
            case _:
                return ""

    def _expired(self, container_id: ContainerId, reason: EndReason) -> ContainerExpired:
        return ContainerExpired(
            f"container {container_id!r} {_REASONS[reason]}; its variables are gone",
            hint=f"leave container_id out and set up again what the program needs"
            f"{self._raised_by(reason)}",
        )
