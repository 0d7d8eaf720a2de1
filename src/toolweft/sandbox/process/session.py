"""A session: one guest process, its channel, and its runs, one after the other."""

import asyncio
import socket
from collections.abc import Callable

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import ContainerBusy, SandboxError, SandboxUnavailable
from toolweft.core.ports import GuestCallHandler, GuestNames, SandboxOutcome
from toolweft.core.programs import ProgramError, ProgramLimits, ProgramStats
from toolweft.sandbox.channel import Channel, frames_of_run
from toolweft.sandbox.ending import crash_outcome, limit_error, parse_report
from toolweft.sandbox.guest.wire import Frame, FrameError, FrameKind
from toolweft.sandbox.process.child import Child
from toolweft.sandbox.process.descriptors import check_descriptors, read_descriptors
from toolweft.sandbox.process.zygote import Zygote
from toolweft.sandbox.run import ActiveRun

__all__ = ("ProcessSession",)

_START_TIMEOUT_S = 10.0
_EXIT_TIMEOUT_S = 5.0
# A process that is ending has its status at once; one that only closed its channel is killed.
_LEAVE_TIMEOUT_S = 0.25
# A session is stopped this long after a run: runs that follow each other at once stay quick.
_PAUSE_AFTER_S = 0.05


class ProcessSession:
    """One guest; made by `open_session`."""

    def __init__(self, *, zygote: Zygote, child: Child, channel: Channel, clock: Clock) -> None:
        self._zygote = zygote
        self._child = child
        self._channel = channel
        self._clock = clock
        self._is_running = False
        self._exit_status: int | None = None
        self._pause_timer: asyncio.TimerHandle | None = None
        self._closing = anyio.Lock()

    @classmethod
    async def open(cls, zygote: Zygote, limits: ProgramLimits, *, clock: Clock) -> "ProcessSession":
        """A fresh guest, locked down and ready.

        Raises:
            SandboxUnavailable: it could not be made or locked down.
        """
        child, sock = await zygote.spawn(limits)
        start = _Start()
        channel = await _connect(sock, start)
        session = cls(zygote=zygote, child=child, channel=channel, clock=clock)
        try:
            await start.wait()
            check_descriptors(read_descriptors(child.pid), channel_inode=child.channel_inode)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await session.close()
            raise
        channel.detach()
        session._pause_later()
        return session

    @property
    def is_alive(self) -> bool:
        """Whether another run is possible."""
        return self._channel.is_open

    @property
    def pid(self) -> int:
        """The process id, for whoever looks at the guest from outside."""
        return self._child.pid

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
        source = _check_source(code, limits)
        if isinstance(source, SandboxOutcome):
            return source
        self._check_ready()
        self._is_running = True
        self._cancel_pause()
        self._child.resume()
        run = ActiveRun(
            child=self._child,
            channel=self._channel,
            clock=self._clock,
            limits=limits,
            on_call=on_call,
            on_output=on_output,
        )
        self._channel.attach(run, frames_of_run(limits))
        try:
            await run.execute(source, names)
            return await self._conclude(run, limits)
        finally:
            self._is_running = False
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
                self._exit_status = await self._end()

    async def _end(self) -> int:
        self._cancel_pause()
        went_away = self._channel.fault == ""
        self._channel.close()
        if went_away and not self._child.was_killed:
            # Gone by itself, or about to be: its own exit status tells why.
            with anyio.move_on_after(_LEAVE_TIMEOUT_S):
                await self._child.wait_exit()
        self._child.kill_if_alive()
        with anyio.move_on_after(_EXIT_TIMEOUT_S):
            await self._child.wait_exit()
        status = await self._zygote.reap(self._child)
        self._child.close()
        return status

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
            error = limit_error(run.stopped, limits, report.error)
        return SandboxOutcome(
            status=report.status if run.stopped is None else "limit",
            limit=report.limit if run.stopped is None else run.stopped,
            stdout=stdout,
            stdout_characters=max(report.characters, len(stdout)),
            value=report.value if report.status == "ok" else b"",
            value_is_repr=report.value_is_repr,
            error=error,
            stats=stats,
        )

    async def _conclude_without_report(
        self, run: ActiveRun, limits: ProgramLimits, stats: ProgramStats
    ) -> SandboxOutcome:
        fault = self._channel.fault or ""
        await self.close()
        if run.stopped is not None:
            return SandboxOutcome(
                status="limit",
                limit=run.stopped,
                stdout=run.stdout,
                stdout_characters=len(run.stdout),
                error=limit_error(run.stopped, limits, None),
                stats=stats,
            )
        return crash_outcome(
            exit_status=self._exit_status or 0,
            was_killed=self._child.was_killed,
            fault=fault,
            stdout=run.stdout,
            stats=stats,
        )

    def _check_ready(self) -> None:
        if self._is_running:
            raise ContainerBusy("a run is already in this container", hint="wait for it to end")
        if not self.is_alive:
            raise SandboxError(
                "this container's process has ended", hint="open a new one; variables are gone"
            )

    def _pause_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._pause_timer = loop.call_later(_PAUSE_AFTER_S, self._child.pause)

    def _cancel_pause(self) -> None:
        if self._pause_timer is not None:
            self._pause_timer.cancel()
            self._pause_timer = None


class _Start:
    """Receives the first frame of a guest."""

    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.fault = "it was not ready in time"
        self.succeeded = False

    async def wait(self) -> None:
        """Return once the guest is ready.

        Raises:
            SandboxUnavailable: it is not, or not in time.
        """
        with anyio.move_on_after(_START_TIMEOUT_S):
            await self.ready.wait()
        if not self.succeeded:
            raise SandboxUnavailable(f"a guest could not be locked down: {self.fault}")

    def frame_received(self, frame: Frame) -> None:
        if self.ready.is_set():
            raise FrameError(f"{frame.kind.name} frame before the first run")
        if frame.kind is FrameKind.DEAD:
            self.fault = frame.body.decode("utf-8", "replace")
        else:
            self.succeeded = True
        self.ready.set()

    def channel_lost(self) -> None:
        if not self.ready.is_set():
            self.fault = "it ended before it was ready"
            self.ready.set()


async def _connect(sock: socket.socket, start: _Start) -> Channel:
    channel = Channel(start)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: channel, sock=sock)
    return channel


def _check_source(code: str, limits: ProgramLimits) -> bytes | SandboxOutcome:
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
        hint = "load data with tools instead of writing it into the program"
    error = ProgramError(type="InvalidProgram", message=message, hint=hint)
    return SandboxOutcome(status="invalid", error=error, stats=ProgramStats())
