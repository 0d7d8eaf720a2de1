"""Which names a program binds and which it only reads, from its syntax tree.

Deliberately coarse: a name bound anywhere, in any scope, counts as the program's own everywhere.
The checks built on it must never blame a name the program may have defined.
"""

import ast
import builtins
from dataclasses import dataclass

__all__ = ("ANY_NAME", "BUILTIN_NAMES", "ProgramNames", "bound_by", "collect_names")

# A tool called `print` or `filter` never hides Python's own.
BUILTIN_NAMES = frozenset(dir(builtins))

# What a star import binds, as far as a tree shows.
ANY_NAME = "*"

# Code that may bind names no tree shows.
_HIDDEN_BINDERS = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramNames:
    """Names of one program."""

    # Bound anywhere: assigned, imported, defined, a parameter, deleted.
    bound: frozenset[str]
    imported: frozenset[str]
    read: frozenset[str]
    # Other names may be bound too: `exec`, `globals()`, a star import.
    may_bind_more: bool


def collect_names(tree: ast.AST) -> ProgramNames:
    """The names of a program."""
    bound: set[str] = set()
    imported: set[str] = set()
    read: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                imported |= {(a.asname or a.name).split(".", 1)[0] for a in names}
            case _:
                bound |= set(bound_by(node))
    return ProgramNames(
        bound=frozenset(bound | imported),
        imported=frozenset(imported),
        read=frozenset(read),
        may_bind_more=not read.isdisjoint(_HIDDEN_BINDERS) or ANY_NAME in imported,
    )


def bound_by(node: ast.AST) -> list[str]:
    """The names that one node binds, imports and names that are only read left out."""
    match node:
        case ast.Name(ctx=ast.Load()):
            return []
        case (
            ast.Name(id=name)
            | ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.ClassDef(name=name)
            | ast.arg(arg=name)
            | ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            return [name]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names
        case _:
            return []
