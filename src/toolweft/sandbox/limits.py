"""Limits in words: what each allowed, and what raises it.

Programs meet some limits inside, where only the bare error is known; the host adds the value and
the setting, so that every limit reads alike.
"""

from collections.abc import Mapping
from dataclasses import replace

from toolweft.core.programs import LimitName, ProgramError, ProgramLimits
from toolweft.sandbox.guest.limits import Limits

__all__ = ("explain_limit", "fixed_limits", "limit_error", "memory_words")

_MIB = 1024 * 1024
# Of the limits that the guest's own system holds, and whose errors do not tell their values.
_SETTINGS: Mapping[LimitName, str] = {
    "memory": "limits.memory_bytes",
    "files": "limits.max_files",
    "disk": "limits.disk_bytes",
    "threads": "limits.max_threads",
}


def fixed_limits(limits: ProgramLimits) -> Limits:
    """Those of a session's limits that are fixed once its guest is made."""
    return Limits(
        memory_bytes=limits.memory_bytes,
        disk_bytes=limits.disk_bytes,
        max_files=limits.max_files,
        max_threads=limits.max_threads,
    )


def memory_words(memory_bytes: int) -> str:
    """A size as it is configured: "64 MiB", or in bytes where that is not whole."""
    if memory_bytes % _MIB:
        return f"{memory_bytes:,} bytes"
    return f"{memory_bytes // _MIB:,} MiB"


def explain_limit(limit: LimitName, limits: ProgramLimits, reported: ProgramError) -> ProgramError:
    """The guest's error at one of its limits, with the limit's value and what raises it.

    Args:
        limit: which it met.
        limits: of the run, with those of its session.
        reported: as the guest says it; kept as it is where it tells both already.
    """
    setting = _SETTINGS.get(limit)
    if setting is None:
        return reported
    values: dict[LimitName, str] = {
        "memory": memory_words(limits.memory_bytes),
        "files": f"{limits.max_files} open at once",
        "disk": memory_words(limits.disk_bytes),
        "threads": f"{limits.max_threads} threads",
    }
    value = f"the limit is {values[limit]}"
    message = reported.message
    if value not in message:
        message = f"{message} ({value})"
    advice = f"{reported.hint}; " if reported.hint else ""
    return replace(reported, message=message, hint=f"{advice}{setting} raises it")


def limit_error(
    limit: LimitName, limits: ProgramLimits, reported: ProgramError | None
) -> ProgramError:
    """The error of a run the host stopped, with the line where the program was, if it said so."""
    messages: dict[str, tuple[str, str]] = {
        "wall": (
            f"time limit: the run took longer than {limits.wall_s:g} s",
            "do less in one run, or await tools together with asyncio.gather;"
            " limits.wall_s raises it",
        ),
        "cpu": (
            f"time limit: the run used more than {limits.active_s:g} s of processor time",
            "do less work in one run; limits.active_s raises it",
        ),
        "calls": (
            f"call limit: the run made more than {limits.max_calls} calls",
            "use a tool that takes many items at once, or split the work over several runs;"
            " limits.max_calls raises it",
        ),
        "output": (
            f"output limit: more than {limits.max_output_characters:,} characters were printed",
            "print less, or aggregate before printing; limits.max_output_characters raises it",
        ),
    }
    message, hint = messages[limit]
    return ProgramError(
        type="LimitExceeded",
        message=message,
        traceback="" if reported is None else reported.traceback,
        line=None if reported is None else reported.line,
        hint=hint,
    )
