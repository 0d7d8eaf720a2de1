"""What the process says when it ends; part of the public interface, listed in `--help`."""

from enum import IntEnum

__all__ = ("ExitCode",)


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    # The tool, the program or the check that was asked for failed.
    FAILED = 1
    # The command line or the configuration cannot be used.
    USAGE = 2
    # A fault of toolweft itself.
    BUG = 3
    INTERRUPTED = 130
    # The reader of stdout went away: 128 + SIGPIPE, as the shell counts.
    CLOSED_PIPE = 141
