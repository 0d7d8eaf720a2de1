"""A session: one interpreter process and its runs, one after the other."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pydantic_monty as monty

from toolweft.core.clock import Clock
from toolweft.core.errors import ContainerBusy, SandboxError, SandboxUnavailable
from toolweft.core.ports import GuestCallHandler, GuestNames, SandboxOutcome
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits, ProgramStats
from toolweft.sandbox.ending import (
    CLOSED_ERROR,
    closed_outcome,
    crash_outcome,
    is_exit_without_fault,
)
from toolweft.sandbox.limits import explain_limit
from toolweft.sandbox.monty.faults import ProgramText, describe
from toolweft.sandbox.monty.prelude import PRELUDE, WORKER_NAMES, binding_code
from toolweft.sandbox.monty.rewrite import rewrite
from toolweft.sandbox.monty.run import BrokenWord, MontyRun, read_value
from toolweft.sandbox.monty.worker import Worker
from toolweft.sandbox.session import check_source

__all__ = ("MontySession",)

# Programs whose text is kept for tracebacks into functions of earlier runs.
_MAX_TEXTS = 100
_START_S = 10.0


class MontySession:
    """One interpreter and the runs in it."""

    def __init__(self, worker: Worker, *, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock
        self._active: MontyRun | None = None
        self._is_over = False
        # From outside, while a program ran.
        self._is_closed = False
        self._texts: dict[str, ProgramText] = {}
        self._runs = 0
        # A name is bound when a program's text first has it, so earlier runs' names count too.
        self._names = GuestNames()

    @classmethod
    async def open(cls, limits: ProgramLimits, *, clock: Clock) -> "MontySession":
        """A fresh interpreter with the names every program finds.

        Raises:
            SandboxUnavailable: it does not start.
        """
        worker = await Worker.start(limits)
        try:
            with anyio.fail_after(_START_S):
                await worker.feed(PRELUDE, lambda _stream, _text: None)
        except BaseException as fault:
            with anyio.CancelScope(shield=True):
                await worker.close()
            if isinstance(fault, (monty.MontyError, TimeoutError)):
                raise SandboxUnavailable(f"the interpreter is not usable: {fault}") from fault
            raise
        return cls(worker, clock=clock)

    @property
    def is_alive(self) -> bool:
        """Whether another run is possible."""
        return not (self._is_over or self._worker.is_dead or self._worker.was_killed)

    @property
    def process_id(self) -> int | None:
        """Of the interpreter, for whoever looks at it from outside; None once it has ended."""
        return self._worker.process_id

    def memory_bytes(self) -> int:
        """What the process holds now; see `core.ports.SandboxSession`."""
        return self._worker.memory_bytes()

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        """End the run and the process; see `core.ports.SandboxSession`."""
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
        limits = replace(limits, memory_bytes=self._worker.max_memory_bytes)
        self._active = run = MontyRun(
            worker=self._worker,
            clock=self._clock,
            limits=limits,
            on_call=on_call,
            on_output=on_output,
        )
        try:
            return await self._run(run, code, names, limits)
        except BaseException:
            self._is_over = True
            raise
        finally:
            self._active = None
            if not self.is_alive:
                with anyio.CancelScope(shield=True):
                    await self.close()

    async def close(self) -> None:
        """End the process; idempotent."""
        if self._active is not None and not self._is_over:
            self._is_closed = True
            # It may wait for a tool, and would until that answers.
            self._active.stop("wall", CLOSED_ERROR)
        self._is_over = True
        await self._worker.close()

    async def _run(
        self, run: MontyRun, code: str, names: GuestNames, limits: ProgramLimits
    ) -> SandboxOutcome:
        # In a thread, as reading a long program takes a while.
        self._names = known = _together(self._names, names)
        text, binding = await asyncio.to_thread(_prepare, code, known, limits)
        self._runs += 1
        # The binding comes first, the program after it.
        self._remember(f"<python-input-{self._worker.feeds + 1}>", code)
        try:
            output = await run.execute(binding, text)
            if run.stopped is not None:
                return self._stopped(run, run.stopped)
            return _finished(run, output, limits, self._stats(run))
        except monty.MontyCrashedError as fault:
            return self._gone(run, fault, limits)
        except BrokenWord as fault:
            self._is_over = True
            return self._crash(run, f"{fault}", limits)
        except monty.MontyError as fault:
            if run.stopped is not None:
                return self._stopped(run, run.stopped)
            return self._failed(run, fault, limits)

    def _failed(
        self, run: MontyRun, fault: monty.MontyError, limits: ProgramLimits
    ) -> SandboxOutcome:
        told = describe(fault, failures=run.failures, texts=self._texts)
        self._is_over |= told.is_final
        error = told.error
        if told.status == "error" and is_exit_without_fault(error):
            return _outcome(run, self._stats(run), status="ok")
        if told.limit is not None:
            error = explain_limit(told.limit, limits, error)
        return _outcome(run, self._stats(run), status=told.status, limit=told.limit, error=error)

    def _gone(
        self, run: MontyRun, fault: monty.MontyCrashedError, limits: ProgramLimits
    ) -> SandboxOutcome:
        self._is_over = True
        if run.stopped is not None:
            return self._stopped(run, run.stopped)
        if fault.timed_out:
            return self._stopped(run, "cpu")
        return self._crash(run, "", limits)

    def _crash(self, run: MontyRun, fault: str, limits: ProgramLimits) -> SandboxOutcome:
        return crash_outcome(
            exit_status=1,
            was_killed=False,
            fault=fault,
            stdout=run.stdout,
            stats=self._stats(run),
            limits=limits,
        )

    def _stopped(self, run: MontyRun, limit: LimitName) -> SandboxOutcome:
        self._is_over = True
        if self._is_closed:
            return closed_outcome(stdout=run.stdout, stats=self._stats(run))
        error = run.error_of(limit)
        return _outcome(run, self._stats(run), status="limit", limit=limit, error=error)

    def _stats(self, run: MontyRun) -> ProgramStats:
        return run.meter.stats(peak_mem_bytes=self._worker.peak_memory_bytes())

    def _remember(self, name: str, code: str) -> None:
        self._texts[name] = ProgramText(number=self._runs, source=code)
        while len(self._texts) > _MAX_TEXTS:
            del self._texts[next(iter(self._texts))]

    def _check_ready(self) -> None:
        if self._active is not None:
            raise ContainerBusy("a run is already in this container", hint="wait for it to end")
        if not self.is_alive:
            raise SandboxError(
                "this container's process has ended", hint="open a new one; variables are gone"
            )


def _together(known: GuestNames, more: GuestNames) -> GuestNames:
    return GuestNames(
        namespaces=tuple(dict.fromkeys((*known.namespaces, *more.namespaces))),
        functions=tuple(dict.fromkeys((*known.functions, *more.functions))),
        positional={**known.positional, **more.positional},
        has_handles=known.has_handles or more.has_handles,
        has_workers=known.has_workers or more.has_workers,
    )


def _prepare(code: str, names: GuestNames, limits: ProgramLimits) -> tuple[str, str]:
    functions = frozenset((*names.functions, *(WORKER_NAMES if names.has_workers else ())))
    marked, is_read = rewrite(code, namespaces=frozenset(names.namespaces), functions=functions)
    return (marked if is_read else f"{code}\n_tw_value(None)"), binding_code(code, names, limits)


def _finished(
    run: MontyRun, output: Any, limits: ProgramLimits, stats: ProgramStats
) -> SandboxOutcome:
    if not (isinstance(output, tuple) and len(output) == 2):
        # Every program ends with a value of ours, unless it left before its end.
        error = ProgramError(type="SyntaxError", message="'return' outside function")
        return _outcome(run, stats, status="error", error=error)
    kind, value = read_value(output, limits)
    if kind == "large":
        error = ProgramError(
            type="ValueTooLarge",
            message="the value of the last expression is larger than"
            f" {limits.max_value_bytes} bytes",
            hint="print a summary, or keep the value in a variable;"
            " limits.max_value_bytes raises it",
        )
        return _outcome(run, stats, status="limit", limit="result", error=error)
    return _outcome(run, stats, status="ok", value=value, value_is_repr=kind == "repr")


def _outcome(run: MontyRun, stats: ProgramStats, **fields: Any) -> SandboxOutcome:
    stdout = run.stdout
    return SandboxOutcome(
        stdout=stdout,
        stdout_characters=max(run.characters, len(stdout)),
        stats=stats,
        **fields,
    )
