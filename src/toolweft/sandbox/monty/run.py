"""One run in an interpreter: answers what it asks for, watches its clocks, counts what it uses.

The interpreter stops whenever it needs the host: for a call, a sleep, an unknown name, or when it
waits for several at once. Between two stops it works in its thread, and the event loop is free.
"""

import asyncio
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pydantic_monty as monty
from anyio.abc import TaskGroup

from toolweft.core.calls import Failure
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.ports import GuestCall, GuestCallHandler, GuestReply
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits
from toolweft.sandbox.limits import limit_error
from toolweft.sandbox.meter import Meter
from toolweft.sandbox.monty.prelude import CALL
from toolweft.sandbox.monty.worker import Worker

__all__ = ("BrokenWord", "MontyRun", "read_value")

_MAX_NAME_CHARACTERS = 256
_MAX_LINE = 2**31
# Above this many bytes of arguments in waiting calls the interpreter has to wait.
_MAX_QUEUED_BYTES = 16 * 1024 * 1024
_MAX_SLEEPS = 1000
_END_OF_STEP_S = 0.4

_Settled = dict[str, Any]


class BrokenWord(Exception):
    """The guest sent what its own code does not send."""


class MontyRun:
    """Everything one run needs while it lasts."""

    def __init__(
        self,
        *,
        worker: Worker,
        clock: Clock,
        limits: ProgramLimits,
        on_call: GuestCallHandler,
        on_output: Callable[[str], None] | None,
    ) -> None:
        self._worker = worker
        self._limits = limits
        self._on_call = on_call
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._slots = anyio.Semaphore(limits.max_in_flight, fast_acquire=True)
        self._tasks: TaskGroup | None = None
        self._settled: dict[int, _Settled] = {}
        self._news = anyio.Event()
        # Calls the program sent, the refused ones included.
        self._asked = 0
        self._queued_bytes = 0
        self._sleeps = 0
        self._output: list[str] = []
        self._kept = 0
        self.characters = 0
        self.meter = Meter(clock=clock, cpu_s=worker.active_s, limit_s=limits.wall_s)
        self.failures: dict[str, Failure] = {}
        self._scope = anyio.CancelScope()
        # Of a limit that is not the run's own.
        self._foreign_error: ProgramError | None = None
        self.stopped: LimitName | None = None

    @property
    def stdout(self) -> str:
        """What was printed and kept so far."""
        return "".join(self._output)

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        """End the process, for a limit that is not the run's own."""
        self._foreign_error = error
        self._stop(limit)
        # It may wait for a tool, and a process that has ended answers nothing.
        self._scope.cancel()

    def error_of(self, limit: LimitName) -> ProgramError:
        """The error of a run that was stopped for `limit`."""
        return self._foreign_error or limit_error(limit, self._limits, None)

    async def execute(self, *codes: str) -> Any:
        """Run texts one after the other; the result is the last one's value, as the library has it.

        Raises:
            MontyError: of the program, or of its process; see `stopped` for whether we ended it.
            BrokenWord: the guest sent nonsense; its process is ended.
        """
        output = None
        self._worker.limit_cpu(self._limits.active_s)
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                with self._scope, self.meter.countdown.drive(self._scope, anyio.current_time):
                    for code in codes:
                        output = await self._drive(code)
                if self._scope.cancelled_caught:
                    self._stop("wall")
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # A handler's own fault ends the group as well; it comes out as it is.
            raise group.exceptions[0] from None
        return output

    # ------------------------------------------------------------------ the interpreter's stops

    async def _drive(self, code: str) -> Any:
        stop: Any = await self._wait(self._worker.feed(code, self._print))
        while not isinstance(stop, monty.MontyComplete):
            if isinstance(stop, monty.FunctionSnapshot):
                stop = await self._function(stop)
            elif isinstance(stop, monty.FutureSnapshot):
                results = await self._results(list(stop.pending_call_ids))
                stop = await self._go_on(stop, results)
            elif stop.variable_name == CALL and stop.object_id is None:
                stop = await self._wait(self._worker.step(partial(stop.resume, value=_tw_call)))
            else:
                stop = await self._wait(self._worker.step(stop.resume))
        return stop.output

    async def _function(self, stop: Any) -> Any:
        name = stop.function_name
        if name == CALL and not stop.is_os_function:
            self._asked += 1
            call = _parse_call(stop.args, index=self._asked, countdown=self.meter.countdown)
            self._start_call(stop.call_id, call)
            await self._room_for_arguments()
        elif stop.is_os_function and name in ("system.sleep", "time.sleep"):
            await anyio.sleep(_duration_s(stop.args))
            return await self._go_on(stop, {"return_value": None})
        elif stop.is_os_function and name in ("system.async_sleep", "asyncio.sleep"):
            if self._sleeps >= _MAX_SLEEPS:
                fault = RuntimeError(f"more than {_MAX_SLEEPS} sleeps at once")
                return await self._go_on(stop, {"exception": fault})
            self._start_sleep(stop.call_id, _duration_s(stop.args))
        elif stop.is_os_function:
            return await self._wait(self._worker.step(stop.resume_not_handled))
        else:
            fault_of_name = NameError(f"name {name!r} is not defined")
            return await self._go_on(stop, {"exception": fault_of_name})
        return await self._go_on(stop, {"future": ...})

    async def _go_on(self, stop: Any, answer: Any) -> Any:
        return await self._wait(self._worker.step(lambda: stop.resume(answer)))

    async def _wait(self, step: "asyncio.Future[Any]") -> Any:
        """The end of one step; the process is ended where it takes more than the run has left."""
        left_s = self._limits.active_s - self.meter.cpu_s()
        try:
            await asyncio.wait({step}, timeout=max(left_s, 0.0))
            if not step.done():
                self._stop("cpu")
            return await step
        finally:
            if not step.done():
                self._worker.kill()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait({step}, timeout=_END_OF_STEP_S)
                step.add_done_callback(_forget)

    def _stop(self, limit: LimitName) -> None:
        if self.stopped is None:
            self.stopped = limit
        self._worker.kill()

    # ------------------------------------------------------------------ calls and sleeps

    def _start_call(self, number: int, call: GuestCall | tuple[str, int]) -> None:
        if self._asked > self._limits.max_calls:
            self._stop("calls")
            return
        self.meter.calls += 1
        assert self._tasks is not None
        if not isinstance(call, GuestCall):
            self._settle(number, self._answer_of(call[0], _too_large(call[0], self._limits)))
            return
        size = len(call.arguments)
        self.meter.bytes_out += size
        if size > self._limits.max_argument_bytes:
            self._settle(number, self._answer_of(call.name, _too_large(call.name, self._limits)))
            return
        self._queued_bytes += size
        self.meter.call_started()
        self._tasks.start_soon(self._answer, number, call)

    async def _answer(self, number: int, call: GuestCall) -> None:
        try:
            async with self._slots:
                reply = await self._on_call(call)
                if call.countdown.is_over:
                    # It may say no more than that. The run ends now, and this with it.
                    await anyio.sleep_forever()
        finally:
            self.meter.call_ended()
            self._queued_bytes -= len(call.arguments)
        self._settle(number, self._answer_of(call.name, reply))

    def _answer_of(self, name: str, reply: GuestReply) -> _Settled:
        """What the guest's own code expects: (kind, text, bytes at positions)."""
        size = len(reply.payload) + sum(len(blob.data) for blob in reply.blobs)
        failure = reply.failure
        if failure is None and size > self._limits.max_result_bytes:
            failure = Failure(
                code="result_too_large",
                message=f"the result has {size} bytes, more than {self._limits.max_result_bytes}",
                hint="ask for less at a time: a page, a range, fewer fields; "
                "limits.max_result_bytes raises it",
            )
        if failure is None and reply.handle is not None:
            failure = Failure(
                code="handle_unreadable",
                message="the result was stored, and programs of this sandbox cannot read it",
                hint="ask for less at a time",
            )
        if failure is not None:
            message = failure.message if name in failure.message else f"{name}: {failure.message}"
            text = f"{failure.message} ({failure.hint})" if failure.hint else failure.message
            text = text.encode("utf-8", "replace").decode()
            shown = Failure(code=failure.code, message=message, hint=failure.hint)
            self.failures[text] = shown
            return {"return_value": ("failure", text, [])}
        self.meter.bytes_in += size
        blobs = [(blob.position, blob.data) for blob in reply.blobs]
        return {"return_value": ("result", reply.payload.decode("utf-8", "replace"), blobs)}

    def _start_sleep(self, number: int, seconds: float) -> None:
        self._sleeps += 1

        async def sleep() -> None:
            await anyio.sleep(seconds)
            self._sleeps -= 1
            self._settle(number, {"return_value": None})

        assert self._tasks is not None
        self._tasks.start_soon(sleep)

    def _settle(self, number: int, result: _Settled) -> None:
        self._settled[number] = result
        self._news.set()

    async def _results(self, numbers: list[int]) -> dict[int, _Settled]:
        """Results for some of the calls the program waits for; at least one."""
        while True:
            ready = [number for number in numbers if number in self._settled]
            if ready:
                return {number: self._settled.pop(number) for number in ready}
            self._news = anyio.Event()
            await self._news.wait()

    async def _room_for_arguments(self) -> None:
        while self._queued_bytes > _MAX_QUEUED_BYTES:
            self._news = anyio.Event()
            await self._news.wait()

    # ------------------------------------------------------------------ output

    def _print(self, _stream: str, text: str) -> None:
        """Take printed text, in the interpreter's thread."""
        self.characters += len(text)
        part = text[: max(0, self._limits.kept_characters - self._kept)]
        self._kept += len(part)
        if part:
            self._loop.call_soon_threadsafe(self._emit, part)
        if self.characters > self._limits.max_output_characters:
            self._stop("output")

    def _emit(self, text: str) -> None:
        self._output.append(text)
        self.meter.bytes_out += len(text.encode("utf-8", "replace"))
        if self._on_output is not None:
            self._on_output(text)


