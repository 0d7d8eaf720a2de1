"""Marks in a program's text: the line of each tool call, its last expression, its generators.

Only tokens are looked at, as reading the text into a syntax tree would let a program's nesting
reach this process. Lines stay where they are. What cannot be marked runs all the same.
"""

import io
import tokenize
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ("rewrite",)

_COMPOUND = frozenset(
    (
        "if",
        "for",
        "while",
        "try",
        "with",
        "def",
        "class",
        "async",
        "else",
        "elif",
        "except",
        "finally",
    )
)
_NO_EXPRESSION = _COMPOUND | {
    "import",
    "from",
    "return",
    "raise",
    "pass",
    "break",
    "continue",
    "del",
    "assert",
    "global",
    "nonlocal",
}
_BEFORE_OTHER_NAME = frozenset((".", "def", "class", "import", "from", "as", "global", "nonlocal"))
_SKIPPED = frozenset((tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT))
_TEXT_STARTS = frozenset(
    getattr(tokenize, name)
    for name in ("FSTRING_START", "TSTRING_START")
    if hasattr(tokenize, name)
)
_TEXT_ENDS = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name)
)


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    row: int
    column: int
    # Of two edits at one place the one with the lower rank stands outside.
    rank: int
    text: str
    length: int = 0


def rewrite(
    source: str, *, namespaces: Collection[str], functions: Collection[str]
) -> tuple[str, bool]:
    """The program with its marks; it ends with its value, made ready for the host.

    Returns:
        The text, and whether it could be read: text that cannot runs without marks.
    """
    try:
        lines, depth = _logical_lines(source)
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return source, False
    if depth != 0:
        return source, False
    edits = [
        edit
        for _, tokens in lines
        for edit in (
            *_calls(tokens, namespaces=namespaces, functions=functions),
            *_generators(tokens),
        )
    ]
    value = _value(*lines[-1]) if lines else ()
    edits += value
    text = _apply(source, edits)
    return (text if value else f"{text}\n_tw_value(None)"), True


def _logical_lines(source: str) -> tuple[list[tuple[int, list[tokenize.TokenInfo]]], int]:
    """(indentation, tokens) of each logical line, and the brackets left open."""
    lines: list[tuple[int, list[tokenize.TokenInfo]]] = []
    current: list[tokenize.TokenInfo] = []
    indentation = brackets = texts = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        indentation += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        texts += (token.type in _TEXT_STARTS) - (token.type in _TEXT_ENDS)
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if current:
                lines.append((indentation, current))
            current = []
        elif token.type not in _SKIPPED and (texts == 0 or token.type in _TEXT_STARTS):
            brackets += (token.string in "([{") - (token.string in ")]}")
            current.append(token)
    return lines, brackets


def _calls(
    tokens: list[tokenize.TokenInfo], *, namespaces: Collection[str], functions: Collection[str]
) -> list[_Edit]:
    if tokens[0].string == "case":
        return []
    edits = []
    for index, token in enumerate(tokens):
        if token.type != tokenize.NAME:
            continue
        if index and tokens[index - 1].string in _BEFORE_OTHER_NAME:
            continue
        follow = [after.string for after in tokens[index + 1 : index + 4]]
        is_method = token.string in namespaces and follow[:1] == ["."] and follow[2:] == ["("]
        if is_method or (token.string in functions and follow[:1] == ["("]):
            row, column = token.start
            marked = f"_tw_at({row}, {token.string})"
            edits.append(_Edit(row, column, 1, marked, len(token.string)))
    return edits


def _generators(tokens: list[tokenize.TokenInfo]) -> list[_Edit]:
    """Edits that make each generator expression what it is: gone through once.

    The interpreter takes it for a list, which can be gone through again, counted and sent.
    """
    edits: list[_Edit] = []
    # For each open bracket: where its inside begins, and whether it is a generator expression.
    open_brackets: list[tuple[tuple[int, int], bool]] = []
    for index, token in enumerate(tokens):
        if token.string in "([{" and token.type == tokenize.OP:
            start = tokens[index + 1].start if index + 1 < len(tokens) else token.end
            open_brackets.append((start, False))
        elif token.string in ")]}" and token.type == tokenize.OP:
            if not open_brackets:
                # No Python; the interpreter says so.
                return []
            start, is_generator = open_brackets.pop()
            if is_generator and token.string == ")":
                edits.append(_Edit(*start, 0, "_tw_once(("))
                edits.append(_Edit(*token.start, 0, "))"))
        elif token.string == "for" and open_brackets and tokens[index - 1].string != "async":
            open_brackets[-1] = (open_brackets[-1][0], True)
    return edits


def _value(indentation: int, tokens: list[tokenize.TokenInfo]) -> tuple[_Edit, ...]:
    """The edits around the expression that ends a program; none where it ends otherwise."""
    if indentation or tokens[0].string in _COMPOUND or tokens[0].string == "@":
        return ()
    part: list[tokenize.TokenInfo] = []
    last: list[tokenize.TokenInfo] = []
    depth = lambdas = 0
    is_assignment = False
    for token in tokens:
        depth += (token.string in "([{") - (token.string in ")]}")
        if depth == 0 and token.string == ";":
            part, lambdas = [], 0
            continue
        if not part:
            is_assignment = False
        part.append(token)
        last = part
        if depth == 0:
            lambdas += token.string == "lambda"
            if token.string == ":":
                lambdas -= 1
                is_assignment |= lambdas < 0
            is_assignment |= token.string.endswith("=") and token.string not in _COMPARISONS
    if not last or is_assignment or last[0].string in _NO_EXPRESSION:
        return ()
    start, end = last[0].start, last[-1].end
    return (_Edit(*start, 0, "_tw_value(("), _Edit(*end, 0, "))"))


_COMPARISONS = frozenset(("==", "!=", "<=", ">="))


def _apply(source: str, edits: list[_Edit]) -> str:
    lines = source.split("\n")
    for edit in sorted(edits, reverse=True):
        line = lines[edit.row - 1]
        lines[edit.row - 1] = line[: edit.column] + edit.text + line[edit.column + edit.length :]
    return "\n".join(lines)
