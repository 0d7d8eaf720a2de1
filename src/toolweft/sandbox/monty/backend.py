"""The interpreter as a backend: no system to reach, on any platform."""

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import (
    GuestCall,
    GuestNames,
    GuestReply,
    IsolationReport,
    SandboxCapabilities,
    SandboxOutcome,
)
from toolweft.core.programs import LimitName, ProgramLimits
from toolweft.sandbox.abilities import MONTY_CAPABILITIES
from toolweft.sandbox.monty.session import MontySession
from toolweft.sandbox.options import SandboxOptions

__all__ = ("MontyBackend",)

_MIB = 1024 * 1024
# Time enough to meet every other limit first, on a busy machine too.
_PROOF = ProgramLimits(memory_bytes=64 * _MIB, active_s=5.0, wall_s=10.0, max_output_characters=999)
# For the program that only computes: it uses all of it.
_SHORT = replace(_PROOF, active_s=0.3)
# What has to be refused or stopped before anything of a user runs, and how.
_REFUSED = (
    "open('/etc/passwd').read()",
    "import os\nos.environ",
    "import os\nos.listdir('/')",
    "import socket",
    "import subprocess",
    "import ctypes",
    "().__class__.__mro__[-1].__subclasses__()",
)
_LIMITED: tuple[tuple[str, LimitName, ProgramLimits], ...] = (
    # In few steps: on a busy machine many would take longer than the time that is tried next.
    ("x = []\nwhile True:\n    x.append('a' * 100_000)", "memory", _PROOF),
    ("while True:\n    pass", "cpu", _SHORT),
    ("print('x' * 5000)\nwhile True:\n    pass", "output", _PROOF),
)


class MontyBackend:
    """One interpreter process for each session."""

    def __init__(self, options: SandboxOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._reports: list[IsolationReport] = []
        self._sessions: set[MontySession] = set()

    async def __aenter__(self) -> Self:
        """Prove that nothing is reached and that limits hold."""
        self._reports.clear()
        reason = ""
        try:
            with anyio.fail_after(self._options.probe_timeout_s):
                reason = await self._faults()
        except TimeoutError:
            reason = f"the dry run took longer than {self._options.probe_timeout_s:g} s"
        except SandboxUnavailable as fault:
            reason = str(fault)
        self._reports.append(
            IsolationReport(tier=MONTY_CAPABILITIES.tier, holds=not reason, reason=reason)
        )
        if reason:
            raise SandboxUnavailable(f"the interpreter does not hold on this machine ({reason})")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every session."""
        with anyio.CancelScope(shield=True):
            for session in self._sessions:
                await session.close()
            self._sessions.clear()

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What programs can do here."""
        return MONTY_CAPABILITIES

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """The one dry run."""
        return tuple(self._reports)

    async def open(self, limits: ProgramLimits, *, environment: str | None = None) -> MontySession:
        """A fresh session."""
        if environment is not None:
            raise SandboxUnavailable(
                f"environment {environment!r} cannot be used: the interpreter imports no packages",
                hint='sandbox.backend = "process" or "container" has environments',
            )
        session = await MontySession.open(limits, clock=self._clock)
        self._sessions = {known for known in self._sessions if known.is_alive}
        self._sessions.add(session)
        return session

    async def _faults(self) -> str:
        """The first thing that is not as it has to be; empty where all is."""
        session = await MontySession.open(_PROOF, clock=self._clock)
        try:
            for code in _REFUSED:
                outcome = await _try(session, code, _PROOF)
                if outcome.status not in ("error", "invalid"):
                    return f"{code!r} was not refused"
        finally:
            await session.close()
        for code, limit, limits in _LIMITED:
            session = await MontySession.open(limits, clock=self._clock)
            try:
                outcome = await _try(session, code, limits)
            finally:
                await session.close()
            if outcome.limit != limit:
                return f"{code!r} did not meet its {limit} limit"
        return ""


async def _try(session: MontySession, code: str, limits: ProgramLimits) -> SandboxOutcome:
    async def refuse(_call: GuestCall) -> GuestReply:
        return GuestReply()

    return await session.run(code, names=GuestNames(), limits=limits, on_call=refuse)
