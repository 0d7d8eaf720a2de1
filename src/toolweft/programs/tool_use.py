"""How a program uses tools, checked against the catalog before anything runs.

A false refusal is worse than a miss: whatever the program may have defined itself, unpacks,
handles or hands on is left alone, and only what must fail when it is reached is a fault.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from types import CoroutineType

from toolweft.core.json import JsonSchema
from toolweft.core.programs import ProgramWarning
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.program_names import ANY_NAME, BUILTIN_NAMES, ProgramNames
from toolweft.programs.stubs import render_stub
from toolweft.programs.worker_use import (
    NO_WORKER,
    NO_WORKER_HINT,
    WORKER_NAMES,
    find_argument_fault,
    render_worker_stub,
)

__all__ = ("BUILTIN_TOOLS", "ToolFault", "ToolUse", "find_tool_faults")

# Nobody reads more, and each costs a search for near names.
MAX_FAULTS = 8

# What `tools` has inside a program.
BUILTIN_TOOLS = ("search", "describe", "call")

# Bound in every program beside tools.
_GUEST_NAMES = WORKER_NAMES | {"Blob", "ToolError", "load"}

_BUILTINS_HINT = "tools has search(query=…), describe(name=…) and call(name=…, arguments=…)"

# Functions of Python's own that fail on a coroutine, or show it instead of its answer.
_NEEDS_VALUE = frozenset({
    "any", "all", "dict", "enumerate", "float", "int", "iter", "len", "max", "min", "print", "repr",
    "reversed", "set", "sorted", "str", "sum",
})  # fmt: skip
# The same of modules, as far as the last part of a name tells: json.dumps, math.sum.
_LIKELY_NEEDS_VALUE = _NEEDS_VALUE | {"dumps"}
# What may be asked of a call that is not awaited.
_COROUTINE_ATTRIBUTES = frozenset(dir(CoroutineType))
# Unknown names for which near ones are looked up: each search reads the names of all tools.
_MAX_NEAR_SEARCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFault:
    """One misuse of a tool; `is_certain` where it must fail once the line is reached."""

    # "ToolNotFound", "ToolGone", "AmbiguousTool", "InvalidArguments" or "MissingAwait".
    type: str
    found: ProgramWarning
    is_certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """What the checks know beside the tree."""

    snapshot: Snapshot
    # Bound in the program as namespaces, `tools` included.
    namespaces: Collection[str]
    names: ProgramNames
    # Bound by earlier runs in the same container.
    known: Collection[str]
    # Whether a model answers `worker`.
    has_workers: bool = False

    def is_own(self, name: str) -> bool:
        """Whether the program, or a run before it, may have bound the name itself."""
        if self.names.may_bind_more or ANY_NAME in self.known:
            return True
        return name in self.names.bound or name in self.known


def find_tool_faults(tree: ast.AST, use: ToolUse) -> list[ToolFault]:
    """Misuses of tools in order of lines; the search ends after `MAX_FAULTS` of them."""
    layout = _lay_out(tree)
    inspector = _Inspector(use, layout)
    calls = sorted(
        (node for node in layout.parents if isinstance(node, ast.Call)),
        key=lambda call: (call.lineno, call.col_offset),
    )
    faults = (fault for call in calls for fault in inspector.faults_of(call))
    return list(islice(faults, MAX_FAULTS))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a tree does not say by itself, gathered in one walk."""

    parents: dict[ast.AST, ast.AST]
    # Where each name is read, and how often it stands anywhere else.
    loads: dict[str, list[ast.Name]]
    stores: Counter[str]


def _lay_out(tree: ast.AST) -> _Layout:
    layout = _Layout({}, {}, Counter())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            layout.parents[child] = node
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                layout.loads.setdefault(name, []).append(node)
            case ast.Name(id=name):
                layout.stores[name] += 1
            case _:
                pass
    return layout


