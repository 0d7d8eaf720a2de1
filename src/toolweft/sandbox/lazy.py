"""A backend that proves itself and starts when first needed.

Searching and calling need no sandbox, so opening the house does not pay for one and does not fail
on a machine that has none. One task enters and leaves the real backend.
"""

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
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

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Attempt:
    """One start of the backend, and how it ended."""

    settled: anyio.Event = field(default_factory=anyio.Event)
    failure: SandboxUnavailable | None = None


class LazyBackend:
    """Stands in for `backend` until a program is run, then is it."""

    def __init__(self, backend: SandboxBackend, *, expected: SandboxCapabilities) -> None:
        self._backend = backend
        # Shown before the start; the tier is known only after.
        self._expected = expected
        self._stack = AsyncExitStack()
        self._attempt = _Attempt()
        self._wanted = anyio.Event()
        self._stop = anyio.Event()

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
        is_running = self._attempt.settled.is_set() and self._attempt.failure is None
        return self._backend.capabilities if is_running else self._expected

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """Every tier's dry run; empty before the start."""
        return self._backend.reports if self._attempt.settled.is_set() else ()

    def want(self) -> None:
        """Start in the background, so that the first session finds it running."""
        if self._attempt.failure is not None:
            # What was missing then (descriptors, memory) may be there now.
            self._attempt = _Attempt()
        self._wanted.set()

    async def start(self) -> None:
        """Start now and return once it runs; after a failure, start once more.

        Raises:
            SandboxUnavailable: no tier holds, or the start failed in another way.
        """
        self.want()
        attempt = self._attempt
        await attempt.settled.wait()
        if attempt.failure is not None:
            raise SandboxUnavailable(attempt.failure.message, hint=attempt.failure.hint)

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> SandboxSession:
        """A fresh session; starts the backend first where that has not happened."""
        await self.start()
        return await self._backend.open(limits, environment=environment)

    async def _own(self) -> None:
        while True:
            await self._wanted.wait()
            if self._stop.is_set():
                return
            try:
                async with self._backend:
                    self._attempt.settled.set()
                    await self._stop.wait()
            except SandboxUnavailable as error:
                self._fail(error)
            except Exception as error:
                # Whoever waits must hear of it, whatever it is.
                log.exception("sandbox.start_failed")
                self._fail(
                    SandboxUnavailable(
                        f"the sandbox cannot be started: {type(error).__name__}: {error}",
                        hint="the log has the details; the next program tries again",
                    )
                )

    def _fail(self, failure: SandboxUnavailable) -> None:
        log.warning("sandbox.unavailable", extra={"reason": failure.message})
        if not self._stop.is_set():
            self._wanted = anyio.Event()
        self._attempt.failure = failure
        self._attempt.settled.set()
