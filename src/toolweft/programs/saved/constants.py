"""The constants of a program that can become parameters, and the program with other values.

Pure. A value enters the text as the literal of plain JSON data, so it can be nothing but data.
"""

import ast
import json
import math
import tokenize
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json
from toolweft.core.saved import SavedParameter
from toolweft.programs.program_names import bound_by

__all__ = ("Constant", "fill_constants", "find_constants", "one_kind_of_line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A name that a program binds once, at its top level, to plain JSON data."""

    name: str
    value: Json
    # What stands behind it in a comment.
    comment: str
    # Where the value stands: offsets into the text's UTF-8 bytes.
    start: int
    end: int


def one_kind_of_line(code: str) -> str:
    """The text with line feeds alone, as Python reads it anyway."""
    return code.replace("\r\n", "\n").replace("\r", "\n")


def find_constants(code: str) -> tuple[Constant, ...]:
    """The constants of a program, in order; `code` parses and has line feeds alone."""
    tree = ast.parse(code)
    bound = Counter(name for node in ast.walk(tree) for name in bound_by(node))
    comments = _comments(code)
    lines = [len(line) + 1 for line in code.encode().split(b"\n")]
    starts = [sum(lines[:index]) for index in range(len(lines))]
    found = []
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            literal = ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError):
            continue
        if bound[name] != 1 or not _is_json(literal):
            continue
        assert value.end_lineno is not None
        assert value.end_col_offset is not None
        found.append(
            Constant(
                name=name,
                value=literal,
                comment=comments.get(value.end_lineno, ""),
                start=starts[value.lineno - 1] + value.col_offset,
                end=starts[value.end_lineno - 1] + value.end_col_offset,
            )
        )
    return tuple(found)


def fill_constants(
    code: str, parameters: Sequence[SavedParameter], arguments: Mapping[str, Json]
) -> str:
    """The program with the arguments in the place of its constants; its lines stay where they are.

    Args:
        code: as `find_constants` takes it.
        parameters: which argument stands for which constant.
        arguments: by name of the parameter; the others keep their values.

    Raises:
        InvalidArguments: an argument is no JSON.
    """
    places = {constant.name: constant for constant in find_constants(code)}
    given = [parameter for parameter in parameters if parameter.name in arguments]
    text = code.encode()
    for parameter in sorted(given, key=lambda p: places[p.constant].start, reverse=True):
        place = places[parameter.constant]
        breaks = text.count(b"\n", place.start, place.end)
        literal = _literal(parameter.name, arguments[parameter.name])
        if breaks:
            literal = f"({literal}{chr(10) * breaks})"
        text = text[: place.start] + literal.encode() + text[place.end :]
    return text.decode()


def _literal(name: str, value: Json) -> str:
    try:
        # Through JSON, so that nothing is left that could write itself in its own way.
        return repr(json.loads(json.dumps(value, allow_nan=False)))
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidArguments(
            f"the argument {name!r} is no JSON: {exc}", hint="pass plain data"
        ) from exc


def _is_json(value: Json) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _comments(code: str) -> dict[int, str]:
    """What stands in comments, by line."""
    tokens = tokenize.generate_tokens(StringIO(code).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }
