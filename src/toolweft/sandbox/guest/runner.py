"""The life of one guest: locked down, then one program after the other over the channel."""

import _thread
import asyncio
import builtins
import contextlib
import gc
import inspect
import io
import json
import mmap
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .cell import CellResult, restore_builtins, run_program
from .channel import Channel
from .faults import Fault, Stop, describe
from .handles import bind_load
from .limits import Limits
from .names import Blob, ToolError, bind_names
from .namespaces import SCRATCH
from .output import Output
from .syscalls import Kernel
from .wire import Frame, FrameKind, encode_frame
from .workers import bind_workers

__all__ = ("Runner", "run_guest")

# Address space kept aside, never touched, so that a program which used up all of its own can still
# be reported: it is address space that is limited, and pages nobody touches cost nothing.
_BALLAST_BYTES = 2 * 1024 * 1024
_BALLAST_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
# How long left-over tasks may take to notice that they are cancelled.
_CLEANUP_S = 0.1
_THREAD_STACK_BYTES = 512 * 1024
_FATAL_SIGNALS = (
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGABRT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
)
_ENVIRONMENT = {"HOME": SCRATCH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TMPDIR": SCRATCH}


def run_guest(
    lock: Callable[[], None], *, read_fd: int, write_fd: int, kernel: Kernel, limits: Limits
) -> NoReturn:
    """Lock this process down, serve the channel on these descriptors, and never return."""
    try:
        os.environ.clear()
        os.environ.update(_ENVIRONMENT)
        kernel.exit_on_signals(_FATAL_SIGNALS)
        lock()
        runner = Runner(read_fd, write_fd, max_threads=limits.max_threads)
        runner.run_forever()
    except BaseException as fault:
        text = f"{type(fault).__name__}: {fault}".encode()
        with contextlib.suppress(OSError):
            os.write(write_fd, encode_frame(FrameKind.DEAD, body=text[:1000]))
    os._exit(1)


class Runner:
    """Runs programs in one set of variables, which stay from run to run."""

    def __init__(self, read_fd: int, write_fd: int, *, max_threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._channel = Channel(self._loop, read_fd=read_fd, write_fd=write_fd)
        self._output = Output(
            self._loop,
            self._send_text,
            tell_over=lambda: self._channel.send(FrameKind.OUTPUT_OVER),
        )
        self._channel.before_call = self._output.send_pending
        self._module = types.ModuleType("__main__")
        self._variables = self._module.__dict__
        self._variables.update(
            ToolError=ToolError, Blob=Blob, __builtins__=builtins, __annotations__={}
        )
        self._runs = 0
        self._cell: asyncio.Task[CellResult] | None = None
        self._main: asyncio.Task[None] | None = None
        self._ballast: mmap.mmap | None = None
        self._forgotten: list[str] = []
        self._max_threads = max_threads

    def run_forever(self) -> None:
        """Serve until the host closes the channel."""
        self._prepare_process()
        self._main = self._loop.create_task(self._serve())
        self._channel.send(FrameKind.READY)
        while not self._main.done() and not self._loop.is_closed():
            # Programs may stop the loop, or end a task with SystemExit: neither ends the guest.
            with contextlib.suppress(BaseException):
                self._loop.run_forever()

    def _prepare_process(self) -> None:
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.signal(signal.SIGXCPU, self._on_interrupt)
        threading.stack_size(_THREAD_STACK_BYTES)
        _cap_threads(self._max_threads)
        sys.modules["__main__"] = self._module
        sys.argv = ["program"]
        sys.stdin = io.StringIO()
        self._loop.set_exception_handler(self._on_task_failure)
        # Python looks this up for each coroutine that is dropped without having run.
        warnings._warn_unawaited_coroutine = self._on_unawaited  # type: ignore[attr-defined]  # noqa: SLF001  its only hook

    async def _serve(self) -> None:
        while True:
            frame = await _undisturbed(self._channel.next_program)
            await self._run(frame)

    async def _run(self, frame: Frame) -> None:
        head = frame.head
        self._runs += 1
        self._forgotten.clear()
        self._channel.open_run(max_argument_bytes=head["max_argument_bytes"])
        self._output.start(
            kept_characters=head["kept_characters"],
            max_characters=head["max_output_characters"],
        )
        sys.stdout = sys.stderr = self._output
        result = await self._run_cell(frame)
        restore_builtins()
        self._channel.close_run()
        if result.limit == "memory":
            self._drop_ballast()
            gc.collect()
        await self._cancel_tasks()
        self._finish(result)

    async def _run_cell(self, frame: Frame) -> CellResult:
        head = frame.head
        try:
            if self._ballast is None:
                # Where memory is full from before, the program may be here to make room.
                with contextlib.suppress(OSError):
                    self._ballast = mmap.mmap(-1, _BALLAST_BYTES, flags=_BALLAST_FLAGS)
            bind_names(
                self._variables,
                self._channel.call,
                namespaces=head["namespaces"],
                functions=head["functions"],
                positional=head["positional"],
            )
            if head["has_handles"]:
                bind_load(self._variables, self._channel.call)
            if head["has_workers"]:
                bind_workers(self._variables, self._channel.call)
            program = run_program(
                frame.body.decode(),
                number=self._runs,
                variables=self._variables,
                max_value_bytes=head["max_value_bytes"],
                hide=_hide_paths,
            )
            cell = self._cell = self._loop.create_task(program)
            while not cell.done():
                await _undisturbed(lambda: asyncio.wait({cell}))
            self._cell = None
            return cell.result()
        except BaseException as error:
            self._cell = None
            fault = describe(error)
            status = "error" if fault.limit is None else "limit"
            return CellResult(status, limit=fault.limit, fault=fault)

    def _drop_ballast(self) -> None:
        ballast, self._ballast = self._ballast, None
        if ballast is not None:
            ballast.close()

    async def _cancel_tasks(self) -> None:
        others = asyncio.all_tasks(self._loop) - {self._main}
        for task in others:
            task.cancel()
        if others:
            await _undisturbed(lambda: asyncio.wait(others, timeout=_CLEANUP_S))

    def _finish(self, result: CellResult) -> None:
        self._output.end_program()
        if self._output.is_over_limit and result.limit != "output":
            # The program swallowed the stop.
            fault = Fault("Stop", "output limit", "", None, None, "output")
            result = CellResult("limit", limit="output", fault=fault)
        try:
            self._send_end(result)
        except MemoryError:
            # Images take their size again on their way out.
            self._drop_ballast()
            message = "memory limit: there was no memory left to send the program's value"
            fault = Fault("MemoryError", message, "", None, None, "memory")
            self._send_end(CellResult("limit", limit="memory", fault=fault))

    def _send_end(self, result: CellResult) -> None:
        fault = self._describe_fault(result.fault)
        self._channel.send(
            FrameKind.DONE,
            head={
                "status": result.status,
                "limit": result.limit,
                "characters": self._output.finish(),
                "value_bytes": len(result.value),
                "value_is_repr": result.value_is_repr,
                "media": [[blob.media_type, len(blob)] for blob in result.media],
                "is_reusable": not self._channel.is_broken,
            },
            body=b"".join((result.value, *result.media, fault)),
        )

    def _describe_fault(self, fault: Fault | None) -> bytes:
        hint = self._forgotten_hint()
        if fault is None:
            if hint is not None:
                self._print_hint(hint)
            return b""
        if fault.hint is None:
            fault = fault._replace(hint=hint)
        return json.dumps(fault.to_dict()).encode()

    def _print_hint(self, hint: str) -> None:
        with contextlib.suppress(Stop):
            self._output.write(f"hint: {hint}\n")

    def _send_text(self, text: str) -> None:
        self._channel.send(FrameKind.OUTPUT, body=text.encode("utf-8", "replace"))

    def _on_interrupt(self, number: int, _frame: types.FrameType | None) -> None:
        cell = self._cell
        if cell is None or cell.done():
            return
        # Wakes the loop where it waits, and reaches the program where it awaits something.
        self._loop.call_soon_threadsafe(cell.cancel)
        running = asyncio.current_task(self._loop)
        if running is None or running is self._main or self._channel.is_sending:
            return
        limit = "cpu" if number == signal.SIGXCPU else "wall"
        raise Stop(limit, "the run was stopped at its time limit")

    def _on_unawaited(self, coroutine: Any) -> None:
        name = getattr(coroutine, "__qualname__", "")
        if name not in self._forgotten:
            self._forgotten.append(name)

    def _on_task_failure(self, _loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        error = details.get("exception")
        if not isinstance(error, Exception):
            return
        fault = describe(error)
        where = "" if fault.line is None else f" (line {fault.line})"
        self._print_hint(f"a background task failed: {fault.type}: {fault.message}{where}")

    def _forgotten_hint(self) -> str | None:
        for name, value in self._variables.items():
            if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == "CORO_CREATED":
                return f"{name} holds {value.__qualname__}(...), called without await"
        if not self._forgotten:
            return None
        return f"{self._forgotten[0]}(...) was called without await, so it did not run"


async def _undisturbed(wait: Callable[[], Any]) -> Any:
    """Await again and again where a program cancelled the guest's own task."""
    while True:
        try:
            return await wait()
        except asyncio.CancelledError:
            continue


def _hide_paths(text: str) -> str:
    """Show the standard library and this package under neutral names."""
    for path, shown in (
        (str(Path(os.__file__).parent), "/python"),
        (str(Path(__file__).parent), "/toolweft"),
    ):
        text = text.replace(path, shown)
    return text


def _cap_threads(max_threads: int) -> None:
    """Refuse threads above a number; memory is what limits a program that goes round this."""
    for name in ("start_new_thread", "start_joinable_thread"):
        original = getattr(_thread, name, None)
        if original is None:
            continue
        capped = _capped(original, _thread._count, max_threads)  # noqa: SLF001  no public count has those of _thread
        setattr(_thread, name, capped)
        for attribute in (f"_{name}", name):
            if getattr(threading, attribute, None) is original:
                setattr(threading, attribute, capped)


def _capped(start: Callable[..., Any], count: Callable[[], int], max_threads: int) -> Any:
    def start_thread(*arguments: Any, **named: Any) -> Any:
        if count() >= max_threads:
            raise RuntimeError(f"can't start new thread: the limit is {max_threads} threads")
        return start(*arguments, **named)

    return start_thread
