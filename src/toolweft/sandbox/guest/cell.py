"""One program: parsed, made awaitable at the top, compiled, run to its end.

Kept apart from the channel and the loop so that it runs anywhere.
"""

import ast
import asyncio
import builtins
import inspect
import json
import linecache
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .channel import check_size
from .faults import PARSER_HINT, Fault, Stop, describe
from .media import MAX_MEDIA, MAX_MEDIA_BYTES, fetch_media, take_blob
from .names import PROGRAM_PREFIX, Blob, ToolError

__all__ = ("CellResult", "Program", "parse_program", "run_program")

_MAX_REPR_CHARACTERS = 2000
# Faults of these in the parser mean one thing: the source is nested too deeply.
_PARSER_MESSAGES = ("too many nested", "too many statically nested", "parser stack overflow")
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_BUILTINS = dict(vars(builtins))


class CellResult(NamedTuple):
    """How a program ended, ready to be sent."""

    status: str
    limit: str | None = None
    value: bytes = b""
    value_is_repr: bool = False
    # Images and sounds of the value, in order.
    media: tuple[Blob, ...] = ()
    fault: Fault | None = None


class Program(NamedTuple):
    """Compiled source: statements, and the last expression if there is one."""

    filename: str
    body: Any
    last: Any


class _ParserLimit(Exception):
    pass


def parse_program(code: str, filename: str) -> Program:
    """Compile source with `await` allowed at the top and `asyncio.run(x)` there made `await x`.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it holds a NUL byte.
        RecursionError, MemoryError: it is nested too deeply.
    """
    tree = ast.parse(code, filename)
    # Most programs have no such call, and walking a tree costs more than looking at the text.
    if "asyncio" in code:
        tree = ast.fix_missing_locations(_AwaitInsteadOfRun(tree).visit(tree))
    last = None
    if tree.body and isinstance(final := tree.body[-1], ast.Expr):
        tree.body.pop()
        expression = ast.Expression(final.value)
        last = compile(expression, filename, "eval", flags=_TOP_LEVEL_AWAIT, dont_inherit=True)
    body = compile(tree, filename, "exec", flags=_TOP_LEVEL_AWAIT, dont_inherit=True)
    return Program(filename, body, last)


async def run_program(
    code: str,
    *,
    number: int,
    variables: dict[str, Any],
    max_value_bytes: int,
    hide: Callable[[str], str] = str,
) -> CellResult:
    """Run source in `variables`; never raises for what the program does."""
    filename = f"{PROGRAM_PREFIX}{number}>"
    try:
        program = _parse(code, filename)
    except _ParserLimit as fault:
        message = f"the program is too deeply nested: {fault}"
        described = Fault("SyntaxError", message, "", None, PARSER_HINT, "parser")
        return CellResult("limit", limit="parser", fault=described)
    except (SyntaxError, ValueError) as fault:
        return CellResult("invalid", fault=describe(fault, hide=hide))
    try:
        value = await fetch_media(await _execute(program, variables))
        restore_builtins()
        return _encode_value(value, max_value_bytes=max_value_bytes)
    except BaseException as error:
        restore_builtins()
        return _failed(error, hide)


def restore_builtins() -> None:
    """Undo what a program did to Python's builtins, which it shares with this package."""
    vars(builtins).update(_BUILTINS)


def _parse(code: str, filename: str) -> Program:
    lines = code.splitlines(keepends=True)
    # Tracebacks show source lines, of earlier runs too.
    linecache.cache[filename] = (len(code), None, lines, filename)
    try:
        return parse_program(code, filename)
    except (RecursionError, MemoryError) as fault:
        raise _ParserLimit(type(fault).__name__) from None
    except SyntaxError as fault:
        if any(text in str(fault.msg).lower() for text in _PARSER_MESSAGES):
            raise _ParserLimit(fault.msg) from None
        raise


async def _execute(program: Program, variables: dict[str, Any]) -> Any:
    value = None
    for code in (program.body, program.last):
        if code is None:
            continue
        # The one place where a model's text becomes code; the kernel is what confines it.
        value = eval(code, variables)  # nosec B307
        if code.co_flags & inspect.CO_COROUTINE:
            value = await value
    return value if program.last is not None else None


def _failed(error: BaseException, hide: Callable[[str], str]) -> CellResult:
    try:
        fault = describe(error, hide=hide)
    except BaseException as worse:
        # The program's own classes may misbehave while they are looked at.
        limit = "memory" if isinstance(worse, MemoryError) else None
        limit = worse.limit if isinstance(worse, Stop) else limit
        fault = Fault(type(error).__name__, f"<{type(worse).__name__}>", "", None, None, limit)
    if isinstance(error, asyncio.CancelledError):
        fault = fault._replace(message=fault.message or "the program cancelled itself")
    status = "error" if fault.limit is None else "limit"
    return CellResult(status, limit=fault.limit, fault=fault)


def _encode_value(value: Any, *, max_value_bytes: int) -> CellResult:
    if value is None:
        return CellResult("ok")
    if inspect.iscoroutine(value):
        # Never awaited: the runner finds it and says so.
        value.close()
        return CellResult("ok")
    media: list[Blob] = []
    text, is_repr = _value_text(value, media, max_value_bytes=max_value_bytes)
    if text is None or len(text) > max_value_bytes:
        return _too_large(
            f"the value of the last expression is larger than {max_value_bytes} bytes",
            "print a summary, or keep the value in a variable; limits.max_value_bytes raises it",
        )
    if len(media) > MAX_MEDIA or sum(map(len, media)) > MAX_MEDIA_BYTES:
        return _too_large(
            f"the value of the last expression holds {len(media)} images or sounds of"
            f" {sum(map(len, media)):,} bytes together",
            f"end with at most {MAX_MEDIA} of {MAX_MEDIA_BYTES:,} bytes together, or make them"
            " smaller; this is fixed",
        )
    return CellResult("ok", value=text, value_is_repr=is_repr, media=tuple(media))


def _too_large(message: str, hint: str) -> CellResult:
    fault = Fault("ValueTooLarge", message, "", None, hint, "result")
    return CellResult("limit", limit="result", fault=fault)


def _value_text(
    value: Any, media: list[Blob], *, max_value_bytes: int
) -> tuple[bytes | None, bool]:
    """(JSON text, whether it is of the repr); what is shown as it is goes to `media`."""
    try:
        if check_size(value, max_size=max_value_bytes) is None:
            return None, False
        text = json.dumps(
            value,
            allow_nan=False,
            ensure_ascii=False,
            separators=(",", ":"),
            default=partial(take_blob, found=media),
        )
        return text.encode(), False
    except (TypeError, ValueError, RecursionError, ToolError):
        media.clear()
        shown = repr(value)[:_MAX_REPR_CHARACTERS]
        return json.dumps(shown).encode(), True


class _AwaitInsteadOfRun(ast.NodeTransformer):
    """`asyncio.run(main())` at the top of a program becomes `await main()`.

    Models write it out of habit, and a loop is already running.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._modules = {"asyncio"}
        self._functions: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Import):
                self._modules |= {n.asname for n in node.names if n.name == "asyncio" and n.asname}
            elif isinstance(node, ast.ImportFrom) and node.module == "asyncio":
                self._functions |= {n.asname or n.name for n in node.names if n.name == "run"}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node.args and self._is_run(node.func):
            return ast.copy_location(ast.Await(node.args[0]), node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        # A loop of its own is impossible there too, and awaiting means the same.
        return self.generic_visit(node)

    def _stay(self, node: ast.AST) -> ast.AST:
        return node

    # `await` is not allowed in these; at run time a hint tells what to do instead.
    visit_FunctionDef = _stay  # noqa: N815  the names ast.NodeVisitor looks for
    visit_Lambda = _stay  # noqa: N815
    visit_ClassDef = _stay  # noqa: N815

    def _is_run(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Name):
            return function.id in self._functions
        return (
            isinstance(function, ast.Attribute)
            and function.attr == "run"
            and isinstance(function.value, ast.Name)
            and function.value.id in self._modules
        )
