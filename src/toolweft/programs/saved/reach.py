"""Which tools a program's text names, and whether it may reach others. Pure; coarse on purpose."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import Snapshot
from toolweft.programs.check import collect_namespaces
from toolweft.programs.program_names import BUILTIN_NAMES, ProgramNames, collect_names

__all__ = ("Reach", "find_reach")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a program can call."""

    named: frozenset[QualifiedName]
    # It chooses tools while it runs: what it may call cannot be said from its text.
    is_open: bool


def find_reach(code: str, snapshot: Snapshot) -> Reach:
    """The tools of a snapshot that a program names; `code` parses."""
    tree = ast.parse(code)
    names = collect_names(tree)
    asked = set(_asked(tree, names, frozenset(collect_namespaces(snapshot).names)))
    found = [snapshot.find(name) for name in asked if name is not None]
    return Reach(
        named=frozenset(tool.qualified for tool in found if tool is not None),
        is_open=None in asked or names.may_bind_more,
    )


def _asked(tree: ast.AST, names: ProgramNames, namespaces: frozenset[str]) -> Iterator[str | None]:
    """Every name that may be a tool's; None for one that the text does not tell."""
    seen: set[int] = set()
    # Outer nodes come before the ones inside them.
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="tools"), attr="call") as func):
                seen |= {id(func), id(func.value)}
                yield _called(node)
            case ast.Attribute(value=ast.Name(id=space) as base, attr=attr) if id(node) not in seen:
                if space in namespaces and space not in names.bound:
                    seen.add(id(base))
                    yield None if f"{space}.{attr}" == "tools.call" else f"{space}.{attr}"
            case ast.Name(id=name, ctx=ast.Load()) if id(node) not in seen:
                if name in names.bound or name in BUILTIN_NAMES:
                    continue
                # A namespace that is handed on: `getattr(github, name)`.
                yield None if name in namespaces else name
            case _:
                pass


def _called(call: ast.Call) -> str | None:
    """The tool that `tools.call(...)` names; None where that is no literal."""
    first = call.args[0] if call.args else None
    named = next((word.value for word in call.keywords if word.arg == "name"), first)
    match named:
        case ast.Constant(value=str(name)):
            return name
        case _:
            return None
