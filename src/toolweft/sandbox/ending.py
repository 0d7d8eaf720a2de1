"""How a run ended: from what the host saw and the guest reported to a `SandboxOutcome`."""

import json
import signal
from dataclasses import dataclass
from typing import Final, Literal, TypeGuard, get_args

from toolweft.core.calls import Blob
from toolweft.core.json import Json
from toolweft.core.ports import SandboxOutcome
from toolweft.core.programs import (
    SESSION_LIMITS,
    LimitName,
    ProgramError,
    ProgramLimits,
    ProgramStats,
)
from toolweft.sandbox.channel import CLOSED
from toolweft.sandbox.guest.media import MAX_MEDIA, MAX_MEDIA_BYTES, is_media
from toolweft.sandbox.guest.wire import Frame, FrameError
from toolweft.sandbox.limits import explain_limit

__all__ = (
    "CLOSED_ERROR",
    "MAX_LINE",
    "Report",
    "closed_outcome",
    "crash_outcome",
    "is_exit_without_fault",
    "parse_report",
)

_GuestStatus = Literal["ok", "error", "invalid", "limit"]
# No program has as many lines; larger numbers are forged to fill whoever shows them.
MAX_LINE = 10_000_000
_MAX_TEXT_CHARACTERS = 4096
# No program prints as much within any time it gets.
_MAX_CHARACTERS = 2**53
# The guest ends with the number of a fatal signal as its status, see guest/runner.py.
_FATAL_SIGNALS = {
    "SIGSEGV": "an invalid memory access",
    "SIGBUS": "an invalid memory access",
    "SIGFPE": "an arithmetic fault",
    "SIGILL": "an invalid instruction",
    "SIGABRT": "an abort of the interpreter",
}
CLOSED_ERROR: Final = ProgramError(
    type="Cancelled",
    message="the run was stopped: its container was closed",
    hint="calls that ended are done, variables are gone; run the rest again in a new container",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a guest said about the end of its program; checked, not trusted."""

    status: _GuestStatus
    limit: LimitName | None
    characters: int
    value: bytes
    value_is_repr: bool
    media: tuple[Blob, ...]
    is_reusable: bool
    error: ProgramError | None


def parse_report(frame: Frame, *, limits: ProgramLimits) -> Report:
    """Read the last frame of a run.

    Raises:
        FrameError: it is not what a guest sends.
    """
    head = frame.head
    status, limit, size = head.get("status"), head.get("limit"), head.get("value_bytes")
    characters = head.get("characters")
    if not _is_status(status) or not (limit is None or _is_limit(limit)):
        raise FrameError("the end of the run has an unknown status")
    if (status == "limit") != (limit is not None):
        raise FrameError("the end of the run has a limit that does not fit its status")
    if type(size) is not int or not 0 <= size <= min(limits.max_value_bytes, len(frame.body)):
        raise FrameError("the end of the run has a value of impossible size")
    if type(characters) is not int or not 0 <= characters <= _MAX_CHARACTERS:
        raise FrameError("the end of the run has an impossible output size")
    media = _parse_media(head.get("media"), frame.body[size:])
    if media and status != "ok":
        raise FrameError("the end of the run has media but no value")
    text = frame.body[size + sum(len(blob.data) for blob in media) :]
    error = _parse_error(text) if text else None
    if limit is not None:
        error = explain_limit(limit, limits, error)
    is_done = status == "error" and error is not None and is_exit_without_fault(error)
    return Report(
        status="ok" if is_done else status,
        limit=limit,
        characters=characters,
        value=frame.body[:size],
        value_is_repr=head.get("value_is_repr") is True,
        media=media,
        is_reusable=head.get("is_reusable") is True,
        error=None if is_done else error,
    )


def is_exit_without_fault(error: ProgramError) -> bool:
    """Whether a program just said that it is done: `sys.exit()`."""
    return error.type == "SystemExit" and error.message.endswith(("sys.exit()", "sys.exit(0)"))


def crash_outcome(
    *,
    exit_status: int,
    was_killed: bool,
    fault: str,
    stdout: str,
    stats: ProgramStats,
    limits: ProgramLimits,
) -> SandboxOutcome:
    """The outcome of a run whose process ended without a report.

    Args:
        exit_status: as waitpid tells it; negative for a signal.
        was_killed: by the host, as it had broken the channel, or by somebody else; where it was
            not, the system kills a process only for its memory.
        fault: why the channel broke; empty where the process just went away, `CLOSED` where
            the host closed it.
        stdout: what it printed before.
        stats: what it used.
        limits: of the run, with those of its session.
    """
    if fault == CLOSED:
        return closed_outcome(stdout=stdout, stats=stats)
    limit: LimitName | None = None
    hint = "run again in a new container; variables are gone"
    if fault:
        message = f"the program broke its channel to the host: {fault}"
    elif _signal_name(-exit_status) == "SIGKILL" and not was_killed:
        limit = "memory"
        message = "memory limit: the system ended the program's process, which used too much memory"
    elif (name := _signal_name(abs(exit_status))) in _FATAL_SIGNALS:
        message = f"the program's process crashed with {name}, {_FATAL_SIGNALS[name]}"
    elif exit_status < 0:
        message = f"the program's process was ended by signal {-exit_status}"
    else:
        message = f"the program ended its process with status {exit_status} before it was done"
    error = ProgramError(type="Crash", message=message, hint=hint)
    return SandboxOutcome(
        status="crashed" if limit is None else "limit",
        limit=limit,
        stdout=stdout,
        stdout_characters=len(stdout),
        error=error if limit is None else explain_limit(limit, limits, error),
        stats=stats,
    )


def closed_outcome(*, stdout: str, stats: ProgramStats) -> SandboxOutcome:
    """The outcome of a run whose session the host closed."""
    return SandboxOutcome(
        status="cancelled",
        stdout=stdout,
        stdout_characters=len(stdout),
        error=CLOSED_ERROR,
        stats=stats,
    )


def _signal_name(number: int) -> str:
    """The name of a signal, "SIGKILL"; empty where this system has none of that number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _is_status(value: Json) -> TypeGuard[_GuestStatus]:
    return value in get_args(_GuestStatus)


def _parse_media(told: Json, data: bytes) -> tuple[Blob, ...]:
    """The images and sounds that `data` begins with."""
    if told is None:
        return ()
    if not isinstance(told, list) or len(told) > MAX_MEDIA:
        raise FrameError("the end of the run has too many media, or none that can be")
    media: list[Blob] = []
    start = 0
    for item in told:
        media_type, size = item if isinstance(item, list) and len(item) == 2 else (None, None)
        if not is_media(media_type) or type(size) is not int or size < 0:
            raise FrameError("the end of the run has media of no known kind")
        if start + size > min(MAX_MEDIA_BYTES, len(data)):
            raise FrameError("the end of the run has media of impossible size")
        media.append(Blob(data=data[start : start + size], media_type=media_type))
        start += size
    return tuple(media)


def _is_limit(value: Json) -> TypeGuard[LimitName]:
    """Whether a guest can know of it: what all containers hold together it cannot."""
    return isinstance(value, str) and value in SESSION_LIMITS


def _parse_error(text: bytes) -> ProgramError:
    try:
        data: Json = json.loads(text)
    except (ValueError, RecursionError):
        raise FrameError("the end of the run has an unreadable error") from None
    if not isinstance(data, dict):
        raise FrameError("the end of the run has an unreadable error")
    line = data.get("line")
    return ProgramError(
        type=_text(data.get("type")) or "Exception",
        message=_text(data.get("message")) or "",
        traceback=_text(data.get("traceback")) or "",
        line=line if type(line) is int and 0 < line <= MAX_LINE else None,
        hint=_text(data.get("hint")),
    )


def _text(value: Json) -> str | None:
    if not isinstance(value, str):
        return None
    # A lone surrogate could not be encoded by whoever shows it.
    return value[:_MAX_TEXT_CHARACTERS].encode("utf-8", "replace").decode()
