"""One interpreter process: driven from a thread of its own, ended by the host at any time.

The library's asynchronous interface can abort this process at exit, so only the synchronous one is
used; each of its steps blocks a thread, never the event loop.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pydantic_monty as monty

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.programs import ProgramLimits

__all__ = ("MAX_DEPTH", "Worker", "is_rejected")

# Of the library's own watchdog, for work that looks at no clock; the host's own comes first.
_GRACE_S = 1.0
_START_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 5.0
# Of calls inside one another; the interpreter has no more.
MAX_DEPTH = 1000
# Above what the host itself allows, so that the host comes first.
_CPU_MARGIN_S = 2
# Suspensions are name look-ups too, so calls are counted by the host and these are not.
_MAX_SUSPENSIONS = 2**31 - 1
_NICENESS = 10
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

ResultT = TypeVar("ResultT")


def _is_unnumbered(fault: monty.MontyError) -> bool:
    """Whether a text was refused so early that the interpreter gave it no number."""
    return isinstance(fault, monty.MontySyntaxError) and not any(
        frame.filename.startswith("<python-input-") for frame in fault.traceback()
    )


def is_rejected(fault: monty.MontyError) -> bool:
    """Whether a text was refused before any of it ran."""
    return isinstance(fault, monty.MontySyntaxError) or str(fault).startswith(
        "NotImplementedError: The monty syntax parser does not"
    )


class Worker:
    """One process of the interpreter, for one session."""

    def __init__(self, limits: ProgramLimits) -> None:
        self._limits = limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="toolweft-monty")
        self._stack = contextlib.ExitStack()
        self._session: Any = None
        self._pid: int | None = None
        self._active_s = 0.0
        self._step_started_s: float | None = None
        self._peak_bytes = 0
        self.is_dead = False
        self.was_killed = False
        # Programs fed so far; the interpreter numbers its sources the same way.
        self.feeds = 0

    @classmethod
    async def start(cls, limits: ProgramLimits) -> "Worker":
        """A process that is ready.

        Raises:
            SandboxUnavailable: it does not start, or not in time.
        """
        worker = cls(limits)
        pending = worker._thread.submit(worker._open)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await asyncio.wrap_future(pending)
        except BaseException as fault:
            pending.add_done_callback(worker._abandon)
            worker._thread.shutdown(wait=False)
            # The library raises many things where it cannot find its program.
            if isinstance(fault, Exception):
                said = f"{type(fault).__name__}: {fault}" if str(fault) else "not in time"
                raise SandboxUnavailable(f"the interpreter did not start: {said}") from fault
            raise
        return worker

    @property
    def process_id(self) -> int | None:
        """Of the interpreter; None where it has ended."""
        return None if self.is_dead else self._pid

    @property
    def max_memory_bytes(self) -> int:
        """What its programs may use."""
        return self._limits.memory_bytes

    def active_s(self) -> float:
        """Seconds the interpreter was at work since it started, the step it is in included."""
        started = self._step_started_s
        return self._active_s + (0.0 if started is None else time.monotonic() - started)

    def peak_memory_bytes(self) -> int:
        """The most memory its process used; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            self._peak_bytes = self._read_memory("VmHWM:")
        return self._peak_bytes

    def memory_bytes(self) -> int:
        """What its process has resident now; 0 where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return self._read_memory("RssAnon:")
        return 0

    def feed(self, code: str, on_print: Callable[[str, str], None]) -> "asyncio.Future[Any]":
        """Start a program; the result is where it stops first."""
        self.feeds += 1

        def start() -> Any:
            try:
                return self._session.feed_start(code, print_callback=on_print)
            except monty.MontyError as fault:
                if _is_unnumbered(fault):
                    self.feeds -= 1
                raise

        return self.step(start)

    def step(self, action: Callable[[], ResultT]) -> "asyncio.Future[ResultT]":
        """Let the interpreter go on, in its thread."""
        return asyncio.wrap_future(self._thread.submit(self._timed, action))

    def limit_cpu(self, budget_s: float) -> None:
        """Have the system end the process when it used this much more, should the host be gone."""
        if sys.platform != "linux" or self._pid is None:
            return
        import resource

        with contextlib.suppress(OSError):
            _, hard = resource.prlimit(self._pid, resource.RLIMIT_CPU)
            soft = math.ceil(self.active_s() + budget_s) + _CPU_MARGIN_S
            resource.prlimit(self._pid, resource.RLIMIT_CPU, (soft, hard))

    def _read_memory(self, name: str) -> int:
        text = Path(f"/proc/{self._pid}/status").read_text("ascii")
        return int(text.partition(name)[2].split()[0]) * 1024

    def kill(self) -> None:
        """End the process at once; whatever step it is in then fails. Safe from any thread."""
        if self.is_dead or self._pid is None:
            return
        self.was_killed = True
        with contextlib.suppress(OSError):
            os.kill(self._pid, _KILL)

    async def close(self) -> None:
        """End the process and let go of everything; idempotent."""
        if self._thread is None or self._session is None:
            return
        self.peak_memory_bytes()
        self.kill()
        self._session = None
        self.is_dead = True
        pending = self._thread.submit(self._stack.close)
        self._thread.shutdown(wait=False)
        with contextlib.suppress(TimeoutError, monty.MontyError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                await asyncio.wrap_future(pending)

    def _open(self) -> None:
        limits: monty.ResourceLimits = {
            "max_memory": self._limits.memory_bytes,
            # The host stops a run by its own limit; this one ends what the host forgot.
            "max_feed_duration_secs": max(self._limits.active_s, self._limits.wall_s),
            "max_recursion_depth": MAX_DEPTH,
            "max_suspensions": _MAX_SUSPENSIONS,
        }
        pool = monty.Monty(min_processes=1, max_processes=1, feed_duration_limit_grace=_GRACE_S)
        checkout = self._stack.enter_context(pool).checkout(
            limits=limits,
            os_policy={"sleep": "call_host"},
            # As in Python: the message of an assertion is what the program says.
            assert_message_annotations=False,
        )
        self._session = self._stack.enter_context(checkout)
        self._pid = self._session.worker_pid
        if self._pid is not None and hasattr(os, "setpriority"):
            # A program that computes gives way to its host.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._pid, _NICENESS)

    def _abandon(self, _pending: "Future[None]") -> None:
        self.kill()
        with contextlib.suppress(monty.MontyError):
            self._stack.close()

    def _timed(self, action: Callable[[], ResultT]) -> ResultT:
        self._step_started_s = started = time.monotonic()
        try:
            return action()
        except (monty.MontyCrashedError, monty.MontyShutdown, monty.MontyDisconnectError):
            self.is_dead = True
            raise
        finally:
            self._active_s += time.monotonic() - started
            self._step_started_s = None
