"""Patterns in a program that the sandbox refuses or that lead nowhere, each with an alternative.

Named for better messages only: nothing here protects anything, the process boundary does.
"""

import ast
from collections.abc import Collection, Iterator

from toolweft.core.programs import ProgramWarning

__all__ = ("find_patterns",)

_NETWORK = "there is no network in programs"
_PROCESS = "programs cannot start processes"
_UNSAFE_DATA = "such data can run code when it is read"
_NATIVE = "native code is out of reach of programs"
_DYNAMIC = "code made at run time cannot be checked"

_NETWORK_HINT = "call a tool instead; tools.search('…') finds one"
_PROCESS_HINT = "use the standard library, or call a tool"
_JSON_HINT = "use json"
_DYNAMIC_HINT = "write the code itself, or a dict of functions"
_FILES_HINT = "only an empty scratch folder exists, gone with the container; call a tool for files"

_MODULES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            "aiohttp",
            "ftplib",
            "http",
            "httpx",
            "imaplib",
            "poplib",
            "requests",
            "smtplib",
            "socket",
            "socketserver",
            "ssl",
            "telnetlib",
            "urllib3",
            "websockets",
            "xmlrpc",
        ),
        (_NETWORK, _NETWORK_HINT),
    ),
    "urllib.request": (_NETWORK, _NETWORK_HINT),
    **dict.fromkeys(("subprocess", "multiprocessing", "pty"), (_PROCESS, _PROCESS_HINT)),
    **dict.fromkeys(
        ("pickle", "marshal", "shelve", "dill", "cloudpickle"), (_UNSAFE_DATA, _JSON_HINT)
    ),
    **dict.fromkeys(("ctypes", "cffi"), (_NATIVE, "use the standard library")),
    **dict.fromkeys(("importlib", "imp", "runpy"), (_DYNAMIC, "use a plain import")),
    **dict.fromkeys(
        ("shutil", "tempfile", "glob"), ("files of the host do not exist here", _FILES_HINT)
    ),
}
_CALLS: dict[str, tuple[str, str]] = {
    "open": ("files of the host do not exist here", _FILES_HINT),
    "eval": (_DYNAMIC, "use ast.literal_eval or json.loads for data"),
    "exec": (_DYNAMIC, _DYNAMIC_HINT),
    "compile": (_DYNAMIC, _DYNAMIC_HINT),
    "__import__": (_DYNAMIC, "use a plain import"),
    "input": ("there is nobody to answer input()", "put the value into the program"),
}
_OS_PROCESS_PREFIXES = ("system", "popen", "fork", "exec", "spawn", "posix_spawn", "kill")
_INTERNALS = frozenset(
    {
        "__builtins__",
        "__globals__",
        "__subclasses__",
        "__code__",
        "__closure__",
        "__mro__",
        "__bases__",
        "__base__",
        "__loader__",
        "__getattribute__",
        "_getframe",
        "f_globals",
        "f_builtins",
        "gi_frame",
        "cr_frame",
        "tb_frame",
    }
)
_INTERNALS_FAULT = "the interpreter's internals are not part of the program"
_INTERNALS_HINT = "use plain names and attributes"


def find_patterns(tree: ast.AST, *, own: Collection[str] = ()) -> list[ProgramWarning]:
    """Every forbidden pattern in order of lines, each pattern once per line.

    Args:
        tree: the program.
        own: names the program binds itself; its own `open()` is nobody's business.
    """
    found = {
        (line, message): ProgramWarning(line=line, message=message, hint=hint)
        for node in ast.walk(tree)
        for line, message, hint in _patterns_at(node, own)
    }
    found |= {(w.line, w.message): w for w in _find_lost_loops(tree)}
    return [found[key] for key in sorted(found)]


def _patterns_at(node: ast.AST, own: Collection[str]) -> Iterator[tuple[int, str, str]]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield from _import_of(alias.name, node.lineno)
        case ast.ImportFrom(module=str(module), names=names):
            found = list(_import_of(module, node.lineno))
            for alias in [] if found else names:
                found += _import_of(f"{module}.{alias.name}", node.lineno)
            yield from found
        case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]) if not (
            isinstance(name, ast.Constant)
        ):
            message = "getattr() with a computed name"
            yield node.lineno, f"{message}: {_DYNAMIC}", "name the attribute, or use a dict"
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS and name not in own:
            reason, hint = _CALLS[name]
            yield node.lineno, f"{name}(): {reason}", hint
        case ast.Attribute(value=ast.Name(id="os"), attr=name) if name.startswith(
            _OS_PROCESS_PREFIXES
        ):
            yield node.lineno, f"os.{name}: {_PROCESS}", _PROCESS_HINT
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in _INTERNALS:
            yield node.lineno, f"{name}: {_INTERNALS_FAULT}", _INTERNALS_HINT


def _import_of(module: str, line: int) -> Iterator[tuple[int, str, str]]:
    for known in (module, module.split(".", 1)[0]):
        if known in _MODULES:
            reason, hint = _MODULES[known]
            yield line, f"import {module}: {reason}", hint
            return


def _find_lost_loops(tree: ast.AST) -> Iterator[ProgramWarning]:
    """Event loops started where one already runs: only `asyncio.run` at the top level works."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="run")):
                    called = "asyncio.run() inside a def"
                case ast.Call(func=ast.Attribute(attr="run_until_complete")):
                    called = "run_until_complete()"
                case _:
                    continue
            yield ProgramWarning(
                line=node.lineno,
                message=f"{called}: an event loop already runs",
                hint="make the function async and await it; top-level await works",
            )
