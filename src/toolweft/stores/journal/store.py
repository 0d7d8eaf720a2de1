"""The journal over files: what is kept waits in memory until a thread has written it."""

import logging
from functools import partial
from types import TracebackType
from typing import Final, Self

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from toolweft.core.clock import Clock
from toolweft.core.errors import RunNotFound
from toolweft.core.ids import RunId
from toolweft.core.journal import JournalRun
from toolweft.core.principals import Principal
from toolweft.stores.journal.files import JournalFiles
from toolweft.stores.journal.options import JournalOptions

__all__ = ("FileJournal",)

log = logging.getLogger(__name__)

# Writing takes the interpreter from the runs that go on meanwhile, and nobody waits for it.
_GATHER_S: Final = 0.5
# Runs that wait to be written; more come only where the disk does not keep up.
_MAX_WAITING: Final = 256
# What is not written by then is lost, and logged.
_CLOSE_S: Final = 5.0


class FileJournal:
    """Runs in a folder; an async context manager, which writes and sweeps while it is open.

    Args:
        options: folder, caps and times.
        clock: decides what is too old.
    """

    def __init__(self, options: JournalOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._files = JournalFiles(options)
        self._waiting: dict[RunId, JournalRun] = {}
        self._wake = anyio.Event()
        # So many wait that they are not gathered any longer.
        self._hurry = anyio.Event()
        self._has_written = False
        self._swept_s: float | None = None
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Write from now on."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._write_for_ever)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what still waits; a process that kept nothing looks at nothing."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._tasks.__aexit__(None, None, None)
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self._write_waiting()
            if self._has_written:
                await self._sweep()
        if self._waiting:
            log.warning("journal.lost", extra={"runs": len(self._waiting)})

    def keep(self, run: JournalRun) -> None:
        """Queue a run; see `core.journal.Journal`."""
        if len(self._waiting) >= _MAX_WAITING:
            log.warning("journal.lost", extra={"run_id": run.run_id, "reason": "too many wait"})
            return
        self._waiting[run.run_id] = run
        self._wake.set()
        if len(self._waiting) >= _MAX_WAITING // 2:
            self._hurry.set()

    async def find(self, run_id: RunId, *, owner: Principal) -> JournalRun:
        """The owner's run; see `core.journal.Journal`."""
        run = self._waiting.get(run_id)
        if run is None or run.principal != owner:
            run = await to_thread.run_sync(
                partial(self._files.read, run_id, owner=owner, now=self._clock.now())
            )
        if run is None:
            hours = self._options.keep_s / 3600
            raise RunNotFound(
                f"the journal has no run {run_id!r:.100}",
                hint=f"runs are kept for {hours:,.3g} hours (journal.keep_s) up to"
                f" {self._options.max_bytes:,} bytes (journal.max_bytes);"
                " `toolweft runs` lists the latest",
            )
        return run

    async def latest(self, *, owner: Principal) -> RunId:
        """The owner's newest run; see `core.journal.Journal`."""
        waiting = [run.run_id for run in self._waiting.values() if run.principal == owner]
        if waiting:
            return waiting[-1]
        found = await to_thread.run_sync(self._files.latest, owner)
        if found is None:
            raise RunNotFound("the journal has no run yet", hint="run a program first")
        return found

    async def _write_for_ever(self) -> None:
        while True:
            with anyio.move_on_after(self._options.sweep_s):
                await self._wake.wait()
            with anyio.move_on_after(_GATHER_S):
                await self._hurry.wait()
            self._wake, self._hurry = anyio.Event(), anyio.Event()
            await self._write_waiting()
            await self._sweep()

    async def _write_waiting(self) -> None:
        runs = list(self._waiting.values())
        if not runs:
            return
        await to_thread.run_sync(self._files.write, runs)
        self._has_written = True
        # Only now: whoever looks for one meanwhile finds it in one place or the other.
        for run in runs:
            del self._waiting[run.run_id]

    async def _sweep(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._swept_s is None or now_s - self._swept_s >= self._options.sweep_s:
            self._swept_s = now_s
            await to_thread.run_sync(partial(self._files.sweep, now=self._clock.now()))
