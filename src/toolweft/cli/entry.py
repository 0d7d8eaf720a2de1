"""Where the command line begins, so light that nothing can be interrupted before it is ready.

What is behind it takes a moment to load. Nothing is open or begun in that time, so that an
interruption simply ends the process, with the exit code that interrupted commands have.
"""

import os
import signal
from types import FrameType
from typing import Final

__all__ = ("main",)

# As `exit_codes.ExitCode.INTERRUPTED`, which is not loaded yet.
_INTERRUPTED: Final = 130


def main() -> None:
    """Run the command line and end the process with its exit code."""
    before = signal.getsignal(signal.SIGINT)
    # Whoever started it without interruptions keeps it so.
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    try:
        from toolweft.cli.application import run

        signal.signal(signal.SIGINT, before)
        run()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
