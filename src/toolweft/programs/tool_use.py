"""How a program uses tools, checked against the catalog before anything runs.

A false refusal is worse than a miss: whatever the program may have defined itself, unpacks,
handles or hands on is left alone, and only what must fail when it is reached is a fault.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from toolweft.core.programs import ProgramWarning
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.program_names import ANY_NAME, BUILTIN_NAMES, ProgramNames
from toolweft.programs.stubs import render_stub

__all__ = ("BUILTIN_TOOLS", "ToolFault", "ToolUse", "find_tool_faults")

# What `tools` has inside a program.
BUILTIN_TOOLS = ("search", "describe", "call")

# Functions that cannot take a coroutine for an answer.
_NEEDS_VALUE = frozenset({
    "any", "all", "bool", "dumps", "enumerate", "float", "int", "iter", "len", "max", "min",
    "print", "repr", "sorted", "str", "sum",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFault:
    """One misuse of a tool; `is_certain` where it must fail once the line is reached."""

    # "ToolNotFound", "AmbiguousTool", "InvalidArguments" or "MissingAwait".
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

    def is_own(self, name: str) -> bool:
        """Whether the program, or a run before it, may have bound the name itself."""
        if self.names.may_bind_more or ANY_NAME in self.known:
            return True
        return name in self.names.bound or name in self.known


def find_tool_faults(tree: ast.AST, use: ToolUse) -> list[ToolFault]:
    """Every misuse of a tool, in order of lines."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    faults = [
        fault
        for node in parents
        if isinstance(node, ast.Call)
        for fault in _faults_of_call(node, use, parents)
    ]
    return sorted(faults, key=lambda fault: fault.found.line)


_Parents = dict[ast.AST, ast.AST]


def _faults_of_call(call: ast.Call, use: ToolUse, parents: _Parents) -> Iterator[ToolFault]:
    name = _written_name(call.func)
    head = name.split(".", 1)[0]
    if not name or (head in use.names.imported and "." in name):
        yield from _hidden_by_import(call, name, use)
        return
    if use.is_own(head) or ("." not in name and head in BUILTIN_NAMES):
        return
    certain = not _is_handled(call, parents)
    if head == "tools" and "." in name:
        if name.split(".", 1)[1] not in BUILTIN_TOOLS:
            message = f"tools has no {name.split('.', 1)[1]!r}"
            yield _fault("ToolNotFound", call, message, _BUILTINS_HINT, certain=certain)
            return
        yield from _missing_await(call, name, use, parents)
        return
    tool = use.snapshot.find(name)
    if tool is None:
        yield from _unknown_tool(call, name, use, certain=certain)
        return
    for message, is_certain in _argument_faults(call, tool):
        signature = render_stub(tool, detail="brief").removeprefix("# ")
        is_certain = is_certain and certain
        yield _fault("InvalidArguments", call, message, signature, certain=is_certain)
    yield from _missing_await(call, name, use, parents)


_BUILTINS_HINT = "tools has search(query=…), describe(name=…) and call(name=…, arguments=…)"


def _written_name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=namespace), attr=name) if not name.startswith("__"):
            return f"{namespace}.{name}"
        case _:
            return ""


def _fault(
    kind: str, node: ast.expr, message: str, hint: str | None, *, certain: bool
) -> ToolFault:
    found = ProgramWarning(line=node.lineno, message=message, hint=hint)
    return ToolFault(type=kind, found=found, is_certain=certain)


def _unknown_tool(call: ast.Call, name: str, use: ToolUse, *, certain: bool) -> Iterator[ToolFault]:
    snapshot = use.snapshot
    meant = snapshot.aliases.get(name, ())
    namespace, dot, tool = name.partition(".")
    if len(meant) > 1:
        listed = ", ".join(sorted(meant))
        message = f"{name!r} is a tool of {len(meant)} sources: {listed}"
        yield _fault("AmbiguousTool", call, message, "use the full name", certain=certain)
    elif dot and namespace in use.namespaces and not _may_still_grow(namespace, snapshot):
        near = snapshot.near_names(name)
        hint = f"did you mean {', '.join(near)}?" if near else "search_tools finds tools"
        message = f"{namespace} has no tool {tool!r}"
        yield _fault("ToolNotFound", call, message, hint, certain=certain)


