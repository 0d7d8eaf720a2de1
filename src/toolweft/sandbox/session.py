"""A session: one guest, its channel, and its runs, one after the other.

Where the guest lives, how it is stopped and what it used is the business of whoever made it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import ContainerBusy, SandboxError, SandboxUnavailable
from toolweft.core.ports import GuestCallHandler, GuestNames, SandboxOutcome
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits, ProgramStats
from toolweft.sandbox.channel import Channel, frames_of_run
from toolweft.sandbox.ending import crash_outcome, parse_report
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.guest.wire import Frame, FrameError, FrameKind
from toolweft.sandbox.run import ActiveRun, GuestProcess

__all__ = ("GuestSession", "SessionGuest", "SessionStart", "check_source")

# A session is stopped this long after a run: runs that follow each other at once stay quick.
_PAUSE_AFTER_S = 0.05


class SessionGuest(GuestProcess, Protocol):
    """What a session asks of its guest, beside what a run does."""

    # By the host, as the program did not stop in time.
    was_killed: bool

    def pause(self) -> None:
        """Let it use no processor time, whatever is left running inside."""
        ...

    def resume(self) -> None:
        """Undo `pause`."""
        ...

    async def settled(self) -> None:
        """Return once every interrupt asked for was sent: a late one would meet the next run."""
        ...

    def peak_memory_bytes(self) -> int:
        """The most memory it ever used; 0 where nobody knows."""
        ...

    def memory_bytes(self) -> int:
        """What it holds now beside what all guests share; 0 where nobody knows."""
        ...


GuestT = TypeVar("GuestT", bound=SessionGuest)


class GuestSession(ABC, Generic[GuestT]):
    """One guest and the runs in it."""

    def __init__(
        self,
        *,
        child: GuestT,
        channel: Channel,
        clock: Clock,
        fixed: Limits,
        pause_after_s: float = _PAUSE_AFTER_S,
    ) -> None:
        self._child = child
        self._channel = channel
        self._clock = clock
        # What holds for every run, whatever a run's own limits say.
        self._fixed = fixed
        self._pause_after_s = pause_after_s
        self._active: ActiveRun | None = None
        self._exit_status: int | None = None
        # How the channel was broken, where that is known only once the guest was ended.
        self._fault_at_end = ""
        self._pause_timer: asyncio.TimerHandle | None = None
        self._closing = anyio.Lock()

    @abstractmethod
    async def _end(self) -> int:
        """End the guest and let go of everything it held.

        Returns:
            Its exit status, negative for a signal; told apart only where it went away by itself.
        """

    def _shows_memory(self, stats: ProgramStats, limits: ProgramLimits) -> bool:
        """Whether a guest that was killed, and not by the host, was so for its memory."""
        del stats, limits
        return True

    @property
    def is_alive(self) -> bool:
        """Whether another run is possible."""
        return self._channel.is_open

    def memory_bytes(self) -> int:
        """What the guest holds now; see `core.ports.SandboxSession`."""
        return self._child.memory_bytes()

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        """End the run and the guest; see `core.ports.SandboxSession`."""
        if self._active is not None:
            self._active.stop(limit, error)

    async def run(
        self,
        code: str,
        *,
        names: GuestNames,
        limits: ProgramLimits,
        on_call: GuestCallHandler,
        on_output: Callable[[str], None] | None = None,
    ) -> SandboxOutcome:
        """Run one piece of code to its end; see `core.ports.SandboxSession`."""
        source = check_source(code, limits)
        if isinstance(source, SandboxOutcome):
            return source
        self._check_ready()
        limits = replace(limits, **self._fixed._asdict())
        self._cancel_pause()
        self._child.resume()
        self._active = run = ActiveRun(
            child=self._child,
            channel=self._channel,
            clock=self._clock,
            limits=limits,
            on_call=on_call,
            on_output=on_output,
        )
        try:
            await self._child.settled()
            self._channel.attach(run, frames_of_run(limits))
            await run.execute(source, names)
            return await self._conclude(run, limits)
        finally:
            self._active = None
            self._channel.detach()
            if self.is_alive:
                self._pause_later()
            else:
                with anyio.CancelScope(shield=True):
                    await self.close()

    async def close(self) -> None:
        """End the child; idempotent."""
        async with self._closing:
            if self._exit_status is None:
                self._cancel_pause()
                self._exit_status = await self._end()

    async def _conclude(self, run: ActiveRun, limits: ProgramLimits) -> SandboxOutcome:
        stats = run.meter.stats(peak_mem_bytes=self._child.peak_memory_bytes())
        if run.done is None:
            return await self._conclude_without_report(run, limits, stats)
        try:
            report = parse_report(run.done, limits=limits)
        except FrameError as fault:
            self._channel.break_off(str(fault))
            return await self._conclude_without_report(run, limits, stats)
        if not report.is_reusable:
            self._channel.close()
        stdout = run.stdout
        error = report.error
        if run.stopped is not None:
            error = run.error_of(run.stopped, report.error)
        return SandboxOutcome(
            status=report.status if run.stopped is None else "limit",
            limit=report.limit if run.stopped is None else run.stopped,
            stdout=stdout,
            stdout_characters=max(report.characters, len(stdout)),
            value=report.value if report.status == "ok" else b"",
            value_is_repr=report.value_is_repr,
            media=report.media,
            error=error,
            stats=stats,
        )

    async def _conclude_without_report(
        self, run: ActiveRun, limits: ProgramLimits, stats: ProgramStats
    ) -> SandboxOutcome:
        fault = self._channel.fault or ""
        await self.close()
        fault = fault or self._fault_at_end
        # Only now is all of it known.
        peak_bytes = max(stats.peak_mem_bytes, self._child.peak_memory_bytes())
        stats = replace(stats, peak_mem_bytes=peak_bytes)
        if run.stopped is not None:
            return SandboxOutcome(
                status="limit",
                limit=run.stopped,
                stdout=run.stdout,
                stdout_characters=len(run.stdout),
                error=run.error_of(run.stopped, None),
                stats=stats,
            )
        return crash_outcome(
            exit_status=self._exit_status or 0,
            was_killed=self._child.was_killed or not self._shows_memory(stats, limits),
            fault=fault,
            stdout=run.stdout,
            stats=stats,
            limits=limits,
        )

    def _check_ready(self) -> None:
        if self._active is not None:
            raise ContainerBusy("a run is already in this container", hint="wait for it to end")
        if not self.is_alive:
            raise SandboxError(
                "this container's process has ended", hint="open a new one; variables are gone"
            )

    def _ready(self) -> None:
        """Wait for the first run; from here on a frame of the guest breaks the channel."""
        self._channel.detach()
        self._pause_later()

    def _pause_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._pause_timer = loop.call_later(self._pause_after_s, self._child.pause)

    def _cancel_pause(self) -> None:
        if self._pause_timer is not None:
            self._pause_timer.cancel()
            self._pause_timer = None


class SessionStart:
    """Receives the first frame of a guest; `fault` says why there is none."""

    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.fault = "it was not ready in time"
        self.succeeded = False

    async def wait(self, timeout_s: float) -> None:
        """Return once the guest is ready.

        Raises:
            SandboxUnavailable: it is not, or not in time.
        """
        with anyio.move_on_after(timeout_s):
            await self.ready.wait()
        if not self.succeeded:
            raise SandboxUnavailable(f"a guest could not be locked down: {self.fault}")

    def frame_received(self, frame: Frame) -> None:
        """Take the first frame."""
        if self.ready.is_set():
            raise FrameError(f"{frame.kind.name} frame before the first run")
        if frame.kind is FrameKind.DEAD:
            self.fault = frame.body.decode("utf-8", "replace")
        else:
            self.succeeded = True
        self.ready.set()

    def channel_lost(self) -> None:
        """The guest is gone."""
        if not self.ready.is_set():
            self.fault = "it ended before it was ready"
            self.ready.set()


def check_source(code: str, limits: ProgramLimits) -> bytes | SandboxOutcome:
    """The program as bytes, or why it cannot even be sent."""
    try:
        source = code.encode()
    except UnicodeEncodeError as fault:
        message = f"the program holds {fault.object[fault.start]!r}, which is not text"
        hint = "send the program as Unicode text without lone surrogates"
    else:
        if len(source) <= limits.max_code_bytes:
            return source
        message = f"the program has {len(source)} bytes, more than {limits.max_code_bytes}"
        hint = (
            "load data with tools instead of writing it into the program;"
            " limits.max_code_bytes raises it"
        )
    error = ProgramError(type="InvalidProgram", message=message, hint=hint)
    return SandboxOutcome(status="invalid", error=error, stats=ProgramStats())
