"""The errors only a command line can have."""

from toolweft.core.errors import ToolweftError

__all__ = ("ReaderGone", "UsageFault")


class UsageFault(ToolweftError):
    """What was typed cannot be used; the process ends with `ExitCode.USAGE`."""

    code = "usage"


class ReaderGone(Exception):
    """Whoever read stdout went away; the process ends quietly, as one killed by SIGPIPE.

    No `OSError`: typer would answer a broken pipe itself, with an exit code that means failure.
    """