def _may_still_grow(namespace: str, snapshot: Snapshot) -> bool:
    """Whether the source has not said yet, or can no longer say, which tools it has."""
    return any(
        source.python_name == namespace and source.state != "ready"
        for source in snapshot.sources.values()
    )


def _hidden_by_import(call: ast.Call, name: str, use: ToolUse) -> Iterator[ToolFault]:
    namespace, dot, _ = name.partition(".")
    if not dot or namespace not in use.namespaces or name not in use.snapshot.tools:
        return
    message = f"an import named {namespace!r} hides the source {namespace!r}"
    hint = f"await tools.call(name={name!r}, arguments={{…}}), or import it under another name"
    yield _fault("ToolNotFound", call, message, hint, certain=False)


# ------------------------------------------------------------------------------------ arguments


def _argument_faults(call: ast.Call, tool: CatalogTool) -> Iterator[tuple[str, bool]]:
    """Message and whether it must fail, for each fault in how a tool is called."""
    schema = tool.definition.input_schema
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    unpacks = any(keyword.arg is None for keyword in call.keywords)
    if any(not isinstance(argument, ast.Starred) for argument in call.args):
        yield f"{tool.qualified}() takes keyword arguments only", True
        return
    given = [tool.parameters.get(k.arg, k.arg) for k in call.keywords if k.arg is not None]
    for name in sorted({name for name in given if given.count(name) > 1}):
        yield f"{tool.qualified}() gets {name!r} twice", True
    if not _is_open(schema):
        closed = schema.get("additionalProperties") is False
        for name in given:
            if name not in properties:
                near = get_close_matches(name, properties, 1)
                asked = f"; did you mean {near[0]!r}?" if near else ""
                yield f"{tool.qualified}() has no parameter {name!r}{asked}", closed
    required = schema.get("required")
    if unpacks or call.args or not isinstance(required, list):
        return
    spelled = {original: python for python, original in tool.parameters.items()}
    missing = [spelled.get(name, name) for name in required if name not in given]
    if missing:
        yield f"{tool.qualified}() needs {', '.join(map(repr, missing))}", True


def _is_open(schema: dict[str, object]) -> bool:
    """Whether the schema may take parameters beyond its listed properties."""
    if schema.get("additionalProperties") not in (None, False):
        return True
    combined = ("patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if")
    return any(key in schema for key in combined) or not schema.get("properties")


def _is_handled(node: ast.AST, parents: _Parents) -> bool:
    """Whether the program stands ready for this call to fail."""
    child: ast.AST = node
    while (parent := parents.get(child)) is not None:
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


# --------------------------------------------------------------------------------- missing await


def _missing_await(
    call: ast.Call, name: str, use: ToolUse, parents: _Parents
) -> Iterator[ToolFault]:
    lost = call if _needs_value(call, parents) else _lost_variable(call, use, parents)
    if lost is not None:
        yield _fault(
            "MissingAwait", call, f"{name}() is not awaited", f"await {name}(…)", certain=False
        )


def _needs_value(node: ast.AST, parents: _Parents) -> bool:
    """Whether the expression stands where a coroutine makes no sense."""
    match parents.get(node):
        case ast.Expr() | ast.BinOp() | ast.Compare() | ast.FormattedValue():
            return True
        case ast.Subscript(value=value):
            return value is node
        case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
            return iterable is node
        case ast.Call(func=ast.Name(id=function) | ast.Attribute(attr=function), args=args):
            return function in _NEEDS_VALUE and any(argument is node for argument in args)
        case _:
            return False


def _lost_variable(call: ast.Call, use: ToolUse, parents: _Parents) -> ast.AST | None:
    """The variable a call was put into without await, if every use of it needs the value."""
    match parents.get(call):
        case ast.Assign(targets=[ast.Name(id=variable)]):
            pass
        case _:
            return None
    uses = [node for node in parents if isinstance(node, ast.Name) and node.id == variable]
    stores = [node for node in uses if not isinstance(node.ctx, ast.Load)]
    loads = [node for node in uses if isinstance(node.ctx, ast.Load)]
    if len(stores) != 1 or not loads or use.names.may_bind_more:
        return None
    return stores[0] if all(_needs_value(node, parents) for node in loads) else None
