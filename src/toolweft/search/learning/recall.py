"""What was learned before a start, brought back while everything else already works.

Knows no ledger: whoever opens one says how to read it.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.core.ids import QualifiedName
from toolweft.search.learning.fold import UseLearner
from toolweft.search.learning.memory import Lift

__all__ = ("LearnedUses",)

log = logging.getLogger(__name__)

# Events kept until the past is read; reading takes a second, this is minutes of heavy use.
_MAX_EARLY: Final = 10_000


class LearnedUses:
    """Learns from events as they come, and once from those of the past; a context manager.

    Args:
        read: gives the events before the first one observed here, oldest first.
    """

    def __init__(self, *, read: Callable[[], Awaitable[Sequence[Event]]]) -> None:
        self._read = read
        self._learner = UseLearner()
        self._early: deque[Event] | None = deque(maxlen=_MAX_EARLY)
        self._tasks: TaskGroup | None = None
        # Set once the past is known, or known to be out of reach.
        self.recalled = anyio.Event()

    async def __aenter__(self) -> Self:
        """Start to recall the past; returns at once."""
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._recall)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop recalling."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._tasks.__aexit__(None, None, None)

    def observe(self, event: Event) -> None:
        """Learn from an event that just happened."""
        self._learner.observe(event)
        if self._early is not None:
            self._early.append(event)

    def lifts(self, query: str, *, tenant: str) -> Mapping[QualifiedName, Lift]:
        """The tools that a tenant used for queries like this one."""
        return self._learner.lifts(query, tenant=tenant)

    async def _recall(self) -> None:
        try:
            past = await self._read()
            learner = await to_thread.run_sync(_fold, past, abandon_on_cancel=True)
        except LedgerUnavailable as exc:
            # Search goes on without it.
            log.warning("search.recall_failed", extra={"reason": exc.message})
        except Exception:
            # A fault of ours in here must not take everything that is open with it.
            log.exception("search.recall_failed")
        else:
            # What came meanwhile follows on what went before, in the order of events.
            for event in self._early or ():
                learner.observe(event)
            self._learner = learner
        self._early = None
        self.recalled.set()


def _fold(events: Iterable[Event]) -> UseLearner:
    learner = UseLearner()
    for event in events:
        learner.observe(event)
    return learner
