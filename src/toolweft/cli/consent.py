"""Questions to the person at the terminal; where there is none, nothing is asked."""

import sys

from toolweft.cli.errors import UsageFault
from toolweft.cli.output import note

__all__ = ("can_ask", "check_consent", "is_agreed", "read_answer")


def can_ask() -> bool:
    """Whether somebody sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_agreed(question: str) -> bool:
    """Ask a question on stderr; anything but yes is no."""
    note(f"{question} [y/N]")
    return read_answer() is True


def read_answer() -> bool | None:
    """The line that somebody types: anything but yes is no; None where there is none."""
    line = sys.stdin.readline()
    return line.strip().lower() in {"y", "yes"} if line else None


def check_consent(question: str, *, given: bool) -> bool:
    """Whether the changes may be made.

    Args:
        question: asked on a terminal.
        given: whether --yes was.

    Raises:
        UsageFault: it was not, and nobody can be asked.
    """
    if given:
        return True
    if can_ask():
        return is_agreed(question)
    raise UsageFault(
        "nothing was changed: there is no terminal to ask on",
        hint="--yes makes the changes, --dry-run shows them",
    )
