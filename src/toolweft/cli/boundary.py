"""Where every error meets the user, once.

Expected errors print as one block and end with their exit code; anything else is a bug: its
traceback goes to a file that the message names. Called by `main` alone.
"""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from toolweft.cli.errors import ReaderGone, UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.output import note, write_error
from toolweft.core.errors import ConfigError, ToolweftError

__all__ = ("run_guarded",)


def run_guarded(action: Callable[[], object]) -> int:
    """Run the command line; its exit code, whatever happened.

    Args:
        action: the typer application, which ends with `SystemExit` as a rule.
    """
    try:
        action()
    except SystemExit as exit_:
        return _closed(exit_.code)
    except BaseException as error:
        return _report(error)
    return ExitCode.OK


def _report(error: BaseException) -> int:
    cause = _single(error)
    match cause:
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case ReaderGone():
            return _silence()
        case ConfigError() | UsageFault():
            write_error(cause.code, cause.message, hint=cause.hint)
            return ExitCode.USAGE
        case ToolweftError():
            write_error(cause.code, cause.message, hint=cause.hint)
            return ExitCode.FAILED
        case _:
            return _report_bug(error)


def _single(error: BaseException) -> BaseException:
    """The one error inside nested groups of one, as task groups wrap them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _report_bug(error: BaseException) -> int:
    text = "".join(traceback.format_exception(error))
    last = _single(error)
    note(f"error: toolweft failed: {type(last).__name__}: {last}")
    path = _write_log(text)
    if path is None:
        note(text)
    else:
        note(f"  log:  {path}\n  next: this is a fault of toolweft; please report it with the log")
    return ExitCode.BUG


def _write_log(text: str) -> Path | None:
    """A new private file that holds the traceback; None where none can be written."""
    try:
        handle, name = tempfile.mkstemp(prefix="toolweft-", suffix=".log", text=True)
        with os.fdopen(handle, "w", encoding="utf-8") as log:
            log.write(f"python {sys.version}\n{text}")
    except OSError:
        return None
    return Path(name)


def _closed(code: object) -> int:
    """The exit code, after what is still in stdout's buffer has left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _silence()
    if code is None:
        return ExitCode.OK
    return code if isinstance(code, int) else ExitCode.FAILED


def _silence() -> int:
    # The interpreter flushes stdout once more at its end, and would complain there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.CLOSED_PIPE
