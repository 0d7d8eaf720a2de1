"""What a docstring says: its first paragraph, and its parameters one by one. Pure."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import docstring_parser
from docstring_parser.google import DEFAULT_SECTIONS, GoogleParser, Section, SectionType

__all__ = ("FunctionDocs", "read_docs")

# Titles that people use too, for parameters that are given by name alone.
_GOOGLE = GoogleParser([
    *DEFAULT_SECTIONS,
    *(
        Section(title, "param", SectionType.MULTIPLE)
        for title in ("Keyword Args", "Keyword Arguments", "Other Parameters")
    ),
])  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDocs:
    """The documented side of a function."""

    description: str
    # Parameter -> one line; only those documented.
    parameters: Mapping[str, str]


def read_docs(function: Callable[..., Any]) -> FunctionDocs:
    """Read a Google, NumPy, Sphinx or Epydoc docstring, or a plain one; empty where there is none.

    Of the text, the first paragraph is the description: what follows is for people who read code.
    """
    text = _find_text(function)
    try:
        # Of as many parameters the first, which knows all styles.
        parsed = max(docstring_parser.parse(text), _GOOGLE.parse(text), key=_count_parameters)
    except docstring_parser.ParseError:
        return FunctionDocs(description=_first_paragraph(text), parameters={})
    return FunctionDocs(
        description=_first_paragraph(parsed.description or ""),
        parameters={
            name.strip(): " ".join(parameter.description.split())
            for parameter in parsed.params
            if parameter.description
            # NumPy's "x, y : int".
            for name in parameter.arg_name.split(",")
        },
    )


def _count_parameters(parsed: docstring_parser.Docstring) -> int:
    return len(parsed.params)


def _find_text(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    # What an object does when it is called, or else what it is.
    call = type(function).__call__
    said = inspect.getdoc(call) if inspect.isfunction(call) else None
    return said or inspect.getdoc(function) or ""


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n", 1)[0].split())
