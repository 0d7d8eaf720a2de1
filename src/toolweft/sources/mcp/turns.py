"""Whether a server's calls run side by side or one at a time, and the queue where they do not.

A server that asks without saying for which call is called one at a time from then on, for the only
call under way is then the one that it asks for.
"""

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Literal, TypeAlias

import anyio

__all__ = ("CallMode", "Mode", "Turns")

Mode: TypeAlias = Literal["parallel", "serial"]


class CallMode:
    """How one server is called, whatever connections there are to it.

    Args:
        configured: what somebody decided; None: side by side until it proves to need another way.
    """

    def __init__(self, configured: Mode | None) -> None:
        self._configured = configured
        self._is_learned = False
        # Set, and replaced, whenever what was learned changed.
        self.changed = anyio.Event()

    @property
    def is_serial(self) -> bool:
        """Whether the next call waits for the one before."""
        return self._configured == "serial" or (self._configured is None and self._is_learned)

    @property
    def is_learned(self) -> bool:
        """Whether the server was seen to ask without saying for which call."""
        return self._is_learned

    def recall(self, *, is_learned: bool) -> None:
        """Know what was learned before this process."""
        self._is_learned = is_learned

    def learn(self, *, is_needed: bool) -> None:
        """Note that calls must come one at a time from now on, or need not any more."""
        if is_needed == self._is_learned:
            return
        self._is_learned = is_needed
        self.changed.set()
        self.changed = anyio.Event()


class Turns:
    """The queue before one connection; each waits no longer than its own time.

    Args:
        mode: whether there is a queue.
    """

    def __init__(self, mode: CallMode) -> None:
        self._mode = mode
        self._lock = anyio.Lock()
        self._in_use = 0
        self._idle = anyio.Event()

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Entered as soon as the mode allows; those that wait come in their order."""
        return _Turn(self)

    async def take(self) -> bool:
        """Begin; gives what `give_back` is to be told."""
        is_alone = self._mode.is_serial
        if is_alone:
            await self._wait_alone()
        self._in_use += 1
        return is_alone

    def give_back(self, *, is_alone: bool) -> None:
        """End what began."""
        self._in_use -= 1
        if not self._in_use:
            self._idle.set()
        if is_alone:
            self._lock.release()

    async def _wait_alone(self) -> None:
        await self._lock.acquire()
        try:
            # Those that came before the mode changed.
            while self._in_use:
                self._idle = anyio.Event()
                await self._idle.wait()
        except BaseException:
            self._lock.release()
            raise


class _Turn:
    # A class, as every call enters one: a generator costs several times as much.

    __slots__ = ("_is_alone", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_alone = False

    async def __aenter__(self) -> None:
        self._is_alone = await self._turns.take()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._turns.give_back(is_alone=self._is_alone)
