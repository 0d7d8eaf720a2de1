"""How a program ended, from the interpreter's errors to the product's own words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pydantic_monty as monty

from toolweft.core.calls import Failure
from toolweft.core.programs import LimitName, ProgramError
from toolweft.sandbox.monty.prelude import NO_LOAD, NO_LOAD_TEXT, OWN_PREFIX, TOOL_ERROR_TYPES
from toolweft.sandbox.monty.worker import MAX_DEPTH, is_rejected

__all__ = ("Fault", "ProgramText", "describe")

_MAX_MESSAGE_CHARACTERS = 4000
_MAX_TRACEBACK_CHARACTERS = 4000
_MAX_END_FRAMES = 3
_LIMIT_OF_CODE: Mapping[str, LimitName] = {
    "argument_too_large": "arguments",
    "result_too_large": "result",
}
_UNSUPPORTED_HINT = (
    "this sandbox runs a part of Python: no generators, inheritance, properties or `del`;"
    ' sandbox.backend = "process" runs all of it'
)
_MODULE_HINT = (
    "this sandbox has a part of the standard library: json, re, math, datetime, collections,"
    " itertools, functools, decimal, csv, random, base64, hashlib and a few more"
)
_AWAIT_HINT = "a tool was called without await: write `await` before the call"
_PARSER_HINT = (
    "split the deeply nested expression into several statements; the parser's depth is fixed"
)
_RECURSION_HINT = "use a loop instead of recursion; this depth is fixed"
_MEMORY_HINT = "work on smaller pieces; variables stay between runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramText:
    """The text of one run, for its lines in tracebacks."""

    number: int
    source: str

    def line(self, number: int) -> str:
        """One line, stripped; empty where there is none."""
        lines = self.source.split("\n")
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The status an error stands for."""

    status: Literal["error", "invalid", "limit"]
    error: ProgramError
    limit: LimitName | None = None
    # Whether the interpreter's budget is used up, so that no program can follow.
    is_final: bool = False


def describe(
    error: monty.MontyError,
    *,
    failures: Mapping[str, Failure],
    texts: Mapping[str, ProgramText],
) -> Fault:
    """An error the program raised, or the interpreter on its behalf.

    Args:
        error: what the library raised.
        failures: failed calls of this run, by the text the program got.
        texts: programs of this session by the name the interpreter has for them.
    """
    kind, _, message = str(error).partition(": ")
    if isinstance(error, monty.MontySyntaxError):
        kind, message = "SyntaxError", str(error)
    places = (
        error.traceback()
        if isinstance(error, (monty.MontyRuntimeError, monty.MontySyntaxError))
        else []
    )
    frames = [
        frame
        for frame in places
        if frame.filename in texts and not (frame.function_name or "").startswith(OWN_PREFIX)
    ]
    line = frames[-1].line if frames else None
    if is_rejected(error) and places:
        line = places[-1].line
    if isinstance(error, monty.MontySyntaxError):
        deep = "too deeply nested" in message
        hint = _PARSER_HINT if deep else None
        fault = ProgramError(type=kind, message=message, line=line, hint=hint)
        return _fault(fault, limit="parser" if deep else None, status="invalid")
    if is_rejected(error):
        fault = ProgramError(
            type="UnsupportedSyntax", message=message, line=line, hint=_UNSUPPORTED_HINT
        )
        return _fault(fault, status="invalid")
    fault = ProgramError(
        type="ToolError" if kind in TOOL_ERROR_TYPES else kind,
        message=message,
        traceback=_render(frames, texts),
        line=line,
    )
    failure = failures.get(message) or (NO_LOAD if message == NO_LOAD_TEXT else None)
    if fault.type == "ToolError" and failure is not None:
        fault = replace(fault, message=failure.message, hint=failure.hint)
        return _fault(fault, limit=_LIMIT_OF_CODE.get(failure.code))
    limit, hint, is_final = _own_limit(kind, message)
    if limit == "recursion":
        fault = replace(fault, message=f"{message} (the limit is {MAX_DEPTH} frames)")
    if kind == "SystemExit":
        fault = replace(fault, message=f"the program called sys.exit({message})")
    return _fault(replace(fault, hint=hint or _hint(kind, message)), limit=limit, is_final=is_final)


def _own_limit(kind: str, message: str) -> tuple[LimitName | None, str | None, bool]:
    """(limit, hint, whether the session is used up) of an error of the interpreter's limits."""
    if kind == "MemoryError":
        return "memory", _MEMORY_HINT, True
    if kind == "TimeoutError" and "time limit exceeded" in message:
        return "cpu", "do less work in one run", True
    if kind == "RecursionError":
        return "recursion", _RECURSION_HINT, False
    return None, None, False


def _hint(kind: str, message: str) -> str | None:
    if kind in ("ModuleNotFoundError", "ImportError"):
        return _MODULE_HINT
    if "'coroutine'" in message:
        return _AWAIT_HINT
    if kind == "AttributeError" and message.startswith("module '"):
        return _UNSUPPORTED_HINT
    return None


def _fault(
    error: ProgramError,
    *,
    limit: LimitName | None = None,
    status: Literal["error", "invalid"] = "error",
    is_final: bool = False,
) -> Fault:
    text = error.traceback
    if text:
        text = f"{text}{error.type}: {error.message[:1000]}"[-_MAX_TRACEBACK_CHARACTERS:]
    return Fault(
        status=status if limit is None else "limit",
        limit=limit,
        error=replace(error, message=error.message[:_MAX_MESSAGE_CHARACTERS], traceback=text),
        is_final=is_final,
    )


def _render(frames: list[Any], texts: Mapping[str, ProgramText]) -> str:
    parts = []
    for index, frame in enumerate(frames):
        if _MAX_END_FRAMES <= index < len(frames) - _MAX_END_FRAMES:
            if index == _MAX_END_FRAMES:
                parts.append(f"  ... {len(frames) - 2 * _MAX_END_FRAMES} more frames\n")
            continue
        text = texts[frame.filename]
        name = frame.function_name or "<module>"
        parts.append(f'  File "<run {text.number}>", line {frame.line}, in {name}\n')
        if source := text.line(frame.line):
            parts.append(f"    {source[:200]}\n")
    return "".join(parts)
