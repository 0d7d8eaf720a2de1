"""What every isolation is put to before it is used: attempts to get out, and every limit met once.

The session is a throw-away one; backends add what only they can see from outside.
"""

import json
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TypeAlias

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import (
    GuestCall,
    GuestNames,
    GuestReply,
    SandboxOutcome,
    SandboxSession,
)
from toolweft.core.programs import LimitName, ProgramLimits
from toolweft.sandbox.guest.probe import ATTEMPTS

__all__ = ("TRIAL_LIMITS", "OpenNext", "check_status", "try_limits", "try_session")

OpenNext: TypeAlias = Callable[[], Awaitable[SandboxSession]]

_MIB = 1024 * 1024
TRIAL_LIMITS = ProgramLimits(
    memory_bytes=256 * _MIB,
    disk_bytes=2 * _MIB,
    max_threads=4,
    max_files=32,
    active_s=5.0,
    wall_s=10.0,
    max_calls=1,
    kept_characters=10,
    max_output_characters=100,
)
# Only a guest with a file system and process ids of its own withstands these.
_OWN_FILES_ONLY = frozenset({"host file size", "host process ids", "scratch size"})
# The guest's package is imported there under its own name.
_PROBE_PROGRAM = """
from guest.probe import attempt_all
attempt_all(canary={canary!r}, names={names!r})
"""
_CONNECTION_PROGRAM = "[await probe(value=1), 1 + 1]"
# Nothing imports it beforehand, so this needs the standard library's files.
_IMPORT_PROGRAM = "import sched\n[1, 2]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _LimitCase:
    limit: LimitName
    code: str
    limits: ProgramLimits


_LIMIT_CASES = (
    _LimitCase(limit="cpu", code="while True: pass", limits=replace(TRIAL_LIMITS, active_s=0.02)),
    _LimitCase(
        limit="wall",
        code="import asyncio\nawait asyncio.Future()",
        limits=replace(TRIAL_LIMITS, wall_s=0.02),
    ),
    _LimitCase(limit="output", code="while True: print('x' * 50)", limits=TRIAL_LIMITS),
    _LimitCase(limit="calls", code="while True: await probe(value=1)", limits=TRIAL_LIMITS),
    _LimitCase(limit="memory", code=f"bytearray({TRIAL_LIMITS.memory_bytes})", limits=TRIAL_LIMITS),
)


# What /proc tells about a confined process, in its own words.
_STATUS = {"Seccomp": "2", "NoNewPrivs": "1"}
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def check_status(status: Mapping[str, str]) -> None:
    """Check what the kernel says of a guest's process.

    Raises:
        SandboxUnavailable: it is less confined than it should be.
    """
    for field, expected in _STATUS.items():
        if status.get(field) != expected:
            raise SandboxUnavailable(f"{field} of a guest is {status.get(field)!r}, not {expected}")
    for field in _CAPABILITIES:
        if int(status.get(field, "1"), 16) != 0:
            raise SandboxUnavailable(f"a guest has capabilities: {field} {status.get(field)!r}")


async def try_session(
    session: SandboxSession, *, own_files: bool, imports: bool, open_next: OpenNext | None = None
) -> None:
    """Return where everything holds.

    Args:
        session: a throw-away one, opened with `TRIAL_LIMITS`.
        own_files: it has files and process ids of its own, so more must be refused.
        imports: modules that nothing imported beforehand can be.
        open_next: another such session; see `try_limits`.

    Raises:
        SandboxUnavailable: something does not hold; the message names it.
    """
    await _check_attempts(session, own_files=own_files)
    await try_limits(session, imports=imports, open_next=open_next)


async def try_limits(
    session: SandboxSession, *, imports: bool, open_next: OpenNext | None = None
) -> None:
    """Return where programs compute and meet every limit.

    Args:
        session: a throw-away one, opened with `TRIAL_LIMITS`.
        imports: modules that nothing imported beforehand can be.
        open_next: another such session, for where a limit ended one: on a busy machine a program
            may notice too late that it was stopped, and is ended. None where there is only one.

    Raises:
        SandboxUnavailable: something does not hold; the message names it.
    """
    programs = [_CONNECTION_PROGRAM]
    if imports:
        programs.append(_IMPORT_PROGRAM)
    for program in programs:
        outcome = await _run(session, program, TRIAL_LIMITS)
        if outcome.value != b"[1,2]":
            raise SandboxUnavailable(f"a guest does not compute: {_describe(outcome)}")
    async with AsyncExitStack() as stack:
        for case in _LIMIT_CASES:
            if not session.is_alive and open_next is not None:
                session = await open_next()
                stack.push_async_callback(session.close)
            outcome = await _run(session, case.code, case.limits)
            if outcome.limit != case.limit:
                described = _describe(outcome)
                raise SandboxUnavailable(f"the {case.limit} limit does not hold: {described}")


async def _check_attempts(session: SandboxSession, *, own_files: bool) -> None:
    names = [name for name in ATTEMPTS if own_files or name not in _OWN_FILES_ONLY]
    # It lives as long as it is open.
    with tempfile.NamedTemporaryFile(prefix="toolweft-probe-") as canary:
        code = _PROBE_PROGRAM.format(canary=canary.name, names=names)
        outcome = await _run(session, code, TRIAL_LIMITS)
    if outcome.status != "ok" or outcome.value_is_repr:
        raise SandboxUnavailable(f"the probe did not finish: {_describe(outcome)}")
    failures = json.loads(outcome.value)
    if failures:
        listed = "; ".join(f"{name} {what}" for name, what in sorted(failures.items()))
        raise SandboxUnavailable(f"a guest is not confined: {listed}")


async def _run(session: SandboxSession, code: str, limits: ProgramLimits) -> SandboxOutcome:
    names = GuestNames(functions=("probe",))
    return await session.run(code, names=names, limits=limits, on_call=_answer)


async def _answer(call: GuestCall) -> GuestReply:
    return GuestReply(payload=b"%d" % call.index)


def _describe(outcome: SandboxOutcome) -> str:
    error = "" if outcome.error is None else f" {outcome.error.type}: {outcome.error.message}"
    return f"{outcome.status}{error}"
