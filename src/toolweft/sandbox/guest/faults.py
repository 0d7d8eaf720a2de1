"""What went wrong in a program, in the program's own terms.

An exception becomes type, message, the program's own frames and line, a hint where one helps, and
the name of the limit it stands for, if it is one.
"""

import errno
import linecache
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

from .names import PROGRAM_PREFIX, ToolError

__all__ = ("PARSER_HINT", "Fault", "Stop", "describe", "limit_of")

_MAX_MESSAGE_CHARACTERS = 4000
_MAX_TRACEBACK_CHARACTERS = 4000
# Frames kept from either end of a deep traceback, and links of a chain.
_MAX_END_FRAMES = 3
_MAX_CHAIN = 3
_MAX_LEAVES = 5
_MAX_DEPTH = 100_000

_LIMIT_OF_CODE = {
    "argument_too_large": "arguments",
    "result_too_large": "result",
    "call_limit": "calls",
}
_LIMIT_OF_ERRNO = {
    errno.EMFILE: "files",
    errno.ENFILE: "files",
    errno.ENOSPC: "disk",
    errno.EFBIG: "disk",
    errno.EDQUOT: "disk",
}
PARSER_HINT = (
    "split the deeply nested expression into several statements; Python's parser fixes this depth"
)
_HINTS = {
    "memory": "work on smaller pieces, and `del` large variables: they stay between runs",
    "recursion": (
        "use a loop instead of recursion; sys.setrecursionlimit raises it, as far as the stack goes"
    ),
    "parser": PARSER_HINT,
    "files": "close files after use: `with open(...) as file`",
    "disk": "the scratch folder is small; keep data in variables, delete files after use",
    "threads": "use asyncio.gather for parallel calls",
}
_LOOP_HINT = (
    "the program already runs inside an event loop: make the function async and `await` it,"
    " without asyncio.run or run_until_complete"
)
_LOOP_MESSAGES = ("cannot be called from a running event loop", "event loop is already running")


class Stop(BaseException):
    """Raised inside a program at a limit; not an `Exception`, so it passes most handlers."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class Fault(NamedTuple):
    """An exception, described."""

    type: str
    message: str
    traceback: str
    line: int | None
    hint: str | None
    limit: str | None

    def to_dict(self) -> dict[str, Any]:
        """The fault as the channel carries it; the limit goes separately."""
        fields = self._asdict()
        del fields["limit"]
        return fields


def limit_of(error: BaseException) -> str | None:
    """The limit an exception stands for; the first one found in a group."""
    for leaf in _leaves(error):
        limit = _limit_of_leaf(leaf)
        if limit is not None:
            return limit
    return None


def describe(error: BaseException, *, hide: Callable[[str], str] = str) -> Fault:
    """Everything about an exception that helps whoever wrote the program.

    Args:
        error: what the program raised.
        hide: takes the host's paths out of a text.
    """
    limit = limit_of(error)
    hint = getattr(error, "hint", None) if isinstance(error, ToolError) else None
    message = hide(_message_of(error))
    if isinstance(error, MemoryError) and not message:
        message = "memory limit: the program used all the memory it may have"
    if isinstance(error, RecursionError):
        message = f"{message} (the limit is {sys.getrecursionlimit()} frames)"
    if limit is not None and hint is None:
        hint = _HINTS.get(limit)
    if isinstance(error, RuntimeError) and any(text in message for text in _LOOP_MESSAGES):
        hint = _LOOP_HINT
    traceback = hide(render_traceback(error))
    return Fault(
        type(error).__name__,
        message,
        traceback[-_MAX_TRACEBACK_CHARACTERS:],
        line_of(error),
        hint,
        limit,
    )


def line_of(error: BaseException) -> int | None:
    """The program's line to blame: the innermost one."""
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(PROGRAM_PREFIX):
        return error.lineno
    frames = program_frames(error.__traceback__)
    return frames[-1][1] if frames else None


def program_frames(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    """(file, line, function) of the program's own frames, outermost first."""
    frames = []
    depth = 0
    while traceback is not None and depth < _MAX_DEPTH:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(PROGRAM_PREFIX):
            frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
        depth += 1
    return frames


def render_traceback(error: BaseException) -> str:
    """The program's own frames and the message, as Python prints them, causes first."""
    parts: list[str] = []
    link: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if link is None:
            break
        parts.append(_render_one(link))
        if link.__cause__ is not None:
            link = link.__cause__
        elif link.__suppress_context__:
            break
        else:
            link = link.__context__
    return "\nThen, while that was handled:\n".join(reversed(parts))


def _render_one(error: BaseException) -> str:
    frames = program_frames(error.__traceback__)
    lines = []
    for index, (file, line, function) in enumerate(frames):
        if _MAX_END_FRAMES <= index < len(frames) - _MAX_END_FRAMES:
            if index == _MAX_END_FRAMES:
                lines.append(f"  ... {len(frames) - 2 * _MAX_END_FRAMES} more frames")
            continue
        lines.append(f'  File "{file}", line {line}, in {function}')
        source = linecache.getline(file, line).strip()
        if source:
            lines.append(f"    {source[:200]}")
    if isinstance(error, SyntaxError) and error.text:
        lines.append(f'  File "{error.filename}", line {error.lineno}')
        lines.append(f"    {error.text.strip()[:200]}")
    return "\n".join([*lines, f"{type(error).__name__}: {_message_of(error)[:1000]}"])


def _message_of(error: BaseException) -> str:
    text = _printed(_own_message, error)
    return text[:_MAX_MESSAGE_CHARACTERS].encode("utf-8", "replace").decode()


def _own_message(error: BaseException) -> str:
    if isinstance(error, ToolError):
        text = str(error.message)
        if error.tool is not None and error.tool not in text:
            text = f"{error.tool}: {text}"
        return text
    if isinstance(error, SyntaxError):
        return str(error.msg)
    if isinstance(error, SystemExit):
        return f"the program called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, BaseExceptionGroup):
        return _group_message(error)
    return str(error)


def _printed(say: Callable[[BaseException], str], error: BaseException) -> str:
    """What an exception says; what its own code raises meanwhile is not what went wrong.

    But for memory: the text of an error can be what takes all of it.
    """
    try:
        return say(error)
    except (Stop, MemoryError):
        raise
    except BaseException as fault:
        return f"<its message cannot be printed: {type(fault).__name__}>"


def _group_message(group: BaseExceptionGroup[BaseException]) -> str:
    leaves = list(_leaves(group))
    shown = "; ".join(
        f"{type(leaf).__name__}: {_message_of(leaf)[:300]}" for leaf in leaves[:_MAX_LEAVES]
    )
    more = len(leaves) - _MAX_LEAVES
    return f"{group.message}: {shown}" + (f"; and {more} more" if more > 0 else "")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    pending = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, BaseExceptionGroup):
            pending.extend(reversed(current.exceptions))
        else:
            yield current


def _limit_of_leaf(error: BaseException) -> str | None:
    if isinstance(error, Stop):
        return error.limit
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, RecursionError):
        return "recursion"
    if isinstance(error, ToolError):
        return _LIMIT_OF_CODE.get(str(error.code))
    if isinstance(error, OSError):
        return _LIMIT_OF_ERRNO.get(error.errno or 0)
    if isinstance(error, RuntimeError) and "can't start new thread" in _printed(str, error):
        return "threads"
    return None
