"""One run inside a session: answers its calls, watches its clocks, reads how it ended.

Everything is counted here, on the host's side; what the guest says about itself is only shown.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from toolweft.core.calls import Failure
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.ports import GuestCall, GuestCallHandler, GuestNames, GuestReply
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits
from toolweft.sandbox.callbacks import start_soon
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.ending import MAX_LINE
from toolweft.sandbox.guest.wire import Frame, FrameError, FrameKind
from toolweft.sandbox.limits import limit_error
from toolweft.sandbox.meter import Meter

__all__ = ("ActiveRun", "GuestProcess")

# How long a program may take to notice that it is stopped.
_GRACE_S = 0.5
# More of it for a program that has hardly run meanwhile: on a busy machine it could not notice.
_MORE_GRACE_S = 0.3
_STARVED_CPU_S = 0.1
# A program at its output limit is stopped by the guest itself, which has only to say so.
_OUTPUT_GRACE_S = 0.1
# Where somebody cancelled the run; they wait for its end, which is to come within half a second.
_CANCEL_GRACE_S = 0.3
_KILL_TIMEOUT_S = 5.0
# The processor clock is looked at no more often than this.
_MIN_STEP_S = 0.02
# Above this many bytes of arguments in waiting calls the guest has to wait.
_MAX_QUEUED_BYTES = 16 * 1024 * 1024
_MAX_NAME_CHARACTERS = 256


class GuestProcess(Protocol):
    """What a run asks of the process that runs it."""

    def interrupt(self) -> None:
        """Ask the program to stop."""
        ...

    def kill(self) -> None:
        """End the process."""
        ...

    def cpu_s(self) -> float:
        """Processor time since it started; the last known value once it has ended."""
        ...

    def limit_cpu(self, budget_s: float) -> None:
        """Have it stopped when this much more was used, should the host not notice."""
        ...


class ActiveRun:
    """The receiver of a run's frames."""

    def __init__(
        self,
        *,
        child: GuestProcess,
        channel: Channel,
        clock: Clock,
        limits: ProgramLimits,
        on_call: GuestCallHandler,
        on_output: Callable[[str], None] | None,
    ) -> None:
        self._child = child
        self._channel = channel
        self._clock = clock
        self._limits = limits
        self._on_call = on_call
        self._on_output = on_output
        self.meter = Meter(clock=clock, cpu_s=child.cpu_s, limit_s=limits.wall_s)
        self._wake = anyio.Event()
        self._slots = anyio.Semaphore(limits.max_in_flight, fast_acquire=True)
        self._tasks: TaskGroup | None = None
        self._scopes: dict[int, anyio.CancelScope] = {}
        # Calls the guest sent, the refused ones included: it numbers all of them.
        self._asked = 0
        self._cancelled = 0
        self._queued_bytes = 0
        self._is_reading = True
        self._output: list[str] = []
        self._output_characters = 0
        self._is_output_over = False
        self._requested: LimitName | None = None
        # Of a limit that is not the run's own; there is no grace then.
        self._foreign_error: ProgramError | None = None
        # Set from the moment the program is being stopped.
        self.stopped: LimitName | None = None
        self.done: Frame | None = None

    @property
    def stdout(self) -> str:
        """What was printed and kept so far."""
        return "".join(self._output)

    @property
    def is_over(self) -> bool:
        """Whether the guest reported the end, or is gone."""
        return self.done is not None or not self._channel.is_open

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        """End the process at once, for a limit that is not the run's own."""
        self._foreign_error = error
        self._request_stop(limit)

    def error_of(self, limit: LimitName, reported: ProgramError | None) -> ProgramError:
        """The error of a run that was stopped for `limit`; `reported` is the guest's, if any."""
        return self._foreign_error or limit_error(limit, self._limits, reported)

    async def execute(self, code: bytes, names: GuestNames) -> None:
        """Send the program and return when it has ended, one way or the other."""
        limits = self._limits
        head = {
            "namespaces": names.namespaces,
            "functions": names.functions,
            "positional": dict(names.positional),
            "has_handles": names.has_handles,
            "has_workers": names.has_workers,
            "kept_characters": limits.kept_characters,
            "max_output_characters": limits.max_output_characters,
            "max_argument_bytes": limits.max_argument_bytes,
            "max_value_bytes": limits.max_value_bytes,
        }
        self._child.limit_cpu(limits.active_s)
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                self._channel.send(FrameKind.RUN, head=head, body=code)
                await self._watch()
            finally:
                if not self.is_over:
                    with anyio.CancelScope(shield=True):
                        await self._stop("wall", grace_s=_CANCEL_GRACE_S)
                self._tasks = None
                tasks.cancel_scope.cancel()

    # ------------------------------------------------------------------ what the guest sends

    def frame_received(self, frame: Frame) -> None:
        """Take one frame of the guest."""
        if self.done is not None:
            raise FrameError(f"{frame.kind.name} frame after the end of the run")
        if frame.kind is FrameKind.CALL:
            self._start_call(frame)
        elif frame.kind is FrameKind.CANCEL:
            self._cancel_call(frame.number)
        elif frame.kind is FrameKind.OUTPUT:
            self._take_output(frame)
        elif frame.kind is FrameKind.OUTPUT_OVER:
            self._take_output_over()
        else:
            self.done = frame
            self._wake.set()

    def channel_lost(self) -> None:
        """The guest is gone."""
        self._wake.set()

    def _cancel_call(self, number: int) -> None:
        # At most one for each call, so that these cannot keep the host busy without end.
        self._cancelled += 1
        if self._cancelled > self._asked:
            raise FrameError("more calls were given up than made")
        if (scope := self._scopes.get(number)) is not None:
            scope.cancel()

    def _take_output(self, frame: Frame) -> None:
        if not frame.body:
            # Counted by its characters it would never end.
            raise FrameError("an output frame without text")
        text = frame.body.decode("utf-8", "replace")
        self._output_characters += len(text)
        if self._output_characters > self._limits.kept_characters:
            raise FrameError("more output than is kept")
        self.meter.bytes_out += len(frame.body)
        self._output.append(text)
        if self._on_output is not None:
            self._on_output(text)

    def _take_output_over(self) -> None:
        if self._is_output_over:
            # Counted by nothing else, these could keep the host busy without end.
            raise FrameError("the output limit was passed more than once")
        self._is_output_over = True
        self._request_stop("output")

    def _start_call(self, frame: Frame) -> None:
        self._asked += 1
        call = _parse_call(frame, index=self._asked, countdown=self.meter.countdown)
        if self.stopped is not None:
            self._reply(call.index, self._refusal())
            return
        self.meter.bytes_out += len(call.arguments)
        if self._asked > self._limits.max_calls:
            self._request_stop("calls")
            return
        self.meter.calls += 1
        self._queued_bytes += len(call.arguments)
        if self._queued_bytes > _MAX_QUEUED_BYTES and self._is_reading:
            self._is_reading = False
            self._channel.pause_reading()
        assert self._tasks is not None
        self.meter.call_started()
        start_soon(self._tasks, self._answer, call)

    async def _answer(self, call: GuestCall) -> None:
        reply = None
        with anyio.CancelScope() as scope:
            self._scopes[call.index] = scope
            if self.stopped is not None:
                scope.cancel()
            async with self._slots:
                answer = await self._on_call(call)
                if call.countdown.is_over:
                    # It may say no more than that. The run is told to stop, and this with it.
                    await anyio.sleep_forever()
                reply = answer
                # A result waits here, in its slot, until the guest has taken the ones before.
                await self._channel.writable()
        del self._scopes[call.index]
        self.meter.call_ended()
        self._queued_bytes -= len(call.arguments)
        if not self._is_reading and self._queued_bytes <= _MAX_QUEUED_BYTES:
            self._is_reading = True
            self._channel.resume_reading()
        if reply is not None:
            self._reply(call.index, reply)
        elif self.stopped is not None:
            self._reply(call.index, self._refusal())

    def _reply(self, number: int, reply: GuestReply) -> None:
        size = len(reply.payload) + sum(len(blob.data) for blob in reply.blobs)
        failure = reply.failure
        if failure is None and size > self._limits.max_result_bytes:
            failure = Failure(
                code="result_too_large",
                message=f"the result has {size} bytes, more than {self._limits.max_result_bytes}",
                hint="ask for less at a time: a page, a range, fewer fields; "
                "limits.max_result_bytes raises it",
            )
        if failure is not None:
            fields = {"code": failure.code, "message": failure.message, "hint": failure.hint}
            sent = self._channel.send(FrameKind.REPLY, number=number, head={"failure": fields})
        elif reply.handle is not None:
            head = {"handle": reply.handle}
            sent = self._channel.send(FrameKind.REPLY, number=number, head=head)
        elif reply.blobs:
            blobs = [[blob.position, blob.media_type, len(blob.data)] for blob in reply.blobs]
            sent = self._channel.send(
                FrameKind.REPLY,
                number=number,
                head={"blobs": blobs, "payload_bytes": len(reply.payload)},
                body=b"".join((reply.payload, *(blob.data for blob in reply.blobs))),
            )
        else:
            sent = self._channel.send(FrameKind.REPLY, number=number, body=reply.payload)
        self.meter.bytes_in += sent

    def _refusal(self) -> GuestReply:
        return GuestReply(
            failure=Failure(
                code="timeout",
                message=f"the run is being stopped: its {self.stopped} limit is reached",
            )
        )

    # ------------------------------------------------------------------ clocks and stopping

    def _request_stop(self, limit: LimitName) -> None:
        self._requested = limit
        self._wake.set()

    async def _watch(self) -> None:
        limits = self._limits
        while not self.is_over:
            cpu_left_s = limits.active_s - self.meter.cpu_s()
            if self._requested is not None:
                await self._stop(self._requested)
            elif self.meter.countdown.is_over:
                await self._stop("wall")
            elif cpu_left_s <= 0:
                await self._stop("cpu")
            else:
                await self._wait_for_news(max(cpu_left_s, _MIN_STEP_S))

    async def _wait_for_news(self, timeout_s: float) -> None:
        over = anyio.CancelScope()
        ends = self.meter.countdown.drive(over, anyio.current_time)
        with anyio.move_on_after(timeout_s), over, ends:
            await self._wake.wait()

    async def _stop(self, limit: LimitName, *, grace_s: float = _GRACE_S) -> None:
        """Soft stop, a moment of grace, then the end of the process."""
        self.stopped = limit
        self._wake = anyio.Event()
        for scope in self._scopes.values():
            scope.cancel()
        if self._foreign_error is None:
            if limit == "output":
                await self._wait_over(_OUTPUT_GRACE_S)
                if self.is_over:
                    return
            cpu_before_s = self._child.cpu_s()
            self._child.interrupt()
            await self._wait_over(grace_s)
            used_s = self._child.cpu_s() - cpu_before_s
            if not self.is_over and grace_s == _GRACE_S and used_s < _STARVED_CPU_S:
                await self._wait_over(_MORE_GRACE_S)
        if not self.is_over:
            self._child.kill()
            await self._wait_over(_KILL_TIMEOUT_S)
            self._channel.close()

    async def _wait_over(self, timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s):
            while not self.is_over:
                await self._wake.wait()
                # Set for another reason than the end, it would not be waited for again.
                self._wake = anyio.Event()


def _parse_call(frame: Frame, *, index: int, countdown: Countdown) -> GuestCall:
    name, line = frame.head.get("name"), frame.head.get("line")
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_CHARACTERS:
        raise FrameError("a call without a proper name")
    with suppress(UnicodeEncodeError):
        name.encode()
        # bool is an int, and a line it is not.
        if line is None or (type(line) is int and 0 < line <= MAX_LINE):
            if frame.number != index:
                raise FrameError(f"call number {frame.number} where {index} is due")
            return GuestCall(
                index=index, name=name, arguments=frame.body, line=line, countdown=countdown
            )
    raise FrameError("a call with a malformed head")
