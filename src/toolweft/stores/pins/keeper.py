"""Keeps what is accepted in memory and on disk the same, while others change either.

What the catalog accepts is written soon; what another process writes, `toolweft pin accept` among
them, is read soon. Opened by `toolweft.bootstrap` before any source starts.
"""

import logging
import math
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

import anyio
from anyio.abc import TaskGroup

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.pins import Pin, PinHashes
from toolweft.stores.pins.lock_file import LockFile, merge_new, take_hashes

__all__ = ("HashBook", "PinKeeper")

_New: TypeAlias = Mapping[SourceName, Mapping[ToolName, Pin]]

log = logging.getLogger(__name__)

_LOOK_AGAIN_S: Final = 2.0
# What cannot be written is tried again as often, which costs a read-only folder little.
_TRY_AGAIN_S: Final = 30.0
_CLOSE_TIMEOUT_S: Final = 10.0


class HashBook(Protocol):
    """What decides, in memory."""

    def call_on_new(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever there is something to save."""
        ...

    def replace_hashes(self, hashes: PinHashes) -> bool:
        """Take what is accepted as it was read; whether that is something else than before."""
        ...

    def take_unsaved(self) -> Mapping[SourceName, Mapping[ToolName, Pin]]:
        """What was accepted since the last time, for the caller to save."""
        ...


class PinKeeper:
    """Reads the lock file on entering, and follows it until it is left.

    Args:
        book: what decides.
        file: None keeps nothing.
        reached: how each server is reached, written with its first tools.
        on_change: called when something else is accepted than before.

    Attributes:
        problem: why nothing can be kept; empty where it can.
    """

    def __init__(
        self,
        book: HashBook,
        *,
        file: LockFile | None,
        reached: Mapping[SourceName, str],
        on_change: Callable[[], None],
    ) -> None:
        self.problem = ""
        self._book = book
        self._file = file
        self._reached = reached
        self._on_change = on_change
        self._hashes: dict[SourceName, dict[ToolName, str]] = {}
        # What could not be written so far.
        self._unwritten: _New = {}
        self._again_at_s = -math.inf
        self._stamp: tuple[int, int] | None = None
        self._has_new = anyio.Event()
        self._tasks: TaskGroup | None = None
        # What was read before something was written must not come after it.
        self._lock = anyio.Lock()

    @property
    def is_kept(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    async def __aenter__(self) -> Self:
        """Read what is accepted.

        Raises:
            ConfigError: the file cannot be used.
        """
        if self._file is not None:
            self._stamp = await anyio.to_thread.run_sync(self._file.stamp)
            self._take(take_hashes(await anyio.to_thread.run_sync(self._file.read)))
        self._book.call_on_new(lambda: self._has_new.set())
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._follow)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Save what is not saved yet."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self.save()

    async def save(self) -> None:
        """Write what was accepted and is not written yet."""
        async with self._lock:
            await self._save()

    async def refresh(self) -> None:
        """Read what another process wrote, where one did."""
        async with self._lock:
            await self._refresh()

    async def _save(self) -> None:
        self._has_new = anyio.Event()
        new = self._book.take_unsaved()
        for name, tools in new.items():
            own = self._hashes.setdefault(name, {})
            own |= {tool: pin.hash for tool, pin in tools.items() if tool not in own}
        self._log_new(new)
        new = _joined(self._unwritten, new)
        if not new:
            return
        self._unwritten = {} if self._file is None else new
        if self._file is not None:
            file, pending = self._file, new
            try:
                pins = await anyio.to_thread.run_sync(
                    file.change, lambda pins: merge_new(pins, pending, self._reached)
                )
            except (OSError, ConfigError) as exc:
                self._again_at_s = anyio.current_time() + _TRY_AGAIN_S
                self._note_problem(f"what is accepted cannot be kept in {str(file.path)!r}: {exc}")
            else:
                self.problem, self._unwritten = "", {}
                self._hashes = _plain(take_hashes(pins))
                self._stamp = await anyio.to_thread.run_sync(file.stamp)
        # What another process accepted first is what counts.
        self._take(self._hashes)

    async def _refresh(self) -> None:
        if self._file is None:
            return
        stamp = await anyio.to_thread.run_sync(self._file.stamp)
        if stamp in (None, self._stamp):
            # A file that was taken away takes no acceptance away.
            return
        self._stamp = stamp
        try:
            pins = await anyio.to_thread.run_sync(self._file.read)
        except ConfigError as exc:
            log.warning("pins.unreadable", extra={"reason": str(exc)})
            return
        self._take(take_hashes(pins))

    async def _follow(self) -> None:
        while True:
            with anyio.move_on_after(_LOOK_AGAIN_S):
                await self._has_new.wait()
            await self.refresh()
            is_due = self._has_new.is_set() or anyio.current_time() >= self._again_at_s
            if is_due:
                with anyio.CancelScope(shield=True):
                    await self.save()

    def _take(self, hashes: PinHashes) -> None:
        self._hashes = _plain(hashes)
        for name, tools in self._unwritten.items():
            own = self._hashes.setdefault(name, {})
            own |= {tool: pin.hash for tool, pin in tools.items() if tool not in own}
        if self._book.replace_hashes(_plain(self._hashes)):
            self._on_change()

    def _note_problem(self, problem: str) -> None:
        # It is tried again all the time, and said once.
        if problem != self.problem:
            log.warning("pins.not_kept", extra={"reason": problem})
        self.problem = problem

    def _log_new(self, new: _New) -> None:
        for name, tools in new.items():
            log.info("pins.accepted_first", extra={"source": name, "tools": len(tools)})


def _joined(first: _New, then: _New) -> _New:
    """Both; what was accepted first counts."""
    names = dict.fromkeys((*first, *then))
    return {name: {**then.get(name, {}), **first.get(name, {})} for name in names}


def _plain(hashes: PinHashes) -> dict[SourceName, dict[ToolName, str]]:
    return {name: dict(tools) for name, tools in hashes.items()}
