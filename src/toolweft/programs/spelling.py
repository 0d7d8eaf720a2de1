"""Writes the argument names into `tools.search("…")`: the guest passes on keywords only.

Pure. An edit never moves a line, so errors keep their line numbers.
"""

import ast
from collections.abc import Iterator

__all__ = ("spell_out_arguments",)

_PARAMETERS = {
    "search": ("query", "limit"),
    "describe": ("name",),
    "call": ("name", "arguments"),
}


def spell_out_arguments(code: str, tree: ast.Module) -> str:
    """The same program with keywords in its calls of `tools`; unchanged where that is not safe.

    Args:
        code: source text that parses.
        tree: its syntax tree.
    """
    places = sorted(_places(tree), reverse=True)
    if not places:
        return code
    # As the parser counts: lines end with newlines alone, columns are UTF-8 bytes.
    lines = code.encode().split(b"\n")
    for line, column, name in places:
        text = lines[line - 1]
        lines[line - 1] = text[:column] + name.encode() + b"=" + text[column:]
    edited = b"\n".join(lines).decode()
    return edited if _parses(edited) else code


def _places(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Line, column and parameter for each argument without a name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="tools"), attr=function), args=args):
                names = _PARAMETERS.get(function, ())
            case _:
                continue
        given = {keyword.arg for keyword in node.keywords}
        if len(args) > len(names) or given & set(names[: len(args)]):
            continue
        if any(isinstance(a, ast.Starred | ast.GeneratorExp | ast.NamedExpr) for a in args):
            continue
        for argument, name in zip(args, names, strict=False):
            yield argument.lineno, argument.col_offset, name


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
