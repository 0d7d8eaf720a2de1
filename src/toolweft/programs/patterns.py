"""Patterns in a program that the sandbox refuses or that lead nowhere, each with an alternative.

Named for better messages only: nothing here protects anything, the process boundary does. Names
are followed through imports and plain assignments, and no further.
"""

import ast
import builtins
import re
from collections.abc import Collection, Iterator

from toolweft.core.programs import ProgramWarning
from toolweft.programs.forbidden import (
    CALLED,
    FILE_METHODS,
    FILES,
    FUNCTIONS,
    GETATTR,
    INTERNAL_NAMES,
    INTERNALS,
    MODULES,
    NO_FILES,
    STARRED,
    Reason,
)

__all__ = ("find_patterns",)

_BUILTINS = frozenset(dir(builtins))
# Take the name of an attribute as text.
_BY_NAME = frozenset({"builtins.getattr", "builtins.setattr", "builtins.delattr"})
_GETTERS = frozenset({"__getattribute__", "attrgetter", "get", "methodcaller", "pop"})
_FORMATS = frozenset({"format", "format_map"})
# A field of a format string that takes an attribute or a key: "{0.__class__}", "{x[__globals__]}".
_FIELD_PART = re.compile(r"[.\[](\w+)")
# Give the module that a text names.
_IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module"})
# Of chains such as a.b.c; longer ones are no module's.
_MAX_PARTS = 8

# Line, what was found, why not.
_Found = tuple[int, str, Reason]


def find_patterns(
    tree: ast.AST,
    *,
    own: Collection[str] = (),
    namespaces: Collection[str] = (),
    has_files: bool = True,
) -> list[ProgramWarning]:
    """Every forbidden pattern in order of lines, each pattern once per line.

    Args:
        tree: the program.
        own: names the program binds itself; its own `open()` is nobody's business.
        namespaces: of tools; a source may be named as a module is.
        has_files: whether programs have a scratch folder.
    """
    names = _Names(tree, own=own, namespaces=namespaces)
    found: dict[tuple[int, str], ProgramWarning] = {}
    for node in ast.walk(tree):
        for line, what, reason in _patterns_at(node, names):
            fault, hint = NO_FILES if reason is FILES and not has_files else reason
            message = f"{what}: {fault}"
            found[line, message] = ProgramWarning(line=line, message=message, hint=hint)
    found |= {(w.line, w.message): w for w in _find_lost_loops(tree)}
    return [found[key] for key in sorted(found)]


