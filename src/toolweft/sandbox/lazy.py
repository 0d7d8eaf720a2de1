"""A backend that proves itself and starts when first needed.

Searching and calling need no sandbox, so opening the house does not pay for one and does not fail
on a machine that has none. One task enters and leaves the real backend.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import (
    IsolationReport,
    SandboxBackend,
    SandboxCapabilities,
    SandboxSession,
)
from toolweft.core.programs import ProgramLimits

__all__ = ("LazyBackend",)


class LazyBackend:
    """Stands in for `backend` until a program is run, then is it."""

    def __init__(self, backend: SandboxBackend, *, expected: SandboxCapabilities) -> None:
        self._backend = backend
        # Shown before the start; the tier is known only after.
        self._expected = expected
        self._stack = AsyncExitStack()
        self._wanted = anyio.Event()
        self._settled = anyio.Event()
        self._stop = anyio.Event()
        self._failure: SandboxUnavailable | None = None

    async def __aenter__(self) -> Self:
        """Get ready to start; starts nothing."""
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(self._own)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the backend if it was started."""
        self._stop.set()
        self._wanted.set()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._stack.__aexit__(None, None, None)

    @property
    def capabilities(self) -> SandboxCapabilities:
        """The backend's own once it runs; before, what is expected."""
        is_running = self._settled.is_set() and self._failure is None
        return self._backend.capabilities if is_running else self._expected

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """Every tier's dry run; empty before the start."""
        return self._backend.reports if self._settled.is_set() else ()

    async def start(self) -> None:
        """Start now and return once it runs.

        Raises:
            SandboxUnavailable: no tier holds; the same answer every time.
        """
        self._wanted.set()
        await self._settled.wait()
        if self._failure is not None:
            raise SandboxUnavailable(self._failure.message, hint=self._failure.hint)

    async def open(self, limits: ProgramLimits) -> SandboxSession:
        """A fresh session; starts the backend first where that has not happened."""
        await self.start()
        return await self._backend.open(limits)

    async def _own(self) -> None:
        await self._wanted.wait()
        if self._stop.is_set():
            return
        try:
            async with self._backend:
                self._settled.set()
                await self._stop.wait()
        except SandboxUnavailable as error:
            self._failure = error
            self._settled.set()