class _Inspector:
    """Looks at one call after the other."""

    def __init__(self, use: ToolUse, layout: _Layout) -> None:
        self._use = use
        self._layout = layout
        self._namespaces = frozenset(use.namespaces)
        self._near: dict[str, Sequence[str]] = {}

    def faults_of(self, call: ast.Call) -> Iterator[ToolFault]:
        name = _written_name(call.func)
        head, dot, tail = name.partition(".")
        if not name or (dot and head in self._use.names.imported):
            yield from self._hidden_by_import(call, name)
        elif name in WORKER_NAMES and not self._use.is_own(name):
            yield from self._worker_faults(call, name)
        elif self._use.is_own(head) or (
            not dot and (head in BUILTIN_NAMES or head in _GUEST_NAMES)
        ):
            return
        elif dot and head == "tools":
            if tail in BUILTIN_TOOLS:
                yield from self._missing_await(call, name)
            else:
                yield self._failing("ToolNotFound", call, f"tools has no {tail!r}", _BUILTINS_HINT)
        else:
            yield from self._tool_faults(call, name)

    def _tool_faults(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        tool = self._use.snapshot.find(name)
        if tool is None:
            yield from self._unknown_tool(call, name)
            return
        for message, must_fail in _argument_faults(call, tool):
            signature = render_stub(tool, detail="brief").removeprefix("# ")
            if must_fail:
                yield self._failing("InvalidArguments", call, message, signature)
            else:
                yield _doubtful("InvalidArguments", call, message, signature)
        yield from self._missing_await(call, name)

    def _worker_faults(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        if not self._use.has_workers:
            yield self._failing("NoWorker", call, NO_WORKER, NO_WORKER_HINT)
        elif fault := find_argument_fault(call, name):
            yield self._failing("InvalidArguments", call, fault, render_worker_stub(name))
        yield from self._missing_await(call, name)

    def _unknown_tool(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        snapshot = self._use.snapshot
        meant = snapshot.aliases.get(name, ())
        namespace, dot, tool = name.partition(".")
        if len(meant) > 1:
            listed = ", ".join(sorted(meant))
            message = f"{name!r} is a tool of {len(meant)} sources: {listed}"
            yield self._failing("AmbiguousTool", call, message, "use the full name")
        elif dot and namespace in self._namespaces and not _may_grow(namespace, snapshot):
            others = snapshot.near_names(name)
            hint = f"did you mean {', '.join(others)}?" if others else "search_tools finds tools"
            if name in snapshot.gone:
                yield self._failing("ToolGone", call, str(snapshot.gone[name]), hint)
            else:
                yield self._failing("ToolNotFound", call, f"{namespace} has no tool {tool!r}", hint)
        elif not dot and name in snapshot.gone and self._is_awaited(call):
            hint = "search_tools finds tools"
            yield self._failing("ToolGone", call, str(snapshot.gone[name]), hint)
        elif dot and namespace not in self._namespaces and self._is_awaited(call):
            yield from self._unbound_namespace(call, name)
        elif not dot and name not in _GUEST_NAMES and self._is_awaited(call):
            near = self._near_names(name)
            if near:
                hint = f"did you mean {', '.join(near)}?"
                yield self._failing("ToolNotFound", call, f"nothing is named {name!r}", hint)

    def _unbound_namespace(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        namespace = name.partition(".")[0]
        if namespace in BUILTIN_NAMES or namespace in _GUEST_NAMES:
            return
        near = self._near_names(name)
        hint = f"import {namespace}, if it is a module; search_tools finds tools"
        if near:
            hint = f"did you mean {', '.join(near)}?"
        yield self._failing("ToolNotFound", call, f"nothing is named {namespace!r}", hint)

    def _near_names(self, name: str) -> Sequence[str]:
        if name not in self._near and len(self._near) < _MAX_NEAR_SEARCHES:
            self._near[name] = tuple(self._use.snapshot.near_names(name))
        return self._near.get(name, ())

    def _is_awaited(self, call: ast.Call) -> bool:
        return isinstance(self._layout.parents.get(call), ast.Await)

    def _hidden_by_import(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        namespace = name.partition(".")[0]
        if namespace in self._namespaces and name in self._use.snapshot.tools:
            message = f"an import named {namespace!r} hides the source {namespace!r}"
            hint = f"await tools.call(name={name!r}, arguments={{…}}), or import it as another name"
            yield _doubtful("ToolNotFound", call, message, hint)

    def _missing_await(self, call: ast.Call, name: str) -> Iterator[ToolFault]:
        message, hint = f"{name}() is not awaited", f"await {name}(…)"
        if self._fails_unawaited(call):
            yield self._failing("MissingAwait", call, message, hint)
        elif self._needs_value(call) or self._is_lost_variable(call):
            yield _doubtful("MissingAwait", call, message, hint)

    def _is_lost_variable(self, call: ast.Call) -> bool:
        """Whether a call is put into a variable whose every use needs the value itself."""
        match self._layout.parents.get(call):
            case ast.Assign(targets=[ast.Name(id=variable)]):
                loads = self._layout.loads.get(variable, [])
            case _:
                return False
        # Bound once, so its uses are looked at once too.
        if self._layout.stores[variable] != 1 or not loads or self._use.names.may_bind_more:
            return False
        return all(self._needs_value(node) for node in loads)

    def _fails_unawaited(self, node: ast.AST) -> bool:
        """Whether a coroutine that stands here does nothing, or fails."""
        match self._layout.parents.get(node):
            case ast.Expr() | ast.BinOp() | ast.FormattedValue():
                return True
            case ast.Subscript(value=value):
                return value is node
            case ast.Attribute(attr=attribute):
                return attribute not in _COROUTINE_ATTRIBUTES
            case ast.For(iter=iterable) | ast.AsyncFor(iter=iterable):
                return iterable is node
            case ast.comprehension(iter=iterable):
                return iterable is node
            case ast.Call(func=ast.Name(id=function), args=args):
                is_pythons = function in _NEEDS_VALUE and not self._use.is_own(function)
                return is_pythons and any(argument is node for argument in args)
            case _:
                return False

    def _needs_value(self, node: ast.AST) -> bool:
        """Whether the expression stands where a coroutine makes no sense."""
        match self._layout.parents.get(node):
            case ast.Compare():
                return True
            case ast.Call(func=ast.Name(id="bool")):
                return not self._use.is_own("bool")
            case ast.Call(func=ast.Attribute(attr=function), args=args):
                return function in _LIKELY_NEEDS_VALUE and any(a is node for a in args)
            case _:
                return self._fails_unawaited(node)

    def _failing(self, kind: str, call: ast.Call, message: str, hint: str) -> ToolFault:
        """A call that must fail, unless the program stands ready for that."""
        found = ProgramWarning(line=call.lineno, message=message, hint=hint)
        return ToolFault(type=kind, found=found, is_certain=not _is_handled(call, self._layout))


def _doubtful(kind: str, call: ast.Call, message: str, hint: str) -> ToolFault:
    found = ProgramWarning(line=call.lineno, message=message, hint=hint)
    return ToolFault(type=kind, found=found, is_certain=False)


def _written_name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=namespace), attr=name) if not name.startswith("__"):
            return f"{namespace}.{name}"
        case _:
            return ""


def _may_grow(namespace: str, snapshot: Snapshot) -> bool:
    """Whether the source has not said yet, or can no longer say, which tools it has."""
    return any(
        source.python_name == namespace and not source.is_usable
        for source in snapshot.sources.values()
    )


# ------------------------------------------------------------------------------------ arguments


def _argument_faults(call: ast.Call, tool: CatalogTool) -> Iterator[tuple[str, bool]]:
    """Message and whether it must fail, for each fault in how a tool is called."""
    schema = tool.definition.input_schema
    name = tool.qualified
    if any(not isinstance(argument, ast.Starred) for argument in call.args):
        yield f"{name}() takes keyword arguments only", True
        return
    spelled = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    given = [tool.parameters.get(parameter, parameter) for parameter in spelled]
    counts = Counter(given)
    for parameter in sorted(parameter for parameter, count in counts.items() if count > 1):
        yield f"{name}() gets {parameter!r} twice", True
    for parameter, asked in _unknown_parameters(given, schema):
        closed = schema.get("additionalProperties") is False
        yield f"{name}() has no parameter {parameter!r}{asked}", closed
    required = schema.get("required")
    unpacks = bool(call.args) or len(spelled) < len(call.keywords)
    if unpacks or not isinstance(required, list):
        return
    python_names = {original: python for python, original in tool.parameters.items()}
    missing = [python_names.get(p, p) for p in required if p not in counts]
    if missing:
        yield f"{name}() needs {', '.join(map(repr, missing))}", True


def _unknown_parameters(given: Sequence[str], schema: JsonSchema) -> Iterator[tuple[str, str]]:
    """Each parameter the schema does not list, and the one that may have been meant."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties or _is_open(schema):
        return
    for parameter in given:
        if parameter not in properties:
            near = get_close_matches(parameter, properties, 1)
            yield parameter, f"; did you mean {near[0]!r}?" if near else ""


def _is_open(schema: JsonSchema) -> bool:
    """Whether the schema may take parameters beyond its listed properties."""
    if schema.get("additionalProperties") not in (None, False):
        return True
    return any(
        key in schema for key in ("patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if")
    )


# --------------------------------------------------------------------- what stands round a call


def _is_handled(node: ast.AST, layout: _Layout) -> bool:
    """Whether the program stands ready for this call to fail."""
    child: ast.AST = node
    while (parent := layout.parents.get(child)) is not None:
        match parent:
            case ast.Try(body=body, handlers=[_, *_]) | ast.TryStar(body=body):
                if any(child is statement for statement in body):
                    return True
            case ast.With(items=items) | ast.AsyncWith(items=items):
                if any("suppress" in ast.dump(item.context_expr) for item in items):
                    return True
            case ast.Call(keywords=keywords):
                if any(k.arg == "return_exceptions" for k in keywords):
                    return True
            case _:
                pass
        child = parent
    return False