class _Names:
    """What the names of a program stand for."""

    def __init__(self, tree: ast.AST, *, own: Collection[str], namespaces: Collection[str]) -> None:
        self._own = own
        self._namespaces = namespaces
        # Name -> "os", "os.system": what an import or a plain assignment made of it.
        self._meanings: dict[str, str] = {}
        # Names of modules that were named at their import.
        self._named: set[str] = set()
        # Of an attribute's left side: what counts is the whole.
        self.inner: set[int] = set()
        self.called: set[int] = set()
        assigned: list[tuple[str, ast.expr]] = []
        for node in ast.walk(tree):
            match node:
                case ast.Import() | ast.ImportFrom():
                    self._add_import(node)
                case ast.Attribute(value=value):
                    self.inner.add(id(value))
                case ast.Call(func=func):
                    self.called.add(id(func))
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.NamedExpr(target=ast.Name(id=name), value=value)
                ):
                    assigned.append((name, value))
                case _:
                    pass
        for name, value in assigned:
            meaning = self.meaning(value)
            if meaning and ("." in meaning or self.is_reached(value)):
                self._meanings.setdefault(name, meaning)

    @property
    def has_paths(self) -> bool:
        """Whether anything of `pathlib` was imported."""
        return any(meaning.split(".", 1)[0] == "pathlib" for meaning in self._meanings.values())

    def meaning(self, node: ast.AST) -> str | None:
        """The dotted name an expression stands for, "os.system"; None where nobody knows."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and len(parts) < _MAX_PARTS:
            parts.append(node.attr)
            node = node.value
        root = self._root(node)
        return None if root is None else ".".join((root, *reversed(parts)))

    def is_named(self, node: ast.AST) -> bool:
        """Whether the import behind an expression was named already."""
        root = _leftmost(node)
        return isinstance(root, ast.Name) and root.id in self._named

    def is_reached(self, node: ast.AST) -> bool:
        """Whether an expression begins with a module that this program imports."""
        root = _leftmost(node)
        return not isinstance(root, ast.Name) or root.id in self._meanings

    def _root(self, node: ast.AST) -> str | None:
        match node:
            case ast.Name(id=name) if name in self._meanings:
                return self._meanings[name]
            case ast.Name(id=name) if name in self._own:
                return None
            case ast.Name(id=name) if name in _BUILTINS:
                return f"builtins.{name}"
            case ast.Name(id=name) if name not in self._namespaces:
                return name
            case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]) if (
                self._plain(func) in _IMPORTERS
            ):
                return module
            case ast.Subscript(value=value, slice=ast.Constant(value=str(module))) if (
                self._plain(value) == "sys.modules"
            ):
                return module
            case _:
                return None

    def _plain(self, node: ast.AST) -> str | None:
        """The meaning of a name or a chain of attributes; one of calls may be of any depth."""
        return self.meaning(node) if isinstance(_leftmost(node), ast.Name) else None

    def _add_import(self, node: ast.Import | ast.ImportFrom) -> None:
        prefix = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            whole = f"{prefix}{alias.name}"
            first = alias.name.split(".", 1)[0]
            is_first = isinstance(node, ast.Import) and alias.asname is None
            self._meanings[alias.asname or first] = first if is_first else whole
            if _reason_of(whole) is not None:
                self._named.add(alias.asname or first)


def _patterns_at(node: ast.AST, names: _Names) -> Iterator[_Found]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from _in_import(node)
        case ast.Call():
            yield from _in_call(node, names)
        case ast.Subscript(slice=ast.Constant(value=str(key))) if key in INTERNAL_NAMES:
            yield node.lineno, key, INTERNALS
    if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        yield from _in_name(node, names)


def _in_import(node: ast.Import | ast.ImportFrom) -> Iterator[_Found]:
    base = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        whole = f"{base}.{alias.name}" if base else alias.name
        # A module that is forbidden as a whole is named once, by its own name.
        what = base if _longest(base, MODULES) else whole
        reason = _reason_of(whole)
        if reason is not None:
            yield alias.lineno, f"import {what}", reason
        elif alias.name == "*" and base in STARRED:
            hint = "import by name what the program uses"
            yield alias.lineno, f"from {base} import *", Reason("it hides what is used", hint)


def _reason_of(imported: str) -> Reason | None:
    module = _longest(imported, MODULES)
    return MODULES[module] if module else FUNCTIONS.get(imported)


def _in_name(node: ast.Attribute | ast.Name, names: _Names) -> Iterator[_Found]:
    own = node.attr if isinstance(node, ast.Attribute) else node.id
    if own in INTERNAL_NAMES:
        yield node.lineno, own, INTERNALS
    # Of a chain only the whole is looked at: each part again would take time squared.
    if id(node) in names.inner or names.is_named(node):
        return
    meaning = names.meaning(node) or ""
    known = _longest(meaning, FUNCTIONS)
    if known in CALLED and (known != meaning or id(node) not in names.called):
        return
    if known:
        short = known.removeprefix("builtins.")
        yield node.lineno, short if short == known else f"{short}()", FUNCTIONS[known]
    elif isinstance(node, ast.Attribute) and names.is_reached(node):
        module = _longest(meaning, MODULES)
        if module:
            yield node.lineno, meaning, MODULES[module]


def _in_call(node: ast.Call, names: _Names) -> Iterator[_Found]:
    meaning = names.meaning(node.func) or ""
    last = meaning.rpartition(".")[2]
    if isinstance(node.func, ast.Attribute):
        last = node.func.attr
    if meaning in _BY_NAME and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
        yield node.lineno, f"{last}() with a computed name", GETATTR
    elif meaning == "operator.attrgetter" and not all(
        isinstance(argument, ast.Constant) for argument in node.args
    ):
        yield node.lineno, "attrgetter() with a computed name", GETATTR
    if meaning in _BY_NAME or last in _GETTERS:
        yield from _internals_in(node.args, node.lineno)
    match node.func:
        case ast.Attribute(value=ast.Constant(value=str(text)), attr=name) if name in _FORMATS:
            for part in _FIELD_PART.findall(text):
                if part in INTERNAL_NAMES:
                    yield node.lineno, part, INTERNALS
        case ast.Attribute(attr=name) if name in FILE_METHODS and names.has_paths:
            if not meaning:
                yield node.lineno, f"{name}()", FILES


def _internals_in(arguments: list[ast.expr], line: int) -> Iterator[_Found]:
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            for part in argument.value.split("."):
                if part in INTERNAL_NAMES:
                    yield line, part, INTERNALS


def _leftmost(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def _longest(name: str, known: Collection[str]) -> str:
    """The longest beginning of a dotted name that is known; "" where none is."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


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