def read_value(output: Any, limits: ProgramLimits) -> tuple[str, bytes]:
    """(kind, JSON text) of a program's value, as `_tw_value` inside made it.

    Raises:
        BrokenWord: it is something else.
    """
    if not (isinstance(output, tuple) and len(output) == 2):
        raise BrokenWord("a value of another form")
    kind, text = output
    if kind not in ("none", "json", "repr", "large") or not isinstance(text, str):
        raise BrokenWord("a value of another kind")
    data = text.encode("utf-8", "replace")
    if kind == "large" or len(data) > limits.max_value_bytes:
        return "large", b""
    if kind != "none":
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            raise BrokenWord("a value that is no JSON") from None
    return kind, data


def _tw_call() -> None:
    """Stand for the host's function inside; the interpreter asks, it never calls this."""


def _forget(step: "asyncio.Future[Any]") -> None:
    if not step.cancelled():
        step.exception()


def _too_large(name: str, limits: ProgramLimits) -> GuestReply:
    return GuestReply(
        failure=Failure(
            code="argument_too_large",
            message=f"the arguments of {name} are larger than {limits.max_argument_bytes} bytes",
            hint="send less in one call; limits.max_argument_bytes raises it",
        )
    )


def _duration_s(arguments: Any) -> float:
    seconds = arguments[0] if arguments else 0
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return 0.0
    return max(float(min(seconds, 2**53)), 0.0)


def _parse_call(arguments: Any, *, index: int, countdown: Countdown) -> GuestCall | tuple[str, int]:
    """The call, or (name, size) where its arguments are above the limit inside."""
    if not (isinstance(arguments, tuple) and len(arguments) == 3):
        raise BrokenWord("a call of another form")
    name, line, text = arguments
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_CHARACTERS:
        raise BrokenWord("a call without a proper name")
    if line is not None and (type(line) is not int or not 0 < line < _MAX_LINE):
        raise BrokenWord("a call with a malformed line")
    if type(text) is int:
        return name, text
    if not isinstance(text, str):
        raise BrokenWord("a call with malformed arguments")
    return GuestCall(
        index=index,
        name=name,
        arguments=text.encode("utf-8", "replace"),
        line=line,
        countdown=countdown,
    )
