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
# The host holds these, and stops the program.
_STOPPED: frozenset[LimitName] = frozenset({"wall", "cpu", "calls", "output"})


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


def explain_limit(
    limit: LimitName, limits: ProgramLimits, reported: ProgramError | None
) -> ProgramError:
    """The error at a limit that the guest says it met: its value, and what raises it.

    Args:
        limit: which it met.
        limits: of the run, with those of its session.
        reported: as the guest says it; kept as it is where it tells both already. None, or
            without a message, where it says nothing.
    """
    if limit in _STOPPED:
        return limit_error(limit, limits, reported)
    if reported is None or not reported.message:
        reported = _own_words(limit, limits, reported)
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
    advice = reported.hint or ""
    if setting not in advice:
        advice = f"{advice}; {setting} raises it" if advice else f"{setting} raises it"
    return replace(reported, message=message, hint=advice)


def _own_words(
    limit: LimitName, limits: ProgramLimits, reported: ProgramError | None
) -> ProgramError:
    """What the host knows of a limit that the guest only named."""
    words: dict[LimitName, tuple[str, str | None]] = {
        "memory": ("memory limit: the program used all the memory it may have", None),
        "files": ("file limit: the program had too many files open", None),
        "disk": ("disk limit: the program's scratch folder is full", None),
        "threads": ("thread limit: the program started too many threads", None),
        "recursion": (
            "recursion limit: functions called each other too deeply",
            "use a loop instead of recursion",
        ),
        "parser": (
            "parser limit: the program is nested too deeply",
            "split deeply nested expressions; Python's parser fixes this depth",
        ),
        "arguments": (
            "argument limit: the arguments of a call are larger than"
            f" {limits.max_argument_bytes:,} bytes",
            "send less in one call; limits.max_argument_bytes raises it",
        ),
        "result": (
            f"result limit: a call's result is larger than {limits.max_result_bytes:,} bytes,"
            f" or the program's value than {limits.max_value_bytes:,}",
            "ask for less, or print a summary; limits.max_result_bytes and"
            " limits.max_value_bytes raise it",
        ),
    }
    message, hint = words[limit]
    told = ProgramError(type="LimitExceeded", message=message, hint=hint)
    if reported is None:
        return told
    return replace(reported, message=message, hint=reported.hint or hint)


def limit_error(
    limit: LimitName, limits: ProgramLimits, reported: ProgramError | None
) -> ProgramError:
    """The error of a run stopped from outside, with the line where the program was, if known."""
    messages: dict[LimitName, tuple[str, str]] = {
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
