"""The only place that writes: results to stdout, diagnostics to stderr.

Names, descriptions and results come from servers and programs: on a terminal their control
characters are shown, never obeyed. Rich is imported only when a table is drawn.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from toolweft.cli.errors import ReaderGone
from toolweft.core.json import Json

__all__ = (
    "Column",
    "note",
    "printable",
    "render_table",
    "write",
    "write_error",
    "write_json",
    "write_table",
)

# Everything that moves the cursor, changes the terminal, or reorders what is read: C0 and C1
# controls but tab and newline, and the bidirectional controls.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_GAP = "  "
# Of a column that gives way: enough to recognise what stands there.
_MIN_WIDTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    title: str
    right: bool = False
    # The one that gives way where the terminal is narrow.
    flexible: bool = False


def write(text: str, *, end: str = "\n") -> None:
    """Write a piece of a result to stdout, at once.

    Raises:
        ReaderGone: nobody reads it any more.
    """
    _print(printable(text) if sys.stdout.isatty() else text, end=end)


def write_json(value: Json) -> None:
    """Write a result as indented JSON to stdout."""
    # A lone surrogate is written "\\ud800", which is JSON just as well.
    write(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def write_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout, as wide as the terminal."""
    _print(render_table(columns, rows), end="")


def _print(text: str, *, end: str) -> None:
    try:
        print(_whole(text), end=end, flush=True)
    except BrokenPipeError as exc:
        raise ReaderGone from exc


def note(text: str) -> None:
    """Write a line of diagnostics to stderr."""
    shown = printable(text) if sys.stderr.isatty() else text
    print(_whole(shown), file=sys.stderr, flush=True)


def write_error(code: str, message: str, *, hint: str | None = None) -> None:
    """Write an expected error to stderr as one block: what happened, then what to do."""
    lines = [f"error: {message}", f"  code: {code}"]
    if hint:
        lines.append(f"  next: {hint}")
    note("\n".join(lines))


def printable(text: str) -> str:
    r"""The text with control and bidirectional characters shown as `\x1b`, `\u202e`, ..."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _whole(text: str) -> str:
    r"""The text with lone surrogates, which no stream takes, shown as `\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode()


def render_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """The table as text, with bold titles where stdout is a terminal that wants them.

    On a terminal the flexible column is cut to what the others leave; elsewhere nothing is.

    Args:
        columns: from left to right.
        rows: one string per column, shown as it is, without markup.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A cell of several lines would pass for rows of its own.
    cells = [[Text(printable(cell.replace("\n", " "))) for cell in row] for row in rows]
    widths = [
        max([len(column.title), *(row[index].cell_len for row in cells)])
        for index, column in enumerate(columns)
    ]
    console = Console()
    if console.is_terminal:
        widths = _fit(widths, columns, console.width)
    console.width = sum(widths) + len(_GAP) * len(widths)
    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=width, no_wrap=True)
    for row in cells:
        table.add_row(*row)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _fit(widths: list[int], columns: Sequence[Column], available: int) -> list[int]:
    """The widths, the flexible columns' cut until all fit, though never to nothing."""
    gaps = len(_GAP) * (len(widths) - 1)
    missing = sum(widths) + gaps - available
    return [
        max(_MIN_WIDTH, width - missing)
        if column.flexible and missing > 0 and width > _MIN_WIDTH
        else width
        for width, column in zip(widths, columns, strict=True)
    ]
