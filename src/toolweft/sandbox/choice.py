"""The first of several backends that holds; decided once, at start.

Sessions never move from one to another: what a program can do is the same for all of a start.
"""

import platform
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from toolweft.core.clock import Clock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import (
    IsolationReport,
    SandboxBackend,
    SandboxCapabilities,
    SandboxSession,
)
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.abilities import MONTY_CAPABILITIES
from toolweft.sandbox.absent import AbsentBackend, is_linux, is_windows
from toolweft.sandbox.environments import describe_environments
from toolweft.sandbox.options import TIER_NAMES, UNSAFE_TIER, SandboxOptions

__all__ = ("ChosenBackend", "build_backend", "candidates", "expected", "monty_is_installed")

# Makes a backend; raises `SandboxUnavailable` where what it needs is not installed.
Candidate = Callable[[], SandboxBackend]


def monty_is_installed() -> bool:
    """Whether the interpreter's package is there."""
    return find_spec("pydantic_monty") is not None


def candidates(options: SandboxOptions, *, clock: Clock) -> tuple[Candidate, ...]:
    """What the options allow, best first."""

    def process() -> SandboxBackend:
        if not is_linux():
            return _without_linux(options)
        from toolweft.sandbox.process import ProcessBackend

        return ProcessBackend(options, clock=clock)

    def monty() -> SandboxBackend:
        if not monty_is_installed():
            raise SandboxUnavailable(
                "the interpreter is not installed", hint="pip install 'toolweft[monty]'"
            )
        from toolweft.sandbox.monty import MontyBackend

        return MontyBackend(options, clock=clock)

    if options.backend == "monty":
        return (monty,)
    # Whoever names a tier wants the process sandbox.
    if options.backend == "auto" and options.tier == "auto" and monty_is_installed():
        return process, monty
    return (process,)


def build_backend(
    options: SandboxOptions, *, clock: Clock, warm_limits: ProgramLimits
) -> SandboxBackend:
    """The backend the options name, not started.

    Args:
        options: what the user decided.
        clock: of its runs.
        warm_limits: of containers that are kept ready.
    """
    if options.backend == "container":
        if is_windows():
            return AbsentBackend(
                expected(options),
                reason="the container backend runs on Linux and macOS, this is Windows",
                hint='sandbox.backend = "monty" runs here',
            )
        from toolweft.sandbox.container import ContainerBackend

        return ContainerBackend(options, clock=clock, warm_limits=warm_limits)
    return ChosenBackend(candidates(options, clock=clock))


def expected(options: SandboxOptions) -> SandboxCapabilities:
    """What is shown before the start, when the tier is not known."""
    if options.backend == "container":
        return SandboxCapabilities(backend="container", tier="not started", language="CPython")
    takes_any = options.backend == "auto" and options.tier == "auto"
    if options.backend == "monty" or (takes_any and not is_linux()):
        return replace(MONTY_CAPABILITIES, tier="not started")
    return SandboxCapabilities(
        backend="process",
        tier=UNSAFE_TIER if options.tier == UNSAFE_TIER else "not started",
        language=f"CPython {platform.python_version()}",
        handles=True,
        environments=describe_environments(options.environments),
        is_isolated=options.tier != UNSAFE_TIER,
    )


def _without_linux(options: SandboxOptions) -> AbsentBackend:
    wanted = TIER_NAMES if options.tier == "auto" else (options.tier,)
    system = platform.system() or "another system"
    return AbsentBackend(
        replace(expected(replace(options, backend="process")), tier=", ".join(wanted)),
        reason=f"the process sandbox runs on Linux, this is {system}",
        hint='pip install \'toolweft[monty]\' and sandbox.backend = "auto" or "monty"',
    )


class ChosenBackend:
    """Stands in for the first candidate that starts, then is it."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        self._chosen: SandboxBackend | None = None
        self._reports: list[IsolationReport] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the first candidate that holds."""
        self._reports.clear()
        failures: list[SandboxUnavailable] = []
        for make in self._candidates:
            backend = None
            try:
                backend = make()
                self._chosen = await self._stack.enter_async_context(backend)
            except SandboxUnavailable as failure:
                failures.append(failure)
            if backend is not None:
                self._reports += backend.reports
            if self._chosen is not None:
                return self
        if len(failures) == 1:
            raise failures[0]
        raise SandboxUnavailable(
            "; ".join(failure.message for failure in failures), hint=failures[0].hint
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End what was started."""
        self._chosen = None
        await self._stack.__aexit__(None, None, None)

    @property
    def capabilities(self) -> SandboxCapabilities:
        """Those of the chosen one."""
        return self._running().capabilities

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """The dry runs of all that were tried, in order."""
        return tuple(self._reports)

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> SandboxSession:
        """A fresh session of the chosen one."""
        return await self._running().open(limits, environment=environment)

    def _running(self) -> SandboxBackend:
        if self._chosen is None:
            raise SandboxUnavailable(
                "the sandbox is not open", hint="use it inside `async with` the backend"
            )
        return self._chosen
